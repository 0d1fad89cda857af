"""aiohttp's connector: who waits for a connection while the pool is full, and who has one.

Written against aiohttp 3.14 (aiohttp/connector.py). The connector knows the connections that are taken, not
who has them: those are the tasks that lead to a connection, by a response for example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph._internal.instances import attribute
from agraph._internal.libraries import Adapter, Holding, WhoHas, inferred, tail
from agraph._internal.waits import Part, first_of

if TYPE_CHECKING:
    from types import ModuleType

    from agraph._internal.walk import Link


def load(module: ModuleType) -> Adapter:
    """The adapter for `aiohttp.connector`."""
    connector = module.BaseConnector

    def find(links: list[Link]) -> Part | None:
        owner = first_of(links[0].owner, connector)
        return None if owner is None else Part(owner, "resource", "connection")

    return Adapter({tail(connector._wait_for_available_connection): find}, (connector,), _holding)


def _holding(connector: object, who_has: WhoHas) -> Holding | None:
    acquired, limit = attribute(connector, "_acquired"), attribute(connector, "_limit")
    if type(acquired) is not set or type(limit) is not int:
        return None
    taken = list(acquired)
    holders, times = inferred(taken, connector, who_has)
    per_host = attribute(connector, "_limit_per_host")
    full = 0 < limit <= len(taken) or (type(per_host) is int and 0 < per_host <= len(taken))
    return Holding(holders, times, full, {"size": len(taken), "bound": limit or None})
