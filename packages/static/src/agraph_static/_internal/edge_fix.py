"""Fixes of AG101 and AG112: record the edge beside the done-callback, discard it where the wait ends.

One variable holds the waiting task and is used in every call. The edge is discarded first thing in the
callback, for when the source completes, and beside every `remove_done_callback` (or in the callback of the
returned future), for when the wait is cancelled. A site that has no such second place gets an unsafe fix at
most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.drafts import (
    Draft,
    add_imports,
    after,
    draft_of,
    indent,
    is_docstring,
    is_done,
    own_line,
    repeatable,
)
from agraph_static._internal.model import Fix
from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.bridges import Bridge
    from agraph_static._internal.context import Context
    from agraph_static._internal.scopes import Call, Function

TASK_NAME = "_waiter_task"


def edge_fix(context: Context, bridge: Bridge) -> Fix | None:
    """The fix of one bridge; None when its shape is not one that can be fixed mechanically."""
    call = bridge.registration
    if call.name != "add_done_callback" or not call.args or _is_given(context, call):
        return None
    draft = draft_of(context)
    waiter = _waiter(context, bridge)
    taken = any(TASK_NAME in one.bindings for one in call.function.subtree())
    lines = None if waiter is None or taken else _adds(draft, bridge, waiter)
    if waiter is None or lines is None:
        return None
    line, source = lines[0], context.code(bridge.source)
    complete = _discards(draft, bridge, waiter)
    if complete is None:
        return None
    if waiter == TASK_NAME:
        complete = complete and _has_loop(context, bridge, line)
        _capture(draft, bridge, line)
    add_imports(draft, needs_asyncio=waiter == TASK_NAME or draft.style == "stdlib-3.14")
    if not is_done(draft):
        return None
    return Fix(
        "safe" if complete else "unsafe",
        f"record the edge to `{source}` and discard it when the wait ends",
        tuple(draft.edits),
    )


def _is_given(context: Context, call: Call) -> bool:
    """Whether the callback is a parameter: others may hand in one that discards nothing."""
    callback = call.args[0]
    scope = context.module.scope_of(callback.value, call.function) if isinstance(callback, cst.Name) else None
    bindings = scope.bindings[callback.value] if scope is not None and isinstance(callback, cst.Name) else ()
    return any(one.kind == "param" for one in bindings)


def _adds(draft: Draft, bridge: Bridge, waiter: str) -> list[cst.SimpleStatementLine] | None:
    """Add an edge beside each registration that leads to the target; their lines, None if that cannot be."""
    context, call = draft.context, bridge.registration
    wanted = context.module.code(call.args[0])
    lines = []
    for function in call.function.subtree():
        for other in function.calls:
            if other.name != "add_done_callback" or not other.args or other.receiver is None:
                continue
            same = context.module.code(other.args[0]) == wanted
            if other is not call and not same and not _leads_to(context, other, bridge):
                continue
            line = own_line(context, other.node)
            source = repeatable(context, other.receiver)
            if line is None or source is None or not same or function is not call.function:
                return None
            draft.insert(after(context, line), indent(context, line), f"{draft.add}({source}, {waiter})")
            lines.append(line)
    return lines or None


def _leads_to(context: Context, call: Call, bridge: Bridge) -> bool:
    """Whether another callback completes the same target: that task needs an edge as well."""
    callback = context.resolver.callback(call.args[0], call.function)
    found = context.resolver.of_callback(callback) if callback is not None else []
    root = context.flow.root(bridge.target)
    return any(context.flow.root(one.place) == root for one in found)


def _waiter(context: Context, bridge: Bridge) -> str | None:
    """What names the waiting task: the group's parent task, or a variable that the fix makes."""
    function = bridge.registration.function
    if bridge.copy_of == "asyncio.TaskGroup":
        owner = function.owner
        known = owner is not None and "_parent_task" in context.module.attribute_owners
        return f"{function.self_name}._parent_task" if known else None
    if function.parent is None or isinstance(function.node, cst.Lambda):
        return None
    return TASK_NAME if bridge.target[0] == "v" else None


def _discards(draft: Draft, bridge: Bridge, waiter: str) -> bool | None:
    """Add the discards. True: on completion and on cancellation; False: only one; None: nowhere."""
    context, call = draft.context, bridge.registration
    callback = context.resolver.callback(call.args[0], call.function)
    body = callback.function if callback is not None else None
    nested = body is not None and call.function in body.lineage() and not isinstance(body.node, cst.Lambda)
    method = body is not None and waiter != TASK_NAME
    inside = False
    if callback is not None and body is not None and (nested or method):
        parameter = context.resolver.source_parameter(callback)
        inside = bool(parameter) and _at_top(draft, body, f"{draft.discard}({parameter}, {waiter})")
    if method:
        return True if inside else None
    outer = _in_target_callback(draft, bridge, waiter)
    removed = _beside_removals(draft, call, waiter, outer)
    if not inside and not removed:
        return None
    cancelled = removed or outer is not None
    return (inside and cancelled) or (removed and _all_in_finally(context, call))


def _beside_removals(draft: Draft, call: Call, waiter: str, done: Function | None) -> bool:
    """Discard beside every `remove_done_callback` of the same callback, except in a function that is done.

    Returns:
        Whether there are such calls, and a discard stands beside each of them.
    """
    context = draft.context
    wanted = context.module.code(call.args[0])
    found, missed = False, False
    for function in call.function.subtree():
        for other in function.calls if function is not done else ():
            if other.name != "remove_done_callback" or not other.args or other.receiver is None:
                continue
            if context.module.code(other.args[0]) != wanted:
                continue
            line = own_line(context, other.node)
            source = repeatable(context, other.receiver)
            if line is None or source is None:
                missed = True
                continue
            draft.insert(after(context, line), indent(context, line), f"{draft.discard}({source}, {waiter})")
            found = True
    return found and not missed


def _all_in_finally(context: Context, call: Call) -> bool:
    """Whether the callback is removed in a `finally`."""
    wanted = context.module.code(call.args[0])
    removals = [one for one in call.function.calls if one.name == "remove_done_callback" and one.args]
    return any(
        isinstance(around, cst.Finally)
        for one in removals
        if context.module.code(one.args[0]) == wanted
        for around in context.module.ancestors(one.node)
    )


def _in_target_callback(draft: Draft, bridge: Bridge, waiter: str) -> Function | None:
    """Discard in the done-callback of the returned future, as `asyncio.shield` does; that callback."""
    context, call = draft.context, bridge.registration
    if call.receiver is None:
        return None
    root = context.flow.root(bridge.target)
    for other in call.function.calls:
        if other.name != "add_done_callback" or other is call or other.receiver is None or not other.args:
            continue
        place = context.flow.place(other.receiver, call.function)
        callback = context.resolver.callback(other.args[0], call.function)
        if place is None or context.flow.root(place) != root or callback is None or callback.function is None:
            continue
        if call.function in callback.function.lineage():
            statement = f"{draft.discard}({repeatable(context, call.receiver)}, {waiter})"
            return callback.function if _at_top(draft, callback.function, statement) else None
    return None


def _at_top(draft: Draft, function: Function, statement: str) -> bool:
    """Insert a statement as the first of a function, after its docstring."""
    node = function.node
    if not isinstance(node, cst.FunctionDef) or not isinstance(node.body, cst.IndentedBlock):
        return False
    body = list(node.body.body)
    if len(body) > 1 and is_docstring(body[0]):
        body.pop(0)
    first = body[0]
    start = draft.context.module.positions.line_start(draft.context.start(first))
    draft.insert(start, indent(draft.context, first), statement)
    return True


def _has_loop(context: Context, bridge: Bridge, line: cst.SimpleStatementLine) -> bool:
    """Whether `current_task` cannot raise where the fix calls it."""
    function = bridge.registration.function
    in_scope = context.module.parents.get(id(context.module.parents.get(id(line)))) is function.node
    return function.is_async or bool(_loop_of(context, bridge, in_scope=in_scope))


def _capture(draft: Draft, bridge: Bridge, line: cst.CSTNode) -> None:
    """Keep the waiting task in a variable, before the first loop or branch that adds the callback."""
    context, function = draft.context, bridge.registration.function
    outermost: cst.CSTNode = line
    for one in context.module.ancestors(line):
        if one is function.node:
            break
        if isinstance(one, cst.BaseStatement):
            outermost = one
    loop = "" if function.is_async else _loop_of(context, bridge, in_scope=outermost is line)
    start = context.module.positions.line_start(context.start(outermost))
    draft.insert(start, indent(context, outermost), f"{TASK_NAME} = {draft.asyncio}.current_task({loop})")


def _loop_of(context: Context, bridge: Bridge, *, in_scope: bool) -> str:
    """The loop to name in a function that may be called without a running one; empty when none is at hand.

    `current_task()` raises without a running loop, `current_task(loop)` does not.
    """
    if in_scope:
        return f"{repeatable(context, bridge.source)}.get_loop()"
    for name, bindings in bridge.registration.function.bindings.items():
        values = [one.value for one in bindings if isinstance(one.value, cst.Call)]
        if values and all(
            dotted(one.func).endswith(("get_event_loop", "get_running_loop")) for one in values
        ):
            return name
    return ""
