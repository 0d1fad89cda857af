"""Where functions block in `.result()` of `run_coroutine_threadsafe`. Used by AG203."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.scopes import Function


def blocking_results(context: Context) -> dict[int, list[cst.CSTNode]]:
    """The blocking calls of each function, by the function's id."""
    found: dict[int, list[cst.CSTNode]] = defaultdict(list)
    for call in context.module.calls:
        if (
            call.name == "result"
            and call.receiver is not None
            and _is_submitted(context, call.receiver, call.function)
        ):
            found[id(call.function)].append(call.node)
    return found


def _is_submitted(context: Context, receiver: cst.BaseExpression, function: Function) -> bool:
    if isinstance(receiver, cst.Call):
        return dotted(receiver.func).rpartition(".")[2] == "run_coroutine_threadsafe"
    if not isinstance(receiver, cst.Name):
        return False
    bindings = function.bindings.get(receiver.value, ())
    calls = [one.value for one in bindings if one.kind == "assign" and isinstance(one.value, cst.Call)]
    made = calls and all(dotted(one.func).rpartition(".")[2] == "run_coroutine_threadsafe" for one in calls)
    return bool(made) and not _is_checked(context, receiver.value, function)


def _is_checked(context: Context, name: str, function: Function) -> bool:
    """Whether the function asks `done()` first, or waits for the future in another way."""
    del context
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
