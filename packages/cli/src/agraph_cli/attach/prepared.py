"""A process that was prepared with `agraph.install` or `agraph run`: its socket, or its signal."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agraph_cli.attach.model import AttachError, Deadline, Shot
from agraph_cli.attach.reading import parse

if TYPE_CHECKING:
    from agraph_cli.attach.model import Request
    from agraph_cli.attach.target import Target

_MAX_LINE = 4096
_MAX_BYTES = 2 * 1024**3
_CONNECT_SECONDS = 2.0
_USUAL = {"", "0", "off", "no", "false", "1", "on", "yes", "true"}  # values of AGRAPH_SOCKET that are no path


def socket_of(target: Target, request: Request) -> Path | None:
    """The socket of a process.

    Args:
        target: The process.
        request: May name it.

    Returns:
        Its path as we see it; None when there is none.
    """
    if request.socket is not None:
        return Path(request.socket)
    found = (Path(f"{target.root}{path}") for path in _places(target))
    return next((path for path in found if _is_socket_of(path, target)), None)


def _places(target: Target) -> list[str]:
    own = f"{target.inner_pid}.sock"
    given = target.environ.get("AGRAPH_SOCKET", "").strip()
    named = []
    if given.lower() not in _USUAL:
        path = Path(target.folder, given)  # or a folder for the socket; and a forked process adds its number
        named = [str(path / own), str(path.with_suffix(f".{target.inner_pid}{path.suffix}")), str(path)]
    bases = [target.environ.get(name, "") for name in ("XDG_RUNTIME_DIR", "TMPDIR")]
    if os.geteuid() == target.uid and not target.root:
        bases += [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()]
    bases += [f"/run/user/{target.uid}", "/tmp", "/var/tmp"]  # noqa: S108 - owner and kind are looked at
    usual = [f"{base}/agraph-{target.uid}/{own}" for base in dict.fromkeys(bases) if base.startswith("/")]
    return named + usual


def _is_socket_of(path: Path, target: Target) -> bool:
    with suppress(OSError):
        found = path.lstat()
        return stat.S_ISSOCK(found.st_mode) and found.st_uid in {target.uid, 0}
    return False


def process_behind(path: str) -> int:
    """The process that listens on a socket.

    Args:
        path: The socket.

    Returns:
        Its process id.

    Raises:
        AttachError: Nobody listens there, or the system does not tell who.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_CONNECT_SECONDS)
            _connect(connection, Path(path))
            pid = _peer(connection)[0]
    except OSError as error:
        raise AttachError(f"nobody answers on {path}: {error.strerror or error}") from None
    if not pid:
        raise AttachError(f"the system does not tell which process listens on {path}", "give its process id")
    return pid


def over_socket(target: Target, request: Request, path: Path) -> Shot:
    """Ask the process over its socket.

    Args:
        target: The process.
        request: How to capture.
        path: The socket.

    Returns:
        The snapshot.

    Raises:
        AttachError: Nobody answers, or with an error.
    """
    wanted = {"command": "capture", "max_tasks": request.max_tasks, "max_seconds": request.max_seconds}
    wanted |= {"prove": request.prove, "locals": request.with_locals}
    try:
        # Who does not answer this soon has no thread that comes to run: no use in waiting as long as below.
        _ask(target, path, {"command": "ping"}, request.timeout)
        data = _ask(target, path, wanted, request.seconds_to_finish())
    except OSError as error:
        said = "nothing came in time" if isinstance(error, TimeoutError) else error.strerror or error
        raise AttachError(
            f"process {target.pid} does not answer on {path}: {said}", "try --via remote"
        ) from None
    return Shot(parse(target, data), f"by a thread of its own, over {path}")


def _ask(target: Target, path: Path, wanted: dict[str, Any], seconds: float) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        _connect(connection, path)
        _check_peer(connection, target)
        connection.sendall(json.dumps(wanted).encode() + b"\n")
        return _answer(connection, Deadline(seconds))


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect; by way of the folder where the path is longer than an address may be (unix(7): 108 bytes)."""
    if len(os.fsencode(path)) < 100:
        connection.connect(str(path))
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _check_peer(connection: socket.socket, target: Target) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        return
    pid, uid = _peer(connection)
    if pid not in {target.pid, 0} or uid not in {target.uid, 0}:
        raise AttachError(
            f"the socket of process {target.pid} belongs to process {pid} of uid {uid}",
            f"agraph capture {pid}, or --via remote",
        )


def _peer(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end, those that called `listen`; 0 for what is not told."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, 0
    layout = "3i"
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(layout))
    pid, uid, _gid = struct.unpack(layout, peer)
    return pid, uid


def _answer(connection: socket.socket, end: Deadline) -> bytes:
    data = bytearray()
    while b"\n" not in data and len(data) <= _MAX_LINE and _receive(connection, data, end):
        pass
    line, _, rest = bytes(data).partition(b"\n")
    head = _head(line)
    if not head.get("ok"):
        raise AttachError(f"it answers: {str(head.get('error', 'no reason'))[:500]}")
    length = head.get("length")
    if not isinstance(length, int) or not 0 <= length <= _MAX_BYTES:
        raise AttachError(f"it announces a snapshot of {length!r} bytes", "try --via remote")
    data = bytearray(rest)
    while len(data) < length and _receive(connection, data, end):
        pass
    if len(data) < length:
        raise AttachError(f"it ended after {len(data):,} of {length:,} bytes")
    return bytes(data[:length])


def _receive(connection: socket.socket, data: bytearray, end: Deadline) -> bool:
    """Add what comes next, within the time for all of it; returns whether anything came."""
    connection.settimeout(max(end.left, 0.001))
    more = connection.recv(1 << 20)
    data += more
    return bool(more)


def _head(line: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    raise AttachError(
        "what listens there is no agraph: it does not answer with a line of JSON", "try --via remote"
    )
