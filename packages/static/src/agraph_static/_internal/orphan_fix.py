"""The fix of AG109: complete the shared future on every path.

What follows the making of the future, up to where it is completed, moves into a `try` whose `except
BaseException` completes it and raises again. Waiters then get the owner's exception where they hung: a change
of behaviour, so the fix is unsafe.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.drafts import after, draft_of, indent, is_done, repeatable
from agraph_static._internal.model import Fix
from agraph_static._internal.tree import walk

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.flights import Flight

NAME = "_shared"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def orphan_fix(context: Context, flight: Flight) -> Fix | None:
    """The fix of one future that can be left incomplete; None where its owner cannot be wrapped."""
    if any(NAME in one.bindings for one in flight.function.lineage()):
        return None
    target = next(
        (one for one in flight.function.assignments if one.value is flight.creation and one.kind == "assign"),
        None,
    )
    line = context.module.parents.get(id(target.node)) if target is not None else None
    block = context.module.parents.get(id(line)) if line is not None else None
    if target is None or not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return None
    shared = repeatable(context, target.target)
    if shared is None or not isinstance(block, cst.IndentedBlock):
        return None
    wrapped = _until_completed(list(block.body), line, flight)
    if not wrapped or not all(_can_move(context, one) for one in wrapped):
        return None
    draft = draft_of(context)
    margin = indent(context, line)
    step = block.indent or context.module.tree.default_indent
    begin = after(context, line)
    draft.insert(begin, margin, f"{NAME} = {shared}")
    draft.insert(begin, margin, "try:")
    positions, text = context.module.positions, context.module.text
    last = after(context, wrapped[-1])
    for start in _line_starts(text, begin, last):
        if text[start:last].partition("\n")[0].strip():
            draft.edits.append(context.edit(start, start, step))
    complete = f"{NAME}.set()" if flight.kind == "event" else f"{NAME}.set_exception(error)"
    caught = "except BaseException:" if flight.kind == "event" else "except BaseException as error:"
    draft.insert(last, margin, caught)
    if flight.kind == "future":
        draft.insert(last, margin + step, f"if not {NAME}.done():")
        draft.insert(last, margin + 2 * step, complete)
    else:
        draft.insert(last, margin + step, complete)
    draft.insert(last, margin + step, "raise")
    if positions.offsets(wrapped[0])[0] < begin or not is_done(draft):
        return None
    return Fix("unsafe", "complete it when the owner fails or is cancelled, too", tuple(draft.edits))


def _until_completed(
    statements: list[cst.BaseStatement], line: cst.CSTNode, flight: Flight
) -> list[cst.BaseStatement]:
    """The statements after the one that makes the future, to the last that completes it."""
    following = statements[next(i for i, one in enumerate(statements) if one is line) + 1 :]
    completing = {id(one) for one in flight.resolutions}
    holding = [
        index for index, one in enumerate(following) if any(id(node) in completing for node in walk(one))
    ]
    last = holding[-1] if holding else -1
    inside = {id(node) for one in following[: last + 1] for node in walk(one)}
    return following[: last + 1] if all(id(node) in inside for node in flight.work) else []


def _can_move(context: Context, statement: cst.BaseStatement) -> bool:
    """Whether a statement means the same further to the right: it holds no text of more than one line."""
    for node in walk(statement):
        if isinstance(node, _TEXTS):
            start, end = context.module.positions.offsets(node)
            if _LINE_BREAK.search(context.module.text[start:end]):
                return False
    return True


_TEXTS = (
    cst.SimpleString,
    cst.FormattedString,
    getattr(cst, "TemplatedString", cst.FormattedString),
    cst.ConcatenatedString,
)


def _line_starts(text: str, begin: int, end: int) -> list[int]:
    """Where the lines of a part of the text begin."""
    return [begin, *(match.end() for match in _LINE_BREAK.finditer(text, begin, end) if match.end() < end)]
