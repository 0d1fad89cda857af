"""From a future outwards: who waits for it.

Two sources are joined. What is true now stands in the callbacks of the future: a waiting task's wakeup, or a
function of `gather`, `shield`, `wait`, `wait_for`, `as_completed`, `TaskGroup` or `staggered_race` that leads
to another future, and so on to a wakeup. What somebody declared stands in the record of
`future_add_to_awaited_by`: asyncio's own since 3.14, that of record.py below.

asyncio declares as well, and declares who *called* `gather` or `shield`, not who waits. Such a declaration is
set aside where the callbacks tell. Nothing of the application runs here: callbacks are known by their code.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import types
from asyncio import base_subprocess, events, staggered, taskgroups, tasks
from inspect import CO_COROUTINE
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.compat import HAS_NATIVE_AWAITED_BY
from agraph._internal.futures import (
    C_FUTURE,
    C_TASK,
    HAS_C_PART,
    PY_FUTURE,
    PY_TASK,
    callbacks_of,
    coroutine_of,
    instance_dict,
    is_future,
    is_pending,
    is_suspended,
    is_task,
    loop_of,
    root_frame_of,
    waiter_of,
)
from agraph._internal.kinds import defines, has_subclass_defining, is_one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Future = asyncio.Future[Any]
    _Coroutine = types.CoroutineType[Any, Any, Any]


_c_awaited_by: Any = getattr(C_FUTURE.__dict__.get("_asyncio_awaited_by"), "__get__", None)

if HAS_NATIVE_AWAITED_BY and not TYPE_CHECKING:
    from asyncio import future_add_to_awaited_by, future_discard_from_awaited_by

    def declared(future: object) -> Iterable[object]:
        """Who is in asyncio's own record as waiting for a future."""
        if issubclass(type(future), PY_FUTURE):
            return tuple(instance_dict(future, PY_FUTURE).get("_Future__asyncio_awaited_by") or ())
        return _past_hash(future) if _are_hashed() else _c_awaited_by(future) or ()
else:
    from agraph._internal.record import declared, future_add_to_awaited_by, future_discard_from_awaited_by


def _are_hashed() -> bool:
    """Whether code of the application may run when futures are put into a set."""
    return any(has_subclass_defining(kind, _HASHES) for kind in (C_FUTURE, PY_FUTURE))


def _past_hash(future: Any) -> Iterable[object]:  # noqa: ANN401 - a future of C code
    """Who is recorded as waiting for a future, where some class of futures has a `__hash__` of its own.

    The slot puts a single waiter into a set to show it (Modules/_asynciomodule.c); several are in one.
    Such a waiter is what a future refers to and no other slot explains; of a subclass, that has slots of its
    own, nothing is said.
    """
    awaits = waiter_of(future) if is_task(future) else None
    called = [callback for callback, _context in callbacks_of(future)]
    own = [
        item
        for item in gc.get_referents(future)
        if is_future(item) and defines(type(item), C_FUTURE, _HASHES) and item is not awaits
        if not any(item is callback for callback in called)
    ]
    if not own:
        waiters: Iterable[object] = _c_awaited_by(future) or ()
        return waiters
    return own if is_one_of(type(future), (C_FUTURE, C_TASK)) and is_pending(future) else ()


_HASHES = ("__hash__", "__eq__")


def with_declared(tasks: Iterable[Any]) -> Iterator[tuple[int, Iterable[object]]]:
    """The tasks that somebody is recorded to wait for: the position of each, and who that is."""
    native = HAS_NATIVE_AWAITED_BY and HAS_C_PART and not _are_hashed()
    for position, task in enumerate(tasks):
        # Of an exact C task, the slot itself: there may be very many.
        waiters = task._asyncio_awaited_by if native and type(task) is C_TASK else declared(task)
        if waiters:
            yield position, waiters


__all__ = [
    "awaited_by",
    "declared",
    "future_add_to_awaited_by",
    "future_discard_from_awaited_by",
    "with_declared",
]


class _Meaning(NamedTuple):
    """What a callback of a future says.

    Attributes:
        waiters: Tasks that it wakes.
        via: Futures that it completes, and whose waiters wait for this future too.
        claimed: The task that asyncio has recorded at the call, whether or not it waits.
    """

    waiters: tuple[object, ...] = ()
    via: tuple[object, ...] = ()
    claimed: object = None


def _nested(outer: Any, name: str) -> types.CodeType | None:  # noqa: ANN401 - a function, or None
    """The code of function `name` inside of function `outer`; None when this version has no such function."""
    constants = outer.__code__.co_consts if isinstance(outer, types.FunctionType) else ()
    return next(
        (item for item in constants if isinstance(item, types.CodeType) and item.co_name == name), None
    )


# Where a race has no `task_done` (3.11 and the first releases of 3.12 and 3.13), it waits for the tasks that
# there were when its wait began, and goes on to the later ones. Each task has the list of all in a cell.
_RACE_TASK_DONE = _nested(staggered.staggered_race, "task_done")
_RACER = _nested(staggered.staggered_race, "run_one_coro") if _RACE_TASK_DONE is None else None

# Each closure of Lib/asyncio that completes a future, and its cell with that future (or with the queue that
# `as_completed` up to 3.12 waits at). The others of `shield` complete nothing: they hold what
# is shielded, and who called.
_CLOSURES: dict[types.CodeType | None, str] = {
    _nested(tasks.gather, "_done_callback"): "outer",
    _nested(tasks.shield, "_inner_done_callback"): "outer",
    _nested(tasks.shield, "_outer_done_callback"): "",
    _nested(tasks.shield, "_clear_awaited_by_callback"): "",
    _nested(getattr(tasks, "_wait", None), "_on_completion"): "waiter",
    _nested(tasks.as_completed, "_on_completion"): "done",
    _RACE_TASK_DONE: "on_completed_fut",
}
_CLOSURES.pop(None, None)
_CALLERS = ("cur_task", "parent_task")
_RELEASE_WAITER = getattr(tasks, "_release_waiter", None)
_TASK_DONE = taskgroups.TaskGroup.__dict__.get("_on_task_done")
_AS_COMPLETED = getattr(tasks, "_AsCompletedIterator", None)
_HANDLE_COMPLETION = _AS_COMPLETED.__dict__.get("_handle_completion") if _AS_COMPLETED is not None else None
_C_WAKEUPS = ("task_wakeup", "TaskWakeupMethWrapper")
_PY_WAKEUP = PY_TASK.__dict__.get("_Task__wakeup")
_CONNECT_PIPES = base_subprocess.BaseSubprocessTransport._connect_pipes.__code__
_HANDLE_RUN = events.Handle._run.__code__


def _is_wakeup(callback: Any) -> bool:  # noqa: ANN401 - of any type
    """Whether it wakes the task that it is a method of."""
    kind = type(callback)
    # The name too: `future.add_done_callback(task.cancel)` is a method of a task that waits for nothing.
    if kind is types.BuiltinMethodType:
        return callback.__name__ in _C_WAKEUPS and is_task(callback.__self__)
    return kind is types.MethodType and callback.__func__ is _PY_WAKEUP and is_task(callback.__self__)


def _meaning(callback: object) -> _Meaning | None:
    """What a callback says that is no wakeup; None when it is none of asyncio's."""
    if type(callback) is types.FunctionType:
        cell = _CLOSURES.get(callback.__code__)
        return _meaning_of_closure(callback, cell) if cell is not None else None
    if type(callback) is types.MethodType:
        return _meaning_of_method(callback)
    if type(callback) is functools.partial and callback.func is _RELEASE_WAITER:
        return _Meaning(via=callback.args[:1])
    return None


def _meaning_of_method(callback: types.MethodType) -> _Meaning | None:
    function, owner = callback.__func__, callback.__self__
    if function is _TASK_DONE and issubclass(type(owner), taskgroups.TaskGroup):
        group = instance_dict(owner, taskgroups.TaskGroup)
        parent = group.get("_parent_task")
        # In `__aexit__` it waits for this future. In the body it does not wait for its children; for one that
        # is not suspended at all asyncio's record stands, as its next wait is not known.
        running = () if parent is None or is_suspended(parent) else (parent,)
        return _Meaning(waiters=running, via=(group.get("_on_completed_fut"),), claimed=parent)
    if function is _HANDLE_COMPLETION and type(owner) is _AS_COMPLETED:
        iterator = instance_dict(owner, type(owner))
        return _Meaning(via=_getters(iterator.get("_done")), claimed=iterator.get("_cur_task"))
    return None


def _meaning_of_closure(callback: types.FunctionType, followed: str) -> _Meaning:
    names = callback.__code__.co_freevars
    cells = {names[position]: content for position, content in _contents(callback.__closure__ or ())}
    target = cells.get(followed)
    # `gather` keeps who called it in a default, the others in a cell.
    callers = [cells.get(name) for name in _CALLERS] + list(callback.__defaults__ or ())
    claimed = next((caller for caller in callers if is_task(caller)), None)
    via = _getters(target) if issubclass(type(target), asyncio.Queue) else (target,)
    return _Meaning(via=via, claimed=claimed)


def _contents(cells: Iterable[types.CellType]) -> Iterator[tuple[int, object]]:
    """What is in the cells, each with its position; cells of names that are not assigned yet are left out."""
    for position, cell in enumerate(cells):
        try:
            yield position, cell.cell_contents
        except ValueError:
            continue


def _getters(queue: object) -> tuple[object, ...]:
    """The futures of those who wait at the private queue of an `as_completed`."""
    return tuple(instance_dict(queue, asyncio.Queue).get("_getters", ())) if queue is not None else ()


# ---- the answer


def awaited_by(future: object) -> list[Future]:
    """Who waits for a future, through whatever asyncio puts between.

    Args:
        future: An asyncio future or task.

    Returns:
        The tasks (and declared futures) that wait for it, each once.
    """
    found: dict[int, Any] = {}
    ahead = [future]
    coroutine = coroutine_of(future)
    if type(coroutine) is types.CoroutineType:
        if coroutine.cr_code is _CONNECT_PIPES or coroutine.cr_code is _RACER:
            ahead += _siblings(future, coroutine)
        if coroutine.cr_running and (caller := _first_step_caller(future, coroutine)) is not None:
            found[id(caller)] = caller
    seen = {id(item) for item in ahead}
    while ahead:
        current = ahead.pop()
        claimed: set[int] = set()
        callback: Any
        for callback, _ in callbacks_of(current):
            if _is_wakeup(callback):
                found[id(callback.__self__)] = callback.__self__
            elif (meaning := _meaning(callback)) is not None:
                found.update((id(waiter), waiter) for waiter in meaning.waiters)
                claimed.add(id(meaning.claimed))
                ahead += [via for via in meaning.via if id(via) not in seen and is_future(via)]
                seen.update(map(id, meaning.via))
        for waiter in declared(current):
            # Below 3.14 nobody but the application declares: there is nothing to set aside.
            if id(waiter) not in claimed or not HAS_NATIVE_AWAITED_BY:
                found[id(waiter)] = waiter
    return list(found.values())


def _siblings(task: object, coroutine: _Coroutine) -> list[object]:
    """Futures whose waiters wait for this task too, though it has no callback that says so."""
    if coroutine.cr_code is _CONNECT_PIPES:
        # The spawn of a subprocess waits for a future that is an argument of this coroutine (gh-157259).
        return list(filter(is_future, gc.get_referents(coroutine)))
    cells = [item for item in gc.get_referents(coroutine) if type(item) is types.CellType]
    lists = [content for _, content in _contents(cells) if type(content) is list]
    return [item for content in lists for item in content if is_task(item) and item is not task]


def _first_step_caller(task: object, coroutine: _Coroutine) -> Future | None:
    """The task inside whose step an eager task takes its first one (gh-157299); None for any other task."""
    frame: types.FrameType | None = sys._getframe(1)
    root = coroutine.cr_frame
    while frame is not None and frame is not root:
        frame = frame.f_back
    outer: list[types.FrameType] = []
    while frame is not None and frame.f_code is not _HANDLE_RUN:
        frame = frame.f_back
        if frame is not None and frame.f_code.co_flags & CO_COROUTINE:
            outer.append(frame)
    if not outer:
        return None
    roots = {root_frame_of(other): other for other in tasks.all_tasks(loop_of(task))}
    return next((roots[frame] for frame in outer if frame in roots), None)
