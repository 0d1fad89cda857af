"""Keeps code that is nested too deeply away from libcst.

Its native parser overflows the C stack without an exception.

Such code is generated: a sum of twenty thousand terms, an `elif` for each of a thousand cases. The
statement of the module that holds it is replaced by empty lines, so that the rest of the file is still
linted.
"""

from __future__ import annotations

import ast

from agraph_static._internal.narrow import lines_of

MAX_DEPTH = 400
"""Levels of nested nodes.

libcst's parser overflows some thousands down, its code generator at Python's own limit.
"""

_LONG = 2 * MAX_DEPTH
"""A statement with fewer bytes cannot be nested that deeply: each level takes at least two."""

_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")


def without_deep_statements(tree: ast.Module, text: str) -> str:
    """The text with too deeply nested statements of the module blanked; the text itself when there are none.

    Args:
        tree: The standard parser's tree of the text.
        text: The source.
    """
    if len(text) < _LONG:
        return text
    deep = [node for node in tree.body if _is_deep(node)]
    if not deep:
        return text
    lines = lines_of(text)
    for node in deep:
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            line = lines[number - 1]
            lines[number - 1] = line[len(line.rstrip("\r\n")) :]
    return "".join(lines)


def _is_deep(statement: ast.stmt) -> bool:
    """Whether a statement, or one in it, is nested too deeply. Only long lines of code are looked into."""
    stack: list[tuple[ast.AST, int]] = [(statement, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            return True
        inner: list[ast.AST] = []
        for name in _parts_of(node):
            inner.extend(getattr(node, name))
        stack.extend([(part, depth + 1) for part in inner])
        if not inner and _length(node) > _LONG and _depth([node]) > MAX_DEPTH:
            return True
        if inner and _length(node, until=inner[0]) > _LONG:
            header = [one for one in ast.iter_child_nodes(node) if one not in inner]
            if _depth(header) > MAX_DEPTH:
                return True
    return False


_KNOWN_PARTS: dict[type, tuple[str, ...]] = {ast.Lambda: (), ast.IfExp: ()}  # their `body` is an expression


def _parts_of(node: ast.AST) -> tuple[str, ...]:
    """The fields of a node that hold statements, handlers or cases."""
    known = _KNOWN_PARTS.get(type(node))
    if known is None:
        known = _KNOWN_PARTS[type(node)] = tuple(name for name in _PARTS if name in node._fields)
    return known


def _length(node: ast.AST, until: ast.AST | None = None) -> int:
    """At least how many bytes a statement, or its header, can have: lines count for a hundred."""
    start, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
    if until is not None:
        end, end_column = getattr(until, "lineno", start), getattr(until, "col_offset", 0)
    else:
        end, end_column = getattr(node, "end_lineno", start), getattr(node, "end_col_offset", 0)
    return (end - start) * 100 + max(0, end_column - column)


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
