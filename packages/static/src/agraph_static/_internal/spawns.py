"""Spawned tasks whose body completes a future that somebody else waits for. Used by AG110."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.expressions import is_queue_get
from agraph_static._internal.flow import Value, bound_arguments
from agraph_static._internal.owner_fix import has_owner
from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.model import Confidence
    from agraph_static._internal.resolutions import Resolution
    from agraph_static._internal.scopes import Call, Function


_TRANSPORT_EVENTS = frozenset(
    {"data_received", "eof_received", "datagram_received", "error_received", "connection_lost"}
)
"""Methods of an asyncio protocol: until the transport calls one, there is no task to wait for."""

_COMPLETES = words.RESOLVE_METHODS | {"set", "clear"}


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
    flights = {context.flow.root(flight.place) for flight in context.flights}
    for call in list(context.module.calls):
        coroutine = _coroutine(context, call)
        body = context.flow.callee(coroutine) if coroutine is not None else None
        if coroutine is None or body is None or not body.is_async or call.function.name == "__del__":
            continue
        env = {name: Value(value, coroutine.function) for name, value in bound_arguments(coroutine, body)}
        for resolution in context.resolver.of_function(body, env):
            key = (id(body), context.flow.root(resolution.place))
            if key in seen or key[1] in flights or resolution.kind not in ("future", "event"):
                continue
            spawn = _judge(context, call, body, resolution)
            if spawn is not None:
                seen.add(key)
                yield spawn


def _coroutine(context: Context, call: Call) -> Call | None:
    """The call that makes the coroutine of a new task, also through a variable; None when there is none."""
    arguments = list(call.args)
    if call.name in ("call_soon", "call_later", "call_soon_threadsafe"):
        while arguments and dotted(arguments[0]).rpartition(".")[2] not in words.TASK_METHODS:
            arguments.pop(0)
        arguments = arguments[1:]
    elif context.origins.of_call(call.node) != "task":
        return None
    if not arguments:
        return None
    argument = arguments[0]
    if isinstance(argument, cst.Name):
        scope = context.module.scope_of(argument.value, call.function)
        bindings = scope.bindings[argument.value] if scope is not None else []
        values = [one.value for one in bindings if one.kind == "assign" and isinstance(one.value, cst.Call)]
        argument = values[0] if len(values) == 1 and values[0] is not None else argument
    return context.module.call_of.get(id(argument))


def _judge(context: Context, call: Call, body: Function, resolution: Resolution) -> Spawn | None:  # noqa: PLR0911 - one question after the other reads best
    flow = context.flow
    place = resolution.place
    if resolution.threadsafe or "thread" in context.origins.of_place(place):
        return None
    recorded = words.ADD_EDGE in context.module.text and _records_edges(call.function, body)
    if _is_made_in(context, place, body) or recorded:
        return None
    if has_owner(context, call.function, place):
        return None
    if resolution.only_exception and not _completes_fully(context, body, place):
        return None
    own = set(map(id, body.subtree()))
    counts = _counts if resolution.kind == "future" else _counts_for_event
    waits = [wait for wait in flow.waits(place) if id(wait.function) not in own and counts(wait)]
    if _task_is_awaited_too(context, call, waits):
        return None
    paired = next((wait for wait in waits if _follows(context, wait, call)), None)
    if paired is not None and _only_here(context, body, resolution):
        reason = "the function that starts the task waits for what only this task completes"
        return Spawn(call, body, resolution, paired, "likely", reason)
    if resolution.depth > 0 or resolution.kind != "future":
        return None
    if not waits:
        reason = _without_waits(context, call, body, resolution)
        return Spawn(call, body, resolution, None, "likely", reason) if reason else None
    doubt = _doubt(context, call, body, resolution)
    if doubt:
        return Spawn(call, body, resolution, waits[0], "possible", doubt)
    return Spawn(call, body, resolution, waits[0], "likely", "the spawned task completes it in its own body")


def _counts(wait: Wait) -> bool:
    return wait.kind in ("await", "pass", "return") or (wait.kind == "method" and wait.method == "__await__")


def _counts_for_event(wait: Wait) -> bool:
    return wait.kind == "method" and wait.method == "wait"


def _follows(context: Context, wait: Wait, call: Call) -> bool:
    """Whether the function that starts the task waits itself, afterwards."""
    return wait.function is call.function and context.start(wait.node) > context.start(call.node)


def _only_here(context: Context, body: Function, resolution: Resolution) -> bool:
    """Whether nothing else in the module completes, or clears, what the task completes."""
    root = context.flow.root(resolution.place)
    reached = {id(one.function) for one in context.resolver.of_function(body)}
    makers = {id(value.function) for value in context.flow.values(root)}
    for call in context.module.calls:
        if call.receiver is None or call.name not in _COMPLETES or id(call.function) in reached | makers:
            continue
        place = context.flow.place(call.receiver, call.function)
        if place is not None and context.flow.root(place) == root:
            return False
    return True


def _without_waits(context: Context, call: Call, body: Function, resolution: Resolution) -> str:
    """Why somebody outside this module waits for the future; empty when nothing says so."""
    if _is_handed_in(context, resolution.place, call):
        return "the future is handed in, and only the spawned task completes it"
    kind, _, path = context.flow.root(resolution.place)
    made_here = any(value.function is call.function for value in context.flow.values(resolution.place))
    public = kind == "s" and path.count(".") == 1 and "[" not in path and not path.startswith("._")
    if public and made_here and _only_here(context, body, resolution):
        return "the future is made beside the task that completes it, and is there for others to wait for"
    return ""


def _is_made_in(context: Context, place: Place, body: Function) -> bool:
    """Whether the task itself makes the future: then it is its own affair, or AG108's."""
    root = context.flow.root(place)
    if (
        root[0] == "v"
        and root[1] == id(body)
        and not any(one.kind == "param" for one in body.bindings.get(root[2].removesuffix("[]"), ()))
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
        not one.only_exception and context.flow.root(one.place) == root
        for one in context.resolver.of_function(body)
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
        owner == id(call.function)
        and any(one.kind == "param" for one in call.function.bindings.get(path, ()))
        for _, owner, path in context.flow.members(place)
    )


def _doubt(context: Context, call: Call, body: Function, resolution: Resolution) -> str:
    """Why the task may not be the one who decides when the future is completed; empty when it is."""
    batch = resolution.function is body and (
        _is_batch(context, resolution)
        or _is_broadcast(resolution, body)
        or _is_work_item(context, resolution)
    )
    if not batch and any(member[2].endswith("[]") for member in context.flow.members(resolution.place)):
        return "the future is picked from a table, as the answer to a request is"
    if call.function.name == "<lambda>" or call.function.name in _TRANSPORT_EVENTS:
        return "the task is started by an event"
    if not batch and (resolution.function is not body or _in_loop(context, resolution.node, body)):
        return "the task completes futures again and again, as a reader of messages does"
    return ""


def _is_batch(context: Context, resolution: Resolution) -> bool:
    """Whether the task completes a batch: `for one, value in zip(futures, values): one.set_result(value)`."""
    return any(
        isinstance(one, cst.For) and isinstance(one.iter, cst.Call) and dotted(one.iter.func) == "zip"
        for one in _around(context, resolution.node, resolution.function)
    )


def _is_broadcast(resolution: Resolution, body: Function) -> bool:
    """Whether the task completes all that it was given: `for one in waiters: one.set_result(None)`."""
    return any(
        isinstance(one.iter, cst.Name)
        and any(binding.kind == "param" for binding in body.bindings.get(one.iter.value, ()))
        for one in body.fors
        if any(node is resolution.node for node in walk(one.body))
    )


def _is_work_item(context: Context, resolution: Resolution) -> bool:
    """Whether the task took the future out of a queue: it works through what others put in."""
    function = resolution.function
    call = resolution.node
    head = dotted(call.func).partition(".")[0] if isinstance(call, cst.Call) else ""
    for one in function.assignments:
        value = one.value.expression if isinstance(one.value, cst.Await) else one.value
        if dotted(one.target) != head or not isinstance(value, cst.Call) or not is_queue_get(value):
            continue
        receiver = value.func.value if isinstance(value.func, cst.Attribute) else None
        if receiver is not None and "queue" in context.origins.of(receiver, function):
            return True
    return False


def _in_loop(context: Context, node: cst.CSTNode, body: Function) -> bool:
    return any(isinstance(one, (cst.While, cst.For)) for one in _around(context, node, body))


def _around(context: Context, node: cst.CSTNode, function: Function) -> Iterator[cst.CSTNode]:
    for one in context.module.ancestors(node):
        if one is function.node:
            return
        yield one
