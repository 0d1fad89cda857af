"""Which asyncio locks a module takes, where, and what is called while they are held.

Used by AG204, AG205, AG206.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.scopes import Call, Function

_DEPTH = 4
"""How many awaited calls deep a held lock is followed."""


@dataclass(slots=True, eq=False)
class Holding:
    """One `async with lock:`.

    Attributes:
        node: The with statement.
        item: The lock as written.
        place: Its group.
        function: Where it stands.
    """

    node: cst.With
    item: cst.BaseExpression
    place: Place
    function: Function

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
        for function in context.module.functions:
            found = [one for node in function.withs if node.asynchronous for one in self._of(node, function)]
            if found:
                self.holdings[id(function)] = found

    def _of(self, node: cst.With, function: Function) -> Iterator[Holding]:
        for item in node.items:
            place = self.context.flow.place(item.item, function)
            if place is not None and "lock" in self.context.origins.of_place(place):
                members = self.context.flow.members(place)
                shown = next((one for one in members if one[2].endswith("[]")), self.context.flow.root(place))
                yield Holding(node, item.item, shown, function)

    def all(self) -> Iterator[Holding]:
        """Every holding, in source order."""
        for function in self.context.module.functions:
            yield from self.holdings.get(id(function), ())

    def same(self, one: Holding, other: Holding) -> bool:
        """Whether two holdings are of one place."""
        return self.context.flow.root(one.place) == self.context.flow.root(other.place)

    def inside(self, holding: Holding) -> Iterator[tuple[Holding, tuple[Call, ...]]]:
        """What is locked while a lock is held: the inner holding, and the awaited calls that lead to it."""
        nodes = {id(node) for node in walk(holding.node.body)}
        for inner in self.holdings.get(id(holding.function), ()):
            if id(inner.node) in nodes or self._later_item(holding, inner):
                yield inner, ()
        for call in holding.function.calls:
            if id(call.node) in nodes and self._is_awaited(call):
                yield from self._behind(call, (call,), {id(holding.function)})

    def _later_item(self, holding: Holding, inner: Holding) -> bool:
        """`async with first, second:` takes the second while the first is held."""
        if inner.node is not holding.node or inner is holding:
            return False
        order = [id(item.item) for item in holding.node.items]
        return order.index(id(holding.item)) < order.index(id(inner.item))

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
            pending.extend((one, (*way, one)) for one in callee.calls if self._is_awaited(one))

    def _is_awaited(self, call: Call) -> bool:
        return isinstance(self.context.module.parents.get(id(call.node)), cst.Await)
