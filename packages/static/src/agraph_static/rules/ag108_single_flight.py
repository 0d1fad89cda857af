"""AG108: callers wait for a future that another caller's task completes, and no edge leads to that task."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class SingleFlight(Rule):
    """Looks at futures that a coroutine stores, then works, then completes, while others wait."""

    code = "AG108"
    name = "single-flight"
    summary = "Callers wait for a future that one caller's own task completes, and no edge leads to that task"
    why = """\
The first caller makes a future, stores it, does the work and completes the future; callers that come
meanwhile wait for the stored future. They really wait for the first caller's task, but the await graph ends
at the future. When the first caller in turn waits for one of them, that deadlock cannot be seen. An event
that the first caller clears and sets again, and a list to which the others add futures, hide the same.

Share a task instead: start the work with `asyncio.create_task`, store the task, and let every caller, the
first one too, `await asyncio.shield(task)`. Then the graph is complete, an exception reaches everybody, and
a cancelled caller does not stop the others. Or keep the owner beside the future and record the edge with
`future_add_to_awaited_by(owner, task)`."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Store:
    _loading = None

    async def load(self):
        if self._loading is not None:
            return await self._loading
        self._loading = asyncio.get_running_loop().create_future()  # error: AG108
        try:
            result = await self._read()
        except BaseException as error:
            self._loading.set_exception(error)
            raise
        else:
            self._loading.set_result(result)
        finally:
            self._loading = None
        return result
""",
        """\
import asyncio

async def setup(registry, key, make):
    if key in registry:
        await registry[key].wait()
        return
    ready = registry[key] = asyncio.Event()  # error: AG108
    try:
        await make()
    finally:
        ready.set()
""",
        """\
import asyncio

async def race(attempts, tasks, previous_failed):
    if previous_failed is not None:
        await previous_failed.wait()
    attempt = attempts.pop()
    failed = asyncio.Event()  # error: AG108
    tasks.append(asyncio.create_task(race(attempts, tasks, failed)))
    try:
        await attempt()
    except OSError:
        failed.set()
""",
        """\
import asyncio

class Health:
    def __init__(self):
        self._idle = asyncio.Event()
        self._idle.set()

    async def check(self):
        if not self._idle.is_set():
            await self._idle.wait()
            return self._value
        self._idle.clear()  # error: AG108
        try:
            self._value = await self._ask()
        finally:
            self._idle.set()
        return self._value
""",
        """\
import asyncio

class Buffer:
    def __init__(self):
        self.closed = False
        self._closed = asyncio.Event()

    async def close(self):
        if self.closed:
            await self._closed.wait()
            return
        self.closed = True  # error: AG108
        try:
            await self._flush()
        finally:
            self._closed.set()
""",
        """\
import asyncio

class Client:
    def __init__(self):
        self._waiters = {}

    async def send(self, peer):
        if peer in self._waiters:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters[peer].append(waiter)
            await waiter
        self._waiters[peer] = []  # error: AG108
        try:
            await self._connect(peer)
        finally:
            for waiter in self._waiters.pop(peer):
                waiter.set_result(None)
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Store:
    _loading = None

    async def load(self):
        if self._loading is None:
            self._loading = asyncio.create_task(self._read())
        return await asyncio.shield(self._loading)
""",
        """\
import asyncio

class Requests:
    async def ask(self, number, message):
        answer = self._pending[number] = asyncio.get_running_loop().create_future()
        await self._send(message)
        return await answer
""",
        """\
import asyncio

async def beat(stop):
    await stop.wait()

async def run(work):
    stop = asyncio.Event()
    task = asyncio.create_task(beat(stop))
    await work()
    stop.set()
    await task
""",
        """\
import asyncio

class Gate:
    def __init__(self):
        self._open = asyncio.Event()

    async def pause(self):
        self._open.clear()
        await self._report()
        self._open.set()

    def resume(self):
        self._open.set()

    async def enter(self):
        await self._open.wait()
""",
        """\
import asyncio

class Room:
    async def connect(self):
        self._name = asyncio.get_running_loop().create_future()
        answer = await self._join()
        self._name.set_result(answer.name)

    def on_update(self, update):
        self._name.set_result(update.name)

    async def name(self):
        return await asyncio.shield(self._name)
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the single flights of one module."""
        from agraph_static._internal.owner_fix import flight_fix  # noqa: PLC0415 - imported when first needed

        for flight in context.flights:
            if flight.has_edge:
                continue
            owner = flight.function.name
            event = flight.kind == "event"
            yield context.finding(
                cls, flight.creation, flight.function,
                f"`{flight.name}` is {'set' if event else 'completed'} only by the task that runs "
                f"`{owner}`, and no "
                "edge leads from those who wait for it to that task",
                confidence="likely" if event or not flight.is_made else "certain",
                label=f"other tasks wait for this {flight.kind}; the task in `{owner}` completes it",
                help="start the work with `asyncio.create_task`, store the task, and `await "
                "asyncio.shield(task)` in "
                "every caller",
                related=(
                    context.related(flight.reader.node, "another task waits for it here"),
                    context.related(flight.work[0], "the owner waits here meanwhile"),
                    context.related(flight.completed, "resolved here"),
                ),
                notes=(f"the same call of `{owner}` {flight.how}",),
                fix=flight_fix(context, flight),
            )  # fmt: skip
