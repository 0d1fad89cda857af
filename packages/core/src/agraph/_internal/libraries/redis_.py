"""redis-py's BlockingConnectionPool: who waits for a connection, and who has one.

Written against redis 8.1 (redis/asyncio/connection.py). The pool knows the connections in use, not who has
them: those are the tasks that lead to one, by a command, a pipeline or a subscription.
"""

from __future__ import annotations

from asyncio import locks
from typing import TYPE_CHECKING

from agraph._internal.instances import attribute
from agraph._internal.libraries import Adapter, Holding, WhoHas, inferred, tail
from agraph._internal.waits import Part, first_of

if TYPE_CHECKING:
    from types import ModuleType

    from agraph._internal.walk import Link


def load(module: ModuleType) -> Adapter:
    """The adapter for `redis.asyncio.connection`."""
    pool = module.BlockingConnectionPool

    def find(links: list[Link]) -> Part | None:
        owner = first_of(links[0].owner, pool)
        return None if owner is None else Part(owner, "resource", "connection")

    waits = tail(pool.get_connection, locks.Condition.wait_for, locks.Condition.wait)
    return Adapter({waits: find}, (pool,), _holding)


def _holding(pool: object, _operation: str, who_has: WhoHas) -> Holding | None:
    used, bound = attribute(pool, "_in_use_connections"), attribute(pool, "max_connections")
    free = attribute(pool, "_available_connections")
    if type(used) is not set or type(bound) is not int or type(free) is not list:
        return None
    taken = list(used)
    holders, times = inferred(taken, pool, who_has)
    return Holding(holders, times, not free and len(taken) >= bound, {"size": len(taken), "bound": bound})
