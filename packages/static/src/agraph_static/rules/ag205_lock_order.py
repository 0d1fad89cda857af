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
        """\
import asyncio

class Account:
    def __init__(self):
        self.lock = asyncio.Lock()

    async def move(self, other: "Account"):
        async with self.lock:
            async with other.lock:  # error: AG205
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
        """\
import asyncio

gate = asyncio.Lock()
accounts = asyncio.Lock()
journal = asyncio.Lock()

async def book():
    async with gate, accounts, journal:
        pass

async def audit():
    async with gate, journal, accounts:
        pass
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the orders of one module that do not fit together."""
        from agraph_static._internal.lock_order import rings, unordered_pairs  # noqa: PLC0415 - imported when first needed

        for site, *others in rings(context):
            taken, held = context.code(site.inner.item), context.code(site.outer.item)
            message = f"`{taken}` is taken while `{held}` is held, and elsewhere the other way round"
            if len(others) > 1:
                third = context.code(others[0].inner.item)
                message = (
                    f"`{taken}` is taken while `{held}` is held, and elsewhere `{third}` under `{taken}` and "
                    f"`{held}` under `{third}`"
                )
            first = [one.outer.item for one in others]
            yield context.finding(
                cls, site.node, site.outer.function, message,
                confidence="likely",
                label="tasks that come from all sides wait for each other",
                help="take the locks in one fixed order",
                related=(
                    context.related(site.outer.item, f"`{held}` is held from here"),
                    *(context.related(one, f"here `{context.code(one)}` is held first") for one in first),
                ),
            )  # fmt: skip
        for outer, inner in unordered_pairs(context):
            taken, held = context.code(inner.item), context.code(outer.item)
            kind, come = ("collection", "keys come") if outer.is_item else ("class", "objects are given")
            yield context.finding(
                cls, inner.item, outer.function,
                f"`{held}` and `{taken}` are locks of one {kind}, taken in whatever order the {come}",
                confidence="likely",
                label="another task can take the same two the other way round",
                help=f"sort the {come.split()[0]}, and take the locks in that order",
                related=(context.related(outer.item, "the first lock is taken here"),),
            )  # fmt: skip
