"""A snapshot as integer arrays: what the reduction works on."""

from __future__ import annotations

from array import array
from collections import Counter
from functools import cached_property
from itertools import accumulate, compress
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.edge_rows import Waits, waits
from agraph._internal.errors import SnapshotError
from agraph._internal.reduction.few import FEW_EDGES, settle_few
from agraph._internal.rows import column, of_kind, positions_of, set_in

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, MutableSequence, Sequence

    from agraph._internal.model import Node, Snapshot


class Settled(NamedTuple):
    """What a first look at all edges settles, in a few passes and without a graph to walk on.

    Attributes:
        live: For each node, 1 if it can proceed.
        left: For each node, how many more of its awaited nodes have to proceed.
        waiter: The waiters of the edges whose awaited node was not live, or not looked at any more.
        awaited: The awaited nodes of these edges.
        ahead: Live nodes of which some edges were not looked at.
    """

    live: bytearray
    left: MutableSequence[int]
    waiter: Sequence[int]
    awaited: Sequence[int]
    ahead: Sequence[int]


class WaitGraph:
    """The wait edges of a snapshot. Nodes are positions in `snapshot.nodes`.

    Attributes:
        snapshot: What it was made of.
        need: For each node, how many of its awaited nodes have to proceed before it can.
        waiter: For each wait edge, the node that waits.
        awaited: For each wait edge, the node it waits for.
        source: For each wait edge, its position in `snapshot.edges`.
        gates: For each loop that does not turn by itself, its tasks: each also waits for that loop.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        need: list[int],
        edges: Waits,
        gates: Mapping[int, Sequence[int]],
    ) -> None:
        """Take the columns; the rows are made when they are asked for."""
        self.snapshot = snapshot
        self.need = need
        self.waiter: Sequence[int] = edges[0]
        self.awaited: Sequence[int] = edges[1]
        self.source: Sequence[int] = edges[2]
        self.gates = gates

    @cached_property
    def _rows(self) -> tuple[list[int], list[int]]:
        return _rows(len(self.need), self.waiter, self.awaited)

    @property
    def start(self) -> list[int]:
        """`waiters[start[v]:start[v + 1]]` are the nodes that wait for `v` (compressed sparse rows)."""
        return self._rows[0]

    @property
    def waiters(self) -> list[int]:
        """See `start`."""
        return self._rows[1]

    @cached_property
    def settled(self) -> Settled:
        """Who can proceed by what a few passes over the edges say."""
        shut = {task for tasks in self.gates.values() for task in tasks}
        if len(self.waiter) <= FEW_EDGES:
            return Settled(*settle_few(self.need, self.waiter, self.awaited, shut))
        return _settle(self.need, self.waiter, self.awaited, shut)

    @cached_property
    def unsettled_waiters(self) -> Callable[[int], Sequence[int]]:
        """For a node that `settled` does not call live, or has in `ahead`: who waits for it directly."""
        rest = self.settled
        if len(rest.waiter) * 4 < len(self.need):
            found: dict[int, list[int]] = {}
            for by, node in zip(rest.waiter, rest.awaited, strict=True):
                found.setdefault(node, []).append(by)
            return lambda node: found.get(node, ())
        start, waiters = _rows(len(self.need), rest.waiter, rest.awaited)
        return lambda node: waiters[start[node] : start[node + 1]]

    @cached_property
    def is_task(self) -> bytearray:
        """For each node, 1 if it is a task."""
        found = bytearray(len(self.need))
        for position in of_kind(self.snapshot.nodes, "task"):
            found[position] = 1
        return found

    def node(self, index: int) -> Node:
        """The node at a position."""
        return self.snapshot.nodes[index]

    def waiters_of(self, index: int) -> Sequence[int]:
        """The nodes that wait for a node: through an edge, or because it is their loop."""
        if self.settled.live[index]:
            direct: Sequence[int] = self.waiters[self.start[index] : self.start[index + 1]]
        else:
            direct = self.unsettled_waiters(index)
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
    index = positions_of(snapshot.nodes)
    edges = waits(snapshot.edges)
    try:
        if type(index) is not range:
            at = index.__getitem__
            edges = Waits(array("q", map(at, edges.waiter)), array("q", map(at, edges.awaited)), edges.source)
        need = column(snapshot.nodes, "need")
        _free_sleepers(snapshot, need, edges.waiter)
        gates = _gates(snapshot, index, need)
    except (KeyError, IndexError) as error:
        raise SnapshotError(
            f"an edge names node {error}, which is not in the snapshot", path="$.edges"
        ) from None
    return WaitGraph(snapshot, need, edges, gates)


_IS_ZERO = b"\1" + bytes(255)


def _settle(need: list[int], waiter: Sequence[int], awaited: Sequence[int], shut: set[int]) -> Settled:
    # Most tasks wait for something that can proceed, and was listed before them. A few passes over all edges
    # leave little to walk on; as soon as one takes less than an eighth, walking is cheaper.
    live, left = bytearray(_are_zero(need)), _copy(need)
    for task in shut:
        live[task] = 0
    size = taken = len(waiter)
    while size and taken * 8 >= size:
        kept_by, kept = array("q"), array("q")
        keep_by, keep = kept_by.append, kept.append
        for by, node in zip(waiter, awaited, strict=True):
            if live[node]:
                more = left[by] - 1
                if more >= 0:
                    left[by] = more
                    if not more and by not in shut:
                        live[by] = 1
            else:
                keep_by(by)
                keep(node)
        waiter, awaited = kept_by, kept
        taken = size - len(waiter)
        size = len(waiter)
    return Settled(live, left, waiter, awaited, list({node for node in awaited if live[node]}))


def _copy(need: list[int]) -> MutableSequence[int]:
    """The same in half of the memory: there will be several."""
    try:
        return array("i", need)
    except OverflowError:
        return need.copy()


def _are_zero(values: list[int]) -> bytes:
    """For each value 1 if it is 0."""
    try:
        return bytes(values).translate(_IS_ZERO)
    except ValueError:  # more than 255
        return bytes(map((0).__eq__, values))


def _rows(size: int, waiter: Sequence[int], awaited: Sequence[int]) -> tuple[list[int], list[int]]:
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


def _free_sleepers(snapshot: Snapshot, need: list[int], waiter: Sequence[int]) -> None:
    # A timer and nothing else to wait for is a sleep: it proceeds by itself, so it is live and not stalled.
    nodes = snapshot.nodes
    timers = set_in(nodes, "timer")
    if timers:
        waiting = bytearray(len(nodes))
        for position in waiter:
            waiting[position] = 1
        unknown = set(set_in(nodes, "open"))
        for position in timers:
            if not waiting[position] and position not in unknown:
                need[position] = 0


def _gates(
    snapshot: Snapshot, index: Mapping[int, int] | Sequence[int], need: list[int]
) -> Mapping[int, Sequence[int]]:
    # A loop with need 0 turns whatever happens, so an edge to it would change nothing: a million saved.
    nodes = snapshot.nodes
    blocked = {nodes[position].id for position in of_kind(nodes, "loop") if need[position] > 0}
    if not blocked:
        return {}
    gates: dict[int, list[int]] = {index[loop]: [] for loop in blocked}
    for position, loop in enumerate(column(nodes, "loop")):
        if loop in blocked:
            gates[index[loop]].append(position)
    return gates


def beyond_edges(graph: WaitGraph, live: Sequence[int]) -> list[int]:
    """The nodes that need more than they have edges to: the snapshot leaves out what they wait for.

    Args:
        graph: The graph.
        live: For each node 1 if it is known to proceed: then it has the edges.

    Returns:
        Their positions. One that needs a single thing and has no edge is not among them: that nobody can
        provide it is what `prove` finds out.
    """
    need = graph.need
    stuck = compress(range(len(need)), map((0).__eq__, live))
    several = {node for node in stuck if need[node] > 1}
    if not several:
        return []
    edges = Counter(filter(several.__contains__, graph.waiter))
    return sorted(node for node in several if need[node] > max(edges[node], 1))


def edges_of(graph: WaitGraph, nodes: Container[int]) -> dict[int, list[int]]:
    """The wait edges of some nodes, grouped by who waits.

    Args:
        graph: The graph.
        nodes: Positions of nodes.

    Returns:
        For each of them that has any, the positions of its edges in `graph.waiter` and `graph.awaited`.
    """
    found: dict[int, list[int]] = {}
    waiter = graph.waiter
    for position in compress(range(len(waiter)), map(nodes.__contains__, waiter)):
        found.setdefault(waiter[position], []).append(position)
    return found
