"""Threads that wait for a task with a timeout, and may cancel it then: `future.result(5)`, `future.cancel()`.

So do the calls of synchronous code into a loop of another thread. Cancelling the concurrent future that
`run_coroutine_threadsafe` has given cancels the task (`_chain_future` in Lib/asyncio/futures.py).
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from agraph._internal.crossing import source_of
from agraph._internal.done_callbacks import says_cancel
from agraph._internal.futures import is_task
from agraph._internal.live_frames import live_locals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from agraph._internal.builder import Builder

_RESULTS = (Future.result.__code__, Future.exception.__code__)
_MAY_CANCEL = "a thread that waits for it with a timeout may cancel it then"
# The caller of `result`, and those of a helper that passes the timeout on.
_CALLERS = 3


def note_impatient(builder: Builder, tops: Iterable[FrameType]) -> None:
    """Tell of tasks that a thread may cancel soon.

    Args:
        builder: The snapshot in the making, with the rows of the tasks.
        tops: The innermost frame of every thread.
    """
    for top in tops:
        waits = top.f_back
        if waits is None or waits.f_code not in _RESULTS:
            continue
        values = live_locals(waits)
        future = values.get("self")
        if values.get("timeout") is None or not issubclass(type(future), Future):
            continue
        if any(says_cancel(frame.f_code) for frame in _callers(waits)):
            _open(builder, source_of(future))


def _open(builder: Builder, task: object) -> None:
    number = builder.known(task) if is_task(task) else None
    node = None if number is None else builder.nodes[number]
    if node is not None and node.need and node.timer is None:
        builder.open(node.id, _MAY_CANCEL)


def _callers(frame: FrameType) -> Iterator[FrameType]:
    for _ in range(_CALLERS):
        if frame.f_back is None:
            break
        frame = frame.f_back
        yield frame
