"""Calls that a loop is about to make, and whom they free."""

import asyncio
import functools
import time
import types
from importlib.util import find_spec

import pytest
from blocked import capture, stuck
from live import directly, end, forever, parked, start
from made import verdicts_of
from snapshots import task


async def snapshot_with(schedule, *, coroutine=forever):
    """A snapshot with a task that waits for ever, and a call that `schedule(loop, task)` makes."""
    waiting = start(coroutine(), "waiting")
    await parked(waiting)
    handle = schedule(asyncio.get_running_loop(), waiting)
    snapshot = capture()
    handle.cancel()
    await end(waiting)
    return task(snapshot, "waiting"), snapshot


def cancels(task):
    task.cancel()


LATER = {
    "method": lambda loop, task: loop.call_later(1000, task.cancel),
    "message": lambda loop, task: loop.call_later(1000, task.cancel, "too late"),
    "partial": lambda loop, task: loop.call_later(1000, functools.partial(task.cancel, "too late")),
    "at": lambda loop, task: loop.call_at(loop.time() + 1000, task.cancel),
}


@pytest.mark.parametrize("way", LATER)
def test_a_call_that_cancels_the_task_is_its_deadline(way):
    before = time.monotonic()
    waiting, _ = asyncio.run(snapshot_with(LATER[way]))
    assert before + 999 < waiting.timer < time.monotonic() + 1001
    assert waiting.need == 1


@pytest.mark.parametrize("soon", ["call_soon", "call_soon_threadsafe"])
def test_a_task_about_to_be_cancelled_can_proceed(soon):
    waiting, snapshot = asyncio.run(snapshot_with(lambda loop, task: getattr(loop, soon)(task.cancel)))
    assert (waiting.state, waiting.need) == ("ready", 0)
    assert "task waiting" not in stuck(snapshot)


@pytest.mark.parametrize("soon", ["call_soon", "call_soon_threadsafe"])
def test_a_future_about_to_be_set_lets_its_task_proceed(soon):
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        waiting = start(directly(future), "waiting")
        await parked(waiting)
        getattr(loop, soon)(future.set_result, None)
        snapshot = capture()
        await waiting
        return snapshot

    assert "task waiting" not in stuck(asyncio.run(main()))


def test_a_call_that_was_cancelled_frees_nobody():
    def schedule(loop, task):
        handle = loop.call_later(1000, task.cancel)
        handle.cancel()
        return handle

    waiting, _ = asyncio.run(snapshot_with(schedule))
    assert (waiting.timer, waiting.open, waiting.need) == (None, "", 1)


class Watchdog:
    def __init__(self, task):
        self.task = task

    def bite(self):
        self.task.cancel()


class SlottedWatchdog(Watchdog):
    __slots__ = ("other",)


class Manager:
    """Has tasks in containers, of its own and of its class."""

    shared = {}  # noqa: RUF012 - that it is the class's is the point

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def expire(self):
        for item in self.tasks:
            item.cancel()


class Shared(Manager):
    tasks = Manager.shared.values()


REGISTRY = {}


def expire_registered():
    REGISTRY["task"].cancel()


def expire_managed():
    REGISTRY["manager"].expire()


def registered(**entries):
    REGISTRY.clear()
    REGISTRY.update(entries)


def in_a_global(loop, task):
    registered(task=task)
    return loop.call_later(1000, expire_registered)


def in_an_object_in_a_global(loop, task):
    registered(manager=Manager(tasks=[task]))
    return loop.call_later(1000, expire_managed)


def in_a_class(loop, task):
    Manager.shared["task"] = task
    return loop.call_later(1000, Shared().expire)


def in_a_closure_of_a_closure(loop, task):
    def bites():
        task.cancel()

    return loop.call_later(1000, lambda: bites())


class Careful(asyncio.Task):
    def cancel(self, msg=None):
        return super().cancel(msg)


REFERS = {
    "list": lambda loop, task: loop.call_later(1000, Manager(tasks=[task]).expire),
    "dict of tuples": lambda loop, task: loop.call_later(1000, Manager(tasks={1: (2.5, task)}).expire),
    "default": lambda loop, task: loop.call_later(1000, lambda task=task: task.cancel()),
    "global": in_a_global,
    "object in global": in_an_object_in_a_global,
    "class": in_a_class,
    "closure of closure": in_a_closure_of_a_closure,
    "attribute": lambda loop, task: loop.call_later(1000, Watchdog(task).bite),
    "slots": lambda loop, task: loop.call_later(1000, SlottedWatchdog(task).bite),
    "closure": lambda loop, task: loop.call_later(1000, lambda: cancels(task)),
    "argument": lambda loop, task: loop.call_later(1000, cancels, task),
    "partial": lambda loop, task: loop.call_later(1000, functools.partial(cancels, task)),
}


@pytest.mark.parametrize("way", REFERS)
def test_a_call_that_refers_to_a_task_may_free_it(way):
    waiting, _ = asyncio.run(snapshot_with(REFERS[way]))
    assert waiting.open == "its loop is about to call what refers to it"
    assert (waiting.timer, waiting.need) == (None, 1)


def test_many_calls_that_lead_to_one_object_are_looked_at_alike():
    def schedule(loop, task):
        """The same object is an attribute of the one and the owner of the other."""
        manager = Manager(tasks=[task])
        loop.call_later(1000, Manager(inner=Manager(inner=manager)).expire)
        return loop.call_later(1000, manager.expire)

    waiting, _ = asyncio.run(snapshot_with(schedule))
    assert waiting.open


def test_a_sleep_that_a_call_refers_to_stays_one():
    _, snapshot = asyncio.run(snapshot_with(REFERS["list"], coroutine=sleeps))
    assert task(snapshot, "waiting").open == ""
    assert verdicts_of(snapshot)["waiting"] == "live"


def test_a_task_with_a_cancel_of_its_own_may_be_freed():
    async def main():
        waiting = Careful(forever(), loop=asyncio.get_running_loop(), name="waiting")
        await parked(waiting)
        handle = asyncio.get_running_loop().call_later(1000, waiting.cancel)
        snapshot = capture()
        handle.cancel()
        await end(waiting)
        return snapshot

    assert task(asyncio.run(main()), "waiting").open


def shielded(inner):
    return asyncio.shield(inner)


def gathered(inner):
    return asyncio.gather(inner)


def gathered_twice(inner):
    return asyncio.gather(asyncio.gather(inner))


ENDS = {
    "cancel": lambda future: (future.cancel,),
    "set_result": lambda future: (future.set_result, None),
    "set_exception": lambda future: (future.set_exception, ValueError()),
    "partial": lambda future: (functools.partial(future.cancel),),
    "function": lambda future: (lambda: future.cancel(),),
}


async def verdicts_in_a_ring(composed, call, soon=False):
    """Of two tasks that wait for each other, one through a future that the loop is about to call."""
    loop = asyncio.get_running_loop()
    box = {}

    async def outer():
        await asyncio.sleep(0)
        await box["future"]

    async def inner():
        await asyncio.wait([box["outer"]])

    box["outer"] = start(outer(), "outer")
    box["inner"] = start(inner(), "inner")
    box["future"] = composed(box["inner"])
    await parked(box["outer"], box["inner"])
    handle = loop.call_soon(*call(box["future"])) if soon else loop.call_later(1000, *call(box["future"]))
    snapshot = capture()
    handle.cancel()
    await end(box["outer"], box["inner"])
    return verdicts_of(snapshot)


@pytest.mark.parametrize("composed", [shielded, gathered, gathered_twice])
@pytest.mark.parametrize("way", ENDS)
def test_a_call_that_ends_an_awaited_future_frees_the_task(composed, way):
    found = asyncio.run(verdicts_in_a_ring(composed, ENDS[way]))
    assert found["outer"] == ("possible" if way == "function" else "stalled")


@pytest.mark.parametrize("composed", [shielded, gathered])
def test_a_future_about_to_be_cancelled_leaves_nothing_certain(composed):
    found = asyncio.run(verdicts_in_a_ring(composed, ENDS["cancel"], soon=True))
    assert "certain" not in found.values()


def test_a_task_about_to_be_cancelled_takes_along_what_it_awaits():
    async def main():
        box = {}

        async def one():
            await asyncio.wait([box["other"]])

        async def other():
            await asyncio.wait([box["one"]])

        async def above():
            await asyncio.gather(box["one"], box["other"])

        box["one"], box["other"] = start(one(), "one"), start(other(), "other")
        top = start(above(), "above")
        await parked(*box.values(), top)
        asyncio.get_running_loop().call_soon(top.cancel)
        snapshot = capture()
        await end(*box.values(), top)
        return snapshot

    found = verdicts_of(asyncio.run(main()))
    assert "certain" not in found.values()


def test_a_gather_that_nobody_awaits_is_cancelled_with_its_children():
    async def main():
        inner = start(forever(), "inner")
        await parked(inner)
        both = asyncio.gather(inner)
        handle = asyncio.get_running_loop().call_later(1000, both.cancel)
        snapshot = capture()
        handle.cancel()
        both.cancel()
        await end(inner)
        return snapshot

    assert task(asyncio.run(main()), "inner").timer is not None


def test_a_task_of_python_code(python_current_task):
    async def main():
        asyncio.get_running_loop().set_task_factory(
            lambda loop, coroutine, **options: asyncio.tasks._PyTask(coroutine, loop=loop, **options)
        )
        return await asyncio.create_task(snapshot_with(LATER["method"]))

    waiting, _ = asyncio.run(main())
    assert waiting.timer is not None


async def in_a_timeout():
    async with asyncio.timeout(1000):
        await forever()


async def in_a_timeout_of_another_kind():
    class Timeout(asyncio.Timeout):
        """As in async_timeout 5."""

    async with Timeout(asyncio.get_running_loop().time() + 1000):
        await forever()


async def hidden():
    """A timeout that no frame has a `with` for."""
    timeout = asyncio.timeout(1000)
    await timeout.__aenter__()
    try:
        await forever()
    finally:
        await timeout.__aexit__(None, None, None)


async def async_timeout_of_the_library():
    import async_timeout

    async with async_timeout.timeout(1000):
        await forever()


async def in_a_scope_of_anyio():
    import anyio

    with anyio.fail_after(1000):
        with anyio.CancelScope():
            await forever()


async def in_a_task_group_of_anyio():
    """The deadline is that of the scope around; the task that waits is another one."""
    import anyio

    with anyio.move_on_after(1000):
        async with anyio.create_task_group():
            await forever()


async def in_a_timer_of_aiohttp():
    from aiohttp import helpers

    handle = helpers.TimeoutHandle(asyncio.get_running_loop(), 1000)
    handle.start()
    with handle.timer():
        await forever()


async def waits_with_timeout():
    await asyncio.wait([start(forever())], timeout=1000)


async def waits_for_with_timeout():
    await asyncio.wait_for(forever(), timeout=1000)


async def sleeps():
    await asyncio.sleep(1000)


def with_library(library, coroutine):
    missing = find_spec(library) is None
    return pytest.param(coroutine, marks=pytest.mark.skipif(missing, reason=f"{library} is not installed"))


@pytest.mark.parametrize(
    "coroutine",
    [
        in_a_timeout,
        in_a_timeout_of_another_kind,
        hidden,
        with_library("async_timeout", async_timeout_of_the_library),
        with_library("anyio", in_a_scope_of_anyio),
        with_library("anyio", in_a_task_group_of_anyio),
        with_library("aiohttp", in_a_timer_of_aiohttp),
        waits_with_timeout,
        waits_for_with_timeout,
        sleeps,
    ],
    ids=lambda coroutine: coroutine.__name__,
)
def test_deadlines_are_seen_on_every_loop(coroutine):
    before = time.monotonic()
    waiting, _ = asyncio.run(
        snapshot_with(lambda loop, task: loop.call_later(1000, int), coroutine=coroutine)
    )
    assert before + 999 < waiting.timer < time.monotonic() + 1001


def test_a_timeout_that_was_over_when_it_began_is_a_deadline():
    async def main():
        async def over():
            async with asyncio.timeout(-1):
                await forever()

        async def looks():
            return capture()

        # Both take their first step in one turn of the loop, before the call that cancels the first.
        waiting, looking = start(over(), "waiting"), start(looks(), "looking")
        snapshot = await looking
        await end(waiting)
        return task(snapshot, "waiting")

    waiting = asyncio.run(main())
    assert waiting.timer is not None or waiting.need == 0


def test_a_shielded_scope_of_anyio_has_no_deadline():
    anyio = pytest.importorskip("anyio", reason="anyio is not installed")

    async def shielded():
        with anyio.move_on_after(1000):
            with anyio.CancelScope(shield=True):
                await forever()

    waiting, _ = asyncio.run(snapshot_with(lambda loop, task: loop.call_later(1, int), coroutine=shielded))
    assert waiting.timer is None


def test_the_earliest_of_several_deadlines_counts():
    waiting, _ = asyncio.run(
        snapshot_with(lambda loop, task: loop.call_later(500, task.cancel), coroutine=in_a_timeout)
    )
    assert waiting.timer < time.monotonic() + 501


class Hostile:
    def __getattribute__(self, name):
        raise AssertionError(f"agraph read {name}")

    def __call__(self):
        raise AssertionError("it was called")

    __hash__ = __eq__ = __call__


def test_no_code_of_the_application_runs_to_read_a_call():
    async def main():
        loop, hostile = asyncio.get_running_loop(), Hostile()
        waiting = start(forever(), "waiting")
        await parked(waiting)
        handles = [
            loop.call_later(1000, hostile),
            loop.call_later(1000, cancels, hostile),
            loop.call_later(1000, functools.partial(cancels, hostile)),
            loop.call_later(1000, types.MethodType(cancels, hostile)),
        ]
        snapshot = capture()
        for handle in handles:
            handle.cancel()
        await end(waiting)
        return snapshot

    assert task(asyncio.run(main()), "waiting").open == ""
