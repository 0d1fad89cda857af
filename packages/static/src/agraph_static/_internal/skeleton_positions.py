"""Where the nodes of a skeleton are (see skeleton.py), from the standard parser's positions."""

from __future__ import annotations

import ast
import bisect
from typing import TYPE_CHECKING, Any

from agraph_static._internal.lines import line_starts
from agraph_static._internal.model import Span

if TYPE_CHECKING:
    import libcst as cst


class SkeletonPositions:
    """Where the nodes of a skeleton are: what `tree.Positions` says of a whole tree, nearly."""

    def __init__(self, text: str, places: dict[int, ast.AST]) -> None:
        """Keep what is asked from.

        Args:
            text: The source.
            places: id of a node -> the standard parser's node it was made from.
        """
        self.text = text
        self._places = places
        self._lines = line_starts(text)

    def line_start(self, offset: int) -> int:
        """Offset of the first character of the line that holds an offset."""
        return self._lines[bisect.bisect_right(self._lines, offset) - 1]

    def __contains__(self, node: cst.CSTNode) -> bool:
        """Whether a node stands in the text, and was not made up by the analysis."""
        return id(node) in self._places

    def offsets(self, node: cst.CSTNode) -> tuple[int, int]:
        """First and last-plus-one character of a node."""
        source: Any = self._places[id(node)]
        if isinstance(source, ast.Module):
            return 0, len(self.text)
        return (
            self._offset(source.lineno, source.col_offset),
            self._offset(source.end_lineno, source.end_col_offset),
        )

    def _offset(self, line: int, column: int) -> int:
        """The character at a column in bytes."""
        start = self._lines[line - 1]
        before = self.text[start : start + column]
        if before.isascii():
            return start + column
        return start + len(before.encode("utf-8", errors="surrogatepass")[:column].decode("utf-8", "ignore"))

    def span(self, node: cst.CSTNode) -> Span:
        """Lines and columns of a node."""
        source: Any = self._places[id(node)]
        start, end = self.offsets(node)
        first, last = self._lines[source.lineno - 1], self._lines[source.end_lineno - 1]
        return Span(source.lineno, start - first + 1, source.end_lineno, end - last + 1)

    def code(self, node: cst.CSTNode) -> str:
        """The source of a node; empty for one that was made up."""
        if id(node) not in self._places:
            return ""
        start, end = self.offsets(node)
        return self.text[start:end]
