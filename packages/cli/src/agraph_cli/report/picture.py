"""What the pictures show: the deadlocks and what is stuck behind them, nearest first and never too much."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from agraph.reduction import VERDICTS, edges_of
from agraph_cli.analysis.names import listed, plural
from agraph_cli.report.full import no_deadlock
from agraph_cli.report.sentences import Sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph import Node
    from agraph.reduction import Verdict
    from agraph_cli.analysis.model import Analysis, SnapshotAnalysis
    from agraph_cli.report.style import Style

# What is not drawn of a box's text: a name can be as long as its program likes.
_WIDEST = 60


class Box(NamedTuple):
    """A node as it is drawn. All texts are safe to print, not yet for the format of the picture.

    Attributes:
        key: A word for it, unique in the picture.
        label: Its name.
        place: Where it waits; empty when not known.
        kind: Its kind.
        verdict: Its verdict.
        core: Whether it belongs to a deadlock.
    """

    key: str
    label: str
    place: str
    kind: str
    verdict: Verdict
    core: bool


class Arrow(NamedTuple):
    """A wait between two boxes, by their keys; `inferred` when it was not read but concluded."""

    waiter: str
    awaited: str
    kind: str
    inferred: bool
    core: bool


class Picture(NamedTuple):
    """What is drawn, and a sentence each on what it shows and what it leaves out."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    left_out: str


def picture(analysis: Analysis, style: Style) -> Picture:
    """Choose what to draw.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How text looks; its `limit` is the number of boxes.

    Returns:
        The deadlocks with the tasks behind them. Without any, what waits for an unknown party; without that,
        the tasks.
    """
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    missing = 0
    drawn: set[tuple[int, int]] = set()
    cores: dict[int, set[int]] = {}
    for number, one in enumerate(analysis.snapshots):
        room = None if style.limit is None else style.limit - len(boxes)
        shown, left_out = _chosen(one, room)
        drawn.update((number, position) for position in shown)
        missing += left_out
        say = Sentences(one, style)
        core = cores[number] = analysis.core(number)
        boxes += [_box(f"n{number}_", one, position, say, core) for position in shown]
        arrows += _arrows(f"n{number}_", one, set(shown), core)
    arrows += _between(analysis, drawn, cores)
    text = f"{plural(missing, 'more node')} not shown (--all shows everything)" if missing else ""
    return Picture(headline(analysis, style), tuple(boxes), tuple(arrows), text)


def headline(analysis: Analysis, style: Style) -> str:
    """The verdict in a sentence: that of the worst deadlock, or that there is none."""
    found = analysis.deadlocks
    if found:
        one, deadlock = found[0]
        more = more_of(other.certainty for _, other in found[1:])
        return f"{Sentences(one, style).headline(deadlock)}{f' {more}.' if more else ''}"
    if len(analysis.snapshots) == 1:
        return no_deadlock(analysis.snapshots[0])
    return (
        f"No deadlock in {plural(len(analysis.snapshots), 'snapshot')}: the worst verdict is "
        f"{analysis.verdict}."
    )


def more_of(others: Iterable[Verdict]) -> str:
    """How many deadlocks there are besides, of each certainty.

    Args:
        others: Their certainties.

    Returns:
        `And 1 more deadlock and 2 more possible deadlocks`; empty for none.
    """
    words = {"certain": "more deadlock", "possible": "more possible deadlock", "stalled": "more stall"}
    counts = Counter(others)
    found = [plural(counts[verdict], words[verdict]) for verdict in reversed(VERDICTS) if counts[verdict]]
    return f"And {listed(found)}" if found else ""


def shortened(text: str, widest: int = _WIDEST) -> str:
    """A text of bounded length, its end cut."""
    return text if len(text) <= widest else f"{text[: widest - 3]}..."


def _between(analysis: Analysis, drawn: set[tuple[int, int]], cores: dict[int, set[int]]) -> Iterator[Arrow]:
    """Arrows from a process to another."""
    for link in analysis.links:
        if drawn.issuperset(link):
            ids = [analysis.snapshots[number].graph.node(position).id for number, position in link]
            inside = all(one in cores[end[0]] for one, end in zip(ids, link, strict=True))
            keys = [f"n{end[0]}_{one}" for one, end in zip(ids, link, strict=True)]
            yield Arrow(keys[0], keys[1], "bridge", True, inside)


def _end(place: str) -> str:
    """Of a long place the end: the file's own name and the line are there."""
    return place if len(place) <= _WIDEST else f"...{place[3 - _WIDEST :]}"


def _chosen(one: SnapshotAnalysis, room: int | None) -> tuple[list[int], int]:
    """Positions of nodes to draw, and how many more there would be."""
    seen: dict[int, None] = {}
    total = 0
    for position in _in_order(one):
        total += 1
        if room is None or len(seen) < room:
            seen[position] = None
    return list(seen), total - len(seen)


def _in_order(one: SnapshotAnalysis) -> Iterator[int]:
    """What there is to draw, most interesting first, each once."""
    stuck = [position for position, level in enumerate(one.levels) if level]
    if not stuck:
        yield from _live(one)
        return
    wanted = [[node.id for node in deadlock.members] for deadlock in one.deadlocks]
    wanted += [[orphan.node.id] for orphan in one.orphans]
    named = {number for group in wanted for number in group}
    nodes = one.snapshot.nodes
    places = {nodes[position].id: position for position in stuck if nodes[position].id in named}
    seeds = [[places[number] for number in group if number in places] for group in wanted]
    seen: set[int] = set()
    # Each deadlock with what waits for it, breadth first; what is left then is stuck on its own.
    for group in [*seeds, *([position] for position in stuck)]:
        ahead = deque(position for position in group if position not in seen)
        seen.update(ahead)
        while ahead:
            node = ahead.popleft()
            yield node
            for by in one.graph.waiters_of(node):
                if one.levels[by] and by not in seen:
                    seen.add(by)
                    ahead.append(by)


def _live(one: SnapshotAnalysis) -> Iterator[int]:
    graph = one.graph
    tied = {*graph.waiter, *graph.awaited}
    tasks = [position for position, node in enumerate(one.snapshot.nodes) if node.kind == "task"]
    waiting = sorted(tied, key=lambda position: (graph.start[position] - graph.start[position + 1], position))
    yield from waiting
    yield from (position for position in tasks if position not in tied)


def _box(prefix: str, one: SnapshotAnalysis, position: int, say: Sentences, core: set[int]) -> Box:
    node: Node = one.graph.node(position)
    return Box(
        f"{prefix}{node.id}",
        shortened(say.label(node)),
        _end(say.place(node)),
        node.kind,
        VERDICTS[one.levels[position]],
        node.id in core,
    )


def _arrows(prefix: str, one: SnapshotAnalysis, shown: set[int], core: set[int]) -> Iterator[Arrow]:
    graph = one.graph
    for waiter, positions in edges_of(graph, shown).items():
        for position in positions:
            awaited = graph.awaited[position]
            if awaited in shown:
                edge = one.snapshot.edges[graph.source[position]]
                ends = graph.node(waiter).id, graph.node(awaited).id
                inside = ends[0] in core and ends[1] in core
                guessed = edge.confidence == "probable"
                yield Arrow(f"{prefix}{ends[0]}", f"{prefix}{ends[1]}", edge.kind, guessed, inside)
    for loop, tasks in graph.gates.items():
        for task in tasks:
            if loop in shown and task in shown:
                ends = graph.node(task).id, graph.node(loop).id
                inside = ends[0] in core and ends[1] in core
                yield Arrow(f"{prefix}{ends[0]}", f"{prefix}{ends[1]}", "loop", False, inside)
