"""AG104: an edge is discarded with other arguments than it was recorded with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class DiscardMismatch(Rule):
    """Looks at the waiter that a discard names."""

    code = "AG104"
    name = "discard-mismatch"
    summary = "The discard names another waiter than the add, so the edge stays"
    why = """\
An edge is known by its future and its waiter. `asyncio.current_task()` is another task, or None, when it is
called again in a done-callback: the discard then does nothing, without an error.

Keep the waiting task in a variable before the wait, and use that variable in both calls."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_for_it(future, waiter):
    me = asyncio.current_task()

    def done(future):
        asyncio.future_discard_from_awaited_by(future, asyncio.current_task())  # error: AG104
        waiter.cancel()

    asyncio.future_add_to_awaited_by(future, me)
    future.add_done_callback(done)
    await waiter
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_for_it(future, waiter):
    me = asyncio.current_task()

    def done(future):
        asyncio.future_discard_from_awaited_by(future, me)
        waiter.cancel()

    asyncio.future_add_to_awaited_by(future, me)
    future.add_done_callback(done)
    await waiter
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the discards of one module that match no add."""
        from agraph_static._internal.edges import is_current_task  # noqa: PLC0415 - imported when first needed

        edges = context.edges
        for discard in edges.discards:
            function = discard.call.function
            if id(function) in edges.callbacks and is_current_task(discard.waiter):
                yield context.finding(
                    cls, discard.call.node, function,
                    "`current_task()` in a done-callback is not the task that waits, so this "
                    "discards nothing",
                    label="no task runs in a callback: this is None",
                    help="keep the waiting task in a variable before the wait and use it here",
                )  # fmt: skip
                continue
            adds = [one for one in edges.adds if discard in edges.discards_for(one)]
            if any(one.kind == "param" for one in function.bindings.get(context.code(discard.waiter), ())):
                continue  # handed in: who calls it decides
            mine = edges.place(discard.waiter, function)
            others = [edges.place(one.waiter, one.call.function) for one in adds]
            if mine is None or not others or None in others or mine in others:
                continue
            if mine[0] != "v" or any(other is None or other[0] != "v" for other in others):
                continue
            yield context.finding(
                cls, discard.call.node, function,
                f"the edge was recorded for `{context.code(adds[0].waiter)}`, not for "
                f"`{context.code(discard.waiter)}`",
                confidence="likely",
                label="discards another edge than the one recorded",
                help="use the same variable in both calls",
                related=(context.related(adds[0].call.node, "recorded here"),),
            )  # fmt: skip
