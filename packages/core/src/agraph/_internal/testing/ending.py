"""End what a thread's event loop runs, from another thread."""

from __future__ import annotations

from asyncio import base_events
from typing import TYPE_CHECKING, Any

from agraph._internal.discover import find_loops, find_tasks
from agraph._internal.entry import capture
from agraph._internal.futures import callbacks_of, is_future, loop_of, waiter_of
from agraph._internal.identity import key_of
from agraph._internal.reduction.judge import judge

if TYPE_CHECKING:
    from agraph._internal.discover import Loop, Task

_STOP_THE_LOOP: object = base_events._run_until_complete_cb  # type: ignore[attr-defined]


def loop_run_by(thread: int) -> Loop | None:
    """The event loop that a thread runs now.

    Args:
        thread: The identifier of the thread.

    Returns:
        The loop; None when it runs none.
    """
    return next((loop for loop, runner in find_loops().values() if runner == thread), None)


def main_task_of(loop: Loop) -> Task | None:
    """The task that `run_until_complete` runs, known by the callback that it adds.

    That is `_run_until_complete_cb` of Lib/asyncio/base_events.py (3.11 to 3.15), and `done_cb` in
    `Loop.run_until_complete` of uvloop's loop.pyx (0.22 and 0.23).

    Args:
        loop: A loop that runs.

    Returns:
        The task; None if the loop runs for ever, or until a plain future is done.
    """
    tasks, _ = find_tasks({id(loop): loop})
    return next((task for task in tasks if any(map(_stops_the_loop, callbacks_of(task)))), None)


def _stops_the_loop(entry: tuple[object, object]) -> bool:
    callback = entry[0]
    name = getattr(callback, "__qualname__", "")
    return callback is _STOP_THE_LOOP or name == "run_until_complete.<locals>.done_cb"


def cancel(task: Task) -> None:
    """Cancel a task, on its own loop, even if it waits in a ring of tasks that await each other.

    `Task.cancel` passes the cancellation on to what the task awaits, and in a ring that never ends: it raises
    a RecursionError and nothing is cancelled (Lib/asyncio/tasks.py and Modules/_asynciomodule.c, 3.11 to
    3.15). Then one task of each ring is woken as if what it awaits had been cancelled, and so the ring opens.

    Args:
        task: The task.
    """
    try:
        task.cancel("agraph: the test hangs")
    except RecursionError:
        loop = loop_of(task)
        tasks, _ = find_tasks({id(loop): loop})
        by_key = {key_of(one): one for one in tasks}
        for deadlock in judge(capture()).deadlocks:
            members = (by_key.get(node.key or 0) for node in deadlock.members if node.kind == "task")
            ring = next((one for one in members if one is not None), None)
            if ring is not None:
                _wake_cancelled(ring, loop)


def _wake_cancelled(task: Task, loop: Loop) -> None:
    """Let a task go on with a CancelledError, whatever it waits for.

    The wakeup of a task is a done callback of what it awaits. It takes the future that is done, and throws
    that future's exception into the coroutine.
    """
    awaited: Any = waiter_of(task)
    if not is_future(awaited):
        return
    for wakeup, context in callbacks_of(awaited):
        if getattr(wakeup, "__self__", None) is task:
            awaited.remove_done_callback(wakeup)
            cancelled = loop.create_future()
            cancelled.cancel("agraph: the test hangs in a ring of tasks")
            wake: Any = wakeup
            loop.call_soon(wake, cancelled, context=context)  # type: ignore[arg-type]
            return


def uncancel(task: Task | None) -> None:
    """Take all cancellations of a task back, for one that goes on: anyio runs several tests in one task."""
    while task is not None and task.cancelling():
        task.uncancel()
