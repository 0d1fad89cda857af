"""Decide who can proceed: a work-list over integer arrays, linear, without recursion.

A node can proceed when `need` of its awaited nodes can. That is a monotone rule, so it has a least fixpoint,
and the order in which nodes are looked at does not matter (Holt 1972 for the reduction of resource graphs;
Knapp 1987 for the k-of-n model that covers AND, OR and everything between).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph._internal.edge_rows import edge_column, has_inferred
from agraph._internal.reduction.cancel import Cancellation
from agraph._internal.reduction.graph import beyond_edges, where_zero
from agraph._internal.rows import set_in, values_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableSequence, Sequence

    from agraph._internal.reduction.graph import WaitGraph


class Reduction:
    """The set of nodes that can proceed. It only ever grows.

    Attributes:
        left: For each node, how many more of its awaited nodes have to proceed.
        live: For each node, 1 once it can proceed.
        shut: Tasks whose loop is not known to turn yet.
    """

    __slots__ = ("graph", "left", "live", "shut")

    def __init__(self, graph: WaitGraph) -> None:
        """Start with the nodes that need nothing."""
        settled = graph.settled
        self.graph: WaitGraph = graph
        self.left: MutableSequence[int] = copy(settled.left)
        self.live: bytearray = bytearray(settled.live)
        self.shut: set[int] = {task for tasks in graph.gates.values() for task in tasks}
        self._grow(list({*settled.ahead, *(loop for loop in graph.gates if self.live[loop])}))

    def copy(self) -> Reduction:
        """An independent copy."""
        twin = object.__new__(Reduction)
        twin.graph = self.graph
        twin.left = copy(self.left)
        twin.live = bytearray(self.live)
        twin.shut = self.shut.copy()
        return twin

    def stuck(self) -> Sequence[int]:
        """The nodes that cannot proceed, in order."""
        return where_zero(self.live)

    def release(self, nodes: Iterable[int]) -> None:
        """Let nodes stop waiting for their awaited nodes. A task still needs its loop to turn."""
        work = []
        for node in nodes:
            self.left[node] = 0
            if not self.live[node] and node not in self.shut:
                self.live[node] = 1
                work.append(node)
        self._grow(work)

    def force(self, nodes: Iterable[int]) -> None:
        """Let nodes proceed whatever they wait for, their loop included."""
        work = [node for node in nodes if not self.live[node]]
        for node in work:
            self.left[node] = 0
            self.live[node] = 1
        self._grow(work)

    def relax(self, nodes: Iterable[int]) -> None:
        """Let one awaited node be enough for each of these."""
        spare = [(node, self.graph.need[node] - 1) for node in nodes]
        done = []
        for node, more in spare:
            if more > 0:
                self.left[node] = max(self.left[node] - more, 0)
                if not self.left[node]:
                    done.append(node)
        self.release(done)

    def _grow(self, work: list[int]) -> None:
        if not work:
            return
        left, live, shut = self.left, self.live, self.shut
        # Edges to what the graph has settled as live are counted already, and are not in these rows.
        waiters_of, gates = self.graph.unsettled_waiters, self.graph.gates
        while work:
            node = work.pop()
            for by in waiters_of(node):
                if left[by] > 0:
                    left[by] -= 1
                    if left[by] == 0 and by not in shut and not live[by]:
                        live[by] = 1
                        work.append(by)
            if node in gates:
                work.extend(self._open(node))

    def _open(self, loop: int) -> list[int]:
        freed = []
        for task in self.graph.gates[loop]:
            self.shut.discard(task)
            if self.left[task] <= 0 and not self.live[task]:
                self.live[task] = 1
                freed.append(task)
        return freed


@dataclass(frozen=True, slots=True)
class Levels:
    """How firmly each node is stuck.

    Attributes:
        level: For each node 0: can proceed; 1: not before a timer; 2: not unless an unknown party helps or a
            wait fails; 3: never.
        own: Like `level`, but 0 for nodes stuck at that level only because a node of a higher one is.
        states: For each level that occurs, its reduction, with the nodes of higher levels made to proceed.
    """

    level: bytes
    own: bytes
    states: dict[int, Reduction]


def levels(graph: WaitGraph) -> Levels:
    """Reduce three times, each time with more escapes allowed.

    Each run goes on from the one before: escapes only add to what can proceed, so the result is the same as
    from the start.

    Args:
        graph: The wait graph.

    Returns:
        The level of each node, in time linear in nodes and edges.
    """
    strict = Reduction(graph)
    size = len(strict.live)
    if all(strict.live):
        return Levels(bytes(size), bytes(size), {})
    timed = strict.copy()
    cancellation = Cancellation(graph)
    timed.release([*graph.timers, *cancellation.of(graph.timers)])
    generous = timed.copy()
    generous.relax([node for node in set_in(graph.snapshot.nodes, "exc") if not timed.live[node]])
    unknown = set_in(graph.snapshot.nodes, "open")
    generous.release(sorted({*unknown, *beyond_edges(graph, timed.live), *_by_inferred(graph)}))
    # Whoever frees a task may do so by cancelling it.
    generous.release(cancellation.of(node for node in unknown if graph.is_task[node]))
    cancellation.end_groups(generous)
    level = _levels(strict.live, timed.live, generous.live)
    stuck = strict.stuck()
    states = {3: generous, 2: timed, 1: strict}
    for value in (2, 1):
        if value in level:  # nobody asks for the others
            states[value].force([node for node in stuck if level[node] > value])
    own = _own(level, states)
    return Levels(level, own, {value: state for value, state in states.items() if value in own})


def _own(level: bytes, states: Mapping[int, Reduction]) -> bytes:
    """Of each node the level, where the reduction of that level leaves it stuck; else 0."""
    found = 0
    for value, state in states.items():
        if value in level:  # as numbers, which are put together at the speed of memory
            here = level.translate(bytes([one if one == value else 0 for one in range(256)]))
            stuck = state.live.translate(b"\xff" + bytes(255))
            found |= int.from_bytes(here, "little") & int.from_bytes(stuck, "little")
    return found.to_bytes(len(level), "little")


def _levels(*lives: bytearray) -> bytes:
    """How many of three runs leave each node stuck: each run frees what the one before it does, and more."""
    freed = sum(int.from_bytes(live, "little") for live in lives)  # byte by byte, for no sum is above 3
    return freed.to_bytes(len(lives[0]), "little").translate(bytes([3, 2, 1, 0]) + bytes(252))


def _by_inferred(graph: WaitGraph) -> set[int]:
    """Those that wait by an inferred edge, and that another party may free than the one it leads to."""
    nodes, edges = graph.snapshot.nodes, graph.snapshot.edges
    if not has_inferred(edges):
        return set()
    words = edge_column(edges, "confidence", graph.source)
    inferred = {by for by, word in zip(graph.waiter, words, strict=True) if word == "probable"}
    # Whoever else might free one that was proved to be closed is stuck as well.
    return inferred - {at for at, detail in values_in(nodes, "detail", "proved") if "proved" in detail}
