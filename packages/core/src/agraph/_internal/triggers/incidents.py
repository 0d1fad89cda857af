"""Which part of a snapshot is worth waking somebody up for.

Most of what stands still in a service is idle: it waits for the next request. Only this counts: what is stuck
for certain; and cycles of tasks, locks and pools that only an unknown party or a failing wait could end. In a
cycle through an event or a queue somebody may still set it or fill it, and idle workers look just like that.
Those, what a timeout will end, and single waits are left to `agraph analyze`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.components import components
from agraph._internal.reduction.cores import blocked_behind, cores
from agraph._internal.reduction.graph import build
from agraph._internal.reduction.reduce import levels
from agraph._internal.reduction.residue import residue
from agraph._internal.reduction.verdict import certainty
from agraph._internal.triggers.report import count_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from agraph._internal.model import Snapshot
    from agraph._internal.reduction.cores import Core
    from agraph._internal.reduction.graph import WaitGraph
    from agraph._internal.reduction.residue import Residue

_POSSIBLE = 2
# Anybody who has one of these may free whoever waits for it, at any time.
_FREED_BY_ANYBODY = frozenset({"event", "condition", "queue", "barrier"})


class Incident(NamedTuple):
    """Tasks that hold each other up.

    Attributes:
        waits: Who they are and what they wait for: the same in the next snapshot if none of them has moved.
        sentence: What to say of them.
    """

    waits: frozenset[tuple[int | None, int | None]]
    sentence: str


def incidents(snapshot: Snapshot, still: Collection[int] | None) -> Iterator[Incident]:
    """What is worth reporting in a snapshot, the firmest first.

    Args:
        snapshot: The snapshot.
        still: The keys of the tasks that have not moved for long enough; others are not judged yet. None
            for all tasks.
    """
    graph = build(snapshot)
    found = levels(graph)
    rest = residue(graph, found)
    every = [core for core in cores(found, rest) if core.level >= _POSSIBLE]
    behind = blocked_behind(graph, found, every)
    for core, followers in zip(every, behind, strict=True):
        verdict = certainty(snapshot, core.level)
        for part in [core.members] if verdict == "certain" else _cycles(graph, rest, core):
            stuck = [position for position in part if graph.node(position).kind == "task"] or followers
            tasks = [graph.node(position) for position in stuck]
            if not tasks or (still is not None and not all(task.key in still for task in tasks)):
                continue
            waits = frozenset((task.key, task.wait) for task in tasks)
            how = "can never go on" if verdict == "certain" else "hold each other up, as far as can be seen"
            more = 0 if stuck is followers else len(followers)
            more_words = f", {more:,} more behind" if more else ""
            yield Incident(waits, f"{count_words(len(tasks), 'task')} {how}{more_words}")


def _cycles(graph: WaitGraph, rest: Residue, core: Core) -> Iterator[Sequence[int]]:
    """The cycles in a core that do not go through what anybody may set or fill."""
    inside = {node for node in core.members if core.cyclic and graph.node(node).kind not in _FREED_BY_ANYBODY}
    inner = {node: [to for to in rest.successors[node] if to in inside] for node in sorted(inside)}
    for part in components(inner):
        if len(part) > 1 or part[0] in inner[part[0]]:
            yield part
