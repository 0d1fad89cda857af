"""What loops are about to call: `_ready` and `_scheduled` of asyncio's loops, and the like of uvloop's.

Two kinds matter here: a coroutine that another thread has submitted and that is no task yet, and a call that
will free somebody (`loop.call_later(5, task.cancel)`).
"""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import time
import types
from asyncio import events, tasks
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.discover import uvloop_of
from agraph._internal.futures import PY_FUTURE, PY_TASK, instance_dict, is_future, is_task
from agraph._internal.kinds import is_one_of
from agraph._internal.library_timers import frees_nobody, tasks_cancelled_by
from agraph._internal.mentions import Mentions
from agraph._internal.nested import nested_code
from agraph._internal.timers import when_of
from agraph._internal.waits import with_children

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agraph._internal.builder import Builder
    from agraph._internal.discover import Loop
    from agraph._internal.task_rows import LoopFacts


class Call(NamedTuple):
    """A call that a loop is about to make.

    Attributes:
        handle: Its handle.
        callback: What it calls.
        args: With what.
        when: At what time of the loop; None for at once.
    """

    handle: object
    callback: object
    args: tuple[object, ...]
    when: float | None


class Submitted(NamedTuple):
    """A coroutine of `run_coroutine_threadsafe` that its loop has not made a task of yet.

    Attributes:
        handle: The handle that will.
        coroutine: The coroutine.
        loop: The loop.
    """

    handle: object
    coroutine: object
    loop: Loop


# Since 3.14 `call_soon_threadsafe` makes handles of a type of their own.
_THREAD_SAFE = getattr(events, "_ThreadSafeHandle", events.Handle)
_HANDLES = (events.Handle, events.TimerHandle, _THREAD_SAFE)
_SLEEP_ENDS = getattr(asyncio.futures, "_set_result_unless_cancelled", None)
_SUBMIT = nested_code(tasks.run_coroutine_threadsafe, "callback")


def pending_calls(loop: Loop) -> Iterator[Call]:
    """The calls that a loop is about to make, of the handles whose type is known.

    Those of `sleep` are left out: the task that sleeps has its timer, and there may be very many.
    """
    if issubclass(type(loop), asyncio.BaseEventLoop):
        state = instance_dict(loop, asyncio.BaseEventLoop)
        for name in ("_ready", "_scheduled"):
            # `list` is one step under the GIL.
            for handle in list(state.get(name) or ()):
                if (
                    is_one_of(type(handle), _HANDLES)
                    and handle._callback is not _SLEEP_ENDS
                    and not handle._cancelled
                ):
                    yield Call(handle, handle._callback, handle._args or (), when_of(handle))
    elif uvloop_of(loop) is not None:
        yield from _calls_of_uvloop(loop)


def _calls_of_uvloop(loop: Loop) -> Iterator[Call]:
    """The same of uvloop: its handles are C structures, whose referents tell callback and arguments apart."""
    module = sys.modules.get("uvloop.loop")
    kinds = (getattr(module, "Handle", None), getattr(module, "TimerHandle", None))
    for container in gc.get_referents(loop):
        if not is_one_of(type(container), (deque, set)):
            continue
        for handle in list(container):
            if not is_one_of(type(handle), kinds) or handle.cancelled():
                continue
            parts = [item for item in gc.get_referents(handle) if item is not loop]
            args = next((item for item in parts if type(item) is tuple), ())
            callback = next((item for item in parts if _is_callable(item)), None)
            if callback is _SLEEP_ENDS:
                continue
            yield Call(handle, callback, args, when_of(handle))


def _is_callable(item: object) -> bool:
    """Whether it is a function, method or partial object of the standard library."""
    kinds = (types.FunctionType, types.MethodType, functools.partial)
    return is_one_of(type(item), kinds) or _is_builtin_method(item)


def _is_builtin_method(item: object) -> bool:
    # Methods of C that get their class are of a derived type (PyCMethod_Type, Objects/methodobject.c): those
    # of a future are since 3.13.
    return issubclass(type(item), types.BuiltinMethodType)


def submitted(loop: Loop) -> dict[int, Submitted]:
    """The coroutines submitted to a loop, by the `id` of the concurrent future that stands for each."""
    found: dict[int, Submitted] = {}
    for call in pending_calls(loop):
        if type(call.callback) is types.FunctionType and call.callback.__code__ is _SUBMIT:
            cells = cells_of(call.callback)
            found[id(cells.get("future"))] = Submitted(call.handle, cells.get("coro"), loop)
    return found


def cells_of(function: types.FunctionType) -> dict[str, Any]:
    """The variables that a function has from around it, those that are set."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet, or deleted
            continue
    return found


# ---- who will be freed


class _Release(NamedTuple):
    """A call that frees a task or future, whatever it waits for.

    Attributes:
        future: The task or future that is cancelled or completed.
        when: At what time of the loop; None for at once.
        sure: Whether it is; otherwise the call only refers to it.
    """

    future: object
    when: float | None
    sure: bool = True


_ON_TIMEOUT = asyncio.Timeout.__dict__["_on_timeout"]
_GATHERING: type = tasks._GatheringFuture  # type: ignore[attr-defined]
_ENDING = ("cancel", "set_result", "set_exception")
_PY_ENDING = [vars(kind).get(name) for kind in (PY_FUTURE, PY_TASK, _GATHERING) for name in _ENDING]
_PY_ENDING = [function for function in _PY_ENDING if type(function) is types.FunctionType]
# What ends a wait of a task that has the timer in its row: they refer to much else, and free none of it.
_DEADLINES = {
    function.__code__
    for function in (
        getattr(tasks, "_release_waiter", None),
        vars(getattr(tasks, "_AsCompletedIterator", object)).get("_handle_timeout"),
    )
    if type(function) is types.FunctionType
} | {nested_code(tasks.as_completed, "_on_timeout")}


def note_releases(builder: Builder, loops: Iterable[Loop], loop_facts: Mapping[int, LoopFacts]) -> None:
    """Tell of tasks and futures that a call of their loop will end: they are free at that moment, or at once.

    Args:
        builder: The snapshot in the making, with the rows of the tasks.
        loops: The loops.
        loop_facts: What is known of them, by their `id`.
    """
    mentions = Mentions()
    for loop in loops:
        offset = loop_facts[id(loop)].offset
        for release in _releases(loop, mentions):
            number = builder.known(release.future)
            node = None if number is None else builder.nodes[number]
            if node is None or not node.need:
                continue
            if release.sure:
                when = time.monotonic() if release.when is None else release.when + offset
                timer = round(when, 3)
                builder.change(node.id, timer=timer if node.timer is None else min(node.timer, timer))
                if release.when is None and node.kind == "task":
                    builder.change(node.id, state="ready", need=0)
            elif node.timer is None:  # else it is freed anyway, and a sleep stays one
                builder.open(node.id, "its loop is about to call what refers to it")


def _releases(loop: Loop, mentions: Mentions) -> Iterator[_Release]:
    for call in pending_calls(loop):
        bound: tuple[object, ...] = ()
        callback = call.callback
        if type(callback) is functools.partial:
            bound, callback = (callback.args, callback.keywords), callback.func
        ended = _ended_by(callback)
        if ended is None:
            # `cancel` may have a message and `set_result` a value: neither is touched.
            found = mentions.by((callback, *bound, *call.args))
            yield from (_Release(future, call.when, sure=False) for future in found)
        else:
            yield from (_Release(future, call.when) for future in ended)


def _ended_by(callback: Any) -> Sequence[object] | None:  # noqa: ANN401 - of any type
    """The tasks and futures that a call is sure to end; None when it may do anything."""
    if type(callback) is types.FunctionType:
        return () if callback.__code__ in _DEADLINES else None
    if type(callback) is types.MethodType:
        return _ended_by_method(callback.__func__, callback.__self__)
    if not _is_builtin_method(callback) or not is_future(callback.__self__):
        return None
    if callback.__name__ in _ENDING:
        return with_children(callback.__self__)
    return () if is_task(callback.__self__) else None  # that of a task is its next step


def _ended_by_method(function: object, owner: object) -> Sequence[object] | None:
    if type(function) is types.FunctionType and function.__code__ in _DEADLINES:
        return ()
    if frees_nobody(function, owner):
        return ()
    if function is _ON_TIMEOUT and issubclass(type(owner), asyncio.Timeout):
        task = instance_dict(owner, asyncio.Timeout).get("_task")
        return (task,) if is_task(task) else ()
    if is_future(owner):
        return with_children(owner) if any(function is ending for ending in _PY_ENDING) else None
    return tasks_cancelled_by(owner)
