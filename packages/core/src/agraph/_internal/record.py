"""The record of who declared to wait for a future: asyncio's own since 3.14, kept here below.

Below 3.14 it holds weak references only, so a declaration that is never taken back keeps nothing alive.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

from agraph._internal.compat import HAS_NATIVE_AWAITED_BY
from agraph._internal.futures import C_FUTURE, PY_FUTURE, instance_dict, is_future

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Future = asyncio.Future[Any]


class _Waiters(weakref.ref["Future"]):
    """A weak reference to a future, with weak references to who is declared to wait for it, by identity."""

    __slots__ = ("key", "waiters")
    key: int
    waiters: dict[int, _Waiter]


class _Waiter(weakref.ref["Future"]):
    __slots__ = ("key", "waiters")
    key: int
    waiters: dict[int, _Waiter]


# By identity, as a future may define `__eq__`. No lock: every access is one operation of a dict, and the
# references' callbacks, which the garbage collector may call at any line, do a single `pop` each. An identity
# is not used again before the callback of its former owner has run.
_record: dict[int, _Waiters] = {}


def _forget_future(reference: weakref.ref[Future]) -> None:
    _record.pop(reference.key, None)  # type: ignore[attr-defined]


def _forget_waiter(reference: weakref.ref[Future]) -> None:
    reference.waiters.pop(reference.key, None)  # type: ignore[attr-defined]


def _add(fut: object, waiter: object, /) -> None:
    """Declare that `waiter` waits for `fut`.

    A set, not a multiset: adding twice is adding once. What is no asyncio future is ignored. The declaration
    keeps neither of the two alive.

    Args:
        fut: The future that is awaited.
        waiter: The task or future that waits for it.
    """
    if not (is_future(fut) and is_future(waiter)):
        return
    entry = _record.get(id(fut))
    if entry is None:
        entry = _Waiters(fut, _forget_future)  # type: ignore[arg-type]
        entry.key, entry.waiters = id(fut), {}
        entry = _record.setdefault(id(fut), entry)
    if id(waiter) not in entry.waiters:
        reference = _Waiter(waiter, _forget_waiter)  # type: ignore[arg-type]
        reference.key, reference.waiters = id(waiter), entry.waiters
        entry.waiters[id(waiter)] = reference


def _discard(fut: object, waiter: object, /) -> None:
    """Take back that `waiter` waits for `fut`. Without such a declaration, or for foreign objects: nothing.

    Args:
        fut: The future that was awaited.
        waiter: The task or future that waited for it.
    """
    entry = _record.get(id(fut))
    if entry is not None:
        entry.waiters.pop(id(waiter), None)


def _declared_here(future: object) -> Iterable[object]:
    entry = _record.get(id(future))
    alive = [reference() for reference in list(entry.waiters.values())] if entry is not None else []
    return [waiter for waiter in alive if waiter is not None]


def _declared_in_asyncio(future: object) -> Iterable[object]:
    if issubclass(type(future), PY_FUTURE):
        waiters = instance_dict(future, PY_FUTURE).get("_Future__asyncio_awaited_by")
    else:
        waiters = C_FUTURE.__dict__["_asyncio_awaited_by"].__get__(future)
    return list(waiters) if waiters else ()


declared: Callable[[object], Iterable[object]]
future_add_to_awaited_by: Callable[[object, object], None]
future_discard_from_awaited_by: Callable[[object, object], None]
if HAS_NATIVE_AWAITED_BY:
    declared = _declared_in_asyncio
    future_add_to_awaited_by = asyncio.future_add_to_awaited_by  # type: ignore[attr-defined]
    future_discard_from_awaited_by = asyncio.future_discard_from_awaited_by  # type: ignore[attr-defined]
else:
    declared = _declared_here
    future_add_to_awaited_by = _add
    future_discard_from_awaited_by = _discard
