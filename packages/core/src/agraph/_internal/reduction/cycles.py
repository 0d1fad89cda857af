"""The waits of cores, step by step: what a person is told of a deadlock."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.components import shortest_cycle
from agraph._internal.reduction.graph import edges_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph._internal.model import Edge, Node
    from agraph._internal.reduction.cores import Core, Residue
    from agraph._internal.reduction.graph import WaitGraph


class Hop(NamedTuple):
    """One step of a cycle.

    Attributes:
        waiter: Who waits.
        awaited: For whom.
        edge: The edge of the snapshot; None where a task needs its loop to turn.
    """

    waiter: Node
    awaited: Node
    edge: Edge | None


class Hops:
    """Finds the steps between the nodes of some cores."""

    def __init__(self, graph: WaitGraph, rest: Residue, found: Sequence[Core]) -> None:
        """Look up the edges of the cores' members, and of who waits for a member that nobody can free.

        Args:
            graph: The wait graph.
            rest: Its residue.
            found: The cores of the residue.
        """
        told = {node for core in found for node in core.members}
        told |= {by for core in found if not core.cyclic for by in graph.waiters_of(core.members[0])[:1]}
        self._graph = graph
        self._rest = rest
        self._edges = edges_of(graph, told)

    def hop(self, by: int, node: int) -> Hop:
        """The step from one node to another."""
        graph = self._graph
        for position in self._edges.get(by, ()):
            if graph.awaited[position] == node:
                return Hop(graph.node(by), graph.node(node), graph.snapshot.edges[graph.source[position]])
        return Hop(graph.node(by), graph.node(node), None)

    def members(self, core: Core) -> list[int]:
        """The members of a core by name, because ids may differ from one capture to the next."""
        return sorted(core.members, key=lambda node: (self._graph.node(node).name, node))

    def actors(self, core: Core) -> list[int]:
        """The tasks of a core, or else its threads: what a person begins to read at."""
        members = self.members(core)
        for kind in ("task", "thread"):
            found = [node for node in members if self._graph.node(node).kind == kind]
            if found:
                return found
        return []

    def cycle(self, core: Core) -> tuple[Hop, ...]:
        """A shortest cycle of a core; for a node that nobody can free, the one step that leads to it."""
        if not core.cyclic:
            node = core.members[0]
            return tuple(self.hop(by, node) for by in self._graph.waiters_of(node)[:1])
        starts = self.actors(core) or self.members(core)
        path = shortest_cycle(starts, set(core.members), self._rest.successors)
        return tuple(self.hop(by, node) for by, node in zip(path, [*path[1:], path[0]], strict=True))
