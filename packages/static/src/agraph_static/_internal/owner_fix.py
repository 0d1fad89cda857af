"""Fixes of AG108 and AG110: remember which task completes a future, and record the edge where it is awaited.

The table of owners holds its futures weakly. Every wait of the module goes through one helper, which adds the
edge from the waiting task to the owner, never to itself, and discards it when the wait ends. The helper is
one more coroutine between the two, and waits outside the module are not seen: so the fix is unsafe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.drafts import (
    OWNERS,
    WAIT_FOR_OWNER,
    Draft,
    add_imports,
    after,
    draft_of,
    indent,
    is_done,
    repeatable,
)
from agraph_static._internal.model import Fix
from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.flights import Flight
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.scopes import Assignment, Function
    from agraph_static._internal.spawns import Spawn


_MOST_WAITS = 50
"""More waits than this are not sent through the helper by one fix."""


def flight_fix(context: Context, flight: Flight) -> Fix | None:
    """The fix of a single flight: its owner is the task that makes it."""
    draft = draft_of(context)
    target = _shortest(
        context,
        [one for one in flight.function.assignments if one.value is flight.creation and one.kind == "assign"],
    )
    if target is None:
        return None
    return _fix(draft, target, f"{draft.asyncio}.current_task()", flight.place, flight.function)


def spawn_fix(context: Context, spawn: Spawn) -> Fix | None:
    """The fix of a future that a spawned task completes: where both are at hand, the task is its owner."""
    function = spawn.call.function
    if spawn.wait is None:
        return None
    held = _shortest(context, [one for one in function.assignments if one.value is spawn.call.node])
    root = context.flow.root(spawn.resolution.place)
    made = [
        one
        for one in function.assignments
        if isinstance(one.value, cst.Call)
        and context.origins.of_call(one.value) in ("future", "event")
        and (place := context.flow.place(one.target, function)) is not None
        and context.flow.root(place) == root
    ]
    if held is None or len(made) != 1 or context.start(made[0].node) > context.start(held.node):
        return None
    future = repeatable(context, made[0].target)
    if future is None or made[0].kind != "assign":
        return None
    line = context.module.parents.get(id(made[0].node))
    other = context.module.parents.get(id(held.node))
    if (
        line is None
        or other is None
        or context.module.parents.get(id(line)) is not context.module.parents.get(id(other))
    ):
        return None  # one of the two may not have run
    draft = draft_of(context)
    owner = context.module.code(held.target)
    return _fix(draft, held, owner, spawn.resolution.place, None, future=future)


def has_owner(context: Context, function: Function, place: Place) -> bool:
    """Whether a function enters a future into the table of owners."""
    root = context.flow.root(place)
    for one in function.assignments:
        target = one.target
        if not isinstance(target, cst.Subscript) or dotted(target.value) != OWNERS:
            continue
        index = target.slice[0].slice
        found = context.flow.place(index.value, function) if isinstance(index, cst.Index) else None
        if found is not None and context.flow.root(found) == root:
            return True
    return False


def _fix(  # noqa: PLR0917 - the parts of one sentence: who owns what, from where on, who waits
    draft: Draft, made: Assignment, owner: str, place: Place, within: Function | None, future: str = ""
) -> Fix | None:
    """Enter the owner after a statement, and send the waits through the helper."""
    context = draft.context
    line = context.module.parents.get(id(made.node))
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return None
    future = future or context.module.code(made.target)
    draft.insert(after(context, line), indent(context, line), f"{OWNERS}[{future}] = {owner}")
    waits = [one for one in context.flow.waits(place) if _is_other(context, one, made, within)]
    if len(waits) > _MOST_WAITS:
        return None
    redirected = [_redirect(draft, one, place) for one in {id(one.node): one for one in waits}.values()]
    if not redirected or not all(redirected):
        return None
    add_imports(draft, needs_asyncio=True, owners=True)
    if not is_done(draft):
        return None
    return Fix(
        "unsafe", "keep the task that completes it, and record an edge to that task", tuple(draft.edits)
    )


def _is_other(context: Context, wait: Wait, made: Assignment, within: Function | None) -> bool:
    """Whether another task waits here, and not the owner after it made the future."""
    if wait.kind == "return" and not isinstance(wait.node, cst.Await):
        return False
    return wait.function is not within or context.start(wait.node) < context.start(made.node)


def _redirect(draft: Draft, wait: Wait, place: Place) -> bool:
    """`await x` becomes `await helper(future, x)`; whether that is possible."""
    context = draft.context
    if not isinstance(wait.node, cst.Await) or WAIT_FOR_OWNER in context.code(wait.node):
        return isinstance(wait.node, cst.Await)
    root = context.flow.root(place)
    awaited = wait.node.expression
    for one in walk(awaited):
        found = context.flow.place(one, wait.function) if isinstance(one, _PATHS) else None
        plain = repeatable(context, one) if found is not None and context.flow.root(found) == root else None
        if plain is not None:
            start, end = context.module.positions.offsets(awaited)
            text = context.module.text[start:end]
            draft.replace(awaited, f"{WAIT_FOR_OWNER}({plain}, {text})")
            return True
    return False


def _shortest(context: Context, assignments: list[Assignment]) -> Assignment | None:
    plain = [
        one for one in assignments if isinstance(one.node, cst.Assign) and repeatable(context, one.target)
    ]
    return min(plain, key=lambda one: len(dotted(one.target)), default=None)


_PATHS = (cst.Name, cst.Attribute, cst.Subscript)
