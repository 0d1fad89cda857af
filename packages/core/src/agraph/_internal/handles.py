"""What loops are about to call: `_ready` and `_scheduled` of asyncio's loops, and the like of uvloop's.

Two kinds matter here: a coroutine that another thread has submitted and that is no task yet, and a call that
will free somebody (`loop.call_later(5, task.cancel)`).
"""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import types
from asyncio import events, tasks
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.futures import PY_TASK, instance_dict, is_future, is_pending, is_task
from agraph._internal.kinds import is_one_of
from agraph._internal.library_timers import tasks_cancelled_by
from agraph._internal.nested import nested_code
from agraph._internal.timers import when_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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


class Release(NamedTuple):
    """A call that frees a task, whatever it waits for.

    Attributes:
        task: The task that is cancelled.
        when: At what time of the loop; None for at once.
        sure: Whether it is; otherwise the call only refers to it.
    """

    task: object
    when: float | None
    sure: bool = True


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
    elif type(loop).__module__.startswith("uvloop"):
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
    return is_one_of(
        type(item), (types.FunctionType, types.MethodType, types.BuiltinMethodType, functools.partial)
    )


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

_ON_TIMEOUT = asyncio.Timeout.__dict__["_on_timeout"]
_PY_CANCEL = PY_TASK.__dict__.get("cancel")


def note_releases(builder: Builder, loops: Iterable[Loop], loop_facts: Mapping[int, LoopFacts]) -> None:
    """Tell of tasks that a call of their loop will cancel: they are free at that moment, or at once.

    Args:
        builder: The snapshot in the making, with the rows of the tasks.
        loops: The loops.
        loop_facts: What is known of them, by their `id`.
    """
    for loop in loops:
        for release in _releases(loop):
            number = builder.known(release.task)
            node = None if number is None else builder.nodes[number]
            if node is None or node.kind != "task" or not node.need:
                continue
            if not release.sure:
                builder.change(node.id, open=node.open or "its loop is about to call what refers to it")
            elif release.when is None:
                builder.change(node.id, state="ready", need=0)
            else:
                when = round(release.when + loop_facts[id(loop)].offset, 3)
                builder.change(node.id, timer=when if node.timer is None else min(node.timer, when))


def _releases(loop: Loop) -> Iterator[Release]:
    for call in pending_calls(loop):
        callback = call.callback
        if type(callback) is functools.partial:
            yield from _mentioned(callback.args, call.when)
            callback = callback.func
        if type(callback) is types.BuiltinMethodType:
            if callback.__name__ == "cancel" and is_task(callback.__self__):
                yield Release(callback.__self__, call.when)
        elif type(callback) is types.MethodType:
            yield from _by_method(callback, call.when)
        elif type(callback) is types.FunctionType and callback.__closure__:
            yield from _near(cells_of(callback).values(), call.when)
        if call.args:
            yield from _near(call.args, call.when)


def _by_method(method: types.MethodType, when: float | None) -> Iterator[Release]:
    function, owner = method.__func__, method.__self__
    if function is _ON_TIMEOUT and issubclass(type(owner), asyncio.Timeout):
        task = instance_dict(owner, asyncio.Timeout).get("_task")
        return iter((Release(task, when),)) if is_task(task) else iter(())
    if is_task(owner):
        return iter((Release(owner, when),)) if function is _PY_CANCEL else iter(())
    cancelled = tasks_cancelled_by(owner)
    if cancelled is not None:
        return (Release(task, when) for task in cancelled)
    return _mentioned(_attributes_of(owner), when)


def _near(values: Iterable[object], when: float | None) -> Iterator[Release]:
    """Tasks among some values that a call is made with, among their attributes, or that these cancel."""
    for value in values:
        if is_future(value):
            yield from _mentioned((value,), when)
        elif not is_one_of(type(value), _WITHOUT_TASKS):
            yield from _mentioned(tasks_cancelled_by(value) or _attributes_of(value), when)


_WITHOUT_TASKS = (str, int, float, bytes, bool, type(None), type, types.FunctionType, types.ModuleType)


def _attributes_of(owner: object) -> list[object]:
    """What an object refers to, the values of its dictionary in place of that."""
    found: list[object] = []
    for item in gc.get_referents(owner)[:_LOOKED_AT]:
        found += islice(dict.values(item), _LOOKED_AT) if type(item) is dict else (item,)
    return found


# So many attributes are looked at for one that is a task, in `loop.call_later(5, watchdog.bite)`.
_LOOKED_AT = 50


def _mentioned(values: Iterable[object], when: float | None) -> Iterator[Release]:
    """Tasks that a call only refers to: what it does with them is not known."""
    return (Release(value, when, sure=False) for value in values if is_task(value) and is_pending(value))
