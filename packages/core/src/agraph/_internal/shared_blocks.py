"""Blocks that somebody else can end: an exit stack or generator to which more refer than its own task.

Whoever has an `AsyncExitStack` may close it, and whoever has an async generator, or the manager that was made
of one, too. They give back then what they hold, although the task stands in the block still. References are
counted as in prove_heap.py: one that the frames of the task do not explain belongs to somebody else.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from typing import TYPE_CHECKING, Any

from agraph._internal.compat import BORROWERS
from agraph._internal.futures import instance_dict
from agraph._internal.holders import EXIT_STACKS, GENERATOR_MANAGERS, Held, expand, generator_of, inside
from agraph._internal.kinds import is_kind_of, is_one_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph._internal.holders import Standing

_EXITS = ("__aexit__", "__exit__")


def held_with_others(held: list[Held], stack: list[Standing]) -> set[int]:
    """What a task holds by way of a block that somebody else may end, each by its `id`.

    Args:
        held: What its blocks hold. Nothing else of the caller may refer to that, apart from its frames.
        stack: Its frames.
    """
    if not any(_can_be_ended(type(one.manager)) for one in held):
        return set()
    counts = [_references(held, index) for index in range(len(held))]  # before anything here refers to them
    owners = [*(standing.owner for standing in stack), *(generator_of(one.manager) for one in held)]
    found: set[int] = set()
    for count, one in zip(counts, held, strict=True):
        if _can_be_ended(type(one.manager)):
            same = sum(other.manager is one.manager for other in held)
            if count > same + _explained(one.manager, owners, held):
                found.update(map(id, expand(one.manager)))
    return found


def _can_be_ended(kind: type) -> bool:
    return kind is types.AsyncGeneratorType or is_kind_of(kind, (*EXIT_STACKS, *GENERATOR_MANAGERS))


def _references(held: list[Held], index: int) -> int:
    """How many refer to a manager, the items of this list included."""
    return sys.getrefcount(held[index].manager) - _BASE


def _explained(thing: object, owners: Iterable[object], held: list[Held]) -> int:
    """How often some frames, and managers made for that, refer to an object."""
    count = 0
    for owner in {id(one): one for one in owners if one is not thing}.values():
        if not is_one_of(type(owner), _FRAMED):
            continue
        number = sum(item is thing or _is_exit_of(item, thing) for item in gc.get_referents(owner))
        # The variable that a value stack borrows from has a real reference, so there is one at least.
        count += min(number, 1) if is_one_of(type(owner), BORROWERS) else number
    return count + sum(inner is thing for one in held for inner in _kept_by(one.manager))


def _kept_by(manager: object) -> list[object]:
    """The managers that another one made for that refers to."""
    if type(manager) is contextlib.aclosing:
        return [instance_dict(manager, contextlib.aclosing).get("thing")]
    return inside(manager) if is_kind_of(type(manager), EXIT_STACKS) else []


_FRAMED = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


def _is_exit_of(item: Any, thing: object) -> bool:  # noqa: ANN401 - of any type
    """Whether it is what a `with` keeps on the value stack up to 3.13."""
    return type(item) is types.MethodType and item.__self__ is thing and item.__name__ in _EXITS


class _Probe:
    """What is counted for a try."""


_BASE = 0
_BASE = _references([Held(_Probe(), _references.__code__, 0)], 0) - 1
