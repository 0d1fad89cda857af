"""Leaves out of a text what a finding does not need, before libcst reads it.

libcst's tree of a file costs ten times the standard parser's. The functions and classes of a module that no
finding is about are replaced by spaces; every other character stays where it is.
"""

from __future__ import annotations

import ast
import bisect
import itertools
import re
from typing import TYPE_CHECKING

from agraph_static._internal.lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph_static._internal.model import Finding, Span

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DATA = (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.USub, ast.Load)
_BIG = 500_000
"""Characters from which on it pays to look for tables."""

_ATTRIBUTE = re.compile(r"\.\s*([A-Za-z_]\w*)")


def narrowed(tree: ast.Module, text: str, findings: Iterable[Finding]) -> str:
    """The text without the functions, classes and methods that findings do not touch.

    Args:
        tree: The standard parser's tree of the text.
        text: The source.
        findings: What the text has to keep, with the second places and what fixes change.

    Returns:
        A text with the same lines, whose other parts begin at the same characters and bytes.
    """
    lines = lines_of(text)
    spans = [(one.span, *(other.span for other in one.related)) for one in findings]
    wanted = {line for each in spans for span in each for line in range(span.line, span.end_line + 1)}
    names = set().union(*(_shared_names(lines, each) for each in spans))
    wanted.update(_edited(lines, findings))
    unused = list(_unused(tree.body, wanted))
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef) and not wanted.isdisjoint(_numbers(owner)):
            methods = [
                one
                for one in _unused(owner.body, wanted)
                if names.isdisjoint(_ATTRIBUTE.findall("".join(lines[one.start - 1 : one.stop - 1])))
            ]
            if len(methods) < len(owner.body):
                unused.extend(methods)
    for one in unused:
        for number in one:
            lines[number - 1] = _blank(lines[number - 1])
    return "".join(lines)


def _shared_names(lines: list[str], spans: Iterable[Span]) -> set[str]:
    """The attributes that a finding is about: those that more than one of its places names, or else all."""
    named = [set(_ATTRIBUTE.findall("".join(lines[one.line - 1 : one.end_line]))) for one in spans]
    every = set().union(*named)
    return {name for name in every if sum(name in one for one in named) > 1} or every


def _unused(body: list[ast.stmt], wanted: set[int]) -> Iterator[range]:
    """The lines of functions and classes that hold none that is wanted, or that another statement shares.

    With the comments before them, which would belong to the statement before.
    """
    taken = [_numbers(node) for node in body]
    for index, node in enumerate(body):
        shared = index > 0 and taken[index - 1].stop > taken[index].start
        shared = shared or (index + 1 < len(taken) and taken[index + 1].start < taken[index].stop)
        if not shared and isinstance(node, _DEFINITIONS) and wanted.isdisjoint(taken[index]):
            yield range(taken[index - 1].stop if index else taken[index].start, taken[index].stop)


def _numbers(node: ast.stmt) -> range:
    """The lines of a statement."""
    return range(_first_line(node), (node.end_lineno or node.lineno) + 1)


def _edited(lines: list[str], findings: Iterable[Finding]) -> Iterator[int]:
    """The lines that fixes change, or stand behind."""
    ends = list(itertools.accumulate(len(one.encode("utf-8", errors="surrogatepass")) for one in lines))
    for finding in findings:
        for edit in finding.fix.edits if finding.fix is not None else ():
            if edit.end > 0:
                yield from range(
                    bisect.bisect_left(ends, edit.start) + 1, bisect.bisect_left(ends, edit.end) + 2
                )


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
