"""Where the work of a concurrent future is: on a thread, in the queue of a pool, in another process.

The pools of the standard library are found through `_threads_queues` (Lib/concurrent/futures/thread.py) and
`_threads_wakeups` (process.py), which exist to join their threads at exit.
"""

from __future__ import annotations

import functools
import gc
import queue
import sys
import types
import weakref
from concurrent.futures import ThreadPoolExecutor, thread
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.futures import instance_dict
from agraph._internal.live_frames import live_locals

if TYPE_CHECKING:
    from types import FrameType

_RUN = thread._WorkItem.run.__code__
_WORKER = thread._worker.__code__


class Place(NamedTuple):
    """Where the work of a concurrent future is.

    Attributes:
        name: The function that does the work; empty where it is not known.
        threads: The threads that have to proceed first, one of them: the one it runs on, or all of its pool
            when they are busy. Empty where nothing in this process holds it up.
        queued: Whether it waits for one of them to be free.
        outside: Whether another process does it.
    """

    name: str
    threads: tuple[int, ...] = ()
    queued: bool = False
    outside: bool = False


class Executors:
    """An index of the work that thread pools and process pools have, by the `id` of its future."""

    def __init__(self, frames: dict[int, FrameType]) -> None:
        """Read all pools.

        Args:
            frames: The innermost frame of every thread, by thread.
        """
        self._places: dict[int, Place] = {}
        self._executors: dict[int, Any] = {}
        self._busy: set[int] = set()
        # So that an `id` stays what it was while this index is used.
        self._kept: list[object] = []
        for ident, top in frames.items():
            self._read_stack(ident, top)
        self._read_queues()
        self._read_processes()

    def place_of(self, future: object) -> Place | None:
        """Where the work of a future is; None when no pool has it."""
        return self._places.get(id(future))

    def _read_stack(self, ident: int, top: FrameType) -> None:
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code is _RUN:
                self._running(ident, live_locals(frame).get("self"))
            elif frame.f_code is _WORKER:
                values = live_locals(frame)
                # Also right before and after it runs.
                self._running(ident, values.get("work_item"))
                reference = values.get("executor_reference")
                if type(reference) is weakref.ReferenceType:
                    self._executors[ident] = reference
            frame = frame.f_back

    def _running(self, ident: int, item: object) -> None:
        if item is not None:
            self._busy.add(ident)
            self._put(item, (ident,))

    def _put(self, item: object, threads: tuple[int, ...], *, queued: bool = False) -> None:
        if type(item) is not thread._WorkItem:
            return
        state = instance_dict(item, thread._WorkItem)
        future = state.get("future")
        if future is not None:
            self._kept.append(future)
            self._places.setdefault(id(future), Place(_name_of_work(state), threads, queued))

    def _read_queues(self) -> None:
        pools: dict[int, tuple[object, list[int]]] = {}
        for reference, work in list(thread._threads_queues.data.items()):  # type: ignore[attr-defined]
            worker = reference()
            ident = None if worker is None else instance_dict(worker, type(worker)).get("_ident")
            if type(ident) is int:
                pools.setdefault(id(work), (work, []))[1].append(ident)
        for work, workers in pools.values():
            if type(work) is queue.SimpleQueue:
                held_up = tuple(workers) if self._is_full(workers) else ()
                for item in _contents(work):
                    self._put(item, held_up, queued=True)

    def _is_full(self, workers: list[int]) -> bool:
        """Whether all workers of a pool are busy, and it will not start another one."""
        if not self._busy.issuperset(workers):
            return False
        reference = next((self._executors[ident] for ident in workers if ident in self._executors), None)
        if reference is None:
            return False
        executor = reference()
        if executor is None:
            return True  # collected: nobody can submit, and only `submit` starts a worker
        if not issubclass(type(executor), ThreadPoolExecutor):
            return False
        limit = instance_dict(executor, ThreadPoolExecutor).get("_max_workers")
        return type(limit) is int and len(workers) >= limit

    def _read_processes(self) -> None:
        module = sys.modules.get("concurrent.futures.process")
        wakeups = getattr(module, "_threads_wakeups", None)
        for reference in list(getattr(wakeups, "data", ())):
            manager = reference()
            if type(manager) is not getattr(module, "_ExecutorManagerThread", None):
                continue
            items = instance_dict(manager, type(manager)).get("pending_work_items")
            for item in list(items.values()) if type(items) is dict else ():
                if type(item) is not getattr(module, "_WorkItem", None):
                    continue
                state = instance_dict(item, type(item))
                self._kept.append(state.get("future"))
                self._places[id(state.get("future"))] = Place(_name_of_work(state), outside=True)


def _contents(work: object) -> list[object]:
    """What is in a SimpleQueue, by what it shows the collector.

    See simplequeue_traverse in Modules/_queuemodule.c. Up to 3.12 that is a list, then each item.
    """
    found: list[object] = []
    for item in gc.get_referents(work):
        found += item if type(item) is list else (item,)
    return found


def _name_of_work(state: dict[str, Any]) -> str:
    """The function of a work item; behind the `partial` that `asyncio.to_thread` makes."""
    task = state.get("task")  # since 3.14 with its arguments
    function = state.get("fn") or (task[0] if type(task) is tuple and task else None)
    if type(function) is functools.partial and type(function.func) is types.BuiltinMethodType:
        function = function.args[0] if function.args else None  # Context.run
    if type(function) is functools.partial:
        function = function.func
    if type(function) is types.MethodType:
        function = function.__func__
    return function.__qualname__ if type(function) is types.FunctionType else ""


def works() -> bool:
    """Whether the pools of this interpreter are as this file reads them; never an exception."""
    try:
        work: Any = queue.SimpleQueue()
        work.put(works)
        names = ("executor_reference", "work_item", "work_queue")
        return works in _contents(work) and set(names) <= set(_WORKER.co_varnames)
    except Exception:  # noqa: BLE001 - an unknown interpreter may fail in any way
        return False
