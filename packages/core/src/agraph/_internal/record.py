"""The record of who declared to wait for a future, for versions below 3.14, where asyncio keeps none.

It holds weak references only, so a declaration that is never taken back keeps nothing alive.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from agraph._internal.futures import is_future

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    Future = asyncio.Future[Any]


class _Reference(weakref.ref["Future"]):
    """A weak reference to a future that takes itself out of its table when the future dies.

    Attributes:
        key: The identity of the future.
        waiters: Of an awaited future: its table of waiters. Of a waiter: the table that it is in.
    """

    __slots__ = ("key", "waiters")
    key: int
    waiters: dict[int, _Reference]


# By identity, as a future may define `__eq__`. No lock: every access is one operation of a dict, and the
# references' callbacks, which the garbage collector may call at any line, do a single `pop` each. An identity
# is not used again before the callback of its former owner has run.
_record: dict[int, _Reference] = {}


def _forget_future(reference: weakref.ref[Future]) -> None:
    _record.pop(reference.key, None)  # type: ignore[attr-defined]


def _forget_waiter(reference: weakref.ref[Future]) -> None:
    reference.waiters.pop(reference.key, None)  # type: ignore[attr-defined]


def future_add_to_awaited_by(future: object, waiter: object, /) -> None:
    """Declare that `waiter` waits for `future`.

    A set, not a multiset: adding twice is adding once. What is no asyncio future is ignored. The declaration
    keeps neither of the two alive.

    Args:
        future: The future that is awaited.
        waiter: The task or future that waits for it.
    """
    if not (is_future(future) and is_future(waiter)):
        return
    entry = _record.get(id(future))
    if entry is None:
        entry = _Reference(future, _forget_future)  # type: ignore[arg-type]
        entry.key, entry.waiters = id(future), {}
        entry = _record.setdefault(id(future), entry)
    if id(waiter) not in entry.waiters:
        reference = _Reference(waiter, _forget_waiter)  # type: ignore[arg-type]
        reference.key, reference.waiters = id(waiter), entry.waiters
        entry.waiters[id(waiter)] = reference


def future_discard_from_awaited_by(future: object, waiter: object, /) -> None:
    """Take back that `waiter` waits for `future`; nothing happens when that is not declared.

    Args:
        future: The future that was awaited.
        waiter: The task or future that waited for it.
    """
    entry = _record.get(id(future))
    if entry is not None:
        entry.waiters.pop(id(waiter), None)


def declared(future: object) -> Iterable[object]:
    """Who is declared to wait for a future, as far as they are still alive."""
    entry = _record.get(id(future))
    if entry is None:
        return ()
    alive = [reference() for reference in list(entry.waiters.values())]
    return [waiter for waiter in alive if waiter is not None]
