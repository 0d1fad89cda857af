"""What a suspended task waits for: its `_fut_waiter`, seen through the function of asyncio that made it.

The innermost frame says which function that is, by its code; the arguments that matter are found by type
among the referents of its coroutine (never by name: see frame_locals.py for what reading names costs). A
future that is not understood stays a plain future: unknown is never read as known.
"""

from __future__ import annotations

import asyncio
import gc
import types
from asyncio import base_subprocess, events, locks, queues, staggered, streams, taskgroups, tasks
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.futures import callbacks_of, instance_dict, is_future, is_pending
from agraph._internal.nested import nested_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph._internal.model import EdgeKind
    from agraph._internal.walk import Link


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


_Chain = list["Link"]


def first_of(owner: object, *kinds: type) -> Any:  # noqa: ANN401 - one of `kinds`, or None
    """The first object of one of these types that a suspended coroutine refers to: `self` comes first."""
    return next((item for item in gc.get_referents(owner) if issubclass(type(item), kinds)), None)


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
    handle = next((item for item in values if type(item) is events.TimerHandle), None)
    return None if handle is None or handle.cancelled() else handle.when()


# ---- resources: the operation by the code of the frame, the resource by its type


def _resource(kind: type, node_kind: str, operation: str = "") -> Any:  # noqa: ANN401 - a handler
    def handler(chain: _Chain, _waiter: object) -> Wait | None:
        owner = first_of(chain[-1].owner, kind)
        if owner is None:
            return None
        edge: EdgeKind = "lock" if node_kind in ("lock", "semaphore") else "await"
        return Wait((Part(owner, node_kind, operation),), edge=edge)

    return handler


def _event(chain: _Chain, _waiter: object) -> Wait | None:
    """An Event, or what is built on one: `Queue.join`."""
    if len(chain) > 1 and _code(chain[-2]) is queues.Queue.join.__code__:
        queue = first_of(chain[-2].owner, queues.Queue)
        if queue is not None:
            return Wait((Part(queue, "queue", "join"),))
    event = first_of(chain[-1].owner, locks.Event)
    return None if event is None else Wait((Part(event, "event"),))


def _condition(chain: _Chain, _waiter: object) -> Wait | None:
    """A Condition, or what is built on one: a Barrier."""
    for link in reversed(chain[:-1]):
        if _code(link) not in _BARRIER_CODES and _code(link) is not locks.Condition.wait_for.__code__:
            break
        barrier = first_of(link.owner, locks.Barrier)
        if barrier is not None:
            return Wait((Part(barrier, "barrier"),))
    condition = first_of(chain[-1].owner, locks.Condition)
    return None if condition is None else Wait((Part(condition, "condition"),))


_BARRIER_CODES = frozenset(
    function.__code__
    for name in ("wait", "_block", "_wait", "__aenter__")
    if isinstance(function := vars(locks.Barrier).get(name), types.FunctionType)
)

# ---- composition


def _wait(chain: _Chain, _waiter: object) -> Wait | None:
    """`asyncio.wait`: FIRST_COMPLETED is any of, the others all of."""
    values = values_in(chain[-1].owner)
    members = next((item for item in values if type(item) is set), None)
    if members is None:
        return None
    pending = [member for member in members if is_future(member) and is_pending(member)]
    timer = _timer_in(values)
    words = {item for item in values if type(item) is str}
    # The first of a race that wins cancels the others; up to 3.13 the race waits for all with `wait`.
    raced = len(chain) > 2 and _code(chain[-3]) is staggered.staggered_race.__code__
    if tasks.FIRST_COMPLETED in words or raced:
        return Wait(pending, 1, "any_of", timer=timer, made_by="staggered_race" if raced else "wait")
    exc = tasks.FIRST_EXCEPTION in words
    return Wait(pending, len(pending), "all_of", exc=exc, timer=timer, made_by="wait")


def _wait_for(chain: _Chain, waiter: object) -> Wait | None:
    """`wait_for` up to 3.11 and `_cancel_and_wait`: a private future that the real one completes."""
    values = values_in(chain[-1].owner)
    inner = next((item for item in values if item is not waiter and is_future(item)), None)
    return None if inner is None else Wait((inner,), timer=_timer_in(values), made_by="wait_for")


def _task_group(chain: _Chain, waiter: object) -> Wait | None:
    group = first_of(chain[-1].owner, taskgroups.TaskGroup)
    if group is None:
        return None
    state = instance_dict(group, taskgroups.TaskGroup)
    if state.get("_on_completed_fut") is not waiter:
        return None
    children = [child for child in state.get("_tasks", ()) if is_pending(child)]
    return Wait(children, len(children), "all_of", exc=True, made_by="TaskGroup")


def _as_completed(chain: _Chain, _waiter: object) -> Wait | None:
    """A step of `as_completed` waits at a private queue that whichever is done next fills."""
    if len(chain) > 1 and _code(chain[-2]) in _AS_COMPLETED_STEPS:
        members = _members_of_as_completed(chain)
        if members is None:
            return None
        pending = [member for member in members if is_future(member) and is_pending(member)]
        return Wait(pending, 1, "any_of", made_by="as_completed")
    queue = first_of(chain[-1].owner, queues.Queue)
    return None if queue is None else Wait((Part(queue, "queue", "get"),))


def _members_of_as_completed(chain: _Chain) -> Any:  # noqa: ANN401 - a set of futures, or None
    step = chain[-2].owner
    if _AS_COMPLETED_CLASS is not None:
        iterator = first_of(step, _AS_COMPLETED_CLASS)
        return None if iterator is None else instance_dict(iterator, _AS_COMPLETED_CLASS).get("_todo")
    # Up to 3.12 the members are in a cell of the generator that the loop of the caller stands on.
    for link in reversed(chain[:-2]):
        for item in gc.get_referents(link.owner):
            if type(item) is types.GeneratorType and item.gi_code is tasks.as_completed.__code__:
                return next((value for value in values_in(item) if type(value) is set), None)
    return None


_AS_COMPLETED_CLASS: type | None = getattr(tasks, "_AsCompletedIterator", None)
_AS_COMPLETED_STEPS = frozenset(
    code
    for code in (
        nested_code(tasks.as_completed, "_wait_for_one"),
        getattr(vars(_AS_COMPLETED_CLASS or object).get("_wait_for_one"), "__code__", None),
    )
    if code is not None
)


def _race(chain: _Chain, _waiter: object) -> Wait | None:
    """`staggered_race` of newer versions: any of the racers completes its future."""
    values = values_in(chain[-1].owner)
    members = next((item for item in values if type(item) is set), None)
    if not members or not all(is_future(member) for member in members):
        return None
    pending = [member for member in members if is_pending(member)]
    return Wait(pending, 1, "any_of", made_by="staggered_race")


# ---- the outside world


def _sleep(chain: _Chain, _waiter: object) -> Wait | None:
    timer = _timer_in(values_in(chain[-1].owner))
    return None if timer is None else Wait((), 1, timer=timer, made_by="sleep")


def _stream(chain: _Chain, _waiter: object) -> Wait | None:
    reader = first_of(chain[-1].owner, streams.StreamReader)
    if reader is None:
        return None
    transport = instance_dict(reader, streams.StreamReader).get("_transport")
    return Wait((Part(transport, "io", "read"),)) if transport is not None else None


def _drain(chain: _Chain, _waiter: object) -> Wait | None:
    protocol = first_of(chain[-1].owner, streams.FlowControlMixin)
    if protocol is None:
        return None
    transport = instance_dict(protocol, streams.FlowControlMixin).get("_transport")
    return Wait((Part(protocol if transport is None else transport, "io", "drain"),))


def _child_process(chain: _Chain, _waiter: object) -> Wait | None:
    transport = first_of(chain[-1].owner, base_subprocess.BaseSubprocessTransport)
    return None if transport is None else Wait((Part(transport, "io", "wait"),))


def _socket(operation: str) -> Any:  # noqa: ANN401 - a handler
    import socket  # noqa: PLC0415 - asyncio has imported it

    def handler(chain: _Chain, _waiter: object) -> Wait | None:
        sock = first_of(chain[-1].owner, socket.socket)
        return None if sock is None else Wait((Part(sock, "io", operation),))

    return handler


def _code(link: Link) -> types.CodeType | None:
    return None if link.frame is None else link.frame.f_code


def _handlers() -> dict[types.CodeType, Any]:
    """The handler for each function of this version of asyncio, by its code."""
    aexit = vars(taskgroups.TaskGroup).get("_aexit") or taskgroups.TaskGroup.__aexit__
    loop = asyncio.selector_events.BaseSelectorEventLoop
    by_function: list[tuple[Any, Any]] = [
        (locks.Lock.acquire, _resource(locks.Lock, "lock")),
        (locks.Semaphore.acquire, _resource(locks.Semaphore, "semaphore")),
        (locks.Event.wait, _event),
        (locks.Condition.wait, _condition),
        (queues.Queue.get, _as_completed),
        (queues.Queue.put, _resource(queues.Queue, "queue", "put")),
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
        function.__code__: handler
        for function, handler in by_function
        if isinstance(function, types.FunctionType)
    }


# By identity, as the hash of a code object reads all its constants; the functions keep their codes alive.
_HANDLERS = {id(code): handler for code, handler in _handlers().items()}
_SHIELD_OUTER = nested_code(tasks.shield, "_outer_done_callback")
_CHAIN_CANCEL = nested_code(asyncio.futures._chain_future, "_call_check_cancel")  # type: ignore[attr-defined]


def wait_of_task(chain: _Chain, waiter: object) -> Wait:
    """What a task waits for.

    Args:
        chain: The chain of its coroutine (walk.py), not empty.
        waiter: Its `_fut_waiter`, not done.

    Returns:
        The wait; of the plain future itself where no function of asyncio is known to have made it.
    """
    frame = chain[-1].frame if chain else None
    handler = _HANDLERS.get(id(frame.f_code)) if frame is not None else None
    found: Wait | None = handler(chain, waiter) if handler is not None else None
    return found or Wait((waiter,))


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
        return Wait(pending, len(pending), "all_of", exc=exc, made_by="gather")
    for callback, _context in callbacks_of(future):
        if type(callback) is not types.FunctionType:
            continue
        if callback.__code__ is _SHIELD_OUTER:
            return Wait((_cell(callback, "inner"),), made_by="shield")
        if callback.__code__ is _CHAIN_CANCEL:
            return Wait((_cell(callback, "source"),), edge="thread", made_by="wrap_future")
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
        if _cell(callback, "outer") is outer:
            return _cell(callback, "return_exceptions") is True
    return False


_GATHER_DONE = nested_code(tasks.gather, "_done_callback")
_GATHERING: type = tasks._GatheringFuture  # type: ignore[attr-defined]


def _cell(function: types.FunctionType, name: str) -> object:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    try:
        return cells[name].cell_contents
    except (KeyError, ValueError):
        return None
