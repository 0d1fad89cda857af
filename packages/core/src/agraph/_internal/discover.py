"""Every loop of every thread, and every task that is not done."""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import events, tasks
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from agraph._internal.compat import TASKS_ARE_KEPT_PER_LOOP
from agraph._internal.futures import C_TASK, PY_TASK, instance_dict, is_pending, is_task, loop_of
from agraph._internal.kinds import has_subclass_defining, module_of, type_mro

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    Loop = asyncio.AbstractEventLoop
    Task = asyncio.Task[Any]

_RUN_FOREVER = asyncio.BaseEventLoop.run_forever.__code__
_RUNNER_RUN = asyncio.Runner.run.__code__


def frames_of(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def find_loops() -> dict[int, tuple[Loop, int | None]]:
    """The loops of this process.

    Returns:
        By `id` of the loop: the loop, and the identifier of the thread that runs it (None: it is stopped).
    """
    found = _loops_on_threads()
    running = events._get_running_loop()
    if running is not None:
        found.setdefault(id(running), (running, _this_thread()))
    for task in _tasks_in_weak_sets():
        loop = loop_of(task)
        if id(loop) not in found:
            found[id(loop)] = loop, _thread_of(loop)
    if TASKS_ARE_KEPT_PER_LOOP:
        for loop in _loops_without_frames():
            if id(loop) not in found:
                found[id(loop)] = loop, _thread_of(loop)
    return found


def _loops_on_threads() -> dict[int, tuple[Loop, int | None]]:
    found: dict[int, tuple[Loop, int | None]] = {}
    frame: FrameType | None = None
    for thread, top in sys._current_frames().items():
        frame = top
        while frame is not None:
            loop = _loop_run_by(frame)
            if loop is not None:
                found.setdefault(id(loop), (loop, thread))
            frame = frame.f_back
    # One of them is the frame of this very call: a variable that held it would keep all of it alive.
    del top
    return found


def _this_thread() -> int:
    import threading  # noqa: PLC0415 - asyncio has imported it

    return threading.get_ident()


def _loop_run_by(frame: FrameType) -> Loop | None:
    """The loop that a frame runs; `run_forever` of uvloop is C code, there the frame of the Runner tells."""
    code = frame.f_code
    if code is _RUN_FOREVER:
        return frame.f_locals.get("self")
    if code is _RUNNER_RUN:
        loop: Loop | None = instance_dict(frame.f_locals["self"], asyncio.Runner).get("_loop")
        return loop
    return None


def _thread_of(loop: Loop) -> int | None:
    """The thread that runs a loop, as asyncio (`_thread_id`) and uvloop (`_thread_id`, C only) note it."""
    if issubclass(type(loop), asyncio.BaseEventLoop):
        thread = instance_dict(loop, asyncio.BaseEventLoop).get("_thread_id")
        return thread if isinstance(thread, int) else None
    return next((thread for other, thread in _loops_on_threads().values() if other is loop), None)


def _loops_without_frames() -> list[Loop]:
    """Loops of foreign types (uvloop) that run without any frame of Python, found among all objects.

    Only asked for when such a type exists: the search costs 2 to 4 ms in a small process.
    """
    # By identity: the search meets every class, and a metaclass may define `__hash__`.
    foreign = {id(kind) for kind in _foreign_loop_types()}
    if not foreign:
        return []
    return [item for item in gc.get_objects() if id(type(item)) in foreign and not _is_closed(item)]


def uvloop_of(loop: object) -> Any:  # noqa: ANN401 - a class of C code, or None
    """The class of uvloop that a loop derives from; its methods are C code, past those of a subclass."""
    return next((kind for kind in type_mro(type(loop)) if module_of(kind) == "uvloop.loop"), None)


def _foreign_loop_types() -> list[type]:
    module = sys.modules.get("uvloop.loop") or sys.modules.get("uvloop")
    kind = getattr(module, "Loop", None)
    return [kind, *type.__subclasses__(kind)] if isinstance(kind, type) else []


def _is_closed(loop: Any) -> bool:  # noqa: ANN401 - a loop of C code
    return bool(uvloop_of(loop).is_closed(loop))


def _tasks_in_weak_sets() -> list[Task]:
    """The tasks that asyncio keeps in weak sets: all up to 3.13, since then those that are not C tasks.

    `list` of the set inside is one step under the GIL, so another thread can add while this one reads.
    """
    found: list[Task] = []
    for name in ("_all_tasks", "_scheduled_tasks"):
        kept = getattr(tasks, name, None)
        if kept is not None:
            found += [task for ref in list(kept.data) if (task := ref()) is not None]
    found += list(getattr(tasks, "_eager_tasks", ()))
    return found


def find_tasks(loops: Mapping[int, Loop]) -> tuple[list[Task], list[str]]:
    """Every task of these loops that is not done, and what went wrong.

    Args:
        loops: The loops, by their `id`.

    Returns:
        The tasks, each once, and a sentence for each loop whose tasks could not be listed.
    """
    errors: list[str] = []
    found = [task for task in _tasks_in_weak_sets() if is_pending(task) and id(loop_of(task)) in loops]
    if TASKS_ARE_KEPT_PER_LOOP:
        if _would_be_asked():
            listed = [_among_all_objects(loops)]
        else:
            listed = [_tasks_of(loop, errors) for loop in loops.values()]
        if len(listed) == 1 and not found:
            return listed[0], errors
        found += chain.from_iterable(listed)
    return list(dict(zip(map(id, found), found, strict=True)).values()), errors


def _tasks_of(loop: Loop, errors: list[str]) -> list[Task]:
    try:
        # Reads the C list of every thread's tasks, with the world stopped (Modules/_asynciomodule.c).
        return list(tasks.all_tasks(loop))
    except Exception as error:  # noqa: BLE001 - a loop of another make may fail in any way
        errors.append(f"asyncio could not list the tasks of a loop ({error!r}): all objects were searched")
        return _among_all_objects({id(loop): loop})


# What `asyncio.all_tasks` asks the tasks for, and the set that it makes of them does.
_ASKED = ("done", "get_loop", "__hash__", "__eq__", "__getattribute__", "__getattr__")


def _would_be_asked() -> bool:
    """Whether `asyncio.all_tasks` may run code of the application, and the tasks can be found without it."""
    if gc.get_freeze_count():
        return False  # what `gc.freeze` has set aside is not among the objects of the collector
    return any(has_subclass_defining(kind, _ASKED) for kind in (C_TASK, PY_TASK))


def _among_all_objects(loops: Mapping[int, Loop]) -> list[Task]:
    """The tasks of these loops that are not done, found among all objects and without asking any."""
    found: list[Task] = []
    for task in [item for item in gc.get_objects() if is_task(item) and is_pending(item)]:
        with suppress(RuntimeError):  # of a class whose `__init__` has not called that of its base
            if id(loop_of(task)) in loops:
                found.append(task)
    return found
