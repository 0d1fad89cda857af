"""`agraph analyze --format html`: one page with everything in it; it asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from agraph.reduction import EXPLAINED
from agraph_cli import __version__
from agraph_cli.analysis.names import plural, user_site
from agraph_cli.report.html_parts import SCRIPT, STYLE
from agraph_cli.report.picture import headline, more_of
from agraph_cli.report.ring import MOST, Bead, ring
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean
from agraph_cli.report.table import TITLES, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph.reduction import Hop
    from agraph_cli.analysis.model import Analysis, Deadlock, SnapshotAnalysis
    from agraph_cli.report.style import Style

_MOST_DEADLOCKS = 20
_MOST_WORDS = 50
_MOST_HOPS = 1_000
_TIP = (
    '<svg width="0" height="0" aria-hidden="true"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
    'markerWidth="8" markerHeight="8" orient="auto"><path d="M 0 0 L 8 4 L 0 8 z"/></marker></defs></svg>'
)


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """The report as a page of HTML.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How text looks; its `limit` is the number of rows of the table.

    Yields:
        Lines without line ends.
    """
    title = escape(headline(analysis, style))
    yield from _head(title)
    yield f'<h1 class="{analysis.verdict}">{title}</h1>'
    yield f"<p>{escape(EXPLAINED[analysis.verdict])}</p>"
    yield from _snapshots(analysis, style)
    yield _TIP
    found = analysis.deadlocks
    shown = found if style.limit is None else found[:_MOST_DEADLOCKS]
    says = {id(one): Sentences(one, style) for one, _ in shown}
    for one, deadlock in shown:
        yield from _deadlock(one, deadlock, says[id(one)])
    if len(found) > len(shown):
        more = more_of(deadlock.certainty for _, deadlock in found[len(shown) :])
        yield f"<p>{more} (--all shows all).</p>"
    yield from _table(analysis, style)
    yield f"<script>{SCRIPT}</script>"
    yield "</main></body></html>"


def _head(title: str) -> Iterator[str]:
    policy = f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'"
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta name="generator" content="agraph {__version__}">'
    yield f"<title>{title}</title>"
    yield f"<style>{STYLE}</style></head><body><main>"


def _hash(text: str) -> str:
    """What lets a browser run this very text and no other: a name from a snapshot never becomes code."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _snapshots(analysis: Analysis, style: Style) -> Iterator[str]:
    several = analysis.snapshots if style.limit is None else analysis.snapshots[:_MOST_WORDS]
    for one in several:
        process = one.snapshot.process
        facts = [one.path, one.process, process.argv0, f"{process.implementation} {process.python}".strip()]
        tasks = plural(one.tally.total(), "task")
        words = ", ".join(escape(clean(fact)) for fact in facts if fact)
        notes = [] if one.snapshot.capture.consistent else ["the program ran while it was captured"]
        notes += one.snapshot.capture.cut
        more = "".join(f" ({escape(clean(note))})" for note in notes)
        yield f'<p class="note">Snapshot: {words}, {tasks}: worst verdict {one.verdict}{more}</p>'
    if len(analysis.snapshots) > len(several):
        yield f'<p class="note">And {len(analysis.snapshots) - len(several)} more snapshots.</p>'


def _deadlock(one: SnapshotAnalysis, deadlock: Deadlock, say: Sentences) -> Iterator[str]:
    text = say.headline(deadlock)
    yield f'<section><h2 class="{deadlock.certainty}">{escape(text)}</h2>'
    closed = bool(deadlock.cycle) and deadlock.cycle[-1].awaited == deadlock.cycle[0].waiter
    if closed:
        yield "<figure>"
        cycle = deadlock.cycle
        shown = cycle if len(cycle) <= MOST else (*cycle[: MOST - 1], cycle[-1])
        yield from ring([_bead(one, hop, say) for hop in shown], text, len(cycle) - len(shown))
        yield "</figure>"
    yield "<ol>"
    told = deadlock.hops[:_MOST_HOPS]
    hops = say.hops(told)
    for sentence, place in hops[:_MOST_WORDS]:
        at = f" <code>{escape(place)}</code>" if place else ""
        yield f"<li>{escape(sentence.strip())}{at}</li>"
    untold = len(hops) + len(deadlock.hops) - len(told) - _MOST_WORDS
    if untold > 0:
        yield f"<li>and {untold} more</li>"
    yield "</ol>"
    yield f"<p><strong>What to change:</strong> {escape(clean(deadlock.help))}.</p>"
    yield f"<p>How sure: {deadlock.certainty}. It is so if</p><ul>"
    for sentence in deadlock.assumptions[:_MOST_WORDS]:
        yield f"<li>{escape(clean(sentence))}</li>"
    yield "</ul>"
    if deadlock.behind:
        names = ", ".join(escape(say.label(node)) for node in deadlock.behind[:_MOST_WORDS])
        left = len(deadlock.behind) - _MOST_WORDS
        more = f" and {left} more" if left > 0 else ""
        yield f"<p>Blocked behind ({len(deadlock.behind)}): {names}{more}.</p>"
    yield "</section>"


def _bead(one: SnapshotAnalysis, hop: Hop, say: Sentences) -> Bead:
    edge = hop.edge
    site = user_site(one.snapshot, hop.waiter)
    if edge is not None and edge.site is not None:
        site = one.snapshot.sites[edge.site]
    kind = edge.kind if edge else "loop"
    verb = {"held_by": "held by", "lock": "waits for", "await": "awaits"}.get(kind, kind.replace("_", " "))
    guessed = edge is not None and edge.confidence == "probable"
    return Bead(say.label(hop.waiter), say.style.place(site), hop.waiter.kind, verb, guessed)


def _table(analysis: Analysis, style: Style) -> Iterator[str]:
    found = rows(analysis, style)
    total = sum(one.tally.total() for one in analysis.snapshots)
    several = len(analysis.snapshots) > 1
    yield "<section><h2>Tasks</h2>"
    if total > len(found):
        yield f"<p>{total - len(found)} tasks are not in this table: those stuck most firmly come first.</p>"
    yield (
        '<p id="tools" hidden><label for="search">Search: </label>'
        '<input type="search" id="search"> <span id="count" role="status"></span></p>'
    )
    titles = [*(title.capitalize() for title in TITLES), *(["Snapshot"] if several else [])]
    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{title}</button></th>' for title in titles
    )
    yield '<table id="tasks"><caption class="note">A row for each task. Titles sort by column.</caption>'
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for one, row in found:
        cells = [f'<td class="{row.verdict}">{row.verdict}</td>', *(_cell(text) for text in row[1:])]
        if several:
            cells.append(_cell(clean(one.path or one.process)))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></section>"


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"
