"""Who holds a lock or semaphore that was taken by a bare `await lock.acquire()`.

The interpreter keeps no trace of that, so the source has to say it (source.py): what is found here is
probable, and the lock stays open. Only asked for what somebody waits for and whose holders are not known.
"""

from __future__ import annotations

import asyncio
import contextlib
import types
from asyncio import locks
from typing import TYPE_CHECKING, Any

from agraph._internal.frame_locals import read_locals
from agraph._internal.futures import instance_dict
from agraph._internal.instances import NOTHING, class_attribute
from agraph._internal.kinds import is_kind_of
from agraph._internal.model import Site
from agraph._internal.open_blocks import awaiting, waiting_for_conditions
from agraph._internal.releases import is_among, may_be_released_by_calling, may_have_released
from agraph._internal.resolving import things_of
from agraph._internal.source import Sources

if TYPE_CHECKING:
    from agraph._internal.builder import Builder
    from agraph._internal.holders import Standing
    from agraph._internal.model import Node
    from agraph._internal.resources import Resources
    from agraph._internal.source import Acquired
    from agraph._internal.task_rows import Facts, TaskFacts

    # A lock, and where it was taken.
    Taken = tuple[object, Site]

_INFERRED = "its holder is inferred from the source"
# A pool whose `acquire` calls that of a pool whose `acquire` calls that of a semaphore.
_DEPTH = 3


def infer_holders(builder: Builder, resources: Resources, facts: Facts) -> None:
    """Find holders in the source, for locks and semaphores whose holders are not known.

    Args:
        builder: The snapshot in the making.
        resources: What is waited for, by node.
        facts: What is known of each task.
    """
    candidates = _candidates(builder, resources)
    wanted = _wanted(builder, candidates) if candidates else {}
    if wanted:
        given_back: dict[int, set[int]] = {}
        for position, lock, _stack in waiting_for_conditions(builder, facts, wanted):
            number = facts.numbers[position]
            given_back.setdefault(lock, set()).update((number, *awaiting(builder, number)))
        _Inference(builder, wanted, given_back).run(facts)


def _candidates(builder: Builder, resources: Resources) -> dict[int, object]:
    """The nodes of asyncio's locks and semaphores that are taken."""
    found: dict[int, object] = {}
    for number, part in resources.waited.items():
        if part.kind in ("lock", "semaphore") and issubclass(type(part.owner), (locks.Lock, locks.Semaphore)):
            node = builder.nodes[number]
            if node is not None and node.state == "locked":
                found[number] = part.owner
    return found


def _node(builder: Builder, number: int) -> Node:
    node = builder.nodes[number]
    assert node is not None  # noqa: S101 - `_candidates` has looked
    return node


def _wanted(builder: Builder, candidates: dict[int, object]) -> dict[int, int]:
    """The nodes that somebody waits for and somebody unknown holds, by `id` of the lock."""
    unclear = {number: owner for number, owner in candidates.items() if _node(builder, number).open}
    if not unclear:
        return {}
    waited = {edge.awaited for edge in builder.edges if edge.kind == "lock"}
    return {id(owner): number for number, owner in unclear.items() if number in waited}


class _Inference:
    """One search through the frames of all tasks; a stack in which nothing is acquired is read once."""

    def __init__(self, builder: Builder, wanted: dict[int, int], given_back: dict[int, set[int]]) -> None:
        self._builder = builder
        self._wanted = wanted
        # For each lock the nodes of those that wait for its condition, so that they hold it no more.
        self._given_back = given_back
        self._sources = Sources()
        self._found: set[tuple[int, int]] = set()
        self._idle_stacks: set[int | None] = set()

    def run(self, facts: Facts) -> None:
        nodes = self._builder.nodes
        for fact in facts:
            node = nodes[fact.number]
            if node is None:
                continue
            if node.stack not in self._idle_stacks:
                self._read_frames(fact, node.stack)
            for held in fact.held:
                for lock in self._through(held.manager):
                    site = Site(held.code.co_filename, held.code.co_qualname, held.line)
                    self._note(fact.number, lock, site)

    def _note(self, task: int, lock: object, site: Site) -> None:
        number = self._wanted.get(id(lock))
        builder = self._builder
        if number is None or (number, task) in self._found or task in builder.holders.get(number, ()):
            return
        if task in self._given_back.get(id(lock), ()):
            return
        self._found.add((number, task))
        if _node(builder, number).kind == "lock":
            builder.change(number, open=_INFERRED)
        builder.edge(number, task, "held_by", "probable", builder.sites.site(site))

    def _read_frames(self, fact: TaskFacts, stack_index: int | None) -> None:
        """The frames of a task that have acquired something."""
        stack = fact.stack
        acquires = False
        for position, standing in enumerate(stack):
            acquired = self._sources.acquired(standing.frame.f_code, standing.frame.f_lasti)
            if acquired:
                acquires = True
                for lock, site in self._in_frame(standing.frame, standing.owner, acquired):
                    if not self._is_released_in(stack[position + 1 :], lock):
                        self._note(fact.number, lock, site)
        if not acquires:
            self._idle_stacks.add(stack_index)

    def _is_released_in(self, stack: list[Standing], lock: object) -> bool:
        """Whether one of some functions may have released a lock that its caller has acquired."""
        return any(
            may_have_released(self._sources, standing.frame, standing.owner, lock) for standing in stack
        )

    def _in_frame(self, frame: types.FrameType, owner: object, acquired: list[Acquired]) -> list[Taken]:
        code, namespace = frame.f_code, frame.f_globals
        variables = read_locals(frame, owner)
        taken: list[Taken] = []
        for one in acquired:
            if may_be_released_by_calling(one.called, variables, namespace, code):
                continue
            site = Site(code.co_filename, code.co_qualname, one.line)
            for thing in things_of(one, variables, namespace, code, owner):
                if not is_among(one.released, thing, variables, namespace, code):
                    taken += ((lock, site) for lock in self._behind(thing))
        return taken

    def _behind(self, thing: object) -> list[object]:
        """The locks that `await thing.acquire()` has taken: itself, or those that its own `acquire` takes."""
        found: list[object] = []
        ahead = [(thing, 0)]
        while ahead:
            current, depth = ahead.pop()
            if id(current) in self._wanted:
                found.append(current)
            elif issubclass(type(current), locks.Condition):
                ahead.append((instance_dict(current, locks.Condition).get("_lock"), depth + 1))
            elif current is not NOTHING and depth < _DEPTH:
                method = class_attribute(type(current), "acquire")
                ahead += ((inner, depth + 1) for inner in self._taken_by(current, method))
        return found

    def _taken_by(self, thing: object, method: object) -> list[object]:
        """What a method of an object acquires through the object: `self._lock`, and not its arguments."""
        acquired = self._sources.acquired_by_calling(method)
        if not acquired:
            return []
        function: Any = method
        code: types.CodeType = function.__code__
        itself = {code.co_varnames[0]: thing} if code.co_argcount else {}
        namespace = function.__globals__
        found: list[object] = []
        for one in acquired:
            if not may_be_released_by_calling(one.called, itself, namespace, code):
                found += (
                    inner
                    for inner in things_of(one, itself, namespace, code, None)
                    if inner is not NOTHING and not is_among(one.released, inner, itself, namespace, code)
                )
        return found

    def _through(self, manager: object) -> list[object]:
        """The locks that a manager of the application has taken when its block was entered."""
        kind = type(manager)
        if issubclass(kind, _KNOWN_MANAGERS):
            return []
        if is_kind_of(kind, (contextlib._AsyncGeneratorContextManager,)):
            generator = instance_dict(manager, contextlib._AsyncGeneratorContextManager).get("gen")
            frame = generator.ag_frame if type(generator) is types.AsyncGeneratorType else None
            acquired = self._sources.acquired(frame.f_code, frame.f_lasti) if frame is not None else []
            taken = self._in_frame(frame, generator, acquired) if frame is not None and acquired else []
            return [lock for lock, _site in taken]
        enter = class_attribute(kind, "__aenter__")
        return [lock for inner in self._taken_by(manager, enter) for lock in self._behind(inner)]


_KNOWN_MANAGERS = (locks.Lock, locks.Semaphore, locks.Condition, asyncio.Timeout)
