"""What a callback or coroutine completes: a future by `set_result`, an event by `set`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.arguments import bound_arguments
from agraph_static._internal.flow import Flow, Place, Value
from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.origins import Origins
    from agraph_static._internal.scopes import Call, Function
    from agraph_static._internal.semantics import Module

_DEPTH = 2
"""How many calls deep a callback is followed within the module."""


@dataclass(slots=True, eq=False)
class Resolution:
    """One completion of an object.

    Attributes:
        kind: `future`, `event`, `queue`, `semaphore` or `condition`.
        place: What is completed, in the terms of the function that was asked about.
        node: The call that does it.
        function: Where that call stands.
        only_exception: Whether it is `set_exception`.
        depth: How many calls away it is.
        way: Those calls, the outermost first.
        threadsafe: Whether it goes through `call_soon_threadsafe`.
    """

    kind: str
    place: Place
    node: cst.CSTNode
    function: Function
    only_exception: bool = False
    depth: int = 0
    threadsafe: bool = False
    way: tuple[cst.CSTNode, ...] = ()


@dataclass(slots=True, eq=False)
class Callback:
    """What a callback expression runs.

    Attributes:
        function: The function, or None when it is a bound method such as `waiter.set_result`.
        env: Arguments that are bound already, by parameter.
        skip: Number of leading positional parameters that are bound.
        direct: The resolution that a bound method itself is.
        threadsafe: Whether it is handed to the loop from another thread.
    """

    function: Function | None
    env: dict[str, Value] = field(default_factory=dict)
    skip: int = 0
    direct: Resolution | None = None
    threadsafe: bool = False


class Resolver:
    """Answers for one module."""

    def __init__(self, module: Module, flow: Flow, origins: Origins) -> None:
        """Keep what is asked from.

        Args:
            module: The indexed module.
            flow: Its places.
            origins: Where its values come from.
        """
        self.module = module
        self.flow = flow
        self.origins = origins

    # Callbacks

    def callback(self, expression: cst.BaseExpression, function: Function) -> Callback | None:  # noqa: C901, PLR0911 - one question after the other reads best
        """The function a callback expression stands for: a name, a lambda, a partial, a bound method."""
        env: list[Value] = []
        keywords: dict[str, Value] = {}
        threadsafe = False
        for _ in range(8):  # partials of partials and names of names end some time
            if isinstance(expression, cst.Lambda):
                return self._bind(self.module.by_node.get(id(expression)), env, keywords, threadsafe)
            if isinstance(expression, cst.Call) and dotted(expression.func).rpartition(".")[2] == "partial":
                positional = [arg.value for arg in expression.args if arg.keyword is None and not arg.star]
                if not positional:
                    return None
                keywords.update(
                    {arg.keyword.value: Value(arg.value, function) for arg in expression.args if arg.keyword}
                )
                env[:0] = [Value(one, function) for one in positional[1:]]
                expression = positional[0]
            elif isinstance(expression, cst.Attribute) and expression.attr.value in (
                "call_soon_threadsafe",
                "call_soon",
            ):
                threadsafe = threadsafe or expression.attr.value == "call_soon_threadsafe"
                if not env:
                    return None
                first = env.pop(0)
                expression, function = first.node, first.function
            elif isinstance(expression, cst.Attribute):
                return self._attribute(expression, function, env, keywords, threadsafe)
            elif isinstance(expression, cst.Name):
                found = self.flow.named_function(expression.value, function)
                if found is not None:
                    return self._bind(found, env, keywords, threadsafe)
                value = self._single_value(expression.value, function)
                if value is None:
                    return None
                expression, function = value.node, value.function
            else:
                return None
        return None

    def _single_value(self, name: str, function: Function) -> Value | None:
        scope = self.module.scope_of(name, function)
        bindings = scope.bindings[name] if scope is not None else []
        values = [one.value for one in bindings if one.kind == "assign" and one.value is not None]
        if scope is None or len(values) > 1:
            return None
        if not values and [one.kind for one in bindings] == ["param"]:  # a callback that is handed in
            given = self.flow.arguments.get((id(scope), name), ())
            return given[0] if len(given) == 1 else None
        return Value(values[0], scope) if values else None

    def _attribute(
        self,
        expression: cst.Attribute,
        function: Function,
        env: list[Value],
        keywords: dict[str, Value],
        threadsafe: bool,
    ) -> Callback | None:
        name = expression.attr.value
        receiver = expression.value
        if isinstance(receiver, cst.Name):
            owner = (
                function.owner
                if receiver.value == function.self_name
                else self.module.classes.get(receiver.value)
            )
            found = self.module.find_method(owner, name) if owner else None
            if found is not None:
                return self._bind(found, env, keywords, threadsafe)
        place = self.flow.place(receiver, function)
        kind = "future" if name in words.RESOLVE_METHODS else words.HOPS.get(name)
        if place is None or kind is None:
            return None
        if kind != "future" and not self._is_primitive(place, kind):
            return None
        direct = Resolution(kind, place, expression, function, name == "set_exception", threadsafe=threadsafe)
        return Callback(None, direct=direct, threadsafe=threadsafe)

    def _bind(
        self, found: Function | None, env: list[Value], keywords: dict[str, Value], threadsafe: bool
    ) -> Callback | None:
        if found is None:
            return None
        skip = 1 if found.is_method else 0
        bound = dict(zip(found.params[skip:], env, strict=False))
        bound.update(keywords)
        return Callback(found, bound, skip + len(env), threadsafe=threadsafe)

    def source_parameter(self, callback: Callback) -> str:
        """The parameter that receives the finished future; empty when there is none."""
        if callback.function is None:
            return ""
        free = [name for name in callback.function.params[callback.skip :] if name not in callback.env]
        return free[0] if free else ""

    def hands_on(self, callback: Callback) -> bool:
        """Whether a callback does something with the finished future or its result, not only its error."""
        source = self.source_parameter(callback)
        if callback.function is None:
            return True
        return any(
            (call.name == "result" and dotted(call.receiver) == source)
            or any(dotted(one) == source for one in call.args)
            for inner in callback.function.subtree()
            for call in inner.calls
            if source and call.name not in ("discard", "remove")
        )

    # Resolutions

    def of_callback(self, callback: Callback) -> list[Resolution]:
        """Everything a callback completes, in the terms of the function that registers it."""
        if callback.direct is not None:
            return [callback.direct]
        if callback.function is None:
            return []
        found = self.of_function(callback.function, callback.env)
        source = self.source_parameter(callback)
        own: Place = ("v", id(callback.function), source)
        result = []
        for one in found:
            if source and self.flow.root(one.place) == self.flow.root(own):
                continue  # it completes the future it was called for
            one.threadsafe = one.threadsafe or callback.threadsafe
            result.append(one)
        return result

    def of_function(
        self,
        function: Function,
        env: dict[str, Value] | None = None,
        depth: int = 0,
        seen: frozenset[int] = frozenset(),
    ) -> list[Resolution]:
        """Everything a function completes, with parameters replaced by what `env` says they are."""
        if depth > _DEPTH or id(function) in seen:
            return []
        seen |= {id(function)}
        found: list[Resolution] = []
        for call in function.calls:
            found.extend(self._of_call(call, depth, seen))
        return [self._substitute(one, function, env or {}) for one in found]

    def of_call(self, call: Call) -> list[Resolution]:
        """Everything one call completes, itself or in the function of this module that it runs."""
        return self._of_call(call, 0, frozenset())

    def _of_call(self, call: Call, depth: int, seen: frozenset[int]) -> list[Resolution]:
        direct = self.direct(call)
        if direct is not None:
            direct.depth = depth
            return [direct]
        if call.name in ("call_soon", "call_soon_threadsafe") and call.args:
            return self._of_call_soon(call, depth, seen)
        callee = self.flow.callee(call)
        if callee is None or (callee.is_async and not _is_awaited(self.module, call)):
            return []
        env = {name: Value(value, call.function) for name, value in bound_arguments(call, callee)}
        found = self.of_function(callee, env, depth + 1, seen)
        for one in found:
            one.way = (call.node, *one.way)
        return found

    def _of_call_soon(self, call: Call, depth: int, seen: frozenset[int]) -> list[Resolution]:
        callback = self.callback(call.args[0], call.function)
        if callback is None:
            return []
        if callback.direct is not None:
            callback.direct.threadsafe = call.name == "call_soon_threadsafe"
            return [callback.direct]
        if callback.function is None:
            return []
        names = callback.function.params[callback.skip :]
        env = dict(callback.env)
        env.update(
            {name: Value(value, call.function) for name, value in zip(names, call.args[1:], strict=False)}
        )
        found = self.of_function(callback.function, env, depth + 1, seen)
        for one in found:
            one.threadsafe = call.name == "call_soon_threadsafe"
            one.way = (call.node, *one.way)
        return found

    def direct(self, call: Call) -> Resolution | None:
        """What one call itself completes."""
        target: cst.BaseExpression | None = None
        kind = "future"
        if call.receiver is not None and call.name in words.RESOLVE_METHODS and not self._in_module(call):
            target = call.receiver
        else:
            position = words.lookup(words.RESOLVERS, call.qualified, call.name)
            chain = words.lookup(words.CHAINERS, call.qualified, call.name)
            role = self.origins.wrappers.get(call.qualified) or self.origins.wrappers.get(call.name)
            if isinstance(chain, tuple) or role == "chain":
                position = 1
            elif role == "resolve":
                position = 0
            if isinstance(position, int):
                target = call.args[position] if len(call.args) > position else None
        if target is None and call.receiver is not None and call.name in words.HOPS:
            if call.name == "set" and (call.args or call.keywords):
                return None
            target, kind = call.receiver, words.HOPS[call.name]
        place = self.flow.place(target, call.function)
        if place is None or (kind != "future" and not self._is_primitive(place, kind)):
            return None
        return Resolution(kind, place, call.node, call.function, call.name in words.FAILURES)

    def _in_module(self, call: Call) -> bool:
        """`helpers.set_result(future, value)`: a function of an imported module, not a future's method."""
        imported = isinstance(call.receiver, cst.Name) and call.receiver.value in self.module.imports
        return imported and len(call.args) > 1

    def _is_primitive(self, place: Place, kind: str) -> bool:
        origins = self.origins.of_place(place)
        return kind in origins or (kind == "semaphore" and "lock" in origins)

    def _substitute(self, one: Resolution, function: Function, env: dict[str, Value]) -> Resolution:
        """Say the place in the caller's terms when it is, or hangs on, a parameter of the function."""
        for member in self.flow.members(one.place):
            kind, owner, path = member
            if kind not in ("v", "o") or (kind == "v" and owner != id(function)):
                continue
            head, rest = _head(path)
            bindings = function.bindings.get(head, ())
            if not any(binding.kind == "param" for binding in bindings):
                continue
            value = env.get(head)
            default = next((binding.value for binding in bindings if binding.kind == "param"), None)
            if value is None and default is not None and function.parent is not None:
                value = Value(default, function.parent)
            moved = self.flow.below(value.node, rest, value.function) if value is not None else None
            if moved is not None:
                return replace(one, place=moved)
        return one


def _head(path: str) -> tuple[str, str]:
    for index, character in enumerate(path):
        if character in ".[":
            return path[:index], path[index:]
    return path, ""


def _is_awaited(module: Module, call: Call) -> bool:
    return isinstance(module.parents.get(id(call.node)), cst.Await)
