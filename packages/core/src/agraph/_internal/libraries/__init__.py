"""Adapters for the primitives of libraries: one file for each, used only if the library is imported already.

An adapter names functions of its library by which tasks wait, and says who holds what they wait for. It is
written against the version that its file names. Where anything is not as it was there, the adapter is not
used, or a holder stays unknown: never is a wait made up.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from types import ModuleType

    from agraph._internal.model import Confidence
    from agraph._internal.waits import Part, Wait
    from agraph._internal.walk import Link


# For each of some objects the tasks that lead to it, without a way through the pool, the second argument.
WhoHas = Callable[[Sequence[object], object], list[list[object]]]


def _nobody_knows(_owner: object, _operation: str, _who_has: WhoHas) -> None:
    return None


def _itself(manager: object) -> object:
    return manager


class Holder(NamedTuple):
    """Who holds something.

    Attributes:
        task: A task; anything else stands for a holder that is none.
        confidence: Whether the library says so, or it is inferred.
    """

    task: object
    confidence: Confidence = "exact"


class Holding(NamedTuple):
    """Who holds a primitive.

    Attributes:
        holders: Those who are known.
        times: How many times it is taken, so how many holders there are; None when that is not known.
        taken: Whether somebody has to give it back before a waiter can go on.
        detail: Facts for people.
        by_blocks: Whether the holders are those in whose open `with` blocks it is.
    """

    holders: list[Holder]
    times: int | None
    taken: bool
    detail: Mapping[str, str | int | float | None] | None = None
    by_blocks: bool = False


class Adapter(NamedTuple):
    """What a library adds.

    Attributes:
        tails: The codes (by `id`) of the innermost frames of a waiting task, outermost first, and what makes
            of the links of these frames what the task waits for, or None: a primitive, or a whole wait.
        types: The types of the primitives whose holders it knows.
        holding: Who holds one of them, and what is waited for there; None when that cannot be read. Its last
            argument says which tasks lead to some objects.
        behind: The primitive that the manager of a block stands for.
    """

    tails: Mapping[tuple[int, ...], Callable[[list[Link]], Part | Wait | None]]
    types: tuple[type, ...] = ()
    holding: Callable[[Any, str, WhoHas], Holding | None] = _nobody_knows
    behind: Callable[[object], object] = _itself


# The file of the adapter, and the modules that have to be imported: its own, and others that it looks into.
_ADAPTERS = {
    "anyio_": ("anyio._backends._asyncio", "anyio._core._synchronization", "anyio.streams.memory"),
    "aiohttp_": ("aiohttp.connector",),
    "redis_": ("redis.asyncio.connection",),
    "httpcore_": ("httpcore._async.connection_pool", "anyio._backends._asyncio"),
    "asyncpg_": ("asyncpg.pool",),
}
_loaded: dict[str, Adapter | None] = {}
_kept: list[CodeType] = []


def active() -> tuple[list[Adapter], list[str]]:
    """The adapters of the libraries that are imported.

    Returns:
        The adapters, and the names of the libraries that are not as their adapter expects.
    """
    for name, needed in _ADAPTERS.items():
        modules = [sys.modules.get(module) for module in needed]
        if name not in _loaded and not any(
            module is None or _is_being_imported(module) for module in modules
        ):
            _loaded[name] = _load(name, modules[0])
    found = [adapter for adapter in _loaded.values() if adapter is not None]
    return found, [name.rstrip("_") for name, adapter in _loaded.items() if adapter is None]


def _is_being_imported(module: ModuleType) -> bool:
    return bool(getattr(module.__spec__, "_initializing", False))


def _load(name: str, module: ModuleType | None) -> Adapter | None:
    try:
        adapter: Adapter = import_module(f"{__name__}.{name}").load(module)
    except Exception:  # noqa: BLE001 - another version of the library may be anything
        return None
    return adapter


def inferred(connections: Sequence[object], pool: object, who_has: WhoHas) -> tuple[list[Holder], int | None]:
    """The tasks that seem to have the connections of a pool.

    Args:
        connections: The connections that are taken.
        pool: The pool.
        who_has: Finds the tasks.

    Returns:
        The tasks, and how many there are; None in place of that when some connection is nobody's, or may be
        that of any of several.
    """
    owners = who_has(connections, pool)
    tasks = {id(task): task for found in owners for task in found}
    return [Holder(task, "probable") for task in tasks.values()], len(tasks) if all(
        len(found) == 1 for found in owners
    ) else None


def tail(*functions: Any) -> tuple[int, ...]:  # noqa: ANN401 - functions of any kind
    """The codes of functions that await one another, outermost first, by `id`.

    Args:
        functions: The functions, or their codes.

    Raises:
        AttributeError: One of them is no function with code.
    """
    return tuple(id(code_of(function)) for function in functions)


def code_of(function: Any) -> CodeType:  # noqa: ANN401 - a function of any kind
    """The code of a function, below its decorators; it is kept, so that its identity stays its own."""
    code: CodeType = function if isinstance(function, CodeType) else inspect.unwrap(function).__code__
    _kept.append(code)
    return code
