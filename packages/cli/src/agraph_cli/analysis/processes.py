"""Waits that cross processes: who waits for the answer of a task in another process that was captured too.

A task whose span is the parent, in another process, of the span of a second task has sent that one a request
(W3C Trace Context; core's spans.py reads the ids). So what it waits for outside of its own process is taken
for the answer. That is inferred, and two processes are never captured at one moment: nothing found in this
way is `certain`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agraph import Edge, Snapshot
from agraph.reduction import edges_of, values_in
from agraph_cli.analysis.model import Across
from agraph_cli.analysis.names import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from agraph import Node, Site
    from agraph_cli.analysis.model import Deadlock, SnapshotAnalysis

    Analyze = Callable[[Snapshot, str], SnapshotAnalysis]

# What is told apart by the process it belongs to, in words.
_NAMED = frozenset({"task", "thread", "lock", "semaphore", "resource"})
_HELD = frozenset({"lock", "semaphore", "resource"})

# A span with more callers and callees than this says nothing about who waits for whom.
_MOST_PAIRS = 10_000

# What a task waits for when a library reads from a socket for it.
_ANSWERS = frozenset({"io", "future", "event", "condition", "queue"})


@dataclass(frozen=True, slots=True)
class Request:
    """A task that waits for one of another process.

    Attributes:
        caller: The position of the analysis of the caller's process, and that of the caller in its nodes.
        callee: The same for the task that answers.
    """

    caller: tuple[int, int]
    callee: tuple[int, int]


def requests(done: Sequence[SnapshotAnalysis]) -> list[Request]:
    """Find who waits for a task of another process.

    Args:
        done: The analyses of some snapshots, of each process only the latest.

    Returns:
        Each pair of a caller and the task that answers.
    """
    callers: dict[tuple[str, str], list[tuple[int, int]]] = {}
    callees: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for number, one in enumerate(done):
        for position, detail in values_in(one.snapshot.nodes, "detail", "trace_id"):
            trace = detail.get("trace_id")
            for found, name in ((callers, "span_id"), (callees, "remote_parent_id")):
                span = detail.get(name)
                if isinstance(trace, str) and isinstance(span, str):
                    found.setdefault((trace, span), []).append((number, position))
    return [
        Request(caller, callee)
        for key in sorted(callers.keys() & callees.keys())
        if len(callers[key]) * len(callees[key]) <= _MOST_PAIRS
        for caller in callers[key]
        for callee in callees[key]
        if caller[0] != callee[0]
    ]


def latest(done: Sequence[SnapshotAnalysis]) -> list[SnapshotAnalysis]:
    """Of each process the analysis of its latest snapshot, in the order given."""
    found: dict[tuple[object, ...], SnapshotAnalysis] = {}
    for one in done:
        process = one.snapshot.process
        key = (process.host, process.boot_id, process.pid)
        if key not in found or one.snapshot.capture.start > found[key].snapshot.capture.start:
            found[key] = one
    return list(found.values())


def across(done: Sequence[SnapshotAnalysis], analyze: Analyze) -> Across | None:
    """Analyse the snapshots of processes that wait for each other as one.

    Args:
        done: The analyses of some snapshots.
        analyze: Analyses a snapshot, given it and its path.

    Returns:
        The analysis, with only those deadlocks that involve several processes; None where no process waits
        for another.
    """
    processes = latest(done)
    found = requests(processes)
    involved = sorted({end[0] for request in found for end in (request.caller, request.callee)})
    if not involved:
        return None
    whole = _Whole([processes[number] for number in involved])
    start_of = dict(zip(involved, whole.starts, strict=True))
    answers = {number: _Answers(processes[number]) for number in involved}
    pairs: dict[tuple[int, int], None] = {}
    for request in found:
        start = start_of[request.caller[0]]
        awaited = start_of[request.callee[0]] + request.callee[1]
        for leaf in answers[request.caller[0]].of(request.caller[1]):
            whole.nodes[start + leaf] = whole.nodes[start + leaf]._replace(need=1)
            pairs[start + leaf, awaited] = None
    whole.edges += [Edge(*pair, "bridge", "probable") for pair in pairs]
    result = Across(analyze(whole.snapshot(), ""), tuple(whole.parts), tuple(whole.starts), tuple(pairs))
    callers = {start_of[request.caller[0]] + request.caller[1] for request in found}
    deadlocks = tuple(
        replace(deadlock, help=_advice(deadlock, callers))
        for deadlock in result.one.deadlocks
        if len({result.origin(node)[0].process for node in deadlock.members}) > 1
    )
    return replace(result, one=replace(result.one, deadlocks=deadlocks, orphans=(), lock_order=()))


def _advice(deadlock: Deadlock, callers: Collection[int]) -> str:
    waiting = listed([node.name or f"task #{node.id}" for node in deadlock.tasks if node.id in callers])
    held = listed([node.name or f"#{node.id}" for node in deadlock.members if node.kind in _HELD])
    if not held:
        return f"{waiting} wait for each other's answers: let no request cause one in the other direction"
    return (
        f"{waiting} wait for an answer of the other process, and {held} stay held meanwhile: send the "
        "request before they are taken or after they are released"
    )


def raised(one: SnapshotAnalysis, found: Across) -> SnapshotAnalysis:
    """An analysis whose verdicts heed what its tasks wait for in other processes.

    Args:
        one: The analysis of one snapshot.
        found: That of the processes together.

    Returns:
        The analysis with the firmer verdict of the two for each node.
    """
    for part, start in zip(found.parts, found.starts, strict=True):
        if part.graph is one.graph:
            together = found.one.levels[start : start + len(one.levels)]
            return replace(one, levels=bytes(map(max, one.levels, together)))
    return one


class _Whole:
    """One snapshot of several, in the making. The ids of its nodes are their positions."""

    def __init__(self, parts: list[SnapshotAnalysis]) -> None:
        self.parts = parts
        self.starts: list[int] = []
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self._sites: list[Site] = []
        self._stacks: list[tuple[int, ...]] = []
        self._several_hosts = len({part.snapshot.process.host for part in parts}) > 1
        for part in parts:
            self._add(part)

    def _add(self, part: SnapshotAnalysis) -> None:
        start, site, snapshot = len(self.nodes), len(self._sites), part.snapshot
        index = {node.id: number for number, node in enumerate(snapshot.nodes, start)}
        self.starts.append(start)
        self.nodes += [self._node(part, node, index) for node in snapshot.nodes]
        for edge in snapshot.edges:
            at = None if edge.site is None else edge.site + site
            waiter, awaited = index[edge.waiter], index[edge.awaited]
            self.edges.append(edge._replace(waiter=waiter, awaited=awaited, site=at))
        self._sites += snapshot.sites
        self._stacks += [tuple(one + site for one in stack) for stack in snapshot.stacks]

    def _node(self, part: SnapshotAnalysis, node: Node, index: Mapping[int, int]) -> Node:
        """A node with the ids and the times of the whole, and a name that tells the process."""
        first, capture = self.parts[0].snapshot.capture, part.snapshot.capture
        later = first.end_monotonic - capture.end_monotonic
        where = part.process if self._several_hosts else f"pid {part.snapshot.process.pid}"
        detail = node.detail
        if detail and detail.get("parent") in index:
            detail = {**detail, "parent": index[detail["parent"]]}  # type: ignore[index]
        return node._replace(
            id=index[node.id],
            name=f"{node.name} of {where}" if node.name and node.kind in _NAMED else node.name,
            stack=None if node.stack is None else node.stack + len(self._stacks),
            loop=None if node.loop is None else index.get(node.loop),
            since=None if node.since is None else node.since + later,
            timer=None if node.timer is None else node.timer + later,
            detail=detail,
        )

    def snapshot(self) -> Snapshot:
        captures = [part.snapshot.capture for part in self.parts]
        first = self.parts[0].snapshot
        capture = replace(
            captures[0],
            start=min(one.start for one in captures),
            end=max(one.end for one in captures),
            where="processes",
            consistent=False,
            complete=all(one.complete for one in captures),
            cut=tuple(text for one in captures for text in one.cut),
        )
        tables = (tuple(self._sites), tuple(self._stacks), tuple(self.nodes), tuple(self.edges))
        return Snapshot(first.process, capture, *tables, first.agraph)


class _Answers:
    """The nodes in which tasks of a process wait for the world outside of it."""

    def __init__(self, part: SnapshotAnalysis) -> None:
        self._nodes = part.snapshot.nodes
        self._awaited = part.graph.awaited
        self._edges = edges_of(part.graph, range(len(part.levels)))
        self._known: dict[int, list[int]] = {}

    def of(self, caller: int) -> list[int]:
        """Those that one task waits for, by position."""
        if caller not in self._known:
            self._known[caller] = list(self._look(caller))
        return self._known[caller]

    def _look(self, caller: int) -> Iterator[int]:
        ahead, seen = [caller], {caller}
        while ahead:
            position = ahead.pop()
            further = [self._awaited[edge] for edge in self._edges.get(position, ())]
            node = self._nodes[position]
            if not further and node.kind in _ANSWERS and (node.kind == "io" or node.open):
                yield position
            for awaited in further:
                if awaited not in seen and self._nodes[awaited].kind in _ANSWERS:
                    seen.add(awaited)
                    ahead.append(awaited)
