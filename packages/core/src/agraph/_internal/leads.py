"""Which of some objects other objects lead to in a few steps: by locals, closures, attributes and containers.

Only `gc.get_referents` and the attributes of exact builtin types are read, so nothing of the application
runs. What leads everywhere (loops, modules, classes, globals of functions) leads nowhere here. A future or
task is not looked into either: who runs it is asked for itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import types
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from agraph._internal.futures import C_FUTURE, PY_FUTURE, coroutine_of
from agraph._internal.kinds import kinds_of
from agraph._internal.walk import C_FUTURE_ITERATOR, chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agraph._internal.walk import Link

_EMPTY: frozenset[int] = frozenset()
# A container with more items is a registry of everything rather than something that one task works with.
_MANY_ITEMS = 1000
_SIZED = (dict, list, tuple, set, frozenset, deque)
OPAQUE = (
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    memoryview,
    range,
    slice,
    type,
    type(None),
    type(...),
    type(NotImplemented),
    types.ModuleType,
    types.CodeType,
    types.FrameType,
    types.TracebackType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    C_FUTURE,
    PY_FUTURE,
    *((C_FUTURE_ITERATOR,) if C_FUTURE_ITERATOR is not None else ()),
    asyncio.AbstractEventLoop,
    asyncio.Handle,
    contextvars.Context,
    contextvars.ContextVar,
    logging.Logger,
    threading.Thread,
    weakref.ref,
)


class Leads:
    """Looks for targets, through each object once, within a budget.

    Attributes:
        exhausted: Whether the budget was used up, so that what is found is not all.
    """

    def __init__(
        self, targets: Mapping[int, Sequence[int]], budget: int, barriers: Sequence[object] = ()
    ) -> None:
        """Prepare a search.

        Args:
            targets: By `id` of an object that is looked for, the numbers that stand for it.
            budget: How many references may be followed.
            barriers: Objects that lead nowhere, such as a pool that knows all of its connections.
        """
        self.exhausted = False
        self._targets = targets
        self._left = budget
        self._found: dict[int, dict[int, frozenset[int]]] = {}
        # By identity, as a metaclass may define `__hash__`; `_kept` keeps the identities valid.
        self._opaque: set[int] = set()
        self._open: set[int] = set()
        self._barriers = {id(thing) for thing in barriers}
        self._kept: list[object] = list(barriers)

    def of(self, items: Sequence[object], steps: int) -> set[int]:
        """The numbers of the targets among some objects, and of those that these lead to.

        Args:
            items: Where to start; coroutines among them are not looked into.
            steps: How many objects may lie on the way, containers included, instance dictionaries not.

        Returns:
            The numbers.
        """
        found = self._among(items)
        known = self._found.setdefault(steps, {})
        for item in self._not_opaque(items, without=types.CoroutineType):
            if id(item) in known:
                found |= known[id(item)]
            elif id(item) not in self._targets and not self._is_opaque(item):
                found |= self._search(item, steps, known)
        return found

    def _among(self, items: Sequence[object]) -> set[int]:
        """The numbers of the targets among some objects, of which there may be very many."""
        targets = self._targets
        if targets.keys().isdisjoint(map(id, items)):
            return set()
        return {number for item in items if id(item) in targets for number in targets[id(item)]}

    def _not_opaque(self, items: Sequence[object], without: type | None = None) -> list[object]:
        """Those of some objects whose types may lead somewhere; there may be very many, of few types."""
        kinds = kinds_of(items)
        opens = {key for key, kind in kinds.items() if kind is not without and not self._is_opaque_kind(kind)}
        return [item for item in items if id(type(item)) in opens] if opens else []

    def _is_opaque(self, item: object) -> bool:
        kind = type(item)
        if kind is types.CoroutineType:
            return not _is_unstarted(item)  # the task that runs it is asked for itself
        return self._is_opaque_kind(kind) or id(item) in self._barriers

    def _is_opaque_kind(self, kind: type) -> bool:
        if id(kind) not in self._open and id(kind) not in self._opaque:
            (self._opaque if issubclass(kind, OPAQUE) else self._open).add(id(kind))
            self._kept.append(kind)
        return id(kind) in self._opaque

    def _search(self, start: object, steps: int, known: dict[int, frozenset[int]]) -> frozenset[int]:
        """What one object leads to, breadth first."""
        found: set[int] = set()
        seen = {id(start)}
        layer = [start]
        for _ in range(steps):
            inner: list[object] = []
            for item in layer:
                if self._left <= 0:
                    self.exhausted = True
                    return _EMPTY
                inside = _inside(item)
                self._left -= len(inside) + 1
                inner += inside
            found |= self._among(inner)
            layer = []
            for item in self._not_opaque(inner):
                if id(item) not in seen and id(item) not in self._targets and not self._is_opaque(item):
                    seen.add(id(item))
                    layer.append(item)
        result = known[id(start)] = frozenset(found) if found else _EMPTY
        self._kept.append(start)
        return result


def items_of_task(task: object) -> Iterator[list[object]]:
    """See `items_of`."""
    return items_of(chain(coroutine_of(task)))


def items_of(links: list[Link]) -> Iterator[list[object]]:
    """What the frames of a task have: locals, closures, and what stands on their value stacks.

    Args:
        links: Its coroutines.

    Yields:
        The objects of its suspended frames; then, if it runs, those of the coroutines it has called.
    """
    owners = [link.owner for link in links]
    seen = set(map(id, owners))
    while owners:
        items = gc.get_referents(*owners)
        yield items
        # One that is not started has its arguments. A running one does not say which one it awaits.
        owners = [
            item
            for item in items
            if type(item) is types.CoroutineType and id(item) not in seen and not item.cr_suspended
        ]
        seen.update(map(id, owners))


def named_globals(code: types.CodeType, namespace: dict[str, Any]) -> list[object]:
    """The globals that a function names, and what it names of the modules among them.

    Args:
        code: The code of the function.
        namespace: Its globals.

    Returns:
        The objects; what calls of other functions lead to is not among them.
    """
    names = code.co_names
    found = [dict.get(namespace, name) for name in names]
    for item in list(found):
        if type(item) is types.ModuleType:
            inner = item.__dict__
            found += [inner.get(name) for name in names]
    return found


def contents(cells: Iterable[types.CellType]) -> Iterator[object]:
    """What is in some cells; a name that is not assigned yet has nothing."""
    for cell in cells:
        try:
            yield cell.cell_contents
        except ValueError:
            continue


def _inside(item: object) -> Sequence[object]:
    """What an object refers to, as far as it is its own."""
    kind = type(item)
    if issubclass(kind, _SIZED):
        return gc.get_referents(item) if _size(item) <= _MANY_ITEMS else ()
    if type(item) is types.FunctionType:
        return [*contents(item.__closure__ or ()), *(item.__defaults__ or ())]
    return _attributes(item)


def _size(item: object) -> int:
    """The length that C code has for it, not one that a subclass defines."""
    base: Any = next(kind for kind in _SIZED if issubclass(type(item), kind))
    return int(base.__len__(item))


def _is_unstarted(coroutine: Any) -> bool:  # noqa: ANN401 - a coroutine
    return coroutine.cr_frame is not None and not coroutine.cr_running and not coroutine.cr_suspended


def _attributes(item: object) -> list[object]:
    """The attributes of an instance.

    Since 3.11 they may lie in the instance, without a dictionary (Objects/dictobject.c, inline values). So
    that both look the same, the contents of dictionaries are taken in their place.
    """
    found: list[object] = []
    for inner in gc.get_referents(item):
        if type(inner) is dict and len(inner) <= _MANY_ITEMS:
            for value in list(inner.values()):
                found.append(value)
                if type(value) is dict and len(value) <= _MANY_ITEMS:
                    found += list(value.values())
        else:
            found.append(inner)
    return found
