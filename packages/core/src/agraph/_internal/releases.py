"""Whether a function may have released a lock, by what its source says and what the names there stand for."""

from __future__ import annotations

import threading
import types
from asyncio import locks
from typing import TYPE_CHECKING, Any

from agraph._internal.blocking import LOCK, RLOCK
from agraph._internal.frame_locals import read_locals
from agraph._internal.futures import instance_dict
from agraph._internal.instances import NOTHING, class_attribute
from agraph._internal.kinds import is_one_of
from agraph._internal.live_frames import live_locals
from agraph._internal.resolving import resolve
from agraph._internal.withs import mentions_release

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Mapping

    from agraph._internal.source import Released, Sources

LOCKS = (locks.Lock, locks.Semaphore, locks.Condition)
THREAD_LOCKS = (LOCK, RLOCK)


def locks_of(thing: object) -> tuple[object, ...]:
    """A lock, or that of a condition."""
    for kind in (locks.Condition, threading.Condition):
        if issubclass(type(thing), kind):
            return thing, instance_dict(thing, kind).get("_lock")
    return (thing,)


def may_have_released(
    sources: Sources, frame: types.FrameType, owner: object, lock: object, line: int = 0
) -> bool:
    """Whether a function may have released a lock before it came to where it stands.

    Args:
        sources: What reads its source.
        frame: Its frame.
        owner: Its coroutine or generator, if it is suspended; None where it runs on a thread.
        lock: The lock.
        line: That of a `with` around this place, to ask only for what was released inside of it.

    Returns:
        Whether it may; where that cannot be told it may.
    """
    code = frame.f_code
    if not mentions_release(code):
        return False
    released = sources.released(code, frame.f_lasti, line)
    if released is None:
        return True
    if not released:
        return False
    variables = live_locals(frame) if owner is None else read_locals(frame, owner)
    return is_among(released, lock, variables, frame.f_globals, code)


def is_among(
    released: Iterable[Released],
    lock: object,
    variables: Mapping[str, Any],
    namespace: Mapping[str, Any],
    code: types.CodeType,
) -> bool:
    """Whether a lock may be one of the things that a function has released."""
    return any(
        _may_be(resolve(one.expression, variables, namespace, code), lock, several=one.several)
        for one in released
    )


def _may_be(thing: object, lock: object, *, several: bool) -> bool:
    """Whether to release a thing may be to release a lock."""
    if thing is NOTHING:
        return True
    mine = [*map(id, locks_of(lock))]
    if any(id(one) in mine for one in locks_of(thing)):
        return True
    kind = type(thing)
    if issubclass(kind, LOCKS) or is_one_of(kind, THREAD_LOCKS) or issubclass(kind, threading.Condition):
        return several and issubclass(kind, LOCKS) == issubclass(type(lock), LOCKS)
    if several and kind is type(lock):
        return True
    method = class_attribute(kind, "release")
    return type(method) is types.FunctionType and mentions_release(method.__code__)


def may_be_released_by_calling(
    called: Iterable[ast.expr],
    variables: Mapping[str, Any],
    namespace: Mapping[str, Any],
    code: types.CodeType,
) -> bool:
    """Whether one of some functions releases something that it has not acquired."""
    return any(gives_back(resolve(one, variables, namespace, code)) for one in called)


def gives_back(function: object) -> bool:
    """Whether it is a function or method of Python that releases something and acquires nothing."""
    if type(function) is types.MethodType:
        function = function.__func__
    if type(function) is not types.FunctionType:
        return False
    code = function.__code__
    return "acquire" not in code.co_names and mentions_release(code)
