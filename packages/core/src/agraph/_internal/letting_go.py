"""Who may release a lock without having taken it: a helper of its holder, or a call that a loop will make.

A function that releases and does not acquire is such a helper. The names in the code of its caller lead to
it, one step far; its source says which lock it releases.
"""

from __future__ import annotations

import ast
import functools
import types
from typing import TYPE_CHECKING, Any

from agraph._internal.frame_locals import read_locals
from agraph._internal.handles import cells_of, pending_calls
from agraph._internal.instances import NOTHING, attribute, class_attribute, is_heap_type
from agraph._internal.kinds import is_one_of
from agraph._internal.mentions import Mentions
from agraph._internal.releases import LOCKS, THREAD_LOCKS, gives_back, is_among, locks_of
from agraph._internal.resolving import resolve
from agraph._internal.waits import values_in
from agraph._internal.withs import mentions_release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.discover import Loop
    from agraph._internal.holders import Standing
    from agraph._internal.source import Sources

_WILL_RELEASE = "its loop is about to call what may release it"


class Helpers:
    """Looks for such helpers among what functions have called; at each function once."""

    def __init__(self, sources: Sources) -> None:
        """Begin.

        Args:
            sources: What reads the source of functions.
        """
        self._sources = sources
        self._names: dict[tuple[int, ...], set[str]] = {}
        self._kept: list[object] = []  # keeps the identities in these keys valid

    def may_have_released(self, standing: Standing, lock: object, line: int = 0) -> bool:
        """Whether a function may have released a lock by calling a helper before it came to where it stands.

        Args:
            standing: Where it stands.
            lock: The lock.
            line: That of a `with` around this place, to ask only for what was called inside of it.
        """
        frame, owner = standing.frame, standing.owner
        code, namespace = frame.f_code, frame.f_globals
        names = self._helpers_of(code, namespace, owner)
        called = self._sources.called(code, frame.f_lasti, line) if names else ()
        if called is None:
            return True
        suspects = [one for one in called if _last_name(one) in names]
        variables = read_locals(frame, owner) if suspects else {}
        return any(self._releases(one, lock, variables, namespace, code) for one in suspects)

    def _helpers_of(self, code: types.CodeType, namespace: dict[str, Any], owner: object) -> set[str]:
        values = values_in(owner)
        key = (id(code), *{id(type(value)) for value in values})
        names = self._names.get(key)
        if names is None:
            names = self._names[key] = names_of_helpers(code, namespace, values)
            self._kept += (code, *map(type, values))
        return names

    def _releases(
        self,
        called: ast.expr,
        lock: object,
        variables: Mapping[str, Any],
        namespace: Mapping[str, Any],
        code: types.CodeType,
    ) -> bool:
        """Whether a call may have released a lock."""
        function: Any = resolve(called, variables, namespace, code)
        itself: object = NOTHING
        if type(function) is types.MethodType:
            itself, function = function.__self__, function.__func__
        elif isinstance(called, ast.Attribute):
            itself = resolve(called.value, variables, namespace, code)
            if class_attribute(type(itself), called.attr) is not function:  # that of a module
                itself = NOTHING
        if type(function) is not types.FunctionType:
            return True
        released = self._sources.released_by_calling(function) if gives_back(function) else []
        inner: types.CodeType = function.__code__
        known = cells_of(function)
        if itself is not NOTHING and inner.co_argcount:
            known[inner.co_varnames[0]] = itself
        return released is None or is_among(released, lock, known, function.__globals__, inner)


def _last_name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def names_of_helpers(code: types.CodeType, namespace: dict[str, Any], values: Iterable[object]) -> set[str]:
    """The names by which a function may call helpers that release what they have not acquired.

    Args:
        code: Its code.
        namespace: Its globals.
        values: Its variables.
    """
    names = code.co_names
    found = {name for name in names if gives_back(dict.get(namespace, name))}
    things = list(values)
    things += [attribute(thing, name) for thing in things if is_heap_type(type(thing)) for name in names]
    kinds: dict[int, type] = {}
    for thing in things:
        if gives_back(thing):
            found.add(thing.__name__)  # type: ignore[attr-defined]
        kinds[id(type(thing))] = type(thing)
    for kind in filter(is_heap_type, kinds.values()):
        found.update(name for name in names if gives_back(class_attribute(kind, name)))
    return found


# ---- calls that loops are about to make


def note_calls(builder: Builder, loops: Iterable[Loop]) -> None:
    """Open the locks that a call of a loop may release, as `call_later(5, lock.release)` does.

    Args:
        builder: The snapshot in the making, with who holds what.
        loops: The loops.
    """
    if not any(_is_held_lock(builder, number) for number in builder.holders):
        return
    harmless: set[tuple[int, int]] = set()
    kept: list[object] = []  # keeps the identities above valid
    for loop in loops:
        for call in pending_calls(loop):
            callback: Any = call.callback
            bound = call.args
            while type(callback) is functools.partial:
                callback, bound = callback.func, (*callback.args, *bound)
            owner = callback.__self__ if is_one_of(type(callback), _METHODS) else None
            function = callback.__func__ if type(callback) is types.MethodType else callback
            code = function.__code__ if type(function) is types.FunctionType else None
            key = id(code), id(type(owner))
            if _is_release(callback):
                _open(builder, (owner,))
            elif key in harmless:
                continue
            elif _may_release(callback, bound):
                _open(builder, Mentions().things_by((callback, *bound)))
            else:
                harmless.add(key)
                kept += (code, type(owner))


_METHODS = (types.MethodType, types.BuiltinMethodType)


def _is_held_lock(builder: Builder, number: int | None) -> bool:
    node = None if number is None or number not in builder.holders else builder.nodes[number]
    return node is not None and node.kind in ("lock", "semaphore")


def _open(builder: Builder, things: Iterable[object]) -> None:
    for thing in things:
        for lock in locks_of(thing):
            number = builder.known(lock)
            if number is not None and _is_held_lock(builder, number):
                builder.change(number, open=_WILL_RELEASE)


def _is_release(callback: Any) -> bool:  # noqa: ANN401 - of any type
    """Whether it is `release` of a lock."""
    if not is_one_of(type(callback), _METHODS) or callback.__name__ != "release":
        return False
    kind = type(callback.__self__)
    return issubclass(kind, LOCKS) or is_one_of(kind, THREAD_LOCKS)


def _may_release(callback: object, arguments: Iterable[object]) -> bool:
    """Whether it is a function that releases, or that calls a helper which does."""
    values = list(arguments)
    if type(callback) is types.MethodType:
        values.append(callback.__self__)
        callback = callback.__func__
    if type(callback) is not types.FunctionType:
        return False
    code = callback.__code__
    values += cells_of(callback).values()
    return mentions_release(code) or bool(names_of_helpers(code, callback.__globals__, values))
