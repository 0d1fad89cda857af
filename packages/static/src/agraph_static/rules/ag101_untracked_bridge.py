"""AG101: a done-callback of one future completes another, and the await graph does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class UntrackedBridge(Rule):
    """Looks at every done-callback that completes a second future somebody waits for."""

    code = "AG101"
    name = "untracked-bridge"
    summary = (
        "A done-callback of one future completes another future that is awaited, and no edge joins the two"
    )
    why = """\
A task that awaits a future is shown as waiting for that future. When the future is completed by the
done-callback of
a task, the waiting task really waits for that task, but nothing records it: the await graph ends at the
bare future, and a deadlock that runs through it cannot be seen. `asyncio.gather`, `asyncio.shield` and
`asyncio.wait` record the missing edge themselves since Python 3.14.

Record it the same way: call `future_add_to_awaited_by(source, task)` before waiting, and
`future_discard_from_awaited_by(source, task)` both in the done-callback and in a `finally` around the wait.
Both functions are in `asyncio` since 3.14 and in `agraph` on every version.

How sure a finding is depends on where the source future comes from: `certain` for what `create_task`,
`ensure_future` and `gather` return and for the items of a collection of futures that was passed in;
`likely` for a parameter that is treated as a task; `possible` when it is not known. Futures that a thread
or I/O completes are not
reported: there is no task behind them."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_quietly(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: waiter.set_result(None))  # error: AG101
    await waiter
""",
        """\
import asyncio
import functools

def _release(waiter, *_):
    if not waiter.done():
        waiter.set_result(None)

async def stop(fut):
    waiter = asyncio.get_running_loop().create_future()
    callback = functools.partial(_release, waiter)
    fut.add_done_callback(callback)  # error: AG101
    try:
        fut.cancel()
        await waiter
    finally:
        fut.remove_done_callback(callback)
""",
        """\
import asyncio

class Group:
    def __init__(self):
        self._all_done = asyncio.get_running_loop().create_future()
        self._tasks = set()

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)  # error: AG101

    def _on_done(self, task):
        self._tasks.discard(task)
        if not self._tasks:
            self._all_done.set_result(None)

    async def __aexit__(self, *exc):
        await self._all_done
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def wait_quietly(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    me = asyncio.current_task()

    def done(task):
        asyncio.future_discard_from_awaited_by(task, me)
        if not waiter.done():
            waiter.set_result(None)

    task.add_done_callback(done)
    asyncio.future_add_to_awaited_by(task, me)
    try:
        await waiter
    finally:
        asyncio.future_discard_from_awaited_by(task, me)
        task.remove_done_callback(done)
""",
        """\
import asyncio

async def wait_quietly(task: asyncio.Task):
    await asyncio.wait({task})
""",
        """\
import asyncio

async def in_thread(executor, work):
    waiter = asyncio.get_running_loop().create_future()
    source = executor.submit(work)
    source.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the bridges of one module."""
        from agraph_static._internal.bridges import bridge_finding  # noqa: PLC0415 - imported when first needed

        for bridge in context.bridges:
            if bridge.kind == "future" and not bridge.copy_of:
                yield bridge_finding(context, cls, bridge)
