"""anyio's Lock, Semaphore, CapacityLimiter, Condition, Event, TaskGroup and memory streams, on asyncio.

Written against anyio 4.16 (anyio/_backends/_asyncio.py, anyio/_core/_synchronization.py). A Lock knows its
owner and a limiter its borrowers; of a Semaphore only those are known whose `async with` block is open. The
end of a TaskGroup waits for all of its tasks, like that of asyncio.
"""

from __future__ import annotations

import sys
from asyncio import locks
from typing import TYPE_CHECKING, Any

from agraph._internal.futures import is_future, is_task
from agraph._internal.instances import NOTHING, attribute
from agraph._internal.kinds import is_one_of
from agraph._internal.libraries import Adapter, Holder, Holding, WhoHas, tail
from agraph._internal.waits import Part, Wait, first_of, wait_of_group

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from agraph._internal.walk import Link


def load(module: ModuleType) -> Adapter:
    """The adapter for `anyio._backends._asyncio`."""
    event_wait = locks.Event.wait
    lock, semaphore, limiter = module.Lock, module.Semaphore, module.CapacityLimiter
    event, condition = module.Event, sys.modules["anyio._core._synchronization"].Condition
    streams = sys.modules["anyio.streams.memory"]
    sends, receives = streams.MemoryObjectSendStream, streams.MemoryObjectReceiveStream
    return Adapter(
        {
            tail(lock.acquire): _owner(lock, "lock"),
            tail(semaphore.acquire): _owner(semaphore, "semaphore"),
            tail(limiter.acquire_on_behalf_of, event_wait): _owner(limiter, "semaphore"),
            tail(event.wait, event_wait): _owner(event, "event"),
            tail(condition.wait, event.wait, event_wait): _owner(condition, "condition"),
            tail(sends.send, event.wait, event_wait): _stream(sends, "put"),
            tail(receives.receive, event.wait, event_wait): _stream(receives, "get"),
            tail(module.TaskGroup.__aexit__): _end_of_group(module.TaskGroup),
        },
        (lock, semaphore, limiter),
        _Holdings(lock, semaphore).of,
        _behind,
    )


def _behind(manager: object) -> object:
    """What a semaphore that was made before there was a loop hands to; anything else is what it is."""
    adapter = getattr(sys.modules["anyio._core._synchronization"], "SemaphoreAdapter", None)
    return attribute(manager, "_internal_semaphore") if type(manager) is adapter else manager


def _owner(kind: type, node_kind: str) -> Callable[[list[Link]], Part | None]:
    def find(links: list[Link]) -> Part | None:
        owner = first_of(links[0].owner, kind)
        return None if owner is None else Part(owner, node_kind)

    return find


def _stream(kind: type, operation: str) -> Callable[[list[Link]], Part | None]:
    """The wait for the other end of a stream: what both ends share is a queue."""

    def find(links: list[Link]) -> Part | None:
        state = attribute(first_of(links[0].owner, kind), "_state")
        return None if state is NOTHING else Part(state, "queue", operation)

    return find


def _end_of_group(kind: type) -> Callable[[list[Link]], Wait | None]:
    def find(links: list[Link]) -> Wait | None:
        group = first_of(links[0].owner, kind)
        members: Any = attribute(group, "_tasks")
        # Otherwise it is in a step of the end that waits for nobody else, such as a checkpoint.
        waits = is_future(attribute(group, "_on_completed_fut"))
        if not waits or type(members) is not set or not all(map(is_task, tasks := list(members))):
            return None
        return wait_of_group(tasks)

    return find


class _Holdings:
    """Who holds one of anyio's primitives."""

    def __init__(self, lock: type, semaphore: type) -> None:
        self._lock = lock
        self._semaphore = semaphore

    def of(self, owner: object, _operation: str, _who_has: WhoHas) -> Holding | None:
        """Who holds it; None when that cannot be read."""
        if issubclass(type(owner), self._lock):
            return _of_lock(owner)
        return _of_semaphore(owner) if issubclass(type(owner), self._semaphore) else _of_limiter(owner)


def _of_lock(lock: object) -> Holding:
    holder = attribute(lock, "_owner_task")
    return Holding([] if holder is None else [Holder(holder)], 1, holder is not None)


def _of_semaphore(semaphore: object) -> Holding | None:
    value, bound = attribute(semaphore, "_value"), attribute(semaphore, "_max_value")
    if type(value) is not int:
        return None
    times = bound - value if type(bound) is int else None
    detail = {"value": value, "bound": bound if type(bound) is int else None}
    return Holding([], times, value == 0, detail, by_blocks=True)


def _of_limiter(limiter: object) -> Holding | None:
    borrowers, total = attribute(limiter, "_borrowers"), attribute(limiter, "_total_tokens")
    if type(borrowers) is not set or not is_one_of(type(total), (int, float)):
        return None
    held = list(borrowers)
    bound: Any = total
    return Holding(
        [Holder(borrower) for borrower in held],
        len(held),
        len(held) >= bound,
        {"value": bound - len(held), "bound": bound} if type(bound) is int else None,
    )
