"""AG110: a spawned task completes a future that others wait for, and no edge leads to the task."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class TaskResolvedFuture(Rule):
    """Looks at spawned coroutines whose body completes a future made outside it."""

    code = "AG110"
    name = "task-resolved-future"
    summary = (
        "A spawned task completes a future that another task waits for, and no edge leads to the spawned task"
    )
    why = """\
Whoever awaits the future waits for the spawned task to come to the point where it completes it. The await
graph ends at the future; when the spawned task hangs, nothing shows that the others wait for it.

Wait for the task together with the future (`await asyncio.wait({future, task},
return_when=FIRST_COMPLETED)`), which also ends the wait when the task fails before it completes the future.
Or record the edge with
`future_add_to_awaited_by(task, waiter)` around the wait."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Server:
    async def start(self):
        self._ready = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())  # error: AG110
        await self._ready

    async def _run(self):
        await self._listen()
        self._ready.set_result(None)
""",
        """\
import asyncio

class Connection:
    async def connect(self):
        self._connected = asyncio.Event()
        self._task = asyncio.create_task(self._keep_connected())  # error: AG110
        await self._connected.wait()

    async def _keep_connected(self):
        while True:
            await self._dial()
            self._connected.set()
            await self._lost()
""",
        """\
import asyncio

class Writer:
    def __init__(self):
        self._queue = asyncio.Queue()
        self._task = asyncio.create_task(self._write_all())  # error: AG110

    async def write(self, data):
        written = asyncio.get_running_loop().create_future()
        await self._queue.put((data, written))
        await written

    async def _write_all(self):
        while True:
            data, written = await self._queue.get()
            await self._send(data)
            written.set_result(None)
""",
        """\
import asyncio

class Transport:
    def __init__(self):
        self._closed = asyncio.Event()

    def start(self):
        self._task = asyncio.create_task(self._process())  # error: AG110

    async def close(self):
        await self._closed.wait()

    async def _process(self):
        try:
            await self._read_all()
        finally:
            self._closed.set()
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Server:
    async def start(self):
        self._ready = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())
        await asyncio.wait({self._ready, self._task}, return_when=asyncio.FIRST_COMPLETED)

    async def _run(self):
        await self._listen()
        self._ready.set_result(None)
""",
        """\
import asyncio

class Client:
    def __init__(self):
        self._answers = {}
        self._reader = asyncio.create_task(self._read())

    async def ask(self, number):
        self._answers[number] = asyncio.get_running_loop().create_future()
        return await self._answers[number]

    async def _read(self):
        while True:
            number, answer = await self._receive()
            self._answers.pop(number).set_result(answer)
""",
        """\
import asyncio

class Listener:
    async def start(self):
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        await self._changed.wait()

    def on_message(self, message):
        self._changed.set()

    async def _run(self):
        await self._subscribe()
        self._changed.set()
""",
        """\
import asyncio

async def run(serve):
    ready = asyncio.Event()

    async def start():
        await serve()
        ready.set()

    async with asyncio.TaskGroup() as group:  # awaits its tasks, in the await graph too
        group.create_task(start())
        await ready.wait()
""",
        """\
import asyncio

async def race(attempts):
    tasks = set()

    async def run(attempt, failed):
        try:
            return await attempt
        except OSError:
            failed.set_result(None)

    for attempt in attempts:
        failed = asyncio.get_running_loop().create_future()
        tasks.add(asyncio.create_task(run(attempt, failed)))
        await asyncio.wait((*tasks, failed), return_when=asyncio.FIRST_COMPLETED)
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the task-resolved futures of one module."""
        from agraph_static._internal.owner_fix import spawn_fix  # noqa: PLC0415 - imported when first needed
        from agraph_static._internal.shown import name_in_wait, related_wait  # noqa: PLC0415 - imported when first needed
        from agraph_static._internal.spawns import spawns  # noqa: PLC0415 - imported when first needed

        for spawn in spawns(context):
            place, event = spawn.resolution.place, spawn.resolution.kind == "event"
            name = name_in_wait(context, place, spawn.call.function, spawn.wait)
            body = spawn.body.name
            done = "set" if event else "completed"
            both = f"the task and for a task of `{name}.wait()`" if event else f"the task and for `{name}`"
            related = context.made_at(place, name)
            related.append(context.related(spawn.resolution.node, "resolved here"))
            if spawn.wait is not None:
                related.append(related_wait(context, spawn.wait))
            yield context.finding(
                cls, spawn.call.node, spawn.call.function,
                f"`{name}` is {done} by the task that runs `{body}`, and no edge leads from those who wait "
                "for it to that task",
                confidence=spawn.confidence,
                label=f"a wait for `{name}` is really a wait for this task",
                help=f"wait with `asyncio.wait` for {both}, or record the edge with "
                "`future_add_to_awaited_by(task, waiter)`",
                related=related,
                notes=(f"{spawn.reason} ({spawn.confidence})",),
                fix=spawn_fix(context, spawn),
            )  # fmt: skip
