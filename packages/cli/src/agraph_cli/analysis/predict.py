"""Deadlocks that nobody saw yet: locks that different tasks take in different orders.

Each task that holds one lock and waits for another shows an order. Orders that go round, shown by different
tasks, at any time and in any process of the program, can meet. This is the lock graph of Havelund's GoodLock
(2000) with its two filters: what one task does alone cannot meet itself, and what all do under a common lock,
the gate, cannot happen at once; the task may hold it, or who waits for the task. As in the kernel's lockdep,
locks of one class are one node.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

from agraph.reduction import edges_of_kind, positions_of
from agraph_cli.analysis.identity import Processes
from agraph_cli.analysis.model import Predicted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from agraph import Node, Site
    from agraph_cli.analysis.model import LockPair, SnapshotAnalysis

_LONGEST = 4  # locks in a cycle
_MAX_STEPS = 100_000
_MAX_WITNESSES = 8
_MOST_AROUND = 1_000  # tasks that wait, directly or not, until one is done
_NUMBER = re.compile(r" #\d+$")  # tells two locks of one name apart, in one snapshot


class _Step(NamedTuple):
    """That a task held one lock and wanted another; locks by class and by object."""

    one: SnapshotAnalysis
    pair: LockPair
    task: Hashable
    held: tuple[Hashable, Hashable]
    wanted: tuple[Hashable, Hashable]
    gates: tuple[frozenset[Hashable], frozenset[Hashable]]


def predict(analyses: Iterable[SnapshotAnalysis]) -> tuple[Predicted, ...]:
    """Find orders of locks that can deadlock.

    Args:
        analyses: Those of all snapshots, of whichever processes.

    Returns:
        One for each set of lock classes whose orders go round, in the same order in every run. What a
        snapshot shows as a deadlock is not among them.
    """
    steps: list[_Step] = []
    hit: list[set[Hashable]] = []
    orders = _Steps()
    for one in analyses:
        if one.lock_order:
            found = list(orders.of(one))
            steps += found
            for deadlock in one.deadlocks:
                among = deadlock.ids
                hit.append({_classes(step) for step in found if step.pair.task.id in among})
    done: dict[Hashable, Predicted] = {}
    for level in (0, 1):  # by class, then by object: two locks of one class have no order of classes
        for cycle in _cycles(steps, level):
            classes = frozenset(_classes(step) for step in cycle)
            if classes not in done and not any(classes <= seen for seen in hit):
                done[classes] = Predicted(tuple((step.one, step.pair) for step in cycle))
    return tuple(done.values())


def _classes(step: _Step) -> Hashable:
    return step.held[0], step.wanted[0]


class _Steps:
    """The orders that snapshots show."""

    def __init__(self) -> None:
        self._processes = Processes()

    def of(self, one: SnapshotAnalysis) -> Iterator[_Step]:
        usable = [pair for pair in one.lock_order if pair.confidence == "exact" and _exclusive(pair)]
        if not usable:
            return
        holdings = _Holdings(one)
        for pair in usable:
            held = self._ways(one, pair.held, pair.held_at)
            others = [
                self._ways(one, lock, site)
                for lock, site in holdings.around(pair.task)
                if lock.id != pair.held.id
            ]
            gates = frozenset(way[0] for way in others), frozenset(way[1] for way in others)
            wanted = self._ways(one, pair.wanted, pair.wanted_at)
            yield _Step(one, pair, self._who(one, pair.task), held, wanted, gates)

    def _ways(self, one: SnapshotAnalysis, lock: Node, site: Site | None) -> tuple[Hashable, Hashable]:
        """The class of a lock, and which object it is."""
        name = _NUMBER.sub("", lock.name)
        place: Hashable = None if site is None else site.file
        if not name:
            place = site
        elif "." in name and not name.startswith(("self.", "cls.")):
            place = None  # that name says enough wherever it is used
        number = (one.path, lock.id) if lock.key is None else (lock.key, lock.name)
        return (lock.kind, name, place), (self._process(one), number)

    def _process(self, one: SnapshotAnalysis) -> int:
        return self._processes.number(one.snapshot.process)

    def _who(self, one: SnapshotAnalysis, task: Node) -> Hashable:
        return self._process(one), (one.path, task.id) if task.key is None else (task.key, task.name)


class _Holdings:
    """What the tasks of one snapshot hold that keeps others out: locks, and what works like one.

    A gate only ever takes predictions back, so a holder may be inferred, and a semaphore without a bound
    counts when it is taken and has one holder.
    """

    def __init__(self, one: SnapshotAnalysis) -> None:
        self._graph = one.graph
        snapshot = one.snapshot
        self._at = positions_of(snapshot.nodes)
        held_by = list(edges_of_kind(snapshot.edges, "held_by"))
        holders = Counter(edge.waiter for edge in held_by)
        self._held: dict[int, list[tuple[Node, Site | None]]] = {}
        for edge in held_by:
            lock = snapshot.nodes[self._at[edge.waiter]]
            if lock.kind == "lock" or (lock.kind == "semaphore" and _is_taken(lock, holders[lock.id])):
                site = None if edge.site is None else snapshot.sites[edge.site]
                self._held.setdefault(edge.awaited, []).append((lock, site))

    def around(self, task: Node) -> list[tuple[Node, Site | None]]:
        """What a task holds, and what is held by those that wait until it is done."""
        ahead = [self._at[task.id]]
        found = list(self._held.get(task.id, ()))
        seen = set(ahead)
        while ahead and len(seen) < _MOST_AROUND:
            for by in self._graph.waiters_of(ahead.pop()):
                node = self._graph.node(by)
                if by not in seen and node.kind in {"task", "future"}:
                    seen.add(by)
                    ahead.append(by)
                    found += self._held.get(node.id, ())
        return found


def _is_taken(semaphore: Node, holders: int) -> bool:
    facts = semaphore.detail or {}
    return facts.get("bound") == 1 or (
        facts.get("bound") is None and facts.get("value") == 0 and holders == 1
    )


def _exclusive(pair: LockPair) -> bool:
    """Whether one holder keeps everybody else out: a semaphore of more than one does not."""
    return all(
        node.kind == "lock" or (node.detail or {}).get("bound") == 1 for node in (pair.held, pair.wanted)
    )


def _cycles(steps: Sequence[_Step], level: int) -> Iterator[tuple[_Step, ...]]:
    orders: dict[Hashable, dict[Hashable, list[_Step]]] = {}
    seen = set()
    for step in steps:
        held, wanted = step.held[level], step.wanted[level]
        same = (held, wanted, step.task, step.gates[level])
        witnesses = orders.setdefault(held, {}).setdefault(wanted, [])
        if held != wanted and same not in seen and len(witnesses) < _MAX_WITNESSES:
            seen.add(same)
            witnesses.append(step)
    for ring in _rings({held: list(wanted) for held, wanted in orders.items()}):
        choices = [orders[held][wanted] for held, wanted in pairwise([*ring, ring[0]])]
        chosen = next(filter(_can_meet(level), product(*choices)), None)
        if chosen:
            yield chosen


def _rings(successors: dict[Hashable, list[Hashable]]) -> Iterator[list[Hashable]]:
    """Cycles of up to `_LONGEST` locks, short ones first, each once: from its lock that was seen first."""
    order = {lock: number for number, lock in enumerate(successors)}
    steps = 0
    ahead = [[lock] for lock in successors]
    for _ in range(_LONGEST):
        longer = []
        for path in ahead:
            for lock in successors[path[-1]]:
                steps += 1
                if steps > _MAX_STEPS:
                    return
                if lock == path[0] and len(path) > 1:
                    yield path
                elif lock in order and order[lock] > order[path[0]] and lock not in path:
                    longer.append([*path, lock])
        ahead = longer


def _can_meet(level: int) -> Callable[[tuple[_Step, ...]], bool]:
    def test(steps: tuple[_Step, ...]) -> bool:
        held = [{step.held[level], *step.gates[level]} for step in steps]
        apart = sum(map(len, held)) == len(set().union(*held))
        return apart and len({step.task for step in steps}) == len(steps)

    return test
