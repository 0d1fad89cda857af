"""Whom a task takes along when it is cancelled: its timeout frees them too.

Cancelling a task cancels what it awaits (`Task.cancel`, Lib/asyncio/tasks.py, calls `cancel` of the future
that it is suspended on): another task, the children of a `gather`, and those of a `TaskGroup`, which also
cancels them when one fails. `shield`, `wait` and `as_completed` pass nothing on.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.edge_rows import edge_column
from agraph._internal.reduction.graph import edges_of
from agraph._internal.rows import column, set_in, values_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agraph._internal.model import Node, Snapshot
    from agraph._internal.reduction.graph import WaitGraph
    from agraph._internal.reduction.reduce import Reduction

# Functions of asyncio that cancel all they wait for. A plain `await` edge passes a cancellation on as well.
_PASS_ON = frozenset({"gather", "TaskGroup", "staggered_race"})
_KEEP = frozenset({"shield"})
_PASSING = frozenset({"task", "future"})


class Cancellation:
    """Who goes when somebody is cancelled."""

    def __init__(self, graph: WaitGraph) -> None:
        """Note the groups; who else is taken along is looked up when somebody asks.

        Args:
            graph: The wait graph.
        """
        self._graph = graph
        self._children = children_in(graph.snapshot)
        self._groups: dict[int, list[int]] = {}
        nodes = graph.snapshot.nodes
        details = values_in(nodes, "detail", "TaskGroup")
        made = [node for node, detail in details if detail.get("made_by") == "TaskGroup"]
        groups = set(made).intersection(set_in(nodes, "exc"))
        for by, found in edges_of(graph, groups).items() if groups else ():
            for position in found:
                to = graph.awaited[position]
                if _passes_on(nodes[by], graph.snapshot.edges[graph.source[position]].kind, nodes[to]):
                    self._groups.setdefault(by, []).append(to)
        # Tasks in the body of a group, each with the members that cancel it when they fail.
        self._ended_by: dict[int, list[int]] = {}
        for child, parent, ends in self._children:
            self._groups.setdefault(parent, []).append(child)
            if ends:
                self._ended_by.setdefault(parent, []).append(child)

    @cached_property
    def _along(self) -> Mapping[int, Sequence[int]]:
        graph = self._graph
        nodes = graph.snapshot.nodes
        passes = bytes(kind in _PASSING for kind in column(nodes, "kind"))
        kinds = edge_column(graph.snapshot.edges, "kind", graph.source)
        found: dict[int, list[int]] = {}
        for by, to, kind in zip(graph.waiter, graph.awaited, kinds, strict=True):
            if passes[by] and passes[to] and _passes_on(nodes[by], kind, nodes[to]):
                found.setdefault(by, []).append(to)
        for child, parent, _ends in self._children:
            found.setdefault(parent, []).append(child)
        return found

    def of(self, nodes: Iterable[int]) -> list[int]:
        """Everything that is cancelled with these nodes, without the nodes themselves."""
        found: list[int] = []
        seen = set(nodes)
        ahead = list(seen)
        while ahead:
            for to in self._along.get(ahead.pop(), ()):
                if to not in seen:
                    seen.add(to)
                    found.append(to)
                    ahead.append(to)
        return found

    def end_groups(self, reduction: Reduction) -> None:
        """Free all of each `TaskGroup` that its parent or one of the children may end by failing.

        Args:
            reduction: The reduction in which an exception is taken for possible; it is changed.
        """
        groups: Mapping[int, Sequence[int]] = dict(self._groups)
        live = reduction.live
        while True:
            ended = {
                parent: children
                for parent, children in groups.items()
                if live[parent] or any(map(live.__getitem__, self._ended_by.get(parent, ())))
            }
            if not ended:
                return
            groups = {parent: children for parent, children in groups.items() if parent not in ended}
            freed = [child for children in ended.values() for child in children]
            freed += [parent for parent in ended if not live[parent]]
            reduction.release([*freed, *self.of(freed)])


class Child(NamedTuple):
    """A node that goes when another one goes, although that does not wait for it.

    Attributes:
        child: Its position in `snapshot.nodes`.
        parent: The position of the other one.
        ends: Whether that one goes as well when this one fails.
    """

    child: int
    parent: int
    ends: bool


def children_in(snapshot: Snapshot) -> list[Child]:
    """Each node that goes when another one goes, although that does not wait for it.

    Args:
        snapshot: Any snapshot.
    """
    nodes = snapshot.nodes
    named = [
        (position, detail["parent"], detail.get("ends") == "parent")
        for position, detail in values_in(nodes, "detail", "parent")
        if "parent" in detail
    ]
    if not named:
        return []
    index = {number: position for position, number in enumerate(column(nodes, "id"))}
    return [
        Child(position, index[parent], ends)
        for position, parent, ends in named
        if type(parent) is int and parent in index
    ]


def _passes_on(waiter: Node, kind: str, awaited: Node) -> bool:
    if awaited.kind not in _PASSING or waiter.kind not in _PASSING:
        return False
    if kind == "await":
        return _made_by(waiter) not in _KEEP
    return kind in ("all_of", "any_of") and _made_by(waiter) in _PASS_ON


def _made_by(node: Node) -> str:
    return str((node.detail or {}).get("made_by", ""))
