"""Spawned tasks whose body completes a future that somebody else waits for. Used by AG110."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.arguments import bound_arguments
from agraph_static._internal.expressions import container_of, is_queue_get
from agraph_static._internal.flights import HANDLERS, stands_in, suspensions
from agraph_static._internal.flow import Value
from agraph_static._internal.hands import is_callback, is_set_by_others
from agraph_static._internal.owner_fix import has_owner
from agraph_static._internal.reused import only_sleeps
from agraph_static._internal.seen import seen_anyway
from agraph_static._internal.shown import plainest
from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.model import Confidence
    from agraph_static._internal.resolutions import Resolution
    from agraph_static._internal.scopes import Assignment, Call, Function


_TRANSPORT_EVENTS = frozenset(
    {"data_received", "eof_received", "datagram_received", "error_received", "connection_lost"}
)
"""Methods of an asyncio protocol: until the transport calls one, there is no task to wait for."""

_COMPLETES = words.RESOLVE_METHODS | {"set", "clear"}
_REGISTERS = frozenset({"add_done_callback"})


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
        for task in _tasks(context, call):
            found = context.resolver.of_function(task.body, task.env)
            for resolution in sorted(found, key=lambda one: _unusual(context, one)):
                key = (id(task.body), context.flow.root(resolution.place))
                if key in seen or key[1] in flights or resolution.kind not in ("future", "event"):
                    continue
                spawn = _judge(context, task, resolution)
                if spawn is not None:
                    seen.add(key)
                    yield spawn


def _unusual(context: Context, resolution: Resolution) -> bool:
    return resolution.only_exception or stands_in(context, resolution.node, HANDLERS)


@dataclass(slots=True, eq=False)
class _Task:
    """A task: the call that makes it, what it runs, and what the parameters of that are.

    `others` are coroutine methods that it is handed, to await them. When what it runs is unknown, each of
    these is looked at as the body.
    """

    call: Call
    body: Function
    env: dict[str, Value]
    others: list[Function]
    is_known: bool = True


def _tasks(context: Context, call: Call) -> Iterator[_Task]:
    """What may be the task that a call makes."""
    coroutine = _coroutine(context, call)
    if coroutine is None or call.function.name == "__del__":
        return
    body = context.flow.callee(coroutine)
    if body is not None and body.is_async:
        env = {name: Value(value, coroutine.function) for name, value in bound_arguments(coroutine, body)}
        yield _Task(call, body, env, list(_handed_on(context, body.calls)))
    elif body is None:
        others = list(_handed_on(context, [coroutine]))
        yield from (_Task(call, one, {}, others, is_known=False) for one in others)


def _coroutine(context: Context, call: Call) -> Call | None:
    """The call that makes the coroutine of a new task, also through a variable; None when there is none."""
    arguments = list(call.args)
    if call.name in ("call_soon", "call_later", "call_soon_threadsafe"):
        while arguments and dotted(arguments[0]).rpartition(".")[2] not in words.TASK_METHODS:
            arguments.pop(0)
        arguments = arguments[1:]
    elif context.origins.of_call(call.node) != "task" and not _is_called_like_one(context, call):
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


def _is_called_like_one(context: Context, call: Call) -> bool:
    """`create_task_with_retries(self.run())`: a helper of another module that makes a task of a coroutine."""
    coroutine = context.module.call_of.get(id(call.args[0])) if call.args else None
    if not call.name.startswith("create_task_") or coroutine is None:
        return False
    body = context.flow.callee(coroutine)
    return body is not None and body.is_async


def _judge(context: Context, task: _Task, resolution: Resolution) -> Spawn | None:
    flow, call, body = context.flow, task.call, task.body
    place = resolution.place
    if resolution.threadsafe or "thread" in context.origins.of_place(place):
        return None
    recorded = words.ADD_EDGE in context.module.text and _records_edges(call.function, body)
    if _is_made_in(context, resolution, body) or recorded:
        return None
    if has_owner(context, call.function, place):
        return None
    if resolution.only_exception and not _completes_fully(context, task, place):
        return None
    own = set(map(id, body.subtree()))
    counts = _counts if resolution.kind == "future" else _counts_for_event
    waits = [wait for wait in flow.waits(place) if id(wait.function) not in own and counts(wait)]
    if _task_is_awaited_too(context, call, waits):
        return None
    unseen = [wait for wait in waits if not seen_anyway(context, wait, [call], call)]
    return None if waits and not unseen else _weigh(context, task, resolution, unseen)


def _weigh(context: Context, task: _Task, resolution: Resolution, waits: list[Wait]) -> Spawn | None:
    """How sure it is that who waits for what a task completes waits for that task."""
    call, body, event = task.call, task.body, resolution.kind == "event"
    following = [wait for wait in waits if _follows(context, wait, call)]
    paired = plainest(context, following, call) if following else None
    shown = plainest(context, waits, call) if waits else None
    if paired is not None and _only_here(context, task, resolution):
        reason = "the function that starts the task waits for what only this task completes"
        return Spawn(call, body, resolution, paired, "likely", reason)
    started = not task.is_known or _is_at_once(context, body, resolution)
    if started or ((event or resolution.depth > 0) and not _is_its_affair(context, task, resolution)):
        return None
    if event:
        own, root = {id(body), id(resolution.function)}, context.flow.root(resolution.place)
        quiet = not waits or context.in_loop(call.node) or _is_signal(context, task, resolution)
        quiet = quiet or is_set_by_others(context, root, own, _coroutine(context, call))
        reason = "only the spawned task sets it"
        return None if quiet else Spawn(call, body, resolution, shown, "likely", reason)
    if not waits:
        reason = _without_waits(context, task, resolution)
        return Spawn(call, body, resolution, None, "likely", reason) if reason else None
    doubt = _doubt(context, call, body, resolution)
    if doubt:
        return Spawn(call, body, resolution, shown, "possible", doubt)
    return Spawn(call, body, resolution, shown, "likely", "the spawned task completes it in its own body")


def _is_at_once(context: Context, body: Function, resolution: Resolution) -> bool:
    """Whether the task completes it in its first step: who waits elsewhere waits for it to be started."""
    first = resolution.way[0] if resolution.way else resolution.node
    done = context.module.positions.offsets(first)[1]
    if any(context.start(one) < done for one in suspensions(body)):
        return False
    if body.is_method and context.module.method_owners.get(body.name) is None:
        return False  # a subclass may do more before
    conditional = (cst.If, cst.For, cst.ExceptHandler, cst.Finally)
    return not any(isinstance(one, conditional) for one in _around(context, first, body))


def _counts(wait: Wait) -> bool:
    return wait.kind in ("await", "pass", "return") or (wait.kind == "method" and wait.method == "__await__")


def _counts_for_event(wait: Wait) -> bool:
    return wait.kind == "method" and wait.method == "wait"


def _follows(context: Context, wait: Wait, call: Call) -> bool:
    """Whether the function that starts the task waits itself, afterwards."""
    return wait.function is call.function and context.start(wait.node) > context.start(call.node)


def _only_here(context: Context, task: _Task, resolution: Resolution) -> bool:
    """Whether nothing else in the module completes, or clears, what the task completes."""
    root = context.flow.root(resolution.place)
    own = {id(one.function) for one in context.resolver.of_function(task.body)}
    own |= {id(one) for one in (task.body, *task.others)}
    own |= {id(value.function) for value in context.flow.values(root)}
    return not any(
        id(call.function) not in own and not _is_before(context, call, task.call)
        for call in _calls_on(context, root, _COMPLETES)
    )


def _calls_on(context: Context, root: Place, names: frozenset[str]) -> Iterator[Call]:
    """The calls of these methods of what a group holds."""
    for call in context.module.calls:
        if call.receiver is not None and call.name in names:
            place = context.flow.place(call.receiver, call.function)
            if place is not None and context.flow.root(place) == root:
                yield call


def _is_before(context: Context, call: Call, spawn: Call) -> bool:
    """Whether an event is cleared for the task that is about to be started."""
    return (
        call.name == "clear"
        and call.function is spawn.function
        and context.start(call.node) < context.start(spawn.node)
    )


def _handed_on(context: Context, calls: list[Call]) -> Iterator[Function]:
    """The coroutine methods that calls hand on, to be awaited: `app(scope, self.receive, self.send)`."""
    for call in calls:
        for one in (*call.args, *call.keywords.values()):
            if isinstance(one, cst.Attribute) and dotted(one.value) == call.function.self_name != "":
                method = context.module.find_method(call.function.owner, one.attr.value)
                if method is not None and method.is_async:
                    yield method


def _is_its_affair(context: Context, task: _Task, resolution: Resolution) -> bool:
    """Whether only this task completes it, and is started to do so."""
    for call in context.module.calls:
        awaited = call.name == task.body.name and isinstance(
            context.module.parents.get(id(call.node)), cst.Await
        )
        own = call.function.name == task.body.name  # `await super().run()` of a subclass
        if awaited and not own and context.flow.callee(call) is task.body:
            return False  # another task runs the same for itself
    return _only_here(context, task, resolution) and _is_on_its_way(context, task, resolution)


def _is_on_its_way(context: Context, task: _Task, resolution: Resolution) -> bool:
    """Whether the task comes to complete it once, in functions that nobody else calls for it."""
    if _doubt(context, task.call, task.body, resolution):
        return False
    calls = [context.module.call_of[id(one)].function for one in resolution.way]
    helpers = [one for one in (*calls[1:], resolution.function) if one is not task.body]
    if any(one.is_method and not one.name.startswith("_") for one in helpers):
        return False  # other modules can call it
    own = {id(one) for one in (*helpers, *calls, task.body)}
    names, root = {one.name for one in helpers}, context.flow.root(resolution.place)
    for call in context.module.calls if helpers else ():
        if id(call.function) in own:
            continue
        if any(dotted(one).rpartition(".")[2] in names for one in (*call.args, *call.keywords.values())):
            return False
        called = call.name in names and context.flow.callee(call) in helpers
        found = context.resolver.of_call(call) if called else ()
        if any(context.flow.root(one.place) == root for one in found):
            return False
    return True


def _is_signal(context: Context, task: _Task, resolution: Resolution) -> bool:
    """Whether an event is cleared again, or set when time has passed: no sign that a task came to an end."""
    cleared = _calls_on(context, context.flow.root(resolution.place), frozenset({"clear"}))
    if not all(_is_before(context, one, task.call) for one in cleared):
        return True
    work = suspensions(task.body)
    return bool(work) and only_sleeps(work)


def _without_waits(context: Context, task: _Task, resolution: Resolution) -> str:
    """Why somebody outside this module waits for the future; empty when nothing says so."""
    if _is_handed_in(context, resolution.place, task.call):
        return "the future is handed in, and only the spawned task completes it"
    kind, _, path = context.flow.root(resolution.place)
    made_here = any(value.function is task.call.function for value in context.flow.values(resolution.place))
    public = kind == "s" and path.count(".") == 1 and "[" not in path and not path.startswith("._")
    called_back = any(_calls_on(context, context.flow.root(resolution.place), _REGISTERS))
    if public and made_here and not called_back and _only_here(context, task, resolution):
        return "the future is made beside the task that completes it, and is there for others to wait for"
    return ""


def _is_made_in(context: Context, resolution: Resolution, body: Function) -> bool:
    """Whether the task itself makes the future: then it is its own affair, or AG108's."""
    place = resolution.place
    root = context.flow.root(place)
    if (
        root[0] == "v"
        and root[1] == id(body)
        and not any(one.kind == "param" for one in body.bindings.get(container_of(root[2]), ()))
    ):
        return all(member[0] == "v" and member[1] == id(body) for member in context.flow.members(place))
    makers = [value for value in context.flow.values(place) if _is_future(context, value)]
    own = [*body.subtree(), *(resolution.function.subtree() if resolution.depth else ())]
    return bool(makers) and all(value.function in own for value in makers)


def _is_future(context: Context, value: Value) -> bool:
    return isinstance(value.node, cst.Call) and context.origins.of_call(value.node) == "future"


def _completes_fully(context: Context, task: _Task, place: Place) -> bool:
    """Whether the body also completes it with a result, not only with an error."""
    root = context.flow.root(place)
    return any(
        not one.only_exception
        and context.flow.root(one.place) == root
        and (not one.depth or _is_on_its_way(context, task, one))
        for one in context.resolver.of_function(task.body, task.env)
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
    places = context.flow.holding(call.node)
    nodes = {id(wait.node) for place in places for wait in context.flow.waits(place, hops=0)}
    return any(id(wait.node) in nodes for wait in waits)


def _is_handed_in(context: Context, place: Place, call: Call) -> bool:
    """Whether the future is a parameter of the function that spawns the task."""
    return any(
        owner == id(call.function)
        and any(one.kind == "param" for one in call.function.bindings.get(path, ()))
        for _, owner, path in context.flow.members(place)
    )


def _doubt(context: Context, call: Call, body: Function, resolution: Resolution) -> str:
    """Why the task may not be the one who decides when the future is completed; empty when it is."""
    batch = _is_batch(context, resolution) or (
        resolution.depth == 0 and (_is_broadcast(resolution, body) or _is_work_item(context, resolution))
    )
    items = any(member[2].endswith("[]") for member in context.flow.members(resolution.place))
    if items and not batch and not _is_made_for(context, call, resolution):
        return "the future is picked from a table, as the answer to a request is"
    name = call.function.name
    if name == "<lambda>" or name in _TRANSPORT_EVENTS or is_callback(context, call.function):
        return "the task is started by an event"
    if not batch and any(context.in_loop(one) for one in (resolution.node, *resolution.way)):
        return "the task completes futures again and again, as a reader of messages does"
    return ""


def _is_made_for(context: Context, call: Call, resolution: Resolution) -> bool:
    """Whether the function that starts the task makes the future, and hands it to the task by its name."""
    kind, owner, path = resolution.place
    bindings = call.function.bindings.get(path, ()) if kind == "v" and owner == id(call.function) else ()
    return bool(bindings) and all(
        isinstance(one.value, cst.Call) and context.origins.of_call(one.value) == "future" for one in bindings
    )


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
    head = dotted(call.func).partition(".")[0].partition("[")[0] if isinstance(call, cst.Call) else ""
    for one in function.assignments:
        value = one.value.expression if isinstance(one.value, cst.Await) else one.value
        if dotted(one.target) != head or not isinstance(value, cst.Call) or not is_queue_get(value):
            continue
        receiver = value.func.value if isinstance(value.func, cst.Attribute) else None
        if receiver is not None and "queue" in context.origins.of(receiver, function):
            return not _is_answered(context, one, function)
    return False


def _is_answered(context: Context, taken: Assignment, function: Function) -> bool:
    """Whether a message comes first and then the future it answers: `async for message in reader`."""
    around = _around(context, taken.node, function)
    loop = next((one for one in around if isinstance(one, (cst.For, cst.While))), None)
    if isinstance(loop, cst.For) and loop.asynchronous is not None:
        return True
    inside = {id(node) for node in walk(loop.body)} if loop is not None else set()
    return any(
        id(one.node) in inside
        and isinstance(one.value, cst.Await)
        and context.start(one.node) < context.start(taken.node)
        for one in function.assignments
    )


def _around(context: Context, node: cst.CSTNode, function: Function) -> Iterator[cst.CSTNode]:
    for one in context.module.ancestors(node):
        if one is function.node:
            return
        yield one
