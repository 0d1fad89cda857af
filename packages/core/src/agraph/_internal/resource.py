"""`agraph.resource`: lets a pool, or any home-made primitive, say who holds it and who waits for it."""

from __future__ import annotations

import asyncio
import itertools
import sys
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType

    Task = asyncio.Task[Any]

_numbers = itertools.count()
_resources: weakref.WeakSet[Resource] = weakref.WeakSet()


class Entry(NamedTuple):
    """A stay that has begun and not ended.

    Attributes:
        task: The task that it belongs to; it refers to nothing once the task is gone, and None stands for a
            stay that began outside of any task.
        code: The code in which it began.
        line: The line, counted from 1.
        stay: Where `begin` was called of it, the object that others may call `end` of; None for a block, and
            where the task is declared.
    """

    task: weakref.ref[Task] | None
    code: CodeType
    line: int
    stay: weakref.ref[Stay] | None = None


class Resource:
    """Something of which tasks can hold only so much at a time, and for which others wait meanwhile.

    Made by `agraph.resource`. It does nothing but remember: weakly, so that it keeps no task alive, and at
    the cost of about a microsecond for each stay. A capture shows it as a node of kind `resource`.

    Attributes:
        name: What people call it.
        capacity: How many stays can hold it at a time.
    """

    __slots__ = ("__weakref__", "_holders", "_waiters", "capacity", "name")

    def __init__(self, name: str, capacity: int) -> None:
        """Remember nothing yet."""
        self.name: str = name
        self.capacity: int = capacity
        # By a number, so that a stay which nobody ends makes no cycle of references.
        self._holders: dict[int, Entry] = {}
        self._waiters: dict[int, Entry] = {}

    def waiting(self) -> Stay:
        """While this block is open, the current task waits for the resource.

        Put it around the `await` that ends when a holder gives the resource back, and nothing else: what the
        task waits for inside is taken to be the resource.

        Returns:
            A context manager for `with` and `async with`.
        """
        return Stay(self._waiters)

    def held(self) -> Stay:
        """While this block is open, the current task holds the resource.

        A holder that gives it back in another function calls `begin` and `end` of what this returns; one that
        leaves it to another task to give back says so with `hand_to`.

        Returns:
            A context manager for `with` and `async with`.
        """
        return Stay(self._holders)

    def holders(self) -> list[Entry]:
        """Who holds it now."""
        return list(self._holders.values())

    def waiters(self) -> list[Entry]:
        """Who waits for it now."""
        return list(self._waiters.values())

    def __repr__(self) -> str:
        return f"<agraph.resource {self.name!r}: {len(self._holders)} of {self.capacity} held>"


class Stay:
    """The time for which a task holds a resource or waits for it: from `Resource.held` or `waiting`."""

    __slots__ = ("__weakref__", "_entries", "_number")

    def __init__(self, entries: dict[int, Entry]) -> None:
        """Nothing begins yet."""
        self._entries = entries
        self._number = next(_numbers)

    def begin(self) -> Self:
        """Begin, for the current task; again is the same as once.

        The current task is taken for the one that will call `end`, unless `hand_to` says another.

        Returns:
            This object, to call `end` of.
        """
        if self._number not in self._entries:
            self._enter(weakref.ref(self))
        return self

    def hand_to(self, task: Task | None) -> Self:
        """From now on another task is the one that will call `end`; nothing happens when it has not begun.

        Args:
            task: That task; None if any may do it.

        Returns:
            This object.
        """
        entry = self._entries.get(self._number)
        if entry is not None:
            handed = None if task is None else weakref.ref(task)
            self._entries[self._number] = entry._replace(task=handed, stay=None)
        return self

    def _enter(self, stay: weakref.ref[Stay] | None) -> None:
        task = _current_task()
        frame = _caller()
        self._entries[self._number] = Entry(
            None if task is None else weakref.ref(task), frame.f_code, frame.f_lineno, stay
        )

    def _in_block(self) -> Self:
        if self._number not in self._entries:
            self._enter(None)
        return self

    def end(self) -> None:
        """End, from whichever task; nothing happens when it has not begun."""
        self._entries.pop(self._number, None)

    def __enter__(self) -> Self:
        """Begin."""
        return self._in_block()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.end()

    async def __aenter__(self) -> Self:
        """Begin; there is nothing to wait for."""
        return self._in_block()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.end()


def resource(name: str, *, capacity: int = 1) -> Resource:
    """Let a pool, or any home-made primitive, say who holds it and who waits for it.

    A deadlock over such a thing cannot be seen otherwise: nobody but its author knows who gives it back::

        pool = agraph.resource("db pool", capacity=10)

        async def query(sql):
            async with pool.waiting():
                connection = await free_connection()
            with pool.held():
                return await connection.run(sql)

    While nothing is captured this costs next to nothing, and it never keeps a task alive.

    Args:
        name: What people call it.
        capacity: How many can hold it at a time; only when that many do, it is what the others wait for.

    Returns:
        The resource; keep it as long as what it stands for.

    Raises:
        TypeError: The name is no string, or the capacity no whole number.
        ValueError: The capacity is less than 1.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a resource is {name!r}: expected a string")
    if not isinstance(capacity, int):
        raise TypeError(f"the capacity of resource {name!r} is {capacity!r}: expected a whole number")
    if capacity < 1:
        raise ValueError(f"the capacity of resource {name!r} is {capacity}: expected at least 1")
    made = Resource(name, capacity)
    _resources.add(made)
    return made


def all_resources() -> list[Resource]:
    """Every resource that is still there."""
    return list(_resources)


def _current_task() -> Task | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # outside of any loop
        return None


def _caller() -> FrameType:
    """The first frame that is not of this file."""
    frame: Any = sys._getframe(2)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return frame  # type: ignore[no-any-return]
