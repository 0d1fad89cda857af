"""`agraph analyze --format table`: a row for each task."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

from agraph.reduction import VERDICTS, edges_of
from agraph_cli.analysis.names import listed, plural
from agraph_cli.report.full import ROLES
from agraph_cli.report.picture import headline, shortened
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Node
    from agraph.reduction import Verdict
    from agraph_cli.analysis.model import Analysis, SnapshotAnalysis
    from agraph_cli.report.style import Style

TITLES = ("VERDICT", "TASK", "STATE", "FOR", "WAITS FOR", "HELD BY", "WHERE")
# No column but the last is wider than this, so that a long name does not push the rest away.
_WIDEST = 32
_HELD = {"lock", "semaphore", "resource"}


class Row(NamedTuple):
    """A task, in words that are safe to print. The fields are the columns, `TITLES` their names."""

    verdict: Verdict
    task: str
    state: str
    waited: str
    waits_for: str
    held_by: str
    where: str


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """The verdict, and the table.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How it looks; its `limit` is the number of rows.

    Yields:
        Lines without line ends.
    """
    yield style.paint(headline(analysis, style), ROLES[analysis.verdict])
    several = len(analysis.snapshots) > 1
    found = rows(analysis, style)
    if found:
        yield ""
        yield from _aligned(found, style, several=several)
    total = sum(one.tally.total() for one in analysis.snapshots)
    if total > len(found):
        yield f"{style.ellipsis} and {plural(total - len(found), 'more task')} (--all lists them)"


def rows(analysis: Analysis, style: Style) -> list[tuple[SnapshotAnalysis, Row]]:
    """The rows of the tasks, the most firmly stuck first, then those that have waited longest.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How text looks; its `limit` is the number of rows.

    Returns:
        Pairs of the snapshot and the row.
    """
    everything = (
        (-level, _since(one, node), node.name, number, position)
        for number, one in enumerate(analysis.snapshots)
        for position, (node, level) in enumerate(zip(one.snapshot.nodes, one.levels, strict=True))
        if node.kind == "task"
    )
    ordered = sorted(everything) if style.limit is None else nsmallest(style.limit, everything)
    chosen: dict[int, set[int]] = {}
    for *_, number, position in ordered:
        chosen.setdefault(number, set()).add(position)
    makers = {number: _Rows(analysis.snapshots[number], places, style) for number, places in chosen.items()}
    return [
        (analysis.snapshots[number], makers[number].row(position, VERDICTS[-level]))
        for level, _, _, number, position in ordered
    ]


def _since(one: SnapshotAnalysis, node: Node) -> float:
    """Longest wait first: the time to the capture, below zero; what does not wait comes last."""
    if node.since is None or not node.need:
        return 0.0
    return min(0.0, node.since - one.snapshot.capture.end_monotonic)


class _Rows:
    """Makes the rows of some tasks of a snapshot."""

    def __init__(self, one: SnapshotAnalysis, positions: set[int], style: Style) -> None:
        self.graph = one.graph
        self.say = Sentences(one, style)
        self.awaited = self._awaited(positions)
        held = {to for found in self.awaited.values() for to in found if self._is_held(to)}
        self.holders = self._awaited(held)

    def row(self, position: int, verdict: Verdict) -> Row:
        node, say = self.graph.node(position), self.say
        targets = self.awaited.get(position, [])
        holders = list(dict.fromkeys(by for to in targets for by in self.holders.get(to, ())))
        waited = say.waited(node) if node.need else None
        nobody = "unknown" if any(map(self._is_held, targets)) else "-"
        return Row(
            verdict,
            say.label(node),
            clean(node.state) or "-",
            "-" if waited is None else seconds(waited),
            self._names(targets, "or" if node.need < len(targets) else "and") or _itself(node, say),
            self._names(holders, "and") or nobody,
            say.place(node),
        )

    def _awaited(self, nodes: set[int]) -> dict[int, list[int]]:
        graph = self.graph
        found = edges_of(graph, nodes)
        named = {
            node: list(dict.fromkeys(graph.awaited[at] for at in edges)) for node, edges in found.items()
        }
        for loop, tasks in graph.gates.items():
            for task in tasks:
                if task in nodes:
                    named.setdefault(task, []).append(loop)
        return named

    def _is_held(self, position: int) -> bool:
        return self.graph.node(position).kind in _HELD

    def _names(self, positions: Sequence[int], joint: str) -> str:
        return listed([self.say.label(self.graph.node(position)) for position in positions], 3, joint)


def _itself(node: Node, say: Sentences) -> str:
    if node.timer is not None:
        return f"a timer, {seconds(say.left(node.timer))}"
    return "unknown" if node.open or node.need else "-"


def _aligned(found: Sequence[tuple[SnapshotAnalysis, Row]], style: Style, *, several: bool) -> Iterator[str]:
    table: list[Sequence[str]] = [TITLES]
    table += [[*(shortened(cell, _WIDEST) for cell in row[:-1]), row.where] for _, row in found]
    if several:
        names = ["SNAPSHOT", *(style.file(one.path or one.process) for one, _ in found)]
        table = [[*cells, name] for cells, name in zip(table, names, strict=True)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, cells in enumerate(table):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
        if number == 0:
            yield style.paint(line, "strong")
        else:
            verdict = found[number - 1][1].verdict
            yield style.paint(line[: len(verdict)], ROLES[verdict]) + line[len(verdict) :]
