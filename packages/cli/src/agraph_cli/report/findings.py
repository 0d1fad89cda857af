"""What the static rules say of the source of a wait, under that wait."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from agraph import Site
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph_cli.analysis.model import Orphan
    from agraph_cli.report.style import Style
    from agraph_static import Finding

_WIDTH = 100


def below_orphans(orphans: Sequence[Orphan], rows: Sequence[str], style: Style, indent: str) -> Iterator[str]:
    """Rows about orphans, each with its findings below it.

    Args:
        orphans: The orphans.
        rows: For each a line, without indent.
        style: How it looks, and how many orphans are shown.
        indent: How far to indent.

    Yields:
        Lines. What is to be said is said once, and places alone after that.
    """
    limit = len(rows) if style.limit is None else style.limit
    told: set[tuple[str, str]] = set()
    for orphan, row in zip(orphans[:limit], rows[:limit], strict=True):
        yield f"{indent}{row}"
        for finding in orphan.findings:
            said = finding.code, finding.message
            yield from finding_lines(finding, style, f"{indent}  ", again=said in told)
            told.add(said)
    if len(rows) > limit:
        yield f"{indent}{style.ellipsis} and {len(rows) - limit} more (--all lists them)"


def finding_lines(finding: Finding, style: Style, indent: str, *, again: bool = False) -> Iterator[str]:
    """One finding: rule, place, message, and what to do.

    Args:
        finding: The finding.
        style: How it looks.
        indent: How far to indent.
        again: Whether the same was said of another place already, so that this place is enough.

    Yields:
        Lines.
    """
    place = style.place(Site(finding.path, finding.function, finding.span.line))
    yield f"{indent}{style.paint(finding.code, 'bad')} {place}{', as above' if again else ''}"
    if again:
        return
    yield from _wrapped(clean(finding.message), f"{indent}  ")
    if finding.help:
        first, *rest = _wrapped(f"help: {clean(finding.help)}", f"{indent}  ")
        yield f"{indent}  {style.paint('help', 'accent')}{first.lstrip()[len('help') :]}"
        yield from rest


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
