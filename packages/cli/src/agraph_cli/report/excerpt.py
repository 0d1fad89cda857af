"""A piece of source code with the places in it underlined, in the manner of rustc."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph_cli.report.style import Role, Style
    from agraph_static import Span

_CONTEXT = 1  # lines shown before the first place
_GAP = 3  # so many lines between two places are shown rather than elided
_TAB = "    "
_WIDEST = 160  # longer lines are cut: generated code


class Mark(NamedTuple):
    """A place to underline, with what to write under it."""

    span: Span
    label: str
    primary: bool


def excerpt(lines: Sequence[str], marks: Sequence[Mark], style: Style) -> Iterator[str]:
    """Show the lines of some places.

    Args:
        lines: The lines of the file, without line ends.
        marks: The places; those beyond the end of the file are left out.
        style: How it looks.

    Yields:
        Lines with a gutter of line numbers; nothing if no place is in the file.
    """
    inside = sorted((mark for mark in marks if 1 <= mark.span.line <= len(lines)), key=_begin)
    if not inside:
        return
    wanted = _wanted([mark.span.line for mark in inside])
    gutter = len(str(wanted[-1]))
    yield f"{' ' * gutter} |"
    before = wanted[0] - 1
    for number in wanted:
        if number != before + 1:
            yield f"{' ' * gutter}{style.ellipsis if style.ascii else '⋮':>2}"
        before = number
        here = [mark for mark in inside if mark.span.line == number]
        yield f"{number:>{gutter}} | {_shown(lines[number - 1])}".rstrip()
        for mark in here:
            yield f"{' ' * gutter} | {_underline(lines[number - 1], mark, style)}"
    yield f"{' ' * gutter} |"


def _begin(mark: Mark) -> tuple[int, int]:
    return mark.span.line, mark.span.column


def _wanted(places: Sequence[int]) -> list[int]:
    wanted = set(range(max(1, places[0] - _CONTEXT), places[0] + 1))
    for above, below in pairwise(places):
        wanted.update(range(above, below + 1) if below - above <= _GAP else (above, below))
    return sorted(wanted | set(places))


def _shown(line: str) -> str:
    text = "".join(_glyph(character) for character in line)
    return text if len(text) <= _WIDEST else text[:_WIDEST]


def _glyph(character: str) -> str:
    return _TAB if character == "\t" else clean(character)


def _underline(line: str, mark: Mark, style: Style) -> str:
    start = mark.span.column - 1
    end = mark.span.end_column - 1 if mark.span.end_line == mark.span.line else len(line)
    indent = min(_width(line[:start]), _WIDEST)
    length = max(1, min(_width(line[start:end].rstrip()), _WIDEST - indent))
    role: Role = "bad" if mark.primary else "accent"
    signs = style.paint(("^" if mark.primary else "-") * length, role)
    label = f" {style.paint(clean(mark.label), role)}" if mark.label else ""
    return f"{' ' * indent}{signs}{label}"


def _width(text: str) -> int:
    """How many cells a terminal takes for a text."""
    return sum(_cells(character) for glyph in text for character in _glyph(glyph))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
