"""What to say of tasks that are not deadlocked: the longest wait, where most wait, what it all hangs on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph import Node
    from agraph_cli.analysis.model import SnapshotAnalysis


@dataclass(frozen=True, slots=True)
class Survey:
    """A look over one snapshot.

    Attributes:
        longest: The task that has waited longest, and for how many seconds; None when no wait has a start.
        waiting: How many tasks wait.
        fan_in: What most waiters wait for directly, and how many do; None when nothing is awaited.
        leaves: What everything hangs on in the end, as (what, how many, one of them), most first.
    """

    longest: tuple[Node, float] | None
    waiting: int
    fan_in: tuple[Node, int] | None
    leaves: tuple[tuple[str, int, Node], ...]


def survey(one: SnapshotAnalysis) -> Survey:
    """Look over one snapshot.

    Args:
        one: Its analysis.

    Returns:
        The survey.
    """
    tasks = [node for node in one.snapshot.nodes if node.kind == "task" and node.need]
    return Survey(_longest(one, tasks), len(tasks), _fan_in(one), _leaves(one))


def _longest(one: SnapshotAnalysis, tasks: Sequence[Node]) -> tuple[Node, float] | None:
    waits = [node for node in tasks if node.since is not None]
    if not waits:
        return None
    oldest = min(waits, key=lambda node: (node.since or 0.0, node.id))
    return oldest, max(0.0, one.snapshot.capture.end_monotonic - (oldest.since or 0.0))


def _fan_in(one: SnapshotAnalysis) -> tuple[Node, int] | None:
    start = one.graph.start
    counts = [start[index + 1] - start[index] for index in range(len(start) - 1)]
    most = max(counts, default=0)
    return (one.snapshot.nodes[counts.index(most)], most) if most else None


def _leaves(one: SnapshotAnalysis) -> tuple[tuple[str, int, Node], ...]:
    waiting = set(one.graph.waiter)
    counts: Counter[str] = Counter()
    example: dict[str, Node] = {}
    for position, node in enumerate(one.snapshot.nodes):
        awaited = one.graph.start[position] < one.graph.start[position + 1]
        if position in waiting or not (node.kind == "task" or awaited):
            continue
        what = leaf_word(node)
        counts[what] += 1
        example.setdefault(what, node)
    return tuple((what, count, example[what]) for what, count in counts.most_common())


def leaf_word(node: Node) -> str:
    """What a node that waits for no other waits for instead.

    Args:
        node: A node without wait edges.

    Returns:
        One of `timer`, `I/O`, `thread`, `unknown` and the states of a task that does not wait.
    """
    if node.timer is not None or node.kind == "timer":
        return "timer"
    if node.kind == "io":
        return "I/O"
    if node.kind in {"thread", "work_item"}:
        return "thread"
    if node.open or node.need > 0:
        return "unknown"
    return node.state or "running"
