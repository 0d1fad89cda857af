"""Whether the loops turn: a beat is sent into each, and has to come out."""

from __future__ import annotations

import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from agraph._internal.discover import _loops_on_threads, _thread_of, find_loops
from agraph._internal.loop_threads import runs_unseen

if TYPE_CHECKING:
    from agraph._internal.discover import Loop

_FULL_SEARCH_S = 10.0
# A search may take this share of one processor at most.
SHARE = 0.01


class LoopFinder:
    """Finds the loops that run, without the cost of a full search each time."""

    def __init__(self) -> None:
        self._known: dict[int, weakref.ref[Loop]] = {}
        self._next_search = 0.0

    def running(self, now: float) -> dict[int, tuple[Loop, int | None]]:
        """The loops that run, by `id`, each with its thread; None where that shows nowhere.

        Args:
            now: The time on the clock of the watchdog.
        """
        if now < self._next_search:
            found = _loops_on_threads()
            for key, ref in self._known.items():
                loop = ref()
                if loop is not None and key not in found:
                    found[key] = loop, _thread_of(loop)
        else:
            began = time.thread_time()
            found = dict(find_loops())
            self._next_search = now + max(_FULL_SEARCH_S, (time.thread_time() - began) / SHARE)
            self._known = {}
            for key, (loop, _thread) in found.items():
                with suppress(TypeError):
                    self._known[key] = weakref.ref(loop)
        return {
            key: (loop, thread)
            for key, (loop, thread) in found.items()
            if thread is not None or runs_unseen(loop)
        }


class Beat:
    """A call on its way through a loop.

    Attributes:
        loop: The loop.
        sent: When it was sent, on the clock of the watchdog.
        answered: Whether the loop has made the call.
        told: Whether it was reported that it has not.
    """

    __slots__ = ("answered", "loop", "sent", "told")

    def __init__(self, loop: weakref.ref[Loop], sent: float) -> None:
        self.loop = loop
        self.sent = sent
        self.answered = False
        self.told = False

    def answer(self) -> None:
        """What the loop calls."""
        self.answered = True


class Turning:
    """The beats of all loops."""

    def __init__(self, after: float) -> None:
        """Start without any.

        Args:
            after: After how many seconds without an answer a loop counts as hung.
        """
        self._after = after
        self._beats: dict[int, Beat] = {}

    def late(self, loops: dict[int, tuple[Loop, int | None]], now: float) -> list[tuple[Beat, int | None]]:
        """Send a beat to each loop that has answered the last one.

        Args:
            loops: The loops that run, by `id`, each with its thread.
            now: The time on the clock of the watchdog.

        Returns:
            The beats that are late and were not told of yet, each with the thread of its loop.
        """
        late: list[tuple[Beat, int | None]] = []
        kept: dict[int, Beat] = {}
        for key, (loop, thread) in loops.items():
            beat = self._beats.get(key)
            if beat is None or beat.answered or beat.loop() is not loop:
                beat = _send(loop, now)
            elif now - beat.sent >= self._after and not beat.told:
                late.append((beat, thread))
            if beat is not None:
                kept[key] = beat
        self._beats = kept
        return late


def _send(loop: Loop, now: float) -> Beat | None:
    try:
        beat = Beat(weakref.ref(loop), now)
        loop.call_soon_threadsafe(beat.answer)
    except (RuntimeError, TypeError):  # it was closed just now; a loop that cannot be referred to weakly
        return None
    return beat
