"""How text reports look: colour roles, characters, limits; and how foreign text is made harmless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agraph import Site

_CENTURY_S = 100 * 365 * 86_400.0

Role = Literal["bad", "warn", "good", "accent", "strong"]

# Control characters can move the cursor or set colours, and the bidirectional ones can make text read as
# something else. U+2028 and U+2029 end a line for some terminals; lone surrogates cannot be encoded.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def clean(text: str) -> str:
    r"""Foreign text with every character escaped that could do more than be shown.

    Args:
        text: A task name, a file name, or anything else from a snapshot or a source file.

    Returns:
        The text on one line, such as `a\x1b[31m` for a name that would set a colour.
    """
    return _HARMFUL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def plain(text: str, _role: Role) -> str:
    """No colour."""
    return text


@dataclass(frozen=True, slots=True)
class Style:
    """How a text report looks.

    Attributes:
        paint: Colours a text for a role.
        ascii: Whether to stay with ASCII where the output cannot show more.
        limit: How many rows of a list to show before the rest is counted; None for all.
        root: Files below this folder are shown relative to it; empty for none.
    """

    paint: Callable[[str, Role], str] = plain
    ascii: bool = False
    limit: int | None = 10
    root: str = ""

    @property
    def corner(self) -> str:
        """The beginning of the last line of a ring."""
        return "`- " if self.ascii else "└─ "

    @property
    def ellipsis(self) -> str:
        """What stands for what is not shown."""
        return "..." if self.ascii else "…"

    def file(self, path: str) -> str:
        """A file name to show."""
        for separator in ("/", "\\"):
            below = self.root.rstrip(separator) + separator
            if self.root and path.startswith(below):
                return clean(path[len(below) :])
        return clean(path)

    def place(self, site: Site | None) -> str:
        """A place in the source: `file:line in function`; empty when it is not known."""
        if site is None:
            return ""
        where = f"{self.file(site.file)}:{site.line}" if site.line else self.file(site.file)
        return f"{where} in {clean(site.function)}" if site.function else where

    def some(self, rows: Sequence[str], indent: str, *, left_out: int = 0) -> Iterator[str]:
        """Rows up to the limit, then how many more there are.

        Args:
            rows: The rows, indented.
            indent: How far to indent the count.
            left_out: How many more there are that are not among the rows.

        Yields:
            Lines.
        """
        limit = len(rows) if self.limit is None else self.limit
        yield from rows[:limit]
        if len(rows) + left_out > limit:
            yield f"{indent}{self.ellipsis} and {len(rows) + left_out - limit} more (--all lists them)"


def columns(rows: Sequence[tuple[str, str]], widest: int = 56) -> list[str]:
    """Two columns, the second aligned where the first is not too wide.

    Args:
        rows: Pairs of texts; the second may be empty.
        widest: A first text longer than this does not push the column.

    Returns:
        One line for each pair.
    """
    width = max((len(left) for left, right in rows if right and len(left) <= widest), default=0)
    return [f"{left:<{width}}  {right}" if right else left for left, right in rows]


def seconds(value: float) -> str:
    """A duration for people: `0.3 s`, `41 s`, `12 min`, `3.5 h`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h" if value < _CENTURY_S else "over 100 years"  # until `math.inf`, say
