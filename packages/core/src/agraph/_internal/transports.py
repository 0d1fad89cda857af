"""The descriptor, the peer and the process behind a transport or socket, of asyncio's and of uvloop's types.

Attributes of transports of other makes are read where they have the same names; nothing is asked of them.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from asyncio import sslproto
from contextlib import suppress
from typing import Any

from agraph._internal.futures import instance_dict
from agraph._internal.instances import attribute, dict_of
from agraph._internal.kinds import is_one_of

Detail = dict[str, str | int | float | None]
# How many layers of TLS lie on each other.
_LAYERS = 6
_STREAMS = ("TCPTransport", "UnixTransport", "ReadUnixTransport", "WriteUnixTransport", "UDPTransport")
_TLS = getattr(sslproto, "_SSLProtocolTransport", None)


def io_detail(owner: object) -> Detail:
    """What is known of what a transport or socket is connected to; empty for anything else."""
    if issubclass(type(owner), socket.socket):
        return _of_socket(owner)
    uvloop = sys.modules.get("uvloop.loop")
    if uvloop is not None and not issubclass(type(owner), asyncio.BaseTransport):
        return _of_uvloop(owner, uvloop)
    owner = _below_tls(owner)
    if not issubclass(type(owner), asyncio.BaseTransport):
        return {}
    state = dict_of(owner) or {}
    detail: Detail = {}
    # Sockets have the first (Lib/asyncio/selector_events.py), pipes the second (unix_events.py).
    fd = next((state[name] for name in ("_sock_fd", "_fileno") if type(state.get(name)) is int), None)
    if fd is not None:
        detail["fd"] = fd
    extra = attribute(owner, "_extra")
    detail |= _peer(extra.get("peername") if type(extra) is dict else None)
    if type(state.get("_pid")) is int:
        detail["pid"] = state["_pid"]
    return detail


def _of_socket(owner: Any) -> Detail:  # noqa: ANN401 - a socket
    detail: Detail = {"fd": socket.socket.fileno(owner)}
    with suppress(OSError):  # it listens, or is not connected
        detail |= _peer(socket.SocketType.getpeername(owner))  # C code, that asks no name server
    return detail


def _peer(address: object) -> Detail:
    if not is_one_of(type(address), (tuple, str)) or not address:
        return {}
    parts: Any = (address,) if type(address) is str else address
    if not all(is_one_of(type(part), (str, int)) for part in parts[:2]):
        return {}
    return {"peer": ":".join(map(str, parts[:2]))}


def _below_tls(owner: object) -> object:
    """The transport that the bytes of a TLS stream come over (Lib/asyncio/sslproto.py)."""
    for _ in range(_LAYERS):
        if _TLS is None or type(owner) is not _TLS:
            break
        protocol = instance_dict(owner, _TLS).get("_ssl_protocol")
        owner = (dict_of(protocol) or {}).get("_transport")
    return owner


def _of_uvloop(owner: object, uvloop: object) -> Detail:
    """The same of uvloop's transports (handles/*.pyx and sslproto.pyx of 0.22 and 0.23), that are C code."""
    if type(owner) is getattr(uvloop, "UVProcessTransport", None):
        pid = owner.get_pid()  # type: ignore[attr-defined]
        return {"pid": pid} if type(pid) is int else {}
    streams = [getattr(uvloop, name, None) for name in _STREAMS]
    if type(owner) is getattr(uvloop, "_SSLProtocolTransport", None):
        layers = (getattr(uvloop, "SSLProtocol", None),), streams
        for kinds in layers:
            owner = next((item for item in gc.get_referents(owner) if is_one_of(type(item), kinds)), None)
    if not is_one_of(type(owner), streams) or owner is None:
        return {}
    stream: Any = owner
    detail: Detail = {}
    with suppress(Exception):  # it is being closed
        sock = stream.get_extra_info("socket")
        if type(sock) is getattr(uvloop, "PseudoSocket", None):
            detail["fd"] = sock.fileno()
        detail |= _peer(stream.get_extra_info("peername"))
    return detail
