"""The tasks that a test leaves behind and that are stuck."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakSet

from agraph._internal.discover import find_loops, find_tasks
from agraph._internal.entry import capture
from agraph._internal.identity import key_of
from agraph._internal.reduction.judge import judge
from agraph._internal.reduction.names import Labels, plural, user_site
from agraph._internal.reduction.verdict import VERDICTS, Verdict, rank
from agraph._internal.testing.report import report_on
from agraph._internal.text import plain

if TYPE_CHECKING:
    from agraph._internal.discover import Task
    from agraph._internal.model import Node, Snapshot

# Turns of the loop in which what is about to end can do so.
_TURNS = 10
_MAX_NAMED = 10


class Leftover:
    """Compares the tasks there are with those that there were when it was made."""

    def __init__(self) -> None:
        """Note the tasks that there are: those of fixtures, and of tests before."""
        self._before: WeakSet[Task] = WeakSet(_all_tasks())

    async def settle(self) -> None:
        """Let the tasks that were cancelled or woken come to their end."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def complaint(self) -> str:
        """What is wrong with the tasks that are new.

        A task that can proceed is no reason to complain: it sleeps, waits for the network, or is about to
        end. Nor is one that a timeout frees.

        Returns:
            Lines of text that name them and where they wait, and the report; empty if nothing is wrong.
        """
        known = {key_of(task) for task in self._before}
        snapshot = capture()
        judgement = judge(snapshot)
        stuck = [
            (node, VERDICTS[value])
            for node, value in zip(snapshot.nodes, judgement.verdicts, strict=True)
            if node.kind == "task" and value >= rank("possible") and node.key not in known
        ]
        return "\n".join(_lines(snapshot, stuck)) if stuck else ""


def _all_tasks() -> list[Task]:
    return find_tasks({key: loop for key, (loop, _) in find_loops().items()})[0]


def _lines(snapshot: Snapshot, stuck: list[tuple[Node, Verdict]]) -> list[str]:
    label = Labels(snapshot)
    nodes = {node.id: node for node in snapshot.nodes}
    awaited = {
        edge.waiter: nodes[edge.awaited] for edge in reversed(snapshot.edges) if edge.kind != "structural"
    }
    lines = [f"The test left {plural(len(stuck), 'stuck task')} behind:"]
    for node, verdict in stuck[:_MAX_NAMED]:
        what = f" for {plain(label(awaited[node.id]))}" if node.id in awaited else ""
        site = user_site(snapshot, node)
        where = f" at {plain(site.file)}:{site.line} in {plain(site.function)}" if site else ""
        lines.append(f"  {plain(label(node))} ({verdict}) waits{what}{where}")
    if len(stuck) > _MAX_NAMED:
        lines.append(f"  ... and {len(stuck) - _MAX_NAMED} more")
    return [*lines, "", report_on(snapshot)]
