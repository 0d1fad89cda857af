"""Decide who can proceed: a work-list over integer arrays, linear, without recursion.

A node can proceed when `need` of its awaited nodes can. That is a monotone rule, so it has a least fixpoint,
and the order in which nodes are looked at does not matter (Holt 1972 for the reduction of resource graphs;
Knapp 1987 for the k-of-n model that covers AND, OR and everything between).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph._internal.reduction.cancel import Cancellation

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        self.graph = graph
        self.left = graph.need.copy()
        self.live = bytearray(len(graph.need))
        self.shut = {task for tasks in graph.gates.values() for task in tasks}
        self.release([node for node, need in enumerate(graph.need) if need <= 0])

    def copy(self) -> Reduction:
        """An independent copy."""
        twin = object.__new__(Reduction)
        twin.graph = self.graph
        twin.left = self.left.copy()
        twin.live = bytearray(self.live)
        twin.shut = self.shut.copy()
        return twin

    def stuck(self) -> list[int]:
        """The nodes that cannot proceed, in order."""
        return [node for node, live in enumerate(self.live) if not live]

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
                self.left[node] -= more
                if self.left[node] <= 0:
                    done.append(node)
        self.release(done)

    def _grow(self, work: list[int]) -> None:
        left, live, shut = self.left, self.live, self.shut
        start, waiters, gates = self.graph.start, self.graph.waiters, self.graph.gates
        while work:
            node = work.pop()
            for by in waiters[start[node] : start[node + 1]]:
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
    if all(strict.live):
        return Levels(bytes(len(strict.live)), bytes(len(strict.live)), {})
    timed = strict.copy()
    cancellation = Cancellation(graph)
    timers = _with_timer(graph)
    timed.release([*timers, *cancellation.of(timer for timer in timers if not _sleeps(graph, timer))])
    generous = timed.copy()
    generous.relax([node for node in timed.stuck() if graph.node(node).exc])
    generous.release(_with_unknown_party(graph))
    cancellation.end_groups(generous)
    level = bytes(map(_level, strict.live, timed.live, generous.live))
    timed.force([node for node, value in enumerate(level) if value == 3])
    strict.force([node for node, value in enumerate(level) if value >= 2])
    states = {3: generous, 2: timed, 1: strict}
    own = bytes(value if value and not states[value].live[node] else 0 for node, value in enumerate(level))
    return Levels(level, own, {value: state for value, state in states.items() if value in own})


def _level(strict: int, timed: int, generous: int) -> int:
    if strict:
        return 0
    if timed:
        return 1
    return 2 if generous else 3


def _with_timer(graph: WaitGraph) -> list[int]:
    return [position for position, node in enumerate(graph.snapshot.nodes) if node.timer is not None]


def _sleeps(graph: WaitGraph, node: int) -> bool:
    """Whether the timer of a node ends a sleep, and cancels nobody: see `_free_sleepers` in graph.py."""
    return graph.need[node] == 0 < graph.node(node).need


def _with_unknown_party(graph: WaitGraph) -> list[int]:
    found = {position for position, node in enumerate(graph.snapshot.nodes) if node.open}
    edges = graph.snapshot.edges
    for by, source in zip(graph.waiter, graph.source, strict=True):
        if edges[source].confidence == "probable":
            found.add(by)
    return sorted(found)
