"""AG109: those who wait for a shared future wait for ever when its owner fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


_FUTURE = (
    "completed", "pending", "complete it in a `finally`, or in `except BaseException` with `set_exception`"
)  # fmt: skip
_EVENT = ("set", "unset", "set it in a `finally`")


class OrphanableWaiters(Rule):
    """Looks at single flights (see AG108) whose owner can leave without completing the future."""

    code = "AG109"
    name = "orphanable-waiters"
    summary = (
        "A shared future is not completed when the task that owns it fails or is cancelled: waiters hang"
    )
    why = """\
The owner stores a future, works, and completes it at the end. When the work raises, or the owner is
cancelled while it works, the future is never completed, and every task that waits for it waits for ever.

Complete it on every path: `except BaseException as error: future.set_exception(error); raise`, or in a
`finally`.
`except Exception` is not enough, since a cancelled task raises `asyncio.CancelledError`, which is no
`Exception`."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Store:
    async def load(self):
        if self._loading is not None:
            return await self._loading
        self._loading = asyncio.get_running_loop().create_future()
        result = await self._read()  # error: AG109
        self._loading.set_result(result)
        return result
""",
        """\
import asyncio

class Store:
    async def load(self):
        if self._loading is not None:
            return await self._loading
        self._loading = asyncio.get_running_loop().create_future()
        try:
            result = await self._read()  # error: AG109
        except Exception as error:
            self._loading.set_exception(error)
            raise
        self._loading.set_result(result)
        return result
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Store:
    async def load(self):
        if self._loading is None:
            self._loading = asyncio.create_task(self._read())
        return await asyncio.shield(self._loading)
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the futures of one module that can be left incomplete."""
        from agraph_static._internal.escapes import escape  # noqa: PLC0415 - imported when first needed
        from agraph_static._internal.orphan_fix import orphan_fix  # noqa: PLC0415 - imported when first needed

        for flight in context.flights:
            found = escape(context, flight)
            if found is None:
                continue
            node, reason = found
            made = f"`{flight.name}` is made here" if flight.is_made else "the owner begins here"
            done, left, how = _EVENT if flight.kind == "event" else _FUTURE
            only = " only" if len(flight.resolutions) == 1 else ""
            yield context.finding(
                cls, node, flight.function,
                f"`{flight.name}` is never {done} when this {reason}, and those who wait for it hang",
                confidence="likely",
                label=f"when this {reason}, `{flight.name}` stays {left}",
                help=how,
                related=(
                    context.related(flight.creation, made),
                    context.related(flight.reader.node, "another task waits for it here"),
                    context.related(flight.completed, f"{done} here{only}"),
                ),
                notes=("`CancelledError` is no `Exception`: `finally` and `BaseException` see it",),
                fix=orphan_fix(context, flight),
            )  # fmt: skip
