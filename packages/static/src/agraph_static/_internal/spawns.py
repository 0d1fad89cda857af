"""Spawned tasks whose body completes a future that somebody else waits for. Used by AG110."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.flow import Value, bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.model import Confidence
    from agraph_static._internal.resolutions import Resolution
    from agraph_static._internal.semantics import Call, Function


@dataclass(slots=True, eq=False)
class Spawn:
    """One spawned task that completes a future.

    Attributes:
        call: The call that makes the task.
        body: The coroutine function it runs.
        resolution: The completion in its body.
        wait: Who waits for the future; None when it is handed in by the caller.
        confidence: How sure this is a missing edge.
        reason: Why, as a sentence.
    """

    call: Call
    body: Function
    resolution: Resolution
    wait: Wait | None
    confidence: Confidence
    reason: str


def spawns(context: Context) -> Iterator[Spawn]:
    """Every spawned task of a module that completes a future others wait for, once for each future."""
    seen: set[tuple[int, Place]] = set()
    for call in list(context.module.calls):
        if context.origins.of_call(call.node) != "task" or not call.args:
            continue
        coroutine = _coroutine(context, call)
        body = context.flow.callee(coroutine) if coroutine is not None else None
        if coroutine is None or body is None or not body.is_async:
            continue
        env = {name: Value(value, coroutine.function) for name, value in bound_arguments(coroutine, body)}
        for resolution in context.resolver.of_function(body, env):
            key = (id(body), context.flow.root(resolution.place))
            if key in seen or resolution.kind != "future":
                continue
            spawn = _judge(context, call, body, resolution)
            if spawn is not None:
                seen.add(key)
                yield spawn


def _coroutine(context: Context, call: Call) -> Call | None:
    """The call that makes the coroutine a task is made of, also by way of one variable."""
    argument = call.args[0]
    if isinstance(argument, cst.Name):
        scope = context.module.scope_of(argument.value, call.function)
        bindings = scope.bindings[argument.value] if scope is not None else []
        values = [one.value for one in bindings if one.kind == "assign" and isinstance(one.value, cst.Call)]
        argument = values[0] if len(values) == 1 and values[0] is not None else argument
    return context.module.call_of.get(id(argument))


def _judge(context: Context, call: Call, body: Function, resolution: Resolution) -> Spawn | None:
    flow = context.flow
    place = resolution.place
    if resolution.threadsafe or _is_made_in(context, place, body) or _records_edges(call.function, body):
        return None
    if resolution.only_exception and not _completes_fully(context, body, place):
        return None
    own = set(map(id, body.subtree()))
    waits = [wait for wait in flow.waits(place) if id(wait.function) not in own and _counts(wait)]
    if _task_is_awaited_too(context, call, waits):
        return None
    if not waits:
        if _is_handed_in(context, place, call):
            return Spawn(call, body, resolution, None, "likely", "the future is handed in, and only the spawned task completes it")
        return None
    if _is_answer(context, place, resolution):
        return Spawn(call, body, resolution, waits[0], "possible", "the future may be completed by what comes from outside")
    return Spawn(call, body, resolution, waits[0], "likely", "the spawned task completes it in its own body")


def _counts(wait: Wait) -> bool:
    return wait.kind in ("await", "pass", "return") or (wait.kind == "method" and wait.method == "__await__")


def _is_made_in(context: Context, place: Place, body: Function) -> bool:
    """Whether the task itself makes the future: then it is its own affair, or AG108's."""
    root = context.flow.root(place)
    if root[0] == "v" and root[1] == id(body) and not any(
        one.kind == "param" for one in body.bindings.get(root[2].removesuffix("[]"), ())
    ):
        return all(member[0] == "v" and member[1] == id(body) for member in context.flow.members(place))
    makers = [value for value in context.flow.values(place) if _is_future(context, value)]
    return bool(makers) and all(value.function in tuple(body.subtree()) for value in makers)


def _is_future(context: Context, value: Value) -> bool:
    return isinstance(value.node, cst.Call) and context.origins.of_call(value.node) == "future"


def _completes_fully(context: Context, body: Function, place: Place) -> bool:
    """Whether the body also completes it with a result, not only with an error."""
    root = context.flow.root(place)
    return any(
        not one.only_exception and context.flow.root(one.place) == root for one in context.resolver.of_function(body)
    )


def _records_edges(*functions: Function) -> bool:
    return any(
        words.ADD_EDGE in call.name for one in functions for inner in one.subtree() for call in inner.calls
    )


def _task_is_awaited_too(context: Context, call: Call, waits: list[Wait]) -> bool:
    """`await asyncio.wait({future, task})` records the edge to the task itself."""
    parent = context.module.parents.get(id(call.node))
    if isinstance(parent, cst.Await):
        return True
    for assignment in call.function.assignments:
        if assignment.value is call.node:
            place = context.flow.place(assignment.target, call.function)
            if place is not None:
                nodes = {id(wait.node) for wait in context.flow.waits(place, hops=0)}
                return any(id(wait.node) in nodes for wait in waits)
    return False


def _is_handed_in(context: Context, place: Place, call: Call) -> bool:
    """Whether the future is a parameter of the function that spawns the task."""
    return any(
        owner == id(call.function) and any(one.kind == "param" for one in call.function.bindings.get(path, ()))
        for _, owner, path in context.flow.members(place)
    )


def _is_answer(context: Context, place: Place, resolution: Resolution) -> bool:
    """Whether the future is picked out of a table by key, as the answer to a request is."""
    if not any(member[2].endswith("[]") for member in context.flow.members(place)):
        return False
    for function in (resolution.function, *resolution.function.lineage()):
        for assignment in function.assignments:
            target = context.flow.place(assignment.target, assignment.function)
            if target is None or context.flow.root(target) != context.flow.root(place):
                continue
            if assignment.kind == "for":
                return False
    return True
