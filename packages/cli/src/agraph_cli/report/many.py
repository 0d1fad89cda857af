"""What several snapshots say together, as text: what stood still, what is no deadlock, what could be one."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from agraph.reduction import rank
from agraph_cli.analysis.names import listed, plural
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean, columns, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.analysis.model import Analysis, Deadlock, History, Lifted, Predicted, SnapshotAnalysis
    from agraph_cli.report.style import Style


def together(analysis: Analysis, style: Style) -> Iterator[str]:
    """What the snapshots of an analysis say together; nothing where there is only one of each process.

    Args:
        analysis: The analysis.
        style: How it looks.

    Yields:
        Lines without line ends, an empty one after each part.
    """
    shown = analysis.histories if style.limit is None else analysis.histories[: style.limit]
    for history in shown:
        yield from _still(history, style)
    yield from _lifted(analysis, style)
    if analysis.notes:
        yield from style.some([f"note: {clean(note)}" for note in analysis.notes], "")
        yield ""
    for predicted in analysis.predicted if style.limit is None else analysis.predicted[: style.limit]:
        yield from _predicted(predicted, style)
    for what, found in (("processes", analysis.histories), ("orders of locks", analysis.predicted)):
        if style.limit is not None and len(found) > style.limit:
            yield f"{style.ellipsis} and {len(found) - style.limit} more {what} (--all lists them)"
            yield ""


def did_not_move(analysis: Analysis, deadlock: Deadlock) -> str:
    """For how long a deadlock was seen; empty when one snapshot shows it.

    Args:
        analysis: The analysis.
        deadlock: One of its deadlocks.

    Returns:
        A sentence without a full stop.
    """
    found = analysis.sighting(deadlock)
    if found is None:
        return ""
    history, count = found
    if count < len(history.snapshots):
        return f"Shown by {count} of {len(history.snapshots)} captures of this process"
    return f"Did not move in {count} captures over {seconds(history.seconds)}"


def name_of(one: SnapshotAnalysis, style: Style) -> str:
    """The file of a snapshot to show."""
    return "standard input" if one.path == "-" else style.file(one.path)


def _still(history: History, style: Style) -> Iterator[str]:
    last = history.last
    say = Sentences(last, style)
    count, number = len(history.snapshots), len(history.still)
    tasks = last.tally.total()
    which = f"{style.file(last.snapshot.process.argv0) or 'process'}, {clean(last.process)}"
    over = f"in {count} captures over {seconds(history.seconds)}"
    if not number:
        yield f"All of {plural(tasks, 'task')} moved {over} ({which})."
        yield ""
        return
    yield f"{number} of {plural(tasks, 'task')} did not move {over} ({which}):"
    places = [(verdict, say.place(node), say.label(node)) for node, verdict in history.still]
    places.sort(key=lambda row: (-rank(row[0]), row[1]))
    rows = []
    for (verdict, place), group in groupby(places, key=lambda row: row[:2]):
        rows.append((f"  {verdict:<8} {listed([label for _, _, label in group])}", place))
    yield from style.some(columns(rows), "  ")
    yield ""


def _lifted(analysis: Analysis, style: Style) -> Iterator[str]:
    if not analysis.lifted:
        return
    yield f"No deadlock after all ({len(analysis.lifted)}), as a later capture shows who went on:"
    shown = analysis.lifted if style.limit is None else analysis.lifted[: style.limit]
    rows = [f"  {_alarm(one, style)}" for one in shown]
    yield from style.some(rows, "  ", left_out=len(analysis.lifted) - len(shown))
    yield ""


def _alarm(lifted: Lifted, style: Style) -> str:
    say = Sentences(lifted.one, style)
    members = lifted.deadlock.tasks or lifted.deadlock.members
    by_how = {
        "moved": [say.label(node) for node, how in lifted.went_on if how == "moved"],
        "gone": [say.label(node) for node, how in lifted.went_on if how == "gone"],
    }
    said = [f"{listed(by_how['moved'])} went on"] if by_how["moved"] else []
    if by_how["gone"]:
        said.append(f"{listed(by_how['gone'])} had ended")
    who = listed([say.label(node) for node in members])
    return f"{name_of(lifted.one, style)}: {who}; by {style.file(lifted.seen_in)} {' and '.join(said)}"


def _predicted(predicted: Predicted, style: Style) -> Iterator[str]:
    says = [Sentences(one, style) for one, _ in predicted.orders]
    locks = [say.label(pair.held) for say, (_, pair) in zip(says, predicted.orders, strict=True)]
    yield style.paint(
        f"Predicted: {listed(locks)} are taken in different orders, which can deadlock.", "warn"
    )
    yield ""
    rows = []
    for say, (one, pair) in zip(says, predicted.orders, strict=True):
        taken = ", taken at" if pair.held_at else ""
        rows.append((f"{say.label(pair.task)} held {say.label(pair.held)}{taken}", style.place(pair.held_at)))
        rows.append((f"  and waited for {say.label(pair.wanted)}", style.place(pair.wanted_at)))
        rows.append((f"  in {name_of(one, style)}, {clean(one.process)}", ""))
    yield from (f"  {line}" for line in columns(rows))
    yield ""
    yield f"  {style.paint('help', 'accent')}: {advice(predicted)}"
    yield ""


def advice(predicted: Predicted) -> str:
    """What to change about locks that are taken in different orders.

    Args:
        predicted: These.

    Returns:
        A sentence without a full stop.
    """
    names = listed(sorted({pair.held.name or pair.held.kind for _, pair in predicted.orders}))
    return f"take {clean(names)} in one fixed order everywhere"
