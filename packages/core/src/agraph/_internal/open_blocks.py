"""How sure it is that a task holds what its open blocks have taken: some of it may be given back already.

`Condition.wait` gives its lock back, also where a task does the waiting that the holder of the lock awaits. A
block may release its lock and acquire it again before it ends. A subclass may enter without acquiring.
"""

from __future__ import annotations

import ast
from asyncio import locks
from typing import TYPE_CHECKING

from agraph._internal.blocking import LOCK
from agraph._internal.holders import generator_of, given_back_by, lock_of, releases_when_entered
from agraph._internal.instances import class_attribute
from agraph._internal.kinds import is_one_of
from agraph._internal.letting_go import Helpers
from agraph._internal.releases import may_have_released
from agraph._internal.shared_blocks import held_with_others
from agraph._internal.source import Sources
from agraph._internal.withs import frame_of, open_managers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from agraph._internal.builder import Builder
    from agraph._internal.holders import Held, Standing
    from agraph._internal.task_rows import Facts

_ASYNCIO = (locks.Lock, locks.BoundedSemaphore, locks.Semaphore, locks.Condition)
_WAIT = locks.Condition.wait.__code__


def settle(builder: Builder, facts: Facts) -> None:
    """Say how sure each block of the tasks is; leave out what is certainly given back.

    Args:
        builder: The snapshot in the making, with the edges of all waits.
        facts: The tasks.
    """
    if not facts.held:
        return
    doubts = _Doubts(builder)
    for position in facts.held:
        facts.held[position] = doubts.settled(facts, position, facts.held[position])
    claims = _claims(facts)
    for position, lock, stack in waiting_for_conditions(builder, facts, claims):
        if not _has_block_on(stack, lock):
            _give_back(builder, facts, position, lock, claims[lock])
    for lock, positions in claims.items():
        _agree(facts, lock, positions)


class _Doubts:
    """Looks closer at blocks of which something says that they may have released what they hold."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._sources = Sources()
        self._helpers = Helpers(self._sources)
        self._takes: dict[int, bool] = {}
        self._kinds: list[type] = []  # keeps the identities above valid

    def settled(self, facts: Facts, position: int, held: list[Held]) -> list[Held]:
        """The same, each as sure as it is."""
        unsure = {lock_of(one.manager) for one in held if not self._surely_takes(type(one.manager))}
        found: list[Held] = []
        wanted = {index for index, one in enumerate(held) if self._is_wanted(one.manager)}
        if not wanted and not unsure and all(one.sure for one in held):
            return held
        stack = facts[position].stack
        unsure |= held_with_others(held, stack) if wanted else set()
        for index, one in enumerate(held):
            sure = one.sure or one.manager is None or not self._may_be_released(stack, held, index)
            if sure and index in wanted:
                sure = not any(
                    self._helpers.may_have_released(standing, one.manager, line)
                    for standing, line in _within(stack, one)
                )
            found.append(one._replace(sure=sure and id(one.manager) not in unsure))
        return found

    def _is_wanted(self, manager: object) -> bool:
        """Whether it is a lock that a task waits for, or that a thread may."""
        return type(manager) is LOCK or (
            issubclass(type(manager), _ASYNCIO) and self._builder.known(manager) is not None
        )

    def _may_be_released(self, stack: list[Standing], held: list[Held], index: int) -> bool:
        """Whether a function of the task, or a manager in it, may have released what a block has taken."""
        one = held[index]
        for standing, line in _within(stack, one):
            if may_have_released(self._sources, standing.frame, standing.owner, one.manager, line):
                return True
        for other in held:
            generator = generator_of(other.manager)
            frame = frame_of(generator)
            if frame is not None and may_have_released(self._sources, frame, generator, one.manager):
                return True
        return any(releases_when_entered(other.manager) for other in held[index + 1 :])

    def _surely_takes(self, kind: type) -> bool:
        """Whether to enter a lock of this type is to acquire it."""
        if is_one_of(kind, _ASYNCIO) or not issubclass(kind, _ASYNCIO):
            return True
        known = self._takes.get(id(kind))
        if known is None:
            known = all(self._acquires(kind, name) for name in ("__aenter__", "acquire"))
            self._takes[id(kind)] = known
            self._kinds.append(kind)
        return known

    def _acquires(self, kind: type, name: str) -> bool:
        """Whether a method is asyncio's own, or always calls that."""
        method = class_attribute(kind, name)
        if any(method is class_attribute(base, name) for base in _ASYNCIO):
            return True
        called = {ast.unparse(one.expression) for one in self._sources.acquired_by_calling(method)}
        return "super()" in called or (name == "__aenter__" and "self" in called)


def _within(stack: list[Standing], block: Held) -> Iterator[tuple[Standing, int]]:
    """The functions that stand in a block, outermost first, each with the line of the block if it has it."""
    codes = [standing.frame.f_code for standing in stack]
    # A block of a generator that the function goes through stands in the block of that.
    first = codes.index(block.code) if block.code in codes else 0
    for place, standing in enumerate(stack[first:]):
        yield standing, 0 if place else block.line


def _claims(facts: Facts) -> dict[int, list[int]]:
    """The positions of the tasks that have a block open on a lock which one task can hold, by its `id`."""
    found: dict[int, list[int]] = {}
    for position, held in facts.held.items():
        for one in held:
            if issubclass(type(one.manager), locks.Lock) or type(one.manager) is LOCK:
                found.setdefault(id(one.manager), []).append(position)
    return found


# ---- conditions that another task waits for


def waiting_for_conditions(
    builder: Builder, facts: Facts, wanted: Collection[int]
) -> Iterator[tuple[int, int, list[Standing]]]:
    """The tasks that wait for a condition, or for its lock after that.

    Args:
        builder: The snapshot in the making.
        facts: The tasks.
        wanted: The locks to look for, each by its `id`.

    Yields:
        The position of the task, the lock by its `id`, and the frames of the task.
    """
    sites = builder.sites
    at = {
        index
        for index, site in enumerate(sites.sites)
        if site.function == _WAIT.co_qualname and site.file == _WAIT.co_filename
    }
    stacks = {index for index, stack in enumerate(sites.stacks) if not at.isdisjoint(stack)} if at else set()
    if not wanted or not stacks:
        return
    for position, number in enumerate(facts.numbers):
        node = builder.nodes[number]
        if node is not None and node.stack in stacks:
            stack = facts[position].stack
            for lock in given_back_by(stack):
                if id(lock) in wanted:
                    yield position, id(lock), stack


def _has_block_on(stack: list[Standing], lock: int) -> bool:
    managers = (open_managers(standing.owner, standing.blocks) or () for standing in stack)
    return any(lock_of(one) == lock for several in managers for one in several)


def _give_back(builder: Builder, facts: Facts, position: int, lock: int, claims: list[int]) -> None:
    """Note that a task has given back a lock that another has taken: the one that awaits it, if it is one."""
    above = awaiting(builder, facts.numbers[position])
    takers = [one for one in dict.fromkeys(claims) if facts.numbers[one] in above]
    stack = facts[position].stack
    acquires = any("acquire" in standing.frame.f_code.co_names for standing in stack if not _is_own(standing))
    if len(takers) == 1 and not acquires:
        (taker,) = takers
        facts.held[taker] = [one for one in facts.held[taker] if lock_of(one.manager) != lock]
    elif takers or not acquires:
        for one in claims:
            _doubt(facts, one, lock)


def _is_own(standing: Standing) -> bool:
    return standing.frame.f_code.co_filename == _WAIT.co_filename


def awaiting(builder: Builder, number: int) -> set[int]:
    """The nodes of the tasks and futures that wait for a task, directly or through one another."""
    found = {number}
    ahead = [number]
    for current in ahead:
        for waiter in builder.waiters.get(current, ()):
            node = builder.nodes[waiter]
            if waiter not in found and node is not None and node.kind in ("task", "future"):
                found.add(waiter)
                ahead.append(waiter)
    return found - {number}


# ---- several that claim to hold one lock


def _agree(facts: Facts, lock: int, claims: list[int]) -> None:
    """One task holds a lock: the one that is sure; where several are, none is."""
    positions = [one for one in dict.fromkeys(claims) if _is_sure(facts.held[one], lock) is not None]
    sure = [position for position in positions if _is_sure(facts.held[position], lock)]
    for position in positions if len(positions) > 1 else ():
        if len(sure) > 1:
            _doubt(facts, position, lock)
        elif len(sure) == 1 and position != sure[0]:
            facts.held[position] = [one for one in facts.held[position] if id(one.manager) != lock]


def _is_sure(held: list[Held], lock: int) -> bool | None:
    """Whether one of several blocks on a lock is sure; None where there is none."""
    found = [one.sure for one in held if id(one.manager) == lock]
    return any(found) if found else None


def _doubt(facts: Facts, position: int, lock: int) -> None:
    held = facts.held[position]
    facts.held[position] = [one._replace(sure=False) if id(one.manager) == lock else one for one in held]
