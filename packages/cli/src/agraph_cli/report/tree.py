"""`agraph analyze --format tree`: who waits for whom, as a tree. What a line waits for stands below it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from agraph.reduction import VERDICTS, edges_of
from agraph_cli.analysis.names import listed, plural
from agraph_cli.report.full import ROLES
from agraph_cli.report.picture import headline, shortened
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agraph import Node
    from agraph_cli.analysis.model import Analysis, SnapshotAnalysis
    from agraph_cli.report.style import Style

# Deeper than this nobody reads an indented tree; `--task` tells the whole chain.
_DEEPEST = 16
# So many things that one node waits for are shown.
_MOST = 12


class _Step(NamedTuple):
    """A line to be written: the node, what comes before its name, and how it got there."""

    position: int
    lead: str
    below: str
    depth: int
    kind: str
    alike: int = 0


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """The verdict, and a tree for each snapshot.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How it looks; its `limit` is the number of lines of a tree.

    Yields:
        Lines without line ends.
    """
    yield style.paint(headline(analysis, style), ROLES[analysis.verdict])
    answers = _answers(analysis, style)
    for number, one in enumerate(analysis.snapshots):
        yield ""
        if len(analysis.snapshots) > 1:
            yield style.paint(f"{style.file(one.path or one.process)}:", "strong")
        yield from _Tree(one, style, answers.get(number, {})).lines()


def _answers(analysis: Analysis, style: Style) -> dict[int, dict[int, str]]:
    """For each snapshot: of its nodes that wait for another process, by position, who answers."""
    found: dict[int, dict[int, list[str]]] = {}
    says: dict[int, Sentences] = {}
    for (number, position), (other, answers) in analysis.links:
        one = analysis.snapshots[other]
        say = says.setdefault(other, Sentences(one, style))
        name = f"{shortened(say.label(one.graph.node(answers)))} of {clean(one.process)}"
        found.setdefault(number, {}).setdefault(position, []).append(name)
    return {
        number: {
            position: f"answered by {listed(names, 3, 'or')} (inferred)" for position, names in of.items()
        }
        for number, of in found.items()
    }


class _Tree:
    """The tree of one snapshot. Every node is written out once; met again, it is only named."""

    def __init__(self, one: SnapshotAnalysis, style: Style, answers: Mapping[int, str]) -> None:
        self.one = one
        self.answers = answers
        self.style = style
        self.say = Sentences(one, style)
        self.edges = edges_of(one.graph, range(len(one.levels)))
        self.loops = {task: loop for loop, tasks in one.graph.gates.items() for task in tasks}
        self.written: set[int] = set()
        self.path: list[int] = []
        self.tee, self.corner, self.bar = ("|- ", "`- ", "|  ") if style.ascii else ("├─ ", "└─ ", "│  ")

    def lines(self) -> Iterator[str]:
        roots = self._roots()
        told = 0
        work = [_Step(position, "", "", 0, "", alike) for position, alike in reversed(roots)]
        left = sum(1 + alike for _, alike in roots)
        while work:
            step = work.pop()
            if not step.depth:
                left -= 1 + step.alike
                if step.position in self.written:  # another root led to it
                    continue
            if self.style.limit is not None and told >= self.style.limit:
                left += (1 + step.alike) if not step.depth else 0
                break
            told += 1
            yield self._line(step)
            work += reversed(self._below(step))
        else:
            return
        yield f"{self.style.ellipsis} and more below, and {plural(left, 'more root')} (--all shows all)"

    def _roots(self) -> list[tuple[int, int]]:
        """The tasks to begin at, and how many more are just like each: the most firmly stuck first."""
        nodes, graph = self.one.snapshot.nodes, self.one.graph
        tasks = [position for position, node in enumerate(nodes) if node.kind in {"task", "thread"}]
        free = [position for position in tasks if graph.start[position] == graph.start[position + 1]]
        groups = Counter(map(self._alike, free))
        first = {self._alike(position): position for position in reversed(free)}
        roots = [(position, groups[key] - 1) for key, position in first.items()]
        # A ring has no beginning: each task that no root leads to is one, after the others of its verdict.
        roots += [(position, 0) for position in tasks if graph.start[position] < graph.start[position + 1]]
        outer = set(free)
        levels = self.one.levels
        ends = self.one.snapshot.capture.end_monotonic
        return sorted(
            (root for root in roots if nodes[root[0]].kind == "task" or levels[root[0]]),
            key=lambda root: (
                -levels[root[0]],
                root[0] not in outer,
                _since(nodes[root[0]], ends),
                nodes[root[0]].name,
                root[0],
            ),
        )

    def _alike(self, position: int) -> tuple[object, ...]:
        """What roots share when one of them stands for all: verdict, code, stack, and what they wait for."""
        node = self.one.snapshot.nodes[position]
        awaited = tuple(self.one.graph.awaited[at] for at in self.edges.get(position, ()))
        if not awaited:
            awaited = (-1,) if node.stack is not None else (-2 - position,)
        return node.kind, self.one.levels[position], node.state, node.type, node.stack, awaited

    def _below(self, step: _Step) -> list[_Step]:
        del self.path[step.depth :]
        if step.position in self.written or step.depth >= _DEEPEST:
            return []
        self.written.add(step.position)
        self.path.append(step.position)
        found: dict[int, str] = {}
        for at in self.edges.get(step.position, ()):
            edge = self.one.snapshot.edges[self.one.graph.source[at]]
            found.setdefault(self.one.graph.awaited[at], edge.kind)
        if step.position in self.loops:
            found.setdefault(self.loops[step.position], "loop")
        rows = list(found.items())
        rows.sort(key=lambda row: -self.one.levels[row[0]])
        shown = rows[:_MOST]
        return [
            _Step(
                position,
                step.below + (self.corner if number == len(shown) else self.tee),
                step.below + ("   " if number == len(shown) else self.bar),
                step.depth + 1,
                kind if number < _MOST or len(rows) == _MOST else f"{kind} (1 of {len(rows)})",
            )
            for number, (position, kind) in enumerate(shown, 1)
        ]

    def _line(self, step: _Step) -> str:
        node = self.one.snapshot.nodes[step.position]
        name = self.style.paint(
            shortened(self.say.label(node)), "strong" if node.kind == "task" else "accent"
        )
        how = f"{step.kind.replace('_', ' ')}: " if step.kind in {"held_by", "bridge", "loop"} else ""
        alike = f" and {step.alike} more like it" if step.alike else ""
        verdict = VERDICTS[self.one.levels[step.position]]
        text = f"{step.lead}{how}{name}{alike}"
        if step.position in self.path[: step.depth]:
            return f"{text}  {self.style.paint('(cycle)', 'bad')}"
        if step.position in self.written:
            return f"{text}  (see above)"
        deeper = step.depth >= _DEEPEST and step.position in self.edges
        facts = [
            self.style.paint(verdict, ROLES[verdict]),
            self._state(node),
            self.say.place(node),
            self.answers.get(step.position, ""),
            "goes on deeper: see --task" if deeper else "",
        ]
        return f"{text}  {', '.join(filter(None, facts))}"

    def _state(self, node: Node) -> str:
        waited = self.say.waited(node) if node.need else None
        if waited is not None:
            return f"{clean(node.state) or 'waiting'} {seconds(waited)}"
        return clean(node.state)


def _since(node: Node, end: float) -> float:
    return 0.0 if node.since is None or not node.need else min(0.0, node.since - end)
