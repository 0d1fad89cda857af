"""aiohttp's connector: who waits for a connection while the pool is full, and who has one.

Written against aiohttp 3.14 (aiohttp/connector.py). The connector knows the connections that are taken, not
who has them: those are the tasks that lead to a connection, by a response for example.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from agraph._internal.instances import DICTS, attribute
from agraph._internal.kinds import is_one_of
from agraph._internal.libraries import Adapter, Holding, WhoHas, inferred, tail
from agraph._internal.waits import Part, first_of

if TYPE_CHECKING:
    from types import ModuleType

    from agraph._internal.walk import Link


def load(module: ModuleType) -> Adapter:
    """The adapter for `aiohttp.connector`."""
    connector = module.BaseConnector
    key_of_host: type = sys.modules["aiohttp.client_reqrep"].ConnectionKey

    def find(links: list[Link]) -> Part | None:
        owner = first_of(links[0].owner, connector)
        if owner is None:
            return None
        host = _host(first_of(links[0].owner, key_of_host))
        # It waits for a connection to this host while all of those are taken, else for any at all.
        taken = _taken_of(owner, host)
        limit = attribute(owner, "_limit_per_host")
        by_host = type(limit) is int and 0 < limit <= len(taken)
        return Part(owner, "resource", f"{_ANY} to {host}" if by_host else _ANY)

    return Adapter({tail(connector._wait_for_available_connection): find}, (connector,), _holding)


_ANY = "connection"


def _host(key: object) -> str:
    """The host of the key by which a connector sorts its connections: a tuple with name and port first."""
    parts: Any = key
    if not issubclass(type(key), tuple) or tuple.__len__(parts) < 2:
        return ""
    host, port = tuple.__getitem__(parts, 0), tuple.__getitem__(parts, 1)
    return f"{host}:{port}" if type(host) is str and type(port) is int else ""


def _taken_of(connector: object, host: str) -> list[object]:
    """The connections to a host that are taken; proxies and certificates do not tell them apart here."""
    by_key: Any = attribute(connector, "_acquired_per_host")
    if not host or not is_one_of(type(by_key), DICTS):
        return []
    return [
        connection
        for key, taken in list(dict.items(by_key))
        if _host(key) == host and type(taken) is set
        for connection in list(taken)
    ]


def _holding(connector: object, operation: str, who_has: WhoHas) -> Holding | None:
    acquired, limit = attribute(connector, "_acquired"), attribute(connector, "_limit")
    taken: list[object]
    if operation != _ANY:
        limit = attribute(connector, "_limit_per_host")
        taken = _taken_of(connector, operation.removeprefix(f"{_ANY} to "))
    elif type(acquired) is set:
        taken = list(acquired)
    else:
        return None
    if type(limit) is not int:
        return None
    holders, times = inferred(taken, connector, who_has)
    return Holding(holders, times, 0 < limit <= len(taken), {"size": len(taken), "bound": limit or None})
