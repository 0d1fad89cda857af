"""AG105: an edge is recorded for a waiter that does not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.edges import EdgeCall
    from agraph_static._internal.model import Finding


class WrongWaiter(Rule):
    """Looks at where the waiter of an add comes from."""

    code = "AG105"
    name = "wrong-waiter"
    summary = "The waiter given to `future_add_to_awaited_by` is not the task that waits"
    why = """\
`future_add_to_awaited_by` ignores a waiter that is None, and believes one that is wrong.
`asyncio.current_task()` is
the task that runs just then: in a done-callback there is none; in `__init__` it is the task that makes the
object, which is often not the one that waits later.

Call `current_task()` in the function that waits, right before the wait."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Waiter:
    def __init__(self):
        self._me = asyncio.current_task()

    async def wait_for_it(self, future, waiter):
        asyncio.future_add_to_awaited_by(future, self._me)  # error: AG105
        try:
            await waiter
        finally:
            asyncio.future_discard_from_awaited_by(future, self._me)
""",
        """\
import asyncio

def link(first, second):
    def done(_):
        asyncio.future_add_to_awaited_by(second, asyncio.current_task())  # error: AG105
        second.add_done_callback(lambda one: asyncio.future_discard_from_awaited_by(one, first))

    first.add_done_callback(done)
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
        """Find the adds of one module whose waiter cannot be right."""
        for add in context.edges.adds:
            reason = _reason(context, add)
            if reason:
                yield context.finding(
                    cls, add.call.node, add.call.function,
                    f"the waiter `{context.code(add.waiter)}` is not the task that waits: {reason}",
                    label="the edge is recorded for the wrong task, or for none",
                    help="call `asyncio.current_task()` in the function that waits, right before the wait",
                )  # fmt: skip


def _reason(context: Context, add: EdgeCall) -> str:  # noqa: PLR0911 - one question after the other reads best
    from agraph_static._internal.edges import is_current_task  # noqa: PLC0415 - imported when first needed

    function = add.call.function
    if context.code(add.waiter) == "None":
        return "None is ignored without an error"
    if is_current_task(add.waiter):
        if function.parent is None:
            return "no task runs while a module is imported"
        if id(function) in context.edges.callbacks:
            return "no task runs in a callback"
        return ""
    place = context.flow.place(add.waiter, function)
    if place is None or place[0] != "s":
        return ""
    for value in context.flow.values(place):
        if (
            is_current_task(value.node)
            and value.function is not function
            and value.function.name == "__init__"
        ):
            return "it is taken in `__init__`, by the task that makes the object"
    return ""
