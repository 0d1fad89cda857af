"""A snapshot as lines of text: the verdict, the deadlocks, the tasks.

This is the short form, which needs nothing but core. The command line has a longer one, with advice.
"""

from __future__ import annotations

from collections import Counter
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

from agraph._internal.reduction.assumptions import assumptions, how_sure
from agraph._internal.reduction.judge import judge
from agraph._internal.reduction.names import Labels, listed, locals_of, plural, user_site
from agraph._internal.reduction.verdict import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph._internal.model import Edge, Node, Site, Snapshot
    from agraph._internal.reduction.cycles import Hop
    from agraph._internal.reduction.judge import Judgement, Stuck

# One deadlock, one task and one name fill no more than this, so that the text is bounded by its limit.
_MAX_STEPS = 40
_MAX_ASSUMPTIONS = 8
_MAX_WAITS = 6
_MAX_FRAMES = 20
_MAX_CHARACTERS = 300

_ACTORS = {"task", "thread"}


def format_snapshot(snapshot: Snapshot, limit: int | None = 50) -> Iterator[str]:
    """The lines of a snapshot.

    Args:
        snapshot: The snapshot.
        limit: How many tasks and deadlocks to tell of; None for all.

    Yields:
        Lines without line ends.

    Raises:
        SnapshotError: An edge names a node that is not in the snapshot.
    """
    yield from _Text(judge(snapshot), limit).lines()


class _Text:
    def __init__(self, judgement: Judgement, limit: int | None) -> None:
        self.judgement = judgement
        self.limit = limit
        self.snapshot = judgement.graph.snapshot
        self.label = Labels(self.snapshot)

    def lines(self) -> Iterator[str]:
        yield self._headline()
        deadlocks = self.judgement.deadlocks
        for number, one in enumerate(deadlocks[: self.limit], 1):
            yield ""
            if len(deadlocks) > 1:
                yield f"Deadlock {number} of {len(deadlocks)}:"
            yield from self._deadlock(one)
        yield from self._left_out(len(deadlocks), "deadlocks")
        yield ""
        yield from self._all_tasks()

    def _left_out(self, count: int, what: str) -> Iterator[str]:
        if self.limit is not None and count > self.limit:
            yield f"... and {count - self.limit} more {what}"

    def _tally(self) -> Counter[str]:
        pairs = zip(self.snapshot.nodes, self.judgement.verdicts, strict=True)
        return Counter(VERDICTS[value] for node, value in pairs if node.kind == "task")

    def _headline(self) -> str:
        worst, tally = self.judgement.verdict, self._tally()
        total = tally.total()
        if worst == "live":
            if total < 2:
                return f"No deadlock: {'the only task can proceed' if total else 'there are no tasks'}."
            return f"No deadlock: all {total} tasks can proceed."
        among = f"{tally[worst]} of {plural(total, 'task')}"
        if not tally[worst]:
            among = "nodes that are no tasks"  # threads that block each other
        if worst == "certain":
            return f"Certain deadlock: {among} can never proceed."
        if worst == "stalled":
            return f"Stalled until a timeout: {among} cannot proceed before one passes."
        what = "Possible deadlock" if self.judgement.deadlocks else "No deadlock is certain"
        return f"{what}: {among} cannot proceed unless a party helps that the snapshot does not know."

    def _deadlock(self, one: Stuck) -> Iterator[str]:
        yield from self._cycle(one)
        yield f"  How sure: {how_sure(one.certainty, one.cycle[:_MAX_STEPS])}"
        sentences = assumptions(self.snapshot, self.label, one.members, one.cycle, one.certainty)
        shown = list(islice(sentences, _MAX_ASSUMPTIONS + 1))
        yield from (f"    - {plain(sentence)}" for sentence in shown[:_MAX_ASSUMPTIONS])
        if len(shown) > _MAX_ASSUMPTIONS:
            yield "    - ... and more like these"
        if one.behind:
            names = [self._name(node) for node in one.behind[:5]]
            if len(one.behind) > len(names):
                names.append(f"{len(one.behind) - len(names)} more")
            yield f"  Blocked behind: {plural(len(one.behind), 'task')} ({listed(names, len(names))})"

    def _cycle(self, one: Stuck) -> Iterator[str]:
        """One line for each task or thread of a cycle, with all on the way to the next."""
        hops, line = one.cycle, ""
        for hop in hops[:_MAX_STEPS]:
            if line and hop.waiter.kind in _ACTORS:
                yield line
                line = ""
            line = f"{line}, {self._step(hop)}" if line else f"  {self._noun(hop.waiter)} {self._step(hop)}"
        if not hops or hops[-1].awaited != hops[0].waiter:
            line = (
                f"{line}, which nobody can free"
                if line
                else f"  nobody can free {self._noun(one.members[0])}"
            )
        yield line
        if len(hops) > _MAX_STEPS:
            yield f"  ... and {len(hops) - _MAX_STEPS} more steps back to {self._noun(hops[0].waiter)}"
        if len(one.members) > len(hops) > 1:
            yield f"  This is the shortest cycle among {len(one.members)} that keep each other"

    def _step(self, hop: Hop) -> str:
        guessed = " (inferred)" if hop.edge and hop.edge.confidence == "probable" else ""
        awaited = f"{self._noun(hop.awaited)}{guessed}"
        if hop.edge is not None and hop.edge.kind == "held_by":
            site = None if hop.edge.site is None else self.snapshot.sites[hop.edge.site]
            return f"held by {awaited}{f' (taken at {_place(site)})' if site else ''}"
        if hop.waiter.kind not in _ACTORS:
            return f"which {'runs in' if hop.waiter.kind == 'loop' else 'waits for'} {awaited}"
        at = user_site(self.snapshot, hop.waiter)
        return f"waits for {awaited}{f' at {_place(at)}' if at else ''}"

    def _noun(self, node: Node) -> str:
        return f"task {self._name(node)}" if node.kind == "task" else self._name(node)

    def _name(self, node: Node) -> str:
        return plain(self.label(node))

    def _all_tasks(self) -> Iterator[str]:
        process, tally = self.snapshot.process, self._tally()
        counts = ", ".join(f"{tally[word]} {word}" for word in reversed(VERDICTS) if tally[word])
        where = f"in process {process.pid} ({plain(process.argv0)})"
        yield f"{plural(tally.total(), 'task')} {where}{': ' if counts else ''}{counts}"
        shown = self._worst_tasks()
        ids = {task.id for task, _ in shown}
        waits = self._edges_of(ids)
        further = self._edges_of({edge.awaited for edges in waits.values() for edge in edges[:_MAX_WAITS]})
        nodes = {node.id: node for node in self.snapshot.nodes}
        for task, verdict in shown:
            yield ""
            yield f"task {self._name(task)}: {plain(task.state)}{'' if verdict == 'live' else f', {verdict}'}"
            yield from self._waits(task, waits, further, nodes)
            yield from self._stack(task)
        if len(shown) < tally.total():
            yield ""
        yield from self._left_out(tally.total(), "tasks")

    def _worst_tasks(self) -> list[tuple[Node, str]]:
        """The worst verdict first: who is in a deadlock, who waits behind it, the others by name."""
        place: dict[int, int] = {}
        for one in self.judgement.deadlocks:
            for node in (*one.members, *one.behind):
                place.setdefault(node.id, len(place))
        last = len(place)
        pairs = zip(self.snapshot.nodes, self.judgement.verdicts, strict=True)
        tasks = [(-value, place.get(node.id, last), node) for node, value in pairs if node.kind == "task"]
        count = len(tasks) if self.limit is None else self.limit
        worst = nsmallest(count, tasks, key=lambda row: (row[0], row[1], row[2].name, row[2].id))
        return [(node, VERDICTS[-value]) for value, _, node in worst]

    def _edges_of(self, ids: set[int]) -> dict[int, list[Edge]]:
        found: dict[int, list[Edge]] = {}
        for edge in self.snapshot.edges:
            if edge.kind != "structural" and edge.waiter in ids:
                found.setdefault(edge.waiter, []).append(edge)
        return found

    def _waits(
        self,
        task: Node,
        waits: dict[int, list[Edge]],
        further: dict[int, list[Edge]],
        nodes: dict[int, Node],
    ) -> Iterator[str]:
        if task.timer is not None:
            left = max(0.0, task.timer - self.snapshot.capture.end_monotonic)
            yield f"  on a timer that ends in {left:.1f} s"
        edges = waits.get(task.id, [])
        for edge in edges[:_MAX_WAITS]:
            awaited = nodes[edge.awaited]
            why = f" ({plain(awaited.open)})" if awaited.open else ""
            yield f"  waits for {self._noun(awaited)}{why}"
            after = further.get(edge.awaited, []) if awaited.kind != "task" else []
            for next_ in after[:_MAX_WAITS]:
                verb = "held by" if next_.kind == "held_by" else "which waits for"
                yield f"    {verb} {self._noun(nodes[next_.awaited])}"
            if len(after) > _MAX_WAITS:
                yield f"    ... and {len(after) - _MAX_WAITS} more"
        if len(edges) > _MAX_WAITS:
            yield f"  ... and {len(edges) - _MAX_WAITS} more"

    def _stack(self, task: Node) -> Iterator[str]:
        stack = self.snapshot.stack_of(task)
        yield from (f"  {_place(site)} in {plain(site.function)}" for site in stack[:_MAX_FRAMES])
        if len(stack) > _MAX_FRAMES:
            yield f"  ... and {len(stack) - _MAX_FRAMES} more frames"
        yield from (f"  {plain(line)}" for line in locals_of(task))


def _place(site: Site) -> str:
    return f"{plain(site.file)}:{site.line}"


def plain(text: str) -> str:
    """The text, cut where it is very long, and with control characters escaped.

    Names come from a process that nobody vouches for.
    """
    if len(text) > _MAX_CHARACTERS:
        text = f"{text[:_MAX_CHARACTERS]}..."
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
