"""asyncpg's pool: who waits for a connection, and who has one.

Written against asyncpg 0.32 (asyncpg/pool.py). The pool knows the connections in use, not who has them: those
are the tasks that lead to one.
"""

from __future__ import annotations

from asyncio import queues
from typing import TYPE_CHECKING

from agraph._internal.instances import attribute
from agraph._internal.libraries import Adapter, Holding, WhoHas, inferred, tail
from agraph._internal.nested import nested_code
from agraph._internal.waits import Part, values_in

if TYPE_CHECKING:
    from types import ModuleType

    from agraph._internal.walk import Link


def load(module: ModuleType) -> Adapter:
    """The adapter for `asyncpg.pool`."""
    pool = module.Pool

    def find(links: list[Link]) -> Part | None:
        # The pool is a variable of the enclosing function.
        owner = next((item for item in values_in(links[0].owner) if issubclass(type(item), pool)), None)
        return None if owner is None else Part(owner, "resource", "connection")

    waits = tail(nested_code(pool._acquire, "_acquire_impl"), queues.Queue.get)
    return Adapter({waits: find}, (pool,), _holding)


def _holding(pool: object, _operation: str, who_has: WhoHas) -> Holding | None:
    slots = attribute(pool, "_holders")
    if type(slots) is not list:
        return None
    used = [attribute(slot, "_proxy") for slot in slots if attribute(slot, "_in_use") is not None]
    holders, times = inferred(used, pool, who_has)
    return Holding(holders, times, len(used) >= len(slots), {"size": len(used), "bound": len(slots)})
