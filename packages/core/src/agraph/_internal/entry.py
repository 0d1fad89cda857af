"""`agraph.capture()`: small, so that what a capture needs is imported by the first one, and in its pause."""

from __future__ import annotations

import gc
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.model import Snapshot


def capture(
    *,
    all_threads: bool = True,
    max_tasks: int | None = None,
    max_seconds: float | None = None,
    prove: bool = False,
    locals: bool = False,  # noqa: A002 - the name that the interpreter has for them
) -> Snapshot:
    """Take a snapshot of this process: what every task waits for, and who holds what they wait for.

    Call it from anywhere: from a task, a callback, another thread, with the loop blocked. Nothing of the
    application runs, is changed or is kept alive.

    What it needs is imported by the first call. A finalizer at the end of the process may come too late for
    that, and so may a signal handler that interrupts an import: then call `agraph.install` before, or this.

    Args:
        all_threads: Whether to include the loops of other threads.
        max_tasks: How many tasks to describe at most; None for all. What is left out is said in
            `Snapshot.capture.cut`.
        max_seconds: About how many seconds to take at most; None for as many as it needs. What is left out
            then is said in the same place.
        prove: Whether to find out which events, queues, futures and the like can be freed by nobody any
            more, as only stuck tasks can reach them. They are `open` otherwise, and tasks that wait for them
            never `certain`. It takes at most about 5 seconds, in `Capture.pause_ms` with the rest.
        locals: Whether to add the local variables of waiting tasks, as `locals` in `Node.detail`: a line for
            each frame of the program, with numbers and short texts as they are, and of everything else the
            type. Passwords and the like are then in the snapshot, if they are in variables.

    Returns:
        The snapshot. What could not be read is said in `Snapshot.capture.errors`.
    """
    busy = time.perf_counter()
    # A collection would run finalizers of the application in the middle, and costs as much as the capture.
    # The import alone could set one off, and stuck tasks that only one another know are garbage.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _take()(
            all_threads=all_threads,
            max_tasks=max_tasks,
            max_seconds=max_seconds,
            prove=prove,
            with_locals=locals,
            busy=busy,
        )
    finally:
        if collects:
            gc.enable()


@cache
def _take() -> Callable[..., Snapshot]:
    """Imported once: at the very end of a process even what is imported already cannot be any more."""
    from agraph._internal.capture import take  # noqa: PLC0415 - `import agraph` needs none of it

    return take
