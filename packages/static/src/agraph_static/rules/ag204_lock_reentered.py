"""AG204: a lock is taken again by what is called while it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static._internal.model import CONFIDENCES
from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.locks import Holding
    from agraph_static._internal.model import Confidence, Finding
    from agraph_static._internal.scopes import Call


class LockReentered(Rule):
    """Looks at awaited calls while a lock is held, as deep as the module shows them."""

    code = "AG204"
    name = "lock-reentered"
    summary = (
        "A coroutine that holds an `asyncio.Lock` awaits one that takes the same lock, and waits for itself"
    )
    why = """\
`asyncio.Lock` is not reentrant. A task that takes a lock it holds already waits for itself to release it,
for ever.

Split the inner function: one that takes the lock, and one for callers that hold it already."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Account:
    def __init__(self):
        self._lock = asyncio.Lock()

    async def transfer(self):
        async with self._lock:
            await self.check()  # error: AG204

    async def check(self):
        async with self._lock:
            return True
""",
        """\
import asyncio

lock = asyncio.Lock()

async def report():
    await lock.acquire()
    try:
        await asyncio.gather(totals(), titles())  # error: AG204
    finally:
        lock.release()

async def totals():
    async with lock:
        return 1

async def titles():
    return []
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Account:
    def __init__(self):
        self._lock = asyncio.Lock()

    async def transfer(self):
        async with self._lock:
            await self._check_locked()

    async def check(self):
        async with self._lock:
            return await self._check_locked()

    async def _check_locked(self):
        return True
""",
        """\
import asyncio

class Account:
    def __init__(self):
        self._lock = asyncio.Lock()

    async def transfer(self):
        async with self._lock:
            await self.check(locked=True)

    async def check(self, locked=False):
        if locked:
            return True
        async with self._lock:
            return True
""",
        """\
import asyncio

class Account:
    def __init__(self):
        self.lock = asyncio.Lock()

async def transfer(source: Account, target: Account):
    first, second = sorted((source, target), key=id)
    async with first.lock:
        async with second.lock:
            return True
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the locks of one module that are taken twice."""
        from agraph_static._internal.reentry import confidence  # noqa: PLC0415 - imported when first needed

        locks = context.locks
        for holding in locks.all():
            surest: dict[int, tuple[Confidence, Holding, tuple[Call, ...]]] = {}
            for inner, path in locks.inside(holding):
                if (
                    not locks.same(holding, inner)
                    or holding.is_item
                    or not _one_object(context, holding, inner, path)
                ):
                    continue
                sure = confidence(context, holding, inner, path)
                key = id(path[0].node if path else inner.item)
                if sure is not None and (key not in surest or _rank(sure) < _rank(surest[key][0])):
                    surest[key] = sure, inner, path
            for sure, inner, path in surest.values():
                yield cls._found(context, holding, inner, path, sure)

    @classmethod
    def _found(
        cls, context: Context, holding: Holding, inner: Holding, path: tuple[Call, ...], sure: Confidence
    ) -> Finding:
        lock = context.code(holding.item)
        node = path[0].node if path else inner.item
        again = f"`{path[-1].name}` takes it again" if path else "taken again"
        return context.finding(
            cls, node, holding.function, f"`{lock}` is held here, and {again}",
            confidence=sure,
            label="this task waits for itself",
            help="move what both need into a function that expects the lock to be held",
            related=(
                context.related(holding.item, f"`{lock}` is taken here"),
                context.related(inner.item, "taken again here"),
            ),
        )  # fmt: skip


def _rank(confidence: Confidence) -> int:
    return CONFIDENCES.index(confidence)


def _one_object(context: Context, holding: Holding, inner: Holding, path: tuple[Call, ...]) -> bool:
    """Whether both are the lock of one object: an attribute of another object is another lock."""
    if context.flow.root(holding.place)[0] != "s":
        return True
    if not path:
        return context.code(holding.item) == context.code(inner.item)
    own = (_is_own(context, one) for one in (holding, inner))
    return all(own) and all(_receiver(call) == call.function.self_name for call in path)


def _is_own(context: Context, holding: Holding) -> bool:
    """Whether the lock is an attribute of `self`."""
    return context.code(holding.item).startswith(f"{holding.function.self_name}.")


def _receiver(call: Call) -> str:
    """What a call's method is looked up on, as text."""
    from agraph_static._internal.tree import dotted  # noqa: PLC0415 - imported when first needed

    return dotted(call.receiver)
