"""AG206: a stored future is awaited while a lock is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class WaitUnderLock(Rule):
    """Looks at awaits of stored futures in `async with lock` blocks."""

    code = "AG206"
    name = "wait-under-lock"
    summary = "A stored future is awaited while a lock is held that whoever completes it may need"
    why = """\
While the task waits, it keeps the lock. When the code that completes the future has to take the same lock
first, both wait for ever. The rule cannot see whether it has to, so it is off unless selected.

Take what is needed out of the locked block, and wait outside."""
    default = False
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Client:
    def __init__(self):
        self._lock = asyncio.Lock()
        self._ready = asyncio.get_running_loop().create_future()

    async def send(self):
        async with self._lock:
            await self._ready  # error: AG206
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Client:
    def __init__(self):
        self._lock = asyncio.Lock()
        self._ready = asyncio.get_running_loop().create_future()

    async def send(self):
        await self._ready
        async with self._lock:
            pass
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the waits of one module under a lock."""
        from agraph_static._internal.under_lock import awaited, is_done  # noqa: PLC0415 - imported when first needed

        for holding in context.locks.all():
            function = holding.function
            for node in function.awaits:
                place = context.flow.place(awaited(context, node), function)
                if id(node) not in holding.nodes or place is None or not context.flow.is_stored(place):
                    continue
                if "future" not in context.origins.of_place(place) or is_done(context, node, place, function):
                    continue
                lock = context.code(holding.item)
                yield context.finding(
                    cls, node, function,
                    f"`{context.name_of(place)}` is awaited while `{lock}` is held",
                    confidence="likely",
                    label=f"`{lock}` stays taken until somebody completes this",
                    help="wait outside the locked block",
                    related=(context.related(holding.item, f"`{lock}` is taken here"),),
                )  # fmt: skip
