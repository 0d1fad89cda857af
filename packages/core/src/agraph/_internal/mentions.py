"""Tasks and futures that a call refers to: it may cancel or complete them, or do nothing with them.

Looked at are what a function knows (its variables from around it, its defaults, the globals that it names),
what a method belongs to, and the arguments; of objects among these, and of their classes, the attributes.
Containers are looked through. What such a call reaches by calling others is not found.
"""

from __future__ import annotations

import functools
import gc
import types
from collections import deque
from typing import TYPE_CHECKING, Any

from agraph._internal.futures import is_future, is_pending
from agraph._internal.instances import values_in_class
from agraph._internal.leads import OPAQUE, contents, named_globals
from agraph._internal.library_timers import tasks_cancelled_by
from agraph._internal.waits import with_children

if TYPE_CHECKING:
    from collections.abc import Iterable

# By `id`: a metaclass may define `__hash__`.
_CONTAINERS = frozenset(map(id, (dict, list, tuple, set, frozenset, deque)))
_BOUND = frozenset(map(id, (types.MethodType, functools.partial)))
# So many objects are looked at for one call.
_MANY = 10_000


class Mentions:
    """Looks into each object once, as many calls may lead to the same ones."""

    def __init__(self) -> None:
        """Begin."""
        # By identity and how far from the call it was: what is near is looked into more deeply. The objects
        # are kept, so that their identities stay valid.
        self._seen: dict[tuple[int, int], object] = {}

    def by(self, values: Iterable[object]) -> list[object]:
        """What a call refers to that is still pending, and was not found before.

        Args:
            values: What it calls, and with what.

        Returns:
            The tasks and futures, with those that these cancel when they are cancelled.
        """
        found = (item for item in self.things_by(values) if is_future(item) and is_pending(item))
        return [each for item in found for each in with_children(item)]

    def things_by(self, values: Iterable[object]) -> list[object]:
        """All objects that a call refers to, and that were not found before.

        Args:
            values: What it calls, and with what.
        """
        called = self._opened(values, 0)
        functions = [item for item in called if type(item) is types.FunctionType]
        known = self._opened((inner for item in functions for inner in self._inside(item, 0)), 1)
        near = self._opened((inner for item in (*called, *known) for inner in self._inside(item, 1)), 2)
        return [*called, *known, *near]

    def _opened(self, values: Iterable[object], step: int) -> list[object]:
        """Some objects, with what is in the containers among them, and bound to the methods."""
        found: list[object] = []
        ahead = list(values)
        for item in ahead:  # it grows meanwhile
            kind = id(type(item))
            if kind not in _CONTAINERS and kind not in _BOUND:
                found.append(item)
            elif len(ahead) < _MANY and self._is_new(item, step):
                ahead += gc.get_referents(item)[:_MANY]
        return found

    def _inside(self, item: Any, step: int) -> Iterable[object]:  # noqa: ANN401 - of any type
        """What an object refers to, where it is one to look into and was not before."""
        kind = type(item)
        is_class = issubclass(kind, type)
        if (not is_class and issubclass(kind, OPAQUE)) or not self._is_new(item, step):
            return ()
        if is_class:
            return values_in_class(item)
        if kind is types.FunctionType:
            own = [*contents(item.__closure__ or ()), item.__defaults__, item.__kwdefaults__]
            code = item.__code__  # which very many closures may share
            return [*own, *(named_globals(code, item.__globals__) if self._is_new(code, step) else ())]
        cancelled = tasks_cancelled_by(item)
        if cancelled is not None:
            return cancelled
        shared = values_in_class(kind) if self._is_new(kind, step) else ()
        return [*gc.get_referents(item)[:_MANY], *shared]

    def _is_new(self, item: object, step: int) -> bool:
        key = id(item), step
        if key in self._seen:
            return False
        self._seen[key] = item
        return True
