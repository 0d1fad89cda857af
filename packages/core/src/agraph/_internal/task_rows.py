"""A row for each task: its state, its stack, what it waits for, what it holds.

A hundred thousand tasks stand in a handful of ways. So what follows from where a task stands (the interned
stack, which function of asyncio it waits in, whether blocks are open) is found once for each way.
"""

from __future__ import annotations

import sys
import types
from asyncio import events, tasks
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.builder import new_row
from agraph._internal.futures import coroutine_of, read_task
from agraph._internal.holders import Held, Standing, deadline_of, held_by
from agraph._internal.identity import key_of, wait_id
from agraph._internal.model import Node
from agraph._internal.waits import reader_of
from agraph._internal.walk import FUTURE_ITERATORS, chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.sites import Sites
    from agraph._internal.waits import SureReader, Wait

_HANDLE_RUN = events.Handle._run.__code__
_NOTHING: list[Held] = []
_UNREAD = "one of its open blocks could not be read, and may end with a timeout"
# Functions that pass a cancellation on to all that the task waits for.
_DETAILS = {name: {"made_by": name} for name in ("TaskGroup", "staggered_race")}


class TaskFacts(NamedTuple):
    """What is known of a task beyond its row.

    Attributes:
        number: The id of its node.
        task: The task.
        waiter: The future it is suspended on, as it was when it was read; None when it is not suspended.
        wait: What that means; None likewise.
        held: What its open blocks hold.
        unread: Whether some block could not be read, so that it may hold more.
        sites: The tables of places.
    """

    number: int
    task: object
    waiter: object
    wait: Wait | None
    held: list[Held]
    unread: bool
    sites: Sites

    @property
    def stack(self) -> list[Standing]:
        """Its suspended frames, outermost first, read anew: kept for every task they would cost too much."""
        return standing_in(self.sites, coroutine_of(self.task))


class LoopFacts(NamedTuple):
    """A loop: the id of its node, and what turns its times into those of the monotonic clock."""

    number: int
    offset: float


class _Way(NamedTuple):
    """What follows from where a task stands."""

    stack: int | None
    reader: SureReader
    has_blocks: bool


def standing_in(sites: Sites, coroutine: object) -> list[Standing]:
    """The suspended frames of a coroutine, outermost first."""
    return [
        Standing(link.owner, link.frame, *sites.place(link.frame))
        for link in chain(coroutine)
        if link.frame is not None
    ]


class TaskReader:
    """Reads tasks, one after the other, into rows."""

    def __init__(self, builder: Builder, loops: Mapping[int, LoopFacts], running: set[int]) -> None:
        """Prepare.

        Args:
            builder: The snapshot in the making.
            loops: The loops, by `id` of the loop.
            running: The `id` of each task that a loop runs right now.
        """
        self._builder = builder
        self._loops = loops
        self._running = running
        self._ways: dict[tuple[int, ...], _Way] = {}

    def read(self, number: int, task: object) -> TaskFacts:
        """Make the row of a task.

        Args:
            number: The id of its node.
            task: The task.

        Returns:
            What else is known of it, for its edges.
        """
        coroutine, waiter, name, loop = read_task(task)
        loop_facts = self._loops[id(loop)]
        way, inner = self._way(coroutine)
        stack, held, unread = way.stack, _NOTHING, False
        if way.has_blocks:
            held, unread = held_by(standing_in(self._builder.sites, coroutine))
        running = id(task) in self._running
        if running:
            stack = self._running_stack(coroutine, way)
        if running or waiter is None:
            state = "running" if running else _state_of(coroutine)
            waiter = wait = number_of_wait = timer = None
            need, exc = 0, False
        else:
            state = "waiting"
            wait = way.reader(inner, coroutine, waiter)
            need, exc = wait.need, wait.exc
            timer = wait.timer if not held else _earlier(wait.timer, deadline_of(held))
            number_of_wait = wait_id(task, waiter, timer)
            if timer is not None:
                timer = round(timer + loop_facts.offset, 3)
        kind = _qualname(coroutine)
        key = key_of(task)
        unknown = _UNREAD if unread else ""
        row = (number, "task", name, kind, state, stack, loop_facts.number, None, number_of_wait, key, need)
        detail = _DETAILS.get(wait.made_by) if wait is not None else None
        self._builder.nodes[number] = new_row(Node, (*row, timer, unknown, exc, detail))
        facts: TaskFacts = new_row(TaskFacts, (number, task, waiter, wait, held, unread, self._builder.sites))
        return facts

    def _way(self, coroutine: object) -> tuple[_Way, object]:
        """How a task stands, and its innermost coroutine."""
        codes: list[int] = []
        add = codes.append
        owner: Any = coroutine
        inner: object = None
        while type(owner) is types.CoroutineType:
            frame = owner.cr_frame
            if frame is None:
                break
            add(id(frame.f_code))
            add(frame.f_lasti)
            inner = owner
            owner = owner.cr_await
            # Only chains that end: one that goes round is for walk.py, and so is any that is this deep.
            if len(codes) > 400:
                break
        if owner is not None and type(owner) not in FUTURE_ITERATORS:
            return self._way_of_any(coroutine)
        way = self._ways.get(key := tuple(codes))
        if way is None:
            # The stack that is interned for the way keeps its codes alive, and so the key valid.
            way, inner = self._way_of_any(coroutine)
            self._ways[key] = way
        return way, inner

    def _way_of_any(self, coroutine: object) -> tuple[_Way, object]:
        sites = self._builder.sites
        stack = standing_in(sites, coroutine)
        way = _Way(
            sites.stack(tuple(standing.site for standing in reversed(stack))),
            reader_of([standing.frame.f_code for standing in stack]),
            any(standing.blocks.lines or standing.blocks.iterates for standing in stack),
        )
        return way, stack[-1].owner if stack else None

    def _running_stack(self, coroutine: object, way: _Way) -> int | None:
        """The stack of a running task, from the thread that runs it.

        `cr_await` of a running coroutine is None, so its chain is cut; the frames it called are on a thread.
        Frames of agraph itself, when the task is the one that captures, are left out.
        """
        root = getattr(coroutine, "cr_frame", None) if type(coroutine) is types.CoroutineType else None
        if root is None:
            return way.stack
        for top in sys._current_frames().values():
            places = _places_down_to(root, self._builder.sites, top)
            if places:
                del top  # it may be the frame of this very call
                return self._builder.sites.stack(places)
        return way.stack


def _places_down_to(root: types.FrameType, sites: Sites, top: types.FrameType) -> tuple[int, ...]:
    """The stack from `top` to `root`; empty when `root` is not on it."""
    places: list[int] = []
    frame: types.FrameType | None = top
    while frame is not None and frame.f_code is not _HANDLE_RUN:
        if not frame.f_code.co_filename.startswith(_OWN):
            places.append(sites.place(frame)[0])
        if frame is root:
            return tuple(places)
        frame = frame.f_back
    return ()


_OWN = __file__.rpartition("task_rows")[0]


def _earlier(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def _state_of(coroutine: object) -> str:
    """`created` before the first step, `ready` when it is about to go on."""
    if type(coroutine) is not types.CoroutineType or coroutine.cr_frame is None:
        return "ready"
    return "ready" if coroutine.cr_suspended or coroutine.cr_running else "created"


def _qualname(coroutine: object) -> str:
    """The function that a task runs; of Cython's coroutines only the type is sure."""
    if type(coroutine) is types.CoroutineType or type(coroutine) is types.GeneratorType:
        return str(coroutine.__qualname__)
    return type(coroutine).__qualname__


def current_tasks(loops: list[Any]) -> set[int]:
    """The `id` of each task that a loop runs right now."""
    found = (tasks.current_task(loop) for loop in loops)
    return {id(task) for task in found if task is not None}
