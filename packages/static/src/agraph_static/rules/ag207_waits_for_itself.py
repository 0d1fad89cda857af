"""AG207: a task waits for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class WaitsForItself(Rule):
    """Looks at waits for `current_task()` and for all of `all_tasks()`."""

    code = "AG207"
    name = "waits-for-itself"
    summary = "A task waits for a group of tasks that it is in itself"
    why = """\
`asyncio.all_tasks()` holds the task that calls it. Waiting for all of them is waiting for oneself: it never
ends, or ends in a `RecursionError` or `RuntimeError` when the wait is cancelled.

Take the current task out first: `tasks = asyncio.all_tasks() - {asyncio.current_task()}`."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def shutdown():
    await asyncio.gather(*asyncio.all_tasks())  # error: AG207
""",
        """\
import asyncio

async def shutdown():
    tasks = asyncio.all_tasks()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)  # error: AG207
""",
        """\
import asyncio

async def shutdown():
    for task in asyncio.all_tasks():
        task.cancel()
        await task  # error: AG207
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def shutdown():
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*tasks)
""",
        """\
import asyncio

async def shutdown():
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await asyncio.gather(*tasks)
""",
        """\
import asyncio

async def shutdown():
    await asyncio.wait(asyncio.all_tasks(), timeout=1)
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the waits of one module that hold the waiting task itself."""
        from agraph_static._internal.itself import own_task  # noqa: PLC0415 - imported when first needed

        kept: dict[tuple[int, str], bool] = {}
        for function in context.module.functions:
            for node in function.awaits:
                found = own_task(context, node, function, kept)
                if found is None:
                    continue
                held, confidence = found
                yield context.finding(
                    cls, node, function,
                    f"`{function.name}` waits for {held}, which is itself",
                    confidence=confidence,
                    label="the task waits for itself",
                    help="take `asyncio.current_task()` out of the tasks that are waited for",
                )  # fmt: skip
