"""How a loop stands to its thread: whether it is idle, was called by it, or is held up by what it called."""

from __future__ import annotations

import asyncio
import selectors
import types
from asyncio import events, tasks
from typing import TYPE_CHECKING

from agraph._internal.discover import _RUN_FOREVER, _RUNNER_RUN, _loop_run_by, uvloop_of
from agraph._internal.futures import instance_dict, root_frame_of

if TYPE_CHECKING:
    from agraph._internal.discover import Loop

_HANDLE_RUN = events.Handle._run.__code__
_RUN_ONCE = asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]
_SELECTS = tuple(
    function.__code__
    for kind in vars(selectors).values()
    if isinstance(function := getattr(kind, "select", None), types.FunctionType)
)


def is_idle(top: types.FrameType, loop: Loop) -> bool:
    """Whether a loop of asyncio waits in its selector, with nothing to call.

    Args:
        top: The innermost frame of its thread.
        loop: The loop.
    """
    outer = top.f_back
    if outer is None or outer.f_code is not _RUN_ONCE or not _is_stock(loop):
        return False
    selects = any(top.f_code is code for code in _SELECTS)
    return selects and not instance_dict(loop, asyncio.BaseEventLoop).get("_ready")


def blocks_loop(top: types.FrameType, loop: Loop) -> bool:
    """Whether what a thread is blocked in was called by its loop, and is not the way the loop waits itself.

    Args:
        top: The innermost frame of the blocked thread.
        loop: The loop that it runs.
    """
    frame: types.FrameType | None = top
    while frame is not None:
        code = frame.f_code
        if code is _HANDLE_RUN:
            return True
        if code is _RUN_FOREVER:
            return False
        if code is _RUNNER_RUN and _loop_run_by(frame) is loop:
            break
        frame = frame.f_back
    # The loop of uvloop has no frames: whatever stands on its thread was called by it.
    return uvloop_of(loop) is not None and (frame is not None or tasks.current_task(loop) is not None)


def thread_by_task(loop: Loop, frames: dict[int, types.FrameType]) -> int | None:
    """The thread that runs the current task of a loop of C code; None when that is nowhere to be seen.

    Args:
        loop: The loop.
        frames: The innermost frame of every thread, by thread.
    """
    if uvloop_of(loop) is None:
        return None
    root = root_frame_of(tasks.current_task(loop))
    for ident, top in frames.items() if root is not None else ():
        frame: types.FrameType | None = top
        while frame is not None:
            if frame is root:
                return ident
            frame = frame.f_back
    return None


def runs_unseen(loop: Loop) -> bool:
    """Whether a loop of uvloop runs, though no frame of Python shows on which thread."""
    base = uvloop_of(loop)
    return base is not None and bool(base.is_running(loop))


def _is_stock(loop: Loop) -> bool:
    return issubclass(type(loop), asyncio.BaseEventLoop)
