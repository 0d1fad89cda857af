"""A signal that asks for a snapshot.

CPython runs a handler in the main thread, between two bytecodes of any code: that may hold any lock. So the
handler only puts something into a queue (`SimpleQueue.put` may interrupt itself: Modules/_queuemodule.c), and
a thread that waits for it does the work.
"""

from __future__ import annotations

import queue
import signal
import threading
from typing import TYPE_CHECKING

from agraph._internal.discover import find_loops
from agraph._internal.triggers.say import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object] | int | None

_LOOK_S = 1.0
_MAX_LOOK_S = 60.0
# A program that sets a handler of its own may do so before its loop runs.
_LOOKS_BEFORE_TELLING = 5


class SignalTrigger:
    """Takes one signal over and passes it on to the handler that was there."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._handler = self._handle
        # What was there when we came first, or came back: the last is the newest.
        self._previous: list[Handler] = []
        self._depth = 0
        self._active = False

    def start(self, act: Callable[[], None]) -> None:
        """Start the thread that does the work; in the child of a fork again.

        Args:
            act: What to do when the signal comes; one call at a time.
        """
        self._act = act
        self._calls: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lost = 0
        self._look_s = _LOOK_S
        self._active = True
        self._thread = threading.Thread(target=self._serve, name="agraph-signal", daemon=True)
        self._thread.start()

    def take_over(self) -> None:
        """Set our handler in place of the one that is there; only the main thread may."""
        if self._active and not self._is_ours():
            self._previous.append(signal.getsignal(self.number))
            signal.signal(self.number, self._handler)

    def stop(self) -> None:
        """Give the signal back. Outside of the main thread the handler stays, and only passes on."""
        self._active = False
        self._calls.put(False)
        if threading.current_thread() is threading.main_thread() and self._is_ours():
            previous = self._previous[-1]
            signal.signal(self.number, signal.SIG_DFL if previous is None else previous)
        self._thread.join(timeout=1)

    def _is_ours(self) -> bool:
        return signal.getsignal(self.number) == self._handler

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # A handler that we pass on to may itself pass on to us, whom it has replaced: then it is the turn of
        # the one before it.
        if self._depth == 0 and self._active:
            self._calls.put(True)
        self._depth += 1
        try:
            position = len(self._previous) - self._depth
            previous = self._previous[position] if position >= 0 else None
            if callable(previous):
                previous(number, frame)
        finally:
            self._depth -= 1

    def _serve(self) -> None:
        calls = self._calls
        while True:
            try:
                wanted = calls.get(timeout=self._look_s)
            except queue.Empty:
                self._come_back()
                continue
            # Signals that came meanwhile want the same snapshot.
            while wanted and not calls.empty():
                wanted = calls.get()
            if not wanted:
                return
            self._act()

    def _come_back(self) -> None:
        """Take the signal over again after a handler was set in place of ours; that one is called after ours.

        Only the main thread may, so its loop is asked to.
        """
        if self._is_ours() or not self._active:
            self._lost, self._look_s = 0, _LOOK_S
            return
        self._lost += 1
        main = threading.main_thread().ident
        for loop, thread in find_loops().values():
            if thread == main:
                loop.call_soon_threadsafe(self.take_over)
                return
        if self._lost == _LOOKS_BEFORE_TELLING:
            name = signal.Signals(self.number).name if self.number in set(signal.Signals) else self.number
            say(f"the program has set a handler of its own for {name}; no snapshot is taken at that signal")
        if self._lost >= _LOOKS_BEFORE_TELLING:
            self._look_s = min(self._look_s * 2, _MAX_LOOK_S)
