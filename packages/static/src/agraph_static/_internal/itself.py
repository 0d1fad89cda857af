"""Whether what is awaited holds the task that awaits. Used by AG207."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.scopes import Function

_WAITERS = frozenset({"gather", "wait", "wait_for", "shield"})
_TAKES_OUT = frozenset({"remove", "discard", "difference_update", "clear"})


def own_task(context: Context, node: cst.Await, function: Function) -> str | None:
    """What holds the waiting task: all of `asyncio.all_tasks()`, or `asyncio.current_task()`, or None."""
    pending: list[cst.BaseExpression] = [node.expression]
    while pending:
        one = pending.pop()
        if isinstance(one, cst.Call):
            name = context.module.qualify(dotted(one.func))
            if name == "asyncio.current_task":
                return "`asyncio.current_task()`"
            if name == "asyncio.all_tasks":
                return "all of `asyncio.all_tasks()`"
            if name.rpartition(".")[2] in _WAITERS:
                pending.extend(arg.value for arg in one.args if arg.keyword is None)
        elif isinstance(one, cst.Name):
            value = _value(one.value, function)
            if value is not None:
                pending.append(value)
        elif isinstance(one, (cst.List, cst.Tuple, cst.Set)):
            pending.extend(element.value for element in one.elements)
    return None


def _value(name: str, function: Function) -> cst.BaseExpression | None:
    """The single value of a local variable that nothing is taken out of."""
    bindings = function.bindings.get(name, ())
    if len(bindings) != 1 or bindings[0].kind != "assign":
        return None
    if any(call.name in _TAKES_OUT and dotted(call.receiver) == name for call in function.calls):
        return None
    value = bindings[0].value
    return value if isinstance(value, cst.Call) else None
