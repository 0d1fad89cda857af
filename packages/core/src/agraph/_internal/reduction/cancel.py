"""Whom a task takes along when it is cancelled: its timeout frees them too.

Cancelling a task cancels what it awaits (`Task.cancel`, Lib/asyncio/tasks.py, calls `cancel` of the future
that it is suspended on): another task, the children of a `gather`, and those of a `TaskGroup`, which also
cancels them when one fails. `shield`, `wait` and `as_completed` pass nothing on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agraph._internal.model import Edge, Node, Snapshot
    from agraph._internal.reduction.graph import WaitGraph
    from agraph._internal.reduction.reduce import Reduction

# Functions of asyncio that cancel all they wait for. A plain `await` edge passes a cancellation on as well.
_PASS_ON = frozenset({"gather", "TaskGroup", "staggered_race"})
_KEEP = frozenset({"shield"})


class Cancellation:
    """Who goes when somebody is cancelled."""

    def __init__(self, graph: WaitGraph) -> None:
        """Note whom each node takes along.

        Args:
            graph: The wait graph.
        """
        self._along: dict[int, list[int]] = {}
        self._groups: dict[int, list[int]] = {}
        nodes, edges = graph.snapshot.nodes, graph.snapshot.edges
        for by, to, source in zip(graph.waiter, graph.awaited, graph.source, strict=True):
            if _passes_on(nodes[by], edges[source], nodes[to]):
                self._along.setdefault(by, []).append(to)
                if nodes[by].exc and _made_by(nodes[by]) == "TaskGroup":
                    self._groups.setdefault(by, []).append(to)
        for child, parent in parents_in(graph.snapshot):
            self._along.setdefault(parent, []).append(child)
            self._groups.setdefault(parent, []).append(child)

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
        """Free the children of each `TaskGroup` that its parent or one of them may end by failing.

        Args:
            reduction: The reduction in which an exception is taken for possible; it is changed.
        """
        groups: Mapping[int, Sequence[int]] = dict(self._groups)
        while True:
            ended = {parent: children for parent, children in groups.items() if reduction.live[parent]}
            if not ended:
                return
            groups = {parent: children for parent, children in groups.items() if parent not in ended}
            freed = [child for children in ended.values() for child in children]
            reduction.release([*freed, *self.of(freed)])


def parents_in(snapshot: Snapshot) -> list[tuple[int, int]]:
    """Each node that goes when another one goes, although that does not wait for it, and that other one.

    Args:
        snapshot: Any snapshot.

    Returns:
        Pairs of positions in `snapshot.nodes`.
    """
    nodes = snapshot.nodes
    named = [
        (position, node.detail["parent"])
        for position, node in enumerate(nodes)
        if node.detail is not None and "parent" in node.detail
    ]
    index = {node.id: position for position, node in enumerate(nodes)} if named else {}
    return [
        (position, index[parent]) for position, parent in named if type(parent) is int and parent in index
    ]


def _passes_on(waiter: Node, edge: Edge, awaited: Node) -> bool:
    if awaited.kind not in ("task", "future") or waiter.kind not in ("task", "future"):
        return False
    if edge.kind == "await":
        return _made_by(waiter) not in _KEEP
    return edge.kind in ("all_of", "any_of") and _made_by(waiter) in _PASS_ON


def _made_by(node: Node) -> str:
    return str((node.detail or {}).get("made_by", ""))
