"""One task: what it waits for, hop by hop, and who waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph.reduction import VERDICTS, Hop, Verdict, edges_of

if TYPE_CHECKING:
    from agraph import Node
    from agraph_cli.analysis.model import SnapshotAnalysis


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known about one task.

    Attributes:
        task: The task.
        verdict: Its verdict.
        waits: All it waits for directly.
        chain: From there on, the way to what keeps it: at each step to the most firmly stuck. It ends at
            something that waits for nothing, or at a node that it has already been at.
        awaited_by: The tasks that wait for it directly.
        deadlock: The one it belongs to or waits behind, by position in the analysis; None without.
    """

    task: Node
    verdict: Verdict
    waits: tuple[Hop, ...]
    chain: tuple[Hop, ...]
    awaited_by: tuple[Node, ...]
    deadlock: int | None


def find_tasks(one: SnapshotAnalysis, name: str) -> list[int]:
    """Find tasks by name, or by id.

    Args:
        one: The analysis of a snapshot.
        name: The exact name; or, if no task has that name, the id as a number, with or without `#`.

    Returns:
        Positions in the snapshot's nodes.
    """
    nodes = one.snapshot.nodes
    found = [index for index, node in enumerate(nodes) if node.kind == "task" and node.name == name]
    number = name.removeprefix("#")
    if not found and number.isdecimal():
        wanted = int(number)
        found = [index for index, node in enumerate(nodes) if node.kind == "task" and node.id == wanted]
    return found


def trace(one: SnapshotAnalysis, index: int) -> Trace:
    """Follow one task.

    Args:
        one: The analysis of a snapshot.
        index: The position of the task in the snapshot's nodes.

    Returns:
        What is known about it.
    """
    nodes = one.snapshot.nodes
    task = nodes[index]
    edges = edges_of(one.graph, range(len(one.levels)))
    chain: list[Hop] = []
    seen = {index}
    at = index
    while edges.get(at):
        position = max(edges[at], key=lambda position: one.levels[one.graph.awaited[position]])
        chain.append(_hop(one, position))
        at = one.graph.awaited[position]
        if at in seen:
            break
        seen.add(at)
    return Trace(
        task=task,
        verdict=VERDICTS[one.levels[index]],
        waits=tuple(_hop(one, position) for position in edges.get(index, ())),
        chain=tuple(chain),
        awaited_by=tuple(nodes[by] for by in one.graph.waiters_of(index) if nodes[by].kind == "task"),
        deadlock=_deadlock_of(one, task),
    )


def _hop(one: SnapshotAnalysis, position: int) -> Hop:
    graph = one.graph
    edge = one.snapshot.edges[graph.source[position]]
    return Hop(graph.node(graph.waiter[position]), graph.node(graph.awaited[position]), edge)


def _deadlock_of(one: SnapshotAnalysis, task: Node) -> int | None:
    for number, deadlock in enumerate(one.deadlocks):
        if any(
            task.id == node.id
            for node in (*deadlock.members, *deadlock.behind, *deadlock.behind_until_timeout)
        ):
            return number
    return None
