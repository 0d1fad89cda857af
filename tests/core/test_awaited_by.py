"""Who waits for a future, through everything that asyncio puts between."""

import asyncio
import subprocess
import sys
from asyncio import staggered

import pytest
from live import directly, end, forever, parked, start

from agraph._internal import awaited_by as awaited_by_module
from agraph._internal.awaited_by import awaited_by

# ---- edges, one test for each way to wait for two tasks


async def by_gather(one, two):
    await asyncio.gather(one, two)


async def by_nested_gather(one, two):
    await asyncio.gather(asyncio.gather(one), asyncio.shield(two))


async def by_wait(one, two):
    await asyncio.wait([one, two])


async def by_wait_first(one, two):
    await asyncio.wait([one, two], return_when=asyncio.FIRST_COMPLETED)


async def by_wait_with_timeout(one, two):
    await asyncio.wait([one, two], timeout=1000)


async def by_as_completed(one, two):
    for awaitable in asyncio.as_completed([one, two]):
        await awaitable


async def by_as_completed_with_timeout(one, two):
    for awaitable in asyncio.as_completed([one, two], timeout=1000):
        await awaitable


async def by_async_as_completed(one, two):
    async for _ in asyncio.as_completed([one, two]):
        pass


async def by_wait_for(one, two):
    await asyncio.wait_for(asyncio.gather(one, two), 1000)


async def by_timeout(one, two):
    async with asyncio.timeout(1000):
        await asyncio.gather(one, two)


BY_TWO = [
    by_gather,
    by_nested_gather,
    by_wait,
    by_wait_first,
    by_wait_with_timeout,
    by_as_completed,
    by_as_completed_with_timeout,
    by_wait_for,
    by_timeout,
]
if sys.version_info >= (3, 13):
    BY_TWO.append(by_async_as_completed)


@pytest.mark.parametrize("way", BY_TWO, ids=lambda way: way.__name__)
def test_two_tasks_are_awaited(run, way):
    async def main():
        one, two = start(forever()), start(forever())
        waiter = start(way(one, two))
        await parked(one, two, waiter)
        assert awaited_by(one) == [waiter]
        assert awaited_by(two) == [waiter]
        assert awaited_by(waiter) == []
        await end(waiter, one, two)
        assert awaited_by(one) == []

    run(main())


async def by_shield(one):
    await asyncio.shield(one)


async def by_wait_for_one(one):
    await asyncio.wait_for(one, 1000)


async def by_wait_for_without_timeout(one):
    await asyncio.wait_for(one, None)


async def by_wait_for_shield(one):
    await asyncio.wait_for(asyncio.shield(one), 1000)


BY_ONE = [directly, by_shield, by_wait_for_one, by_wait_for_without_timeout, by_wait_for_shield]


@pytest.mark.parametrize("way", BY_ONE, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", ["_CFuture", "_PyFuture"])
def test_a_future_is_awaited_by_two_tasks(run, way, kind):
    async def main():
        future = getattr(asyncio.futures, kind)(loop=asyncio.get_running_loop())
        waiters = [start(way(future)) for _ in range(2)]
        await parked(*waiters)
        assert set(awaited_by(future)) == set(waiters)
        await end(waiters[0])
        if not future.done():  # only a shield survives that its waiter is cancelled
            assert awaited_by(future) == [waiters[1]]
        await end(waiters[1])
        assert awaited_by(future) == []

    run(main())


def test_wait_for_that_cancels(run):
    # CPython gh-157058: with a timeout of 0 it waits for the end of what it has cancelled.
    async def main():
        cleanup = asyncio.get_running_loop().create_future()

        async def stubborn():
            try:
                await forever()
            finally:
                await cleanup

        async def probe():
            await asyncio.wait_for(inner, 0)

        inner = start(stubborn())
        await parked(inner)
        waiter = start(probe())
        await parked(waiter)
        assert awaited_by(inner) == [waiter]
        cleanup.set_result(None)
        await asyncio.wait([waiter])
        assert type(waiter.exception()) is TimeoutError

    run(main())


def test_task_group(run):
    async def main():
        async def parent():
            async with asyncio.TaskGroup() as group:
                children.extend(group.create_task(forever()) for _ in range(2))

        children = []
        waiter = start(parent())
        await parked(waiter)
        await parked(*children)
        assert [awaited_by(child) for child in children] == [[waiter], [waiter]]
        await end(waiter)
        assert [awaited_by(child) for child in children] == [[], []]

    run(main())


def test_staggered_race(run):
    async def main():
        eager = asyncio.get_running_loop().get_task_factory() is getattr(
            asyncio, "eager_task_factory", "none"
        )
        if eager and awaited_by_module._RACER is not None:
            pytest.skip("the race of this release cannot have eager tasks (CPython gh-124309)")

        async def racer():
            racing.append(asyncio.current_task())
            await forever()

        async def parent():
            await staggered.staggered_race([racer, racer], 0.001)

        racing = []
        waiter = start(parent())
        while len(racing) < 2:
            assert not waiter.done()
            await asyncio.sleep(0)
        await parked(waiter, *racing)
        assert [awaited_by(task) for task in racing] == [[waiter], [waiter]]
        await end(waiter)

    run(main())


def test_task_that_waits_for_itself(run):
    async def main():
        async def knot():
            await asyncio.shield(asyncio.current_task())

        task = start(knot())
        await parked(task)
        assert awaited_by(task) == [task]
        await end(task)

    run(main())


# ---- waits that leave no callback


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
@pytest.mark.parametrize("kind", ["_CTask", "_PyTask"])
def test_eager_task_in_its_first_step(kind, request):
    # CPython gh-157299. Three tasks, each started inside of the step of the one before.
    async def main():
        async def innermost():
            seen["innermost"] = awaited_by(asyncio.current_task())
            seen["middle"] = awaited_by(tasks["middle"])
            await asyncio.sleep(0)
            seen["later"] = awaited_by(asyncio.current_task())

        async def middle():
            tasks["middle"] = asyncio.current_task()
            await asyncio.get_running_loop().create_task(innermost())

        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.create_eager_task_factory(getattr(asyncio.tasks, kind)))

        async def caller():
            await loop.create_task(middle())

        tasks = {"caller": getattr(asyncio.tasks, kind)(caller(), loop=loop)}
        await tasks["caller"]
        assert seen["innermost"] == [tasks["middle"]]
        assert seen["middle"] == [tasks["caller"]]
        assert seen["later"] == [tasks["middle"]]

    seen = {}
    if kind == "_PyTask":
        request.getfixturevalue("python_current_task")
    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 14), reason="`eager_start` of a task is new in Python 3.14")
def test_eager_task_that_is_made_without_a_function_between():
    async def main():
        async def child():
            seen.extend(awaited_by(asyncio.current_task()))

        asyncio.Task(child(), loop=asyncio.get_running_loop(), eager_start=True)
        assert seen == [asyncio.current_task()]

    seen = []
    asyncio.run(main())


def test_running_task_has_no_caller():
    async def main():
        async def inner():
            return awaited_by(asyncio.current_task())

        assert await inner() == []

    asyncio.run(main())


@pytest.mark.stock_loop
def test_spawn_of_a_subprocess(run):
    # CPython gh-157259: a task of asyncio connects the pipes and then wakes who spawns.
    async def main():
        async def spawn():
            return await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdin=subprocess.PIPE)

        spawner = start(spawn())
        connects = "BaseSubprocessTransport._connect_pipes"
        while not (found := [t for t in asyncio.all_tasks() if t.get_coro().__qualname__ == connects]):
            assert not spawner.done()
            await asyncio.sleep(0)
        assert awaited_by(found[0]) == [spawner]
        process = await spawner
        process.stdin.close()
        assert await process.wait() == 0

    run(main())
