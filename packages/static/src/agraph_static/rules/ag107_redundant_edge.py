"""AG107: an edge is recorded by hand that the runtime records itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class RedundantEdge(Rule):
    """Looks at adds for a future that the same function awaits directly."""

    code = "AG107"
    name = "redundant-edge"
    summary = "The edge is recorded by hand although the future is awaited directly"
    why = """\
`await future` records the edge itself and discards it when the future is done. Edges are a set, so the
hand-made call adds nothing, and the runtime's discard takes it away as well.

Remove both calls."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_for_it(future):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(future, me)  # error: AG107
    try:
        await future
    finally:
        asyncio.future_discard_from_awaited_by(future, me)
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
async def wait_for_it(future):
    await future
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the redundant adds of one module."""
        from agraph_static._internal.redundant import is_current, only_await  # noqa: PLC0415 - imported when first needed
        from agraph_static._internal.removals import remove_statements  # noqa: PLC0415 - imported when first needed

        edges = context.edges
        for add in edges.adds:
            function = add.call.function
            direct = only_await(context, add)
            if direct is None:
                continue
            place = edges.place(add.future, function)
            discards = [
                one.call.node
                for one in edges.discards_for(add)
                if one.call.function is function
                and edges.place(one.future, function) == place
                and is_current(one)
            ]
            future = context.code(add.future)
            yield context.finding(
                cls, add.call.node, function,
                f"`await {future}` records this edge itself",
                label="not needed",
                help="remove the call, and the discard that belongs to it",
                related=(context.related(direct, "awaited directly here"),),
                fix=remove_statements(context, [add.call.node, *discards], "remove the calls for the edge"),
            )  # fmt: skip
