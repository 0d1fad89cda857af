"""Paths on which the owner of a shared future leaves without completing it. Used by AG109."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_static._internal.context import Context
    from agraph_static._internal.flights import Flight

_CATCH_ALL = frozenset({"BaseException"})
_CANCELLED = frozenset({"CancelledError", "asyncio.CancelledError", "exceptions.CancelledError"})
_ORDINARY = frozenset({"Exception"})


def escape(context: Context, flight: Flight) -> tuple[cst.CSTNode, str] | None:
    """The first wait of the owner that leaves the future pending, and when: it "fails" or "is cancelled".

    Returns:
        The wait and the words; None when every wait is covered by a handler or `finally` that completes the
        future.
    """
    completing = {id(node) for node in flight.resolutions} | _cancellations(flight)
    first = context.start(flight.resolutions[0])
    for node in flight.work:
        if context.start(node) > first and not _precedes_other(context, node, flight):
            continue
        caught = _caught(context, node, completing)
        if caught == "all":
            continue
        return node, "fails or is cancelled" if caught == "none" else "is cancelled"
    return None


def _cancellations(flight: Flight) -> set[int]:
    """`future.cancel()` completes it too."""
    return {
        id(call.node)
        for call in flight.function.calls
        if call.name == "cancel"
        and call.receiver is not None
        and dotted(call.receiver).replace("[]", "[...]") == flight.name
    }


def _precedes_other(context: Context, node: cst.CSTNode, flight: Flight) -> bool:
    """Whether a wait after the first completion stands on a path without it: another branch of one `if`."""
    first = flight.resolutions[0]
    around_first = {id(one) for one in context.module.ancestors(first)}
    for one in context.module.ancestors(node):
        if id(one) in around_first:
            return isinstance(one, cst.If)
    return False


def _caught(context: Context, node: cst.CSTNode, completing: set[int]) -> str:
    """What is caught around a wait and completes the future: `all`, `errors` (no cancellation) or `none`."""
    errors = cancelled = False
    below = node
    for one in context.module.ancestors(node):
        if isinstance(one, (cst.FunctionDef, cst.Lambda)):
            break
        if isinstance(one, (cst.Try, cst.TryStar)):
            if (
                one.finalbody is not None
                and below is not one.finalbody
                and _completes(one.finalbody, completing)
            ):
                return "all"
            if below is one.body:
                for handler in one.handlers:
                    if not _completes(handler, completing):
                        continue
                    names = _caught_names(handler)
                    if names is None or names & _CATCH_ALL:
                        return "all"
                    errors = errors or bool(names & _ORDINARY)
                    cancelled = cancelled or bool(names & _CANCELLED)
        below = one
    if errors and cancelled:
        return "all"
    return "errors" if errors else "none"


def _caught_names(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> set[str] | None:
    """The exceptions a handler names; None for a bare `except`."""
    if handler.type is None:
        return None
    named: Iterable[cst.BaseExpression] = (handler.type,)
    if isinstance(handler.type, cst.Tuple):
        named = [element.value for element in handler.type.elements]
    return {dotted(one) for one in named}


def _completes(block: cst.CSTNode, completing: set[int]) -> bool:
    return any(id(node) in completing for node in walk(block))
