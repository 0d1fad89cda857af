"""Tasks that anyio and aiohttp cancel, found from the call that their loop is about to make.

Read from anyio 4.16 (CancelScope and TaskGroup of its asyncio backend) and aiohttp 3.14 (TimeoutHandle,
TimerContext, RequestHandler). Where the attributes have other names nothing is found.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

from agraph._internal.futures import is_task
from agraph._internal.instances import attribute, class_attribute
from agraph._internal.kinds import is_one_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def tasks_cancelled_by(owner: object) -> list[object] | None:
    """The tasks that a call to an object may cancel.

    Args:
        owner: The `self` of a method, or what a function gets.

    Returns:
        The tasks; None when the object is of no type that is known here.
    """
    if _is(owner, "anyio._backends._asyncio", "CancelScope"):
        return _in_scope(owner)
    if _is(owner, "anyio._backends._asyncio", "TaskGroup"):
        return _in_scope(attribute(owner, "cancel_scope"))
    if _is(owner, "aiohttp.helpers", "TimeoutHandle"):
        return _of_timeout_handle(owner)
    return None


def frees_nobody(function: object, owner: object) -> bool:
    """Whether a method only closes a connection that serves no request: `_process_keepalive` of aiohttp.

    Args:
        function: The function of the method.
        owner: Its `self`.
    """
    known = class_attribute(type(owner), "_process_keepalive")
    return _is(owner, "aiohttp.web_protocol", "RequestHandler") and function is known


def _is(thing: object, module: str, name: str) -> bool:
    return type(thing) is getattr(sys.modules.get(module), name, None)


def _in_scope(scope: object) -> list[object]:
    """The tasks in a scope, and in those inside of it that are not shielded."""
    found: list[object] = []
    ahead, seen = [scope], {id(scope)}
    while ahead:
        current = ahead.pop()
        found += _tasks_in(attribute(current, "_tasks"))
        for child in _members(attribute(current, "_child_scopes")):
            if id(child) not in seen and attribute(child, "_shield") is False:
                seen.add(id(child))
                ahead.append(child)
    return found


def _of_timeout_handle(handle: object) -> list[object]:
    """The tasks that are inside of the timers of a handle."""
    found: list[object] = []
    for entry in _members(attribute(handle, "_callbacks")):
        callback = entry[0] if type(entry) is tuple and entry else None
        if type(callback) is types.MethodType and _is(callback.__self__, "aiohttp.helpers", "TimerContext"):
            found += _tasks_in(attribute(callback.__self__, "_tasks"))
    return found


def _tasks_in(container: object) -> list[object]:
    return [item for item in _members(container) if is_task(item)]


def _members(container: object) -> Iterable[object]:
    """The members of a builtin container, copied in one step; none of any other object."""
    return list(container) if is_one_of(type(container), (set, list)) else ()  # type: ignore[call-overload]
