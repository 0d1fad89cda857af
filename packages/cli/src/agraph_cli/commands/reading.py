"""Find and read the snapshots that a command line names. What cannot be read is data, so the rest goes on."""

from __future__ import annotations

import difflib
import glob
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.analysis.names import listed
from agraph_cli.commands.urls import expand, is_url
from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph import Snapshot

SUFFIXES = (".json", ".json.gz", ".json.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst")
PATTERNS = "*.json or *.jsonl, alone or with .gz or .zst"


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
        arguments: Files, folders (which are searched), glob patterns, URLs, and `-` for standard input.

    Returns:
        The snapshots, in the order given and by name within a folder; and what could not be read.
    """
    done = Read()
    done.snapshots += one_by_one(arguments, done)
    return done


def one_by_one(arguments: Iterable[str], done: Read) -> Iterator[tuple[str, Snapshot]]:
    """Read snapshots when they are asked for, so that one can be dealt with before the next is read.

    Args:
        arguments: As for `read`.
        done: Where to record what cannot be read.

    Yields:
        Pairs as in `Read.snapshots`, where they are not recorded.
    """
    seen: set[str] = set()
    for argument in arguments:
        if is_url(argument) and not Path(argument).exists():
            yield from _read_url(argument, seen, done)
            continue
        for path, same in _expand(argument, done):
            if same not in seen:
                seen.add(same)
                yield from _read_one(path, done)


def _expand(argument: str, done: Read) -> Iterator[tuple[str, str]]:
    """The files that an argument names, each as it is given and as it is told from others."""
    if argument == "-":
        yield argument, argument
    elif Path(argument).is_file():
        yield argument, os.path.realpath(argument)
    elif Path(argument).is_dir():
        yield from _below(argument, done)
    elif glob.has_magic(argument):
        matching = glob.glob(argument, recursive=True)  # noqa: PTH207 - keeps the path as it was given
        found = sorted(path for path in matching if Path(path).is_file())
        if not found:
            done.fail(argument, "no file matches this pattern")
        yield from ((path, os.path.realpath(path)) for path in found)
    elif Path(argument).exists():
        yield argument, os.path.realpath(argument)  # a pipe or a device: `<(zcat ...)`
    else:
        done.fail(argument, "no such file or folder", near_names(Path(argument)))


def _below(folder: str, done: Read) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    ahead = [folder]
    while ahead:
        at = ahead.pop()
        real = os.path.realpath(at)  # once for all its files: it asks the system about each part of a path
        with suppress(OSError), os.scandir(at) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = os.path.join(at, entry.name)  # noqa: PTH118 - keeps the path as it was given, with `./`
                if entry.is_dir():
                    if not entry.is_symlink():
                        ahead.append(path)
                elif entry.name.endswith(SUFFIXES):
                    linked = entry.is_symlink()
                    same = os.path.realpath(path) if linked else os.path.join(real, entry.name)  # noqa: PTH118
                    found.append((path, same))
    found.sort()
    if not found:
        done.fail(folder, f"no snapshot in this folder ({PATTERNS})")
    return found


def near_names(path: Path) -> str:
    """A hint that names files like a missing one; empty if there are none."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist" if not path.parent.exists() else ""
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {listed([str(path.parent / name) for name in near], joint='or')}?" if near else ""


def _read_url(url: str, seen: set[str], done: Read) -> Iterator[tuple[str, Snapshot]]:
    try:
        for path, data in expand(url, SUFFIXES):
            if path not in seen:
                seen.add(path)
                yield from _read_one(path, done, data)
    except CommandError as error:
        done.fail(url, error.message, error.hint)


def _read_one(path: str, done: Read, data: bytes | None = None) -> Iterator[tuple[str, Snapshot]]:
    import agraph
    from agraph_cli.analysis import decoder

    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        if data is not None:
            snapshot = agraph.loads(data, decoder=decoder)
        else:
            snapshot = agraph.load(path, decoder=decoder)
    except agraph.SnapshotError as error:
        done.fail(path, str(error), error.help)
    except OSError as error:
        done.fail(path, f"cannot read the file: {error.strerror or error}")
    except MemoryError:
        done.fail(path, "it does not fit into memory", "this is no snapshot, or read it on a larger machine")
    else:
        yield path, snapshot
