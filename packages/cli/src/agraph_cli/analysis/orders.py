"""The orders in which tasks of one snapshot take locks, in a form that compares with those of others."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph.reduction import cells_at, edges_of_kind, positions_of, spans_of
from agraph_cli.analysis.lockorder import lock_pairs

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from agraph import Site, Snapshot
    from agraph.reduction import WaitGraph

_MOST_AROUND = 1_000  # tasks that wait, directly or not, until one is done
_NUMBER = re.compile(r" #\d+$")  # tells two locks of one name apart, in one snapshot


class Order(NamedTuple):
    """That a task held one lock and wanted another; locks by class, and by object within their process.

    Attributes:
        number: The position of the pair in `lock_order`.
        id: The id of the task.
        task: What tells the task from others of its process.
        held: The class of the lock that it held, and which object that is.
        wanted: The same of the lock that it wanted.
        gates: The classes of what else kept others out meanwhile, and the objects.
    """

    number: int
    id: int
    task: Hashable
    held: tuple[Hashable, Hashable]
    wanted: tuple[Hashable, Hashable]
    gates: tuple[frozenset[Hashable], frozenset[Hashable]]


def orders_of(graph: WaitGraph, path: str) -> tuple[Order, ...]:
    """The orders that a snapshot shows.

    Args:
        graph: The graph of the snapshot.
        path: Where it was read from.

    Returns:
        One for each pair of locks of which a holder keeps everybody else out, by task and lock.
    """
    snapshot = graph.snapshot
    pairs = [(number, pair) for number, pair in enumerate(lock_pairs(snapshot)) if pair.confidence == "exact"]
    if not pairs:
        return ()
    locks, holdings = _Locks(snapshot, path), _Holdings(graph)
    found = []
    for number, pair in pairs:
        if not (locks.is_exclusive(pair.held) and locks.is_exclusive(pair.wanted)):
            continue
        others = [locks.ways(lock, site) for lock, site in holdings.around(pair.task) if lock != pair.held]
        gates = frozenset(way[0] for way in others), frozenset(way[1] for way in others)
        held, wanted = locks.ways(pair.held, pair.held_site), locks.ways(pair.wanted, pair.wanted_site)
        [(task, key, name)] = cells_at(snapshot.nodes, (pair.task,), "id", "key", "name")
        who = (path, task) if key is None else (key, name)
        found.append(Order(number, task, who, held, wanted, gates))
    return tuple(found)


class _Locks:
    """What tells the locks of a snapshot apart; each by its position."""

    def __init__(self, snapshot: Snapshot, path: str) -> None:
        self._snapshot = snapshot
        self._path = path
        self._known: dict[int, tuple[Any, ...]] = {}

    def _facts(self, lock: int) -> tuple[Any, ...]:
        if lock not in self._known:
            names = ("id", "kind", "key", "name", "detail")
            [self._known[lock]] = cells_at(self._snapshot.nodes, (lock,), *names)
        return self._known[lock]

    def is_exclusive(self, lock: int) -> bool:
        """Whether one holder keeps everybody else out: a semaphore of more than one does not."""
        _, kind, _, _, detail = self._facts(lock)
        return kind == "lock" or (detail or {}).get("bound") == 1

    def ways(self, lock: int, site: Site | None) -> tuple[Hashable, Hashable]:
        """The class of a lock, and which object it is."""
        number, kind, key, full_name, _ = self._facts(lock)
        name = _NUMBER.sub("", full_name)
        place: Hashable = None if site is None else site.file
        if not name:
            place = site
        elif "." in name and not name.startswith(("self.", "cls.")):
            place = None  # that name says enough wherever it is used
        return (kind, name, place), (self._path, number) if key is None else (key, full_name)


class _Holdings:
    """What the tasks of one snapshot hold that keeps others out: locks, and what works like one.

    A gate only ever takes predictions back, so a holder may be inferred, and a semaphore without a bound
    counts when it is taken and has one holder.
    """

    def __init__(self, graph: WaitGraph) -> None:
        self._graph = graph
        snapshot = graph.snapshot
        nodes, at = snapshot.nodes, positions_of(snapshot.nodes)
        held_by = list(edges_of_kind(snapshot.edges, "held_by"))
        holders = Counter([edge.waiter for edge in held_by])
        rows = cells_at(nodes, [at[edge.waiter] for edge in held_by], "kind", "detail")
        self._held: dict[int, list[tuple[int, Site | None]]] = {}
        for edge, (kind, detail) in zip(held_by, rows, strict=True):
            if kind == "lock" or (kind == "semaphore" and _is_taken(detail or {}, holders[edge.waiter])):
                site = None if edge.site is None else snapshot.sites[edge.site]
                self._held.setdefault(at[edge.awaited], []).append((at[edge.waiter], site))
        self._passing = bytearray(len(nodes))
        for span in (*spans_of(nodes, "task"), *spans_of(nodes, "future")):
            self._passing[span.start : span.stop] = b"\1" * len(span)

    def around(self, task: int) -> Sequence[tuple[int, Site | None]]:
        """What a task holds, and what is held by those that wait until it is done."""
        ahead = [task]
        found = list(self._held.get(task, ()))
        seen = {task}
        while ahead and len(seen) < _MOST_AROUND:
            for by in self._graph.waiters_of(ahead.pop()):
                if by not in seen and self._passing[by]:
                    seen.add(by)
                    ahead.append(by)
                    found += self._held.get(by, ())
        return found


def _is_taken(facts: Mapping[str, Any], holders: int) -> bool:
    return facts.get("bound") == 1 or (
        facts.get("bound") is None and facts.get("value") == 0 and holders == 1
    )
