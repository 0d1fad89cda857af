"""The free first check: a loop that waits in its selector for nothing at all never calls anything again.

Then everything that still waits waits for ever, whoever could reach it. That is only said of asyncio's own
selector loop, in a process in which no code but ours runs beside it.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
import types
from pathlib import Path
from typing import TYPE_CHECKING

from agraph._internal.discover import frames_of
from agraph._internal.futures import instance_dict
from agraph._internal.loop_threads import is_idle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agraph._internal.discover import Loop

_OURS = str(Path(__file__).parent.parent) + os.sep
_ON_SIGINT = vars(asyncio.Runner).get("_on_sigint")


def nothing_can_happen(loops: Mapping[int, tuple[Loop, int | None]]) -> bool:
    """Whether no task can ever go on, because nothing is left that could wake the loop.

    What is not seen is taken not to be there: threads without a frame of Python that call
    `call_soon_threadsafe`, and finalizers of objects that are garbage.

    Args:
        loops: The loops of this process, as `find_loops` returns them.

    Returns:
        Whether this was so when it was called; then it stays so.
    """
    running = [(loop, thread) for loop, thread in loops.values() if thread is not None]
    if len(running) != 1:  # loops that do not run are no matter: no thread is left to run them
        return False
    ((loop, thread),) = running
    if type(loop) is not asyncio.SelectorEventLoop:
        return False
    return _waits_for_nothing(loop) and _is_alone(loop, thread) and not _catches_signals()


def _waits_for_nothing(loop: Loop) -> bool:
    """Whether a loop has nothing to call, no timer, and no descriptor but that of its self-pipe."""
    state = instance_dict(loop, asyncio.BaseEventLoop)
    try:
        registered = list(state["_selector"].get_map())
        own = state["_ssock"].fileno()
        called = state["_ready"] or state["_signal_handlers"] or state["_stopping"]
        timers = any(not handle.cancelled() for handle in list(state["_scheduled"]))
    except (KeyError, AttributeError, TypeError, RuntimeError):
        return False  # another version keeps it elsewhere, or it was changed meanwhile
    return registered == [own] and not called and not timers


def _is_alone(loop: Loop, thread: int) -> bool:
    """Whether the thread of a loop waits in the selector, and every other one is ours."""
    own = threading.get_ident()
    stacks = sys._current_frames()
    try:
        return all(
            _stands_idle(top, loop, is_current=ident == own) if ident == thread else _is_our_thread(top)
            for ident, top in stacks.items()
        )
    finally:
        stacks.clear()  # the frame of this very call is in there, and would keep itself alive


def _is_our_thread(top: types.FrameType) -> bool:
    """Whether what a thread was started with is ours."""
    codes = [frame.f_code for frame in frames_of(top)]
    targets = [code for code in codes if code.co_filename != threading.__file__]
    return bool(targets) and targets[-1].co_filename.startswith(_OURS)


def _stands_idle(top: types.FrameType, loop: Loop, *, is_current: bool) -> bool:
    """Whether a thread waits in the selector of its loop, signal handlers of ours aside."""
    frame: types.FrameType | None = top
    while is_current and frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame is not None and is_idle(frame, loop)


def _catches_signals() -> bool:
    """Whether a signal would run code of the program: any but Ctrl-C, which ends it, and our own."""
    return any(not _is_harmless(signal.getsignal(number)) for number in signal.valid_signals())


def _is_harmless(handler: object) -> bool:
    if handler is None or isinstance(handler, signal.Handlers) or handler is signal.default_int_handler:
        return True
    if type(handler) is functools.partial:
        handler = handler.func
        if type(handler) is types.MethodType and handler.__func__ is _ON_SIGINT:
            return True
    if type(handler) is types.MethodType:
        handler = handler.__func__
    return type(handler) is types.FunctionType and handler.__code__.co_filename.startswith(_OURS)
