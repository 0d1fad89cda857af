"""From "these nodes are stuck" to what a person can act on: one report a core, the rest attached to it."""

from __future__ import annotations

from array import array
from copy import copy
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

from agraph.reduction import (
    Hop,
    Hops,
    assumptions,
    blocked_behind,
    certainty,
    cores,
    is_deadlock,
    pick,
    residue,
    set_in,
    until_timeout,
)
from agraph_cli.analysis.advice import Adviser
from agraph_cli.analysis.model import Deadlock, Orphan, worst_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph import Node, Snapshot
    from agraph.reduction import Core, Levels, Reduction, Residue, WaitGraph

# A core with more waits than this is shown by its shortest cycle.
_MAX_HOPS = 60
_MAX_CUTS_TRIED = 16
# So many waits are looked at for whom the others certainly wait for: a cycle may have a million.
_MAX_TOLD = 1_000


class Blamed:
    """The cores of a snapshot, before they are put into words.

    Attributes:
        graph: The wait graph.
        levels: How firmly each node is stuck.
        rest: The residue.
        cores: Its cores.
        behind: For each core the positions of the tasks that are stuck because of it.
    """

    __slots__ = ("behind", "cores", "graph", "levels", "rest")

    def __init__(self, graph: WaitGraph, levels: Levels) -> None:
        """Find the cores."""
        self.graph = graph
        self.levels = levels
        self.rest: Residue = residue(graph, levels)
        self.cores: Sequence[Core] = cores(levels, self.rest)
        self.behind: Sequence[Sequence[int]] = blocked_behind(graph, levels, self.cores)

    def of_another(self, snapshot: Snapshot) -> Blamed:
        """The same for another snapshot, which shows the same graph."""
        same = copy(self)
        same.graph = copy(self.graph)
        same.graph.snapshot = snapshot
        return same

    @property
    def deadlocks(self) -> list[int]:
        """Which of the cores are deadlocks."""
        snapshot = self.graph.snapshot
        return [number for number, core in enumerate(self.cores) if is_deadlock(snapshot, core)]

    def describe(self) -> dict[int, Deadlock]:
        """The deadlocks, by the numbers of their cores."""
        numbers = self.deadlocks
        if not numbers:
            return {}
        graph, hops = self.graph, Hops(self.graph, self.rest, self.cores)
        adviser, marks = Adviser(graph.snapshot), bytearray(len(self.levels.own))
        levels = self.levels
        found: dict[int, Deadlock] = {}
        for number in numbers:
            core, tasks = self.cores[number], self.behind[number]
            timed = until_timeout(levels, core, tasks)
            found[number] = _Core(levels, self.rest, hops, core, marks).describe(tasks, timed, adviser)
        return found

    def orphans(self) -> tuple[Orphan, ...]:
        """What is awaited though nobody is known who could free it, that with the most tasks behind first."""
        nodes = self.graph.snapshot.nodes
        behind = [pick(nodes, tasks) for tasks in self.behind]
        return tuple(_orphans(self.graph, self.levels, self.cores, behind))


def explain(graph: WaitGraph, levels: Levels) -> tuple[tuple[Deadlock, ...], tuple[Orphan, ...]]:
    """Find the cores and describe them.

    Args:
        graph: The wait graph.
        levels: How firmly each node is stuck.

    Returns:
        The deadlocks, the worst first; and what is awaited though nobody is known who could free it, the one
        with the most tasks behind it first.
    """
    blamed = Blamed(graph, levels)
    return tuple(sorted(blamed.describe().values(), key=worst_first)), blamed.orphans()


class _Core:
    """One core on its way to becoming a `Deadlock`."""

    def __init__(self, levels: Levels, rest: Residue, hops: Hops, core: Core, marks: bytearray) -> None:
        self.graph = hops.graph
        self.state: Reduction = levels.states[core.level]
        self.core = core
        self.rest = rest
        self.hops = hops
        self.marks = marks  # for each node 0, between two searches
        self.members = hops.members(core)
        self.actors = hops.actors(core)

    @cached_property
    def inside(self) -> set[int]:
        return set(self.core.members)

    def describe(self, behind: Sequence[int], timed: Sequence[int], adviser: Adviser) -> Deadlock:
        graph = self.graph
        if timed:
            left_out = set(timed)
            behind = [task for task in behind if task not in left_out]
        cycle = self.hops.cycle(self.core)
        hops = self._hops() if self.core.cyclic and self._is_small() else cycle
        nodes = pick(graph.snapshot.nodes, self.members)
        sure = certainty(graph.snapshot, self.core.level)
        cut, frees = self._best_cut(hops)
        return Deadlock(
            certainty=sure,
            members=nodes,
            cycle=cycle,
            hops=hops,
            knot=self._is_knot(),
            behind=pick(graph.snapshot.nodes, behind),
            behind_until_timeout=pick(graph.snapshot.nodes, timed),
            frees=frees,
            cut=graph.node(cut),
            until=min((node.timer for node in nodes if node.timer is not None), default=None)
            if sure == "stalled"
            else None,
            assumptions=tuple(assumptions(graph.snapshot, adviser.label, nodes, hops, sure)),
            help=adviser.advice(nodes, cycle),
        )

    def _hops(self) -> tuple[Hop, ...]:
        found = []
        for node in self._in_order():
            found += [
                self.hops.hop(node, to)
                for to in dict.fromkeys(self.rest.successors[node])
                if to in self.inside
            ]
        return tuple(found)

    def _is_small(self) -> bool:
        if len(self.members) > _MAX_HOPS:
            return False
        size = sum(to in self.inside for node in self.members for to in self.rest.successors[node])
        return size <= _MAX_HOPS

    def _in_order(self) -> list[int]:
        # Depth first from the first task, so that a wait is followed by what it waits for.
        seen: dict[int, None] = {}
        work = [*reversed(self.members), *self.actors[:1]]
        while work:
            node = work.pop()
            if node not in seen:
                seen[node] = None
                work += [to for to in reversed(self.rest.successors[node]) if to in self.inside]
        return list(seen)

    def _is_knot(self) -> bool:
        need, successors = self.graph.need, self.rest.successors
        branching = successors.branching.intersection(self.core.members)
        several = (node for node in branching if 0 < need[node] < successors.ways(node))
        return any(need[node] < len(set(successors[node]) & self.inside) for node in several)

    def _best_cut(self, hops: Sequence[Hop]) -> tuple[int, int]:
        # Nobody is to give way whom the others only might be waiting for.
        told = chain(islice(hops, _MAX_TOLD), hops[-1:])  # the last one leads back to the first node
        firm = {hop.awaited.id for hop in told if hop.edge is None or hop.edge.confidence == "exact"}
        actors = [node for node in self.actors[:_MAX_HOPS] if self.graph.node(node).id in firm]
        others = self.members if not 0 < len(actors) < len(self.actors) else ()
        candidates = dict.fromkeys(islice(chain(actors or self.actors, others), 2 * _MAX_CUTS_TRIED))
        best, most = -1, -1
        for node in islice(candidates, _MAX_CUTS_TRIED):  # whom one would ask to give way
            tasks, whole = self._freed_by(node)
            if tasks > most:
                best, most = node, tasks
            if whole:  # then no other member frees more
                break
        return best, most

    def _freed_by(self, seed: int) -> tuple[int, bool]:
        """If one node could go on: how many tasks could, at this level, and whether all of the core could."""
        left: dict[int, int] = {}
        free = array("q", [seed])
        marks, loop_of = self.marks, self.rest.loop_of
        live, before, shut_in = self.state.live, self.state.left, self.state.shut
        gated = bool(loop_of) or bool(shut_in)
        marks[seed] = 1
        for node in free:  # it grows meanwhile, so that the cost is that of what is freed
            for by in self.graph.waiters_of(node):
                if live[by] or marks[by]:
                    continue
                if before[by] == 1 and not gated:  # most of them
                    marks[by] = 1
                    free.append(by)
                    continue
                opens = node == loop_of.get(by)
                more = left.get(by, before[by]) - (not opens)
                shut = by in shut_in and not (opens or (by in loop_of and marks[loop_of[by]]))
                if more <= 0 and not shut:
                    marks[by] = 1
                    free.append(by)
                else:
                    left[by] = more
        whole = all(map(marks.__getitem__, self.core.members))
        for node in free:
            marks[node] = 0
        return sum(map(self.graph.is_task.__getitem__, free)), whole


def _orphans(
    graph: WaitGraph, levels: Levels, found: Sequence[Core], behind: Sequence[Sequence[Node]]
) -> list[Orphan]:
    stuck = {core.members[0]: tasks for core, tasks in zip(found, behind, strict=True) if not core.cyclic}
    unknown = set(set_in(graph.snapshot.nodes, "open"))
    if unknown:
        unknown -= unknown.intersection(graph.waiter)
        unknown = {position for position in unknown if graph.node(position).timer is None}
    orphans = []
    for position in sorted({*stuck, *unknown}):
        node = graph.node(position)
        waiters = tuple(graph.node(by) for by in graph.waiters_of(position) if graph.node(by).kind == "task")
        tasks = stuck.get(position, ())
        if waiters or tasks or node.kind == "task":
            verdict = certainty(graph.snapshot, levels.level[position])
            orphans.append(Orphan(node, verdict, waiters, len(tasks) + (node.kind == "task")))
    return sorted(orphans, key=lambda orphan: (-orphan.behind, -len(orphan.waiters), orphan.node.id))
