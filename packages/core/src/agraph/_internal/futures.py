"""State of asyncio's futures and tasks, of C or Python, read without running anything of the application.

A subclass may define properties over any of these names. So they are read from the C slots of the base class,
or from the instance dictionary where the base is a Python class.
"""

from __future__ import annotations

import types
from asyncio import futures, tasks
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    Called = Sequence[tuple[int, Sequence[tuple[object, object]]]]

# `asyncio.Future` may be replaced by a test or a debugger; these two are what it comes from.
PY_FUTURE: type = futures._PyFuture  # type: ignore[attr-defined]
PY_TASK: type = tasks._PyTask  # type: ignore[attr-defined]
C_FUTURE: type = getattr(futures, "_CFuture", PY_FUTURE)
C_TASK: Any = getattr(tasks, "_CTask", PY_TASK)

# Read through these, the slots cannot be hidden by a subclass. Without a C part all futures are Python ones.
HAS_C_PART = C_FUTURE is not PY_FUTURE
_c_callbacks: Any = C_FUTURE.__dict__["_callbacks"].__get__ if HAS_C_PART else None
_c_state: Any = C_FUTURE.__dict__["_state"].__get__ if HAS_C_PART else None
_c_exception: Any = C_FUTURE.__dict__["_exception"].__get__ if HAS_C_PART else None
_c_fut_waiter: Any = C_TASK.__dict__["_fut_waiter"].__get__ if HAS_C_PART else None
_c_loop: Any = C_FUTURE.__dict__["_loop"].__get__ if HAS_C_PART else None
_c_get_name: Any = C_TASK.__dict__["get_name"] if HAS_C_PART else None
_c_get_coro: Any = C_TASK.__dict__["get_coro"] if HAS_C_PART else None


def is_future(candidate: object) -> bool:
    """Whether it is an asyncio future, of C or Python; `isinstance` could run a property `__class__`."""
    return issubclass(type(candidate), (C_FUTURE, PY_FUTURE))


def is_task(candidate: object) -> bool:
    """Whether it is an asyncio task, of C or Python."""
    return issubclass(type(candidate), (C_TASK, PY_TASK))


def instance_dict(owner: object, base: type) -> dict[str, Any]:
    """The attributes of an instance of `base`, past any property that a subclass defines."""
    getter = next(kind.__dict__["__dict__"] for kind in base.__mro__ if "__dict__" in kind.__dict__)
    found: dict[str, Any] = getter.__get__(owner)
    return found


def callbacks_of(future: object) -> list[tuple[object, object]]:
    """The done callbacks of a future, each with its context."""
    if issubclass(type(future), PY_FUTURE):
        return instance_dict(future, PY_FUTURE).get("_callbacks") or []
    return _c_callbacks(future) or []


def with_callbacks(tasks: Iterable[Any]) -> Called:
    """The tasks that have done callbacks other than one that wakes a task.

    Args:
        tasks: Any tasks.

    Returns:
        The position of each among them, and its callbacks, each with its context.
    """
    found = []
    for position, task in enumerate(tasks):
        callbacks = task._callbacks if HAS_C_PART and type(task) is C_TASK else callbacks_of(task)
        if callbacks:
            first = callbacks[0][0]
            wakes = type(first) is types.BuiltinMethodType and type(first.__self__) is C_TASK
            if not wakes or len(callbacks) > 1 or first.__name__ == "cancel":  # type: ignore[union-attr]
                found.append((position, callbacks))
    return found


def is_pending(future: object) -> bool:
    if issubclass(type(future), PY_FUTURE):
        state = instance_dict(future, PY_FUTURE).get("_state", "PENDING")
    else:
        state = _c_state(future)
    return bool(state == "PENDING")


def has_failed(future: object) -> bool:
    """Whether it ended with an exception, or by being cancelled."""
    if issubclass(type(future), PY_FUTURE):
        state = instance_dict(future, PY_FUTURE)
        return state.get("_state") == "CANCELLED" or state.get("_exception") is not None
    return _c_state(future) == "CANCELLED" or _c_exception(future) is not None


def waiter_of(task: object) -> object:
    """The future that a task is suspended on, done or not; None when it runs or is ready to."""
    if issubclass(type(task), PY_TASK):
        return instance_dict(task, PY_FUTURE).get("_fut_waiter")
    return _c_fut_waiter(task)


def is_suspended(task: object) -> bool:
    """Whether a task waits for a future that is still pending: it does not run and is not about to."""
    waiter = waiter_of(task)
    return waiter is not None and (not is_future(waiter) or is_pending(waiter))


def coroutine_of(task: object) -> object:
    """What a task runs; None when it is no task or, eagerly finished, has nothing left."""
    if issubclass(type(task), PY_TASK):
        return instance_dict(task, PY_FUTURE).get("_coro")
    return _c_get_coro(task) if issubclass(type(task), C_TASK) else None


def loop_of(task: object) -> asyncio.AbstractEventLoop:
    """The loop of a future or task."""
    of_python = issubclass(type(task), PY_FUTURE)
    # Only the method of C futures is C code.
    loop: Any = instance_dict(task, PY_FUTURE).get("_loop") if of_python else C_FUTURE.get_loop(task)  # type: ignore[attr-defined]
    if loop is None:
        raise RuntimeError("the future is not initialized")
    found: asyncio.AbstractEventLoop = loop
    return found


def root_frame_of(task: object) -> types.FrameType | None:
    """The frame of the coroutine that a task runs; None when it runs no builtin coroutine or has finished."""
    coroutine = coroutine_of(task)
    return coroutine.cr_frame if type(coroutine) is types.CoroutineType else None


def name_of(task: object) -> str:
    """The name of a task."""
    if issubclass(type(task), PY_TASK):
        name = instance_dict(task, PY_FUTURE).get("_name")
        return str.__str__(name) if issubclass(type(name), str) else ""
    return str(C_TASK.get_name(task))


def read_task(task: object) -> tuple[object, object, str, object]:
    """What a snapshot takes from every task, in one call.

    Args:
        task: A task, of C or Python.

    Returns:
        What it runs; the future it is suspended on (None when it runs or is ready to); its name; its loop.
    """
    if type(task) is C_TASK and HAS_C_PART:
        waiter = _c_fut_waiter(task)
        if waiter is not None and _is_done(waiter):
            waiter = None
        return _c_get_coro(task), waiter, _c_get_name(task), _c_loop(task)
    waiter = waiter_of(task)
    if waiter is not None and _is_done(waiter):
        waiter = None  # the task is about to wake up
    return coroutine_of(task), waiter, name_of(task), loop_of(task)


def still_waits(task: object, waiter: object) -> bool:
    """Whether a task is suspended on this very future, and that is still pending."""
    return waiter_of(task) is waiter and not _is_done(waiter)


def _is_done(waiter: object) -> bool:
    if type(waiter) is C_FUTURE or type(waiter) is C_TASK:
        return bool(_c_state(waiter) != "PENDING") if HAS_C_PART else not is_pending(waiter)
    return is_future(waiter) and not is_pending(waiter)
