"""One snapshot judged as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.cores import blocked_behind, cores, until_timeout
from agraph._internal.reduction.cycles import Hop, Hops
from agraph._internal.reduction.graph import WaitGraph, build
from agraph._internal.reduction.picked import only, pick
from agraph._internal.reduction.reduce import levels
from agraph._internal.reduction.residue import residue
from agraph._internal.reduction.verdict import VERDICTS, Verdict, certainty, rank
from agraph._internal.rows import of_kind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from agraph._internal.model import Node, Snapshot
    from agraph._internal.reduction.cores import Core
    from agraph._internal.reduction.reduce import Levels


class Stuck(NamedTuple):
    """A core that is a deadlock.

    Attributes:
        certainty: `certain`, `possible` or `stalled`.
        members: The nodes of the core, by name.
        cycle: A shortest cycle in it; for a node that nobody can free, the one step that leads to it.
        behind: Tasks that are stuck because of it, nearest first, and that no timeout frees before it.
    """

    certainty: Verdict
    members: Sequence[Node]
    cycle: Sequence[Hop]
    behind: Sequence[Node]


class Judgement(NamedTuple):
    """What can be said of a snapshot.

    Attributes:
        graph: Its wait graph.
        verdicts: For each node the position of its verdict in `VERDICTS`.
        deadlocks: The worst first.
    """

    graph: WaitGraph
    verdicts: bytes
    deadlocks: tuple[Stuck, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its tasks and deadlocks (threads can be stuck without any task)."""
        tasks = of_kind(self.graph.snapshot.nodes, "task")
        worst = max(map(self.verdicts.__getitem__, tasks), default=0)
        return VERDICTS[max([worst, *(rank(one.certainty) for one in self.deadlocks)])]


def judge(snapshot: Snapshot) -> Judgement:
    """Decide for each task whether it can ever proceed, and find what keeps the others.

    Args:
        snapshot: The snapshot.

    Returns:
        The judgement, in time linear in nodes and edges.

    Raises:
        SnapshotError: An edge names a node that is not in the snapshot.
    """
    graph = build(snapshot)
    found = levels(graph)
    return Judgement(graph, verdicts(snapshot, found), _deadlocks(graph, found))


def verdicts(snapshot: Snapshot, found: Levels) -> bytes:
    """The verdict of each node.

    Args:
        snapshot: What was reduced.
        found: How firmly each node is stuck.

    Returns:
        For each node the position of its verdict in `VERDICTS`.
    """
    first = bytes(rank(certainty(snapshot, level)) for level in range(4))
    return found.level.translate(first + bytes(range(4, 256)))


def is_deadlock(snapshot: Snapshot, core: Core) -> bool:
    """Whether a core is one; else it is only awaited, and who could free it is not known.

    Args:
        snapshot: What was reduced.
        core: The core.

    Returns:
        Whether its members wait for each other, or nobody can ever free it.
    """
    return core.cyclic or certainty(snapshot, core.level) == "certain"


def _deadlocks(graph: WaitGraph, found: Levels) -> tuple[Stuck, ...]:
    rest = residue(graph, found)
    all_cores = cores(found, rest)
    if not all_cores:
        return ()
    steps = Hops(graph, rest, all_cores)
    deadlocks = [
        Stuck(
            certainty(graph.snapshot, core.level),
            pick(graph.snapshot.nodes, steps.members(core)),
            steps.cycle(core),
            pick(graph.snapshot.nodes, _without(tasks, until_timeout(found, core, tasks))),
        )
        for core, tasks in zip(all_cores, blocked_behind(graph, found, all_cores), strict=True)
        if is_deadlock(graph.snapshot, core)
    ]
    return tuple(sorted(deadlocks, key=_worst_first))


def _without(tasks: Sequence[int], some: Collection[int]) -> Sequence[int]:
    left_out = set(some)
    return [task for task in tasks if task not in left_out] if left_out else tasks


def _worst_first(one: Stuck) -> tuple[int, int]:
    return -rank(one.certainty), -len(only(one.members, {"task"})) - len(one.behind)
