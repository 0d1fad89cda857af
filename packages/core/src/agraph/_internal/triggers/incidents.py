"""Which part of a snapshot is worth waking somebody up for.

Most of what stands still in a service is idle: it waits for the next request. So only cores of the reduction
count: what is stuck for certain, and cycles, which only an unknown party or a failing wait could end. What a
timeout will end, and single waits for what somebody may or may not do, are left to `agraph analyze`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.cores import blocked_behind, cores, residue
from agraph._internal.reduction.graph import build
from agraph._internal.reduction.reduce import levels
from agraph._internal.reduction.verdict import certainty
from agraph._internal.triggers.report import count_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from agraph._internal.model import Snapshot

_POSSIBLE = 2


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
        if not core.cyclic and verdict != "certain":
            continue
        members = [graph.node(position) for position in core.members]
        tasks = [node for node in members if node.kind == "task"] or [graph.node(one) for one in followers]
        if not tasks or (still is not None and not all(task.key in still for task in tasks)):
            continue
        waits = frozenset((task.key, task.wait) for task in tasks)
        certain = "can never go on" if verdict == "certain" else "hold each other up, as far as can be seen"
        more = f", {len(followers):,} more behind" if followers and len(members) > len(followers) else ""
        yield Incident(waits, f"{count_words(len(tasks), 'task')} {certain}{more}")
