"""From "these nodes are stuck" to what a person can act on: one report a core, the rest attached to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import (
    Hop,
    Hops,
    assumptions,
    blocked_behind,
    certainty,
    cores,
    is_deadlock,
    residue,
    set_in,
)
from agraph_cli.analysis.advice import Adviser
from agraph_cli.analysis.model import Deadlock, Orphan, worst_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph import Node
    from agraph.reduction import Core, Levels, Reduction, Residue, WaitGraph

# A core with more waits than this is shown by its shortest cycle.
_MAX_HOPS = 60
_MAX_CUTS_TRIED = 16


def explain(graph: WaitGraph, levels: Levels) -> tuple[tuple[Deadlock, ...], tuple[Orphan, ...]]:
    """Find the cores and describe them.

    Args:
        graph: The wait graph.
        levels: How firmly each node is stuck.

    Returns:
        The deadlocks, the worst first; and what is awaited though nobody is known who could free it, the one
        with the most tasks behind it first.
    """
    rest = residue(graph, levels)
    found = cores(levels, rest)
    behind = [tuple(map(graph.node, tasks)) for tasks in blocked_behind(graph, levels, found)]
    if not found:
        return (), tuple(_orphans(graph, levels, found, behind))
    hops, adviser = Hops(graph, rest, found), Adviser(graph.snapshot)
    deadlocks = [
        _Core(graph, levels, rest, hops, core).describe(tasks, adviser)
        for core, tasks in zip(found, behind, strict=True)
        if is_deadlock(graph.snapshot, core)
    ]
    orphans = _orphans(graph, levels, found, behind)
    return tuple(sorted(deadlocks, key=worst_first)), tuple(orphans)


class _Core:
    """One core on its way to becoming a `Deadlock`."""

    def __init__(self, graph: WaitGraph, levels: Levels, rest: Residue, hops: Hops, core: Core) -> None:
        self.graph = graph
        self.state: Reduction = levels.states[core.level]
        self.core = core
        self.rest = rest
        self.hops = hops
        self.inside = set(core.members)
        self.members = hops.members(core)
        self.actors = hops.actors(core)

    def describe(self, behind: tuple[Node, ...], adviser: Adviser) -> Deadlock:
        graph, members = self.graph, self.members
        cycle = self.hops.cycle(self.core)
        hops = self._hops() if self.core.cyclic and self._size() <= _MAX_HOPS else cycle
        nodes = tuple(graph.node(node) for node in members)
        sure = certainty(graph.snapshot, self.core.level)
        cut, frees = self._best_cut()
        return Deadlock(
            certainty=sure,
            members=nodes,
            cycle=cycle,
            hops=hops,
            knot=self._is_knot(),
            behind=behind,
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

    def _size(self) -> int:
        return sum(to in self.inside for node in self.members for to in self.rest.successors[node])

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
        waits = {node: len(set(self.rest.successors[node]) & self.inside) for node in self.core.members}
        return any(0 < self.graph.need[node] < ways for node, ways in waits.items())

    def _best_cut(self) -> tuple[int, int]:
        candidates = list(dict.fromkeys([*self.actors, *self.members]))  # whom one would ask to give way
        best, most = candidates[0], -1
        for node in candidates[:_MAX_CUTS_TRIED]:
            freed = self._freed_by(node)
            tasks = sum(map(self.graph.is_task.__getitem__, freed))
            if tasks > most:
                best, most = node, tasks
            if freed >= self.inside:  # then no other member frees more
                break
        return best, most

    def _freed_by(self, seed: int) -> set[int]:
        """What could go on, at this level, if one node did. The cost is that of what is freed."""
        left: dict[int, int] = {}
        free = {seed}
        work = [seed]
        while work:
            node = work.pop()
            for by in self.graph.waiters_of(node):
                if self.state.live[by] or by in free:
                    continue
                opens = node == self.rest.loop_of.get(by)
                left[by] = left.get(by, self.state.left[by]) - (not opens)
                shut = by in self.state.shut and not (opens or self.rest.loop_of.get(by) in free)
                if left[by] <= 0 and not shut:
                    free.add(by)
                    work.append(by)
        return free


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
