"""`agraph analyze --task NAME`: one task, what it waits for hop by hop, and who waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import EXPLAINED
from agraph_cli.analysis.trace import trace
from agraph_cli.report.findings import finding_lines
from agraph_cli.report.full import ROLES, stack_lines
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean, columns, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph import Node
    from agraph_cli.analysis.model import Across, SnapshotAnalysis
    from agraph_cli.analysis.trace import Trace
    from agraph_cli.report.style import Style


def task_report(
    one: SnapshotAnalysis, index: int, style: Style, across: Across | None = None
) -> Iterator[str]:
    """The report on one task.

    Args:
        one: The analysis of a snapshot.
        index: The position of the task in the snapshot's nodes.
        style: How it looks.
        across: The processes that wait for each other, if any do.

    Yields:
        Lines without line ends.
    """
    say = Sentences(one, style)
    found = trace(one, index)
    task = found.task
    verdict = style.paint(found.verdict, ROLES[found.verdict])
    yield f"Task {style.paint(say.label(task), 'strong')}: {verdict}. {EXPLAINED[found.verdict]}"
    waited = say.waited(task) if task.need else None
    facts = [
        task.state if waited is None else f"waiting for {seconds(waited)}",
        f"coroutine {task.type}" if task.type else "",
        "" if task.timer is None else f"a timer frees it in {seconds(say.left(task.timer))}",
    ]
    if any(facts):
        yield f"  {clean(', '.join(fact for fact in facts if fact))}"
    yield ""
    whole, way = _whole_way(one, index, found, across)
    says = Sentences(whole, style) if whole is not one else say
    yield from _waits(way, says)
    yield from _hidden(one, task, style)
    stack = stack_lines(one, task, style)
    if stack:
        yield "  Stack, innermost first:"
        yield from style.some([f"    {line}" for line in stack], "    ")
        yield ""
    if found.awaited_by:
        yield f"  Awaited by ({len(found.awaited_by)}):"
        rows = columns([(say.label(node), say.place(node)) for node in found.awaited_by])
        yield from style.some([f"    {line}" for line in rows], "    ")
        yield ""
    if way.deadlock is not None:
        yield f"  See {says.headline(whole.deadlocks[way.deadlock])}"
        yield ""


def _whole_way(
    one: SnapshotAnalysis, index: int, found: Trace, across: Across | None
) -> tuple[SnapshotAnalysis, Trace]:
    """The way to what keeps a task, through other processes where it leads there; and what it is of."""
    place = across.place(one, index) if across is not None and found.deadlock is None else None
    if across is None or place is None:
        return one, found
    further = trace(across.one, place)
    return (across.one, further) if len(further.chain) > len(found.chain) else (one, found)


def _waits(found: Trace, say: Sentences) -> Iterator[str]:
    if not found.waits:
        what = "It sleeps" if found.task.timer is not None else "It waits for nothing that the snapshot knows"
        yield f"  {what}{_why(found)}."
        yield ""
        return
    rows = say.hops(found.waits) if len(found.waits) > 1 else []
    rows += say.hops(found.chain)
    end = found.chain[-1].awaited
    yield "  What it waits for:"
    yield from say.style.some([f"    {line}" for line in columns(rows)], "    ")
    if any(end == hop.waiter for hop in found.chain):
        yield f"    {say.style.corner}back to {say.label(end)}"
    yield ""


def _hidden(one: SnapshotAnalysis, task: Node, style: Style) -> Iterator[str]:
    found = [orphan for orphan in one.orphans if orphan.findings and task in orphan.waiters]
    if found:
        yield "  What hides who ends this wait:"
        for finding in dict.fromkeys(finding for orphan in found for finding in orphan.findings):
            yield from finding_lines(finding, style, "    ")
        yield ""


def _why(found: Trace) -> str:
    return f" ({clean(found.task.open)})" if found.task.open else ""
