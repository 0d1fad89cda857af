"""A snapshot as integer arrays: what the reduction works on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from agraph._internal.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from agraph._internal.model import Node, Snapshot


@dataclass(frozen=True, slots=True)
class WaitGraph:
    """The wait edges of a snapshot. Nodes are positions in `snapshot.nodes`.

    Attributes:
        snapshot: What it was made of.
        need: For each node, how many of its awaited nodes have to proceed before it can.
        waiter: For each wait edge, the node that waits.
        awaited: For each wait edge, the node it waits for.
        source: For each wait edge, its position in `snapshot.edges`.
        start: `waiters[start[v]:start[v + 1]]` are the nodes that wait for `v` (compressed sparse rows).
        waiters: See `start`.
        gates: For each loop that does not turn by itself, its tasks: each also waits for that loop.
    """

    snapshot: Snapshot
    need: list[int]
    waiter: list[int]
    awaited: list[int]
    source: list[int]
    start: list[int]
    waiters: list[int]
    gates: Mapping[int, Sequence[int]]

    def node(self, index: int) -> Node:
        """The node at a position."""
        return self.snapshot.nodes[index]

    def waiters_of(self, index: int) -> Sequence[int]:
        """The nodes that wait for a node: through an edge, or because it is their loop."""
        direct = self.waiters[self.start[index] : self.start[index + 1]]
        return [*direct, *self.gates[index]] if index in self.gates else direct


def build(snapshot: Snapshot) -> WaitGraph:
    """Make the integer graph of a snapshot.

    Args:
        snapshot: Any snapshot. `structural` edges are left out: they are no waits.

    Returns:
        Its wait graph, in time and memory linear in nodes and edges.

    Raises:
        SnapshotError: An edge or a task names a node that is not there.
    """
    index = _index(snapshot)
    waiter: list[int] = []
    awaited: list[int] = []
    source: list[int] = []
    try:
        for position, edge in enumerate(snapshot.edges):
            if edge.kind != "structural":
                waiter.append(index[edge.waiter])
                awaited.append(index[edge.awaited])
                source.append(position)
    except (KeyError, IndexError) as error:
        raise SnapshotError(
            f"an edge names node {error}, which is not in the snapshot", path="$.edges"
        ) from None
    start, waiters = _rows(len(snapshot.nodes), waiter, awaited)
    need = [node.need for node in snapshot.nodes]
    _free_sleepers(snapshot, need, waiter)
    return WaitGraph(snapshot, need, waiter, awaited, source, start, waiters, _gates(snapshot, index, need))


def _index(snapshot: Snapshot) -> Mapping[int, int]:
    return {node.id: position for position, node in enumerate(snapshot.nodes)}


def _rows(size: int, waiter: list[int], awaited: list[int]) -> tuple[list[int], list[int]]:
    count = [0] * (size + 1)
    for node in awaited:
        count[node + 1] += 1
    start = list(accumulate(count))
    fill = start.copy()
    waiters = [0] * len(waiter)
    for by, node in zip(waiter, awaited, strict=True):
        position = fill[node]
        waiters[position] = by
        fill[node] = position + 1
    return start, waiters


def _free_sleepers(snapshot: Snapshot, need: list[int], waiter: list[int]) -> None:
    # A timer and nothing else to wait for is a sleep: it proceeds by itself, so it is live and not stalled.
    waiting = set(waiter)
    for position, node in enumerate(snapshot.nodes):
        if node.timer is not None and not node.open and position not in waiting:
            need[position] = 0


def _gates(snapshot: Snapshot, index: Mapping[int, int], need: list[int]) -> Mapping[int, Sequence[int]]:
    # A loop with need 0 turns whatever happens, so an edge to it would change nothing: a million saved.
    blocked = {node.id for node, k in zip(snapshot.nodes, need, strict=True) if node.kind == "loop" and k > 0}
    if not blocked:
        return {}
    gates: dict[int, list[int]] = {index[loop]: [] for loop in blocked}
    for position, node in enumerate(snapshot.nodes):
        if node.loop in blocked:
            gates[index[node.loop]].append(position)
    return gates


def edges_of(graph: WaitGraph, nodes: Container[int]) -> dict[int, list[int]]:
    """The wait edges of some nodes, grouped by who waits.

    Args:
        graph: The graph.
        nodes: Positions of nodes.

    Returns:
        For each of them that has any, the positions of its edges in `graph.waiter` and `graph.awaited`.
    """
    found: dict[int, list[int]] = {}
    for position, node in enumerate(graph.waiter):
        if node in nodes:
            found.setdefault(node, []).append(position)
    return found
