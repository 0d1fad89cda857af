"""AG106: an edge is recorded after the wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class LateAdd(Rule):
    """Looks at adds in coroutines that do not wait any more."""

    code = "AG106"
    name = "late-add"
    summary = "The edge is recorded after the wait it is for"
    why = """\
An edge says who waits now. Recorded after the `await`, it is never there while the task waits.

Record it before the wait."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_for_it(future, waiter):
    me = asyncio.current_task()
    await waiter
    asyncio.future_add_to_awaited_by(future, me)  # error: AG106
    asyncio.future_discard_from_awaited_by(future, me)
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
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the adds of one module that come too late."""
        from agraph_static._internal.flights import suspensions  # noqa: PLC0415 - imported when first needed

        for add in context.edges.adds:
            function = add.call.function
            if not function.is_async or context.in_loop(add.call.node):
                continue
            starts = [context.start(one) for one in suspensions(function)]
            here = context.start(add.call.node)
            if not starts or max(starts) > here or function.returns:
                continue
            last = max(suspensions(function), key=context.start)
            yield context.finding(
                cls, add.call.node, function,
                f"the edge to `{context.code(add.future)}` is recorded after the last wait of "
                f"`{function.name}`",
                confidence="likely",
                label="nothing waits any more",
                help="move it before the wait",
                related=(context.related(last, "the last wait"),),
            )  # fmt: skip
