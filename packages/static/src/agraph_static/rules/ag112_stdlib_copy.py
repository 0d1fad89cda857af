"""AG112: a copy of an asyncio function from before Python 3.14, without the calls that record its edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class StdlibCopy(Rule):
    """Looks at the bridges of AG101 and AG111, for those whose code is a copy of asyncio's own."""

    code = "AG112"
    name = "stdlib-copy"
    summary = (
        "A copy of an asyncio function does not record the edges that the original does since Python 3.14"
    )
    why = """\
Since Python 3.14, `asyncio.shield`, `wait`, `gather`, `as_completed` and `TaskGroup` tell the await graph
which tasks they wait for. Copies of the older code do not: a task that waits in the copy seems to wait for
nothing in particular.

Call the original where you can. Where the copy has to stay, take over the two calls too:
`future_add_to_awaited_by(child, task)` where the done-callback is added, and
`future_discard_from_awaited_by(child, task)` first thing in the done-callback and wherever it is removed."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

def shield(arg):
    inner = asyncio.ensure_future(arg)
    outer = asyncio.get_running_loop().create_future()

    def _inner_done(inner):
        if not outer.cancelled():
            outer.set_result(inner.result())

    def _outer_done(outer):
        if not inner.done():
            inner.remove_done_callback(_inner_done)

    inner.add_done_callback(_inner_done)  # error: AG112
    outer.add_done_callback(_outer_done)
    return outer
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def guarded(arg):
    return await asyncio.shield(arg)
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the copies in one module."""
        from agraph_static._internal.edge_fix import edge_fix  # noqa: PLC0415 - imported when first needed

        for bridge in context.bridges:
            if not bridge.copy_of or bridge.confidence == "possible":
                continue
            call = bridge.registration
            source = context.code(bridge.source)
            target = context.name_of(bridge.target, call.function)
            related = context.made_at(bridge.target, target)
            related.append(context.related(bridge.resolution.node, f"`{target}` is completed here"))
            if bridge.wait is not None:
                related.append(context.related(bridge.wait.node, f"`{target}` is waited for here"))
            yield context.finding(
                cls, call.node, call.function,
                f"this copy of `{bridge.copy_of}` does not record who waits for `{source}`, as the "
                "original does "
                "since Python 3.14",
                confidence=bridge.confidence,
                label=f"`{bridge.copy_of}` calls `future_add_to_awaited_by({source}, ...)` here",
                help=f"use `{bridge.copy_of}`, or add the calls of `future_add_to_awaited_by` and "
                "`future_discard_from_awaited_by` that it makes",
                related=related,
                notes=(f"{bridge.reason} ({bridge.confidence})",),
                fix=edge_fix(context, bridge),
            )  # fmt: skip
