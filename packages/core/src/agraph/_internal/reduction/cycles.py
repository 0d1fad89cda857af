"""The waits of cores, step by step: what a person is told of a deadlock."""

from __future__ import annotations

from array import array
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.components import shortest_cycle
from agraph._internal.reduction.graph import edges_of
from agraph._internal.reduction.picked import FEW, Made
from agraph._internal.rows import of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph._internal.model import Edge, Node
    from agraph._internal.reduction.cores import Core
    from agraph._internal.reduction.graph import WaitGraph
    from agraph._internal.reduction.residue import Residue


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


def by_name(nodes: Sequence[Node], members: Sequence[int]) -> Sequence[int]:
    """The members of a core by name, because ids may differ from one capture to the next.

    Args:
        nodes: The nodes of the snapshot.
        members: Positions, ascending.

    Returns:
        The positions; where they are very many, as they were.
    """
    return members if len(members) > FEW else sorted(members, key=lambda node: (nodes[node].name, node))


class Hops:
    """Finds the steps between the nodes of some cores.

    Attributes:
        graph: The wait graph.
    """

    def __init__(self, graph: WaitGraph, rest: Residue, found: Sequence[Core]) -> None:
        """Look up the edges of the cores' members, and of who waits for a member that nobody can free.

        Args:
            graph: The wait graph.
            rest: Its residue.
            found: The cores of the residue.
        """
        told = {node for core in found if len(core.members) <= FEW for node in core.members}
        told |= {by for core in found if not core.cyclic for by in graph.waiters_of(core.members[0])[:1]}
        self.graph = graph
        self._rest = rest
        self._told = told
        self._edges = edges_of(graph, told)

    @classmethod
    def single(cls, graph: WaitGraph) -> Hops:
        """What knows single steps only, and no cycles."""
        self = cls.__new__(cls)
        self.graph, self._told, self._edges = graph, set(), {}
        return self

    def hop(self, by: int, node: int) -> Hop:
        """The step from one node to another."""
        graph = self.graph
        for position in self._edges.get(by, ()) if by in self._told else self._further(by):
            if graph.awaited[position] == node:
                return Hop(graph.node(by), graph.node(node), graph.snapshot.edges[graph.source[position]])
        return Hop(graph.node(by), graph.node(node), None)

    @cached_property
    def _by_waiter(self) -> tuple[Sequence[int], Sequence[int]]:
        """For each node its first edge, and for each edge the next one of its waiter; -1 for none."""
        waiter = self.graph.waiter
        first, following = array("q", [-1]) * len(self.graph.need), array("q", bytes(8 * len(waiter)))
        for position in range(len(waiter) - 1, -1, -1):
            by = waiter[position]
            following[position] = first[by]
            first[by] = position
        return first, following

    def _further(self, by: int) -> Iterator[int]:
        first, following = self._by_waiter
        position = first[by]
        while position >= 0:
            yield position
            position = following[position]

    def members(self, core: Core) -> Sequence[int]:
        """The members of a core, see `by_name`."""
        return by_name(self.graph.snapshot.nodes, core.members)

    def actors(self, core: Core) -> Sequence[int]:
        """The tasks of a core, or else its threads: what a person begins to read at."""
        members = self.members(core)
        tasks = array("q", compress(members, map(self.graph.is_task.__getitem__, members)))
        if tasks:
            return tasks
        threads = set(of_kind(self.graph.snapshot.nodes, "thread"))
        return [node for node in members if node in threads]

    def cycle(self, core: Core) -> Sequence[Hop]:
        """A shortest cycle of a core; for a node that nobody can free, the one step that leads to it.

        Returns:
            The steps; of a very long cycle each is made when it is asked for.
        """
        if not core.cyclic:
            node = core.members[0]
            return tuple(self.hop(by, node) for by in self.graph.waiters_of(node)[:1])
        starts = self.actors(core) or self.members(core)
        path = self._only_way(starts[0]) if len(core.members) > FEW else None
        if not path:
            path = shortest_cycle(starts, set(core.members), self._rest.successors)
        steps = Steps(self, path)
        return steps if len(path) > FEW else tuple(steps)

    def _only_way(self, node: int) -> Sequence[int] | None:
        """The cycle through a node, where no node of it has another way to go: then the core has no other."""
        successors = self._rest.successors
        nodes, start, to = successors.nodes, successors.start, successors.to
        first = index = successors.place(node)
        path = array("q")
        while True:
            if start[index + 1] - start[index] != 1:
                return None
            path.append(nodes[index])
            index = to[start[index]]
            if index == first:
                return path


class Steps(Made[Hop]):
    """A cycle, each step of which is made when it is asked for.

    Attributes:
        graph: The wait graph.
        path: The nodes of the cycle.
    """

    __slots__ = ("graph", "path")

    def __init__(self, hops: Hops, path: Sequence[int]) -> None:
        super().__init__(lambda index: hops.hop(path[index], path[(index + 1) % len(path)]), len(path))
        self.graph = hops.graph
        self.path = path
