"""Single flights over what is there before they begin. Used by AG108 and AG109.

An event that is made once is cleared by the first caller and set by it at the end. Or a flag says that
somebody is at work, and the event that the work is done. Or the first caller begins a list, to which the
others add the futures that they wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.flights import Start, flight_from
from agraph_static._internal.hands import is_completed_by_others, is_set_by_others
from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flights import Flight
    from agraph_static._internal.flow import Place
    from agraph_static._internal.scopes import Assignment, Function

_EMPTY = frozenset({"list", "set", "dict", "deque", "collections.deque"})


def reused(context: Context, function: Function) -> Iterator[Flight]:
    """The flights of one coroutine function over an event or a list that it does not make for itself."""
    for start in (*_cleared(context, function), *_guarded(context, function)):
        flight = flight_from(context, function, start)
        if flight is None or only_sleeps(flight.work) or _is_counted(context, flight):
            continue
        if _is_sole_setter(context, flight):
            yield flight
    for start in _begun(context, function):
        flight = flight_from(context, function, start)
        if flight is not None and _is_sole_owner(context, flight, start):
            yield flight


def only_sleeps(work: list[cst.CSTNode]) -> bool:
    """Whether some suspensions are all sleeps: then time ends the wait, not what a task does."""
    return all(
        isinstance(one, cst.Await)
        and isinstance(one.expression, cst.Call)
        and dotted(one.expression.func).rpartition(".")[2] == "sleep"
        for one in work
    )


def _cleared(context: Context, function: Function) -> Iterator[Start]:
    """`event.clear()`."""
    for call in function.calls:
        if call.name != "clear" or call.receiver is None or call.args:
            continue
        start = _over(context, function, (call.receiver, "event"), call.node, "clears it, works")
        if start is not None:
            yield start


def _guarded(context: Context, function: Function) -> Iterator[Start]:
    """`if self.closed: await self.event.wait(); return`, then `self.closed = True`."""
    for node in function.awaits:
        awaited = _awaited(node)
        if awaited is None:
            continue
        around = next((one for one in context.module.ancestors(node) if isinstance(one, cst.If)), None)
        if around is None or not any(isinstance(one, cst.Return) for one in walk(around.body)):
            continue
        flags = {dotted(one) for one in walk(around.test) if isinstance(one, (cst.Name, cst.Attribute))}
        for assignment in function.assignments:
            raised = isinstance(assignment.value, cst.Name) and assignment.value.value == "True"
            if raised and dotted(assignment.target) in flags and _follows(context, around, assignment):
                start = _over(context, function, awaited, assignment.node, "raises the flag, works")
                if start is not None:
                    yield start


def _follows(context: Context, node: cst.If, assignment: Assignment) -> bool:
    return context.start(assignment.node) > context.module.positions.offsets(node)[0] and not any(
        one is node for one in context.module.ancestors(assignment.node)
    )


def _is_counted(context: Context, flight: Flight) -> bool:
    """`if not self.connections: self.idle.set()`: the last of several owners sets it."""
    return all(
        any(isinstance(one, cst.If) and not _mentions(one.test, flight) for one in _around(context, node))
        for node in flight.resolutions
    )


def _around(context: Context, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for one in context.module.ancestors(node):
        if isinstance(one, (cst.FunctionDef, cst.Lambda)):
            return
        yield one


def _mentions(test: cst.BaseExpression, flight: Flight) -> bool:
    """Whether a test asks whether the event or future is done already, or is there."""
    return any(dotted(one) == flight.name for one in walk(test))


def _awaited(node: cst.Await) -> tuple[cst.BaseExpression, str] | None:
    """What is awaited: `event` of `event.wait()`, or a future, as it is or in a `shield`."""
    expression: cst.BaseExpression = node.expression
    if isinstance(expression, cst.Call):
        if isinstance(expression.func, cst.Attribute) and expression.func.attr.value == "wait":
            return (expression.func.value, "event") if not expression.args else None
        if dotted(expression.func).rpartition(".")[2] != "shield" or not expression.args:
            return None
        expression = expression.args[0].value
    return expression, "future"


def _over(
    context: Context,
    function: Function,
    awaited: tuple[cst.BaseExpression, str],
    node: cst.CSTNode,
    how: str,
) -> Start | None:
    expression, kind = awaited
    place = context.flow.place(expression, function)
    if place is None or place[0] == "v" or kind not in context.origins.of_place(place):
        return None
    ends = "sets it" if kind == "event" else "completes it"
    return Start(node, {dotted(expression)}, place, kind, f"{how} and {ends}", is_made=False)


def _is_sole_setter(context: Context, flight: Flight) -> bool:
    """Whether nothing else in the module sets the event; whoever makes it may set it at once."""
    flow, root = context.flow, context.flow.root(flight.place)
    if flight.kind == "future":
        return not is_completed_by_others(context, root, flight.function)
    makers = {id(one.function) for one in flow.values(root)}
    for call in context.module.calls:
        if call.name == "set" and call.function is not flight.function and id(call.function) not in makers:
            place = flow.place(call.receiver, call.function)
            if place is not None and flow.root(place) == root:
                return False
    return not is_set_by_others(context, root, set())


def _begun(context: Context, function: Function) -> Iterator[Start]:
    """`self.waiters[key] = []`, where others add futures that they make."""
    flow = context.flow
    for one in function.assignments:
        if one.kind != "assign" or not isinstance(one.target, (cst.Attribute, cst.Subscript)):
            continue
        place = flow.place(one.target, function) if _is_empty(one.value) else None
        if place is not None and "future" in context.origins.of_place(flow.item(place)):
            names = {dotted(one.target) + "[]"}
            how = "begins the list and completes what is in it"
            yield Start(one.node, names, flow.item(place), "future", how, is_made=False)


def _is_empty(value: cst.BaseExpression) -> bool:
    if isinstance(value, (cst.List, cst.Dict)):
        return not value.elements
    return isinstance(value, cst.Call) and not value.args and dotted(value.func) in _EMPTY


def _is_sole_owner(context: Context, flight: Flight, start: Start) -> bool:
    """Whether the owner completes the very list that it began, and others only add to it."""
    flow, reader = context.flow, flight.reader.function
    container: Place = (start.place[0], start.place[1], start.place[2][:-2])
    loops = [one for one in flight.function.fors if flow.place(one.iter, flight.function) == container]
    inside = {id(node) for one in loops for node in walk(one.body)}
    if not all(id(one) in inside for one in flight.resolutions):
        return False
    added = any(
        call.name in words.CONTAINER_ADDS
        and call.receiver is not None
        and flow.place(call.receiver, reader) == container
        for call in reader.calls
    )
    root = flow.root(flight.place)
    for call in context.module.calls:
        direct = context.resolver.direct(call) if call.function is not flight.function else None
        if direct is not None and not direct.only_exception and flow.root(direct.place) == root:
            return False
    return added
