"""Calls of `future_add_to_awaited_by` and `future_discard_from_awaited_by`. Used by AG102 to AG107."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        calls = context.module.calls if words.DISCARD_EDGE in context.module.text else ()
        self._handed_on = {id(call.function) for call in calls if self._hands_on(call)}
        self._undoing: dict[int, dict[Place | None, list[EdgeCall]]] = {}
        self._reached: dict[int, list[EdgeCall]] = {}
        self._recording: dict[int, bool] = {}
        self._recording_below: dict[int, bool] = {}

    def _collect(self, name: str) -> list[EdgeCall]:
        calls = self.context.module.calls if name in self.context.module.text else ()
        return [
            EdgeCall(call, call.args[0], call.args[1], self._group(call.function))
            for call in calls
            if len(call.args) >= 2 and (call.name == name or self._names(call.node.func, call.function, name))
        ]

    def _names(self, expression: cst.BaseExpression, function: Function, name: str) -> bool:
        """Whether an expression is one of asyncio's two functions, imported or `add = asyncio.future_...`."""
        module = self.context.module
        if module.qualify(dotted(expression)).rpartition(".")[2] == name:
            return True
        scope = module.scope_of(expression.value, function) if isinstance(expression, cst.Name) else None
        bindings = scope.bindings[dotted(expression)] if scope is not None else ()
        given = [one.value for one in bindings if one.kind == "assign"]
        return any(module.qualify(dotted(one)).rpartition(".")[2] == name for one in given)

    def _hands_on(self, call: Call) -> bool:
        """`stack.callback(discard, future, me)`, `partial(discard, future)`, or a helper that discards."""
        if any(self._names(one, call.function, words.DISCARD_EDGE) for one in call.args):
            return True
        callee = self.context.flow.callee(call) if self.discards else None
        return callee is not None and any(
            one.call.function is callee and _is_given(one.future, callee) for one in self.discards
        )

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

    def undoing(self, add: EdgeCall) -> list[EdgeCall]:
        """The discards that can undo an add, without those of the futures of other adds."""
        key = id(add.group)
        if key not in self._undoing:
            table = self._undoing[key] = defaultdict(list)
            for one in self.discards_for(add):
                place = self._fixed[id(one)]
                table[place if place in self._recorded else None].append(one)
        mine = self._fixed[id(add)]
        if mine is None:
            return self.discards_for(add)
        return [*self._undoing[key].get(mine, ()), *self._undoing[key].get(None, ())]

    @cached_property
    def _fixed(self) -> dict[int, Place | None]:
        return {id(one): self._fixed_place(one) for one in (*self.adds, *self.discards)}

    @cached_property
    def _recorded(self) -> set[Place | None]:
        return {self._fixed[id(add)] for add in self.adds}

    def _fixed_place(self, edge: EdgeCall) -> Place | None:
        """The group of a future that one name stands for all the time; None for the rest."""
        expression, function = edge.future, edge.call.function
        if isinstance(expression, cst.Name):
            scope = self.context.module.scope_of(expression.value, function)
            kinds = [one.kind for one in scope.bindings[expression.value]] if scope is not None else []
            fixed = kinds in (["param"], ["assign"])
        else:
            fixed = isinstance(expression, cst.Attribute) and dotted(expression.value) == function.self_name
        place = self.place(expression, function) if fixed else None
        return None if place is None or "[" in place[2] else place

    def is_left_to_others(self, add: EdgeCall) -> bool:
        """Whether code that is not followed may undo an add.

        The functions around it hand the discard on, or it stands in a helper that is given the future, and
        the module has another that discards.
        """
        if any(id(one) in self._handed_on for one in add.group):
            return True
        return self.is_helper(add) and any(
            _is_given(one.future, one.call.function) and not one.call.function.is_async
            for one in self.discards
        )

    def is_helper(self, edge: EdgeCall) -> bool:
        """Whether a call stands in a plain function that is given the future: its callers decide."""
        return not edge.call.function.is_async and _is_given(edge.future, edge.call.function)

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


def _is_given(expression: cst.BaseExpression, function: Function) -> bool:
    """Whether an expression is a parameter."""
    bindings = function.bindings.get(dotted(expression), ())
    return any(one.kind == "param" for one in bindings)


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


def are_in_cleanup(context: Context, nodes: Iterable[cst.CSTNode]) -> bool:
    """Whether nodes stand in a `finally`, or in handlers that take every error and cancellation."""
    caught: set[str] = set()
    for node in nodes:
        for one in context.module.ancestors(node):
            if isinstance(one, (cst.FunctionDef, cst.Lambda)):
                break
            if isinstance(one, cst.Finally):
                return True
            if isinstance(one, cst.ExceptHandler):
                caught |= _caught(one)
    return "BaseException" in caught or {"Exception", "CancelledError"} <= caught


def is_handled(context: Context, node: cst.CSTNode) -> bool:
    """Whether a node stands in a handler."""
    return any(isinstance(one, cst.ExceptHandler) for one in context.module.ancestors(node))


def _caught(handler: cst.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    named = (
        [one.value for one in handler.type.elements]
        if isinstance(handler.type, cst.Tuple)
        else [handler.type]
    )
    return {dotted(one).rpartition(".")[2] for one in named}
