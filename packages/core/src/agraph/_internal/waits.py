"""What a suspended task waits for: its `_fut_waiter`, seen through the function of asyncio that made it.

The innermost frame says which function that is, by its code; the arguments that matter are found by type
among the referents of its coroutine (never by name: see frame_locals.py for what reading names costs). A
future that is not understood stays a plain future: unknown is never read as known.
"""

from __future__ import annotations

import asyncio
import gc
import types
from asyncio import base_subprocess, locks, queues, staggered, streams, taskgroups, tasks
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.builder import new_row
from agraph._internal.futures import (
    callbacks_of,
    has_failed,
    instance_dict,
    is_future,
    is_pending,
    is_task,
)
from agraph._internal.nested import nested_code
from agraph._internal.timers import is_timer, when_of
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence, Sized

    from agraph._internal.model import EdgeKind


class Part(NamedTuple):
    """A resource of which one operation is waited for: the get end of a queue, a stream's data.

    Attributes:
        owner: The resource.
        kind: The kind of node it becomes.
        operation: What is waited for, such as `get`; empty where the resource has only one.
    """

    owner: object
    kind: str
    operation: str = ""


class Wait(NamedTuple):
    """What is waited for.

    Attributes:
        targets: Futures, tasks, resources as `Part`, or whatever a home-made awaitable is.
        need: How many of them have to be done.
        edge: The kind of the edges.
        exc: Whether an exception in one of them ends the wait.
        timer: When the wait ends anyway, on the loop's clock; None without.
        made_by: The function that made the future that is waited for; empty for a plain one.
    """

    targets: Sequence[object]
    need: int = 1
    edge: EdgeKind = "await"
    exc: bool = False
    timer: float | None = None
    made_by: str = ""


if TYPE_CHECKING:
    # What reads a wait: given the innermost coroutine, the outermost one, and the future that is waited for.
    Reader = Callable[[object, object, object], Wait | None]
    SureReader = Callable[[object, object, object], Wait]


def first_of(owner: object, *kinds: type) -> Any:  # noqa: ANN401 - one of `kinds`, or None
    """The first object of one of these types that a suspended coroutine refers to: `self` comes first."""
    referents = gc.get_referents(owner)
    for item in referents:
        for kind in kinds:
            if type(item) is kind:  # nearly always, and several times as fast
                return item
    return next((item for item in referents if issubclass(type(item), kinds)), None)


def values_in(owner: object) -> list[object]:
    """What a suspended coroutine refers to, with the contents of its cells in place of them."""
    found: list[object] = []
    for item in gc.get_referents(owner):
        if type(item) is types.CellType:
            try:
                found.append(item.cell_contents)
            except ValueError:  # a name that is not assigned yet
                continue
        else:
            found.append(item)
    return found


def _timer_in(values: Sequence[object]) -> float | None:
    return when_of(next(filter(is_timer, values), None))


# ---- resources: the operation by the code of the frame, the resource by its type


class ResourceReader:
    """Reads the wait for a resource that is a local of the function that waits, as `self` is.

    Attributes:
        kind: The type of the resource.
        operation: What is done with it, where several things can be.
    """

    def __init__(self, kind: type, node_kind: str, operation: str = "") -> None:
        self.kind = kind
        self.operation = operation
        self._node_kind = node_kind
        self._edge: EdgeKind = "lock" if node_kind in ("lock", "semaphore") else "await"

    def __call__(self, inner: object, _outer: object, _waiter: object) -> Wait | None:
        """The wait of one task; see `Reader`."""
        owner = first_of(inner, self.kind)
        return None if owner is None else self.wait_for(owner)

    def wait_for(self, owner: object) -> Wait:
        """The wait for a resource of this kind."""
        part = new_row(Part, (owner, self._node_kind, self.operation))
        wait: Wait = new_row(Wait, ((part,), 1, self._edge, False, None, ""))
        return wait


def _resource_of_caller(kind: type, node_kind: str, operation: str = "") -> Reader:
    """A resource that is built on the one waited for: a Barrier on a Condition, `Queue.join` on an Event."""

    def read(_inner: object, outer: object, _waiter: object) -> Wait | None:
        for link in reversed(chain(outer)[:-1]):
            owner = first_of(link.owner, kind)
            if owner is not None:
                return Wait((Part(owner, node_kind, operation),))
        return None

    return read


# ---- composition


def _wait(inner: object, _outer: object, _waiter: object) -> Wait | None:
    """`asyncio.wait`: FIRST_COMPLETED is any of, the others all of.

    A member that has ended meanwhile may still be about to call back: then nothing is left to wait for.
    """
    values = values_in(inner)
    members = next((item for item in values if type(item) is set), None)
    if members is None:
        return None
    futures = [member for member in list(members) if is_future(member)]
    pending = [future for future in futures if is_pending(future)]
    timer = _timer_in(values)
    words = {item for item in values if type(item) is str}
    if tasks.FIRST_COMPLETED in words:
        return Wait(pending, _need_of_any(futures, pending), "any_of", timer=timer, made_by="wait")
    exc = tasks.FIRST_EXCEPTION in words
    need = 0 if exc and _any_failed(futures) else len(pending)
    return Wait(pending, need, "all_of", exc=exc, timer=timer, made_by="wait")


def _wait_of_race(inner: object, outer: object, waiter: object) -> Wait | None:
    """Up to the first releases of 3.13 a race waits for all with `wait`; but the first that wins ends it.

    That `wait` has the racers that there were when it began; `running_tasks` of the race has those since.
    """
    wait = _wait(inner, outer, waiter)
    race = values_in(chain(outer)[-3].owner)
    racers = next((item for item in race if type(item) is list and item and all(map(is_task, item))), None)
    if wait is None or racers is None:
        return None
    pending = [racer for racer in racers if is_pending(racer)]
    return Wait(pending, min(wait.need, len(pending), 1), "any_of", made_by="staggered_race")


def _wait_for(inner: object, _outer: object, waiter: object) -> Wait | None:
    """`wait_for` up to 3.11 and `_cancel_and_wait`: a private future that the real one completes."""
    values = values_in(inner)
    awaited = next((item for item in values if item is not waiter and is_future(item)), None)
    return None if awaited is None else Wait((awaited,), timer=_timer_in(values), made_by="wait_for")


def _task_group(inner: object, _outer: object, waiter: object) -> Wait | None:
    group = first_of(inner, taskgroups.TaskGroup)
    if group is None:
        return None
    state = instance_dict(group, taskgroups.TaskGroup)
    if state.get("_on_completed_fut") is not waiter:
        return None
    return wait_of_group(list(state.get("_tasks", ())))


def wait_of_group(members: Sequence[object]) -> Wait:
    """The wait of the end of a task group for its members."""
    children = [child for child in members if is_pending(child)]
    # One that has failed is still a member until it calls back, which cancels the others.
    need = 0 if _any_failed(members) else len(children)
    return Wait(children, need, "all_of", exc=True, made_by="TaskGroup")


def _need_of_any(members: Sized, pending: Sized) -> int:
    """How many of the pending have to end; a member that has ended and is about to call back suffices."""
    return 1 if len(pending) == len(members) else 0


def _any_failed(futures: Iterable[object]) -> bool:
    return any(not is_pending(future) and has_failed(future) for future in futures)


def _as_completed(inner: object, outer: object, waiter: object) -> Wait | None:
    """A step of `as_completed` waits at a private queue that whichever is done next fills, or a timer."""
    links = chain(outer)
    if _AS_COMPLETED_CLASS is None:
        # Up to 3.12 all is in cells of the generator that the loop of the caller stands on.
        queue = first_of(inner, queues.Queue)
        for link in reversed(links[:-2]):
            for item in gc.get_referents(link.owner):
                if type(item) is types.GeneratorType and item.gi_code is tasks.as_completed.__code__:
                    values = values_in(item)
                    if any(value is queue for value in values):
                        return wait_of_step(values)
        return Wait((waiter,), made_by=UNREAD_STEP)
    iterator = first_of(links[-2].owner, _AS_COMPLETED_CLASS)
    if iterator is None:
        return None
    state = instance_dict(iterator, _AS_COMPLETED_CLASS)
    return wait_of_step((state.get("_todo"), state.get("_timeout_handle")))


def wait_of_step(values: Sequence[object]) -> Wait | None:
    """The wait of a step of `as_completed`.

    Args:
        values: The variables of the iterator: the set of the futures that are left, and its timer.
    """
    members = next((value for value in values if type(value) is set), None)
    if members is None:
        return None
    futures = [member for member in list(members) if is_future(member)]
    pending = [future for future in futures if is_pending(future)]
    need, timer = _need_of_any(futures, pending), _timer_in(values)
    return Wait(pending, need, "any_of", timer=timer, made_by="as_completed")


# Who made the wait of a step of `as_completed` whose generator the frames of its task do not have.
UNREAD_STEP = "_wait_for_one"
_AS_COMPLETED_CLASS: type | None = getattr(tasks, "_AsCompletedIterator", None)
_AS_COMPLETED_STEPS = frozenset(
    code
    for code in (
        nested_code(tasks.as_completed, "_wait_for_one"),
        getattr(vars(_AS_COMPLETED_CLASS or object).get("_wait_for_one"), "__code__", None),
    )
    if code is not None
)


def _race(inner: object, _outer: object, _waiter: object) -> Wait | None:
    """`staggered_race` of newer versions: any of the racers completes its future."""
    values = values_in(inner)
    members = [*next((item for item in values if type(item) is set), ())]
    if not members or not all(is_future(member) for member in members):
        return None
    pending = [member for member in members if is_pending(member)]
    return Wait(pending, _need_of_any(members, pending), "any_of", made_by="staggered_race")


# ---- the outside world


def _sleep(inner: object, _outer: object, _waiter: object) -> Wait | None:
    timer = _timer_in(values_in(inner))
    return None if timer is None else Wait((), 1, timer=timer, made_by="sleep")


def _stream(inner: object, _outer: object, _waiter: object) -> Wait | None:
    reader = first_of(inner, streams.StreamReader)
    if reader is None:
        return None
    transport = instance_dict(reader, streams.StreamReader).get("_transport")
    return Wait((Part(transport, "io", "read"),)) if transport is not None else None


def _drain(inner: object, _outer: object, _waiter: object) -> Wait | None:
    protocol = first_of(inner, streams.FlowControlMixin)
    if protocol is None:
        return None
    transport = instance_dict(protocol, streams.FlowControlMixin).get("_transport")
    return Wait((Part(protocol if transport is None else transport, "io", "drain"),))


def _child_process(inner: object, _outer: object, _waiter: object) -> Wait | None:
    transport = first_of(inner, base_subprocess.BaseSubprocessTransport)
    return None if transport is None else Wait((Part(transport, "io", "wait"),))


def _socket(operation: str) -> Reader:
    import socket  # noqa: PLC0415 - asyncio has imported it

    def read(inner: object, _outer: object, _waiter: object) -> Wait | None:
        sock = first_of(inner, socket.socket)
        return None if sock is None else Wait((Part(sock, "io", operation),))

    return read


def _readers() -> dict[types.CodeType, Reader]:
    """The reader for each function of this version of asyncio that waits, by its code."""
    aexit = vars(taskgroups.TaskGroup).get("_aexit") or taskgroups.TaskGroup.__aexit__
    loop = asyncio.selector_events.BaseSelectorEventLoop
    by_function: list[tuple[object, Reader]] = [
        (locks.Lock.acquire, ResourceReader(locks.Lock, "lock")),
        (locks.Semaphore.acquire, ResourceReader(locks.Semaphore, "semaphore")),
        (locks.Event.wait, ResourceReader(locks.Event, "event")),
        (locks.Condition.wait, ResourceReader(locks.Condition, "condition")),
        (queues.Queue.get, ResourceReader(queues.Queue, "queue", "get")),
        (queues.Queue.put, ResourceReader(queues.Queue, "queue", "put")),
        (getattr(tasks, "_wait", None), _wait),
        (tasks.wait_for, _wait_for),
        (getattr(tasks, "_cancel_and_wait", None), _wait_for),
        (aexit, _task_group),
        (staggered.staggered_race, _race),
        (tasks.sleep, _sleep),
        (getattr(streams.StreamReader, "_wait_for_data", None), _stream),
        (getattr(streams.FlowControlMixin, "_drain_helper", None), _drain),
        (getattr(base_subprocess.BaseSubprocessTransport, "_wait", None), _child_process),
        *((getattr(loop, name, None), _socket(name)) for name in vars(loop) if name.startswith("sock_")),
    ]
    return {
        function.__code__: reader
        for function, reader in by_function
        if isinstance(function, types.FunctionType)
    }


def _readers_by_caller() -> dict[tuple[types.CodeType, types.CodeType], Reader]:
    """The reader where the function that waits says less than the one that called it, by both codes."""
    barrier = _resource_of_caller(locks.Barrier, "barrier")
    found = {
        (locks.Event.wait.__code__, queues.Queue.join.__code__): _resource_of_caller(
            queues.Queue, "queue", "join"
        ),
        (locks.Condition.wait.__code__, locks.Condition.wait_for.__code__): _condition_wait_for,
    }
    for name in ("wait", "_block", "_wait", "__aenter__"):
        function = vars(locks.Barrier).get(name)
        if isinstance(function, types.FunctionType):
            found[locks.Condition.wait.__code__, function.__code__] = barrier
    for step in _AS_COMPLETED_STEPS:
        found[queues.Queue.get.__code__, step] = _as_completed
    race_waits = getattr(getattr(tasks, "_wait", None), "__code__", None), tasks.wait.__code__
    if race_waits[0] is not None:
        found[race_waits[0], race_waits[1]] = _wait_in_race_or_not
    return found


def _condition_wait_for(inner: object, outer: object, waiter: object) -> Wait | None:
    barrier = _resource_of_caller(locks.Barrier, "barrier")(inner, outer, waiter)
    return barrier or ResourceReader(locks.Condition, "condition")(inner, outer, waiter)


def _wait_in_race_or_not(inner: object, outer: object, waiter: object) -> Wait | None:
    links = chain(outer)
    frame = links[-3].frame if len(links) > 2 else None
    raced = frame is not None and frame.f_code is staggered.staggered_race.__code__
    return (_wait_of_race if raced else _wait)(inner, outer, waiter)


_READERS = _readers()
_READERS_BY_CALLER = _readers_by_caller()
_SHIELD_OUTER = nested_code(tasks.shield, "_outer_done_callback")
_CHAIN_CANCEL = nested_code(asyncio.futures._chain_future, "_call_check_cancel")  # type: ignore[attr-defined]


def reader_of(codes: Sequence[types.CodeType]) -> SureReader:
    """What reads the wait of a task that stands in these functions.

    Args:
        codes: The codes of its suspended frames, outermost first.

    Returns:
        The reader; one that says nothing but the future itself where no function of asyncio waits.
    """
    reader = function_reader_of(codes)
    if reader is None:
        return _plain
    known: Reader = reader
    return lambda inner, outer, waiter: known(inner, outer, waiter) or Wait((waiter,))


def function_reader_of(codes: Sequence[types.CodeType]) -> Reader | None:
    """Like `reader_of`; None where no function of asyncio waits. It may find that it cannot read a wait."""
    if not codes:
        return None
    reader = _READERS_BY_CALLER.get((codes[-1], codes[-2])) if len(codes) > 1 else None
    return reader or _READERS.get(codes[-1])


def _plain(_inner: object, _outer: object, waiter: object) -> Wait:
    return Wait((waiter,))


def wait_of_future(future: object) -> Wait | None:
    """What a future that is no task waits for.

    Args:
        future: An asyncio future.

    Returns:
        The wait; None for a plain one, which says nothing of who completes it.
    """
    children = _children(future)
    if children is not None:
        pending = [child for child in children if is_pending(child)]
        exc = not any(_returns_exceptions(child, future) for child in pending)
        need = 0 if exc and _any_failed(children) else len(pending)  # it is about to call back
        return Wait(pending, need, "all_of", exc=exc, made_by="gather")
    for callback, _context in callbacks_of(future):
        if type(callback) is not types.FunctionType:
            continue
        if callback.__code__ is _SHIELD_OUTER:
            return Wait((cell_of(callback, "inner"),), made_by="shield")
        if callback.__code__ is _CHAIN_CANCEL:
            return Wait((cell_of(callback, "source"),), edge="thread", made_by="wrap_future")
    return None


def _children(future: object) -> list[object] | None:
    if type(future) is not _GATHERING:
        return None
    # The exact type, so no property is in between; what a C future is based on shows no `__dict__`.
    children: list[object] = object.__getattribute__(future, "_children")
    return children


def _returns_exceptions(child: object, outer: object) -> bool:
    """Whether `gather(return_exceptions=True)` made `outer`: the callback that each child has says it."""
    for callback, _context in callbacks_of(child):
        if type(callback) is not types.FunctionType or callback.__code__ is not _GATHER_DONE:
            continue
        if cell_of(callback, "outer") is outer:
            return cell_of(callback, "return_exceptions") is True
    return False


_GATHER_DONE = nested_code(tasks.gather, "_done_callback")
_GATHERING: type = tasks._GatheringFuture  # type: ignore[attr-defined]


# Functions of asyncio whose future passes a cancellation on to what it waits for (Lib/asyncio/tasks.py).
_PASSING = ("gather",)


def with_children(future: object) -> list[object]:
    """A future or task, and the others that a future cancels when it is cancelled."""
    found = [future]
    for item in found:
        wait = None if is_task(item) else wait_of_future(item)
        if wait is not None and wait.made_by in _PASSING:
            found += wait.targets
    return found


def cell_of(function: types.FunctionType, name: str) -> object:
    """The value of a variable of the enclosing function; None when there is none."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    try:
        return cells[name].cell_contents
    except (KeyError, ValueError):
        return None
