"""What the reduction left: stuck nodes, and the edges between those that are stuck for the same reasons."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate, compress
from operator import eq, mul, sub
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.bystanders import bystanders
from agraph._internal.reduction.graph import where_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph._internal.reduction.graph import WaitGraph
    from agraph._internal.reduction.reduce import Levels


class Successors(Mapping[int, "Sequence[int]"]):
    """For each stuck node those it waits for, in compressed sparse rows: a million need no list for each.

    Attributes:
        nodes: The stuck nodes, in order.
        start: The edges of `nodes[i]` are those at `start[i]` to `start[i + 1] - 1`.
        to: For each edge the awaited node, as its place in `nodes`.
    """

    __slots__ = ("_branching", "nodes", "start", "to")

    def __init__(self, nodes: array[int], waiter: Sequence[int], awaited: Sequence[int]) -> None:
        """Sort edges by who waits; those of one node keep their order."""
        place = array("q", bytes(8 * (nodes[-1] + 1))) if nodes else array("q")
        for index, node in enumerate(nodes):
            place[node] = index
        count = array("q", bytes(8 * (len(nodes) + 1)))
        for by in waiter:
            count[place[by] + 1] += 1
        self.nodes: array[int] = nodes
        self.start: array[int] = array("q", accumulate(count))
        self.to: array[int] = array("q", bytes(8 * len(waiter)))
        fill = array("q", self.start)
        for by, node in zip(waiter, awaited, strict=True):
            index = place[by]
            self.to[fill[index]] = place[node]
            fill[index] += 1
        self._branching: frozenset[int] | None = None

    def __getitem__(self, node: int) -> Sequence[int]:
        index = self.place(node)
        return [self.nodes[to] for to in self.to[self.start[index] : self.start[index + 1]]]

    def place(self, node: int) -> int:
        """Where a node is in `nodes`."""
        index = bisect_left(self.nodes, node)
        if index == len(self.nodes) or self.nodes[index] != node:
            raise KeyError(node)
        return index

    def ways(self, node: int) -> int:
        """How many edges a node has."""
        index = self.place(node)
        return self.start[index + 1] - self.start[index]

    @property
    def branching(self) -> frozenset[int]:
        """The nodes with more than one edge."""
        if self._branching is None:
            ways = map(sub, self.start[1:], self.start)
            self._branching = frozenset(compress(self.nodes, map((1).__lt__, ways)))
        return self._branching

    def __iter__(self) -> Iterator[int]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


class Residue(NamedTuple):
    """What the reduction left, level by level.

    Attributes:
        successors: For each stuck node, the nodes of its own level that it waits for, its loop included.
        loop_of: For each stuck task whose loop is stuck at the same level, that loop.
    """

    successors: Successors
    loop_of: Mapping[int, int]


def residue(graph: WaitGraph, levels: Levels) -> Residue:
    """Keep the edges between nodes that are stuck for reasons of the same level.

    Args:
        graph: The wait graph.
        levels: How firmly each node is stuck.

    Returns:
        The residue; a node that is stuck only because of a firmer one is not in it, nor is a guess that says
        nothing (bystanders.py).
    """
    own = levels.own
    nodes = where_set(levels.own)
    waiter, awaited = array("q"), array("q")
    loop_of: dict[int, int] = {}
    if nodes:
        waiter, awaited = _between_alike(graph, own)
        for loop, tasks in graph.gates.items():
            for task in tasks:
                if own[task] and own[task] == own[loop]:
                    waiter.append(task)
                    awaited.append(loop)
                    loop_of[task] = loop
        left_out = bystanders(graph, waiter, awaited)
        if left_out:
            kept = [pair for pair in zip(waiter, awaited, strict=True) if pair not in left_out]
            waiter, awaited = array("q", [by for by, _ in kept]), array("q", [node for _, node in kept])
    return Residue(Successors(nodes, waiter, awaited), loop_of)


def _between_alike(graph: WaitGraph, own: bytes) -> tuple[array[int], array[int]]:
    """The edges between nodes of one level: what is stuck waits on edges that were never settled."""
    by, node = graph.settled.waiter, graph.settled.awaited
    levels_by, levels_node = bytes(map(own.__getitem__, by)), bytes(map(own.__getitem__, node))
    if levels_by == levels_node and not levels_by.count(0):  # as where a single deadlock blocks them all
        return array("q", by), array("q", node)
    alike = bytes(map(mul, levels_by, map(eq, levels_by, levels_node)))
    return array("q", compress(by, alike)), array("q", compress(node, alike))


def without_mere_waiters(rest: Residue) -> tuple[Residue, array[int]]:
    """Leave out the nodes that are on no cycle since nobody waits for them, or only such nodes do.

    Behind most deadlocks wait many more tasks than are part of them.

    Args:
        rest: A residue.

    Returns:
        The residue of the other nodes; and those left out, as places in `rest.successors.nodes`.
    """
    nodes, start, to = rest.successors.nodes, rest.successors.start, rest.successors.to
    waiters = array("q", bytes(8 * len(nodes)))
    for index in to:
        waiters[index] += 1
    gone = array("q", compress(range(len(nodes)), map((0).__eq__, waiters)))
    for index in gone:  # it grows meanwhile
        for other in to[start[index] : start[index + 1]]:
            waiters[other] -= 1
            if not waiters[other]:
                gone.append(other)
    if not gone:
        return rest, gone
    waiter, awaited = array("q"), array("q")
    for index in compress(range(len(nodes)), waiters):
        ways = to[start[index] : start[index + 1]]  # to none of those that are gone
        waiter.extend([nodes[index]] * len(ways))
        awaited.extend(map(nodes.__getitem__, ways))
    kept = array("q", compress(nodes, waiters))
    return Residue(Successors(kept, waiter, awaited), rest.loop_of), gone
