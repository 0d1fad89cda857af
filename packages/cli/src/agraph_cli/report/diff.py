"""`agraph diff`, as text for people and as the shape `agraph.diff/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agraph_cli.analysis.names import plural, user_site
from agraph_cli.report.full import deadlock_report, source_lines
from agraph_cli.report.json_ import deadlock_row, snapshot_row
from agraph_cli.report.many_json import site_row
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean, columns, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Snapshot
    from agraph_cli.analysis.diff import Change, Diff, State
    from agraph_cli.report.style import Style

SCHEMA = "agraph.diff/1"


def full(diff: Diff, style: Style) -> Iterator[str]:
    """The report for people.

    Args:
        diff: What changed.
        style: How it looks.

    Yields:
        Lines without line ends.
    """
    yield style.paint(_headline(diff), "bad" if diff.new_deadlocks else "strong")
    yield from (f"  note: {clean(note)}" for note in diff.notes)
    yield ""
    say = Sentences(diff.after, style)
    shown = diff.new_deadlocks if style.limit is None else diff.new_deadlocks[: style.limit]
    for deadlock in shown:
        yield from deadlock_report(diff.after, deadlock, say, several=False)
    if len(diff.new_deadlocks) > len(shown):
        yield f"{style.ellipsis} and {len(diff.new_deadlocks) - len(shown)} more deadlocks (--all lists them)"
        yield ""
    rows = _Rows(diff, style)
    yield from rows.section("Stuck in both, in the same wait", diff.stuck)
    yield from rows.section("Newly stuck", diff.new)
    yield from rows.section("Was stuck, has moved since", diff.moved)
    yield from rows.section("Was stuck, is gone", diff.gone)
    for one in (diff.before, diff.after):
        yield from source_lines(one, style)


def _headline(diff: Diff) -> str:
    number = len(diff.new_deadlocks)
    what = f"{plural(number, 'new deadlock')}" if number else "No new deadlock"
    counts = [
        (len(diff.stuck), "stuck in both"),
        (len(diff.new), "newly stuck"),
        (len(diff.moved), "moved"),
        (len(diff.gone), "gone"),
    ]
    tasks = ", ".join(f"{count} {word}" for count, word in counts if count)
    apart = f", {seconds(diff.seconds)} later" if diff.by == "identity" and diff.seconds > 0 else ""
    return f"{what}{apart}. {f'Tasks: {tasks}.' if tasks else 'Nothing is stuck in either.'}"


class _Rows:
    """Says things about the tasks of both snapshots."""

    def __init__(self, diff: Diff, style: Style) -> None:
        self.style = style
        self.before = Sentences(diff.before, style)
        self.after = Sentences(diff.after, style)

    def section(self, title: str, changes: Sequence[Change]) -> Iterator[str]:
        if changes:
            rows = [self._row(change) for change in changes]
            width = max(len(verdict) for verdict, _, _ in rows)
            yield f"{title} ({len(changes)}):"
            lines = columns([(f"  {verdict:<{width}}  {label}", place) for verdict, label, place in rows])
            yield from self.style.some(lines, "  ")
            yield ""

    def _row(self, change: Change) -> tuple[str, str, str]:
        before, after = change
        state, say = (after, self.after) if after else (before, self.before)
        if state is None:
            return "", "", ""
        verdict: str = state.verdict
        if before and after and before.verdict != after.verdict:
            verdict = f"{before.verdict}, now {after.verdict}"
        return verdict, say.label(state.node), say.place(state.node)


def to_json(diff: Diff) -> dict[str, Any]:
    """The comparison as a JSON object.

    Args:
        diff: What changed.

    Returns:
        The object.
    """
    return {
        "schema": SCHEMA,
        "before": snapshot_row(diff.before),
        "after": snapshot_row(diff.after),
        "compared_by": diff.by,
        "seconds": round(diff.seconds, 3),
        "new_deadlocks": [deadlock_row(diff.after, deadlock) for deadlock in diff.new_deadlocks],
        "stuck": _changes(diff, diff.stuck),
        "new": _changes(diff, diff.new),
        "moved": _changes(diff, diff.moved),
        "gone": _changes(diff, diff.gone),
        "notes": list(diff.notes),
    }


def _changes(diff: Diff, changes: Sequence[Change]) -> list[dict[str, Any]]:
    before, after = diff.before.snapshot, diff.after.snapshot
    return [
        {"before": _state(before, change.before), "after": _state(after, change.after)} for change in changes
    ]


def _state(snapshot: Snapshot, state: State | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "id": state.node.id,
        "name": state.node.name,
        "verdict": state.verdict,
        "waits_at": site_row(user_site(snapshot, state.node)),
    }
