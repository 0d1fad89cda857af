"""A snapshot as integer arrays: what the reduction works on."""

from __future__ import annotations

from array import array
from collections import Counter
from copy import copy
from functools import cached_property
from itertools import accumulate, chain, compress
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.edge_rows import Waits, waits
from agraph._internal.errors import SnapshotError
from agraph._internal.reduction.few import FEW_EDGES, settle_few
from agraph._internal.rows import column, of_kind, positions_of, set_in, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, MutableSequence, Sequence

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
        timers: The nodes with a timer, but for those that only sleep.
        waiter: For each wait edge, the node that waits.
        awaited: For each wait edge, the node it waits for.
        source: For each wait edge, its position in `snapshot.edges`.
        spans: See `Waits`.
        gates: For each loop that does not turn by itself, its tasks: each also waits for that loop.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        need: MutableSequence[int],
        timers: Sequence[int],
        edges: Waits,
        gates: Mapping[int, Sequence[int]],
    ) -> None:
        """Take the columns; the rows are made when they are asked for."""
        self.snapshot = snapshot
        self.need = need
        self.timers = timers
        self.waiter: Sequence[int] = edges.waiter
        self.awaited: Sequence[int] = edges.awaited
        self.source: Sequence[int] = edges.source
        self.spans: Sequence[range] = edges.spans
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
        parts = [slice(span.start, span.stop) for span in self.spans]
        pairs = (zip(self.waiter[part], self.awaited[part], strict=True) for part in parts)
        return _settle(self.need, chain.from_iterable(pairs), len(self.waiter), shut)

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
        for span in spans_of(self.snapshot.nodes, "task"):
            found[span.start : span.stop] = b"\1" * len(span)
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
    try:
        edges = waits(snapshot.edges, index)
        need = _short(column(snapshot.nodes, "need"))
        timers = _free_sleepers(snapshot, need, edges.waiter)
        gates = _gates(snapshot, index, need)
    except (KeyError, IndexError) as error:
        raise SnapshotError(
            f"an edge names node {error}, which is not in the snapshot", path="$.edges"
        ) from None
    return WaitGraph(snapshot, need, timers, edges, gates)


_IS_ZERO = b"\1" + bytes(255)
IS_SET = b"\0" + b"\1" * 255
# Where at most one in so many is wanted, these are searched for one by one.
_RARE = 16


def _settle(
    need: MutableSequence[int], edges: Iterator[tuple[int, int]], size: int, shut: set[int]
) -> Settled:
    # Most tasks wait for something that can proceed, and was listed before them. A few passes over all edges
    # leave little to walk on; as soon as one takes less than an eighth, walking is cheaper.
    live, left = _are_zero(need), copy(need)
    for task in shut:
        live[task] = 0
    taken, waiter, awaited = size, array("q"), array("q")
    while size and taken * 8 >= size:
        kept_by, kept = array("q"), array("q")
        keep_by, keep = kept_by.append, kept.append
        for by, node in edges:
            if live[node]:
                more = left[by] - 1
                if more >= 0:
                    left[by] = more
                    if not more and by not in shut:
                        live[by] = 1
            else:
                keep_by(by)
                keep(node)
        waiter, awaited, edges = kept_by, kept, zip(kept_by, kept, strict=True)
        taken = size - len(waiter)
        size = len(waiter)
    return Settled(live, left, waiter, awaited, list({node for node in awaited if live[node]}))


def _short(need: list[int]) -> MutableSequence[int]:
    """The same in as little memory as can be: there will be several."""
    try:
        return bytearray(need)
    except ValueError:  # more than 255
        return need


def _are_zero(values: Sequence[int]) -> bytearray:
    """For each value 1 if it is 0."""
    return values.translate(_IS_ZERO) if isinstance(values, bytearray) else bytearray(map((0).__eq__, values))


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


def _free_sleepers(snapshot: Snapshot, need: MutableSequence[int], waiter: Sequence[int]) -> list[int]:
    """Let those that only sleep proceed, and find the other nodes with a timer."""
    # A timer and nothing else to wait for is a sleep: it proceeds by itself, so it is live and not stalled.
    nodes = snapshot.nodes
    timers = set_in(nodes, "timer")
    if not timers:
        return []
    waiting = bytearray(len(nodes))
    for position in waiter:
        waiting[position] = 1
    unknown = set(set_in(nodes, "open"))
    others = []
    for position in timers:
        if waiting[position] or position in unknown or not need[position]:
            others.append(position)
        else:
            need[position] = 0
    return others


def _gates(
    snapshot: Snapshot, index: Mapping[int, int] | Sequence[int], need: Sequence[int]
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


def where_zero(values: bytes | bytearray) -> array[int]:
    """The positions of zeros, in order."""
    return _where_one(values.translate(_IS_ZERO))


def where_set(values: bytes | bytearray) -> array[int]:
    """The positions of what is not zero, in order."""
    return _where_one(values.translate(IS_SET))


def _where_one(values: bytes | bytearray) -> array[int]:
    if values.count(1) > len(values) // _RARE:
        return array("q", compress(range(len(values)), values))
    found, at = array("q"), values.find(1)
    while at >= 0:  # at the speed of memory from one to the next
        found.append(at)
        at = values.find(1, at + 1)
    return found


def beyond_edges(graph: WaitGraph, live: bytearray) -> list[int]:
    """The nodes that need more than they have edges to: the snapshot leaves out what they wait for.

    Args:
        graph: The graph.
        live: For each node 1 if it is known to proceed: then it has the edges.

    Returns:
        Their positions. One that needs a single thing and has no edge is not among them: that nobody can
        provide it is what `prove` finds out.
    """
    need, settled = graph.need, graph.settled
    several = [node for node in where_zero(live) if need[node] > 1]
    if not several:
        return []
    # What was subtracted are the edges that are settled; where nothing is left, there are enough of them.
    edges = Counter(settled.waiter)
    return [node for node in several if settled.left[node] > edges[node]]


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
