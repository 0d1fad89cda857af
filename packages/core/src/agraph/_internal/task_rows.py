"""A row for each task: its state, its stack, what it waits for, what it holds.

A hundred thousand tasks stand in a handful of ways. So what follows from where a task stands (the interned
stack, which function of asyncio it waits in, whether blocks are open) is found once for each way.
"""

from __future__ import annotations

import gc
import sys
import types
from asyncio import events, tasks
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from agraph._internal.builder import new_row
from agraph._internal.futures import (
    C_FUTURE,
    C_TASK,
    HAS_C_PART,
    coroutine_of,
    read_task,
    waiter_of,
    with_callbacks,
)
from agraph._internal.holders import Held, Standing, deadline_of, held_by
from agraph._internal.identity import ORIGIN, key_of, wait_id
from agraph._internal.kinds import qualname_of
from agraph._internal.model import Node
from agraph._internal.waits import UNREAD_STEP, ResourceReader, Wait, function_reader_of, reader_of
from agraph._internal.walk import C_FUTURE_ITERATOR, chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.futures import Called
    from agraph._internal.sites import Sites
    from agraph._internal.waits import SureReader

_HANDLE_RUN = events.Handle._run.__code__
_NOTHING: list[Held] = []
# A task that moves in another thread meanwhile can nearly always be read the next time.
_TRIES = 3
_COROUTINE = types.CoroutineType
_EXACT = frozenset({id(C_FUTURE), id(C_TASK)})  # by `id`: a metaclass may define `__hash__`
_TASK, _WAITING = "task", "waiting"
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


class Unreadable(NamedTuple):
    """A task that could not be read: nothing is known of it, or it moved while it was looked at.

    Attributes:
        number: The id of its node.
        task: The task.
        waiter: The future it was suspended on before it was looked at.
        sentence: What went wrong.
    """

    number: int
    task: object
    waiter: object
    sentence: str


class Facts(Sequence[TaskFacts]):
    """What is known of many tasks, in columns: a tuple for each would cost as much as reading it.

    Attributes:
        numbers: The ids of their nodes, ascending.
        tasks: The tasks.
        waiters: For each, what `TaskFacts.waiter` says.
        waits: For each, what `TaskFacts.wait` says.
        held: What `TaskFacts.held` says, by position, for those who hold something.
        unread: The positions of those of which `TaskFacts.unread` says so.
        unreadable: Tasks that are in none of these, as they could not be read.
        steps: The positions of those that wait in a step of `as_completed` whose members are not known yet.
    """

    def __init__(self, sites: Sites) -> None:
        """Begin with none."""
        self.numbers: list[int] = []
        self.tasks: list[object] = []
        self.waiters: list[object] = []
        self.waits: list[Wait | None] = []
        self.held: dict[int, list[Held]] = {}
        self.unread: set[int] = set()
        self.unreadable: list[Unreadable] = []
        self.steps: list[int] = []
        self._sites = sites

    def __len__(self) -> int:
        """How many tasks there are."""
        return len(self.numbers)

    @overload
    def __getitem__(self, position: int) -> TaskFacts: ...
    @overload
    def __getitem__(self, position: slice) -> list[TaskFacts]: ...
    def __getitem__(self, position: int | slice) -> TaskFacts | list[TaskFacts]:
        """What is known of one task."""
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        return TaskFacts(
            self.numbers[position],
            self.tasks[position],
            self.waiters[position],
            self.waits[position],
            self.held.get(position, _NOTHING),
            position in self.unread,
            self._sites,
        )

    @cached_property
    def called(self) -> Called:
        """The tasks that have done callbacks."""
        return with_callbacks(self.tasks)

    def add(self, number: int, task: object, waiter: object, wait: Wait | None) -> int:
        """Add a task, and say at which position."""
        self.numbers.append(number)
        self.tasks.append(task)
        self.waiters.append(waiter)
        self.waits.append(wait)
        return len(self.numbers) - 1


class LoopFacts(NamedTuple):
    """A loop: the id of its node, and what turns its times into those of the monotonic clock."""

    number: int
    offset: float


class _Way(NamedTuple):
    """What follows from where a task stands.

    Attributes:
        stack: The index of its stack.
        reader: What reads the wait.
        has_blocks: Whether blocks are open there.
        path: The code of each frame and where it stands, outermost first.
        is_usual: Whether `read_all` knows all that it needs of a task that stands there.
        resource: The reader, where it is one of a resource and `position` says where that is; or None.
            Then, if `is_usual`, the future itself is what is waited for.
        position: The place of the resource among what the innermost coroutine refers to.
        waits: The waits that this reader made, by the identity of the resource: shared by its waiters.
    """

    stack: int | None
    reader: SureReader
    has_blocks: bool
    path: tuple[tuple[types.CodeType, int], ...] = ()
    is_usual: bool = False
    resource: ResourceReader | None = None
    position: int = 0
    waits: dict[int, Wait] = {}  # noqa: RUF012 - a NamedTuple's default; every way with a resource has its own


def standing_in(sites: Sites, coroutine: object) -> list[Standing]:
    """The suspended frames of a coroutine, outermost first."""
    return [
        Standing(link.owner, link.frame, *sites.place(link.frame))
        for link in chain(coroutine)
        if link.frame is not None
    ]


class TaskReader:
    """Reads tasks, one after the other, into rows.

    Attributes:
        facts: What else is known of the tasks that could be read.
    """

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
        # By the identity of the outermost code, which the way keeps valid: how the last such task stood.
        self._usual: dict[int, _Way] = {}
        self.facts = Facts(builder.sites)
        # For each reader, what `_Way.waits` says.
        self._waits: dict[int, dict[int, Wait]] = {}

    def read_all(self, numbers: list[int], things: list[Any]) -> None:  # noqa: C901, PLR0912, PLR0915
        """Make the rows of many tasks; one that cannot be read costs only its own row.

        Nearly all are exact C tasks that stand where others stand too. What these need is written out here:
        each call would cost as much as what it does.

        Args:
            numbers: The ids of their nodes.
            things: The tasks.
        """
        if not HAS_C_PART:
            for number, task in zip(numbers, things, strict=True):
                self._read_if_possible(number, task)
            return
        add_number, add_task = self.facts.numbers.append, self.facts.tasks.append
        add_waiter, add_wait = self.facts.waiters.append, self.facts.waits.append
        nodes, loops, usual, referents = self._builder.nodes, self._loops, self._usual, gc.get_referents
        loop: object = None
        on = 0
        frame: Any
        for number, task in zip(numbers, things, strict=True):
            try:
                if type(task) is not C_TASK:
                    self._read_if_possible(number, task)
                    continue
                coroutine, waiter = task._coro, task._fut_waiter
                way = usual.get(id(coroutine.cr_code)) if type(coroutine) is _COROUTINE else None
                if way is None or id(type(waiter)) not in _EXACT or waiter._state != "PENDING":
                    self._read_if_possible(number, task)
                    continue
                at, _, _, path, _, reader, position, waits = way
                inner, owner, wait = None, coroutine, None
                for code, instruction in path:
                    if type(owner) is not _COROUTINE:
                        break
                    frame = owner.cr_frame
                    if frame.f_code is not code or frame.f_lasti != instruction:
                        break
                    inner, owner = owner, owner.cr_await
                else:
                    if type(owner) is C_FUTURE_ITERATOR:
                        if reader is None:
                            wait = new_row(Wait, ((waiter,), 1, "await", False, None, ""))
                        else:
                            thing = referents(inner)[position]
                            if type(thing) is reader.kind:
                                wait = waits.get(id(thing))
                                if wait is None:
                                    wait = waits[id(thing)] = reader.wait_for(thing)
                if wait is None:
                    self._read_if_possible(number, task)
                    continue
                # As `wait_id` and `key_of` make them.
                mixed, key = id(waiter) - ORIGIN >> 4 or 1, id(task) - ORIGIN >> 4
                if task._loop is not loop:
                    loop, on = task._loop, loops[id(task._loop)].number
                name, kind = task.get_name(), coroutine.__qualname__
                # By position, and in one tuple: to name the fields takes three times as long.
                row = (
                    number,
                    "task",
                    name,
                    kind,
                    _WAITING,
                    at,
                    on,
                    None,
                    mixed,
                    key,
                    1,
                    None,
                    "",
                    False,
                    None,
                )
                nodes[number] = new_row(Node, row)
            except Exception:  # noqa: BLE001 - it may have moved meanwhile, or be of a foreign loop
                self._read_if_possible(number, task)
                continue
            add_number(number)
            add_task(task)
            add_waiter(waiter)
            add_wait(wait)

    def _read_if_possible(self, number: int, task: object) -> None:
        waiter: object = None
        for attempt in range(_TRIES):
            try:
                waiter = waiter if attempt else waiter_of(task)
                self.read(number, task)
            except Exception as error:  # noqa: BLE001 - a foreign task type may fail in any way
                sentence = f"a task of type {qualname_of(type(task))} could not be read: {error!r}"
            else:
                return
        self.facts.unreadable.append(Unreadable(number, task, waiter, sentence))
        unread: dict[str, Any] = {"state": "unknown", "need": 1, "open": "it could not be read"}
        self._builder.put(number, "task", key=key_of(task), **unread)

    def read(self, number: int, task: object) -> None:
        """Make the row of a task, and add what else is known of it to `facts`.

        Args:
            number: The id of its node.
            task: The task.
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
            number_of_wait = wait_id(waiter, timer)
            if timer is not None:
                timer = round(timer + loop_facts.offset, 3)
        kind = _qualname(coroutine)
        key = key_of(task)
        unknown = _UNREAD if unread else ""
        row = (number, "task", name, kind, state, stack, loop_facts.number, None, number_of_wait, key, need)
        detail = _DETAILS.get(wait.made_by) if wait is not None else None
        self._builder.nodes[number] = new_row(Node, (*row, timer, unknown, exc, detail))
        position = self.facts.add(number, task, waiter, wait)
        if held:
            self.facts.held[position] = held
        if unread:
            self.facts.unread.add(position)
        if wait is not None and wait.made_by == UNREAD_STEP:
            self.facts.steps.append(position)

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
        if owner is not None and type(owner) is not C_FUTURE_ITERATOR:
            return self._way_of_any(coroutine)
        way = self._ways.get(key := tuple(codes))
        if way is None:
            # The stack that is interned for the way keeps its codes alive, and so the key valid.
            way, inner = self._way_of_any(coroutine)
            self._ways[key] = way
        if way.is_usual:
            self._usual[id(way.path[0][0])] = way
        return way, inner

    def _way_of_any(self, coroutine: object) -> tuple[_Way, object]:
        sites = self._builder.sites
        stack = standing_in(sites, coroutine)
        codes = [standing.frame.f_code for standing in stack]
        inner = stack[-1].owner if stack else None
        blocks = any(standing.blocks.lines or standing.blocks.iterates for standing in stack)
        reader = function_reader_of(codes)
        way = _Way(
            sites.stack(tuple(standing.site for standing in reversed(stack))),
            reader_of(codes),
            blocks,
            tuple((standing.frame.f_code, standing.frame.f_lasti) for standing in stack),
            is_usual=bool(stack) and not blocks and reader is None,
        )
        if not blocks and isinstance(reader, ResourceReader):
            kinds = [id(type(item)) for item in gc.get_referents(inner)]
            if id(reader.kind) in kinds:
                waits = self._waits.setdefault(id(reader), {})
                position = kinds.index(id(reader.kind))
                way = way._replace(is_usual=True, resource=reader, position=position, waits=waits)
        return way, inner

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
    return qualname_of(type(coroutine))


def current_tasks(loops: list[Any]) -> set[int]:
    """The `id` of each task that a loop runs right now."""
    found = (tasks.current_task(loop) for loop in loops)
    return {id(task) for task in found if task is not None}
