"""Asyncio futures that the thread of a library completes: anyio's `to_thread.run_sync`, and aiosqlite.

Their worker threads have the future in a local variable while they work for it. Only looked for when the
library is already imported. Read from anyio 4.16 (WorkerThread.run) and aiosqlite 0.22 and 0.17
(_connection_worker_thread, before that Connection.run); of another version nothing is found.
"""

from __future__ import annotations

import gc
import queue
import sys
import types
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.futures import is_future, is_pending
from agraph._internal.live_frames import live_locals

if TYPE_CHECKING:
    from types import FrameType

_FUNCTIONS = (
    ("anyio._backends._asyncio", ("WorkerThread", "run")),
    ("aiosqlite.core", ("_connection_worker_thread",)),
    ("aiosqlite.core", ("Connection", "run")),
)


class Worker(NamedTuple):
    """The thread that completes a future.

    Attributes:
        thread: Its identifier.
        queued: Whether it has other work before that.
    """

    thread: int
    queued: bool


def futures_of_workers(frames: dict[int, FrameType]) -> dict[int, Worker]:
    """The asyncio futures that threads of libraries will complete.

    Args:
        frames: The innermost frame of every thread, by thread.

    Returns:
        By the `id` of the future, which is pending.
    """
    codes = {id(code) for module, names in _FUNCTIONS if (code := _code_of(module, names)) is not None}
    found: dict[int, Worker] = {}
    for ident, top in frames.items() if codes else ():
        frame: FrameType | None = top
        while frame is not None:
            if id(frame.f_code) in codes:
                values = live_locals(frame)
                for future in _queued_in(values.get("tx")):
                    found[id(future)] = Worker(ident, queued=True)
                if is_future(values.get("future")) and is_pending(values["future"]):
                    found[id(values["future"])] = Worker(ident, queued=False)
            frame = frame.f_back
    return found


def _code_of(module: str, names: tuple[str, ...]) -> types.CodeType | None:
    found: object = sys.modules.get(module)
    for name in names:
        found = getattr(found, name, None)
    return found.__code__ if type(found) is types.FunctionType else None


def _queued_in(work: object) -> list[object]:
    """The futures in the queue of aiosqlite, each in a pair with what is to be called."""
    if type(work) is not queue.SimpleQueue:
        return []
    items = gc.get_referents(work)
    items += [
        inner for item in items if type(item) is list for inner in item
    ]  # up to 3.12 they are in a list
    return [item[0] for item in items if type(item) is tuple and item and is_future(item[0])]
