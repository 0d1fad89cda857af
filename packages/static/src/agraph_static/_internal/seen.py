"""Waits whose edge to a task the await graph has anyway. Used by AG101, AG110, AG111.

A task of an `asyncio.TaskGroup` is awaited by the task that entered the group, for as long as it lives
(CPython 3.14, asyncio/taskgroups.py: `create_task` calls `future_add_to_awaited_by`). Who has awaited a task
to its end does not wait for it any more. And a task does not wait for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.scopes import Call, Function

_GROUPS = frozenset(
    {
        "asyncio.TaskGroup",
        "asyncio.taskgroups.TaskGroup",
        "taskgroup.TaskGroup",
        "aiotools.TaskGroup",
        "aiotools.TaskScope",
        "aiotools.taskscope.TaskScope",
        "taskscope.TaskScope",
    }
)
"""asyncio's, its backport, and those of aiotools 2. Groups of other libraries record no edges."""

_TO_THE_END = frozenset({"wait", "gather"})


def seen_anyway(context: Context, wait: Wait, makers: list[Call], after: Call) -> bool:
    """Whether a waiting task has, or had, an edge to each task that these calls make.

    Args:
        context: The module.
        wait: Where a future is waited for.
        makers: The calls that make the tasks; none is like an unknown task.
        after: The call that says the task completes the future.
    """
    return bool(makers) and all(
        _is_itself(one, wait) or _is_child_of(context, one, wait) or _has_ended(context, one, wait, after)
        for one in makers
    )


def _is_itself(maker: Call, wait: Wait) -> bool:
    """Whether the function that waits asked for its own task: `asyncio.current_task()`."""
    return maker.name == "current_task" and maker.function is wait.function


def makers_of(context: Context, source: cst.BaseExpression, function: Function) -> list[Call]:
    """The calls that make the task an expression stands for; none when it can be something else, too."""
    place = context.flow.place(source, function)
    nodes = [source] if place is None else [one.node for one in context.flow.values(place)]
    nodes = _bound_to(context, source, function) or nodes
    calls = [context.module.call_of.get(id(one)) for one in nodes]
    known = [one for one in calls if one is not None and context.origins.of_call(one.node) == "task"]
    return known if len(known) == len(nodes) else []


def _bound_to(context: Context, source: cst.BaseExpression, function: Function) -> list[cst.BaseExpression]:
    """What a variable is bound to when every binding is a call, whatever else its value gets mixed with."""
    scope = context.module.scope_of(source.value, function) if isinstance(source, cst.Name) else None
    bindings = scope.bindings[source.value] if scope is not None and isinstance(source, cst.Name) else []
    values = [one.value for one in bindings if one.kind == "assign" and isinstance(one.value, cst.Call)]
    return [one for one in values if one is not None] if len(values) == len(bindings) else []


def _is_child_of(context: Context, call: Call, wait: Wait) -> bool:
    """Whether a call makes a task in a group that the waiting task entered."""
    place = context.flow.place(call.receiver, call.function) if call.receiver is not None else None
    places = [] if place is None else [place]
    for _, owner, path in context.flow.members(place) if place is not None else ():
        for value in context.flow.arguments.get((owner, path), ()) if isinstance(owner, int) else ():
            given = context.flow.place(value.node, value.function)
            if given is not None:
                places.append(given)
    entered = [one for place in places for one in context.task_groups.get(context.flow.root(place), ())]
    return any(one is wait.function or _runs_in(context, wait.function, one) for one in entered)


def _runs_in(context: Context, function: Function, outer: Function) -> bool:
    """Whether only one function awaits another, which nobody outside the module calls."""
    calls = [
        call for call in context.module.calls
        if call.name == function.name and context.flow.callee(call) is function
    ]  # fmt: skip
    hidden = function.name.startswith("_") or not function.is_method
    return bool(calls) and hidden and all(
        call.function is outer and isinstance(context.module.parents.get(id(call.node)), cst.Await)
        for call in calls
    )  # fmt: skip


def task_groups(context: Context) -> dict[Place, list[Function]]:
    """The functions that enter a task group, by the group's place."""
    found: dict[Place, list[Function]] = {}
    for function in context.module.functions:
        for target in _entered(context, function):
            place = context.flow.place(target, function)
            if place is not None:
                found.setdefault(context.flow.root(place), []).append(function)
    return found


def _entered(context: Context, function: Function) -> Iterator[cst.BaseExpression]:
    """What names a group that a function enters, itself or by an exit stack."""
    for with_ in function.withs:
        for item in with_.items if with_.asynchronous is not None else ():
            if _is_group(context, item.item, function):
                yield item.asname.name if item.asname is not None else item.item
    for one in function.assignments:
        call = one.value.expression if isinstance(one.value, cst.Await) else None
        if not isinstance(call, cst.Call) or not dotted(call.func).endswith(".enter_async_context"):
            continue
        if call.args and _is_group(context, call.args[0].value, function):
            yield one.target


def _is_group(context: Context, expression: cst.BaseExpression, function: Function) -> bool:
    place = context.flow.place(expression, function)
    nodes = [expression] if place is None else [one.node for one in context.flow.values(place)]
    return any(isinstance(one, cst.Call) and _makes_group(context, dotted(one.func)) for one in nodes)


def _makes_group(context: Context, name: str) -> bool:
    owner = context.module.classes.get(name)
    names = [name] if owner is None else owner.bases
    return any(context.module.qualify(one).lstrip(".") in _GROUPS for one in names)


def _has_ended(context: Context, maker: Call, wait: Wait, after: Call) -> bool:
    """Whether the function that waits has awaited the task to its end before, on every path."""
    if wait.function is not after.function:
        return False
    around = {id(one) for one in context.module.ancestors(wait.node)}
    first, last = context.start(after.node), context.start(wait.node)
    for place in context.flow.holding(maker.node):
        for other in context.flow.waits(place, hops=0):
            if (
                other.function is wait.function
                and first < context.start(other.node) < last
                and _is_to_the_end(other)
                and id(_block(context, other.node)) in around
            ):
                return True
    return False


def _is_to_the_end(wait: Wait) -> bool:
    call = wait.node.expression if isinstance(wait.node, cst.Await) else None
    if wait.kind != "pass" or not isinstance(call, cst.Call):
        return wait.kind == "await"
    plain = all(arg.keyword is None or arg.keyword.value == "return_exceptions" for arg in call.args)
    return plain and dotted(call.func).rpartition(".")[2] in _TO_THE_END


def _block(context: Context, node: cst.CSTNode) -> cst.CSTNode | None:
    return next((one for one in context.module.ancestors(node) if isinstance(one, cst.IndentedBlock)), None)
