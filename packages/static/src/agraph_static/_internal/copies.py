"""Copies of asyncio's own functions from before Python 3.14, known by name and shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.scopes import Call, Function

_SHAPES = (
    # part of the name, calls that the function and those in it make, the original
    (
        "cancel_and_wait",
        ("cancel", "add_done_callback", "remove_done_callback"),
        "asyncio.tasks._cancel_and_wait",
    ),
    ("as_completed", ("ensure_future", "add_done_callback"), "asyncio.as_completed"),
    ("shield", ("ensure_future", "add_done_callback", "remove_done_callback"), "asyncio.shield"),
    ("gather", ("ensure_future", "add_done_callback"), "asyncio.gather"),
    ("staggered", ("create_task", "add_done_callback"), "asyncio.staggered.staggered_race"),
    ("wait", ("add_done_callback", "remove_done_callback", "done"), "asyncio.wait"),
)

_CLASS_METHODS = frozenset({"create_task", "__aenter__", "__aexit__", "_on_task_done"})


def copied_from(context: Context, call: Call) -> str:
    """The asyncio function that the code around a done-callback was copied from; empty when it was not.

    Args:
        context: The module.
        call: The call that adds the callback.
    """
    owner = call.function.owner
    if owner is not None and "taskgroup" in owner.name.lower() and owner.methods.keys() >= _CLASS_METHODS:
        return "asyncio.TaskGroup"
    function = _outermost(call.function)
    name = function.name.lower()
    shapes = [one for one in _SHAPES if one[0] in name]
    made = {one.name for inner in function.subtree() for one in inner.calls} if shapes else set()
    made |= {one.lstrip("_") for one in made}  # 3.11's gather and shield call `_ensure_future`
    for _, calls, original in shapes:
        if made.issuperset(calls):
            return original if original != "asyncio.wait" or _is_wait(context, call) else ""
    return ""


def _outermost(function: Function) -> Function:
    around = [one for one in function.lineage() if one.parent is not None]
    return around[-1] if around else function


def _is_wait(context: Context, call: Call) -> bool:
    """`asyncio.wait` adds one callback to each item of what it is given, in a loop."""
    place = context.flow.place(call.receiver, call.function) if call.receiver is not None else None
    return place is not None and any(member[2].endswith("[]") for member in context.flow.members(place))
