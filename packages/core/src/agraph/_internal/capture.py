"""What every task of this process waits for, at one moment."""

from __future__ import annotations

import threading
import time
from asyncio import events
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agraph._internal import threads, withs
from agraph._internal.acquired import infer_holders
from agraph._internal.builder import Builder
from agraph._internal.disconnects import note_disconnects
from agraph._internal.discover import find_loops, find_tasks, uvloop_of
from agraph._internal.done_callbacks import note_callbacks
from agraph._internal.futures import still_waits
from agraph._internal.groups import note_parents
from agraph._internal.handles import note_releases
from agraph._internal.holdings import Holdings
from agraph._internal.identity import key_of
from agraph._internal.kinds import module_of, qualname_of
from agraph._internal.letting_go import note_calls
from agraph._internal.model import Capture, Snapshot
from agraph._internal.names import name_resources
from agraph._internal.open_blocks import settle
from agraph._internal.parties import find_parties
from agraph._internal.process import this_process
from agraph._internal.prove_idle import nothing_can_happen
from agraph._internal.resources import UNREADABLE, Resources
from agraph._internal.spans import note_spans
from agraph._internal.steps import read_steps
from agraph._internal.structural import connect_declared
from agraph._internal.task_rows import Facts, LoopFacts, TaskReader, current_tasks
from agraph._internal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.discover import Loop


def take(
    *,
    all_threads: bool,
    max_tasks: int | None,
    max_seconds: float | None,
    prove: bool,
    with_locals: bool,
    busy: float,
) -> Snapshot:
    """What `agraph.capture` returns, for the same arguments. The garbage collector has to be off.

    Args:
        all_threads: See there.
        max_tasks: See there.
        max_seconds: See there.
        prove: See there.
        with_locals: What is called `locals` there.
        busy: What `time.perf_counter` was when the caller began.
    """
    start, start_monotonic = time.time(), time.monotonic()
    work = _Work(
        all_threads=all_threads, max_tasks=max_tasks, max_seconds=max_seconds, with_locals=with_locals
    )
    work.run()
    snapshot, seconds = work.snapshot(start, start_monotonic), work.seconds_left()
    tasks, idle = work.tasks, work.idle
    del work  # it refers to objects of the application, and references are counted now
    if idle:
        from agraph._internal.prove import all_closed  # noqa: PLC0415 - nearly never

        snapshot = all_closed(snapshot)
    if prove:
        from agraph._internal.prove import proved  # noqa: PLC0415 - seldom wanted

        snapshot = proved(snapshot, tasks, seconds)
    return _ended(snapshot, busy)


def _ended(snapshot: Snapshot, busy: float) -> Snapshot:
    pause_ms = round((time.perf_counter() - busy) * 1000, 3)
    ended = replace(snapshot.capture, end=time.time(), end_monotonic=time.monotonic(), pause_ms=pause_ms)
    return replace(snapshot, capture=ended)


# How many tasks are read between two looks at the clock.
_AT_ONCE = 512
_UNKNOWN = (() if withs.works() else ("holders",)) + threads.UNKNOWN
# Steps that only ever find somebody who frees a task after all: they run whatever the time.
_WEAKENING = frozenset({"holders", "handles", "groups", "callbacks"})
# Steps without which less is known, but nothing is taken for certain that is not. What others could not read,
# such as a deadline, might free any task.
_ADDING = frozenset({"resources", "acquires", "spans", "names", "locals", "structural", "parties"})


class _Work:
    """One capture, in the order of its methods."""

    def __init__(
        self, *, all_threads: bool, max_tasks: int | None, max_seconds: float | None, with_locals: bool
    ) -> None:
        self.builder = Builder()
        self._with_locals = with_locals
        self.tasks: list[Any] = []
        self.cut: list[str] = []
        self._unnamed: list[str] = []
        self.unknown: list[str] = []
        self._deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self.moved = 0
        self.consistent = True
        self._max_tasks = max_tasks
        running = events._get_running_loop()
        self._loops = find_loops()
        if not all_threads:
            self._loops = {key: value for key, value in self._loops.items() if value[0] is running}
        others = [loop for loop, thread in self._loops.values() if loop is not running and thread is not None]
        self.where = "loop" if running is not None and not others else "thread"
        self._resources = Resources(self.builder)
        # Before anything is read: if nothing can happen from now on, all of it is true at one moment.
        self.idle = nothing_can_happen(self._loops)

    def run(self) -> None:
        loops = [loop for loop, _thread in self._loops.values()]
        tasks, errors = find_tasks({id(loop): loop for loop in loops})
        for sentence in errors:
            self.builder.error(sentence)
        tasks = self.tasks = self._bounded(tasks)
        loop_facts = self._describe_loops()
        numbers = self.builder.reserve_all(tasks)
        facts = self._describe_tasks(
            numbers, tasks, TaskReader(self.builder, loop_facts, current_tasks(loops))
        )
        if facts.steps:
            self._try("resources", read_steps, self.builder, facts, loop_facts)
        holdings = Holdings(self.builder, self._resources)
        self.unknown += holdings.unknown
        self._try("resources", holdings.rewrite, facts)
        self._connect(facts)
        self._try("holders", settle, self.builder, facts)
        on_threads = threads.Threads(self.builder, self._resources, self._loops)
        try:
            self._try("threads", on_threads.run, facts)
            self._try("handles", note_releases, self.builder, loops, loop_facts)
            self._hold(facts)
            self._try("acquires", infer_holders, self.builder, self._resources, facts)
            self._try("resources", holdings.connect, facts)
            self._try("handles", note_calls, self.builder, loops)
            self._try("groups", note_parents, self.builder, facts)
            self._try("callbacks", note_callbacks, self.builder, facts)
            self._try("callbacks", note_disconnects, self.builder, facts)
            self._try("spans", note_spans, self.builder, facts)
            self._unnamed += self._try("names", name_resources, self.builder, self._resources, facts) or ()
            if self._with_locals:
                self._unnamed += self._note_locals(facts)
            self._try("structural", connect_declared, self.builder, facts, self._resources.plain)
            parties = self._try(
                "parties", find_parties, self.builder, self._resources, facts, loops, loop_facts
            )
            self.cut += parties or ()
            if self.where == "thread":
                self._check(facts)
            for task in facts.unreadable:
                self.builder.error(task.sentence)
        finally:
            self.moved += on_threads.settle()

    def snapshot(self, start: float, start_monotonic: float) -> Snapshot:
        """What was found, as plain data."""
        own = threading.get_ident()
        return Snapshot(
            process=this_process(),
            capture=Capture(
                start=start,
                start_monotonic=start_monotonic,
                where=self.where,
                # Not `current_thread`: in a thread that `threading` does not know it makes an entry for good.
                thread=threads.name_of_thread(threads.thread_objects().get(own), own),
                consistent=self.consistent,
                moved=self.moved,
                complete=not self.cut,
                cut=(*self.cut, *self._unnamed),
                errors=tuple(self.builder.errors),
                unknown=(*_UNKNOWN, *self.unknown),
            ),
            sites=tuple(self.builder.sites.sites),
            stacks=tuple(self.builder.sites.stacks),
            nodes=tuple(filter(None, self.builder.nodes)),
            edges=tuple(self.builder.edges),
            agraph=__version__,
        )

    def seconds_left(self) -> float | None:
        return None if self._deadline is None else self._deadline - time.monotonic()

    def _try(self, fact: str, step: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        """Run a step whose failure, or lack of time, costs only what it would have found."""
        if fact not in _WEAKENING and self._is_late():
            self.cut.append(f"{fact}: the time was up")
            return None
        try:
            return step(*arguments)
        except Exception as error:  # noqa: BLE001 - no exception leaves a capture
            self.builder.error(f"{fact} could not be read: {error!r}")
            self.unknown.append(fact)
            if fact not in _ADDING:
                self.builder.open_all(f"{fact} could not be read")
            return None

    def _connect(self, facts: Facts) -> None:
        try:
            self._resources.connect_tasks(facts)
            self._resources.finish()
        except Exception as error:  # noqa: BLE001 - no exception leaves a capture
            self.builder.error(f"what tasks wait for could not be read: {error!r}")
            for number, wait in zip(facts.numbers, facts.waits, strict=True):
                if wait is not None:  # its edges may be missing, and who waits for nothing waits for ever
                    self.builder.change(number, open=UNREADABLE)

    def _note_locals(self, facts: Facts) -> list[str]:
        from agraph._internal.frame_values import note_locals  # noqa: PLC0415 - seldom wanted

        return self._try("locals", note_locals, self.builder, facts) or []

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _hold(self, facts: Facts) -> None:
        for position, held in facts.held.items():
            for one in held:
                self._resources.hold(facts.numbers[position], one)
        unread = bool(facts.unread or facts.unreadable)
        every = not self.cut and not self.builder.errors and not unread
        self._resources.hand_over(every_holder_is_known=every)

    def _bounded(self, tasks: list[Any]) -> list[Any]:
        if self._max_tasks is None or len(tasks) <= self._max_tasks:
            return tasks
        self.cut.append(
            f"{len(tasks) - self._max_tasks:,} of {len(tasks):,} tasks: max_tasks is {self._max_tasks:,}"
        )
        return tasks[: self._max_tasks]

    def _describe_loops(self) -> dict[int, LoopFacts]:
        objects = threads.thread_objects()
        facts: dict[int, LoopFacts] = {}
        for loop, thread in self._loops.values():
            number = self.builder.reserve(loop)
            state = "stopped" if thread is None else "running"
            name = "" if thread is None else threads.name_of_thread(objects.get(thread), thread)
            kind = f"{module_of(type(loop))}.{qualname_of(type(loop))}"
            self.builder.put(number, "loop", name=name, type=kind, state=state, key=key_of(loop))
            facts[id(loop)] = LoopFacts(number, _offset_of(loop))
        return facts

    def _describe_tasks(self, numbers: list[int], tasks: list[Any], reader: TaskReader) -> Facts:
        for start in range(0, len(tasks), _AT_ONCE):
            if self._is_late():
                self._leave_out(numbers[start:], tasks[start:])
                break
            reader.read_all(numbers[start : start + _AT_ONCE], tasks[start : start + _AT_ONCE])
        return reader.facts

    def _leave_out(self, numbers: list[int], tasks: list[Any]) -> None:
        self.cut.append(f"{len(tasks):,} tasks: the time was up")
        for number, task in zip(numbers, tasks, strict=True):
            self.builder.put(number, "task", state="unknown", open="the time was up", key=key_of(task))

    def _check(self, facts: Facts) -> None:
        """Read again who waits for what: one that moved meanwhile can proceed, the others stood still.

        All waits that are the same before and after were there together in between: a consistent cut.
        """
        try:
            for number, task, waiter in zip(facts.numbers, facts.tasks, facts.waiters, strict=True):
                if waiter is not None and not still_waits(task, waiter):
                    self._note_move(number)
            # That one could not be read is no matter when it has moved meanwhile.
            for one in list(facts.unreadable):
                if one.waiter is None or not still_waits(one.task, one.waiter):
                    self._note_move(one.number)
                    facts.unreadable.remove(one)
        except Exception as error:  # noqa: BLE001 - no exception leaves a capture
            self.consistent = False
            self.builder.error(f"whether tasks moved could not be read: {error!r}")

    def _note_move(self, number: int) -> None:
        self.moved += 1
        self.builder.change(number, state="ready", need=0, open="")


def _offset_of(loop: Loop) -> float:
    """Loops of asyncio run on the monotonic clock; that of uvloop is another, in the same seconds."""
    base = uvloop_of(loop)
    return 0.0 if base is None else time.monotonic() - float(base.time(loop))
