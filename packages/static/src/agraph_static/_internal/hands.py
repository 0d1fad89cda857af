"""Into whose hands an event or future gets besides: then others may complete it.

Used by AG101, AG108, AG110 and AG111.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.resolutions import Resolution
    from agraph_static._internal.scopes import Call, Function

_SETTERS = words.RESOLVE_METHODS | {"set"}
_SOON = frozenset({"call_soon", "call_soon_threadsafe"})
_WAKES = {kind: {name for name, woken in words.HOPS.items() if woken == kind} for kind in words.HOPS.values()}


def loose_setters(context: Context) -> list[tuple[cst.BaseExpression, Function]]:
    """What stands before `.set` and the like where it is not called: `on_signal(event.set)`."""
    found = []
    module = context.module
    for node in walk(module.tree):
        if not isinstance(node, cst.Attribute) or node.attr.value not in _SETTERS:
            continue
        parent = module.parents.get(id(node))
        if not isinstance(parent, cst.Call) or parent.func is not node:
            around = (module.by_node.get(id(one)) for one in module.ancestors(node))
            found.append((node.value, next((one for one in around if one is not None), module.body)))
    return found


def loose_names(context: Context) -> set[str]:
    """What is handed on and not called, as a callback is: `handle`, and `.handle` of `self.handle`."""
    found = set()
    for node in walk(context.module.tree):
        if isinstance(node, (cst.Arg, cst.Element)):
            around = context.module.parents.get(id(node))
            if isinstance(around, cst.Call) and dotted(around.func).rpartition(".")[2] in _SOON:
                continue
            if isinstance(node.value, cst.Attribute):
                found.add("." + node.value.attr.value)
            elif isinstance(node.value, cst.Name):
                found.add(node.value.value)
    return found


def is_callback(context: Context, function: Function) -> bool:
    """Whether a function is handed on, to be called when something happens."""
    return ("." * function.is_method + function.name) in context.loose_names


def is_set_by_others(context: Context, root: Place, own: set[int], coroutine: Call | None = None) -> bool:
    """Whether a function besides some hands on the means to set an event, or the event itself.

    Args:
        context: The module.
        root: What holds the event.
        own: The ids of the functions that may set it.
        coroutine: The call that gives it to the task that sets it.
    """
    flow = context.flow
    given: list[tuple[cst.BaseExpression, Function]] = [
        (one, call.function)
        for call in context.module.calls
        if call is not coroutine
        for one in (*call.args, *call.keywords.values())
        if isinstance(one, (cst.Name, cst.Attribute, cst.Subscript))
    ]
    given += [one for one in context.loose_setters if id(one[1]) not in own]
    places = [flow.place(expression, function) for expression, function in given]
    return any(place is not None and flow.root(place) == root for place in places)


def completions(context: Context) -> dict[Place, list[tuple[Function, Function]]]:
    """What sets an event or gives a future its result, by the group of what is completed.

    Returns:
        Two functions each: the one that completes it, itself or by a call, and the one where that stands.
    """
    found: dict[Place, list[tuple[Function, Function]]] = {}
    for call in context.module.calls:
        for one in context.resolver.of_call(call):
            if one.depth <= 1 and not one.only_exception:
                found.setdefault(context.flow.root(one.place), []).append((call.function, one.function))
    return found


def is_completed_by_others(context: Context, root: Place, owner: Function) -> bool:
    """Whether a function besides the owner completes what the owner made, and not only for the owner.

    A function that makes one for the same place is an owner, too, and completes its own.
    """
    own = {id(one) for one in owner.subtree()}
    own |= {
        id(value.function)
        for value in context.flow.values(root)
        if isinstance(value.node, cst.Call) and context.origins.of_call(value.node) in ("future", "event")
    }
    for function, place in context.completions.get(root, ()):
        if id(function) in own or id(place) in own:
            continue
        callers = [one.function for one in _calls_of(context, function)]
        if not callers or any(id(one) not in own for one in callers):
            return True
    return False


def is_woken_by_others(context: Context, resolution: Resolution, own: set[int]) -> bool:
    """Whether something besides a callback sets the same event, or feeds the same queue.

    Args:
        context: The module.
        resolution: What the callback does.
        own: The ids of the functions that belong to the callback.
    """
    flow, helper = context.flow, resolution.function
    root = flow.root(resolution.place)
    if resolution.depth and any(id(call.function) not in own for call in _calls_of(context, helper)):
        return True
    for call in context.module.calls:
        if call.receiver is None or call.name not in _WAKES[resolution.kind]:
            continue
        if call.function is helper or id(call.function) in own or _gives_none(call):
            continue
        place = flow.place(call.receiver, call.function)
        if place is not None and flow.root(place) == root:
            return True
    return False


def _gives_none(call: Call) -> bool:
    """`queue.put_nowait(None)`: nothing more comes."""
    return bool(call.args) and dotted(call.args[0]) == "None"


def _calls_of(context: Context, function: Function) -> Iterator[Call]:
    return (
        call
        for call in context.module.calls
        if call.name == function.name and context.flow.callee(call) is function
    )
