"""Cheap, iterative access to libcst trees: children in source order, positions, dotted names.

libcst's own metadata providers cost 20 to 70 times what the standard parser costs, and clone the tree first.
Positions are taken here from one run of the code generator, which writes every token in order: a node
begins at the token that is written when it starts, and ends where its last token ends.
"""

from __future__ import annotations

import bisect
import itertools
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from agraph_static._internal.lines import line_starts
from agraph_static._internal.model import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_CODE = (
    "whitespace",
    "lines",
    "lpar",
    "rpar",
    "comma",
    "semicolon",
    "header",
    "footer",
    "newline",
    "indent",
    "bracket",
    "brace",
    "equal",
    "colon",
    "dot",
    "operator",
    "annotation",
    "returns",
    "star",
    "lambda",
    "asynchronous",
    "relative",
    "type_parameters",
    "encoding",
    "default_",
    "has_trailing",
    "prefix",
)

_FIELDS: dict[type, tuple[str, ...]] = {}


def _code_fields(kind: type) -> tuple[str, ...]:
    names = tuple(
        field.name
        for field in fields(kind)  # libcst nodes are dataclasses
        if not any(part in field.name for part in _NO_CODE) or field.name == "default_value"
    )
    _FIELDS[kind] = names
    return names


_ORDER = {
    # Where the order of the fields is not the order of execution or of the source.
    cst.Lambda: ("params", "body"),
    cst.ListComp: ("for_in", "elt"),
    cst.SetComp: ("for_in", "elt"),
    cst.GeneratorExp: ("for_in", "elt"),
    cst.DictComp: ("for_in", "key", "value"),
    cst.Assign: ("value", "targets"),
    cst.NamedExpr: ("value", "target"),
    cst.IfExp: ("test", "body", "orelse"),
    cst.Arg: ("value",),
    cst.Param: ("default",),
    cst.Parameters: ("posonly_params", "params", "kwonly_params"),
}
_PLAIN = frozenset({str, bool, type(None), cst.MaybeSentinel})
_LEAVES = (cst.Name, cst.Integer, cst.SimpleString, cst.Float, cst.ImportFrom, cst.Import, cst.Pass)
_FIELDS.update(dict(_ORDER.items()))
_FIELDS.update(dict.fromkeys(_LEAVES, ()))

EMPTY = frozenset({cst.Name, cst.Integer, cst.SimpleString, cst.Float, cst.Pass})
"""Kinds of nodes with no code below them that no model is made of."""


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes below one that hold code: no whitespace, no annotations, no punctuation."""
    found: list[cst.CSTNode] = []
    names = _FIELDS.get(type(node))
    # The type is looked up: isinstance costs a tenth of the run, since libcst's classes are abstract.
    for name in _code_fields(type(node)) if names is None else names:
        value = getattr(node, name)
        kind = type(value)
        if kind is list or kind is tuple:
            found.extend(value)
        elif kind not in _PLAIN:
            found.append(value)
    return found


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all code below it, in order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        below = children(current)
        below.reverse()
        stack.extend(below)


def dotted(expression: cst.CSTNode | None) -> str:
    """A path as text: `self._waiters[].fut`, `make()`; empty when the expression is no path."""
    parts: list[str] = []
    node: Any = expression
    while node is not None:
        kind = type(node)
        if kind is cst.Name:
            parts.append(node.value)
            return "".join(reversed(parts))
        if kind is cst.Attribute:
            parts.append("." + node.attr.value)
            node = node.value
        elif kind is cst.Subscript:
            parts.append("[]")
            node = node.value
        elif kind is cst.Call:
            parts.append("()")
            node = node.func
        elif kind is cst.Await:
            node = node.expression
        else:
            return ""
    return ""


class UnreadableError(Exception):
    """libcst cannot read what Python can."""


def parse_module(text: str) -> cst.Module:
    """Libcst's tree of a text that Python parses.

    Args:
        text: The source.

    Raises:
        UnreadableError: libcst fails on it. It has a limit for nesting, takes the joined t-strings of
            Python 3.14 for an error in itself, and panics now and then, which is no `Exception`.
    """
    try:
        return cst.parse_module(text)
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise UnreadableError(str(error)) from error
        raise


_RECURSION_LIMIT = 20_000
"""Enough for the deepest code that is let through (see depth.py)."""


class _TokenCounter(CodegenState):
    """A code generator that notes, for every node, between which tokens it was written."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.first[id(node)] = len(self.tokens)

    def after_codegen(self, node: cst.CSTNode) -> None:
        self.last[id(node)] = len(self.tokens)


class Positions:
    """Where the nodes of a module are in its text."""

    def __init__(self, module: cst.Module, text: str) -> None:
        """Write the module once and note the places.

        Args:
            module: The tree, as parsed from `text`.
            text: The source.
        """
        counter = _TokenCounter(module)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(
            max(limit, _RECURSION_LIMIT)
        )  # the generator recurses some frames for each level
        try:
            module._codegen(counter)
        finally:
            sys.setrecursionlimit(limit)
        self._first = counter.first
        self._last = counter.last
        self._tokens = counter.tokens
        self._offsets = [0, *itertools.accumulate(map(len, counter.tokens))]
        self._lines = line_starts(text)
        self.text = text

    def offsets(self, node: cst.CSTNode) -> tuple[int, int]:
        """First and last-plus-one character of a node, without the whitespace and comments around it."""
        first, last = self._first[id(node)], self._last[id(node)]
        start = self._offsets[min(first, len(self._offsets) - 1)]
        end = self._offsets[min(last, len(self._offsets) - 1)]
        text = self.text
        parentheses = _count(node, "lpar")
        while start < end:
            if parentheses and text[start] == "(":
                start += 1
                parentheses -= 1
            elif text[start] in " \t\r\n\f\\":
                start += 1
            elif text[start] == "#":
                newline = text.find("\n", start, end)
                start = end if newline < 0 else newline
            else:
                break
        parentheses = _count(node, "rpar")
        while end > start:
            if parentheses and text[end - 1] == ")":
                parentheses -= 1
            elif text[end - 1] not in " \t\r\n\f\\":
                break
            end -= 1
        return start, end

    def __contains__(self, node: cst.CSTNode) -> bool:
        """Whether a node stands in the text, and was not made up by the analysis."""
        return id(node) in self._first

    def span(self, node: cst.CSTNode) -> Span:
        """Lines and columns of a node."""
        start, end = self.offsets(node)
        return self.span_of(start, end)

    def span_of(self, start: int, end: int) -> Span:
        """Lines and columns of a piece of the text."""
        first = bisect.bisect_right(self._lines, start)
        last = bisect.bisect_right(self._lines, end)
        return Span(first, start - self._lines[first - 1] + 1, last, end - self._lines[last - 1] + 1)

    def line_start(self, offset: int) -> int:
        """Offset of the first character of the line that holds an offset."""
        return self._lines[bisect.bisect_right(self._lines, offset) - 1]


def _count(node: cst.CSTNode, name: str) -> int:
    """The number of parentheses around an expression; on a `with` statement they are something else."""
    value = getattr(node, name, ())
    return len(value) if isinstance(value, (list, tuple)) else 0
