"""Edges that are recorded by hand although the await that follows records them. Used by AG107."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.edges import is_current_task
from agraph_static._internal.flights import suspensions
from agraph_static._internal.tree import walk

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.edges import EdgeCall
    from agraph_static._internal.scopes import Function


def only_await(context: Context, add: EdgeCall) -> cst.Await | None:
    """The await that follows an add for this very task, when the function does not wait for anything else.

    In a loop the edges to several futures are there at once, while each await records only one.
    """
    function, edges = add.call.function, context.edges
    place = edges.place(add.future, function)
    if place is None or not is_current(add) or _repeats(context, add.call.node):
        return None
    after = [one for one in suspensions(function) if context.start(one) > context.start(add.call.node)]
    direct = [
        one
        for one in after
        if isinstance(one, cst.Await)
        and edges.place(one.expression, function) == place
        and not _repeats(context, one)
    ]
    if not direct or len(direct) != len(after):
        return None
    return None if any(_suspends(context, one, function) for one in walk(function.node)) else direct[0]


def _suspends(context: Context, node: cst.CSTNode, function: Function) -> bool:
    """Whether a node is a `yield` or an asynchronous comprehension, of the function itself."""
    if not isinstance(node, cst.Yield) and not (
        isinstance(node, cst.CompFor) and node.asynchronous is not None
    ):
        return False
    around = (one for one in context.module.ancestors(node) if isinstance(one, (cst.FunctionDef, cst.Lambda)))
    return next(around, None) is function.node


def _repeats(context: Context, node: cst.CSTNode) -> bool:
    """Whether a node may run more than once in one run of its function."""
    for one in context.module.ancestors(node):
        if isinstance(one, (cst.FunctionDef, cst.Lambda)):
            return False
        if isinstance(one, (cst.For, cst.While, cst.BaseComp)):
            return True
    return False


def is_current(edge: EdgeCall) -> bool:
    """Whether the waiter is the task that runs the function, and can be no other."""
    function = edge.call.function
    if is_current_task(edge.waiter):
        return True
    if not isinstance(edge.waiter, cst.Name):
        return False
    bindings = function.bindings.get(edge.waiter.value, ())
    return bool(bindings) and all(
        one.kind == "assign" and one.value is not None and is_current_task(one.value) for one in bindings
    )
