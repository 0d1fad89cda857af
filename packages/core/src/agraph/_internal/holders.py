"""What a task holds: the managers of its open `with` blocks, seen through whatever wraps them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import types
from asyncio import locks
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.futures import instance_dict
from agraph._internal.instances import attribute, class_attribute
from agraph._internal.kinds import is_kind_of
from agraph._internal.timers import is_timer, when_of
from agraph._internal.waits import first_of
from agraph._internal.withs import (
    NO_BLOCKS,
    Blocks,
    blocks_at,
    frame_of,
    mentions_release,
    open_managers,
    plain_locals,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# How deeply managers are looked through: stacks inside of context managers inside of stacks.
_DEPTH = 16
GENERATOR_MANAGERS = (contextlib._AsyncGeneratorContextManager, contextlib._GeneratorContextManager)
EXIT_STACKS = (contextlib.AsyncExitStack, contextlib.ExitStack)


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
        sure: Whether nothing speaks against it: not when the task runs code that may have released it early.
    """

    manager: object
    code: types.CodeType
    line: int
    sure: bool = True


def held_by(stack: list[Standing]) -> tuple[list[Held], bool]:
    """What the open blocks of a task hold.

    Args:
        stack: The frames of the task, outermost first.

    Returns:
        What is held, outermost first, and whether some block could not be read.
    """
    held: list[Held] = []
    unread = False
    given_back = [id(lock) for lock in given_back_by(stack)]
    last = max((place for place, standing in enumerate(stack) if standing.blocks.releases), default=-1)
    for position, standing in enumerate(stack):
        managers = open_managers(standing.owner, standing.blocks)
        if managers is None:
            unread = True
            continue
        inner = stack[position + 1] if position + 1 < len(stack) else None
        code = standing.frame.f_code
        taken = [(manager, line, True) for manager, line in zip(managers, standing.blocks.lines, strict=True)]
        if standing.blocks.iterates:
            line = standing.frame.f_lineno or 0
            taken += ((item, line, sure) for item, sure in _generators_on(standing.owner, inner))
        for manager, line, sure in taken:
            found = [
                Held(one, code, line, sure and position > last)
                for one in expand(manager)
                if not given_back or lock_of(one) not in given_back
            ]
            held += found
            if any(_releases(one.manager) for one in found):
                held = [one._replace(sure=False) for one in held]
    return held, unread


def given_back_by(stack: list[Standing]) -> list[object]:
    """The locks of the conditions that a task waits for: it holds none of them, whatever blocks are open."""
    conditions = [
        first_of(standing.owner, locks.Condition)
        for standing in stack
        if standing.frame.f_code is _CONDITION_WAIT
    ]
    return [instance_dict(one, locks.Condition).get("_lock") for one in conditions if one is not None]


_CONDITION_WAIT = locks.Condition.wait.__code__


def lock_of(manager: object) -> int:
    """The identity of a lock, or of that of a condition."""
    if issubclass(type(manager), locks.Condition):
        return id(instance_dict(manager, locks.Condition).get("_lock"))
    return id(manager)


def _releases(manager: object) -> bool:
    """Whether a manager may release, while its block is open, what blocks around it have taken."""
    frame = frame_of(generator_of(manager))
    return mentions_release(frame.f_code) if frame is not None else releases_when_entered(manager)


def generator_of(manager: object) -> object:
    """The generator of a context manager made of one; anything else is what it is."""
    kind = type(manager)
    return instance_dict(manager, kind).get("gen") if is_kind_of(kind, GENERATOR_MANAGERS) else manager


def releases_when_entered(manager: object) -> bool:
    """Whether a manager of the application releases something when its block is entered."""
    kind = type(manager)
    if issubclass(kind, (locks.Lock, locks.Semaphore, locks.Condition)):
        return False
    entered = (class_attribute(kind, name) for name in ("__aenter__", "__enter__"))
    return any(type(one) is types.FunctionType and mentions_release(one.__code__) for one in entered)


def _generators_on(owner: object, inner: Standing | None) -> list[tuple[object, bool]]:
    """Async generators that an `async for` of this frame stands at, between two items, and how sure that is.

    They stand on the value stack; a local may stand for one too, or for one that another task goes through.
    """
    awaited = None if inner is None else inner.owner
    items = [
        item
        for item in gc.get_referents(owner)
        if type(item) is types.AsyncGeneratorType and item is not awaited and item.ag_frame is not None
    ]
    if not items:
        return []
    known = plain_locals(owner)
    named = [*map(id, known or ())]
    counts = Counter(map(id, items))
    once = {id(item): item for item in items}
    return [(item, known is not None) for key, item in once.items() if counts[key] > named.count(key)]


def expand(manager: object) -> Iterator[object]:
    """A manager, and those that it manages itself, without recursion."""
    ahead = deque([(manager, 0)])
    while ahead:
        current, depth = ahead.popleft()
        yield current
        if depth < _DEPTH:
            ahead += ((inner, depth + 1) for inner in inside(current))


def inside(manager: object) -> list[object]:
    """The managers that a manager has entered itself, and will leave when it is left."""
    kind = type(manager)
    if is_kind_of(kind, GENERATOR_MANAGERS) or kind is types.AsyncGeneratorType:
        return _of_generator(generator_of(manager))
    if is_kind_of(kind, EXIT_STACKS):
        callbacks = instance_dict(manager, kind).get("_exit_callbacks") or ()
        bound = (callback for _is_sync, callback in list(callbacks) if type(callback) is types.MethodType)
        return [method.__self__ for method in bound]
    if issubclass(kind, locks.Condition):
        return [instance_dict(manager, locks.Condition).get("_lock")]
    return []


def _of_generator(generator: object) -> list[object]:
    """The managers of the blocks in which a generator stands at its `yield`."""
    frame = frame_of(generator)
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
