"""Where functions block for the result of `run_coroutine_threadsafe`. Used by AG203."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.expressions import elements_of
from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.scopes import Binding, Call, Function

_BLOCKS = frozenset({"result", "exception"})
_WAITS = frozenset({"done", "add_done_callback", "wrap_future", "gather", "wait", "as_completed"})
_DEPTH = 3
"""How many calls deep functions that block are followed."""


def blocking_results(context: Context) -> dict[int, list[Call]]:
    """The blocking calls of each function, by the function's id."""
    found: dict[int, list[Call]] = {}
    for call in context.module.calls:
        if (
            call.name in _BLOCKS
            and call.receiver is not None
            and _is_submitted(context, call.receiver, call.function)
        ):
            found.setdefault(id(call.function), []).append(call)
    return found


def blocking_functions(context: Context, blocking: dict[int, list[Call]]) -> dict[int, Call]:
    """Where the plain functions block, by the function's id: themselves, or in another that they call."""
    functions = [one for one in context.module.functions if not one.is_async]
    found = {id(one): blocking[id(one)][0] for one in functions if id(one) in blocking}
    for _ in range(_DEPTH if found else 0):
        further: dict[int, Call] = {}
        for function in functions:
            callees = [context.flow.callee(call) for call in function.calls if id(function) not in found]
            places = [found[id(one)] for one in callees if one is not None and id(one) in found]
            if places:
                further[id(function)] = places[0]
        if not further:
            break
        found.update(further)
    return found


def _is_submitted(context: Context, receiver: cst.BaseExpression, function: Function) -> bool:
    """Whether an expression is a future of `run_coroutine_threadsafe` that may not be done yet."""
    if isinstance(receiver, cst.NamedExpr):
        return _is_made(context, receiver.value)
    if isinstance(receiver, cst.Name):
        bindings = function.bindings.get(receiver.value, ())
        made = bool(bindings) and all(_binds_submitted(context, one, function) for one in bindings)
    elif isinstance(receiver, cst.Attribute):
        name = dotted(receiver)
        values = [one.value for one in function.assignments if dotted(one.target) == name]
        made = bool(name) and bool(values) and all(_is_made(context, one) for one in values)
    else:
        return _is_made(context, receiver)
    return made and not _is_checked(dotted(receiver), function)


def _is_made(context: Context, value: cst.CSTNode | None) -> bool:
    """`run_coroutine_threadsafe(...)`, under whatever name."""
    if not isinstance(value, cst.Call):
        return False
    return context.module.qualify(dotted(value.func)).rpartition(".")[2] == "run_coroutine_threadsafe"


def _binds_submitted(context: Context, binding: Binding, function: Function) -> bool:
    """Whether a variable is bound to such a future, or goes through a list of them."""
    if binding.kind == "assign":
        return _is_made(context, binding.value)
    if binding.kind != "for" or binding.value is None or any(one.name in _WAITS for one in function.calls):
        return False  # a list may be waited for in too many ways to look at each
    values = [binding.value]
    if isinstance(binding.value, cst.Name):
        ways = function.bindings.get(binding.value.value, ())
        values = [one.value for one in ways if one.kind == "assign" and one.value is not None]
        if len(values) != len(ways):
            return False
    items = [elements_of(one) for one in values]
    return bool(items) and all(one and all(_is_made(context, item) for item in one) for one in items)


def _is_checked(name: str, function: Function) -> bool:
    """Whether the function asks `done()` first, or waits for the future in another way."""
    return (
        any(
            call.name in ("done", "add_done_callback") and dotted(call.receiver) == name
            for call in function.calls
        )
        or any(name in dotted(node.expression) for node in function.awaits)
        or any(
            name in {dotted(arg) for arg in call.args}
            for call in function.calls
            if call.name in ("wrap_future", "wait")
        )
    )
