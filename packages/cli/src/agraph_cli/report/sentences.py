"""The words for waits: one hop, one deadlock, in a sentence."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from agraph.reduction import kinds_of, only
from agraph_cli.analysis.names import Labels, listed, plural, user_site
from agraph_cli.report.style import clean, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph import Node
    from agraph.reduction import Hop
    from agraph_cli.analysis.model import Deadlock, SnapshotAnalysis
    from agraph_cli.report.style import Style

_ACTORS = {"task", "thread"}
_HELD = {"lock", "semaphore", "resource"}


def _waiter_and_kind(hop: Hop) -> tuple[Node, str]:
    return hop.waiter, hop.edge.kind if hop.edge else "loop"


def _inferred(hops: Sequence[Hop]) -> str:
    guessed = any(hop.edge is not None and hop.edge.confidence == "probable" for hop in hops)
    return " (inferred)" if guessed else ""


def _verb(waiter: Node, kind: str) -> str:
    if kind == "loop":
        return "needs its loop,"
    if kind == "bridge":
        return "is answered by" if waiter.kind == "io" else "is resolved by"
    if kind == "thread":
        return {"loop": "runs in", "future": "is computed by"}.get(waiter.kind, "needs")
    return "waits for" if waiter.kind in {"task", "thread", "future"} else "needs"


class Sentences:
    """Says things about the nodes of one snapshot. All it returns is safe to print."""

    def __init__(self, one: SnapshotAnalysis, style: Style) -> None:
        """Take the names from an analysis."""
        self.snapshot = one.snapshot
        self.style = style
        self._label = Labels(one.snapshot)

    def label(self, node: Node) -> str:
        """What to call a node."""
        return clean(self._label(node))

    def place(self, node: Node) -> str:
        """Where a node waits."""
        return self.style.place(user_site(self.snapshot, node))

    def hops(self, hops: Sequence[Hop]) -> list[tuple[str, str]]:
        """Waits as pairs of (sentence, place).

        Several things that one node waits for are one sentence. A holder goes on a line of its own, under
        what it holds, because it has a place of its own.
        """
        rows = []
        for (waiter, kind), group in groupby(hops, key=_waiter_and_kind):
            same = list(group)
            if kind == "held_by":
                rows += [self._holder(hop) for hop in same]
            else:
                rows.append((self._wait(waiter, kind, same), self.place(waiter)))
        return rows

    def _holder(self, hop: Hop) -> tuple[str, str]:
        edge = hop.edge
        site = None if edge is None or edge.site is None else self.snapshot.sites[edge.site]
        verb = "held by" if hop.waiter.kind in _HELD else "needs"
        taken = ", taken at" if site else ""
        return f"  {verb} {self.label(hop.awaited)}{_inferred([hop])}{taken}", self.style.place(site)

    def _wait(self, waiter: Node, kind: str, hops: Sequence[Hop]) -> str:
        joint = "or" if waiter.need < len(hops) else "and"
        awaited = listed([self.label(hop.awaited) for hop in hops], joint=joint)
        which = ""
        if kind in {"all_of", "any_of"} and waiter.need > 1 and waiter.need != len(hops):
            which = f" ({min(waiter.need, len(hops))} of {max(waiter.need, len(hops))})"
        return f"{self.label(waiter)} {_verb(waiter, kind)} {awaited}{which}{_inferred(hops)}"

    def headline(self, deadlock: Deadlock) -> str:
        """The verdict as a sentence."""
        word = {"certain": "Deadlock", "possible": "Possible deadlock", "stalled": "Stalled"}[
            deadlock.certainty
        ]
        behind = self._behind(deadlock)
        return f"{word}: {self._core(deadlock)}{self._until(deadlock)}{behind}."

    def _core(self, deadlock: Deadlock) -> str:
        members = deadlock.members
        actors = only(members, _ACTORS)
        if len(members) == 1 and not any(hop.waiter == hop.awaited for hop in deadlock.cycle):
            return f"nobody can free {self.label(members[0])}"
        if len(actors) > 1:
            return f"{self._these(actors)} wait for each other"
        held = only(members, _HELD)
        if actors and len(held) == 1:
            return f"{self.label(actors[0])} waits for {self.label(held[0])}, which it holds itself"
        return f"{self.label(actors[0] if actors else members[0])} waits for itself"

    def _these(self, actors: Sequence[Node]) -> str:
        if len(actors) > 3:
            kinds = kinds_of(actors)
            return plural(len(actors), kinds.pop()) if len(kinds) == 1 else f"{len(actors)} tasks and threads"
        return listed([self.label(node) for node in actors])

    def _until(self, deadlock: Deadlock) -> str:
        if deadlock.until is None:
            return ""
        return f" until a timeout passes, in {seconds(self.left(deadlock.until))}"

    def left(self, moment: float) -> float:
        """Seconds from the capture to a moment on the process's monotonic clock; not below 0."""
        return max(0.0, moment - self.snapshot.capture.end_monotonic)

    def waited(self, node: Node) -> float | None:
        """For how many seconds a node had waited when it was captured; None when not known."""
        return None if node.since is None else max(0.0, self.snapshot.capture.end_monotonic - node.since)

    def _behind(self, deadlock: Deadlock) -> str:
        count = len(deadlock.behind)
        if not count:
            return ""
        actors = len(only(deadlock.members, _ACTORS))
        them = "them" if actors > 1 else "it"
        verb = "waits" if count == 1 else "wait"
        more = "more " if deadlock.tasks else ""
        return f"; {count} {more}{'task' if count == 1 else 'tasks'} {verb} behind {them}"
