"""Keeps code that is nested too deeply away from libcst.

Its native parser overflows the C stack without an exception.

Such code is generated: a sum of twenty thousand terms, an `elif` for each of a thousand cases. The
statement of the module that holds it is replaced by empty lines, so that the rest of the file is still
linted.
"""

from __future__ import annotations

import ast
from typing import Any

from agraph_static._internal.lines import line_starts, lines_of

MAX_DEPTH = 400
"""Levels of nested nodes.

libcst's parser overflows some thousands down, its code generator at Python's own limit.
"""

_LONG = 2 * MAX_DEPTH
"""A statement with fewer characters cannot be nested that deeply: each level takes at least two."""

_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")


def without_deep_statements(tree: ast.Module, text: str) -> str:
    """The text with too deeply nested statements of the module blanked; the text itself when there are none.

    Args:
        tree: The standard parser's tree of the text.
        text: The source.
    """
    if len(text) < _LONG:
        return text
    starts = line_starts(text)
    deep = [node for node in tree.body if _is_deep(node, starts)]
    if not deep:
        return text
    lines = lines_of(text)
    for node in deep:
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            line = lines[number - 1]
            lines[number - 1] = line[len(line.rstrip("\r\n")) :]
    return "".join(lines)


def _is_deep(statement: ast.stmt, starts: list[int]) -> bool:
    """Whether a statement, or one in it, is nested too deeply. Only long statements are looked into."""
    level: list[Any] = [statement]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            if not _is_long(node, node, starts):
                continue
            inner = [one for name in _parts_of(node) for one in getattr(node, name)]
            if not inner:
                header = [node]
            elif _is_long(node, inner[0], starts):
                header = [one for one in ast.iter_child_nodes(node) if one not in inner]
            else:
                header = []
            if _depth(header) > MAX_DEPTH:
                return True
            below += inner
        if not below:
            return False
        level = below
    return True


_KNOWN_PARTS: dict[type, tuple[str, ...]] = {ast.Lambda: (), ast.IfExp: ()}  # their `body` is an expression


def _parts_of(node: ast.AST) -> tuple[str, ...]:
    """The fields of a node that hold statements, handlers or cases."""
    known = _KNOWN_PARTS.get(type(node))
    if known is None:
        known = _KNOWN_PARTS[type(node)] = tuple(name for name in _PARTS if name in node._fields)
    return known


def _is_long(node: ast.AST, last: ast.AST, starts: list[int]) -> bool:
    """Whether there are so many characters from where a node begins to where another, or itself, ends.

    Columns are in bytes, and where it begins its line is not looked at: it may seem longer than it is. A
    `match_case` has no place, and is taken for long.
    """
    if isinstance(node, ast.match_case) or isinstance(last, ast.match_case):
        return True
    line, end, column = node.lineno, last.end_lineno, last.end_col_offset  # type: ignore[attr-defined]
    if line == end:
        return bool(column > _LONG)
    return bool(starts[end - 1] + column - starts[line - 1] > _LONG)


def _depth(nodes: list[ast.AST]) -> int:
    """How deeply the nodes below some are nested; counted no further than matters."""
    deepest = 0
    stack = [(one, 1) for one in nodes]
    while stack and deepest <= MAX_DEPTH:
        node, depth = stack.pop()
        depth += _more_levels(node)
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


def _more_levels(node: ast.AST) -> int:
    """The levels that libcst has where the standard parser has one: it nests these in each other."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 2
    if isinstance(node, _COMPREHENSIONS):
        return len(node.generators) - 1
    if isinstance(node, ast.alias):
        return node.name.count(".")
    if isinstance(node, ast.ImportFrom) and node.module:
        return node.module.count(".")
    return 0


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
