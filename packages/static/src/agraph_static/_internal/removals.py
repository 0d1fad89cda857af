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
    if not context.has_fixes:
        return None
    edits = []
    for node in nodes:
        edit = _removal(context, node)
        if edit is None:
            return None
        edits.append(edit)
    return Fix("safe", message, tuple(edits))


def _removal(context: Context, node: cst.CSTNode) -> Edit | None:
    module = context.module
    expression = module.parents.get(id(node))
    line = module.parents.get(id(expression)) if expression is not None else None
    block = module.parents.get(id(line)) if line is not None else None
    if (
        not isinstance(expression, cst.Expr)
        or not isinstance(line, cst.SimpleStatementLine)
        or len(line.body) != 1
    ):
        return None
    positions = module.positions
    start, end = positions.offsets(node)
    if isinstance(block, (cst.IndentedBlock, cst.Module)) and len(block.body) > 1:
        start = positions.line_start(start)
        newline = positions.text.find("\n", end)
        return context.edit(start, len(positions.text) if newline < 0 else newline + 1, "")
    return context.edit(start, end, "pass")
