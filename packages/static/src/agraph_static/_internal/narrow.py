"""Leaves out of a text what a finding does not need, before libcst reads it.

libcst's tree of a file costs ten times the standard parser's. The functions and classes of a module that no
finding is about are replaced by spaces; every other character stays where it is.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_static._internal.model import Finding

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DATA = (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.USub, ast.Load)
_BIG = 500_000
"""Characters from which on it pays to look for tables."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")


def lines_of(text: str) -> list[str]:
    """The lines of a source text, with their ends, as Python's tokenizer counts them."""
    return _LINE.findall(text)


def narrowed(tree: ast.Module, text: str, findings: Iterable[Finding]) -> str:
    """The text without the functions and classes of the module that findings do not touch.

    Args:
        tree: The standard parser's tree of the text.
        text: The source.
        findings: What the text has to keep, with the second places.

    Returns:
        A text with the same lines, whose other parts begin at the same characters and bytes.
    """
    wanted = {
        line
        for one in findings
        for span in (one.span, *(other.span for other in one.related))
        for line in range(span.line, span.end_line + 1)
    }
    lines = lines_of(text)
    taken = [(_first_line(node), node.end_lineno or node.lineno) for node in tree.body]
    for index, node in enumerate(tree.body):
        first, last = taken[index]
        shared = index > 0 and taken[index - 1][1] >= first
        shared = shared or (index + 1 < len(taken) and taken[index + 1][0] <= last)
        if shared or not isinstance(node, _DEFINITIONS) or not wanted.isdisjoint(range(first, last + 1)):
            continue
        for number in range(first - 1, last):
            lines[number] = _blank(lines[number])
    return "".join(lines)


def without_data(tree: ast.Module, text: str) -> str:
    """The text without the module's tables of constants, which are also taken out of the tree.

    Args:
        tree: The standard parser's tree of the text; it is changed.
        text: The source.

    Returns:
        The text itself when it is short or there are none, else one with the same lines.
    """
    if len(text) < _BIG:
        return text
    data = [node for node in tree.body if _is_data(node)]
    if not data:
        return text
    dropped = {id(node) for node in data}
    tree.body = [node for node in tree.body if id(node) not in dropped]
    kept = {line for node in tree.body for line in (_first_line(node), node.end_lineno)}
    lines = lines_of(text)
    for node in data:
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            if number not in kept:
                lines[number - 1] = _blank(lines[number - 1])
    return "".join(lines)


def _is_data(node: ast.stmt) -> bool:
    """Whether a statement binds a name to constants, None excepted: that stands for what comes later."""
    if not isinstance(node, ast.Assign) or not all(isinstance(one, ast.Name) for one in node.targets):
        return False
    if isinstance(node.value, ast.Constant):
        return node.value.value is not None
    return all(isinstance(one, _DATA) for one in ast.walk(node.value))


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, _DEFINITIONS) else []
    return min([node.lineno, *(one.lineno for one in decorators)])


def _blank(line: str) -> str:
    body = line.rstrip("\r\n")
    return " " * len(body.encode("utf-8", errors="surrogatepass")) + line[len(body) :]
