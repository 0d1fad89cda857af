"""Rows for what tasks wait for: futures, locks and their holders, queues, sockets."""

from __future__ import annotations

from asyncio import locks, queues
from collections import deque
from concurrent.futures import Future as ConcurrentFuture
from typing import TYPE_CHECKING, Any

from agraph._internal.builder import new_row
from agraph._internal.futures import instance_dict, is_future, is_pending, is_task
from agraph._internal.identity import key_of
from agraph._internal.kinds import qualname_of
from agraph._internal.model import Edge, Site
from agraph._internal.transports import io_detail
from agraph._internal.waits import Part, Wait, wait_of_future

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.builder import Builder
    from agraph._internal.holders import Held
    from agraph._internal.model import NodeKind
    from agraph._internal.task_rows import Facts

UNREADABLE = "what it waits for could not be read"
NO_PRODUCER = "no known task completes this future"
NOT_SURE = "its holder may not hold it any more"
_OPEN = {
    "event": "whoever has the event may set it",
    "condition": "whoever has the condition may notify",
    "queue": "whoever has the queue may get, put or call task_done",
    "barrier": "whoever has the barrier may arrive",
    "lock": "its holder is not known",
    "semaphore": "others may hold it, or release it without holding it",
    "resource": "its holders are not known",
}
_KINDS: tuple[tuple[type, NodeKind], ...] = (
    (locks.Lock, "lock"),
    (locks.Semaphore, "semaphore"),
)


class Resources:
    """Makes a row for every resource and future that something waits for, each once, without recursion."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._ahead: list[tuple[int, object]] = []
        self.waited: dict[int, Part] = {}
        self.plain: dict[int, object] = {}
        # How many times each is held by blocks, as far as that is sure.
        self._sure: dict[int, int] = {}

    def connect_tasks(self, facts: Facts) -> None:
        """Make the edges of the waits of tasks, and the rows of their targets.

        Args:
            facts: The tasks.
        """
        # By the identity of a wait for one resource: those that wait for the same one share it.
        shared: dict[int, tuple[int, list[int]]] = {}
        builder = self._builder
        edges, waiters, ids = builder.edges, builder.waiters, builder.ids
        for task, wait in zip(facts.numbers, facts.waits, strict=True):
            if wait is None:
                continue
            known = shared.get(id(wait))
            if known is not None:
                number, others = known
                edges.append(new_row(Edge, (task, number, wait.edge, "exact", None)))
                others.append(task)
                continue
            targets = wait.targets
            if len(targets) == 1 and type(targets[0]) is not Part:
                awaited = ids.get(id(targets[0]))
                if awaited is not None:  # nearly always another task
                    edges.append(new_row(Edge, (task, awaited, wait.edge, "exact", None)))
                    found = waiters.get(awaited)
                    if found is None:
                        waiters[awaited] = [task]
                    else:
                        found.append(task)
                    continue
            self.connect(task, wait)
            if len(wait.targets) == 1 and type(wait.targets[0]) is Part:
                number = self.part(wait.targets[0])
                shared[id(wait)] = number, waiters[number]

    def connect(self, waiter: int, wait: Wait) -> None:
        """Make the edges of a wait, and the rows of its targets."""
        for target in wait.targets:
            number = self.part(target) if type(target) is Part else self._row(target)
            if number is None:
                self._builder.error(f"a {wait.made_by or 'wait'} has no readable target")
                self._builder.change(waiter, open=UNREADABLE)
                continue
            self._builder.edge(waiter, number, wait.edge)

    def finish(self) -> None:
        """Follow futures that wait for futures until nothing new turns up."""
        while self._ahead:
            number, future = self._ahead.pop()
            try:
                self._follow(number, future)
            except Exception as error:  # noqa: BLE001 - costs what this future waits for, and nothing else
                self._builder.error(f"what a future waits for could not be read: {error!r}")
                self._builder.change(number, need=1, open=UNREADABLE)

    def _follow(self, number: int, future: object) -> None:
        wait = wait_of_future(future)
        if wait is None:
            self.plain[number] = future
            self._builder.change(number, open=NO_PRODUCER, need=1)
            return
        self._builder.change(number, need=wait.need, exc=wait.exc, detail={"made_by": wait.made_by})
        self.connect(number, wait)

    def _row(self, target: object) -> int | None:
        if target is None:
            return None
        builder = self._builder
        number = builder.known(target)
        if number is None:
            number = builder.reserve(target)
            self._put_if_possible(number, target, self._future if is_future(target) else self._foreign)
        return number

    def _put_if_possible(self, number: int, thing: Any, put: Callable[[int, Any], None]) -> None:  # noqa: ANN401
        """Make a row in any case: what waits for it has to know that it waits."""
        try:
            put(number, thing)
        except Exception as error:  # noqa: BLE001 - costs what is known of this one, and nothing else
            owner, kind = (thing.owner, thing.kind) if type(thing) is Part else (thing, "future")
            name = qualname_of(type(owner))
            self._builder.error(f"a {kind} of type {name} could not be read: {error!r}")
            fields: dict[str, Any] = {"kind": kind, "type": name, "key": key_of(owner), "state": "unknown"}
            self._builder.put(number, **fields, need=1, open="it could not be read")

    def _future(self, number: int, future: object) -> None:
        pending = is_pending(future)
        kind: NodeKind = "task" if is_task(future) else "future"
        state = "pending" if pending else "done"
        self._builder.put(number, kind, type=qualname_of(type(future)), state=state, key=key_of(future))
        if pending and kind == "future":
            self._ahead.append((number, future))

    def _foreign(self, number: int, target: object) -> None:
        """A concurrent future: a work item of a pool. Anything else: an awaitable that nobody here knows."""
        name = qualname_of(type(target))
        if _is_concurrent(target):
            self._builder.put(
                number, "work_item", type=name, state=_concurrent_state(target), key=key_of(target)
            )
            self.waited[number] = Part(target, "work_item")
        else:
            self._builder.put(
                number,
                "future",
                type=name,
                state="pending",
                key=key_of(target),
                need=1,
                open="an awaitable of a foreign type",
            )

    def part(self, part: Part) -> int:
        """The id of a resource; its row is made when it is new."""
        number = self._builder.known(part.owner, part.operation)
        if number is None:
            number = self._builder.reserve(part.owner, part.operation)
            self._put_if_possible(number, part, self._put_part)
        return number

    def _put_part(self, number: int, part: Part) -> None:
        kind: Any = part.kind
        self._builder.put(
            number,
            kind,
            type=qualname_of(type(part.owner)),
            state=_state_of(part),
            key=key_of(part.owner),
            need=0 if part.kind == "io" else 1,
            open=_OPEN.get(part.kind, ""),
            detail=_detail_of(part),
        )
        self.waited[number] = part

    def hold(self, holder: int, held: Held) -> None:
        """Note that a task holds a lock or semaphore, if that is what it is."""
        kind = next((kind for base, kind in _KINDS if issubclass(type(held.manager), base)), None)
        if kind is None:
            return
        number = self.part(Part(held.manager, kind))
        if kind == "lock" and not _is_locked(held.manager):
            return  # the block has released it early, and nobody else has taken it
        site = self._builder.sites.site(Site(held.code.co_filename, held.code.co_qualname, held.line))
        if held.sure:
            self._sure[number] = self._sure.get(number, 0) + 1
        self._builder.change(number, open="" if held.sure else NOT_SURE)
        self._builder.edge(number, holder, "held_by", "exact" if held.sure else "probable", site)

    def hand_over(self, *, every_holder_is_known: bool) -> None:
        """Say what the holders that were found mean, once all of them are.

        A lock that is not locked was released, even inside of the block that took it, and the first in its
        queue is about to wake up. A semaphore has as many holders as it was taken times; when some are not
        known, somebody else may release it.

        Args:
            every_holder_is_known: Whether all tasks could be read, and all of their open blocks.
        """
        holders = self._builder.holders
        released: set[int] = set()
        for number, part in self.waited.items():
            if part.kind == "lock" and not _is_locked(part.owner):
                self._builder.change(number, state="handoff", need=0, open="")
                released.add(number)
            elif part.kind == "semaphore":
                unknown = not every_holder_is_known or _times_taken(part.owner) != self._sure.get(number, 0)
                self._builder.change(number, open=_OPEN["semaphore"] if unknown else "")
        if not released.isdisjoint(holders):
            self._builder.drop_holders(released)


def _times_taken(semaphore: object) -> int | None:
    """How many times a semaphore is taken; None for one that does not keep how many times it can be."""
    state = _attributes(semaphore, locks.Semaphore)
    bound, value = state.get("_bound_value"), state.get("_value")
    return bound - value if type(bound) is int and type(value) is int else None


def _state_of(part: Part) -> str:
    owner = part.owner
    if part.kind == "lock":
        return "locked" if _is_locked(owner) else "unlocked"
    if part.kind == "semaphore":
        return "locked" if _attributes(owner, locks.Semaphore).get("_value") == 0 else "unlocked"
    return "pending"


def _is_locked(lock: object) -> bool:
    return bool(_attributes(lock, locks.Lock).get("_locked"))


def _attributes(owner: object, base: type) -> dict[str, Any]:
    return instance_dict(owner, base) if issubclass(type(owner), base) else {}


def _detail_of(part: Part) -> dict[str, str | int | float | None] | None:
    owner, operation = part.owner, part.operation
    detail: dict[str, str | int | float | None] = {"operation": operation} if operation else {}
    if part.kind == "semaphore":
        state = _attributes(owner, locks.Semaphore)
        detail |= {
            name: state[key] for name, key in (("value", "_value"), ("bound", "_bound_value")) if key in state
        }
    elif part.kind == "queue":
        state = _attributes(owner, queues.Queue)
        items = state.get("_queue")
        detail["size"] = _length_of(items)
        detail["maxsize"] = state.get("_maxsize") if type(state.get("_maxsize")) is int else None
        if operation == "join":
            detail["unfinished"] = state.get("_unfinished_tasks")
    elif part.kind == "io":
        detail |= io_detail(owner)
    return detail or None


def _length_of(items: object) -> int | None:
    """How many items the container of a queue has; None when it is none of those of asyncio, or from one."""
    base: Any = next((base for base in (deque, list) if issubclass(type(items), base)), None)
    return None if base is None else base.__len__(items)  # past a method of the application


def _is_concurrent(target: object) -> bool:
    return issubclass(type(target), ConcurrentFuture)


def _concurrent_state(target: object) -> str:
    state = instance_dict(target, ConcurrentFuture).get("_state")
    return state.lower() if type(state) is str else "pending"
