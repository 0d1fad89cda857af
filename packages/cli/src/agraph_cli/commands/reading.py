"""Find and read the snapshots that a command line names. What cannot be read is data, so the rest goes on."""

from __future__ import annotations

import difflib
import glob
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.analysis.names import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph import Snapshot

SUFFIXES = (".json", ".json.gz", ".json.zst")


@dataclass(slots=True)
class Read:
    """What was read.

    Attributes:
        snapshots: Pairs of the path as given and the snapshot.
        errors: For each failure `path`, `message` and `help`.
    """

    snapshots: list[tuple[str, Snapshot]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    def fail(self, path: str, message: str, help_text: str = "") -> None:
        """Record a failure."""
        self.errors.append({"path": path, "message": message, "help": help_text})


def read(arguments: Iterable[str]) -> Read:
    """Read snapshots.

    Args:
        arguments: Files, folders (which are searched), glob patterns, and `-` for standard input.

    Returns:
        The snapshots, in the order given and by name within a folder; and what could not be read.
    """
    done = Read()
    seen: set[str] = set()
    for argument in arguments:
        for path in _expand(argument, done):
            if path not in seen:
                seen.add(path)
                _read_one(path, done)
    return done


def _expand(argument: str, done: Read) -> Iterator[str]:
    if argument == "-" or Path(argument).is_file():
        yield argument
    elif Path(argument).is_dir():
        yield from _below(argument, done)
    elif glob.has_magic(argument):
        matching = glob.glob(argument, recursive=True)  # noqa: PTH207 - keeps the path as it was given
        found = sorted(path for path in matching if Path(path).is_file())
        if not found:
            done.fail(argument, "no file matches this pattern")
        yield from found
    elif Path(argument).exists():
        yield argument  # a pipe or a device: `<(zcat ...)`
    else:
        done.fail(argument, "no such file or folder", near_names(Path(argument)))


def _below(folder: str, done: Read) -> list[str]:
    found = sorted(
        os.path.join(at, name)  # noqa: PTH118 - keeps the path as it was given, `./` included
        for at, _, names in os.walk(folder)
        for name in names
        if name.endswith(SUFFIXES) and not name.startswith(".")
    )
    if not found:
        done.fail(folder, f"no snapshot in this folder ({listed(SUFFIXES, joint='or')})")
    return found


def near_names(path: Path) -> str:
    """A hint that names files like a missing one; empty if there are none."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist" if not path.parent.exists() else ""
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {listed([str(path.parent / name) for name in near], joint='or')}?" if near else ""


def _read_one(path: str, done: Read) -> None:
    import agraph
    from agraph_cli.analysis import decoder

    try:
        if path == "-":
            snapshot = agraph.loads(sys.stdin.buffer.read(), decoder=decoder)
        else:
            snapshot = agraph.load(path, decoder=decoder)
    except agraph.SnapshotError as error:
        done.fail(path, str(error), error.help)
    except OSError as error:
        done.fail(path, f"cannot read the file: {error.strerror or error}")
    except MemoryError:
        done.fail(path, "it does not fit into memory", "this is no snapshot, or read it on a larger machine")
    else:
        done.snapshots.append((path, snapshot))
