"""httpcore's connection pool (that of httpx): who waits for a connection, and whose requests have one.

Written against httpcore 1.0 (httpcore/_async/connection_pool.py) on anyio. The pool knows the requests that
have a connection, not their tasks: those are the ones that lead to a request, by a response for example.
"""

from __future__ import annotations

import sys
from asyncio import locks
from typing import TYPE_CHECKING

from agraph._internal.instances import attribute
from agraph._internal.libraries import Adapter, Holding, WhoHas, inferred, tail
from agraph._internal.waits import Part, first_of

if TYPE_CHECKING:
    from types import ModuleType

    from agraph._internal.walk import Link


def load(module: ModuleType) -> Adapter:
    """The adapter for `httpcore._async.connection_pool`."""
    pool, request = module.AsyncConnectionPool, module.AsyncPoolRequest

    def find(links: list[Link]) -> Part | None:
        owner = first_of(links[0].owner, pool)
        return None if owner is None else Part(owner, "resource", "connection")

    waits = tail(
        pool.handle_async_request,
        request.wait_for_connection,
        module.AsyncEvent.wait,
        sys.modules["anyio._backends._asyncio"].Event.wait,
        locks.Event.wait,
    )
    return Adapter({waits: find}, (pool,), _holding)


def _holding(pool: object, _operation: str, who_has: WhoHas) -> Holding | None:
    requests, bound = attribute(pool, "_requests"), attribute(pool, "_max_connections")
    connections = attribute(pool, "_connections")
    if type(requests) is not list or type(connections) is not list or type(bound) is not int:
        return None
    served = [request for request in list(requests) if attribute(request, "connection") is not None]
    holders, times = inferred(served, pool, who_has)
    limit = None if bound == sys.maxsize else bound
    detail: dict[str, str | int | float | None] = {"size": len(connections), "bound": limit}
    return Holding(holders, times, len(connections) >= bound, detail)
