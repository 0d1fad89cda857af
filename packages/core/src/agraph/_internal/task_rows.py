"""A row for each task: its state, its stack, what it waits for, what it holds."""

from __future__ import annotations

import sys
import types
from asyncio import events, tasks
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.futures import coroutine_of, is_future, is_pending, loop_of, name_of, waiter_of
from agraph._internal.holders import Held, Standing, deadline_of, held_by
from agraph._internal.waits import Wait, wait_of_task
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from agraph._internal.builder import Builder

_HANDLE_RUN = events.Handle._run.__code__
_WAIT_BITS = (1 << 53) - 1


class TaskFacts(NamedTuple):
    """What is known of a task beyond its row.

    Attributes:
        number: The id of its node.
        task: The task.
        waiter: The future it is suspended on, as it was when it was read; None when it is not suspended.
        wait: What that means; None likewise.
        stack: Its suspended frames, outermost first.
        held: What its open blocks hold.
        unread: Whether some block could not be read, so that it may hold more.
    """

    number: int
    task: object
    waiter: object
    wait: Wait | None
    stack: list[Standing]
    held: list[Held]
    unread: bool


class Clock(NamedTuple):
    """What turns a time of a loop into the monotonic clock: 0 but for loops with a clock of their own."""

    offset: float

    def monotonic(self, when: float | None) -> float | None:
        """The time on the monotonic clock."""
        return None if when is None else round(when + self.offset, 6)


def describe_task(builder: Builder, number: int, task: object, running: bool, clock: Clock) -> TaskFacts:
    """Make the row of a task.

    Args:
        builder: The snapshot in the making.
        number: The id of the task's node.
        task: The task.
        running: Whether it is its loop's current task.
        clock: The clock of its loop.

    Returns:
        What else is known of it, for its edges.
    """
    coroutine = coroutine_of(task)
    waiter = waiter_of(task)
    if waiter is not None and is_future(waiter) and not is_pending(waiter):
        waiter = None  # it is about to wake up
    links = chain(coroutine)
    stack = [
        Standing(link.owner, link.frame, *builder.sites.place(link.frame))
        for link in links
        if link.frame is not None
    ]
    places = tuple(standing.site for standing in reversed(stack))
    if running:
        waiter = None
        places = _running_places(builder, stack) or places
    held, unread = held_by(stack) if any(s.blocks.lines or s.blocks.iterates for s in stack) else ([], False)
    wait = None if waiter is None else wait_of_task(links, waiter)
    deadline = _earlier(deadline_of(held), None if wait is None else wait.timer)
    loop = builder.known(loop_of(task))
    builder.put(
        number,
        "task",
        name=name_of(task),
        type=_qualname(coroutine),
        state=_state(coroutine, waiter, running),
        stack=builder.sites.stack(places),
        loop=loop,
        wait=None if waiter is None else _wait_id(task, waiter, deadline),
        key=id(task),
        need=0 if wait is None else wait.need,
        timer=None if wait is None else clock.monotonic(deadline),
        exc=wait is not None and wait.exc,
    )
    return TaskFacts(number, task, waiter, wait, stack, held, unread)


def _state(coroutine: object, waiter: object, running: bool) -> str:
    if running:
        return "running"
    if waiter is not None:
        return "waiting"
    created = (
        type(coroutine) is types.CoroutineType and coroutine.cr_frame is not None and _unstarted(coroutine)
    )
    return "created" if created else "ready"


def _unstarted(coroutine: Any) -> bool:  # noqa: ANN401 - a coroutine
    return not coroutine.cr_suspended and not coroutine.cr_running


def _qualname(coroutine: object) -> str:
    """The function that a task runs; of Cython's coroutines only the type is sure."""
    if type(coroutine) in (types.CoroutineType, types.GeneratorType):
        return str(coroutine.__qualname__)  # type: ignore[attr-defined]
    return type(coroutine).__qualname__


def _earlier(first: float | None, second: float | None) -> float | None:
    return min((when for when in (first, second) if when is not None), default=None)


def _wait_id(task: object, waiter: object, deadline: float | None) -> int:
    """Identity of a wait. Memory is reused, so the deadline of a sleeper in a loop is part of it."""
    return (hash((id(task), id(waiter), deadline)) & _WAIT_BITS) or 1


def _running_places(builder: Builder, stack: list[Standing]) -> tuple[int, ...]:
    """The stack of a running task, innermost first, from the thread that runs it.

    `cr_await` of a running coroutine is None, so its chain is cut; the frames it called are on a thread.
    Frames of agraph itself, when the task is the one that captures, are left out.
    """
    if not stack:
        return ()
    root = stack[0].frame
    for top in sys._current_frames().values():
        places = _places_down_to(root, builder, top)
        if places:
            del top  # it may be the frame of this very call
            return places
    return ()


def _places_down_to(root: types.FrameType, builder: Builder, top: types.FrameType) -> tuple[int, ...]:
    """The stack from `top` to `root`; empty when `root` is not on it."""
    places: list[int] = []
    frame: types.FrameType | None = top
    while frame is not None and frame.f_code is not _HANDLE_RUN:
        if not _is_own(frame):
            places.append(builder.sites.place(frame)[0])
        if frame is root:
            return tuple(places)
        frame = frame.f_back
    return ()


_OWN = __file__.rpartition("task_rows")[0]


def _is_own(frame: types.FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OWN)


def current_tasks(loops: list[Any]) -> set[int]:
    """The `id` of each task that a loop runs right now."""
    found = (tasks.current_task(loop) for loop in loops)
    return {id(task) for task in found if task is not None}
