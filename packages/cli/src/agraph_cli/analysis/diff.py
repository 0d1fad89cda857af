"""What changed between two snapshots: who is stuck in both, newly, no longer, or gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from agraph.reduction import comparable, rank, same_process
from agraph_cli.analysis.judge import analyze_one, analyze_together
from agraph_cli.analysis.many import identity_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from agraph import Capture, Node, Snapshot
    from agraph.reduction import Verdict
    from agraph_cli.analysis.model import Deadlock, SnapshotAnalysis

By = Literal["identity", "name"]


class State(NamedTuple):
    """A task in one of the snapshots.

    Attributes:
        node: The task.
        verdict: Its verdict; never `certain` where the other snapshot refutes that.
    """

    node: Node
    verdict: Verdict


class Change(NamedTuple):
    """A task that is stuck in one of the snapshots or in both.

    Attributes:
        before: It in the first; None when it is not there.
        after: It in the second; None when it is not there.
    """

    before: State | None
    after: State | None


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from one snapshot to another. A task is in one of the four lists at most.

    Attributes:
        before: The analysis of the first, in which what the second refutes is no more.
        after: The analysis of the second.
        by: How tasks were found again: by `identity`, or where that is not possible by `name` and coroutine.
        seconds: From the end of the first capture to the start of the second; negative in the wrong order.
        stuck: Stuck in both, in the same wait.
        new: Stuck in the second only: not there before, or not stuck.
        moved: Stuck in the first, still there in the second, and no longer in that wait or no longer stuck.
        gone: Stuck in the first, and not there in the second.
        new_deadlocks: Deadlocks of the second that the first does not show.
        notes: What to know about the comparison, a sentence each.
    """

    before: SnapshotAnalysis
    after: SnapshotAnalysis
    by: By
    seconds: float
    stuck: tuple[Change, ...]
    new: tuple[Change, ...]
    moved: tuple[Change, ...]
    gone: tuple[Change, ...]
    new_deadlocks: tuple[Deadlock, ...]
    notes: tuple[str, ...]


def diff(before: tuple[str, Snapshot], after: tuple[str, Snapshot]) -> Diff:
    """Compare two snapshots.

    Args:
        before: The path one was read from and the snapshot.
        after: Another, of the same process later, or of another one.

    Returns:
        What changed.

    Raises:
        SnapshotError: An edge names a node that is not in its snapshot.
    """
    raw, later = analyze_one(before[1], before[0]), analyze_one(after[1], after[0])
    one, two = analyze_together([raw, later]).snapshots
    by: By = "identity" if comparable(before[1], after[1]) else "name"
    comparison = _Comparison(raw, one, two, by)
    changes: dict[str, list[Change]] = {"stuck": [], "new": [], "moved": [], "gone": []}
    for change in comparison.changes():
        changes[comparison.kind(change)].append(change)
    return Diff(
        before=one,
        after=two,
        by=by,
        seconds=_seconds(before[1].capture, after[1].capture, by),
        stuck=_worst_first(changes["stuck"]),
        new=_worst_first(changes["new"]),
        moved=_worst_first(changes["moved"]),
        gone=_worst_first(changes["gone"]),
        new_deadlocks=comparison.new_deadlocks(),
        notes=tuple(_notes(before[1], after[1], by)),
    )


def _seconds(before: Capture, after: Capture, by: By) -> float:
    if by == "identity":  # one process has one monotonic clock
        return after.start_monotonic - before.end_monotonic
    return after.start - before.end


def _worst_first(changes: list[Change]) -> tuple[Change, ...]:
    def order(change: Change) -> tuple[int, int]:
        state = change.after or change.before
        return (-rank(state.verdict), state.node.id) if state else (0, 0)

    return tuple(sorted(changes, key=order))


def _notes(before: Snapshot, after: Snapshot, by: By) -> Iterator[str]:
    if before.capture.start > after.capture.start:
        yield "the first snapshot was captured after the second: are they in the right order?"
    if by == "identity":
        return
    how = "tasks are found again by their name and coroutine, and stand still when their stacks are the same"
    if same_process(before.process, after.process):
        yield f"the snapshots do not identify tasks in the same way, so {how}"
    else:
        yield f"these are two processes, so {how}"


class _Comparison:
    """Finds tasks and deadlocks of one snapshot again in another."""

    def __init__(self, raw: SnapshotAnalysis, one: SnapshotAnalysis, two: SnapshotAnalysis, by: By) -> None:
        self.raw = raw
        self.one = one
        self.two = two
        self.by = by

    def changes(self) -> Iterator[Change]:
        """Every task that is stuck somewhere."""
        # Of tasks with one name, the first of one snapshot is taken for the first of the other.
        there: dict[Hashable, list[State]] = {}
        for node, verdict in self.two.tasks():
            there.setdefault(self._same(node), []).append(State(node, verdict))
        for states in there.values():
            states.reverse()
        for (node, said), (_, kept) in zip(self.raw.tasks(), self.one.tasks(), strict=True):
            again = there.get(self._same(node))
            after = again.pop() if again else None
            if said != "live" or (after and after.verdict != "live"):
                shown: Verdict = "possible" if said == "certain" != kept else said
                yield Change(State(node, shown), after)
        for states in there.values():
            yield from (Change(None, state) for state in reversed(states) if state.verdict != "live")

    def _same(self, node: Node) -> Hashable:
        return (node.key, node.type) if self.by == "identity" else (node.name, node.type)

    def kind(self, change: Change) -> str:
        """Which list a change belongs to."""
        before, after = change
        if after is None:
            return "gone"
        if before is None or before.verdict == "live":
            return "new"
        return "stuck" if after.verdict != "live" and self._stands(before.node, after.node) else "moved"

    def _stands(self, node: Node, later: Node) -> bool:
        here, there = self.raw.snapshot, self.two.snapshot
        if self.by == "identity":
            return (node.wait, here.stack_of(node)) == (later.wait, there.stack_of(later))
        return node.state == later.state and here.stack_of(node) == there.stack_of(later)

    def new_deadlocks(self) -> tuple[Deadlock, ...]:
        """The deadlocks that only the second has."""
        known = {self._identity(self.raw.snapshot, deadlock) for deadlock in self.raw.deadlocks}
        return tuple(
            deadlock
            for deadlock in self.two.deadlocks
            if self._identity(self.two.snapshot, deadlock) not in known
        )

    def _identity(self, snapshot: Snapshot, deadlock: Deadlock) -> Hashable:
        known = identity_of(snapshot, deadlock) if self.by == "identity" else None
        return known or frozenset((node.kind, node.name, node.type) for node in deadlock.members)
