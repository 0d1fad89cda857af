"""`agraph.link`: say for the length of a block who waits for a future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agraph._internal.awaited_by import future_add_to_awaited_by, future_discard_from_awaited_by

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType


class link:  # noqa: N801 - used like a function, as `contextlib.suppress` is
    """Declare that `waiter` waits for `future` while the block is open.

    For a wait that asyncio cannot see: the waiter awaits another future, which a callback or another task
    completes when this one is done. It is `future_add_to_awaited_by` before the block and
    `future_discard_from_awaited_by` after it, whatever happens inside::

        with agraph.link(request, asyncio.current_task()):
            await response

    Declarations are a set: of two blocks for the same pair the one that ends first takes both back. What is
    no asyncio future is ignored, so a `waiter` of None does no harm.

    Args:
        future: The future or task that is really waited for.
        waiter: The task or future that waits.
    """

    __slots__ = ("_future", "_waiter")

    def __init__(self, future: asyncio.Future[Any], waiter: asyncio.Future[Any] | None) -> None:
        """Declare nothing yet."""
        self._future = future
        self._waiter = waiter

    def __enter__(self) -> None:
        """Declare it."""
        if self._waiter is not None:
            future_add_to_awaited_by(self._future, self._waiter)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it back."""
        if self._waiter is not None:
            future_discard_from_awaited_by(self._future, self._waiter)
