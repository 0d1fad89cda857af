"""Find and read the snapshots that a command line names. What cannot be read is data, so the rest goes on."""

from __future__ import annotations

import difflib
import glob
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from agraph_cli.analysis.names import listed
from agraph_cli.commands.urls import content, expand, is_url
from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph import Snapshot

SUFFIXES = (".json", ".json.gz", ".json.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst")
PATTERNS = "*.json or *.jsonl, alone or with .gz or .zst"
_TOO_LARGE = ("it does not fit into memory", "this is no snapshot, or read it on a larger machine")


# Why a file is not among those that were read, as reports tell it: `path`, `message` and `help`.
Failure: TypeAlias = dict[str, str]


class Place(NamedTuple):
    """Where a snapshot is.

    Attributes:
        path: What it is called: the path as it was given.
        at: What to open.
        url: Names the file system that `at` is a path in; empty for that of this machine.
        here: Whether nobody but this process can read it.
    """

    path: str
    at: str
    url: str = ""
    here: bool = False


@dataclass(slots=True)
class Read:
    """What was read.

    Attributes:
        snapshots: Pairs of the path as given and the snapshot.
        errors: What could not be read.
    """

    snapshots: list[tuple[str, Snapshot]] = field(default_factory=list)
    errors: list[Failure] = field(default_factory=list)


def failure(path: str, message: str, help_text: str = "") -> Failure:
    """Say why a file is not read."""
    return {"path": path, "message": message, "help": help_text}


def read(arguments: Iterable[str]) -> Read:
    """Read snapshots.

    Args:
        arguments: Files, folders (which are searched), glob patterns, URLs, and `-` for standard input.

    Returns:
        The snapshots, in the order given and by name within a folder; and what could not be read.
    """
    done = Read()
    for place in places(arguments):
        if isinstance(place, dict):
            done.errors.append(place)
            continue
        found = load(place, fetch(place))
        if isinstance(found, dict):
            done.errors.append(found)
        else:
            done.snapshots.append((place.path, found))
    return done


def places(arguments: Iterable[str]) -> Iterator[Place | Failure]:
    """Find the files that a command line names, each once.

    Args:
        arguments: As for `read`.

    Yields:
        Where a snapshot is, or why there is none; in the order of `read`.
    """
    seen: set[str] = set()
    for argument in arguments:
        far = is_url(argument) and not Path(argument).exists()
        for place, same in _at_url(argument) if far else _expand(argument):
            if isinstance(place, dict):
                yield place
            elif same not in seen:
                seen.add(same)
                yield place


def _expand(argument: str) -> Iterator[tuple[Place | Failure, str]]:
    """The files that an argument names, each with what tells it from others."""
    if argument == "-":
        yield Place(argument, argument, here=True), argument
    elif Path(argument).is_file():
        yield _file(argument)
    elif Path(argument).is_dir():
        yield from _below(argument)
    elif glob.has_magic(argument):
        matching = glob.glob(argument, recursive=True)  # noqa: PTH207 - keeps the path as it was given
        found = sorted(path for path in matching if Path(path).is_file())
        if not found:
            yield failure(argument, "no file matches this pattern"), ""
        yield from map(_file, found)
    elif Path(argument).exists():  # a pipe or a device: `<(zcat ...)`
        yield Place(argument, argument, here=True), os.path.realpath(argument)
    else:
        yield failure(argument, "no such file or folder", near_names(Path(argument))), ""


def _file(path: str) -> tuple[Place, str]:
    return Place(path, path), os.path.realpath(path)


def _below(folder: str) -> list[tuple[Place | Failure, str]]:
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
    if not found:
        return [(failure(folder, f"no snapshot in this folder ({PATTERNS})"), "")]
    return [(Place(path, path), same) for path, same in sorted(found)]


def near_names(path: Path) -> str:
    """A hint that names files like a missing one; empty if there are none."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist" if not path.parent.exists() else ""
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {listed([str(path.parent / name) for name in near], joint='or')}?" if near else ""


def _at_url(url: str) -> list[tuple[Place | Failure, str]]:
    try:
        return [(Place(path, at, url), path) for path, at in expand(url, SUFFIXES)]
    except CommandError as error:
        return [(failure(url, error.message, error.hint), "")]


def fetch(place: Place) -> bytes | Failure | None:
    """Get the content of a file that has to be got before it is read.

    Args:
        place: Where it is.

    Returns:
        What is at a URL or on standard input, or why it cannot be had; None for any other file.
    """
    try:
        if place.url:
            return content(place.url, place.at)
        return sys.stdin.buffer.read() if place.at == "-" else None
    except CommandError as error:
        return failure(place.path, error.message, error.hint)
    except OSError as error:
        return failure(place.path, f"cannot read the file: {error.strerror or error}")
    except MemoryError:
        return failure(place.path, *_TOO_LARGE)


def load(place: Place, fetched: bytes | Failure | None) -> Snapshot | Failure:
    """Read a snapshot.

    Args:
        place: Where it is.
        fetched: What `fetch` returned.

    Returns:
        The snapshot, or why it cannot be read.
    """
    import agraph
    from agraph_cli.analysis import decoder

    if isinstance(fetched, dict):
        return fetched
    try:
        if fetched is not None:
            return agraph.loads(fetched, decoder=decoder)
        return agraph.load(place.at, decoder=decoder)
    except agraph.SnapshotError as error:
        return failure(place.path, str(error), error.help)
    except OSError as error:
        return failure(place.path, f"cannot read the file: {error.strerror or error}")
    except MemoryError:
        return failure(place.path, *_TOO_LARGE)
