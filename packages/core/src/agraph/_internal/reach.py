"""Ways from the variables of a frame to objects that are looked for, and how a person would write them.

The search goes by `gc.get_referents`, which is fast and asks no object anything. Names are looked up only
for what was found: reading variables by name has a cost of its own (frame_locals.py), and reading `__dict__`
of an instance makes the dictionary where there was none.
"""

from __future__ import annotations

import gc
import sys
import types
from asyncio import locks
from collections import deque
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.frame_locals import read_locals
from agraph._internal.instances import (
    DICTS,
    SEQUENCES,
    dict_of,
    is_heap_type,
    name_in_class,
    name_of_type,
    slots_of,
    unmangled,
    values_in_class,
)
from agraph._internal.kinds import is_one_of, kinds_of
from agraph._internal.walk import _type_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# How far from a variable: `self.accounts[2].lock` takes three steps.
_STEPS = 3
# Per object: more than this many are not looked through; and how many of them are looked into in turn.
_LOOKED_AT = 20_000
_LOOKED_INTO = 500
_LONGEST_KEY = 40

_CONTAINERS = DICTS + SEQUENCES
_ANYIO = "anyio._core._synchronization"
_LIBRARY = sys.stdlib_module_names - {"__main__"}
_SKIPPED, _ITEMS, _INSTANCE, _CLASS = range(4)
_BUILTIN_WAYS: dict[type, int] = {
    **dict.fromkeys(_CONTAINERS, _ITEMS),
    types.SimpleNamespace: _INSTANCE,
    locks.Condition: _INSTANCE,
}


class Way(NamedTuple):
    """How an object is reached.

    Attributes:
        target: The object.
        variable: The variable at the start.
        steps: What follows it, such as `._lock` or `[2]`; outermost first.
        short: From the class of the instance that has it, such as `Pool._lock`; empty without one.
        parameter: Whether the variable is a parameter of its function.
        shared: Whether the variable is one of a module.
    """

    target: object
    variable: str
    steps: tuple[str, ...]
    short: str = ""
    parameter: bool = False
    shared: bool = False

    @property
    def text(self) -> str:
        """The way as source code."""
        return self.variable + "".join(self.steps)


class Search:
    """Looks for some objects from many frames, within one budget.

    Attributes:
        targets: The `id` of each object looked for.
        left: How many objects may still be looked at.
    """

    def __init__(self, targets: set[int], budget: int) -> None:
        self.targets = targets
        self.left = budget
        self._seen: set[int] = set()
        self._ways: dict[int, int] = {}

    def from_frame(self, owner: object, frame: types.FrameType) -> list[Way]:
        """Ways from the variables of a suspended coroutine or generator."""
        values = _variables(owner)
        if _is_running(owner):
            # 3.11 shows no locals of a frame that runs: its `stacktop` is -1 (Python/frame.c).
            values += read_locals(frame, owner).values()
        paths = list(self._paths(values))
        if not paths:
            return []
        names = _names(frame, owner)
        return [way for path in paths for way in _ways(path, names.get(id(path[0]), ()))]

    def from_module(self, namespace: dict[str, Any]) -> list[Way]:
        """Ways from the global variables of a module."""
        if type(namespace) is not dict:
            return []
        module = namespace.get("__name__")
        prefix = f"{module}." if type(module) is str and module != "__main__" else ""
        paths = list(self._paths(list(namespace.values())))
        if not paths:
            return []
        wanted = {id(path[0]) for path in paths}
        names = {
            id(value): [_Variable(prefix + name, shared=True)]
            for name, value in list(namespace.items())
            if id(value) in wanted and type(name) is str
        }
        return [way for path in paths for way in _ways(path, names.get(id(path[0]), ()))]

    def forget(self) -> None:
        """Look again into what was seen before: there may be a better way to it."""
        self._seen.clear()

    def _paths(self, roots: Iterable[object]) -> Iterator[tuple[object, ...]]:
        """The objects from a root to each target that is reached, both included. Breadth first."""
        ahead: deque[tuple[object, tuple[object, ...], int]] = deque()
        for root in roots:
            if id(root) in self.targets:
                yield (root,)
            if self._enters(root):
                ahead.append((root, (root,), 0))
        while ahead and self.left > 0:
            thing, path, steps = ahead.popleft()
            if id(thing) in self._seen:
                continue
            self._seen.add(id(thing))
            way = self._way_of(type(thing))
            inside = _inside(thing, way)
            self.left -= len(inside)
            if not self.targets.isdisjoint(map(id, inside)):
                yield from ((*path, child) for child in inside if id(child) in self.targets)
            # The dictionary of an instance is no step of its own.
            least = steps if way == _INSTANCE else steps + 1
            if least < _STEPS:
                entered = 0
                for child in self._worth_entering(inside):
                    further = steps if way == _INSTANCE and type(child) is dict else steps + 1
                    if further < _STEPS and entered < _LOOKED_INTO and self._enters(child):
                        entered += 1
                        ahead.append((child, (*path, child), further))

    def _worth_entering(self, things: list[object]) -> list[object]:
        """Those of some objects whose types are not skipped; there may be very many, of few types."""
        kinds = kinds_of(things)
        entered = {key for key, kind in kinds.items() if self._way_of(kind) != _SKIPPED}
        return [thing for thing in things if id(type(thing)) in entered] if entered else []

    def _enters(self, thing: object) -> bool:
        return self._way_of(type(thing)) != _SKIPPED and id(thing) not in self._seen

    def _way_of(self, kind: type) -> int:
        """How objects of a type are looked into, by identity: a metaclass may define `__hash__`."""
        way = self._ways.get(id(kind))
        if way is None:
            way = self._ways[id(kind)] = _way_into(kind)
        return way


def _way_into(kind: type) -> int:
    """Containers, classes, and instances of classes that are not of the standard library."""
    for known, way in _BUILTIN_WAYS.items():
        if kind is known:
            return way
    if not is_heap_type(kind):
        return _CLASS if kind is type else _SKIPPED
    module = _type_dict(kind).get("__module__")
    if type(module) is not str or module.partition(".")[0] in _LIBRARY:
        return _SKIPPED
    return _CLASS if issubclass(kind, type) else _INSTANCE


def _inside(thing: object, way: int) -> list[object]:
    if way == _CLASS:
        return values_in_class(thing) if is_heap_type(thing) else []  # type: ignore[arg-type]
    if way == _ITEMS and len(thing) > _LOOKED_AT:  # type: ignore[arg-type]
        return []
    return gc.get_referents(thing)


def _variables(owner: object) -> list[object]:
    """What the variables of a suspended coroutine refer to, closures included."""
    found: list[object] = []
    for value in gc.get_referents(owner):
        if type(value) is types.CellType:
            found += gc.get_referents(value)
        else:
            found.append(value)
    return found


def _is_running(owner: object) -> bool:
    kind = type(owner)
    if kind is types.CoroutineType:
        return owner.cr_running  # type: ignore[attr-defined, no-any-return]
    if kind is types.AsyncGeneratorType:
        return owner.ag_running  # type: ignore[attr-defined, no-any-return]
    return kind is types.GeneratorType and owner.gi_running  # type: ignore[attr-defined]


# ---- names


class _Variable(NamedTuple):
    name: str
    parameter: bool = False
    shared: bool = False


def _names(frame: types.FrameType, owner: object) -> dict[int, list[_Variable]]:
    """The variables of a frame by the `id` of their values; those that are no parameters first."""
    code = frame.f_code
    parameters = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    names: dict[int, list[_Variable]] = {}
    for name, value in read_locals(frame, owner).items():
        if name.isidentifier():
            names.setdefault(id(value), []).append(_Variable(name, name in parameters))
    for variables in names.values():
        variables.sort(key=lambda variable: variable.parameter)
    return names


def _ways(path: tuple[object, ...], variables: Iterable[_Variable]) -> Iterator[Way]:
    """A path in words, for each variable it may begin with; nothing when a step has no name."""
    if not variables:
        return
    written = _written(path)
    if written is None:
        return
    steps, short = written
    for variable in variables:
        if variable.name in _ITSELF:
            if steps:
                kind: Any = path[0] if issubclass(type(path[0]), type) else type(path[0])
                yield Way(path[-1], name_of_type(kind), steps, short, shared=True)
        else:
            yield Way(path[-1], variable.name, steps, short, variable.parameter, variable.shared)


_ITSELF = ("self", "cls")


def _written(path: tuple[object, ...]) -> tuple[tuple[str, ...], str] | None:
    """The steps of a path, and its end seen from the class of the last instance on it."""
    steps: list[str] = []
    short = ""
    for parent, child in pairwise(_without_dictionaries(path)):
        step = _step(parent, child)
        if step is None:
            return None
        if step[:1] == ".":
            kind: Any = parent if issubclass(type(parent), type) else type(parent)
            # Builtin types say nothing: `SimpleNamespace.lock`.
            short = name_of_type(kind) if is_heap_type(kind) else ""
        if step:
            steps.append(step)
            short = short and short + step
    return tuple(steps), short


def _without_dictionaries(path: tuple[object, ...]) -> list[object]:
    """The path without the dictionaries of instances, which the collector shows and source code does not."""
    found = [path[0]]
    for thing in path[1:]:
        is_own = (
            type(thing) is dict
            and not is_one_of(type(found[-1]), _CONTAINERS)
            and dict_of(found[-1]) is thing
        )
        if not is_own:
            found.append(thing)
    return found


def _step(parent: object, child: object) -> str | None:
    """How source code gets from one object to the next; empty where it need not."""
    kind = type(parent)
    if is_one_of(kind, DICTS):
        return next((f"[{_key(key)}]" for key, value in _entries(parent) if value is child), None)
    if is_one_of(kind, SEQUENCES):
        return next((f"[{index}]" for index, value in enumerate(list(parent)) if value is child), None)  # type: ignore[call-overload]
    if issubclass(kind, type):
        name = name_in_class(parent, child)  # type: ignore[arg-type]
        return None if name is None else f".{unmangled(name, parent)}"  # type: ignore[arg-type]
    if child is kind:
        return ""  # an attribute of the class is one of the instance
    attributes = chain(_entries(dict_of(parent) or {}), slots_of(parent))
    name = next((name for name, value in attributes if value is child and type(name) is str), None)
    if name is not None:
        name = unmangled(name, kind)
    if kind is locks.Condition:
        return "" if name == "_lock" else None  # the lock goes by the name of its condition
    return None if name is None else f".{name}" if not _is_what_it_stands_for(kind, name) else ""


def _is_what_it_stands_for(kind: type, name: str) -> bool:
    """Whether an attribute of a primitive of anyio, made before there was a loop, is what it hands to.

    The classes are in anyio/_core/_synchronization.py (anyio 4.16).
    """
    return name.startswith("_internal_") and _type_dict(kind).get("__module__") == _ANYIO


def _entries(values: Any) -> list[tuple[object, object]]:  # noqa: ANN401 - a dict
    return list(dict.items(values))


def _key(key: object) -> str:
    """A key as source code. Only of strings and numbers is it known that to show them runs no code."""
    text = repr(key) if is_one_of(type(key), (str, int)) else "..."
    return text if len(text) <= _LONGEST_KEY else f"{text[: _LONGEST_KEY - 3]}..."


def is_of_the_library(module: object) -> bool:
    """Whether a module is one of the standard library."""
    name = (dict_of(module) or {}).get("__name__")
    return type(name) is not str or name.partition(".")[0] in _LIBRARY
