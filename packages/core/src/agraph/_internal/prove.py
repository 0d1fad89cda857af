"""Close what is open: events, queues, futures and the like that only stuck tasks can reach.

Assume and verify: take everything open for closed and let the reduction say which tasks are stuck then.
They free nobody, so what only their frames lead to is freed by nobody: prove_heap.py tells what that is.
What somebody else can reach is open after all, so tasks that wait for it are not stuck, and so on until
nothing changes. The result is the greatest set for which the assumption holds. (The idea is that of GOLF for
Go, which marks from the roots; here no root needs to be known.)

Tasks that are stuck whatever is open are looked at as well: one that nobody holds is collected one day, and
what it holds goes to somebody else.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import replace
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from agraph._internal.discover import frames_of
from agraph._internal.futures import still_waits, waiter_of
from agraph._internal.identity import id_of_key, key_of
from agraph._internal.live_frames import live_locals
from agraph._internal.prove_drop import freeing
from agraph._internal.prove_heap import Heap, can_count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import CodeType

    from agraph._internal.model import Snapshot

_LOOSE = "nobody keeps it: once it is collected, it gives back what it holds"
_KINDS = frozenset({"event", "condition", "queue", "barrier", "future", "semaphore", "lock"})
MAX_SECONDS = 5.0


def proved(snapshot: Snapshot, tasks: list[object], seconds: float | None) -> Snapshot:
    """Close what only stuck tasks can reach, and open stuck tasks that nobody keeps.

    Args:
        snapshot: A snapshot of this process, just taken.
        tasks: Its tasks. The list is emptied: the references in it would count.
        seconds: How long it may take at most; None for `MAX_SECONDS`.

    Returns:
        The snapshot with the nodes closed that were proved to be, and the stuck tasks marked that stay. What
        was not looked at is said in `Capture.cut`; that this interpreter does not allow a proof, in
        `Capture.unknown`.
    """
    deadline = time.monotonic() + min(MAX_SECONDS, MAX_SECONDS if seconds is None else seconds)
    if not snapshot.capture.consistent:
        return snapshot
    if not can_count():
        return _noted(snapshot, unknown=(*snapshot.capture.unknown, "proof"))
    search = _Search(snapshot)
    search.reduce()
    if not search.stuck:
        return snapshot
    stuck = [task for task in tasks if key_of(task) in search.stuck]
    tasks.clear()
    in_time = search.verify(stuck, deadline)
    snapshot = _opened(snapshot, search.loose)
    if not in_time:
        return _cut(snapshot, "proof: the time was up")
    if search.exhausted:
        snapshot = _cut(snapshot, "proof: the stuck tasks lead to more objects than were looked at")
    return _marked(closed(snapshot, search.closed, "heap"), set(search.stuck.values()), "kept")


def all_closed(snapshot: Snapshot) -> Snapshot:
    """Close everything, as the loop was found to be idle for ever before the snapshot was taken.

    Args:
        snapshot: The snapshot.

    Returns:
        The snapshot with all closed; as it is, where not all of it could be read.
    """
    capture = snapshot.capture
    if capture.errors or not capture.complete or capture.moved or not capture.consistent:
        return snapshot
    inferred = _inferred(snapshot)
    numbers = {node.id for node in snapshot.nodes if node.need and (node.open or node.id in inferred)}
    return closed(snapshot, numbers, "idle")


def closed(snapshot: Snapshot, numbers: Collection[int], how: str) -> Snapshot:
    """A snapshot in which some nodes are closed, and say how that was proved.

    Their edges stay what they are: who is meant by one that was inferred was not proved.

    Args:
        snapshot: The snapshot.
        numbers: The ids of the nodes.
        how: What `detail.proved` is to say.

    Returns:
        The new snapshot.
    """
    nodes = (node._replace(open="") if node.id in numbers else node for node in snapshot.nodes)
    return _marked(replace(snapshot, nodes=tuple(nodes)), numbers, how)


def _marked(snapshot: Snapshot, numbers: Collection[int], how: str) -> Snapshot:
    """Say of some nodes how something was proved."""
    nodes = (
        node._replace(detail={**(node.detail or {}), "proved": how}) if node.id in numbers else node
        for node in snapshot.nodes
    )
    return replace(snapshot, nodes=tuple(nodes))


def _opened(snapshot: Snapshot, tasks: Collection[int]) -> Snapshot:
    """Say of some tasks that nobody keeps them."""
    nodes = (node._replace(open=node.open or _LOOSE) if node.id in tasks else node for node in snapshot.nodes)
    return replace(snapshot, nodes=tuple(nodes))


def _cut(snapshot: Snapshot, sentence: str) -> Snapshot:
    return _noted(snapshot, complete=False, cut=(*snapshot.capture.cut, sentence))


def _noted(snapshot: Snapshot, **fields: Any) -> Snapshot:  # noqa: ANN401 - fields of Capture
    return replace(snapshot, capture=replace(snapshot.capture, **fields))


class _Search:
    """The nodes assumed to be closed, and the tasks stuck if they are. Both only ever shrink.

    Attributes:
        closed: The ids of the nodes.
        stuck: The ids of the tasks, by key.
        loose: The ids of the tasks that nobody holds and whose end may free others.
        exhausted: Whether there is more than was looked at.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._by_id = {node.id: node for node in snapshot.nodes}
        self._free: set[int] = set()
        inferred = _inferred(snapshot)
        self.closed = {
            node.id
            for node in snapshot.nodes
            if node.kind in _KINDS
            and node.need
            and node.key is not None
            and (node.open or node.id in inferred)
        }
        self._waiting = self._tasks_waiting()
        self.stuck: dict[int, int] = {}
        self.loose: set[int] = set()
        self.exhausted = False

    def reduce(self) -> None:
        """Who is stuck if all of `closed` are closed; what is not stuck then need not be closed."""
        from agraph._internal.reduction.graph import build  # noqa: PLC0415 - `import agraph` needs none of it
        from agraph._internal.reduction.reduce import levels  # noqa: PLC0415

        assumed = _assumed(self._snapshot, self.closed, self._free)
        level = levels(build(assumed)).level
        never = [node for node, value in zip(assumed.nodes, level, strict=True) if value == 3]
        self.stuck = {node.key: node.id for node in never if node.kind == "task" and node.key is not None}
        self.closed.intersection_update(node.id for node in never)

    def verify(self, tasks: list[object], deadline: float) -> bool:
        """Take back what was assumed until what is left holds.

        Args:
            tasks: The tasks that are stuck at first.
            deadline: When to give up.

        Returns:
            Whether it came to an end in time.
        """
        roots, shown = _held_by_stacks()
        heap = Heap(tasks, deadline, shown)
        self.exhausted = heap.exhausted
        # Whoever waited before that and does so still was waiting at that instant.
        waiters = {id(task): id(waiter_of(task)) for task in tasks if self._waits_still(task)}
        frees = freeing(heap, tasks, self._tasks_wanting())
        garbage = heap.collectable(roots) & frees
        self.loose = {number for key, number in self.stuck.items() if id_of_key(key) in garbage}
        while self.stuck:
            if time.monotonic() > deadline:
                return False
            stuck = {id_of_key(key) for key in self.stuck} & waiters.keys()
            reachable = heap.reachable(stuck)
            held = roots | (stuck - frees)
            kept = heap.kept(held, stuck, reachable) - heap.cancellable(stuck, reachable)
            loose = {number for key, number in self.stuck.items() if id_of_key(key) not in kept}
            opened = {number for number in self.closed if not self._is_safe(number, heap, reachable, waiters)}
            if not loose and not opened:
                return True
            self._free |= loose
            self.closed -= opened
            self.reduce()
        return True

    def _is_safe(self, number: int, heap: Heap, reachable: set[int], waiters: Mapping[int, int]) -> bool:
        """Whether neither a resource is reached nor a future by which it frees one that waits for it."""
        things = [id_of_key(self._by_id[number].key or 0)]
        things += [waiters.get(task, 0) for task in self._waiting[number]]
        return all(thing in heap and thing not in reachable for thing in things)

    def _waits_still(self, task: object) -> bool:
        waiter = waiter_of(task)
        node = self._by_id[self.stuck[key_of(task)]]
        return waiter is not None and node.wait == key_of(waiter) and still_waits(task, waiter)

    def _tasks_wanting(self) -> dict[int, set[int]]:
        """By the `id` of each resource and future, the `id` of each task that waits for it."""
        found: dict[int, set[int]] = {}
        for edge in self._snapshot.edges:
            waiter, awaited = self._by_id[edge.waiter], self._by_id[edge.awaited]
            if waiter.kind == "task" and edge.kind != "structural" and awaited.kind != "task":
                tasks = found.setdefault(id_of_key(awaited.key or 0), set())
                tasks.add(id_of_key(waiter.key or 0))
        return found

    def _tasks_waiting(self) -> dict[int, list[int]]:
        """The `id` of each task that waits for a node itself, not by way of a future."""
        found: dict[int, list[int]] = {number: [] for number in self.closed}
        for edge in self._snapshot.edges:
            waiter = self._by_id[edge.waiter]
            if edge.awaited in found and waiter.kind == "task" and edge.kind != "structural":
                found[edge.awaited].append(id_of_key(waiter.key or 0))
        return found


def _inferred(snapshot: Snapshot) -> set[int]:
    """The ids of the nodes with an edge that was inferred, those aside that were proved to need it."""
    found = {edge.waiter for edge in snapshot.edges if edge.confidence == "probable"}
    return found - {node.id for node in snapshot.nodes if (node.detail or {}).get("proved")}


def _assumed(snapshot: Snapshot, closed: Collection[int], free: Collection[int]) -> Snapshot:
    """A snapshot in which nobody else frees some nodes, and others wait for nothing."""
    nodes = list(snapshot.nodes)
    for position, node in enumerate(nodes):
        if node.id in closed:
            nodes[position] = node._replace(open="")
        elif node.id in free:
            nodes[position] = node._replace(need=0)
    edges = (edge._replace(confidence="exact") if edge.waiter in closed else edge for edge in snapshot.edges)
    return replace(snapshot, nodes=tuple(nodes), edges=tuple(edges))


def _held_by_stacks() -> tuple[set[int], Counter[int]]:
    """What the frames of threads have that wait until their loop is done, and do nothing else.

    Returns:
        The `id` of the task that each running loop was started with, which stays until it is done. And the
        `id` of each coroutine in a variable of such a frame, as often as there is one.
    """
    found: set[int] = set()
    shown: Counter[int] = Counter()
    for top in sys._current_frames().values():
        waits = False
        for frame in frames_of(top):
            name = _STARTERS.get(frame.f_code)
            waits = waits or name is not None
            values = live_locals(frame) if waits else {}
            if name is not None:
                found.add(id(values.get(name)))
            shown.update(id(value) for value in values.values() if type(value) is CoroutineType)
    del top, frame  # one of them is the frame of this very call: it would keep itself alive, and its callers
    return found, shown


# The function, and its variable that has the task.
_STARTERS: dict[CodeType, str] = {
    asyncio.Runner.run.__code__: "task",
    asyncio.BaseEventLoop.run_until_complete.__code__: "future",
}
