"""AG102: an edge is recorded and never taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class AddWithoutDiscard(Rule):
    """Looks at every add for a discard that belongs to it."""

    code = "AG102"
    name = "add-without-discard"
    summary = "`future_add_to_awaited_by` is called and nothing calls `future_discard_from_awaited_by` for it"
    why = """\
asyncio keeps the edge until it is discarded. Without that, the waiting task is kept alive after it is done,
and call graphs go on showing it as waiting.

Discard the edge in the done-callback of the future, for when the future completes, and in a `finally`
around the
wait, for when the wait is cancelled."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_for_it(future, waiter):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(future, me)  # error: AG102
    await waiter
""",
        """\
import asyncio

async def wait_for_both(first, second, waiter):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(first, me)  # error: AG102
    asyncio.future_add_to_awaited_by(second, me)
    try:
        await waiter
    finally:
        asyncio.future_discard_from_awaited_by(second, me)
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_for_it(future, waiter):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(future, me)
    try:
        await waiter
    finally:
        asyncio.future_discard_from_awaited_by(future, me)
""",
        """\
import asyncio
import contextlib

async def wait_for_it(future, waiter):
    me = asyncio.current_task()
    with contextlib.ExitStack() as stack:
        asyncio.future_add_to_awaited_by(future, me)
        stack.callback(asyncio.future_discard_from_awaited_by, future, me)
        await waiter
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the adds of one module that nothing takes back."""
        for add in context.edges.adds:
            if context.edges.undoing(add) or context.edges.is_left_to_others(add):
                continue
            future = context.code(add.future)
            yield context.finding(
                cls, add.call.node, add.call.function,
                f"the edge to `{future}` is recorded here and never discarded",
                confidence="likely" if context.edges.is_helper(add) else "certain",
                label="the waiting task is kept alive and shown as waiting for ever",
                help=f"call `future_discard_from_awaited_by({future}, {context.code(add.waiter)})` in "
                "the done-callback "
                "and in a `finally` around the wait",
            )  # fmt: skip
