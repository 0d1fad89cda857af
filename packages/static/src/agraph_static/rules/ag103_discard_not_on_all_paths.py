"""AG103: an edge is taken back only when all goes well."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class DiscardNotOnAllPaths(Rule):
    """Looks at adds whose discards all stand on the straight path after the wait."""

    code = "AG103"
    name = "discard-not-on-all-paths"
    summary = "The edge is discarded only when the wait ends well, not when it fails or is cancelled"
    why = """\
A discard on the line after the `await` is skipped when the wait raises, and a cancelled wait raises
`asyncio.CancelledError`. The edge then stays for ever.

Put the discard into a `finally`, or into a done-callback of the future."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_for_it(future, waiter):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(future, me)
    await waiter
    asyncio.future_discard_from_awaited_by(future, me)  # error: AG103
""",
        """\
import asyncio

async def wait_for_it(future, waiter):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(future, me)
    try:
        await waiter
    except ValueError:
        asyncio.future_discard_from_awaited_by(future, me)
        raise
    asyncio.future_discard_from_awaited_by(future, me)  # error: AG103
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
        """Find the discards of one module that a failing wait skips."""
        from agraph_static._internal.edges import are_in_cleanup, is_handled  # noqa: PLC0415 - imported when first needed
        from agraph_static._internal.flights import suspensions  # noqa: PLC0415 - imported when first needed

        for add in context.edges.adds:
            function = add.call.function
            discards = context.edges.undoing(add)
            if not discards or any(one.call.function is not function for one in discards):
                continue  # another function, most often a done-callback, takes it back
            if context.edges.is_left_to_others(add):
                continue
            if are_in_cleanup(context, (one.call.node for one in discards)):
                continue
            discards = [one for one in discards if not is_handled(context, one.call.node)] or discards
            added, first = context.start(add.call.node), discards[0]
            between = [
                one
                for one in suspensions(function)
                if added < context.start(one) < context.start(first.call.node)
            ]
            if not between:
                continue
            yield context.finding(
                cls, first.call.node, function,
                f"the edge to `{context.code(first.future)}` is not discarded when the wait fails or "
                "is cancelled",
                label="skipped when the wait above raises",
                help="move the discard into a `finally` around the wait",
                related=(
                    context.related(add.call.node, "the edge is recorded here"),
                    context.related(between[0], "this wait can raise"),
                ),
            )  # fmt: skip
