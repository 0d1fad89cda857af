"""A thread that notices when a loop no longer turns, or tasks of a deadlock no longer move."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from agraph._internal.discover import find_tasks
from agraph._internal.triggers.incidents import incidents
from agraph._internal.triggers.report import count_of, reason_of
from agraph._internal.triggers.stillness import Stillness
from agraph._internal.triggers.turning import SHARE, LoopFinder, Turning

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.discover import Loop
    from agraph._internal.model import Snapshot
    from agraph._internal.triggers.report import Reporter

_MAX_ROUND_S = 1.0
_MAX_GAP_S = 3600.0
_MAX_REMEMBERED = 1000
_MAX_SENTENCES = 3


class Watchdog:
    """Looks at the loops and tasks of this process, and writes one snapshot an incident."""

    def __init__(self, after: float, take: Callable[[], Snapshot], reporter: Reporter) -> None:
        """Prepare.

        Args:
            after: After how many seconds something that does not move is looked at closely.
            take: What takes a snapshot.
            reporter: What writes it.
        """
        self._after = after
        self._take = take
        self._reporter = reporter
        self._round_s = min(_MAX_ROUND_S, after / 4)
        self._stop = threading.Event()
        self._finder = LoopFinder()
        self._turning = Turning(after)
        self._stillness = Stillness(after)
        self._gate = Gate(after)
        self._told: dict[object, None] = {}
        self._now = 0.0
        self._last: float | None = None
        self._next_look = 0.0
        self._next_capture = 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="agraph-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        self.tick(time.monotonic())
        while not self._stop.wait(self._round_s):
            self.tick(time.monotonic())
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - the program goes on, and so do we
                self._reporter.complain(f"the watchdog could not look: {reason_of(error)}")

    def tick(self, now: float) -> None:
        """Let our own clock go on.

        It stands still while the whole process does (SIGSTOP, a C call that keeps the GIL): that is not the
        fault of any loop.

        Args:
            now: The time on the monotonic clock, in seconds.
        """
        if self._last is not None:
            self._now += min(now - self._last, 2 * self._round_s)
        self._last = now

    def _round(self) -> None:
        loops = self._finder.running(self._now)
        self._look_for_hung_loops(loops)
        if self._now >= self._next_look:
            began = time.thread_time()
            tasks, _errors = find_tasks({key: loop for key, (loop, _thread) in loops.items()})
            wanted = self._stillness.look(tasks, self._now)
            del tasks
            self._next_look = self._now + (time.thread_time() - began) / SHARE
            if wanted and self._now >= self._next_capture and self._gate.is_open(self._now):
                self._look_closely()

    def _look_for_hung_loops(self, loops: dict[int, tuple[Loop, int | None]]) -> None:
        late = self._turning.late(loops, self._now)
        if not late or not self._gate.is_open(self._now):
            return
        snapshot = self._take()
        sentences = []
        for beat, thread in late:
            if not beat.answered:  # it may have been while we looked
                beat.told = True
                where = f"the event loop of {_name_of(thread)}" if thread is not None else "an event loop"
                sentences.append(f"{where} has not turned for {self._now - beat.sent:.1f} s")
        if sentences:
            # What holds the loop up may be a deadlock that the tasks behind it are part of: it is told now.
            self._write(snapshot, [*sentences, *self._new(snapshot, None)])

    def _look_closely(self) -> None:
        still = self._stillness.still(self._now)
        began = time.thread_time()
        snapshot = self._take()
        sentences = self._new(snapshot, still)
        self._stillness.seen(self._now)
        self._next_capture = self._now + max(self._after / 2, (time.thread_time() - began) / SHARE)
        if sentences:
            self._write(snapshot, sentences)

    def _new(self, snapshot: Snapshot, still: set[int] | None) -> list[str]:
        """The incidents in a snapshot that were not told of before, in words."""
        new = [one for one in incidents(snapshot, still) if one.waits not in self._told]
        for incident in new:
            self._told[incident.waits] = None
        while len(self._told) > _MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        return [incident.sentence for incident in new]

    def _write(self, snapshot: Snapshot, sentences: list[str]) -> None:
        shown = "; ".join(sentences[:_MAX_SENTENCES])
        more = f"; {len(sentences) - _MAX_SENTENCES} more" if len(sentences) > _MAX_SENTENCES else ""
        self._reporter.write(snapshot, f"{shown}{more}; {count_of(snapshot)} in all")
        self._gate.passed(self._now)


class Gate:
    """Lets the first incident through at once, and those that follow at growing intervals.

    The gap starts with `stall_after`, doubles with each file up to an hour, and is back at its start after a
    time without incidents that is ten times as long.
    """

    def __init__(self, first_gap_s: float) -> None:
        self._first_gap_s = self._gap_s = first_gap_s
        self._last: float | None = None

    def is_open(self, now: float) -> bool:
        """Whether a file may be written.

        Args:
            now: The time on the clock of the watchdog.
        """
        return self._last is None or now - self._last >= self._gap_s

    def passed(self, now: float) -> None:
        """A file was written.

        Args:
            now: The time on the clock of the watchdog.
        """
        if self._last is not None:
            quiet = now - self._last >= 10 * self._gap_s
            self._gap_s = self._first_gap_s if quiet else min(self._gap_s * 2, _MAX_GAP_S)
        self._last = now


def _name_of(thread: int) -> str:
    return next((f"thread {one.name}" for one in threading.enumerate() if one.ident == thread), "a thread")
