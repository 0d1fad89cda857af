"""What the fixes that record edges share: drafts, the shim for old Pythons, places in the text."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.fixes import apply_edits
from agraph_static._internal.tree import dotted, walk

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

_AGRAPH = "from agraph import future_add_to_awaited_by, future_discard_from_awaited_by\n"

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
        possible: False once it turned out that the module uses a name that the fix needs.
    """

    context: Context
    style: str
    asyncio: str
    add: str
    discard: str
    edits: list[Edit] = field(default_factory=list)
    possible: bool = True

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
    asyncio = _name_of(context, "asyncio")
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
    context, names = draft.context, draft.context.names
    lines = []
    for module in ("asyncio", "weakref"):
        if needs_asyncio if module == "asyncio" else owners:
            name = _name_of(context, module)
            if names.local(module) is None:
                lines.append(f"import {module}\n" if name == module else f"import {module} as {name}\n")
                draft.possible = draft.possible and (name == module or names.is_free(name))
    functions = (draft.add, draft.discard) if draft.style != "stdlib-3.14" else ()
    if any(names.imports.get(one) is None for one in functions):
        draft.possible = draft.possible and all(map(names.is_free, functions))
        lines.append("\n" + _SHIM if draft.style == "inline-shim" else _AGRAPH)
    if owners and OWNERS not in names.others:
        block = _OWNERS.replace("ADD", draft.add).replace("DISCARD", draft.discard)
        block = block.replace("asyncio.current_task", f"{draft.asyncio}.current_task")
        lines.append("\n" + block.replace("weakref.Weak", f"{_name_of(context, 'weakref')}.Weak"))
    offset, after_imports = _place_of_imports(context)
    for line in lines:  # one edit each: fixes that are applied together share those they have in common
        spaced = line if after_imports or line[0] != "\n" else f"{line[1:]}\n"
        newline = context.module.tree.default_newline
        draft.edits.append(context.edit(offset, offset, spaced.replace("\n", newline)))


def _name_of(context: Context, module: str) -> str:
    """What a module is called where the fix names it: as in the text, or so that nothing else is meant."""
    local = context.names.local(module)
    if local is not None:
        return local
    return module if context.names.is_free(module) else f"_{module}"


def _place_of_imports(context: Context) -> tuple[int, bool]:
    """Where the first code of the module begins that is neither its docstring nor an import.

    What is put there runs before anything that can need it. Names such as `__all__` may stand between.

    Returns:
        The place, and whether it is behind such a docstring or import.
    """
    last: cst.CSTNode | None = None
    body = context.module.tree.body
    for node in body:
        if not isinstance(node, cst.SimpleStatementLine):
            break
        if all(isinstance(one, (cst.Import, cst.ImportFrom)) for one in node.body) or (
            node is body[0] and is_docstring(node)
        ):
            last = node
        elif not _binds_dunder(node):
            break
    if last is not None:
        return after(context, last), True
    return context.module.positions.line_start(context.start(body[0])) if body else 0, False


def _binds_dunder(node: cst.SimpleStatementLine) -> bool:
    """`__version__ = "1.0"`."""
    return all(
        isinstance(one, cst.Assign) and all(dotted(each.target).startswith("__") for each in one.targets)
        for one in node.body
    )


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


def repeatable(context: Context, expression: cst.CSTNode) -> str | None:
    """The source of an expression that can be written a second time; None for one that does something.

    These are names, attributes and items. A call may make another object, or take it out of something.
    """
    if not dotted(expression) or not all(isinstance(one, _REPEATABLE) for one in walk(expression)):
        return None
    text = context.module.code(expression)
    return None if "\n" in text or "\r" in text else text


_REPEATABLE = (
    cst.Name, cst.Attribute, cst.Subscript, cst.SubscriptElement, cst.Index, cst.Integer, cst.SimpleString,
    cst.UnaryOperation,
)  # fmt: skip


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


_MOST_TRIED = 10_000_000
"""How many characters are parsed for the fixes of one file: some seconds."""


def is_done(draft: Draft) -> bool:
    """Whether a fix can be offered: the text with its edits still is Python.

    None is offered any more when many fixes of a big file were tried. Of a skeleton all are let through:
    libcst's tree then decides.
    """
    context, edits = draft.context, draft.edits
    if not draft.possible or context.is_skeleton:
        return draft.possible
    context.tried += len(context.module.text)
    if context.tried > _MOST_TRIED:
        return False
    try:
        ast.parse(apply_edits(context.module.text, edits))
    except SyntaxError:
        return False
    return True
