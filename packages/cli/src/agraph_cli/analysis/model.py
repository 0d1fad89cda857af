"""What an analysis says: plain frozen rows that point into the snapshots it was made of."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

from agraph.reduction import VERDICTS, only, rank, spans_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Node, Site, Snapshot
    from agraph.reduction import Hop, How, Verdict, WaitGraph
    from agraph_cli.analysis.orders import Order
    from agraph_static import Finding


@dataclass(frozen=True, slots=True)
class Deadlock:
    """One core: nodes that keep each other from proceeding, with no reason outside of them.

    Attributes:
        certainty: `certain`, `possible` or `stalled`.
        members: The nodes of the core, by name; of a core of many thousands, by position.
        cycle: A shortest cycle in it; for a node that nobody can free, the one step that leads to it.
        hops: Each wait between its members, or the cycle alone where these would be too many.
        knot: Whether some member could be freed in more ways than one, all of them stuck too.
        behind: Tasks that are stuck because of it, nearest first, and that no timeout frees before it.
        behind_until_timeout: Those that a timeout frees, although it does not free these.
        frees: How many tasks could go on if one member were freed.
        cut: That member.
        until: When the first timeout passes, in seconds on the process's monotonic clock; for `stalled`.
        assumptions: What has to be true for this to be a deadlock, a sentence each.
        help: What to change.
    """

    certainty: Verdict
    members: Sequence[Node]
    cycle: Sequence[Hop]
    hops: Sequence[Hop]
    knot: bool
    behind: Sequence[Node]
    behind_until_timeout: Sequence[Node]
    frees: int
    cut: Node
    until: float | None
    assumptions: tuple[str, ...]
    help: str

    @property
    def tasks(self) -> Sequence[Node]:
        """The members that are tasks."""
        return only(self.members, {"task"})

    @property
    def stuck(self) -> int:
        """How many tasks are members, or stuck because of it."""
        return len(self.tasks) + len(self.behind)

    @property
    def ids(self) -> frozenset[int]:
        """The ids of its members."""
        return frozenset(node.id for node in self.members)


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something awaited that waits for nothing the snapshot knows: who frees it is not known.

    Attributes:
        node: It.
        verdict: Of those who wait for it alone.
        waiters: The tasks that wait for it directly.
        behind: How many tasks are stuck because of it, these included; 0 where it counts as live.
        findings: What the static rules say of the source of this wait, see `analysis.hybrid`.
    """

    node: Node
    verdict: Verdict
    waiters: tuple[Node, ...]
    behind: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class LockPair:
    """A task that holds one lock and waits for another.

    Attributes:
        task: The task.
        held: The lock it holds.
        wanted: The lock it waits for.
        held_at: Where it was taken, if known.
        wanted_at: Where the task waits.
        confidence: `probable` when it was inferred that the task holds the lock.
    """

    task: Node
    held: Node
    wanted: Node
    held_at: Site | None
    wanted_at: Site | None
    confidence: Literal["exact", "probable"] = "exact"


@dataclass(frozen=True, slots=True)
class SnapshotAnalysis:
    """What is known about one snapshot.

    Attributes:
        path: Where it was read from.
        graph: The wait graph.
        levels: The verdict of each node, as positions in `VERDICTS`.
        deadlocks: The worst first.
        orphans: The one with most tasks behind it first.
        lock_order: Locks held while another was waited for.
        orders: The same, as what can be compared with other snapshots; None where it is not known yet.
    """

    path: str
    graph: WaitGraph
    levels: bytes
    deadlocks: tuple[Deadlock, ...]
    orphans: Sequence[Orphan]
    lock_order: Sequence[LockPair]
    orders: tuple[Order, ...] | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot."""
        return self.graph.snapshot

    @property
    def process(self) -> str:
        """The process as `host:pid`."""
        process = self.snapshot.process
        return f"{process.host}:{process.pid}"

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its tasks and deadlocks (threads can be stuck without any task)."""
        found = [rank(deadlock.certainty) for deadlock in self.deadlocks]
        spans = spans_of(self.snapshot.nodes, "task")
        return VERDICTS[
            max([*found, *(max(self.levels[span.start : span.stop]) for span in spans)], default=0)
        ]

    @property
    def tally(self) -> Counter[Verdict]:
        """How many tasks have each verdict."""
        spans = spans_of(self.snapshot.nodes, "task")
        counts = Counter(chain.from_iterable(self.levels[span.start : span.stop] for span in spans))
        return Counter({VERDICTS[level]: count for level, count in counts.items()})

    def tasks(self) -> Iterator[tuple[Node, Verdict]]:
        """Each task with its verdict, in the order of the snapshot."""
        return ((node, VERDICTS[level]) for node, level in self._tasks())

    def _tasks(self) -> Iterator[tuple[Node, int]]:
        pairs = zip(self.snapshot.nodes, self.levels, strict=True)
        return ((node, level) for node, level in pairs if node.kind == "task")


@dataclass(frozen=True, slots=True)
class History:
    """What several snapshots of one process say together.

    Attributes:
        snapshots: Their analyses, by time. None begins before the one before has ended.
        seconds: From the end of the first to the start of the last.
        still: The tasks of the last that waited in the same way in all of them, the worst verdict first.
        sightings: How many of them show each deadlock, for those that more than one shows.
    """

    snapshots: tuple[SnapshotAnalysis, ...]
    seconds: float
    still: tuple[tuple[Node, Verdict], ...]
    sightings: tuple[tuple[Deadlock, int], ...]

    @property
    def last(self) -> SnapshotAnalysis:
        """The last of them."""
        return self.snapshots[-1]


@dataclass(frozen=True, slots=True)
class Lifted:
    """A deadlock that a later snapshot refutes.

    Attributes:
        one: The analysis of the snapshot that seemed to show it, in which it is no more.
        deadlock: It.
        went_on: Which of its members went on: each with `moved`, or `gone` for no longer there.
        seen_in: The path of the snapshot that shows it.
    """

    one: SnapshotAnalysis
    deadlock: Deadlock
    went_on: tuple[tuple[Node, How], ...]
    seen_in: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """Locks that are taken in different orders: a deadlock that was not seen, but could be.

    Attributes:
        orders: One pair for each task of the cycle, with the snapshot that shows it. What one waits for, the
            next holds.
    """

    orders: tuple[tuple[SnapshotAnalysis, LockPair], ...]


class Link(NamedTuple):
    """A wait for the answer of another process, which is inferred.

    Attributes:
        waiter: The position of a snapshot in the analysis, and that of the node that waits in its nodes.
        awaited: The same of the task that answers.
    """

    waiter: tuple[int, int]
    awaited: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Across:
    """Processes that wait for each other, as one.

    Attributes:
        one: The analysis of a snapshot made of theirs, whose ids are positions. Its deadlocks are those that
            involve several processes.
        parts: The analysis of each process alone.
        starts: Where the nodes of each begin.
        answers: The waits between them, as pairs of nodes of the snapshot of all.
    """

    one: SnapshotAnalysis
    parts: tuple[SnapshotAnalysis, ...]
    starts: tuple[int, ...]
    answers: tuple[tuple[int, int], ...] = ()

    def origin(self, node: Node) -> tuple[SnapshotAnalysis, Node]:
        """Where a node comes from.

        Args:
            node: A node of the snapshot of all.

        Returns:
            The analysis of its process, and the node there.
        """
        number = bisect_right(self.starts, node.id) - 1
        part = self.parts[number]
        return part, part.snapshot.nodes[node.id - self.starts[number]]

    def place(self, one: SnapshotAnalysis, position: int) -> int | None:
        """Where a node of one process is in the snapshot of all.

        Args:
            one: The analysis of a snapshot.
            position: The position of the node in it.

        Returns:
            Its position; None when the snapshot is no part.
        """
        for part, start in zip(self.parts, self.starts, strict=True):
            if part.graph is one.graph:
                return start + position
        return None


@dataclass(frozen=True, slots=True)
class Analysis:
    """The analysis of one or more snapshots.

    Attributes:
        snapshots: One for each snapshot, in the order they were given.
        histories: One for each process of which several snapshots can be compared.
        lifted: Alarms that a later snapshot refutes. They are in no `deadlocks`.
        predicted: Deadlocks that the order of locks makes possible and that no snapshot shows.
        again: Deadlocks that another snapshot of the same process shows as well; that one is reported.
        notes: What could not be compared, a sentence each.
        across: Processes that wait for each other; None where none does.
    """

    snapshots: tuple[SnapshotAnalysis, ...]
    histories: tuple[History, ...] = ()
    lifted: tuple[Lifted, ...] = ()
    predicted: tuple[Predicted, ...] = ()
    again: tuple[Deadlock, ...] = ()
    notes: tuple[str, ...] = ()
    across: Across | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all tasks."""
        return max((one.verdict for one in self.snapshots), key=rank, default="live")

    @property
    def deadlocks(self) -> Sequence[tuple[SnapshotAnalysis, Deadlock]]:
        """The deadlocks of all snapshots, each once, the worst first."""
        again = {id(deadlock) for deadlock in self.again}
        found = [
            (one, deadlock)
            for one in (*self.snapshots, *([self.across.one] if self.across else []))
            for deadlock in one.deadlocks
            if id(deadlock) not in again
        ]
        return sorted(found, key=lambda pair: worst_first(pair[1]))

    @property
    def links(self) -> tuple[Link, ...]:
        """The waits between the processes."""
        if self.across is None:
            return ()
        by_graph = {id(one.graph): number for number, one in enumerate(self.snapshots)}
        ends = self.across.starts
        numbers = [by_graph[id(part.graph)] for part in self.across.parts]

        def end(position: int) -> tuple[int, int]:
            part = bisect_right(ends, position) - 1
            return numbers[part], position - ends[part]

        return tuple(Link(end(waiter), end(awaited)) for waiter, awaited in self.across.answers)

    def core(self, number: int) -> set[int]:
        """The ids of the nodes of a snapshot that belong to a deadlock, be it one of several processes.

        Args:
            number: The position of the snapshot.
        """
        one, across = self.snapshots[number], self.across
        found = {number for deadlock in one.deadlocks for number in deadlock.ids}
        for deadlock in across.one.deadlocks if across else ():
            origins = map(across.origin, deadlock.members) if across else ()
            found |= {node.id for part, node in origins if part.graph is one.graph}
        return found

    def sighting(self, deadlock: Deadlock) -> tuple[History, int] | None:
        """The history of the process of a deadlock, and how many of its snapshots show it; None for one."""
        for history in self.histories:
            for seen, count in history.sightings:
                if seen is deadlock:
                    return history, count
        return None


def worst_first(deadlock: Deadlock) -> tuple[int, int]:
    """A sort key: certain before possible before stalled, then by the number of tasks stuck."""
    return -rank(deadlock.certainty), -deadlock.stuck
