"""What is awaited while a lock is held, and whether it is done by then. Used by AG206."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import walk

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.scopes import Function


def awaited(context: Context, node: cst.Await) -> cst.BaseExpression:
    """What is waited for in the end: the future of `await wait_for(future, 3)`."""
    call = context.module.call_of.get(id(node.expression))
    through = call is not None and call.qualified in ("asyncio.wait_for", "asyncio.shield") and call.args
    return call.args[0] if call is not None and through else node.expression


def is_done(context: Context, node: cst.Await, place: Place, function: Function) -> bool:
    """Whether a wait is reached only when the future is done already."""
    module, flow = context.module, context.flow
    around = {id(node), *(id(one) for one in module.ancestors(node))}
    for call in function.calls:
        asked = flow.place(call.receiver, function) if call.name == "done" else None
        if asked is None or flow.root(asked) != flow.root(place):
            continue
        above = [call.node, *module.ancestors(call.node)]
        branch = next((one for one in above if isinstance(one, (cst.If, cst.IfExp))), None)
        if branch is None or not any(one is branch.test for one in above):
            continue
        negated = isinstance(above[1], cst.UnaryOperation)
        if id(branch) in around:
            if (id(branch.body) in around) != negated:
                return True
        elif negated and context.start(branch) < context.start(node) and _leaves(branch):
            return True
    return False


def _leaves(branch: cst.If | cst.IfExp) -> bool:
    """Whether a branch ends in `return` or the like."""
    return any(isinstance(one, (cst.Return, cst.Raise, cst.Continue)) for one in walk(branch.body))
