"""Which asyncio locks a module takes, where, and what is called while they are held.

A condition is a lock here, and so is a semaphore that lets one task through. Used by AG204, AG205, AG206.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.scopes import Call, Function

_DEPTH = 4
"""How many awaited calls deep a held lock is followed."""

_SEMAPHORES = frozenset({"asyncio.Semaphore", "asyncio.BoundedSemaphore"})
_RUNNERS = frozenset({"asyncio.wait_for", "asyncio.shield", "asyncio.gather"})
_STARTERS = frozenset({"create_task", "ensure_future"})


@dataclass(eq=False)
class Holding:
    """One `async with lock:`, or one `await lock.acquire()`.

    Attributes:
        item: The lock as written.
        place: Its group.
        function: Where it stands.
        held: What runs while it is held, as far as that is plain to see.
        around: The statement that takes it.
    """

    item: cst.BaseExpression
    place: Place
    function: Function
    held: tuple[cst.CSTNode, ...]
    around: cst.CSTNode

    @cached_property
    def nodes(self) -> set[int]:
        """The ids of all nodes that run while it is held."""
        return {id(node) for part in self.held for node in walk(part)}

    @property
    def is_by_hand(self) -> bool:
        """Whether it is an `acquire()`, which another task may undo."""
        return not isinstance(self.around, cst.With)

    @property
    def is_item(self) -> bool:
        """Whether it is one of several locks in a container, so that equal places can be different locks."""
        return self.place[2].endswith("[]")


class Locks:
    """The locks of one module."""

    def __init__(self, context: Context) -> None:
        """Collect where locks are held.

        Args:
            context: The module.
        """
        self.context = context
        self.holdings: dict[int, list[Holding]] = {}
        self.exits: dict[int, list[cst.CSTNode]] = {}  # what leaves a function, for reentry.py
        self._releases: dict[tuple[int, Place], list[Call]] = {}
        for call in context.module.calls:
            place = context.flow.place(call.receiver, call.function) if call.name == "release" else None
            if place is not None:
                key = (id(call.function), context.flow.root(place))
                self._releases.setdefault(key, []).append(call)
        for function in context.module.functions:
            found = [one for node in function.withs if node.asynchronous for one in self._of(node, function)]
            found.extend(self._acquired(function))
            if found:
                self.holdings[id(function)] = sorted(found, key=lambda one: context.start(one.item))

    def _of(self, node: cst.With, function: Function) -> Iterator[Holding]:
        for index, item in enumerate(node.items):
            place = self._lock(item.item, function)
            if place is not None:
                later = (one.item for one in node.items[index + 1 :])  # taken while the first is held
                yield Holding(item.item, place, function, (node.body, *later), node)

    def _lock(self, expression: cst.BaseExpression, function: Function) -> Place | None:
        """The place of a lock, as it is shown; None for anything else."""
        place = self.context.flow.place(expression, function)
        if place is None:
            return None
        origins = self.context.origins.of_place(place)
        if not origins & {"lock", "condition"} and not ("semaphore" in origins and self._is_single(place)):
            return None
        members = self.context.flow.members(place)
        return next((one for one in members if one[2].endswith("[]")), self.context.flow.root(place))

    def _is_single(self, place: Place) -> bool:
        """Whether a semaphore lets one task through at a time."""
        values = [value.node for value in self.context.flow.values(place)]
        return bool(values) and all(
            isinstance(one, cst.Call)
            and self.context.module.qualify(dotted(one.func)) in _SEMAPHORES
            and all(isinstance(arg.value, cst.Integer) and arg.value.value == "1" for arg in one.args)
            for one in values
        )

    def _acquired(self, function: Function) -> Iterator[Holding]:
        parents, root = self.context.module.parents, self.context.flow.root
        found: list[tuple[cst.BaseExpression, Place, cst.CSTNode]] = []
        for call in function.calls:
            if call.name != "acquire" or call.receiver is None or call.args or call.keywords:
                continue
            awaited = parents.get(id(call.node))
            place = self._lock(call.receiver, function) if isinstance(awaited, cst.Await) else None
            expression = parents.get(id(awaited))
            line = parents.get(id(expression))
            if place is not None and isinstance(expression, cst.Expr) and line is not None:
                found.append((call.receiver, place, line))
        for item, place, line in found:
            again = {id(other) for other, of, _ in found if root(of) == root(place)}
            yield Holding(item, place, function, self._until_release(line, place, function, again), line)

    def _until_release(
        self, line: cst.CSTNode, place: Place, function: Function, again: set[int]
    ) -> tuple[cst.CSTNode, ...]:
        """The statements from `await lock.acquire()` to `lock.release()`; none when that is not beside it.

        They end as well where it is taken again, in one of some nodes.
        """
        released = {id(call.node) for call in self.releases(function, place)}
        block = self.context.module.parents.get(id(line))
        if not released or not isinstance(block, (cst.IndentedBlock, cst.Module)):
            return ()
        found: list[cst.CSTNode] = []
        for one in itertools.islice(itertools.dropwhile(lambda one: one is not line, block.body), 1, None):
            if any(id(node) in released for node in walk(one)):
                final = one.finalbody if isinstance(one, cst.Try) else None
                if isinstance(one, cst.Try) and final is not None:
                    at_end = any(id(node) in released for node in walk(final))
                    return (*found, one.body) if at_end else ()
                return tuple(found)
            found.append(one)
            if any(id(node) in again for node in walk(one)):
                return tuple(found)
        return ()

    def releases(self, function: Function, place: Place) -> list[Call]:
        """Where a function gives a lock back by hand."""
        return self._releases.get((id(function), self.context.flow.root(place)), [])

    def is_released_by_others(self, place: Place) -> bool:
        """Whether a function gives a lock back that it did not take by hand."""
        root = self.context.flow.root(place)
        takers = {
            (id(one.function), self.context.flow.root(one.place)) for one in self.all() if one.is_by_hand
        }
        return any(of == root and (function, of) not in takers for function, of in self._releases)

    def all(self) -> Iterator[Holding]:
        """Every holding, in source order."""
        for function in self.context.module.functions:
            yield from self.holdings.get(id(function), ())

    def same(self, one: Holding, other: Holding) -> bool:
        """Whether two holdings are of one place."""
        return self.context.flow.root(one.place) == self.context.flow.root(other.place)

    def inside(self, holding: Holding) -> Iterator[tuple[Holding, tuple[Call, ...]]]:
        """What is locked while a lock is held: the inner holding, and the awaited calls that lead to it."""
        for inner in self.holdings.get(id(holding.function), ()):
            if id(inner.item) in holding.nodes:
                yield inner, ()
        for call in holding.function.calls:
            if id(call.node) in holding.nodes and self._is_waited_for(call, holding.nodes):
                yield from self._behind(call, (call,), {id(holding.function)})

    def _behind(
        self, call: Call, path: tuple[Call, ...], seen: set[int]
    ) -> Iterator[tuple[Holding, tuple[Call, ...]]]:
        pending = [(call, path)]
        while pending:
            current, way = pending.pop(0)
            callee = self.context.flow.callee(current)
            if callee is None or not callee.is_async or id(callee) in seen or len(way) > _DEPTH:
                continue
            seen.add(id(callee))
            for holding in self.holdings.get(id(callee), ()):
                yield holding, way
            pending.extend((one, (*way, one)) for one in callee.calls if self._is_waited_for(one, None))

    def _is_waited_for(self, call: Call, within: set[int] | None) -> bool:
        """Whether what a call makes is run to its end where it stands, or before some nodes are left."""
        parents = self.context.module.parents
        around = parents.get(id(call.node))
        if isinstance(around, (cst.For, cst.CompFor)):
            return around.asynchronous is not None and around.iter is call.node
        if isinstance(around, cst.WithItem):
            entered = parents.get(id(around))
            return isinstance(entered, cst.With) and bool(entered.asynchronous) and self._makes_context(call)
        if isinstance(around, cst.Arg):
            return self._is_run(call, parents.get(id(around)), within)
        return isinstance(around, cst.Await)

    def _makes_context(self, call: Call) -> bool:
        """Whether a call runs a function of this module that `asynccontextmanager` decorates."""
        callee = self.context.flow.callee(call)
        decorators = callee.node.decorators if callee and isinstance(callee.node, cst.FunctionDef) else ()
        return any(dotted(one.decorator).rpartition(".")[2] == "asynccontextmanager" for one in decorators)

    def _is_run(self, call: Call, runner: cst.CSTNode | None, within: set[int] | None) -> bool:
        """`await gather(call())`, `group.create_task(call())`, `task = create_task(call()); await task`."""
        module = self.context.module
        outer = module.call_of.get(id(runner))
        if outer is None or (outer.args[:1] != [call.node] and outer.name != "gather"):
            return False
        around = module.parents.get(id(runner))
        if isinstance(around, cst.Await):
            return outer.qualified in _RUNNERS or outer.name in _STARTERS
        if outer.name not in _STARTERS:
            return False
        if isinstance(outer.receiver, cst.Name) and self._is_group(
            outer.receiver.value, call.function, within
        ):
            return True
        bindings = [] if not isinstance(around, cst.Assign) else list(call.function.bindings.items())
        names = {name for name, ways in bindings if [one.node for one in ways] == [around]}
        return any(
            isinstance(one.expression, cst.Name)
            and one.expression.value in names
            and (within is None or id(one) in within)
            for one in call.function.awaits
        )

    def _is_group(self, name: str, function: Function, within: set[int] | None) -> bool:
        """Whether a name is a task group that the function enters, and leaves before some nodes are left."""
        bindings = function.bindings.get(name, ())
        return len(bindings) == 1 and (
            bindings[0].kind == "with"
            and isinstance(bindings[0].value, cst.Call)
            and self.context.module.qualify(dotted(bindings[0].value.func)) == "asyncio.TaskGroup"
            and (within is None or id(bindings[0].node) in within)
        )
