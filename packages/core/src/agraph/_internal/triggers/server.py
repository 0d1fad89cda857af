"""A Unix socket that answers with a snapshot.

One line of JSON asks: `{"command": "capture", "max_tasks": null, "max_seconds": null, "prove": false,
"locals": false}` or `{"command": "ping"}`. One line of JSON answers, `{"ok": true, "length": N}` and then N
bytes of a snapshot, or `{"ok": false, "error": "..."}`.
"""

from __future__ import annotations

import json
import math
import os
import socket
import stat
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agraph._internal.errors import AgraphError
from agraph._internal.files import encode
from agraph._internal.triggers.ahead import for_clients
from agraph._internal.triggers.places import is_listened_on, remove_stale_sockets, runtime_directory
from agraph._internal.triggers.report import reason_of
from agraph._internal.triggers.say import say
from agraph._internal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.model import Snapshot

    Take = Callable[[int | None, float | None, bool, bool], Snapshot]

MAX_REQUEST_BYTES = 4096
REQUEST_S = 5.0
ANSWER_S = 30.0
MAX_CLIENTS = 4
_MAX_UNREAD_BYTES = 1 << 20
_SOON_S = 0.1
# What fits into `sun_path` of the address everywhere (macOS: 104 bytes, with a zero at the end).
_MAX_PATH_BYTES = 103
# `struct xucred` of macOS and FreeBSD (sys/ucred.h); Python has no names for these.
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1


class SocketTrigger:
    """A socket of this process, and the threads that serve it."""

    def __init__(self, place: str, take: Take, *, forked: bool) -> None:
        """Prepare.

        Args:
            place: The path of the socket, or of an existing directory for it; empty for the usual place.
            take: What takes the snapshot.
            forked: Whether this process is the child of one that listens at that path.
        """
        self._place = place
        self._take = take
        self._forked = forked
        self._path: Path | None = None
        self._owner = os.getpid()
        self._listener: socket.socket | None = None
        self._clients: set[socket.socket] = set()
        self._slots = threading.BoundedSemaphore(MAX_CLIENTS)
        self._stop = threading.Event()

    def start(self) -> None:
        """Listen, and serve in a thread.

        Raises:
            AgraphError: The socket cannot be made; the message says why.
        """
        listener = self._listen()
        self._in_thread("agraph-socket", self._serve, listener)

    def start_soon(self) -> None:
        """The same a moment later: the child of a fork often becomes another program at once."""
        self._in_thread("agraph-socket", self._serve_soon)

    def close_inherited(self) -> None:
        """In the child of a fork: close what belongs to the parent."""
        for inherited in (self._listener, *self._clients):
            if inherited is not None:
                inherited.close()

    def stop(self) -> None:
        """Stop listening and remove the socket, if this process has made it."""
        if self._owner != os.getpid():
            return
        self._stop.set()
        listener, path = self._listener, self._path
        if listener is None or path is None:
            return
        self._listener = self._path = None
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread; on Linux
        is_listened_on(path)  # wakes it elsewhere
        listener.close()
        with suppress(OSError):
            path.unlink()
        if not self._place and not self._forked:  # children that were killed have left theirs
            remove_stale_sockets(path.parent)

    def _listen(self) -> socket.socket:
        path = self._own_path()
        try:
            listener = _listen(path)
        except OSError as error:
            raise AgraphError(
                f"the socket {path} cannot be made: {error.strerror or error}",
                help="give AGRAPH_SOCKET a short path in a directory that can be written to",
            ) from None
        self._listener, self._path = listener, path
        return listener

    def _own_path(self) -> Path:
        if not hasattr(socket, "AF_UNIX"):
            raise AgraphError("Python has no Unix sockets on this system", help="use stall_after")
        own = f"{os.getpid()}.sock"
        if not self._place:
            directory = runtime_directory()
            if not self._forked:
                remove_stale_sockets(directory)
            return directory / own
        given = Path(self._place)
        if given.is_dir():
            return given / own
        return given.with_suffix(f".{os.getpid()}{given.suffix}") if self._forked else given

    def _in_thread(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=target, args=arguments, name=name, daemon=True).start()

    # ---- in threads

    def _serve_soon(self) -> None:
        if self._stop.wait(_SOON_S):
            return
        try:
            listener = self._listen()
        except AgraphError as error:
            say(reason_of(error))
            return
        self._serve(listener)

    def _serve(self, listener: socket.socket) -> None:
        while not self._stop.is_set():
            try:
                client = listener.accept()[0]
            except OSError as error:
                if for_clients.helps(error):
                    continue
                if self._stop.wait(0.5) or listener.fileno() < 0:
                    return
                continue  # no file descriptor was left, or no memory
            if not self._slots.acquire(blocking=False):
                sentence = f"{MAX_CLIENTS} requests are being answered already; ask again"
                with client, suppress(OSError):
                    _send(client, json.dumps({"ok": False, "error": sentence}).encode() + b"\n", 1)
                continue
            try:
                self._in_thread("agraph-client", self._answer, client)
            except RuntimeError:  # no thread can be started: this one is as good
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        self._clients.add(client)
        try:
            with client, suppress(OSError):
                header, body = self._response(client)
                _send(client, json.dumps(header).encode() + b"\n" + body, ANSWER_S)
        finally:
            for_clients.fill()
            self._clients.discard(client)
            self._slots.release()

    def _response(self, client: socket.socket) -> tuple[dict[str, Any], bytes]:
        try:
            line = _read_line(client)  # first: who is refused before it has asked may not hear of it
            _check_peer(client)
            request = _parse(line)
            if request["command"] == "ping":
                return {"ok": True, "length": 0, "pid": os.getpid(), "agraph": __version__}, b""
            snapshot = self._take(
                request.get("max_tasks"),
                request.get("max_seconds"),
                request.get("prove") is True,
                request.get("locals") is True,
            )
            body = encode(snapshot)
        except Exception as error:  # noqa: BLE001 - the client is to know
            return {"ok": False, "error": reason_of(error)}, b""
        return {"ok": True, "length": len(body)}, body


def _listen(path: Path) -> socket.socket:
    """A socket that listens. It gets its name last, so that whoever finds it is answered."""
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise OSError(0, f"its path is longer than {_MAX_PATH_BYTES} bytes")
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(0, "there is a file of another kind")
        if is_listened_on(path):
            raise OSError(0, "another process listens there")
    temporary = path.with_name(f".{os.getpid()}-{os.urandom(2).hex()}.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(temporary))
        # Nobody can connect before `listen`, so it does not matter what the umask was.
        temporary.chmod(0o600)
        listener.listen(16)
        temporary.replace(path)
    except BaseException:
        listener.close()
        with suppress(OSError):
            temporary.unlink()
        raise
    return listener


def _check_peer(client: socket.socket) -> None:
    """Let only this user and root ask; where the peer is not known, the mode of the file has to do."""
    if hasattr(socket, "SO_PEERCRED"):
        uid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    elif sys.platform == "darwin" or sys.platform.startswith("freebsd"):
        uid = struct.unpack("II", client.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76)[:8])[1]
    else:
        return
    if uid not in (0, os.geteuid()):
        raise AgraphError("only the user of this process and root may ask")


def _read_line(client: socket.socket) -> bytes:
    """The request, without the end of its line; within a bound in bytes and one in time."""
    deadline = time.monotonic() + REQUEST_S
    data = b""
    while b"\n" not in data:
        if len(data) > MAX_REQUEST_BYTES:
            raise AgraphError(f"the request is longer than {MAX_REQUEST_BYTES} bytes")
        try:
            client.settimeout(max(deadline - time.monotonic(), 0.001))
            more = client.recv(MAX_REQUEST_BYTES)
        except TimeoutError:
            raise AgraphError(f"no request came within {REQUEST_S:.0f} s") from None
        if not more:
            break
        data += more
    line = data.partition(b"\n")[0]
    if len(line) > MAX_REQUEST_BYTES:
        raise AgraphError(f"the request is longer than {MAX_REQUEST_BYTES} bytes")
    return line


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise AgraphError("the request is no line of JSON") from None
    if not isinstance(request, dict) or request.get("command") not in ("capture", "ping"):
        raise AgraphError('the request has to be {"command": "capture"} or {"command": "ping"}')
    tasks, seconds = request.get("max_tasks"), request.get("max_seconds")
    if tasks is not None and (type(tasks) is not int or tasks < 0):
        raise AgraphError("max_tasks has to be a whole number or null")
    if seconds is not None and (type(seconds) not in (int, float) or not 0 < seconds < math.inf):
        raise AgraphError("max_seconds has to be a number above 0 or null")
    return request


def _send(client: socket.socket, data: bytes, limit_s: float) -> None:
    client.settimeout(limit_s)
    client.sendall(data)
    # A socket that is closed with something unread in it is reset, and the other end may lose our answer.
    client.setblocking(False)
    for _ in range(_MAX_UNREAD_BYTES // MAX_REQUEST_BYTES):
        if not client.recv(MAX_REQUEST_BYTES):
            break
