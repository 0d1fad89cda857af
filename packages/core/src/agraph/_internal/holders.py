"""What a task holds: the managers of its open `with` blocks, seen through whatever wraps them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import types
from asyncio import locks
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.futures import instance_dict
from agraph._internal.instances import attribute
from agraph._internal.kinds import is_kind_of
from agraph._internal.timers import is_timer, when_of
from agraph._internal.waits import first_of
from agraph._internal.withs import NO_BLOCKS, Blocks, blocks_at, open_managers

if TYPE_CHECKING:
    from collections.abc import Iterator

# How deeply managers are looked through: stacks inside of context managers inside of stacks.
_DEPTH = 16
_GENERATOR_MANAGERS = (contextlib._AsyncGeneratorContextManager, contextlib._GeneratorContextManager)
_EXIT_STACKS = (contextlib.AsyncExitStack, contextlib.ExitStack)


class Standing(NamedTuple):
    """A suspended frame of a task, and where it stands.

    Attributes:
        owner: The coroutine, generator or async generator.
        frame: Its frame.
        site: Index of its site.
        blocks: The blocks open there.
    """

    owner: object
    frame: types.FrameType
    site: int
    blocks: Blocks


class Held(NamedTuple):
    """A manager that is held.

    Attributes:
        manager: The lock, semaphore, timeout, or a manager that this file does not know.
        code: The code of the function whose block is open.
        line: The line of its `with`, or of its `async for`.
    """

    manager: object
    code: types.CodeType
    line: int


def held_by(stack: list[Standing]) -> tuple[list[Held], bool]:
    """What the open blocks of a task hold.

    Args:
        stack: The frames of the task, outermost first.

    Returns:
        What is held, outermost first, and whether some block could not be read.
    """
    held: list[Held] = []
    unread = False
    for position, standing in enumerate(stack):
        managers = open_managers(standing.owner, standing.blocks)
        if managers is None:
            unread = True
            continue
        inner = stack[position + 1] if position + 1 < len(stack) else None
        code = standing.frame.f_code
        taken = list(zip(managers, standing.blocks.lines, strict=True))
        if standing.blocks.iterates:
            taken += ((item, standing.frame.f_lineno or 0) for item in _generators_on(standing.owner, inner))
        for manager, line in taken:
            if not _released(manager, inner):
                held += (Held(found, code, line) for found in _expand(manager))
    return held, unread


def _released(manager: object, inner: Standing | None) -> bool:
    """Whether the block is open but its lock given back: inside of `Condition.wait`."""
    return (
        inner is not None
        and issubclass(type(manager), locks.Condition)
        and inner.frame.f_code in _CONDITION_WAITS
        and first_of(inner.owner, locks.Condition) is manager
    )


_CONDITION_WAITS = (locks.Condition.wait.__code__, locks.Condition.wait_for.__code__)


def _generators_on(owner: object, inner: Standing | None) -> list[object]:
    """Async generators that an `async for` of this frame stands at, between two items."""
    awaited = None if inner is None else inner.owner
    return [
        item
        for item in gc.get_referents(owner)
        if type(item) is types.AsyncGeneratorType and item is not awaited and item.ag_frame is not None
    ]


def _expand(manager: object) -> Iterator[object]:
    """A manager, and those that it manages itself, without recursion."""
    ahead = deque([(manager, 0)])
    while ahead:
        current, depth = ahead.popleft()
        yield current
        if depth < _DEPTH:
            ahead += ((inner, depth + 1) for inner in _inside(current))


def _inside(manager: object) -> list[object]:
    kind = type(manager)
    if is_kind_of(kind, _GENERATOR_MANAGERS):
        return _of_generator(instance_dict(manager, kind).get("gen"))
    if kind is types.AsyncGeneratorType:
        return _of_generator(manager)
    if is_kind_of(kind, _EXIT_STACKS):
        callbacks = instance_dict(manager, kind).get("_exit_callbacks") or ()
        bound = (callback for _is_sync, callback in list(callbacks) if type(callback) is types.MethodType)
        return [method.__self__ for method in bound]
    if issubclass(kind, locks.Condition):
        return [instance_dict(manager, locks.Condition).get("_lock")]
    return []


def _of_generator(generator: object) -> list[object]:
    """The managers of the blocks in which a generator stands at its `yield`."""
    if type(generator) is types.AsyncGeneratorType:
        frame = generator.ag_frame
    elif type(generator) is types.GeneratorType:
        frame = generator.gi_frame
    else:
        return []
    blocks = NO_BLOCKS if frame is None else blocks_at(frame.f_code, frame.f_lasti)
    return open_managers(generator, blocks) or []


def deadline_of(held: list[Held]) -> float | None:
    """The first moment at which one of the open timeouts cancels the task, on the loop's clock."""
    deadlines = []
    for item in held:
        # None before it is entered, without a deadline, and once it has fired: it cancels only once.
        handle = _handle_of(item.manager)
        when = when_of(handle)
        if when is not None:
            deadlines.append(when)
        elif handle is not None and not is_timer(handle):
            deadlines.append(0.0)  # it was over when it began: the loop calls it as soon as it can
    return min(deadlines, default=None)


def _handle_of(manager: object) -> object:
    """The timer of an `asyncio.Timeout`, or of that of async_timeout.

    In async_timeout 5 that is a subclass; 4.0 has a class of its own with slots.
    """
    if issubclass(type(manager), asyncio.Timeout):
        return instance_dict(manager, asyncio.Timeout).get("_timeout_handler")
    if type(manager) is getattr(sys.modules.get("async_timeout"), "Timeout", None):
        return attribute(manager, "_timeout_handler")
    return None
