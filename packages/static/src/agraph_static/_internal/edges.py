"""Calls of `future_add_to_awaited_by` and `future_discard_from_awaited_by`. Used by AG102 to AG107."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.scopes import Call, Function


@dataclass(slots=True, eq=False)
class EdgeCall:
    """One such call.

    Attributes:
        call: The call.
        future: Its first argument.
        waiter: Its second argument.
        group: The functions that belong together with it: the outermost function with those in it, or the
            class.
    """

    call: Call
    future: cst.BaseExpression
    waiter: cst.BaseExpression
    group: tuple[Function, ...]


class Edges:
    """All such calls of a module, and what the rules ask about them."""

    def __init__(self, context: Context) -> None:
        """Collect the calls.

        Args:
            context: The module.
        """
        self.context = context
        self._groups: dict[tuple[int, int], tuple[Function, ...]] = {}
        self.adds = self._collect(words.ADD_EDGE)
        self.discards = self._collect(words.DISCARD_EDGE)
        self.callbacks = _callback_functions(context) if self.adds or self.discards else set()
        self._reached: dict[int, list[EdgeCall]] = {}
        self._recording: dict[int, bool] = {}
        self._recording_below: dict[int, bool] = {}

    def _collect(self, name: str) -> list[EdgeCall]:
        found = []
        for call in self.context.module.calls:
            known = call.name == name or call.qualified.rpartition(".")[2] == name
            if known and len(call.args) >= 2:
                found.append(EdgeCall(call, call.args[0], call.args[1], self._group(call.function)))
        return found

    def _group(self, function: Function) -> tuple[Function, ...]:
        around = [one for one in function.lineage() if one.parent is not None]
        outermost = around[-1] if around else function
        key = (id(outermost), id(function.owner))
        if key not in self._groups:
            group = list(outermost.subtree()) if around else [function]
            for method in function.owner.methods.values() if function.owner is not None else ():
                group.extend(method.subtree())
            self._groups[key] = tuple(group)
        return self._groups[key]

    def discards_for(self, add: EdgeCall) -> list[EdgeCall]:
        """The discards that can undo an add: in the functions around it, its class, the callbacks it adds."""
        key = id(add.group)
        if key not in self._reached:
            reach = {id(one) for one in add.group} | {id(one) for one in self._callbacks_of(add)}
            self._reached[key] = [one for one in self.discards if id(one.call.function) in reach]
        return self._reached[key]

    def _callbacks_of(self, add: EdgeCall) -> list[Function]:
        found = []
        for function in add.group:
            for call in function.calls:
                if call.name == "add_done_callback" and call.args:
                    callback = self.context.resolver.callback(call.args[0], function)
                    if callback is not None and callback.function is not None:
                        found.append(callback.function)
        return found

    def recorded_in(self, function: Function) -> bool:
        """Whether a function records edges, itself or in a function of this module that it calls."""
        key = id(function)
        if key not in self._recording:
            callees = [self.context.flow.callee(one) for one in function.calls]
            self._recording[key] = any(one is not None and _adds(one) for one in (function, *callees))
        return self._recording[key]

    def recorded_below(self, function: Function) -> bool:
        """Whether a function or one of those in it records edges."""
        key = id(function)
        if key not in self._recording_below:
            self._recording_below[key] = any(map(self.recorded_in, function.subtree()))
        return self._recording_below[key]

    def same(
        self, one: cst.BaseExpression, function: Function, other: cst.BaseExpression, within: Function
    ) -> bool:
        """Whether two expressions name one object."""
        first, second = self.place(one, function), self.place(other, within)
        return first is not None and first == second

    def place(self, expression: cst.BaseExpression, function: Function) -> Place | None:
        """The group of an expression."""
        place = self.context.flow.place(expression, function)
        return None if place is None else self.context.flow.root(place)


def _adds(function: Function) -> bool:
    return any(words.ADD_EDGE in one.name or one.name == "_awaited_by_add" for one in function.calls)


def is_current_task(expression: cst.BaseExpression) -> bool:
    """`asyncio.current_task()`."""
    return isinstance(expression, cst.Call) and dotted(expression.func).rpartition(".")[2] == "current_task"


def _callback_functions(context: Context) -> set[int]:
    """The functions that are given to `add_done_callback`, by id."""
    found = set()
    for call in context.module.calls:
        if call.name in ("add_done_callback", "call_soon", "call_later", "call_soon_threadsafe"):
            for argument in call.args[:2]:
                callback = context.resolver.callback(argument, call.function)
                if callback is not None and callback.function is not None:
                    found.add(id(callback.function))
    return found


def in_cleanup(context: Context, node: cst.CSTNode) -> bool:
    """Whether a node stands in a `finally` or an `except` of its function."""
    for one in context.module.ancestors(node):
        if isinstance(one, (cst.FunctionDef, cst.Lambda)):
            return False
        if isinstance(one, (cst.Finally, cst.ExceptHandler)):
            return True
    return False
