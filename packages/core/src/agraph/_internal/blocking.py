"""What a thread is blocked in: the innermost frames are a wait of the standard library that has no end.

A thread in `time.sleep`, in a selector or in other code of C runs, as far as anyone can tell. Only waits
whose end depends on other code of this process are known here, by the code of their frames (Lib/threading.py,
Lib/queue.py, Lib/concurrent/futures/_base.py). Each is checked against the state of what is waited for:
unknown is never read as blocked.
"""

from __future__ import annotations

import dis
import queue
import re
import threading
import time
from collections import deque
from concurrent import futures as concurrent
from concurrent.futures import _base
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.futures import instance_dict
from agraph._internal.instances import NOTHING
from agraph._internal.kinds import is_one_of
from agraph._internal.live_frames import awaited_call, call_at, follow, live_locals, spelled
from agraph._internal.waits import Part

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from agraph._internal.model import Confidence, EdgeKind

LOCK: type = type(threading.Lock())
RLOCK: type = type(threading.RLock())


class Blocked(NamedTuple):
    """A wait of a thread.

    Attributes:
        operation: The function that waits, such as `Future.result`.
        targets: Concurrent futures, threads, or resources as `Part`.
        edge: The kind of the edges.
        need: How many of the targets have to proceed.
        exc: Whether an exception in one of them ends the wait.
        until: When the wait ends at the latest, on the monotonic clock; None without a timeout.
        confidence: `probable` where the target was found by its name in the code.
        gate: The C lock that the thread waits at; None where there is none to look at.
        name: What the code calls the target; empty where nothing names it.
    """

    operation: str
    targets: tuple[object, ...]
    edge: EdgeKind = "await"
    need: int = 1
    exc: bool = False
    until: float | None = None
    confidence: Confidence = "exact"
    gate: object = None
    name: str = ""


def blocked_in(thread: int, top: FrameType) -> Blocked | None:
    """What a thread other than the one that asks is blocked in.

    Args:
        thread: Its identifier.
        top: Its innermost frame.

    Returns:
        The wait; None when the thread runs, or waits for what nobody here knows.
    """
    if not _WORKS:
        return None
    if top.f_code is _CONDITION_WAIT:
        return _at_condition(top)
    if top.f_code is _JOIN:
        return _at_join(top)
    return _at_lock(thread, top) or _at_simple_queue(top)


def interrupted_wait(top: FrameType) -> FrameType | None:
    """Where the running thread stands when a signal handler runs on it while it is blocked.

    Nothing else can be called from within the `acquire` of a lock. When the handler returns, the thread goes
    on waiting.

    Args:
        top: The innermost frame of the thread that asks.

    Returns:
        The frame that waits; None when the thread is not blocked.
    """
    frame = top.f_back
    while frame is not None:
        if (frame.f_code is _CONDITION_WAIT and frame.f_lasti in _AWAITS_NOTIFICATION) or (
            frame.f_code is _JOIN and frame.f_lasti in _JOINS
        ):
            return frame
        frame = frame.f_back
    return None


def is_locked(lock: object) -> bool:
    """Whether a lock or re-entrant lock of C is held by anyone."""
    if type(lock) is RLOCK:
        return owner_of(lock) is not None
    return type(lock) is LOCK and bool(lock.locked())  # type: ignore[attr-defined]


def owner_of(lock: object) -> int | None:
    """The thread that holds a re-entrant lock: only its `repr` says it (Modules/_threadmodule.c)."""
    found = _OWNER.search(repr(lock)) if type(lock) is RLOCK else None
    return None if found is None or found[2] == "0" else int(found[1])


_OWNER = re.compile(r" owner=(\d+) count=(\d+)")

# ---- Condition.wait, and what is built on it


class _Found(NamedTuple):
    operation: str
    targets: tuple[object, ...]
    edge: EdgeKind = "await"
    need: int = 1
    exc: bool = False


def _at_condition(top: FrameType) -> Blocked | None:
    """A wait for a notification. Its private lock is held, and stands among those to notify, until then."""
    if top.f_lasti not in _AWAITS_NOTIFICATION:
        return None
    values = live_locals(top)
    condition, gate, timeout = (values.get(name) for name in ("self", "waiter", "timeout"))
    if not issubclass(type(condition), threading.Condition) or type(gate) is not LOCK or not is_locked(gate):
        return None
    waiters = instance_dict(condition, threading.Condition).get("_waiters")
    if type(waiters) is not deque or not any(item is gate for item in list(waiters)):
        return None
    found, outer = _Found("Condition.wait", (Part(condition, "condition"),)), top.f_back
    meaning = None if outer is None else _MEANINGS.get(id(outer.f_code))
    if meaning is not None and outer is not None:
        read = meaning(outer, condition)
        if read is None:
            return None
        found = read
    until = _until(timeout, outer)
    if until is NOTHING:
        return None
    return Blocked(*found, until=until, gate=gate)


def _until(timeout: object, outer: FrameType | None) -> Any:  # noqa: ANN401 - a time, None, or NOTHING
    """When a wait ends. Where the start of it is not kept, the timeout counted from now: not later."""
    if timeout is None:
        return None
    if not is_one_of(type(timeout), (int, float)):
        return NOTHING
    end = live_locals(outer).get("endtime") if outer is not None and _keeps_end(outer.f_code) else None
    return end if type(end) is float else time.monotonic() + timeout  # type: ignore[operator]


def _keeps_end(code: CodeType) -> bool:
    return id(code) in _MEANINGS and "endtime" in code.co_varnames


def _self_of(frame: FrameType, kind: type, attribute: str, condition: object) -> Any:  # noqa: ANN401
    """The `self` of a frame, if it is of this kind and its attribute is that condition; else None."""
    owner = live_locals(frame).get("self")
    if not issubclass(type(owner), kind) or instance_dict(owner, kind).get(attribute) is not condition:
        return None
    return owner


def _future(frame: FrameType, condition: object) -> _Found | None:
    future = _self_of(frame, concurrent.Future, "_condition", condition)
    return None if future is None or not is_unfinished(future) else _Found("Future.result", (future,))


def is_unfinished(future: object) -> bool:
    """Whether a concurrent future has no result yet and is not cancelled."""
    return instance_dict(future, concurrent.Future).get("_state") in (_base.PENDING, _base.RUNNING)


def _event(frame: FrameType, condition: object) -> _Found | None:
    event = _self_of(frame, threading.Event, "_cond", condition)
    if event is None or instance_dict(event, threading.Event).get("_flag") is not False:
        return None
    outer = frame.f_back
    if outer is not None and outer.f_code is _THREAD_START:
        return None  # a thread comes up: that takes no help of the application
    if outer is not None and outer.f_code in (_WAIT, _AS_COMPLETED):
        several = _several(outer, event)
        if several is not None:
            return several
    return _Found("Event.wait", (Part(event, "event"),))


def _several(frame: FrameType, event: object) -> _Found | None:
    """`concurrent.futures.wait` and `as_completed`: the class of the waiter says how many are needed."""
    values = live_locals(frame)
    waiter = values.get("waiter")
    members = values.get("not_done" if frame.f_code is _WAIT else "pending")
    if not issubclass(type(waiter), _base._Waiter) or type(members) is not set:
        return None
    state = instance_dict(waiter, _base._Waiter)
    if state.get("event") is not event:
        return None
    pending = tuple(
        item for item in list(members) if issubclass(type(item), concurrent.Future) and is_unfinished(item)
    )
    if frame.f_code is _AS_COMPLETED:
        return _Found("concurrent.futures.as_completed", pending, "any_of")
    if type(waiter) is _base._AllCompletedWaiter:
        stops = state.get("stop_on_exception") is not False
        return _Found("concurrent.futures.wait", pending, "all_of", len(pending), stops)
    return _Found("concurrent.futures.wait", pending, "any_of")


def _queue(operation: str, attribute: str) -> _Meaning:
    def read(frame: FrameType, condition: object) -> _Found | None:
        owner = _self_of(frame, queue.Queue, attribute, condition)
        return None if owner is None else _Found(f"Queue.{operation}", (Part(owner, "queue", operation),))

    return read


def _semaphore(frame: FrameType, condition: object) -> _Found | None:
    owner = _self_of(frame, threading.Semaphore, "_cond", condition)
    return None if owner is None else _Found("Semaphore.acquire", (Part(owner, "semaphore"),), "lock")


def _wait_for(frame: FrameType, condition: object) -> _Found | None:
    """`Condition.wait_for`, of a barrier or of the application."""
    outer = frame.f_back
    if outer is not None and outer.f_code in _BARRIER:
        barrier = _self_of(outer, threading.Barrier, "_cond", condition)
        if barrier is not None:
            return _Found("Barrier.wait", (Part(barrier, "barrier"),))
    return _Found("Condition.wait_for", (Part(condition, "condition"),))


if TYPE_CHECKING:
    _Meaning = Callable[[FrameType, object], _Found | None]
_CONDITION_WAIT = threading.Condition.wait.__code__
_THREAD_START = threading.Thread.start.__code__
_WAIT = concurrent.wait.__code__
_AS_COMPLETED = concurrent.as_completed.__code__
_BARRIER = (threading.Barrier._wait.__code__, threading.Barrier._enter.__code__)  # type: ignore[attr-defined]
# By identity of the code: its own hash reads all its constants.
_MEANINGS: dict[int, _Meaning] = {
    id(function.__code__): meaning
    for function, meaning in (
        (concurrent.Future.result, _future),
        (concurrent.Future.exception, _future),
        (threading.Event.wait, _event),
        (queue.Queue.get, _queue("get", "not_empty")),
        (queue.Queue.put, _queue("put", "not_full")),
        (queue.Queue.join, _queue("join", "all_tasks_done")),
        (threading.Semaphore.acquire, _semaphore),
        (threading.Condition.wait_for, _wait_for),
    )
}


def _calls(code: CodeType, method: str) -> frozenset[int]:
    """The offsets at which a code calls a method of this name."""
    found: set[int] = set()
    loaded = False
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_METHOD", "LOAD_ATTR"):
            loaded = instruction.argval == method
        elif loaded and instruction.opname in ("PRECALL", "CALL", "CALL_KW"):
            found.add(instruction.offset)
            loaded = instruction.opname == "PRECALL"
    return frozenset(found)


_AWAITS_NOTIFICATION = _calls(_CONDITION_WAIT, "acquire")

# ---- Thread.join: up to 3.12 at a lock, since 3.13 at the handle of the thread

_JOIN = getattr(threading.Thread, "_wait_for_tstate_lock", threading.Thread.join).__code__


def _at_join(top: FrameType) -> Blocked | None:
    values = live_locals(top)
    thread, timeout = values.get("self"), values.get("timeout")
    if not issubclass(type(thread), threading.Thread) or top.f_lasti not in _JOINS:
        return None
    if values.get("block", True) is not True or instance_dict(thread, threading.Thread).get("_ident") is None:
        return None
    until = _until(None if timeout == -1 and type(timeout) is int else timeout, None)
    return None if until is NOTHING else Blocked("Thread.join", (thread,), "thread", until=until)


_JOINS = _calls(_JOIN, "acquire" if _JOIN.co_name == "_wait_for_tstate_lock" else "join")

# ---- a bare lock


def _at_lock(thread: int, top: FrameType) -> Blocked | None:
    """`with lock:` or `lock.acquire()` without arguments, of a lock that is held by another thread."""
    call = awaited_call(top)
    if call is None or call[1] not in ("acquire", "__enter__"):
        return None
    path = call[0]
    lock = follow(path, top)
    if not is_locked(lock) or owner_of(lock) == thread:
        return None
    return Blocked(
        "lock.acquire",
        (Part(lock, "lock"),),
        "lock",
        confidence="exact" if path.is_certain else "probable",
        gate=lock,
        name=spelled(path, top),
    )


def _at_simple_queue(top: FrameType) -> Blocked | None:
    """`items.get()` without arguments, of an empty queue that is of C: it has no frame of its own."""
    call = awaited_call(top)
    if call is None or call[1] != "get":
        return None
    path = call[0]
    items: Any = follow(path, top)
    if type(items) is not _SIMPLE_QUEUE or _SIMPLE_QUEUE.qsize(items):
        return None
    return Blocked(
        "SimpleQueue.get",
        (Part(items, "queue", "get"),),
        confidence="exact" if path.is_certain else "probable",
        name=f"{spelled(path, top)}.get()",
    )


_SIMPLE_QUEUE: Any = queue.SimpleQueue


def _self_test() -> bool:
    """Whether the instructions and the `repr` of this interpreter are as this file reads them."""

    def sample(lock: Any) -> None:  # noqa: ANN401
        with lock:
            lock.acquire()

    code, mine = sample.__code__, threading.RLock()
    found = [call_at(code, offset) for offset in range(0, len(code.co_code), 2)]
    methods = {(call[0].root, call[0].is_certain, call[1]) for call in found if call is not None}
    with mine:
        owned = owner_of(mine) == threading.get_ident()
    expected = {("lock", True, "__enter__"), ("lock", True, "acquire")}
    return methods == expected and owned and owner_of(mine) is None and bool(_AWAITS_NOTIFICATION and _JOINS)


def works() -> bool:
    """Whether blocked threads can be told on this interpreter; never an exception."""
    try:
        return _self_test()
    except Exception:  # noqa: BLE001 - an unknown interpreter may fail in any way
        return False


_WORKS = works()
