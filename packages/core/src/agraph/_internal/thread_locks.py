"""Who holds the `threading` locks that threads wait for: a task across an `await`, or another thread."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from agraph._internal.blocking import LOCK, RLOCK, owner_of
from agraph._internal.futures import instance_dict
from agraph._internal.live_frames import follow, live_locals, open_withs
from agraph._internal.model import Site
from agraph._internal.releases import may_have_released
from agraph._internal.resources import NOT_SURE
from agraph._internal.source import Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from types import CodeType, FrameType

    from agraph._internal.builder import Builder
    from agraph._internal.holders import Held
    from agraph._internal.task_rows import TaskFacts

INFERRED = "its holder is inferred from the source"


class LockHolders:
    """Makes the edges from locks of threads to their holders."""

    def __init__(self, builder: Builder, frames: dict[int, FrameType], thread: Callable[[int], int]) -> None:
        """Start with no lock.

        Args:
            builder: The snapshot in the making.
            frames: The innermost frame of every thread, by thread.
            thread: What makes the row of a thread, and returns its number.
        """
        self._builder = builder
        self._frames = frames
        self._thread = thread
        self._sources = Sources()
        self._ahead: dict[int, tuple[int, object]] = {}

    def add(self, number: int, lock: object) -> None:
        """Note a lock that a thread waits for."""
        self._ahead[id(lock)] = number, lock

    def find(self, facts: Iterable[TaskFacts]) -> None:
        """Find who holds the locks added since the last time.

        A task or the owner of a re-entrant lock is exact. A `with` of a running thread is known by the name
        that its code gives to the lock, so it is probable.
        """
        wanted, self._ahead = self._ahead, {}
        for fact in facts if wanted else ():
            for item in fact.held:
                self._by_task(wanted, fact.number, item)
        for key, (number, lock) in list(wanted.items()):
            owner = owner_of(lock)
            if owner in self._frames:
                self._hold(number, self._thread(owner))
                del wanted[key]
        for ident, top in list(self._frames.items()) if wanted else ():
            for lock, code, line in _locks_of_stack(top, self._sources, wanted):
                if id(lock) in wanted:
                    self._hold(wanted[id(lock)][0], self._thread(ident), _site(code, line), INFERRED)

    def _by_task(self, wanted: dict[int, tuple[int, object]], task: int, held: Held) -> None:
        for lock in _locks_behind(held.manager):
            if id(lock) in wanted:
                doubt = "" if held.sure else NOT_SURE
                self._hold(wanted.pop(id(lock))[0], task, _site(held.code, held.line), doubt)

    def _hold(self, lock: int, holder: int, site: Site | None = None, doubt: str = "") -> None:
        index = None if site is None else self._builder.sites.site(site)
        self._builder.edge(lock, holder, "held_by", "probable" if doubt else "exact", index)
        self._builder.change(lock, open=doubt)


def _site(code: CodeType, line: int) -> Site:
    return Site(code.co_filename, code.co_qualname, line)


def _locks_of_stack(
    top: FrameType, sources: Sources, wanted: Container[int]
) -> Iterator[tuple[object, CodeType, int]]:
    """The locks of the open `with` blocks of a running stack that are wanted, each with its code and line.

    Left out are those that `Condition.wait` has given back, and those that a function may have released.
    """
    inner: list[FrameType] = []
    waited: list[object] = []
    frame: FrameType | None = top
    while frame is not None:
        if frame.f_code is _CONDITION_WAIT:
            waited += _locks_behind(live_locals(frame).get("self"))
        for path, line in open_withs(frame):
            for lock in _locks_behind(follow(path, frame)):
                if id(lock) not in wanted or any(lock is one for one in waited):
                    continue
                if not may_have_released(sources, frame, None, lock, line) and not any(
                    may_have_released(sources, one, None, lock) for one in inner
                ):
                    yield lock, frame.f_code, line
        if frame.f_code.co_filename not in _LIBRARY:
            inner.append(frame)
        frame = frame.f_back


# What these release they have taken themselves, but for `Condition.wait`.
_CONDITION_WAIT = threading.Condition.wait.__code__
_LIBRARY = frozenset({_CONDITION_WAIT.co_filename, queue.Queue.get.__code__.co_filename})


def _locks_behind(manager: object) -> tuple[object, ...]:
    kind = type(manager)
    if kind is LOCK or kind is RLOCK:
        return (manager,)
    if issubclass(kind, threading.Condition):
        return (instance_dict(manager, threading.Condition).get("_lock"),)
    return ()
