"""A thread that ends a phase of a test when it takes too long."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from agraph._internal.testing.ending import cancel, loop_run_by, main_task_of
from agraph._internal.testing.report import report_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from agraph._internal.discover import Task

# How long a loop may take for one turn, a test to clean up after each time it is cancelled (what cleans up
# may hang in its turn), and a thread to notice a signal.
_TURN_SECONDS = 1.0
_CLEAN_UP_SECONDS = (5.0, 2.0)
_NOTICE_SECONDS = 10.0
_MAX_FRAMES = 12
# Who hangs again and again in one phase, in each of many finalizers say, is given up at last.
_MAX_ROUNDS = 5

# Ignored by default, so that one that comes too late does no harm; hardly anything else uses it. Windows has
# no `pthread_kill`.
_SIGNAL = getattr(signal, "SIGURG", None) if hasattr(signal, "pthread_kill") else None

# Modules and packages whose frames say nothing about a test.
_AROUND = (
    *("_pytest", "pluggy", "pytest_asyncio", "anyio", "xdist", "execnet", "agraph"),
    *("asyncio", "concurrent.futures", "selectors", "threading", "unittest"),
)


class Watch:
    """Ends what a thread does if it takes longer than allowed. To be made and closed by that thread.

    First from outside, without disturbing it, a snapshot is taken and reported on. Then the test is ended:

    1. If its loop turns, the task that runs the test is cancelled, so that it can clean up; and again, if it
       takes too long for that: a test that is left on a loop that others use would hang there among them.
    2. If that does not help, because the loop is blocked or the test does not care, a signal is sent to the
       thread, whose handler raises an exception: also out of `time.sleep`, `lock.acquire` or a busy loop.
    3. If not even that helps (a call into C that never returns), `give_up` is called.

    Attributes:
        what: What is watched, a word.
        seconds: After how many seconds.
        text: The report, once there is one.
        ended: Whether the test was interfered with. It is set by the watched thread alone, so a test that
            ends by itself in the last moment has not been ended.
        task: The task to cancel, where known; whoever sets it turns the CancelledError into another.
        place: Where in the program its thread was, if no loop of it turned.
    """

    def __init__(
        self,
        what: str,
        seconds: float,
        error: Callable[[Watch], BaseException],
        give_up: Callable[[Watch], None],
        *,
        may_cancel: bool = True,
    ) -> None:
        """Begin to watch the calling thread.

        Args:
            what: `setup`, `test` or `teardown`.
            seconds: After how many seconds to end what it does.
            error: Makes the exception to raise in it.
            give_up: Called, in another thread, when it cannot be ended.
            may_cancel: Whether to cancel the main task of a loop where no task is known.
        """
        self.what = what
        self.seconds = seconds
        self.text = ""
        self.ended = False
        self.task: Task | None = None
        self.place = ""
        self._error = error
        self._give_up = give_up
        self._may_cancel = may_cancel
        self._watched = threading.get_ident()
        self._over = False
        self._due = False
        self._asked = False
        self._moved = threading.Event()
        self._turned = threading.Event()
        self._previous: Any = None
        self._signal = _SIGNAL if threading.current_thread() is threading.main_thread() else None
        if self._signal is not None:
            self._previous = signal.signal(self._signal, self._on_signal)
        self._thread = threading.Thread(target=self._run, name="agraph-timeout", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End nothing any more. Any thread may call it."""
        self._over = True
        self._moved.set()

    def close(self) -> None:
        """Stop, and leave nothing behind. What has not been ended by now will not be."""
        self.stop()
        if self._signal is not None:
            signal.signal(self._signal, self._previous or signal.SIG_DFL)
            self._signal = None
        self._thread.join(0.5)

    def goes_on(self) -> None:
        """Say that what hung has ended; what follows has the same time again."""
        self.task = None
        self._moved.set()

    def _run(self) -> None:
        for _ in range(_MAX_ROUNDS):
            while not self._over and self._wait(self.seconds):
                pass
            if self._over:
                return
            self.text = report_now()
            self._due = True
            if not (self._cancels_at_last() or self._raises() or self._over):
                break
            self._due = False
        if not self._over:
            self._give_up(self)

    def _wait(self, seconds: float) -> bool:
        """Wait until something moved, or for so long; say whether it did."""
        moved = self._moved.wait(seconds)
        self._moved.clear()
        return moved

    def _cancels_at_last(self) -> bool:
        for seconds in _CLEAN_UP_SECONDS:
            if self._cancels(seconds):
                return True
            if not self._asked or self._over:
                return False
        return False

    def _cancels(self, seconds: float) -> bool:
        self._asked = False
        self._turned.clear()
        try:
            known = self._may_cancel or self.task is not None
            loop = loop_run_by(self._watched) if known and not self._over else None
            handle = loop.call_soon_threadsafe(self._cancel) if loop is not None else None
        except Exception:  # noqa: BLE001 - a loop closed meanwhile, or of a strange kind: the signal is left
            return False
        if handle is None:
            return False
        if not self._turned.wait(_TURN_SECONDS):
            handle.cancel()
            return False
        return (self._asked or self._moved.is_set()) and self._wait(seconds)

    def _cancel(self) -> None:
        """On the loop, in the watched thread."""
        loop = loop_run_by(self._watched)
        main = main_task_of(loop) if loop is not None and self._may_cancel else None
        task = self.task or main
        due = self._due and not self._over and not self._moved.is_set()
        self._asked = due and task is not None and not task.done()
        self._turned.set()
        if self._asked and task is not None:
            self.ended = True
            cancel(task)

    def _raises(self) -> bool:
        number = self._signal
        if number is None or self._over:
            return False
        signal.pthread_kill(self._watched, number)
        return self._wait(_NOTICE_SECONDS)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """In the watched thread, in the middle of whatever it does."""
        if self._due and not self._over:
            self._due = False
            self.ended = True
            if not self._turned.is_set():
                self.place = _told(frame)
            self._moved.set()
            raise self._error(self)
        if callable(self._previous):
            self._previous(number, frame)


def _told(frame: FrameType | None) -> str:
    """The frames of the program, without those of pytest, its plugins and asyncio around them."""
    files = [sys.modules[name].__file__ for name in _AROUND if name in sys.modules]
    around = tuple(file.removesuffix("__init__.py") for file in files if file)
    stack = traceback.extract_stack(frame)
    runner = next((index for index, one in enumerate(stack) if one.filename.startswith(around)), 0)
    told = [one for one in stack[runner:] if not one.filename.startswith(around)]
    return "".join(traceback.format_list(told[-_MAX_FRAMES:]))
