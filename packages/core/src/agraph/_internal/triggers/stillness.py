"""Which tasks have not moved for how long, looked at again and again at little cost.

A task has not moved if it is suspended on the very future that it was suspended on before. Nothing of the
application is kept alive between two looks: a future is remembered by a weak reference, since its address may
be that of another one by then.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from agraph._internal import waits
from agraph._internal.futures import coroutine_of, is_future, is_pending, waiter_of
from agraph._internal.identity import key_of
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from collections.abc import Iterable

# A wait is looked at closely when it is old enough, and again each time its age has doubled.
_GROWTH = 2.0
_SOCKET_OPERATIONS = tuple(code for code in waits._READERS if code.co_name.startswith("sock_"))
_OUTSIDE = (waits._sleep, waits._stream, waits._drain, waits._child_process)
_HARMLESS = frozenset(code for code, reader in waits._READERS.items() if reader in _OUTSIDE).union(
    _SOCKET_OPERATIONS
)


class _Wait:
    """One task's wait.

    Attributes:
        ref: What it waits for.
        since: Since when, on the clock of the watchdog, as far as it has been seen.
        due: At which age it is to be looked at closely.
    """

    __slots__ = ("due", "ref", "since")

    def __init__(self, ref: weakref.ref[object], since: float, due: float) -> None:
        self.ref = ref
        self.since = since
        self.due = due


class Stillness:
    """What the watchdog knows of the waits of all tasks."""

    def __init__(self, after: float) -> None:
        """Start without knowing any.

        Args:
            after: At which age, in seconds, a wait is looked at closely for the first time.
        """
        self._after = after
        self._waits: dict[int, _Wait] = {}

    def look(self, tasks: Iterable[object], now: float) -> bool:
        """Look at all tasks.

        Args:
            tasks: The tasks that are not done.
            now: The time on the clock of the watchdog.

        Returns:
            Whether waits are old enough to be looked at closely, and of a kind that can be for ever.
        """
        before, after = self._waits, {}
        wanted = False
        for task in tasks:
            waiter = waiter_of(task)
            if waiter is None:
                continue
            key = key_of(task)
            wait = before.get(key)
            if wait is None or wait.ref() is not waiter:
                try:
                    wait = _Wait(weakref.ref(waiter), now, self._after)
                except TypeError:  # an awaitable of somebody's own
                    continue
            elif now - wait.since >= wait.due:
                if is_future(waiter) and is_pending(waiter) and not _waits_outside(task):
                    wanted = True
                else:
                    wait.due *= _GROWTH
            after[key] = wait
        self._waits = after
        return wanted

    def still(self, now: float) -> set[int]:
        """The keys of the tasks that have not moved for long enough.

        Args:
            now: The time on the clock of the watchdog.
        """
        return {key for key, wait in self._waits.items() if now - wait.since >= self._after}

    def seen(self, now: float) -> None:
        """Do not ask for a close look at the same waits again before they are twice as old.

        Args:
            now: The time on the clock of the watchdog.
        """
        for wait in self._waits.values():
            age = now - wait.since
            if age >= wait.due:
                wait.due = age * _GROWTH


def _waits_outside(task: object) -> bool:
    """Whether a task sleeps, or waits for the outside world: that is no party to a deadlock."""
    links = chain(coroutine_of(task))
    frame = links[-1].frame if links else None
    return frame is not None and frame.f_code in _HARMLESS
