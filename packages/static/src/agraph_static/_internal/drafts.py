"""What the fixes that record edges share: drafts, the shim for old Pythons, places in the text."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.fixes import apply_edits

if TYPE_CHECKING:
    from agraph_static._internal.config import LintConfig
    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Edit

_SHIM = """\
try:
    from asyncio import future_add_to_awaited_by as _awaited_by_add
    from asyncio import future_discard_from_awaited_by as _awaited_by_discard
except ImportError:  # Python < 3.14

    def _awaited_by_add(future, waiter, /):
        pass

    def _awaited_by_discard(future, waiter, /):
        pass
"""


OWNERS = "_awaited_by_owners"
WAIT_FOR_OWNER = "_awaited_by_wait"
_OWNERS = f"""\
{OWNERS} = weakref.WeakKeyDictionary()  # the task that completes a future


async def {WAIT_FOR_OWNER}(future, awaitable):
    owner = {OWNERS}.get(future) if future is not None else None
    waiter = asyncio.current_task()
    if owner is None or owner is waiter:
        return await awaitable
    ADD(owner, waiter)
    try:
        return await awaitable
    finally:
        DISCARD(owner, waiter)
"""


@dataclass(slots=True)
class Draft:
    """A fix that is being put together.

    Attributes:
        context: The module.
        style: The style of the project's fixes.
        asyncio: What asyncio is called in the module.
        add, discard: How the two functions are called.
        edits: What was drafted so far.
    """

    context: Context
    style: str
    asyncio: str
    add: str
    discard: str
    edits: list[Edit] = field(default_factory=list)

    def insert(self, offset: int, indent: str, statement: str) -> None:
        """Insert a line.

        Args:
            offset: Where a line begins, or where the text ends.
            indent: What it begins with.
            statement: The rest of it.
        """
        newline = self.context.module.tree.default_newline
        text = self.context.module.text
        before = newline if offset == len(text) and text and text[-1] not in "\r\n" else ""
        self.edits.append(self.context.edit(offset, offset, f"{before}{indent}{statement}{newline}"))

    def replace(self, node: cst.CSTNode, text: str) -> None:
        """Put a text in the place of an expression."""
        self.edits.append(self.context.edit(*self.context.module.positions.offsets(node), text))


def draft_of(context: Context) -> Draft:
    """An empty draft in the project's style."""
    style = fix_style(context.config)
    asyncio = local_name(context, "asyncio") or "asyncio"
    if style == "inline-shim":
        return Draft(context, style, asyncio, "_awaited_by_add", "_awaited_by_discard")
    prefix = f"{asyncio}." if style == "stdlib-3.14" else ""
    return Draft(
        context,
        style,
        asyncio,
        f"{prefix}future_add_to_awaited_by",
        f"{prefix}future_discard_from_awaited_by",
    )


def fix_style(config: LintConfig) -> str:
    """The configured style; `auto` takes the standard library from 3.14 on, else the inline shim."""
    if config.fix_style != "auto":
        return config.fix_style
    match = re.search(r">=?\s*3\.(\d+)", config.requires_python)
    return "stdlib-3.14" if match and int(match[1]) >= 14 else "inline-shim"


def add_imports(draft: Draft, *, needs_asyncio: bool, owners: bool = False) -> None:
    """Put what the new calls need once after the last import of the module.

    Args:
        draft: The fix.
        needs_asyncio: Whether the new code names asyncio.
        owners: Whether it uses the table of owners.
    """
    context, text = draft.context, draft.context.module.text
    lines = []
    if needs_asyncio and local_name(context, "asyncio") is None:
        lines.append("import asyncio\n")
    if owners and local_name(context, "weakref") is None:
        lines.append("import weakref\n")
    if draft.style == "inline-shim" and "_awaited_by_add" not in text:
        lines.append("\n" + _SHIM)
    elif draft.style == "agraph-core" and "from agraph import future_add_to_awaited_by" not in text:
        lines.append("from agraph import future_add_to_awaited_by, future_discard_from_awaited_by\n")
    if owners and OWNERS not in text:
        block = _OWNERS.replace("ADD", draft.add).replace("DISCARD", draft.discard)
        block = block.replace("asyncio.current_task", f"{draft.asyncio}.current_task")
        weakref = local_name(context, "weakref") or "weakref"
        lines.append("\n" + block.replace("weakref.Weak", f"{weakref}.Weak"))
    offset = _after_imports(context)
    for line in lines:  # one edit each: fixes that are applied together share those they have in common
        draft.edits.append(
            context.edit(offset, offset, line.replace("\n", context.module.tree.default_newline))
        )


def _after_imports(context: Context) -> int:
    last: cst.CSTNode | None = None
    for node in context.module.tree.body:
        imports = isinstance(node, cst.SimpleStatementLine) and isinstance(
            node.body[0], (cst.Import, cst.ImportFrom)
        )
        if imports or (last is None and is_docstring(node)):
            last = node
    return 0 if last is None else after(context, last)


def is_docstring(node: cst.BaseStatement | cst.BaseSmallStatement) -> bool:
    """Whether a statement is a string alone."""
    if not isinstance(node, cst.SimpleStatementLine) or not isinstance(node.body[0], cst.Expr):
        return False
    return isinstance(node.body[0].value, (cst.SimpleString, cst.ConcatenatedString))


def own_line(context: Context, node: cst.CSTNode) -> cst.SimpleStatementLine | None:
    """The statement line that consists of a call alone."""
    expression = context.module.parents.get(id(node))
    line = context.module.parents.get(id(expression)) if expression is not None else None
    block = context.module.parents.get(id(line)) if line is not None else None
    alone = (
        isinstance(expression, cst.Expr) and isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1
    )
    return (
        line
        if alone and isinstance(line, cst.SimpleStatementLine) and isinstance(block, cst.IndentedBlock)
        else None
    )


def indent(context: Context, node: cst.CSTNode) -> str:
    """What the line of a node begins with."""
    start = context.start(node)
    return context.module.text[context.module.positions.line_start(start) : start]


def after(context: Context, node: cst.CSTNode) -> int:
    """Where the line after a statement begins."""
    text = context.module.text
    end = context.module.positions.offsets(node)[1]
    newline = text.find("\n", max(end - 1, 0))
    return len(text) if newline < 0 else newline + 1


def local_name(context: Context, dotted_name: str) -> str | None:
    """What an imported module is called in this one; None when it is not imported."""
    return next((local for local, full in context.module.imports.items() if full == dotted_name), None)


_MOST_TRIED = 10_000_000
"""How many characters are parsed for the fixes of one file: some seconds."""


def parses(context: Context, edits: list[Edit]) -> bool:
    """Whether the text with the edits still is Python; no more when many fixes of a big file were tried."""
    context.tried += len(context.module.text)
    if context.tried > _MOST_TRIED:
        return False
    try:
        ast.parse(apply_edits(context.module.text, edits))
    except SyntaxError:
        return False
    return True
