"""AG111: a done-callback of a task sets an event, feeds a queue or releases a semaphore."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class HopBridge(Rule):
    """Looks at every done-callback of a task that wakes the waiters of an asyncio primitive."""

    code = "AG111"
    name = "hop-bridge"
    summary = "A done-callback of a task wakes those who wait on an event, a queue or a semaphore"
    why = """\
Waiting on an `asyncio.Event`, `Queue` or `Semaphore` says nothing about who will end the wait. When the one
that does is the done-callback of a task, the waiting task really waits for that task, and the await graph
does not show it. `asyncio.as_completed` had this gap until it was closed in a patch release of Python 3.14.

Wait for the task itself (`await asyncio.wait({task})`), or record the edge:
`future_add_to_awaited_by(task, waiter)` before the wait, `future_discard_from_awaited_by(task, waiter)` in
the done-callback and in a `finally`.

Only sources that are known to be tasks are reported: an event that I/O or a thread sets has no task behind
it. Neither is an event that something else sets too, nor a queue that others feed, unless the callback hands
on what the task returned.
Releasing a semaphore is `likely` at most: any of its holders can end the wait."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def run_all(coroutines):
    all_done = asyncio.Event()
    unfinished = set()

    def finished(task):
        unfinished.discard(task)
        if not unfinished:
            all_done.set()

    for coroutine in coroutines:
        task = asyncio.create_task(coroutine)
        unfinished.add(task)
        task.add_done_callback(finished)  # error: AG111
    await all_done.wait()
""",
        """\
import asyncio

class Completed:
    def __init__(self, awaitables):
        self._done = asyncio.Queue()
        for task in {asyncio.ensure_future(one) for one in awaitables}:
            task.add_done_callback(self._done.put_nowait)  # error: AG111

    async def __anext__(self):
        return await self._done.get()
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def run_all(coroutines):
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.wait(tasks)
""",
        """\
import asyncio

async def until_closed(transport, source):
    closed = asyncio.Event()
    source.add_done_callback(lambda _: closed.set())
    await closed.wait()
""",
        """\
import asyncio

class Scheduler:
    def __init__(self):
        self._changed = asyncio.Event()

    def submit(self, coroutine):
        task = asyncio.create_task(coroutine)
        task.add_done_callback(lambda _: self._changed.set())
        self._changed.set()

    async def run(self):
        while True:
            await self._changed.wait()
            self._changed.clear()
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the bridges over primitives in one module."""
        from agraph_static._internal.bridges import hop_finding  # noqa: PLC0415 - imported when first needed

        for bridge in context.bridges:
            if bridge.kind != "future" and bridge.confidence != "possible" and not bridge.copy_of:
                yield hop_finding(context, cls, bridge)
