"""Bridges: a done-callback of one future completes what another task waits for. Used by AG101 and AG111."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.copies import copied_from
from agraph_static._internal.edge_fix import edge_fix
from agraph_static._internal.hands import is_callback, is_set_by_others, is_woken_by_others
from agraph_static._internal.model import Fix
from agraph_static._internal.resolutions import Callback, Resolution
from agraph_static._internal.seen import makers_of, seen_anyway
from agraph_static._internal.shown import plainest, record_help, related_wait, source_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place, Wait
    from agraph_static._internal.model import Confidence, Finding
    from agraph_static._internal.scopes import Call, Function
    from agraph_static._internal.vocabulary import Origin
    from agraph_static.rules._base import Rule


_FAR = 2
"""From how many calls away a completion is too far from the callback to be its purpose."""


@dataclass(slots=True, eq=False)
class Bridge:
    """One bridge.

    Attributes:
        kind: What is completed: `future`, `event`, `queue`, `semaphore` or `condition`.
        registration: The call that adds the done-callback.
        source: The future it is added to.
        target: The place of what is completed.
        resolution: The completion in the callback.
        wait: Who waits for the target; None when it is handed in by the caller.
        origins: Where the source comes from.
        confidence: How sure this is a missing edge.
        reason: Why, as a sentence.
        copy_of: The asyncio function that the code is a copy of; empty when it is none.
    """

    kind: str
    registration: Call
    source: cst.BaseExpression
    target: Place
    resolution: Resolution
    wait: Wait | None
    origins: set[Origin]
    confidence: Confidence
    reason: str
    copy_of: str = ""


def registrations(context: Context) -> Iterator[tuple[Call, cst.BaseExpression, cst.BaseExpression]]:
    """Every call that adds a done-callback: the call, the future, the callback."""
    for call in context.module.calls:
        if call.name == "add_done_callback" and call.receiver is not None:
            callback = call.args[0] if call.args else call.keywords.get("fn")
            if callback is not None:
                yield call, call.receiver, callback
            continue
        positions = words.lookup(words.CALLBACK_ADDERS, call.qualified, call.name)
        if context.origins.wrappers.get(call.qualified) == "callback":
            positions = (0, 1)
        if isinstance(positions, tuple) and len(call.args) > max(positions):
            yield call, call.args[positions[0]], call.args[positions[1]]


def chained(context: Context) -> Iterator[tuple[Call, cst.BaseExpression, Resolution]]:
    """Every call of a helper that completes one future from another: call, source, what is completed."""
    for call in context.module.calls:
        positions = words.lookup(words.CHAINERS, call.qualified, call.name)
        if context.origins.wrappers.get(call.qualified) == "chain":
            positions = (0, 1)
        if not isinstance(positions, tuple) or len(call.args) <= max(positions):
            continue
        place = context.flow.place(call.args[positions[1]], call.function)
        if place is not None:
            yield call, call.args[positions[0]], Resolution("future", place, call.node, call.function)


def bridges(context: Context) -> Iterator[Bridge]:
    """Every bridge of a module whose edge is not recorded, once for each target and function."""
    seen: set[tuple[int, Place]] = set()
    for call, source, expression in registrations(context):
        callback = context.resolver.callback(expression, call.function)
        if callback is None or _is_helper(context, call, source, expression):
            continue
        resolutions = sorted(context.resolver.of_callback(callback), key=lambda one: one.only_exception)
        threadsafe = {context.flow.root(one.place) for one in resolutions if one.threadsafe}
        for resolution in resolutions:
            if context.flow.root(resolution.place) in threadsafe:
                continue  # the source can complete on another thread
            key = (id(call.function), context.flow.root(resolution.place))
            if key in seen:
                continue
            bridge = _judge(context, call, source, callback, resolution)
            if bridge is not None:
                seen.add(key)
                yield bridge
    for call, source, resolution in chained(context):
        key = (id(call.function), context.flow.root(resolution.place))
        bridge = None if key in seen else _judge(context, call, source, None, resolution)
        if bridge is not None:
            seen.add(key)
            yield bridge


def _is_helper(
    context: Context, call: Call, source: cst.BaseExpression, callback: cst.BaseExpression
) -> bool:
    """Whether a function is given both the future and the callback: its callers are the ones to look at."""
    places = [context.flow.place(one, call.function) for one in (source, callback)]
    return all(_is_parameter(context, place) for place in places)


def _judge(  # noqa: C901, PLR0911 - one question after the other reads best
    context: Context,
    call: Call,
    source: cst.BaseExpression,
    callback: Callback | None,
    resolution: Resolution,
) -> Bridge | None:
    flow = context.flow
    source_place = flow.place(source, call.function)
    if source_place is not None and flow.root(source_place) == flow.root(resolution.place):
        return None
    if resolution.threadsafe or "thread" in context.origins.of_place(resolution.place):
        return None
    if _records_edges(context, call, callback, resolution):
        return None
    makers = makers_of(context, source, call.function)
    waits = _waits_for(context, resolution)
    unseen = [one for one in waits if not seen_anyway(context, one, makers, call)]
    wait = plainest(context, unseen, call) if unseen else None
    if waits and wait is None:
        return None  # who waits has an edge to the task
    if wait is not None and wait.kind == "return" and _is_for_another_thread(context, call.function):
        return None
    helper = _is_parameter(context, resolution.place) and _is_parameter(context, source_place)
    if wait is None and not helper:
        return None
    if wait is not None and source_place is not None and _waits_for_both(context, wait, source_place):
        return None
    if resolution.kind == "queue" and any(
        one.kind == "await" for one in flow.waits(flow.item(resolution.place))
    ):
        return None  # whoever takes the finished future out awaits it
    if _only_fans_out_errors(context, resolution, call.function) or _acquires(context, resolution, makers):
        return None
    origins = context.origins.of(source, call.function)
    judged = _confidence(context, origins, source, call.function, helper=helper)
    if judged is None:
        return None
    confidence, reason = judged
    if callback is not None and resolution.depth >= _FAR:
        confidence, reason = "possible", "the callback completes it only by way of other functions"
    elif resolution.kind in ("event", "queue"):
        confidence, reason = _weigh(context, call, callback, resolution, judged)
    return Bridge(
        resolution.kind, call, source, resolution.place, resolution, wait, origins, confidence, reason,
        copy_of=copied_from(context, call),
    )  # fmt: skip


def _weigh(
    context: Context,
    call: Call,
    callback: Callback | None,
    resolution: Resolution,
    judged: tuple[Confidence, str],
) -> tuple[Confidence, str]:
    """How sure it is when something else can end the wait for an event or a queue, too."""
    function = callback.function if callback is not None else None
    own = set(map(id, function.subtree())) if function is not None else set()
    others = is_woken_by_others(context, resolution, own)
    if resolution.kind == "queue":
        plain = not others or callback is None or context.resolver.hands_on(callback)
        return judged if plain else ("possible", "others put into the queue, too")
    if others or is_set_by_others(context, context.flow.root(resolution.place), own):
        return "possible", "others set the event, too"
    cleared = _is_cleared(context, resolution)
    if cleared and is_callback(context, call.function):
        return "possible", "what starts the tasks is an event, and so is what they set"
    return ("likely" if cleared and judged[0] == "certain" else judged[0]), judged[1]


def _is_cleared(context: Context, resolution: Resolution) -> bool:
    """An event that is cleared again is a signal with more than one sender, perhaps."""
    root = context.flow.root(resolution.place)
    for call in context.module.calls:
        if call.name == "clear" and call.receiver is not None:
            place = context.flow.place(call.receiver, call.function)
            if place is not None and context.flow.root(place) == root:
                return True
    return False


def _waits_for(context: Context, resolution: Resolution) -> list[Wait]:
    """The waits on what is completed."""
    waits = context.flow.waits(resolution.place)
    if resolution.kind != "future":
        methods = words.HOP_WAITS[resolution.kind]
        return [one for one in waits if one.kind == "method" and one.method in methods]
    return [one for one in waits if one.kind != "method" or one.method == "__await__"]


def _is_for_another_thread(context: Context, function: Function) -> bool:
    """Whether a function is handed to the loop from another thread: that one gets the future, no task."""
    return any(
        call.name == "call_soon_threadsafe"
        and bool(call.args)
        and isinstance(call.args[0], cst.Name)
        and context.flow.named_function(call.args[0].value, call.function) is function
        for call in context.module.calls
    )


def _is_parameter(context: Context, place: Place | None) -> bool:
    if place is None:
        return False
    for kind, owner, path in context.flow.members(place):
        if kind == "v":
            function = next((one for one in context.module.functions if id(one) == owner), None)
            if function is not None and [one.kind for one in function.bindings.get(path, ())] == ["param"]:
                return True
    return False


def _called_here(context: Context, place: Place) -> bool:
    """Whether this module passes the parameter itself: its origin would be known if it were a task."""
    return any(
        isinstance(owner, int) and context.flow.arguments.get((owner, path))
        for _, owner, path in context.flow.members(place)
    )


def _waits_for_both(context: Context, wait: Wait, source: Place) -> bool:
    """`await asyncio.wait({waiter, task})` records the edge to the task itself."""
    return any(other.node is wait.node for other in context.flow.waits(source, hops=0))


def _acquires(context: Context, resolution: Resolution, makers: list[Call]) -> bool:
    """Whether the task is there to take the lock, and the callback gives it back at once."""
    root = context.flow.root(resolution.place)
    for maker in makers if resolution.kind == "semaphore" else ():
        taken = context.module.call_of.get(id(maker.args[0])) if maker.args else None
        if taken is None or taken.name != "acquire" or taken.receiver is None:
            continue
        place = context.flow.place(taken.receiver, taken.function)
        if place is not None and context.flow.root(place) == root:
            return True
    return False


def _only_fans_out_errors(context: Context, resolution: Resolution, function: Function) -> bool:
    """The callback only fails what something else completes: `for fut in pending: fut.set_exception(...)`."""
    if resolution.kind != "future" or not resolution.only_exception:
        return False
    root = context.flow.root(resolution.place)
    for call in context.module.calls:
        if call.name != "set_result" or call.receiver is None:
            continue
        place = context.flow.place(call.receiver, call.function)
        if place is not None and context.flow.root(place) == root:
            return call.function is not resolution.function
    return context.flow.root(resolution.place)[2].endswith("[]") and function is not resolution.function


def _records_edges(context: Context, call: Call, callback: Callback | None, resolution: Resolution) -> bool:
    """Whether the code around it already calls `future_add_to_awaited_by`."""
    edges = context.edges
    around = [one for one in call.function.lineage() if one.parent is not None]
    if edges.recorded_below(around[-1]) if around else edges.recorded_in(call.function):
        return True
    candidates = [callback.function if callback else None, resolution.function]
    if resolution.place[0] == "s" and call.function.owner is not None:
        candidates.extend(call.function.owner.methods.values())
    return any(function is not None and edges.recorded_in(function) for function in candidates)


def _confidence(  # noqa: PLR0911 - one question after the other reads best
    context: Context, origins: set[Origin], source: cst.BaseExpression, function: Function, *, helper: bool
) -> tuple[Confidence, str] | None:
    """How sure it is that a task stands behind the source; None when it is known that none does."""
    name = context.code(source)
    if helper and "task" not in origins and not context.origins.is_of_threads_by_name(source, function):
        return "likely", "both futures are handed in by the caller, and the source can be a task"
    if "task" in origins:
        if origins & {"thread", "future", "io"}:
            return "likely", f"`{name}` can be a task"
        return "certain", f"`{name}` is a task: it completes by itself"
    if origins & {"thread", "io"}:
        return None
    place = context.flow.place(source, function)
    if "param" in origins:
        if place is not None and any(member[2].endswith("[]") for member in context.flow.members(place)):
            return "certain", f"`{name}` is an item of a collection of futures that the caller passes in"
        if (
            place is not None
            and context.origins.is_treated_as_task(place, function)
            and not _called_here(context, place)
        ):
            return "likely", f"`{name}` is handed in by the caller and treated as a task"
    if place is not None and context.origins.comes_from_a_given_callable(place):
        return "likely", f"`{name}` comes from a callable that the caller hands in, and can be a task"
    if place is not None and "task" in context.name_of(place).rpartition(".")[2].lower():
        return "likely", f"`{name}` is called a task"
    return "possible", f"it is not known whether a task stands behind `{name}`"


def bridge_finding(context: Context, rule: type[Rule], bridge: Bridge) -> Finding:
    """Say a bridge as a finding of AG101."""
    call = bridge.registration
    target = context.name_of(bridge.target, call.function)
    source = source_name(context, bridge.source)
    first, add, discard = record_help(context, bridge.source)
    related = context.made_at(bridge.target, target)
    if bridge.resolution.node is not call.node:
        related.append(context.related(bridge.resolution.node, f"`{target}` is resolved here"))
    if bridge.wait is not None:
        related.append(related_wait(context, bridge.wait, target))
    return context.finding(
        rule, call.node, call.function,
        f"`{target}` is completed by a done-callback of `{source}`, but no edge joins the task that "
        f"waits for it to `{source}`",
        confidence=bridge.confidence,
        label=f"the wait for `{target}` is really a wait for `{source}`",
        help=f"{first}call {add} before the wait, and {discard} in the done-callback and in a `finally`",
        related=related,
        notes=(f"{bridge.reason} ({bridge.confidence})",),
        fix=edge_fix(context, bridge) if bridge.confidence != "possible" else None,
    )  # fmt: skip


def hop_finding(context: Context, rule: type[Rule], bridge: Bridge) -> Finding:
    """Say a bridge as a finding of AG111."""
    call = bridge.registration
    target = context.name_of(bridge.target, call.function)
    source = source_name(context, bridge.source)
    first, add, discard = record_help(context, bridge.source)
    confidence = (
        "likely" if bridge.kind == "semaphore" and bridge.confidence == "certain" else bridge.confidence
    )
    action = {"event": "sets", "queue": "feeds", "semaphore": "releases", "condition": "notifies"}[
        bridge.kind
    ]
    related = context.made_at(bridge.target, target)
    related.append(context.related(bridge.resolution.node, f"the callback {action} `{target}` here"))
    if bridge.wait is not None:
        related.append(context.related(bridge.wait.node, f"`{target}` is waited on here"))
    return context.finding(
        rule, call.node, call.function,
        f"a done-callback of `{source}` {action} `{target}`, but no edge joins the task that waits on "
        f"it to `{source}`",
        confidence=confidence,
        label=f"the wait on `{target}` is really a wait for `{source}`",
        help=f"wait for the task itself with `asyncio.wait`, or {first}call {add} before the wait and "
        f"{discard} after it",
        related=related,
        notes=(f"{bridge.reason} ({confidence})",),
        fix=_unsafe(context, bridge) if bridge.kind == "event" and confidence != "possible" else None,
    )  # fmt: skip


def _unsafe(context: Context, bridge: Bridge) -> Fix | None:
    """The wait on an event can have other reasons than the task that sets it: its fix is no safe one."""
    fix = edge_fix(context, bridge)
    return None if fix is None else Fix("unsafe", fix.message, fix.edits)
