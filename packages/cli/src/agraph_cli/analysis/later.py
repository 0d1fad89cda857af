"""The analysis of a snapshot that is put away: how many deadlocks and how bad, and the rest when it is told.

Of ten thousand snapshots a report tells of ten deadlocks. The others are counted and compared.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, overload

from agraph.reduction import (
    at_hand,
    build,
    by_name,
    certainty,
    column,
    is_put_away,
    later,
    levels,
    pick,
    positions_of,
    until_timeout,
    verdicts,
)
from agraph_cli.analysis.explain import Blamed
from agraph_cli.analysis.lockorder import lock_order
from agraph_cli.analysis.model import Deadlock, SnapshotAnalysis, worst_first
from agraph_cli.analysis.orders import orders_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agraph import Node, Snapshot
    from agraph_cli.analysis.model import Orphan
    from agraph_cli.analysis.orders import Order

_Row = TypeVar("_Row")


def in_short(snapshot: Snapshot, path: str) -> SnapshotAnalysis:
    """Analyse a snapshot that is put away.

    Args:
        snapshot: The snapshot.
        path: Where it was read from.

    Returns:
        Its analysis, of which little is kept.

    Raises:
        SnapshotError: An edge names a node that is not in the snapshot.
    """
    blamed = _blamed(snapshot)
    deadlocks = [_LaterDeadlock(snapshot, blamed, number) for number in blamed.deadlocks]
    deadlocks.sort(key=worst_first)
    return SnapshotAnalysis(
        path,
        later(blamed.graph),
        verdicts(snapshot, blamed.levels),
        tuple(deadlocks),
        Rows(snapshot, _orphans),
        Rows(snapshot, lock_order),
        _kept(orders_of(blamed.graph, path)),
    )


_MOST_ORDERS = 10_000
_ORDERS: dict[tuple[Order, ...], tuple[Order, ...]] = {}


def _kept(orders: tuple[Order, ...]) -> tuple[Order, ...]:
    """The same orders, only once for all snapshots that show them."""
    if not orders:
        return ()
    if len(_ORDERS) >= _MOST_ORDERS:
        _ORDERS.clear()
    return _ORDERS.setdefault(orders, orders)


def _blamed(snapshot: Snapshot) -> Blamed:
    def make() -> Blamed:
        graph = build(snapshot)
        return Blamed(graph, levels(graph))

    def again(other: Blamed) -> Blamed:
        return other.of_another(snapshot)

    return at_hand(snapshot, "blamed", make, again)


def _described(snapshot: Snapshot) -> dict[int, Deadlock]:
    return at_hand(snapshot, "described", _blamed(snapshot).describe)


class _LaterDeadlock(Deadlock):
    """A deadlock that is described when somebody asks for more than how bad it is."""

    __slots__ = ("_ids", "_number", "_snapshot", "_stuck")

    _ids: array[int]
    _number: int
    _snapshot: Snapshot
    _stuck: int

    def __init__(self, snapshot: Snapshot, blamed: Blamed, number: int) -> None:
        core = blamed.cores[number]
        tasks = sum(map(blamed.graph.is_task.__getitem__, core.members))
        ids = column(snapshot.nodes, "id")
        self._set("certainty", certainty(snapshot, core.level))
        self._set("_snapshot", snapshot)
        self._set("_number", number)
        behind = blamed.behind[number]
        timed = until_timeout(blamed.levels, core, behind)  # those do not count as behind it
        self._set("_stuck", tasks + len(behind) - len(timed))
        self._set("_ids", array("q", map(ids.__getitem__, core.members)))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _deadlock_again, tuple([(name, getattr(self, name)) for name in _KEPT])

    @property
    def stuck(self) -> int:
        return self._stuck

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(self._ids)

    @property
    def members(self) -> Sequence[Node]:
        nodes = self._snapshot.nodes
        positions = sorted(map(positions_of(nodes).__getitem__, self._ids))
        return pick(nodes, by_name(nodes, positions))


_KEPT = ("certainty", *_LaterDeadlock.__slots__)


def _deadlock_again(*kept: tuple[str, Any]) -> _LaterDeadlock:
    deadlock = _LaterDeadlock.__new__(_LaterDeadlock)
    for name, value in kept:
        deadlock._set(name, value)
    return deadlock


def _described_field(name: str) -> property:
    return property(lambda self: getattr(_described(self._snapshot)[self._number], name))


for _field in fields(Deadlock):
    if _field.name not in ("certainty", "members"):
        setattr(_LaterDeadlock, _field.name, _described_field(_field.name))


class Rows(Sequence[_Row]):
    """What a tuple of rows would be, made when somebody looks at it."""

    __slots__ = ("_found", "_make", "_snapshot")

    def __init__(self, snapshot: Snapshot, make: Callable[[Snapshot], Sequence[_Row]]) -> None:
        """Take the snapshot, and what makes the rows of it."""
        self._snapshot = snapshot
        self._make = make
        self._found: Sequence[_Row] | None = None

    def _rows(self) -> Sequence[_Row]:
        if is_put_away(self._snapshot):
            return at_hand(self._snapshot, self._make.__name__, lambda: self._make(self._snapshot))
        if self._found is None:
            self._found = self._make(self._snapshot)
        return self._found

    def __len__(self) -> int:
        return len(self._rows())

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Row]: ...
    def __getitem__(self, index: int | slice) -> _Row | Sequence[_Row]:
        return self._rows()[index]

    def __iter__(self) -> Iterator[_Row]:
        return iter(self._rows())

    def __eq__(self, other: object) -> bool:
        return tuple(self._rows()) == tuple(other) if isinstance(other, (tuple, Rows)) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._rows()))


def _orphans(snapshot: Snapshot) -> Sequence[Orphan]:
    return _blamed(snapshot).orphans()
