"""Threads that tasks wait for, and loops whose thread is blocked.

Read after the tasks: from every concurrent future that something waits for to who completes it, and from each
thread to what blocks it, until nothing new turns up.
"""

from __future__ import annotations

import sys
import threading
import time
from asyncio import tasks
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal import blocking, executors
from agraph._internal.blocking import blocked_in, interrupted_wait, is_locked
from agraph._internal.crossing import NOBODY, Crossing
from agraph._internal.futures import instance_dict
from agraph._internal.identity import key_of
from agraph._internal.impatient import note_impatient
from agraph._internal.kinds import module_of, qualname_of
from agraph._internal.library_threads import futures_of_workers
from agraph._internal.loop_threads import blocks_loop, is_idle, runs_unseen, thread_by_task
from agraph._internal.resources import UNREADABLE
from agraph._internal.thread_locks import LockHolders
from agraph._internal.waits import Part, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from agraph._internal.blocking import Blocked
    from agraph._internal.builder import Builder
    from agraph._internal.discover import Loop
    from agraph._internal.library_threads import Worker
    from agraph._internal.resources import Resources
    from agraph._internal.task_rows import TaskFacts

_OPEN = {
    "event": "whoever has the event may set it",
    "condition": "whoever has the condition may notify",
    "queue": "whoever has the queue may get, put or call task_done",
    "barrier": "whoever has the barrier may arrive",
    "lock": "its holder is not known",
    "semaphore": "whoever has the semaphore may release it",
}
# Facts that this interpreter does not let us read, one word each.
UNKNOWN = (() if blocking.works() else ("threads",)) + (() if executors.works() else ("executors",))
_OWN = __file__.rpartition("threads")[0]


class _Claim(NamedTuple):
    """A thread that is said to be blocked."""

    ident: int
    number: int
    top: FrameType
    lasti: int
    blocked: Blocked


class _BlockedLoop(NamedTuple):
    """A loop that is said to be blocked."""

    number: int
    ident: int
    loop: Loop
    task: object
    task_number: int | None


class Threads:
    """The part of a capture that is about threads."""

    def __init__(
        self, builder: Builder, resources: Resources, loops: dict[int, tuple[Loop, int | None]]
    ) -> None:
        """Read where each thread stands.

        Args:
            builder: The snapshot in the making.
            resources: What makes the rows of futures, and knows what was waited for so far.
            loops: What `find_loops` found.
        """
        self._builder = builder
        self._resources = resources
        self._loops = loops
        self._frames = sys._current_frames()
        # The thread that captures runs; unless it is a signal handler that does, while the thread is blocked.
        self._own = threading.get_ident()
        interrupted = interrupted_wait(self._frames[self._own])
        if interrupted is not None:
            self._frames[self._own] = interrupted
            self._own = 0
        self._objects = thread_objects()
        self._numbers: dict[int, int] = {}
        self._claims: list[_Claim] = []
        self._blocked_loops: list[_BlockedLoop] = []
        self._connected = 0
        self._looked = self._looked_at_plain = 0
        self._workers: dict[int, Worker] | None = None
        known_loops = [loop for loop, _ident in loops.values()]
        self._crossing = Crossing(builder, resources, known_loops, self._frames, self._thread)
        self._holders = LockHolders(builder, self._frames, self._thread)

    def run(self, facts: Sequence[TaskFacts]) -> None:
        """Make the rows and edges.

        Args:
            facts: What is known of the tasks.
        """
        for loop, ident in self._loops.values():
            self._describe_loop(loop, ident)
        while self._step():
            self._holders.find(facts)
        note_impatient(self._builder, self._frames.values())
        for claim in self._claims:
            if claim.number not in self._builder.leading:  # who waits for nothing waits for ever
                self._builder.change(claim.number, open=UNREADABLE)

    def settle(self) -> int:
        """Look again, and take back what was said of threads that have moved meanwhile.

        Returns:
            How many have moved.
        """
        try:
            return self._take_back(self._moved())
        except Exception as error:  # noqa: BLE001 - then none of them counts as blocked
            self._builder.error(f"whether threads moved could not be read: {error!r}")
            return self._take_back({claim.ident for claim in self._claims})
        finally:
            # One of the frames is that of the caller: it would keep all of this alive.
            self._frames.clear()
            self._claims.clear()
            self._blocked_loops.clear()
            # They know this object by a method of it: only a collection would end such a ring.
            del self._crossing, self._holders

    def _moved(self) -> set[int]:
        """The threads that stand elsewhere now, or whose loop runs another task."""
        if any(claim.blocked.name for claim in self._claims):
            time.sleep(0.001)  # a thread that was just given its lock needs a moment to go on
        now = sys._current_frames() if self._claims else {}
        now[threading.get_ident()] = self._frames[threading.get_ident()]  # it cannot have moved
        moved = {claim.ident for claim in self._claims if not _stands(claim, now.get(claim.ident))}
        now.clear()
        return moved | {
            blocked.ident
            for blocked in self._blocked_loops
            if tasks.current_task(blocked.loop) is not blocked.task
        }

    def _take_back(self, moved: set[int]) -> int:
        for claim in self._claims:
            if claim.ident in moved:
                self._builder.change(claim.number, state="running", need=0, timer=None)
        for blocked in self._blocked_loops:
            if blocked.ident in moved:
                self._builder.change(blocked.number, state="running", need=0)
                if blocked.task_number is not None:
                    self._builder.change(blocked.task_number, state="running", need=0)
        return len(moved)

    # ---- rows

    def _describe_loop(self, loop: Loop, ident: int | None) -> None:
        number = self._builder.known(loop)
        ident = thread_by_task(loop, self._frames) if ident is None else ident
        top = None if ident is None else self._frames.get(ident)
        if number is None or ident is None or top is None:
            if number is not None and runs_unseen(loop):
                self._builder.change(number, state="running")
            return
        self._builder.change(number, name=name_of_thread(self._objects.get(ident), ident))
        if ident == self._own or is_idle(top, loop):
            self._builder.change(number, state="running" if ident == self._own else "idle")
            return
        thread = self._thread(ident)
        if not any(claim.number == thread for claim in self._claims) or not blocks_loop(top, loop):
            self._builder.change(number, state="running")
            return
        self._builder.change(number, state="blocked", need=1)
        self._builder.edge(number, thread, "thread")
        task = tasks.current_task(loop)
        task_number = None if task is None else self._builder.known(task)
        if task_number is not None:
            self._builder.change(task_number, state="waiting", need=1)
            self._builder.edge(task_number, thread, "thread")
        self._blocked_loops.append(_BlockedLoop(number, ident, loop, task, task_number))

    def _thread(self, ident: int) -> int:
        """The row of a thread; the edges of what blocks it are made by `_step`."""
        number = self._numbers.get(ident)
        if number is not None:
            return number
        number = self._numbers[ident] = self._builder.reserve(self._objects.get(ident, object()))
        top = self._frames.get(ident)
        blocked = None if top is None or ident == self._own else self._read(ident, top)
        if blocked is not None and top is not None:
            self._claims.append(_Claim(ident, number, top, top.f_lasti, blocked))
        self._builder.put(
            number,
            "thread",
            name=name_of_thread(self._objects.get(ident), ident),
            state="running" if blocked is None else "blocked",
            stack=self._stack(top),
            key=ident,
            need=0 if blocked is None else blocked.need,
            timer=None if blocked is None or blocked.until is None else round(blocked.until, 6),
            exc=blocked is not None and blocked.exc,
            detail=None if blocked is None else {"operation": blocked.operation},
        )
        return number

    def _read(self, ident: int, top: FrameType) -> Blocked | None:
        try:
            return blocked_in(ident, top)
        except Exception as error:  # noqa: BLE001 - costs what blocks this thread, and nothing else
            self._builder.error(f"what a thread waits for could not be read: {error!r}")
            return None

    def _stack(self, top: FrameType | None) -> int | None:
        places = []
        frame = top
        while frame is not None:
            if not frame.f_code.co_filename.startswith(_OWN):
                places.append(self._builder.sites.place(frame)[0])
            frame = frame.f_back
        return self._builder.sites.stack(tuple(places))

    # ---- edges

    def _step(self) -> bool:
        """Follow what turned up last; whether there was anything."""
        self._resources.finish()
        waited = list(islice(self._resources.waited.items(), self._looked, None))
        claims = self._claims[self._connected :]
        self._looked, self._connected = self._looked + len(waited), self._connected + len(claims)
        for claim in claims:
            self._connect(claim)
        futures = [(number, part.owner) for number, part in waited if part.kind == "work_item"]
        for number, future in futures:
            try:
                self._crossing.complete(number, future)
            except Exception as error:  # noqa: BLE001 - costs who completes this future, and nothing else
                self._builder.error(f"who completes a concurrent future could not be read: {error!r}")
                self._builder.change(number, need=1, open=NOBODY)
        self._ask_libraries()
        # It may have found threads, and they may be blocked.
        return bool(claims or futures) or len(self._claims) > self._connected

    def _ask_libraries(self) -> None:
        """Connect the futures that the threads of libraries complete."""
        plain = list(islice(self._resources.plain.items(), self._looked_at_plain, None))
        self._looked_at_plain += len(plain)
        if plain and self._workers is None:
            self._workers = futures_of_workers(self._frames)
        for number, future in plain if self._workers else ():
            worker = (self._workers or {}).get(id(future))
            if worker is not None:
                self._builder.change(number, open="", state="queued" if worker.queued else "pending")
                self._builder.edge(number, self._thread(worker.thread), "thread")

    def _connect(self, claim: _Claim) -> None:
        blocked = claim.blocked
        for target in blocked.targets:
            if type(target) is Part:
                number = self._part(target, blocked.name)
            elif issubclass(type(target), threading.Thread):
                number = self._thread(instance_dict(target, threading.Thread)["_ident"])
            else:
                self._resources.connect(claim.number, Wait((target,), edge=blocked.edge))
                continue
            self._builder.edge(claim.number, number, blocked.edge, blocked.confidence)

    def _part(self, part: Part, name: str) -> int:
        number = self._builder.known(part.owner, part.operation)
        if number is not None:
            return number
        number = self._builder.reserve(part.owner, part.operation)
        kind: Any = part.kind
        kind_of_owner = type(part.owner)
        self._builder.put(
            number,
            kind,
            name=name,
            type=f"{module_of(kind_of_owner).lstrip('_')}.{qualname_of(kind_of_owner)}",
            state="locked" if kind == "lock" else "pending",
            key=key_of(part.owner),
            need=1,
            open=_OPEN[part.kind],
            detail={"operation": part.operation} if part.operation else None,
        )
        if kind == "lock":
            self._holders.add(number, part.owner)
        else:
            self._resources.waited[number] = part
        return number


def _stands(claim: _Claim, top: FrameType | None) -> bool:
    gate = claim.blocked.gate
    return top is claim.top and top.f_lasti == claim.lasti and (gate is None or is_locked(gate))


def thread_objects() -> dict[int, threading.Thread]:
    """The threads, without the lock of `threading.enumerate`: a blocked thread may hold it."""
    return dict(getattr(threading, "_active", {}))


def name_of_thread(thread: threading.Thread | None, ident: int) -> str:
    """The name of a thread, past a property of a subclass; a number where there is none."""
    name = None if thread is None else instance_dict(thread, threading.Thread).get("_name")
    return name if type(name) is str else f"thread {ident}"
