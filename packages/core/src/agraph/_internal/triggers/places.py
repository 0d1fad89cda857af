"""Where the socket of a process lies, and snapshots when nothing else can be written to."""

from __future__ import annotations

import os
import re
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from agraph._internal.errors import AgraphError

_SOCKET = re.compile(r"\.?[0-9]+(-[0-9a-f]+)?\.sock")
_MAX_CLEANED = 200


def runtime_directory() -> Path:
    """The private directory of this user, made if need be: `<runtime dir>/agraph-<uid>`.

    The runtime dir is `$XDG_RUNTIME_DIR` where that is ours, else the system's temporary directory.

    Raises:
        AgraphError: Something else is in its place, or it cannot be made.
    """
    path = _base() / f"agraph-{os.geteuid()}"
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
    except OSError as error:
        raise AgraphError(
            f"{path} cannot be made: {error.strerror}", help="set XDG_RUNTIME_DIR or TMPDIR"
        ) from None
    # In a directory that all may write to, somebody else may have been here first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise AgraphError(
            f"{path} is not a directory of this user: it is not used",
            help="remove it, or set XDG_RUNTIME_DIR or TMPDIR",
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return path


def _base() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/"):
        with suppress(OSError):
            found = Path(given).stat()
            ours = found.st_uid == os.geteuid() and not found.st_mode & 0o022
            if stat.S_ISDIR(found.st_mode) and ours and os.access(given, os.W_OK):
                return Path(given)
    return Path(tempfile.gettempdir())


def remove_stale_sockets(directory: Path) -> None:
    """Remove the sockets in our directory that nobody listens on any more.

    Asking the socket is right where asking for the process is not: its number may be that of another by now,
    or of one in another container.

    Args:
        directory: What `runtime_directory` returned.
    """
    with suppress(OSError):
        names = [name for name in os.listdir(directory) if _SOCKET.fullmatch(name)]  # noqa: PTH208
        for name in sorted(names)[:_MAX_CLEANED]:
            if not is_listened_on(directory / name):
                with suppress(OSError):
                    (directory / name).unlink()


def is_listened_on(path: Path) -> bool:
    """Whether somebody listens on a socket; True also where that cannot be told.

    Args:
        path: The path of the socket.
    """
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True
