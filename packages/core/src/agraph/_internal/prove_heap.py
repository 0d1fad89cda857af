"""Who can reach an object: reference counts explained by the holders that are known.

The idea is that of the collector (`subtract_refs` in CPython's Python/gc.c): of a set of objects, one whose
references all come from that set cannot be reached from outside. Here the set is what some stuck tasks lead
to. References that nobody in the set explains belong to somebody outside, whoever that is: a module, the
stack of a thread, a handle of the loop, an extension module, uvloop. So nothing outside is searched, and what
cannot be seen counts against the proof. Objects left out of the set count as outside as well.

Counts and references are read in one call of C code, during which no other thread runs (PEP 703 builds
aside, see `can_count`). Nothing of the application runs.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import logging
import operator
import sys
import sysconfig
import time
import types
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

from agraph._internal.compat import BORROWERS
from agraph._internal.futures import callbacks_of, coroutine_of, is_pending, is_task, loop_of, waiter_of
from agraph._internal.kinds import is_one_of, type_mro
from agraph._internal.walk import _type_name, chain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

# At about 1 us each, of which a tenth is spent in the one call that keeps other threads waiting.
MAX_OBJECTS = 200_000
_AT_ONCE = 256
# What leads everywhere, or nowhere. Leaving it out makes it a part of the outside.
_OUTSIDE = (
    type,
    types.ModuleType,
    types.CodeType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.WrapperDescriptorType,
    str,
    bytes,
    int,
    float,
    complex,
    type(None),
    type(...),
    type(NotImplemented),
    range,
    asyncio.AbstractEventLoop,
    logging.Logger,
    logging.Handler,
)


class Heap:
    """What some tasks lead to, and who else refers to that.

    Attributes:
        exhausted: Whether there is more than was looked at.
    """

    def __init__(self, tasks: list[object], deadline: float, shown: Mapping[int, int]) -> None:
        """Collect and read.

        Args:
            tasks: The tasks that may turn out to be stuck. This list is accounted for; apart from it the
                caller has no reference to an object of the application.
            deadline: When to stop collecting, on the monotonic clock.
            shown: By the `id` of a coroutine, how many references to it do not matter.
        """
        self.exhausted = False
        self._things: list[Any] = []
        self._at: dict[int, int] = {}
        self._weak: list[tuple[int, int]] = []
        self._owned: dict[int, list[int]] = {}
        self._add(tasks)
        self._first = len(self._things)
        self._collect(tasks, deadline)
        self._read(shown)

    def __contains__(self, thing_id: int) -> bool:
        """Whether an object, by its `id`, was looked at."""
        return thing_id in self._at

    # ---- what there is

    def _add(self, thing: object) -> None:
        self._at[id(thing)] = len(self._things)
        self._things.append(thing)

    def _collect(self, tasks: list[object], deadline: float) -> None:
        for task in tasks:
            if id(task) not in self._at:
                self._add(task)
            coroutines = [link.owner for link in chain(coroutine_of(task))]
            coroutines = [item for item in coroutines if type(item) is types.CoroutineType]
            for item in coroutines:
                if id(item) not in self._at:
                    self._add(item)
            self._owned[self._at[id(task)]] = [self._at[id(item)] for item in coroutines]
        entered = set(self._owned)
        shared = {id(module.__dict__) for module in list(sys.modules.values()) if type(module) is _MODULE}
        looked_at = self._first
        while looked_at < len(self._things):
            if len(self._things) > MAX_OBJECTS or time.monotonic() > deadline:
                self.exhausted = True
                return
            upto = min(looked_at + _AT_ONCE, len(self._things))
            for position in range(looked_at, upto):
                if position in entered or not is_task(self._things[position]):
                    self._enter(position, shared)
            looked_at = upto

    def _enter(self, position: int, shared: set[int]) -> None:
        """Add what an object refers to, and the weak references to it."""
        thing = self._things[position]
        if type(thing) is types.FunctionType:
            shared.add(id(thing.__globals__))
        known = self._at
        for item in gc.get_referents(thing):
            if id(item) not in known and id(item) not in shared and not issubclass(type(item), _OUTSIDE):
                self._add(item)
        for reference in weakref.getweakrefs(thing):
            if id(reference) not in known:
                self._add(reference)
            self._weak.append((known[id(reference)], position))

    def _read(self, shown: Mapping[int, int]) -> None:
        """Read all counts and references at one instant."""
        things = self._things
        counts, inside, weak = read_at_once(things)
        at = self._at
        self._inside: list[list[int]] = []
        found: Counter[int] = Counter()
        for thing, items in zip(things, inside, strict=True):
            positions = [at[id(item)] for item in items if id(item) in at]
            # The variable that a reference is borrowed from has a real one, so there is one at least.
            found.update(set(positions) if is_one_of(type(thing), BORROWERS) else positions)
            self._inside.append(positions)
        counted_weak = Counter(target for _reference, target in self._weak)
        base = base_count()
        # An async generator that runs is known, weakly, to its loop, and cannot be closed while it runs.
        self._held = [position for position, count in enumerate(counts) if count - base != found[position]]
        self._reached = self._held + [
            position
            for position, number in enumerate(weak)
            if number != counted_weak[position] and not _runs(things[position])
        ]
        # An argument may borrow from its caller since 3.14: then there are fewer references than variables.
        held = {at for at in self._held if counts[at] - base - found[at] > shown.get(id(things[at]), 0)}
        self._shown = {
            coroutine
            for coroutine in itertools.chain(*self._owned.values())
            if coroutine in held
            or any(at in held and _is_frame(things[at]) for at in self._inside[coroutine])
        }
        self._acting = [position for position, thing in enumerate(things) if _acts(thing)]
        self._weak_of: dict[int, list[int]] = {}
        for reference, target in self._weak:
            if not _runs(things[target]):
                self._weak_of.setdefault(reference, []).append(target)

    # ---- what follows

    def reachable(self, stuck: Collection[int]) -> set[int]:
        """What somebody other than the stuck tasks can reach.

        Args:
            stuck: The `id` of each task that does nothing any more. What only its frames lead to is safe.

        Returns:
            The `id` of each such object.
        """
        barriers, behind = self._barriers(stuck)
        things = self._things
        found = bytearray(len(things))
        # Whatever is a task and not stuck runs one day, however few refer to it.
        acting = [position for position in self._acting if position not in barriers]
        # And `asyncio.all_tasks` has every task, also where no reference tells (since 3.14, of C tasks).
        ahead = [position for position in (*self._reached, *acting, *behind) if position >= self._first]
        # Whoever has a coroutine or its frame, as that of a traceback, gets at its variables.
        ahead += self._shown
        barriers = barriers - self._shown
        for position in ahead:
            found[position] = 1
        while ahead:
            position = ahead.pop()
            if position in barriers:
                further: Iterable[int] = self._public(position) if position in behind else ()
            else:
                further = self._inside[position]
            for target in (*further, *self._weak_of.get(position, ())):
                if not found[target] and target >= self._first:
                    found[target] = 1
                    ahead.append(target)
        return {id(things[position]) for position, reached in enumerate(found) if reached}

    def kept(self, roots: Iterable[int], stuck: Collection[int], reachable: Collection[int]) -> set[int]:
        """The stuck tasks that stay: held, by way of what nobody else changes, by one that stays.

        A task that nobody holds is collected one day, which closes its coroutine and runs its `finally`.

        Args:
            roots: The `id` of each task that the stack of a thread holds, as that of `asyncio.run` does.
            stuck: The `id` of each stuck task.
            reachable: The result of `reachable`.

        Returns:
            The `id` of each of them.
        """
        barriers, _behind = self._barriers(stuck)
        things = self._things
        ahead = [self._at[root] for root in roots if root in stuck and root in self._at]
        seen = set(ahead)
        while ahead:
            position = ahead.pop()
            if position not in barriers and id(things[position]) in reachable:
                continue  # somebody may take out of it what it holds
            for target in self._inside[position]:
                if target not in seen and target >= self._first:
                    seen.add(target)
                    ahead.append(target)
        return {id(things[position]) for position in seen if id(things[position]) in stuck}

    def collectable(self, roots: Iterable[int]) -> set[int]:
        """The tasks that nobody holds: the collector may end them any time.

        Args:
            roots: As of `kept`.

        Returns:
            The `id` of each of the tasks that this was made with.
        """
        own = set(self._owned).union(*self._owned.values())
        acting = (position for position in self._acting if position not in own)
        held = (self._at[root] for root in roots if root in self._at)
        seen = {position for position in (*self._held, *acting, *held) if position >= self._first}
        ahead = list(seen)
        while ahead:
            further = [target for target in self._inside[ahead.pop()] if target not in seen]
            seen.update(further)
            ahead += further
        return {id(self._things[position]) for position in self._owned if position not in seen}

    def things(self) -> Iterator[object]:
        """All objects that were looked at."""
        return itertools.islice(self._things, self._first, None)

    def leading_to(self, labels: Mapping[int, Collection[int]]) -> Mapping[int, set[int]]:
        """To which of some labels an object leads, tasks that it has and what it has weakly included.

        Args:
            labels: By the `id` of an object, the labels that it has.

        Returns:
            By the `id` of each object that leads to one, or is it, two of these labels or the only one: two
            tell whether there is another than a given one, and no more keeps the time linear.
        """
        things, found = self._things, dict[int, set[int]]()
        ahead = [(self._at[key], label) for key, many in labels.items() if key in self._at for label in many]
        while ahead:
            position, label = ahead.pop()
            known = found.setdefault(id(things[position]), set())
            if len(known) < 2 and label not in known:
                known.add(label)
                ahead += [(other, label) for other in self._leading.get(position, ())]
        return found

    @functools.cached_property
    def _leading(self) -> Mapping[int, list[int]]:
        """For each object, by position, those that refer to it."""
        found: dict[int, list[int]] = {}
        for targets in (enumerate(self._inside), self._weak_of.items()):
            for position, inside in targets:
                for target in inside:
                    if position >= self._first:
                        found.setdefault(target, []).append(position)
        return found

    def cancellable(self, stuck: Collection[int], reachable: Collection[int]) -> set[int]:
        """The stuck tasks in a timeout, a cancel scope or a group of tasks that somebody else can reach.

        Args:
            stuck: The `id` of each stuck task.
            reachable: The result of `reachable`.

        Returns:
            The `id` of each of them. Whoever has the timeout may set it, whoever has the group may add a task
            that fails.
        """
        things = self._things
        scopes = {
            position
            for position, thing in enumerate(things)
            if id(thing) in reachable and _is_scope(type(thing))
        }
        _barriers, behind = self._barriers(stuck)
        return {
            id(things[position])
            for position in behind
            if any(not scopes.isdisjoint(self._inside[owned]) for owned in self._owned[position])
        }

    def _barriers(self, stuck: Collection[int]) -> tuple[set[int], set[int]]:
        """The positions of the stuck tasks with their coroutines, and those of the tasks alone."""
        behind = {self._at[task] for task in stuck if self._at.get(task) in self._owned}
        return behind.union(*(self._owned[position] for position in behind)), behind

    def _public(self, position: int) -> list[int]:
        """What whoever has a task gets at: attributes and context, not what it awaits or will call."""
        task = self._things[position]
        callbacks = {id(callback) for callback, _context in callbacks_of(task)}
        hidden = {id(coroutine_of(task)), id(waiter_of(task)), id(loop_of(task)), *callbacks}
        things = self._things
        return [
            target
            for target in self._inside[position]
            if id(things[target]) not in hidden and not _is_of_callbacks(things[target], callbacks)
        ]


_MODULE = types.ModuleType


def _is_of_callbacks(thing: object, callbacks: Collection[int]) -> bool:
    """Whether it is the list in which a task keeps pairs of a callback and its context."""
    return type(thing) is list and all(
        type(item) is tuple and len(item) == 2 and id(item[0]) in callbacks for item in thing
    )


def _acts(thing: object) -> bool:
    """Whether an object does something by itself: a task, or a coroutine or generator that runs."""
    kind = type(thing)
    if kind is types.CoroutineType:
        return thing.cr_running  # type: ignore[attr-defined, no-any-return]
    if kind is types.GeneratorType:
        return thing.gi_running  # type: ignore[attr-defined, no-any-return]
    return is_task(thing) and is_pending(thing)


def _is_scope(kind: type) -> bool:
    if issubclass(kind, (asyncio.Timeout, asyncio.TaskGroup)):
        return True
    return any(_type_name(base) in ("CancelScope", "TaskGroup") for base in type_mro(kind))


def _is_frame(thing: object) -> bool:
    return type(thing) is types.FrameType


def _runs(thing: object) -> bool:
    return type(thing) is types.AsyncGeneratorType and thing.ag_running


# ---- counting


def read_at_once(things: list[Any]) -> tuple[list[int], list[list[Any]], list[int]]:
    """Of each object the count, what it refers to, and how many weak references there are to it.

    All of it is C code that never looks whether another thread wants to run (that is done by the evaluation
    of bytecode only), so it shows one instant.
    """
    steps: tuple[Callable[[], Any], ...] = (
        functools.partial(list, map(sys.getrefcount, things)),
        functools.partial(list, map(gc.get_referents, things)),
        functools.partial(list, map(weakref.getweakrefcount, things)),
    )
    counts, inside, weak = map(operator.call, steps)
    return counts, inside, weak


@functools.cache
def base_count() -> int:
    """The count of an object to which only the list given to `read_at_once` refers."""
    return read_at_once([_Probe()])[0][0]


class _Probe:
    """What is counted for a try."""


@functools.cache
def can_count() -> bool:
    """Whether counts of this interpreter say what they have to: found out by trying.

    Builds without a GIL count in two places and not at once (PEP 703). Since 3.14 frames that run may borrow
    a reference; while a coroutine is suspended, variables and value stack have to own what they refer to.
    """
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    coroutine = _suspended(_Probe())
    try:
        (probe,) = {id(item): item for item in gc.get_referents(coroutine) if type(item) is _Probe}.values()
        things = [coroutine, probe]
        del probe
        counts, inside, _weak = read_at_once(things)
        found = sum(type(item) is _Probe for item in inside[0])
    finally:
        coroutine.close()
    return found == _TIMES == counts[1] - base_count()


_TIMES = 3


def _suspended(probe: object) -> Any:  # noqa: ANN401 - a coroutine
    """A coroutine that refers to an object by a variable and twice on its value stack."""

    async def holds(variable: object) -> object:
        return variable, variable, await _pause()

    coroutine = holds(probe)
    coroutine.send(None)
    return coroutine


@types.coroutine
def _pause() -> Any:  # noqa: ANN401 - a generator
    yield
