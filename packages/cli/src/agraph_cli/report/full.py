"""`agraph analyze --format full`: the verdict first, then the evidence, then what to do."""

from __future__ import annotations

import datetime as dt
import shlex
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from agraph.reduction import VERDICTS, how_sure, locals_of
from agraph_cli.analysis.names import is_machinery, listed, plural
from agraph_cli.analysis.survey import survey
from agraph_cli.report.findings import below_orphans
from agraph_cli.report.many import did_not_move, together
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean, columns, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Node
    from agraph.reduction import Hop
    from agraph_cli.analysis.model import Analysis, Deadlock, History, Orphan, SnapshotAnalysis
    from agraph_cli.analysis.survey import Survey
    from agraph_cli.report.style import Role, Style

ROLES: dict[str, Role] = {"certain": "bad", "possible": "warn", "stalled": "warn", "live": "good"}

# What a wait ends in, when it is no other task, and the facts about that worth telling.
_ENDS = {"timer": "on a timer", "I/O": "on I/O", "thread": "on a thread", "unknown": "on the unknown"}
_TOLD = {"operation", "fd", "peer"}

# Of a longer cycle only so many steps are put into words, unless all are asked for.
_MOST_HOPS = 1_000


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """The report, as the table of formats asks for it."""
    return full(analysis, style)


def full(analysis: Analysis, style: Style) -> Iterator[str]:
    """The report for people.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How it looks.

    Yields:
        Lines without line ends.
    """
    if len(analysis.snapshots) > 1 or len(analysis.deadlocks) > 1:
        yield from _overview(analysis, style)
    found = analysis.deadlocks
    shown = found if style.limit is None else found[: style.limit]
    says = {id(one): Sentences(one, style) for one, _ in shown}
    for one, deadlock in shown:
        moved = did_not_move(analysis, deadlock)
        where = _joint_name(analysis, one, style)
        several = len(analysis.snapshots) > 1
        yield from deadlock_report(one, deadlock, says[id(one)], moved, where, several=several)
    yield from _not_shown(len(found), "deadlocks", style)
    if len(found) > len(shown):
        yield ""
    yield from _besides(analysis, style)
    yield from together(analysis, style)
    for one in analysis.snapshots[: style.limit]:
        yield from source_lines(one, style)
    yield from _not_shown(len(analysis.snapshots), "snapshots", style)


def _not_shown(number: int, what: str, style: Style) -> Iterator[str]:
    if style.limit is not None and number > style.limit:
        yield f"{style.ellipsis} and {number - style.limit} more {what} (--all lists them)"


def _overview(analysis: Analysis, style: Style) -> Iterator[str]:
    kinds = Counter(deadlock.certainty for _, deadlock in analysis.deadlocks)
    counts = ", ".join(f"{kinds[word]} {word}" for word in reversed(VERDICTS) if kinds[word])
    where = f" in {plural(len(analysis.snapshots), 'snapshot')}" if len(analysis.snapshots) > 1 else ""
    if not counts:
        yield style.paint(
            f"No deadlock{where}: the worst verdict is {analysis.verdict}.", ROLES[analysis.verdict]
        )
    else:
        what = plural(kinds.total(), "deadlock") if kinds["certain"] else plural(kinds.total(), "suspect")
        yield style.paint(f"{what}{where}: {counts}.", ROLES[analysis.verdict])
    yield ""


def deadlock_report(
    one: SnapshotAnalysis,
    deadlock: Deadlock,
    say: Sentences,
    moved: str = "",
    where: str = "",
    *,
    several: bool,
) -> Iterator[str]:
    """The report on one deadlock.

    Args:
        one: The analysis of its snapshot.
        deadlock: The deadlock.
        say: Says things about that snapshot.
        moved: For how long it was seen, a sentence without a full stop; may be empty.
        where: What to call the snapshot if not by its path and process; may be empty.
        several: Whether to name the snapshot.

    Yields:
        Lines without line ends, the last one empty.
    """
    style = say.style
    if several:
        yield style.paint(f"In {where or _name(one, style)}:", "strong")
    yield style.paint(say.headline(deadlock), ROLES[deadlock.certainty])
    yield ""
    told = deadlock.hops if style.limit is None else deadlock.hops[: max(style.limit, _MOST_HOPS)]
    lines = [f"  {line}" for line in _ring(deadlock, told, say)]
    yield from style.some(lines, "  ", left_out=len(deadlock.hops) - len(told))
    yield ""
    yield from _how_sure(deadlock, style)
    if moved:
        yield f"  {moved}"
    yield ""
    yield from _stacks(one, deadlock.tasks or deadlock.members, say)
    yield from _blocked_behind(deadlock, say)
    yield from _wrapped("help", deadlock.help, style)
    task = next(iter(deadlock.tasks or deadlock.behind), None)
    if task is not None and one.path not in {"", "-"}:
        name = _quoted(task.name) if say.label(task) == task.name else ""  # else it is not the only one
        command = f"agraph analyze {_quoted(one.path)} --task {name or task.id}"
        yield f"  {style.paint('next', 'accent')}: {command}"
    yield ""


def _ring(deadlock: Deadlock, told: Sequence[Hop], say: Sentences) -> list[str]:
    lines = columns(say.hops(told))
    cycle = deadlock.cycle  # empty for what needs something and waits for nothing
    if cycle and len(told) == len(cycle) and cycle[-1].awaited == cycle[0].waiter:
        lines.append(f"{say.style.corner}back to {say.label(cycle[0].waiter)}")
    return lines


def _how_sure(deadlock: Deadlock, style: Style) -> Iterator[str]:
    sure = how_sure(deadlock.certainty, deadlock.hops[:_MOST_HOPS])
    yield f"  {style.paint('How sure', 'strong')}: {sure}"
    yield from style.some([f"    - {clean(sentence)}" for sentence in deadlock.assumptions], "    ")


def _stacks(one: SnapshotAnalysis, nodes: Sequence[Node], say: Sentences) -> Iterator[str]:
    limit = len(nodes) if say.style.limit is None else say.style.limit
    if not any(node.stack is not None for node in nodes):
        return
    for node in nodes[:limit]:
        stack = stack_lines(one, node, say.style)
        if stack:
            waited = say.waited(node)
            since = "" if waited is None else f", waiting for {seconds(waited)}"
            kind = "Task " if node.kind == "task" else ""
            yield f"  {kind}{say.style.paint(say.label(node), 'strong')}{since}"
            yield from say.style.some([f"    {line}" for line in stack], "    ")
    if len(nodes) > limit:
        yield f"  {say.style.ellipsis} and the stacks of {len(nodes) - limit} more (--all lists them)"
    yield ""


def stack_lines(one: SnapshotAnalysis, node: Node, style: Style) -> list[str]:
    """The stack of a node, innermost frame first, without asyncio's own frames unless there are no others.

    After it come the local variables, where the capture was to read them.

    Args:
        one: The analysis of the node's snapshot.
        node: The node.
        style: How it looks; without a limit, every frame is shown.

    Returns:
        Lines without indent.
    """
    stack = one.snapshot.stack_of(node)
    shown = [site for site in stack if not is_machinery(site)] if style.limit is not None else stack
    rows = [(f"{style.file(site.file)}:{site.line}", clean(site.function)) for site in shown or stack]
    return [*columns(rows), *map(clean, locals_of(node))]


def _blocked_behind(deadlock: Deadlock, say: Sentences) -> Iterator[str]:
    for title, tasks in (
        ("Blocked behind", deadlock.behind),
        ("Behind it until a timeout", deadlock.behind_until_timeout),
    ):
        count = len(tasks)
        if count:
            limit = count if say.style.limit is None else say.style.limit
            names = ", ".join(say.label(node) for node in tasks[:limit])
            more = (
                f" {say.style.ellipsis} and {count - limit} more (--all lists them)" if count > limit else ""
            )
            yield from _wrapped(f"{title} ({count})", f"{names}{more}", say.style, "  ")
    if deadlock.frees > 1:
        yield f"  Best cut: {say.label(deadlock.cut)}; were it free, {deadlock.frees} tasks could go on"


def _wrapped(title: str, text: str, style: Style, hang: str = "") -> Iterator[str]:
    hang = hang or " " * (len(title) + 2)
    first, *rest = textwrap.wrap(f"{title}: {clean(text)}", 100, subsequent_indent=hang)
    yield f"  {style.paint(title, 'accent')}{first[len(title) :]}"
    yield from (f"  {line}" for line in rest)


def _besides(analysis: Analysis, style: Style) -> Iterator[str]:
    if len(analysis.snapshots) == 1:
        yield from _beside(analysis.snapshots[0], style, alone=True)
        return
    # Of several, those are worth a look that have no deadlock to show and yet are not all live.
    earlier = {id(one.graph) for history in analysis.histories for one in history.snapshots[:-1]}
    if analysis.across and analysis.across.one.deadlocks:
        earlier |= {id(one.graph) for one in analysis.across.parts}  # told above
    histories = {id(history.last.graph): history for history in analysis.histories}
    found = [
        one
        for one in analysis.snapshots
        if (one.verdict != "live" or id(one.graph) in histories)
        and not one.deadlocks
        and id(one.graph) not in earlier
    ]
    for one in found[: style.limit]:
        yield style.paint(f"In {_name(one, style)}:", "strong")
        yield from _beside(one, style, histories.get(id(one.graph)))
    yield from _not_shown(len(found), "like these", style)


def _beside(
    one: SnapshotAnalysis, style: Style, history: History | None = None, *, alone: bool = False
) -> Iterator[str]:
    """What else there is to say of a snapshot: waits for the unknown, and the look over it."""
    say = Sentences(one, style)
    if not one.deadlocks:
        yield style.paint(no_deadlock(one), ROLES[one.verdict])
        yield ""
    open_ended = [orphan for orphan in one.orphans if orphan.verdict != "certain" or orphan.findings]
    if open_ended:
        yield "  Who will free these, the snapshot does not know:"
        rows = columns([_orphan(say, orphan) for orphan in open_ended])
        yield from below_orphans(open_ended, rows, style, "    ")
        yield ""
    if not one.deadlocks:
        yield from _look_over(one, say, history, alone=alone)


def no_deadlock(one: SnapshotAnalysis) -> str:
    """What to say of a snapshot without deadlocks, in one sentence."""
    tasks = one.tally.total()
    if one.verdict == "live":
        if not tasks:
            return "No deadlock: there are no tasks."
        return f"No deadlock: {'the only task' if tasks == 1 else f'all {tasks} tasks'} can proceed."
    if one.verdict == "stalled":
        return "No deadlock: every task can proceed, some not before a timeout passes."
    stuck = tasks - one.tally["live"]
    wait = "waits" if stuck == 1 else "wait"
    who = f"{stuck} of {plural(tasks, 'task')}"
    return f"No deadlock is certain: {who} {wait} for what only an unknown party can free."


def _orphan(say: Sentences, orphan: Orphan) -> tuple[str, str]:
    place = say.place(orphan.waiters[0]) if orphan.waiters else say.place(orphan.node)
    who = ", ".join(say.label(node) for node in orphan.waiters[:2])
    if len(orphan.waiters) > 2:
        who += f" and {len(orphan.waiters) - 2} more"
    waits = f"; awaited by {who}" if who else ""
    why = f" ({clean(orphan.node.open)})" if orphan.node.open else ""
    return f"{say.label(orphan.node)}{why}{waits}", place


def _longest_wait(
    found: Survey, say: Sentences, history: History | None, *, alone: bool
) -> Iterator[tuple[str, str]]:
    """Which wait is the longest, and its place. No snapshot of asyncio tells when a wait began."""
    if found.longest:
        node, age = found.longest
        yield f"{say.label(node)}, {seconds(age)}", say.place(node)
    elif history is not None:
        still = [node for node, _ in history.still if node.need]
        if still:
            among = f"{len(still)}, among them " if len(still) > 1 else ""
            yield f"{among}{say.label(still[0])}, {seconds(history.seconds)} at least", say.place(still[0])
    elif alone and found.waiting:
        yield "not known from one snapshot: capture again, and give both", ""


def _look_over(
    one: SnapshotAnalysis, say: Sentences, history: History | None, *, alone: bool
) -> Iterator[str]:
    found = survey(one)
    rows = [("longest wait", *row) for row in _longest_wait(found, say, history, alone=alone)]
    if found.fan_in and found.fan_in[1] > 1:
        node, count = found.fan_in
        rows.append(("largest fan-in", f"{count} wait for {say.label(node)}", ""))
    for what, count, node in found.leaves:
        if what == "unknown" and one.orphans:
            continue  # told above, one by one
        among = f"{count}, among them " if count > 1 else ""
        rows.append((_ENDS.get(what, what), f"{among}{_leaf(say, node)}", say.place(node)))
    width = max((len(title) for title, _, _ in rows), default=0)
    lines = columns([(f"  {title + ':':<{width + 1}} {text}", place) for title, text, place in rows])
    if lines:
        yield from say.style.some(lines, "  ")
        yield ""


def _leaf(say: Sentences, node: Node) -> str:
    facts = [say.label(node)]
    if node.timer is not None:
        facts.append(f"in {seconds(say.left(node.timer))}")
    facts += [f"{key} {value}" for key, value in (node.detail or {}).items() if key in _TOLD and value]
    return clean(", ".join(facts))


def source_lines(one: SnapshotAnalysis, style: Style) -> Iterator[str]:
    """What a snapshot is of, and how far it can be trusted.

    Args:
        one: Its analysis.
        style: How it looks.

    Yields:
        Lines without line ends.
    """
    process, capture = one.snapshot.process, one.snapshot.capture
    counts = one.tally
    tally = ", ".join(f"{counts[word]} {word}" for word in reversed(VERDICTS) if counts[word])
    python = clean(f"{process.implementation} {process.python}")
    facts = [_name(one, style), python, _moment(capture.start)]
    yield f"snapshot: {', '.join(fact.strip() for fact in facts if fact.strip())}"
    yield f"  {plural(counts.total(), 'task')}{': ' if tally else ''}{tally}"
    if not capture.consistent:
        yield "  note: the program ran while it was captured, so nothing in it is called certain"
    rows = [f"  note: left out: {clean(text)}" for text in capture.cut]
    rows += [f"  note: could not be read: {clean(text)}" for text in capture.errors]
    if capture.unknown:
        rows.append(f"  note: this interpreter does not tell: {clean(', '.join(capture.unknown))}")
    yield from style.some(rows, "  ")


def _name(one: SnapshotAnalysis, style: Style) -> str:
    process = one.snapshot.process
    host = f" on {process.host}" if process.host else ""
    path = "standard input" if one.path == "-" else one.path
    names = [style.file(name) for name in (path, process.argv0) if name]
    return ", ".join([*names, clean(f"pid {process.pid}{host}")])


def _joint_name(analysis: Analysis, one: SnapshotAnalysis, style: Style) -> str:
    """What to call several processes together; empty for the analysis of a single one."""
    if analysis.across is None or analysis.across.one is not one:
        return ""
    return f"{listed([_name(part, style) for part in analysis.across.parts])}, which wait for each other"


def _moment(at: float) -> str:
    try:
        moment = dt.datetime.fromtimestamp(at, tz=dt.UTC)
    except (ValueError, OverflowError, OSError):  # not a number, or not in years of four digits
        return "at an unknown time"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _quoted(text: str) -> str:
    """A word for a shell; empty for one that could not be shown as it is."""
    return shlex.quote(text) if text and clean(text) == text else ""
