"""Waits for what is not asyncio's own: `agraph.resource`, and the primitives and pools of some libraries.

As far as asyncio goes, such a wait ends in a plain future, an event or a queue. What is really waited for
the task has said itself, or the innermost frames of its stack are those by which a library waits. Then that
is what the task waits for in the snapshot, and its holders are asked for there.
"""

from __future__ import annotations

import sys
from functools import partial
from types import CellType
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal import libraries
from agraph._internal.futures import coroutine_of, is_future, is_pending, is_task
from agraph._internal.kinds import qualname_of
from agraph._internal.leads import Leads, contents, items_of_task
from agraph._internal.libraries import Holding
from agraph._internal.model import Site
from agraph._internal.waits import Part, Wait, wait_of_future
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from agraph._internal.builder import Builder
    from agraph._internal.model import Confidence, EdgeKind
    from agraph._internal.resource import Entry, Resource
    from agraph._internal.resources import Resources
    from agraph._internal.task_rows import Facts, TaskFacts

# What a wait of asyncio can be that only serves another primitive. A lock is held for a time of its own.
_MEANS = frozenset({"event", "condition", "queue", "semaphore", "barrier"})
_BUDGET = 500_000
_STEPS = 5  # from a response to the connection it came over, through what libraries put between
_SOME_UNKNOWN = "not all of its holders are known"


class Holdings:
    """The primitives that asyncio does not know, of one capture.

    Attributes:
        unknown: The libraries that are there but not understood.
    """

    def __init__(self, builder: Builder, resources: Resources) -> None:
        """Find out which libraries are there.

        Args:
            builder: The snapshot in the making.
            resources: Its resources.
        """
        self._builder = builder
        self._resources = resources
        self._adapters, self.unknown = libraries.active()
        self._declared = _declared()
        self._facts: Sequence[TaskFacts] = ()

    def rewrite(self, facts: Facts) -> None:
        """Put what tasks really wait for, where that is known, in the place of what that is built on.

        Args:
            facts: The tasks.
        """
        waiting = _waiting(self._declared)
        tails = {key: find for adapter in self._adapters for key, find in adapter.tails.items()}
        if not waiting and not tails:
            return
        by_tail = _ByTail(tails)
        for position, wait in enumerate(facts.waits):
            if wait is not None and _is_means(wait):
                task = facts.tasks[position]
                node = self._builder.nodes[facts.numbers[position]]
                found = waiting.get(id(task)) or by_tail.find(task, None if node is None else node.stack)
                if type(found) is Part:
                    facts.waits[position] = _waiting_for(wait, found)
                elif type(found) is Wait:
                    facts.waits[position] = found
                    self._change(facts.numbers[position], found)

    def _change(self, number: int, wait: Wait) -> None:
        """Put into the row of a task how it waits."""
        self._builder.change(number, need=wait.need, exc=wait.exc, detail={"made_by": wait.made_by})

    def connect(self, facts: Facts) -> None:
        """Connect these primitives with their holders.

        Args:
            facts: The tasks.
        """
        self._facts = facts
        for owner in self._declared:
            self._declare(owner)
        blocks: dict[int, list[_Block]] | None = None
        types = tuple(kind for adapter in self._adapters for kind in adapter.types)
        for number, part in list(self._resources.waited.items()):
            if issubclass(type(part.owner), types):
                adapter = next(one for one in self._adapters if issubclass(type(part.owner), one.types))
                blocks = self._open_blocks() if blocks is None else blocks
                try:
                    who_has = partial(self._who_has, waiting=set(self._builder.waiters.get(number, ())))
                    holding = adapter.holding(part.owner, part.operation, who_has)
                except Exception as error:  # noqa: BLE001 - another version of the library may be anything
                    holding = None
                    self._builder.error(f"who holds a {qualname_of(type(part.owner))} is unknown: {error!r}")
                if holding is not None:
                    self._hold(number, holding, blocks.get(id(part.owner), []))

    def _open_blocks(self) -> dict[int, list[_Block]]:
        """For each manager, by `id`, the open blocks in which it is."""
        found: dict[int, list[_Block]] = {}
        for fact in self._facts:
            for held in fact.held:
                site = Site(held.code.co_filename, held.code.co_qualname, held.line)
                block = _Block(fact.number, self._builder.sites.site(site), held.sure)
                for key in {id(held.manager), *(id(one.behind(held.manager)) for one in self._adapters)}:
                    found.setdefault(key, []).append(block)
        return found

    def _hold(self, number: int, holding: Holding, blocks: list[_Block]) -> None:
        """Connect a primitive of a library with its holders."""
        sites = {block.task: block.site for block in blocks}
        holders: dict[int, tuple[Confidence, int | None]] = {}
        if holding.by_blocks:
            holders = {block.task: ("exact" if block.sure else "probable", block.site) for block in blocks}
            if not all(block.sure for block in blocks):
                holding = holding._replace(times=None)
        for holder in holding.holders:
            task = self._builder.known(holder.task)
            if task is not None:
                holders[task] = holder.confidence, sites.get(task)
        self._finish(number, holders, holding)

    def _finish(
        self, number: int, holders: dict[int, tuple[Confidence, int | None]], holding: Holding
    ) -> None:
        """Make the edges to the holders, and say whether these are all."""
        builder = self._builder
        for task, (confidence, site) in holders.items():
            builder.edge(number, task, "held_by", confidence, site)
        node = builder.nodes[number]
        if node is None:
            return
        locked = "locked" if node.kind in ("lock", "semaphore") else "pending"
        builder.change(
            number,
            name=node.name or (node.type if node.kind == "resource" else ""),
            state=locked if holding.taken else "handoff",
            need=int(holding.taken),
            open="" if len(holders) == holding.times or not holding.taken else _SOME_UNKNOWN,
            detail={**(node.detail or {}), **(holding.detail or {})} or None,
        )

    def _declare(self, owner: Resource) -> None:
        """Make the row of an `agraph.resource`, and connect it with its holders."""
        entries = owner.holders()
        if not entries and not owner.waiters():
            return
        number = self._resources.part(Part(owner, "resource"))
        self._builder.change(number, name=owner.name)
        holders: dict[int, tuple[Confidence, int | None]] = {}
        others = self._others_with(entries) if number in self._builder.waiters else set()
        lost = 0
        for entry in entries:
            task = None if entry.task is None else entry.task()
            known = None if task is None or not is_pending(task) else self._builder.known(task)
            if known is None:
                lost += 1  # held outside of any task, or by one that ended without giving it back
            else:
                site = Site(entry.code.co_filename, entry.code.co_qualname, entry.line)
                doubtful = id(entry) in others
                lost += doubtful
                holders[known] = "probable" if doubtful else "exact", self._builder.sites.site(site)
        taken = len(entries) >= owner.capacity
        times = None if lost else len(holders)
        detail = {"value": owner.capacity - len(entries), "bound": owner.capacity}
        self._finish(number, holders, Holding([], times, taken, detail))

    def _others_with(self, entries: Sequence[Entry]) -> set[int]:
        """Those entries, by `id`, whose stay is in the hands of another task too, which may end it."""
        stays: dict[int, Entry] = {}
        for entry in entries:
            stay = None if entry.stay is None else entry.stay()
            if stay is not None:
                stays[id(stay)] = entry
        found: set[int] = set()
        for fact in self._facts if stays else ():
            for items in items_of_task(fact.task):
                cells = (item for item in items if type(item) is CellType)
                for item in (*items, *contents(cells)):
                    owner = stays.get(id(item))
                    if owner is not None and owner.task is not None and owner.task() is not fact.task:
                        found.add(id(owner))
        return found

    def _who_has(
        self, things: Sequence[object], pool: object, waiting: Collection[int]
    ) -> list[list[object]]:
        """For each of some objects the tasks that lead to it, by other ways than through their pool.

        Of several not those that wait for the pool: they know where the object is, others use it.
        """
        targets: dict[int, list[int]] = {}
        for index, thing in enumerate(things):
            targets.setdefault(id(thing), []).append(index)
        leads = Leads(targets, _BUDGET, (pool,))
        found: list[list[TaskFacts]] = [[] for _ in things]
        for fact in self._facts:
            for items in items_of_task(fact.task):
                for index in leads.of(items, _STEPS):
                    found[index].append(fact)
            if leads.exhausted:
                break
        return [_without(facts, waiting) for facts in found]


class _Block(NamedTuple):
    """An open block: the node of its task, its site, and whether it surely holds what it has taken."""

    task: int
    site: int
    sure: bool


def _without(facts: list[TaskFacts], waiting: Collection[int]) -> list[object]:
    """Some tasks, each once, without those that wait unless all do."""
    tasks = {fact.number: fact.task for fact in facts}
    others = [task for number, task in tasks.items() if number not in waiting]
    return others or list(tasks.values())


def _declared() -> list[Resource]:
    """The resources that were made with `agraph.resource`, if it was ever asked for."""
    module = sys.modules.get("agraph._internal.resource")
    return [] if module is None else module.all_resources()


def _waiting(resources: list[Resource]) -> dict[int, Part]:
    """What tasks said that they wait for, by `id` of the task; only where it is taken."""
    found: dict[int, Part] = {}
    for owner in resources:
        if len(owner.holders()) >= owner.capacity:
            for entry in owner.waiters():
                task = None if entry.task is None else entry.task()
                if task is not None:
                    found[id(task)] = Part(owner, "resource")
    return found


def _is_means(wait: Wait) -> bool:
    """Whether a wait of asyncio may serve another primitive: for one future or event that anybody sets."""
    if len(wait.targets) != 1:
        return False
    target = wait.targets[0]
    if type(target) is Part:
        return target.kind in _MEANS
    if not is_future(target) or is_task(target) or not is_pending(target):
        return False
    return wait_of_future(target) is None


class _ByTail:
    """Finds what tasks wait for by the functions of libraries in which their innermost frames stand."""

    def __init__(self, tails: Mapping[tuple[int, ...], Any]) -> None:
        self._tails = tails
        self._longest = max(map(len, tails), default=0)
        self._others: set[int] = set()  # stacks that end in no such functions, each looked at once

    def find(self, task: object, stack: int | None) -> Part | Wait | None:
        """What a task waits for; None where no library says. The longest tail that fits counts."""
        if stack is None or stack in self._others:
            return None
        frames = [(link, link.frame) for link in chain(coroutine_of(task)) if link.frame is not None]
        frames = frames[-self._longest :]
        codes = tuple(id(frame.f_code) for _link, frame in frames)
        fits = [start for start in range(len(codes)) if codes[start:] in self._tails]
        if not fits:
            self._others.add(stack)
        for start in fits:
            found: Part | Wait | None = self._tails[codes[start:]]([link for link, _frame in frames[start:]])
            if found is not None:
                return found
        return None


def _waiting_for(wait: Wait, part: Part) -> Wait:
    edge: EdgeKind = "lock" if part.kind in ("lock", "semaphore") else "await"
    return wait._replace(targets=(part,), edge=edge)
