"""Snapshots at a URL, such as `s3://bucket/snapshots/`: read by fsspec, where it is installed."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_INSTALL = "pip install 'agraph-cli[s3]', or fsspec and what it needs for this kind of URL"


def is_url(argument: str) -> bool:
    """Whether an argument of the command line is a URL."""
    return "://" in argument


def expand(url: str, suffixes: Sequence[str]) -> list[tuple[str, str]]:
    """Find what a URL names.

    Args:
        url: That of a file, of a folder, which is searched, or a glob pattern.
        suffixes: What snapshots in a folder end in.

    Returns:
        For each file its URL, and its path in the file system of the URL.

    Raises:
        CommandError: That cannot be found out.
    """
    with _told():
        system, path = _connect(url)
        found = _names(system, path, suffixes)
        return [(url if one == path else str(system.unstrip_protocol(one)), one) for one in found]


def content(url: str, path: str) -> bytes:
    """Read a file.

    Args:
        url: A URL, which says the file system.
        path: The path of the file in it.

    Returns:
        What is in it.

    Raises:
        CommandError: It cannot be read.
    """
    with _told():
        return bytes(_connect(url)[0].cat_file(path))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except CommandError:
        raise
    except FileNotFoundError:
        raise CommandError("no such file or folder") from None
    except Exception as error:  # noqa: BLE001 - each file system has errors of its own
        raise CommandError(f"cannot read it: {type(error).__name__}: {error}") from None


def _connect(url: str) -> tuple[Any, str]:
    try:
        system, path = importlib.import_module("fsspec.core").url_to_fs(url)
    except ImportError as error:  # its own, or that of what it needs for S3
        reason = "fsspec is not installed" if error.name in {"fsspec", "fsspec.core"} else str(error)
        raise CommandError(f"cannot read URLs: {reason}", hint=_INSTALL) from None
    except ValueError as error:  # an unknown protocol
        raise CommandError(
            f"cannot read it: {error}", hint="name a file, or a URL that fsspec knows"
        ) from None
    return system, str(path)


def _names(system: Any, path: str, suffixes: Sequence[str]) -> list[str]:  # noqa: ANN401 - it has no types
    if system.isfile(path):
        return [path]
    if system.isdir(path):
        found = sorted(name for name in system.find(path) if _is_snapshot(name[len(path) :], suffixes))
        if not found:
            raise CommandError("no snapshot in this folder")
        return found
    found = sorted(system.glob(path)) if "*" in path or "?" in path or "[" in path else [path]
    if not found:
        raise CommandError("no file matches this pattern")
    return found


def _is_snapshot(name: str, suffixes: Sequence[str]) -> bool:
    return name.endswith(tuple(suffixes)) and not any(part.startswith(".") for part in name.split("/"))
