"""Single flights: one task makes a future, shares it, works, and completes it; others wait.

Used by AG108 and AG109.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.expressions import containers_waited_for, elements_of
from agraph_static._internal.hands import is_completed_by_others
from agraph_static._internal.owner_fix import has_owner
from agraph_static._internal.shown import PLAINEST
from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.scopes import Assignment, Function


@dataclass(slots=True, eq=False)
class Flight:
    """One single flight.

    Attributes:
        function: The coroutine function that makes and completes it.
        creation: The call that makes the future or event; or where the owner takes up one that is there.
        place: What it is kept in.
        name: That place as written.
        kind: `future` or `event`.
        resolutions: The calls that complete it.
        work: What the owner awaits in between: awaits, `async with` and `async for`, in order.
        completed: The one of them that completes it when all goes well.
        reader: Who else waits for it.
        how: What one call of the owner does with it, in words.
        is_made: Whether the owner makes it.
        has_edge: Whether the owner is recorded already.
    """

    function: Function
    creation: cst.CSTNode
    place: Place
    name: str
    kind: str
    resolutions: list[cst.CSTNode]
    completed: cst.CSTNode
    work: list[cst.CSTNode]
    reader: Wait
    how: str
    is_made: bool
    has_edge: bool


@dataclass(slots=True, eq=False)
class Start:
    """Where a flight may begin: the statement or call, what it is about, and the other words of `Flight`."""

    node: cst.CSTNode
    names: set[str]
    place: Place
    kind: str
    how: str = "makes, keeps and completes it"
    is_made: bool = True


def flights(context: Context) -> Iterator[Flight]:
    """Every single flight of a module."""
    from agraph_static._internal.reused import reused  # noqa: PLC0415 - it needs what stands here

    for function in context.module.functions:
        if not function.is_async:
            continue
        known: set[Place] = set()
        for start in _starts(context, function):
            flight = flight_from(context, function, start)
            if flight is not None:
                known.add(context.flow.root(flight.place))
                yield flight
        yield from (one for one in reused(context, function) if context.flow.root(one.place) not in known)


def _starts(context: Context, function: Function) -> Iterator[Start]:
    """Where a coroutine function makes a future or an event that others can reach."""
    seen: set[int] = set()
    for assignment in function.assignments:
        value = assignment.value
        if not isinstance(value, cst.Call) or id(value) in seen:
            continue
        kind = context.origins.of_call(value)
        if kind in ("future", "event"):
            seen.add(id(value))
            names = _names(context, function, value, context.start(value))
            place = context.flow.place(assignment.target, function)
            if place is not None and _is_shared(context, function, names, place):
                yield Start(value, names, place, kind)


def flight_from(context: Context, function: Function, start: Start) -> Flight | None:
    """The flight that begins somewhere, if it is one."""
    flow, kind, names, place = context.flow, start.kind, start.names, start.place
    creation, made = start.node, context.start(start.node)
    resolutions: list[cst.CSTNode] = [
        call.node
        for call in function.calls
        if context.start(call.node) > made
        for one in context.resolver.of_call(call)
        if one.depth <= (1 if kind == "future" else 0)
        and one.kind == kind
        and flow.root(one.place) == flow.root(place)
    ]
    if not resolutions:
        return None
    final = any(stands_in(context, one, (cst.Finally,)) for one in resolutions)
    if start.is_made and not final and is_completed_by_others(context, flow.root(place), function):
        return None  # whoever comes first
    usual = (one for one in resolutions if not stands_in(context, one, HANDLERS))
    completed = next(usual, resolutions[0])
    first, last = context.start(resolutions[0]), max(map(context.start, resolutions))
    block, containers = _block(context, creation), _containers(function, names)
    own = [
        node
        for node in function.awaits
        if (names & _awaited_names(node) and block in context.module.ancestors(node))
        or containers & _awaited_containers(node)
    ]
    if any(made < context.start(node) < first for node in own):
        return None  # it waits for its own future: somebody else completes it
    work = [
        node
        for node in suspensions(function)
        if made < context.start(node) < last and node not in own and not _is_anothers(context, node, names)
    ]
    work.sort(key=context.start)
    if not work or context.start(work[0]) > first:
        return None  # completed before the owner does anything else
    reader = _reader(context, function, start, own)
    if reader is None:
        return None
    name = max(names, key=lambda one: ("." in one or "[]" in one, len(one)))
    name = name.replace("[]", "[...]")
    has_edge = _records_edges(function) or has_owner(context, function, place)
    return Flight(
        function, creation, place, name, kind, resolutions, completed, work, reader, start.how, start.is_made,
        has_edge,
    )  # fmt: skip


def _is_anothers(context: Context, node: cst.CSTNode, names: set[str]) -> bool:
    """Whether a node stands below `if leader is not own:`, where another's is waited for."""
    for one in context.module.ancestors(node):
        if isinstance(one, (cst.FunctionDef, cst.Lambda)):
            return False
        if isinstance(one, cst.If) and isinstance(one.test, cst.Comparison):
            left, word, right = context.module.code(one.test).partition(" is not ")
            if word and {left.strip(), right.strip()} & names and right.strip() != "None":
                return any(inner is node for inner in walk(one.body))
    return False


HANDLERS = (cst.ExceptHandler, cst.ExceptStarHandler)


def stands_in(context: Context, node: cst.CSTNode, blocks: tuple[type[cst.CSTNode], ...]) -> bool:
    """Whether a node stands in a part of a `try` statement of its function."""
    for one in context.module.ancestors(node):
        if isinstance(one, (cst.FunctionDef, cst.Lambda)):
            return False
        if isinstance(one, blocks):
            return True
    return False


def _names(context: Context, function: Function, creation: cst.Call, made: int) -> set[str]:
    """How the new object is called: the targets of its assignment, and what those are assigned to later."""
    names = {dotted(one.target) for one in function.assignments if one.value is creation}
    block = _block(context, creation)
    for one in function.assignments:
        later = one.kind == "assign" and context.start(one.node) >= made
        if later and dotted(one.value) in names - {""} and block in context.module.ancestors(one.node):
            names.add(dotted(one.target))
    for one in function.assignments:  # `a = b = make()`: the first target stands for the value of the others
        if (
            one.kind == "assign"
            and dotted(one.value) in names - {""}
            and context.start(one.target) < made <= _end(context, one)
        ):
            names.add(dotted(one.target))
    return names - {""}


def _block(context: Context, node: cst.CSTNode) -> cst.CSTNode:
    """The block of statements that a node stands in."""
    return next(
        (one for one in context.module.ancestors(node) if isinstance(one, cst.IndentedBlock)),
        context.module.tree,
    )


def _end(context: Context, assignment: Assignment) -> int:
    return context.module.positions.offsets(assignment.node)[1]


def _is_shared(context: Context, function: Function, names: set[str], place: Place) -> bool:
    """Whether others can reach it: kept in an attribute, a container, or a variable of an outer function."""
    if any("." in name or "[]" in name for name in names) or context.flow.is_stored(place):
        return True
    return any(name in function.outer_names for name in names) or _is_handed_to_task(context, function, names)


def _is_handed_to_task(context: Context, function: Function, names: set[str]) -> bool:
    """Whether a task gets it that is kept for others to mind; one that the owner minds is its own helper."""
    for call in function.calls:
        given = any(dotted(one) in names for one in (*call.args, *call.keywords.values()))
        around = context.module.parents.get(id(context.module.parents.get(id(call.node)))) if given else None
        if not isinstance(around, cst.Call) or context.origins.of_call(around) != "task":
            continue
        holders = {dotted(one.target) for one in function.assignments if one.value is around}
        awaited = {name for node in function.awaits for name in _awaited_names(node)}
        cancelled = {dotted(one.receiver) for one in function.calls if one.name == "cancel"}
        if not holders & (awaited | cancelled) and _is_kept(function, around, holders):
            return True
    return False


def _is_kept(function: Function, task: cst.Call, holders: set[str]) -> bool:
    """Whether a new task is put into a container or an attribute: `tasks.append(task)`."""
    if any("." in holder or "[]" in holder for holder in holders):
        return True
    return any(
        call.name in words.CONTAINER_ADDS and any(one is task or dotted(one) in holders for one in call.args)
        for call in function.calls
    )


def _records_edges(function: Function) -> bool:
    return any(words.ADD_EDGE in call.name for inner in function.subtree() for call in inner.calls)


def _awaited_names(node: cst.Await) -> set[str]:
    """The names that are awaited, also through `shield(x)`, `wait([x])` and `x.wait()`."""
    found = set()
    pending: list[cst.BaseExpression] = [node.expression]
    while pending:
        one = pending.pop()
        found.add(dotted(one))
        if isinstance(one, cst.Call):
            pending.extend(arg.value for arg in one.args)
            if isinstance(one.func, cst.Attribute) and one.func.attr.value == "wait":
                pending.append(one.func.value)
        elif isinstance(one, (cst.List, cst.Tuple, cst.Set)):
            pending.extend(element.value for element in one.elements)
    return found


def _awaited_containers(node: cst.Await) -> set[str]:
    """The containers whose items are awaited: `wait(waiters)`, `gather(*waiters)`."""
    call = node.expression
    return {dotted(one) for one in containers_waited_for(call)} if isinstance(call, cst.Call) else set()


def _containers(function: Function, names: set[str]) -> set[str]:
    """The containers that a function puts the object into."""
    found = {name.removesuffix("[]") for name in names if name.endswith("[]")}
    for call in function.calls:
        if call.name in words.CONTAINER_ADDS and any(dotted(one) in names for one in call.args):
            found.add(dotted(call.receiver))
    for one in function.assignments:
        if any(dotted(inner) in names for inner in elements_of(one.value)):
            found.add(dotted(one.target))
    return found - {""}


def suspensions(function: Function) -> list[cst.CSTNode]:
    """Where the function may be suspended."""
    found: list[cst.CSTNode] = list(function.awaits)
    found.extend(node for node in function.withs if node.asynchronous is not None)
    found.extend(node for node in function.fors if node.asynchronous is not None)
    return found


def _reader(context: Context, function: Function, start: Start, own: list[cst.Await]) -> Wait | None:
    """Someone who waits for it, the plainest kind first, and is not the owner after it made it."""
    made = context.start(start.node)
    found = []
    for wait in context.flow.waits(start.place):
        if start.kind == "event" and (wait.kind != "method" or wait.method != "wait"):
            continue
        if start.kind == "future" and wait.kind == "method" and wait.method != "__await__":
            continue
        if wait.kind == "return" and wait.function.is_async:
            continue  # the caller gets the future, and need not wait for it
        mine = wait.node in own or wait.kind == "return" or not start.is_made
        if wait.function is function and mine and context.start(wait.node) > made:
            continue
        found.append(wait)
    return min(found, key=lambda wait: PLAINEST.index(wait.kind), default=None)
