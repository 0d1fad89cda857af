"""How sure it is that a lock is taken again by the task that holds it. Used by AG204."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.arguments import bound_arguments
from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.locks import Holding
    from agraph_static._internal.model import Confidence
    from agraph_static._internal.scopes import Call, Function

_BRANCHES = (cst.If, cst.IfExp, cst.While, cst.Match, cst.MatchCase, cst.BooleanOperation, cst.ExceptHandler)
_LEAVES = (cst.Return, cst.Raise)
_ASKS = frozenset({"locked", "current_task"})
_CONSTANTS = (cst.Integer, cst.SimpleString)


def confidence(
    context: Context, holding: Holding, inner: Holding, path: tuple[Call, ...]
) -> Confidence | None:
    """How sure it is that whoever holds one lock comes to take the other; None when it was given back before.

    Args:
        context: The module.
        holding: Where the lock is taken first.
        inner: Where it is taken again.
        path: The calls from the one to the other.
    """
    nodes = [*(call.node for call in path), inner.item]
    first = context.start(holding.around)
    if _is_released(context, holding.function, holding, first, nodes[0]):
        return None
    own = [one for one in _conditions(context, nodes[0], holding.function) if context.start(one) > first]
    if any(_asks(one) for one in own):
        return "possible"
    loose = context.locks.is_released_by_others(holding.place)
    if loose and (holding.is_by_hand or inner.is_by_hand):
        return "possible"
    timed = any(_is_timed(context, one) for one in path)
    sure: Confidence = "certain" if len(path) <= 1 and not timed and not loose else "likely"
    for call, node in zip(path, nodes[1:], strict=True):
        way = _way(context, holding, call, node)
        if way is None or way == "possible":
            return way
        sure = "likely" if way == "likely" else sure
    return sure


def _way(context: Context, holding: Holding, call: Call, node: cst.CSTNode) -> Confidence | None:
    """How sure it is that what is called comes to a node with the lock still held; None when it is not."""
    callee = context.flow.callee(call)
    if callee is None or _is_released(context, callee, holding, 0, node):
        return None
    conditions = list(_conditions(context, node, callee))
    if any(_asks(one) or _is_told(one, call, callee) for one in conditions):
        return "possible"
    return "likely" if conditions else "certain"


def _is_released(
    context: Context, function: Function, holding: Holding, start: int, node: cst.CSTNode
) -> bool:
    """Whether a function gives the lock back by hand before it comes to a node."""
    end = context.start(node)
    releases = context.locks.releases(function, holding.place)
    return any(start < context.start(call.node) < end for call in releases)


def _is_timed(context: Context, call: Call) -> bool:
    """`wait_for(call(), 5)` ends by itself."""
    around = context.module.parents.get(id(call.node))
    runner = context.module.call_of.get(id(context.module.parents.get(id(around))))
    return isinstance(around, cst.Arg) and runner is not None and runner.name == "wait_for"


def _conditions(context: Context, node: cst.CSTNode, function: Function) -> Iterator[cst.CSTNode]:
    """What a function branches on before it comes to a node, or may leave on."""
    module, end = context.module, context.start(node)
    exits = context.locks.exits
    if id(function) not in exits:
        found = [one for one in walk(function.node) if isinstance(one, _LEAVES)]
        exits[id(function)] = [one for one in found if _is_in(context, one, function)]
    leaving = [one for one in exits[id(function)] if context.start(one) < end]
    for one in (node, *leaving):
        if one is not node and any(one is above for above in module.ancestors(node)):
            continue  # `return await self.other()`
        for above in module.ancestors(one):
            if above is function.node:
                break
            if isinstance(above, _BRANCHES):
                yield above


def _is_in(context: Context, node: cst.CSTNode, function: Function) -> bool:
    """Whether a node belongs to a function itself, not to one in it."""
    around = (context.module.by_node.get(id(one)) for one in context.module.ancestors(node))
    return next((one for one in around if one is not None), None) is function


def _condition(branch: cst.CSTNode) -> cst.CSTNode:
    """What decides about a branch."""
    if isinstance(branch, (cst.If, cst.IfExp, cst.While)):
        return branch.test
    if isinstance(branch, cst.BooleanOperation):
        return branch.left
    return branch.subject if isinstance(branch, cst.Match) else cst.Pass()


def _asks(branch: cst.CSTNode) -> bool:
    """Whether a branch depends on whether the lock is taken, or by whom."""
    return any(
        isinstance(one, cst.Call) and dotted(one.func).rpartition(".")[2] in _ASKS
        for one in walk(_condition(branch))
    )


def _is_told(branch: cst.CSTNode, call: Call, callee: Function) -> bool:
    """Whether a branch depends on what the call says outright: `self.check(locked=True)`."""
    said = {name for name, value in bound_arguments(call, callee) if _is_constant(value)}
    return any(isinstance(one, cst.Name) and one.value in said for one in walk(_condition(branch)))


def _is_constant(value: cst.BaseExpression) -> bool:
    return isinstance(value, _CONSTANTS) or dotted(value) in ("True", "False", "None")
