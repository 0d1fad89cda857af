"""Which of several places a finding shows, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.model import Related
    from agraph_static._internal.scopes import Call, Function

PLAINEST = ("await", "pass", "method", "return")
"""The kinds of waits, what says most first."""


def plainest(context: Context, waits: list[Wait], call: Call) -> Wait:
    """The wait that says most; one that comes before a call in the same function says least of its kind."""

    def rank(wait: Wait) -> tuple[int, bool]:
        before = wait.function is call.function and context.start(wait.node) < context.start(call.node)
        return PLAINEST.index(wait.kind), before

    return min(waits, key=rank)


def related_wait(context: Context, wait: Wait, name: str = "") -> Related:
    """Where something is waited for, as a second place of a finding."""
    verb = "returned to be awaited here" if wait.kind == "return" else "awaited here"
    return context.related(wait.node, f"`{name}` is {verb}" if name else verb)


def name_in_wait(context: Context, place: Place, function: Function, wait: Wait | None) -> str:
    """How to call what is waited for.

    An item of a container, or a variable of another function, has a better name where it is awaited.
    """
    name = context.name_of(place, function)
    far = place[0] == "v" and not any(place[1] == id(one) for one in function.lineage())
    awaited = wait.node.expression if wait is not None and isinstance(wait.node, cst.Await) else None
    if (far or name.endswith("]")) and isinstance(awaited, (cst.Name, cst.Attribute)):
        return context.code(awaited)
    return name


def source_name(context: Context, source: cst.BaseExpression) -> str:
    """What a message calls the future that has a done-callback: its code, or the call that makes it."""
    if isinstance(source, cst.Call):
        return context.code(source.func) + "(...)"
    return context.code(source)


def record_help(context: Context, source: cst.BaseExpression) -> tuple[str, str, str]:
    """How to record an edge to a future: what to do first, and the calls that add and discard the edge."""
    name, first = context.code(source), ""
    if isinstance(source, cst.Call):
        name = "inner"
        first = f"keep what `{source_name(context, source)}` returns in a variable `{name}`, "
    waiter = "waiting_task" if name == "task" else "task"
    add = f"`future_add_to_awaited_by({name}, {waiter})`"
    return first, add, f"`future_discard_from_awaited_by({name}, {waiter})`"
