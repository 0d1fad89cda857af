"""Deadlocks that nobody saw yet: locks that different tasks take in different orders.

Each task that holds one lock and waits for another shows an order. Orders that go round, shown by different
tasks, at any time and in any process of the program, can meet. This is the lock graph of Havelund's GoodLock
(2000) with its two filters: what one task does alone cannot meet itself, and what all do under a common lock,
the gate, cannot happen at once; the task may hold it, or who waits for the task. As in the kernel's lockdep,
locks of one class are one node.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

from agraph_cli.analysis.identity import Processes
from agraph_cli.analysis.model import Predicted
from agraph_cli.analysis.orders import orders_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from agraph_cli.analysis.model import SnapshotAnalysis
    from agraph_cli.analysis.orders import Order

_LONGEST = 4  # locks in a cycle
_MAX_STEPS = 100_000
_MAX_WITNESSES = 8


class _Step(NamedTuple):
    """An order that a snapshot shows; tasks and objects are told apart over all processes."""

    one: SnapshotAnalysis
    order: Order


def predict(analyses: Iterable[SnapshotAnalysis]) -> tuple[Predicted, ...]:
    """Find orders of locks that can deadlock.

    Args:
        analyses: Those of all snapshots, of whichever processes.

    Returns:
        One for each set of lock classes whose orders go round, in the same order in every run. What a
        snapshot shows as a deadlock is not among them.
    """
    steps: list[_Step] = []
    hit: set[frozenset[Hashable]] = set()
    known: set[Hashable] = set()
    processes = Processes()
    for one in analyses:
        orders = orders_of(one.graph, one.path) if one.orders is None else one.orders
        if not orders:
            continue
        process = processes.number(one.snapshot.process)
        for order in orders:
            # What is seen again and again, as by captures of one process, is one step.
            if (process, *order[2:]) not in known:
                known.add((process, *order[2:]))
                steps.append(_step(one, process, order))
        for deadlock in one.deadlocks:
            among = deadlock.ids
            hit.add(frozenset((order.held[0], order.wanted[0]) for order in orders if order.id in among))
    done: dict[Hashable, Predicted] = {}
    for level in (0, 1):  # by class, then by object: two locks of one class have no order of classes
        for cycle in _cycles(steps, level):
            classes = frozenset(_classes(step) for step in cycle)
            if classes not in done and not any(classes <= seen for seen in hit):
                done[classes] = Predicted(
                    tuple((step.one, step.one.lock_order[step.order.number]) for step in cycle)
                )
    return tuple(done.values())


def _classes(step: _Step) -> Hashable:
    return step.order.held[0], step.order.wanted[0]


def _step(one: SnapshotAnalysis, process: int, order: Order) -> _Step:
    classes, objects = order.gates
    everywhere = order._replace(
        task=(process, order.task),
        held=(order.held[0], (process, order.held[1])),
        wanted=(order.wanted[0], (process, order.wanted[1])),
        gates=(classes, frozenset((process, thing) for thing in objects)),
    )
    return _Step(one, everywhere)


def _cycles(steps: Sequence[_Step], level: int) -> Iterator[tuple[_Step, ...]]:
    orders: dict[Hashable, dict[Hashable, list[_Step]]] = {}
    seen = set()
    for step in steps:
        order = step.order
        held, wanted = order.held[level], order.wanted[level]
        same = (held, wanted, order.task, order.gates[level])
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
        held = [{step.order.held[level], *step.order.gates[level]} for step in steps]
        apart = sum(map(len, held)) == len(set().union(*held))
        return apart and len({step.order.task for step in steps}) == len(steps)

    return test
