"""A fix that removes whole statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.model import Edit, Fix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_static._internal.context import Context


def remove_statements(context: Context, nodes: Iterable[cst.CSTNode], message: str) -> Fix | None:
    """A safe fix that removes the statements that consist of the given calls.

    Returns:
        The fix; None when a call is only a part of its statement, so that nothing can be removed safely. A
        block that would be left empty gets a `pass`.
    """
    lines = [_line(context, node) for node in nodes]
    if not all(lines):
        return None
    found = {id(line): line for line in lines if line is not None}
    edits = []
    for line in found.values():
        block = context.module.parents.get(id(line))
        body = block.body if isinstance(block, (cst.IndentedBlock, cst.Module)) else [line]
        last = next((one for one in reversed(body) if id(one) in found), None)
        emptied = all(id(one) in found for one in body)
        edits.append(_removal(context, line, replaced=emptied and line is last))
    return Fix("safe", message, tuple(edits))


def _line(context: Context, node: cst.CSTNode) -> cst.SimpleStatementLine | None:
    """The line that consists of a call alone."""
    parents = context.module.parents
    expression = parents.get(id(node))
    line = parents.get(id(expression)) if expression is not None else None
    alone = isinstance(expression, cst.Expr) and isinstance(line, cst.SimpleStatementLine)
    return line if alone and isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None


def _removal(context: Context, line: cst.SimpleStatementLine, *, replaced: bool) -> Edit:
    positions = context.module.positions
    start, end = positions.offsets(line.body[0])
    if replaced:
        return context.edit(start, end, "pass")
    newline = positions.text.find("\n", end)
    return context.edit(positions.line_start(start), len(positions.text) if newline < 0 else newline + 1, "")
