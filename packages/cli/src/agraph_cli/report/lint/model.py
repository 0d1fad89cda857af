"""What the reporters are given, and what several of them need."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agraph_cli.report.style import Style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agraph_cli.analysis.evidence import Evidence
    from agraph_static import Finding, LintResult

# Python's lines end at these only; str.splitlines knows more, which would shift the rest.
_LINE_END = re.compile(r"\r\n|\r|\n")


class Source:
    """The text of a file, as it was linted."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.lines = _LINE_END.split(text)
        self._data = b""
        self._starts: list[int] = []

    def place(self, offset: int) -> tuple[int, int]:
        """Where a byte of the UTF-8 text is.

        Args:
            offset: Its offset; beyond the end counts as the end.

        Returns:
            Line and column, both from 1; the column counts characters.
        """
        if not self._starts:
            self._data = self._text.encode("utf-8", "surrogatepass")
            ends = re.finditer(_LINE_END.pattern.encode(), self._data)
            self._starts = [0, *(match.end() for match in ends)]
        offset = min(offset, len(self._data))
        line = bisect.bisect_right(self._starts, offset)
        before = self._data[self._starts[line - 1] : offset]
        return line, len(before.decode("utf-8", "surrogatepass")) + 1


@dataclass(frozen=True, slots=True)
class LintReport:
    """A run of the lint, to be told.

    Attributes:
        result: What was found.
        sources: The files with findings; one that is missing could not be read.
        style: How text looks. Its `root` is what relative paths start from.
        unsafe: Whether fixes that can change what a program does are offered like the others.
        accepted: Findings that a baseline allows; None without a baseline.
        evidence: For the findings at which snapshots show waiting tasks, how many; None without snapshots.
    """

    result: LintResult
    sources: Mapping[str, Source] = field(default_factory=dict)
    style: Style = field(default_factory=Style)
    unsafe: bool = False
    accepted: tuple[Finding, ...] | None = None
    evidence: Mapping[Finding, Evidence] | None = None
