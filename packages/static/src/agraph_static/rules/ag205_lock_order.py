"""AG205: two locks are taken in opposite orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class LockOrder(Rule):
    """Looks at which locks are taken while others are held."""

    code = "AG205"
    name = "lock-order"
    summary = "Two locks are taken in opposite orders in two places, or in no fixed order at all"
    why = """\
When one task holds lock A and waits for B while another holds B and waits for A, both wait for ever. It
takes bad timing, so tests seldom show it.

Take locks in one fixed order everywhere. For two locks of one collection, sort the keys first."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

accounts = asyncio.Lock()
journal = asyncio.Lock()

async def book():
    async with accounts:
        async with journal:
            pass

async def audit():
    async with journal:
        async with accounts:  # error: AG205
            pass
""",
        """\
import asyncio
from collections import defaultdict

locks = defaultdict(asyncio.Lock)

async def transfer(source, target):
    async with locks[source]:
        async with locks[target]:  # error: AG205
            pass
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio
from collections import defaultdict

locks = defaultdict(asyncio.Lock)

async def transfer(source, target):
    first, second = sorted((source, target))
    async with locks[first]:
        async with locks[second]:
            pass
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the opposite orders of one module."""
        from agraph_static._internal.lock_order import opposite_pairs, unordered_pairs  # noqa: PLC0415 - imported when first needed

        for outer, inner, node, first_outer in opposite_pairs(context):
            taken, held = context.code(inner.item), context.code(outer.item)
            yield context.finding(
                cls, node, outer.function,
                f"`{taken}` is taken while `{held}` is held, and elsewhere the other way round",
                confidence="likely",
                label="two tasks that come from both sides wait for each other",
                help="take the two locks in one fixed order",
                related=(
                    context.related(outer.item, f"`{held}` is held from here"),
                    context.related(first_outer.item, f"here `{taken}` is held first"),
                ),
            )  # fmt: skip
        for outer, inner in unordered_pairs(context):
            taken, held = context.code(inner.item), context.code(outer.item)
            yield context.finding(
                cls, inner.item, outer.function,
                f"`{held}` and `{taken}` are locks of one collection, taken in whatever order the keys come",
                confidence="likely",
                label="another task can take the same two the other way round",
                help="sort the keys, and take the locks in that order",
                related=(context.related(outer.item, "the first lock is taken here"),),
            )  # fmt: skip
