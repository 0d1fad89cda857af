"""What a task waits for between the end of a member and the callback of that member, which ends the wait."""

import asyncio
import contextlib
from asyncio.staggered import staggered_race
from importlib.util import find_spec

import pytest
from live import end, parked, start

import agraph
from agraph.reduction import judge


async def wait_first_completed(ends, stuck):
    await asyncio.wait([ends, stuck], return_when=asyncio.FIRST_COMPLETED)


async def wait_first_exception(ends, stuck):
    await asyncio.wait([ends, stuck], return_when=asyncio.FIRST_EXCEPTION)


async def as_completed(ends, stuck):
    for step in asyncio.as_completed([ends, stuck]):
        await step
        break


async def gather(ends, stuck):
    await asyncio.gather(ends, stuck)


async def shielded_gather(ends, stuck):
    await asyncio.shield(asyncio.gather(ends, stuck))


async def wait_for(ends, _stuck):
    await asyncio.wait_for(ends, 1000)


async def shield(ends, _stuck):
    await asyncio.shield(ends)


async def task_group(ends, stuck):
    async with asyncio.TaskGroup() as group:
        for coroutine in (ends, stuck):
            group.create_task(coroutine)


async def race(ends, stuck):
    await staggered_race([lambda: stuck, lambda: ends], 0)


COROUTINES = {task_group, race}


async def just_ended(waits, *, fails):
    """A capture after a member's last step and before its callbacks; the other waits for what its waiter holds."""
    go = asyncio.Event()
    found = {}
    lock = asyncio.Lock()

    def look():
        found["snapshot"] = agraph.capture()

    async def ends():
        await go.wait()
        # Runs before the callbacks, which are to be called soon when this has ended.
        asyncio.get_running_loop().call_soon(look)
        if fails:
            raise ValueError("this member fails")

    async def stuck():
        async with lock:
            pass

    async def outer():
        async with lock:
            if waits in COROUTINES:
                await waits(ends(), stuck())
            else:
                await waits(start(ends(), "ends"), start(stuck(), "stuck"))

    waiter = start(outer(), "outer")
    await parked(waiter)
    for _ in range(3):
        await asyncio.sleep(0)
    go.set()
    await asyncio.wait([waiter])
    with contextlib.suppress(ValueError, ExceptionGroup):
        waiter.result()
    await end(*(each for each in asyncio.all_tasks() if each.get_name() == "stuck"))
    return found["snapshot"]


@pytest.mark.parametrize(
    ("waits", "fails"),
    [
        (wait_first_completed, False),
        (wait_first_completed, True),
        (wait_first_exception, True),
        (as_completed, False),
        (as_completed, True),
        (gather, True),
        (shielded_gather, True),
        (wait_for, False),
        (shield, False),
        (task_group, True),
        (race, False),
    ],
)
def test_a_member_that_has_just_ended_ends_the_wait(waits, fails):
    snapshot = asyncio.run(just_ended(waits, fails=fails))
    assert "outer" in {task.name for task in snapshot.tasks}
    assert judge(snapshot).verdict == "live"


async def crossing(first, second, both):
    async with first:
        await both.wait()
        async with second:
            raise AssertionError("they never get here")


async def in_a_group(enter, crossings, ends):
    """A failing member and two that are stuck."""
    async with enter() as start:
        for coroutine in (ends, *crossings):
            start(coroutine)


async def in_its_body(enter, crossings, ends):
    """A failing member and one that is stuck, with a body that is stuck with it."""
    one, other = crossings
    async with enter() as start:
        start(one)
        start(ends)
        await other


async def in_its_body_only(enter, crossings, ends):
    """A failing member, with a body that is stuck with a task outside."""
    one, other = crossings
    outside = asyncio.ensure_future(other)
    try:
        async with enter() as start:
            start(ends)
            await one
    finally:
        await end(outside)


@contextlib.asynccontextmanager
async def group_of_asyncio():
    async with asyncio.TaskGroup() as group:
        yield group.create_task


@contextlib.asynccontextmanager
async def group_of_anyio():
    import anyio

    async def call(coroutine):
        await coroutine

    async with anyio.create_task_group() as group:
        yield lambda coroutine: group.start_soon(call, coroutine)


@pytest.mark.parametrize(
    "enter",
    [
        group_of_asyncio,
        pytest.param(
            group_of_anyio,
            marks=pytest.mark.skipif(find_spec("anyio") is None, reason="anyio is not installed"),
        ),
    ],
)
@pytest.mark.parametrize("stuck", [in_a_group, in_its_body, in_its_body_only])
def test_nothing_is_certain_between_the_failure_of_a_member_and_the_end_of_the_group(enter, stuck):
    found = []
    go = asyncio.Event()

    async def ends():
        await go.wait()
        asyncio.get_running_loop().call_soon(lambda: found.append(agraph.capture()))
        raise ValueError("this member fails")

    async def main():
        one, other, both = asyncio.Lock(), asyncio.Lock(), asyncio.Barrier(2)
        crossings = crossing(one, other, both), crossing(other, one, both)
        parent = start(stuck(enter, crossings, ends()), "parent")
        for _ in range(10):
            await asyncio.sleep(0)
        before = judge(agraph.capture()).verdict
        go.set()
        await asyncio.wait([parent])
        assert isinstance(parent.exception(), ExceptionGroup)
        return before

    assert asyncio.run(main()) in ("certain", "possible")
    assert judge(found[0]).verdict in ("live", "possible")
