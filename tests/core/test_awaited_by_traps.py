"""What looks like a wait and is none, and what must not happen to the application while it is read."""

import asyncio
import functools
import gc
import sys
import weakref

import pytest
from live import directly, end, forever, parked, start

from agraph._internal.awaited_by import awaited_by

# ---- what is no wait


def test_gather_made_by_one_task_and_awaited_by_another(run):
    async def main():
        async def maker():
            gathered.append(asyncio.gather(child))
            await forever()

        async def taker():
            await gathered[0]

        gathered = []
        child = start(forever())
        made_by = start(maker())
        await parked(made_by)
        assert awaited_by(child) == []
        taken_by = start(taker())
        await parked(child, taken_by)
        assert awaited_by(child) == [taken_by]
        await end(taken_by, made_by, child)

    run(main())


def test_shield_that_nobody_awaits(run):
    async def main():
        async def maker():
            outer = asyncio.shield(await gate)
            await forever()
            return outer

        gate = asyncio.get_running_loop().create_future()
        made_by = start(maker())
        other = start(directly(made_by))
        await parked(other, made_by)
        gate.set_result(other)
        await parked(other)
        while made_by._fut_waiter is gate:
            await asyncio.sleep(0)
        await parked(made_by)
        assert awaited_by(other) == []
        assert awaited_by(made_by) == [other]
        await end(other, made_by)

    run(main())


def test_as_completed_between_two_results(run):
    async def main():
        async def consumer():
            results = iter(asyncio.as_completed([first, second]))
            await next(results)
            await forever()
            await next(results)

        first = asyncio.get_running_loop().create_future()
        second = start(forever())
        task = start(consumer())
        await parked(task)
        assert awaited_by(first) == [task]
        assert awaited_by(second) == [task]
        first.set_result(None)
        while awaited_by(second):
            await asyncio.sleep(0)
        await parked(task)
        assert awaited_by(second) == []
        await end(task, second)

    run(main())


def test_task_group_whose_parent_is_still_in_the_body(run):
    async def main():
        async def parent():
            async with asyncio.TaskGroup() as group:
                children.append(group.create_task(forever()))
                await gate
                children.append(asyncio.current_task())

        children = []
        gate = asyncio.get_running_loop().create_future()
        waiter = start(parent())
        await parked(waiter)
        await parked(children[0])
        assert awaited_by(children[0]) == []
        assert awaited_by(gate) == [waiter]
        gate.set_result(None)
        while len(children) < 2:
            await asyncio.sleep(0)
        await parked(waiter)
        assert awaited_by(children[0]) == [waiter]
        await end(waiter)

    run(main())


def test_task_group_whose_parent_runs_in_the_body(run):
    # Its next wait is not known; asyncio says that it waits, and its own tests ask for that.
    async def main():
        async def parent():
            async with asyncio.TaskGroup() as group:
                child = group.create_task(forever())
                seen.extend(awaited_by(child))
                child.cancel()

        seen = []
        task = start(parent())
        await task
        assert seen == [task]

    run(main())


def test_gather_that_has_failed_does_not_wait_for_the_others(run):
    async def main():
        async def fail():
            raise ValueError

        survivor = start(forever())
        with pytest.raises(ValueError):
            await asyncio.gather(survivor, fail())
        assert awaited_by(survivor) == []
        await end(survivor)

    run(main())


def test_callbacks_that_only_look_like_waits(run):
    async def main():
        task = start(forever())
        await parked(task)
        future = asyncio.get_running_loop().create_future()

        def gather(outer):
            def _done_callback(_):
                return outer

            return _done_callback

        target = asyncio.get_running_loop().create_future()
        waiter = start(directly(target))
        await parked(waiter)
        group = asyncio.TaskGroup()
        callbacks = [
            task.cancel,  # a method of a task, of C or Python, that is no wakeup
            task.get_name,
            gather(target),
            functools.partial(target.set_result, None),
            asyncio.tasks._release_waiter,
            target.cancel,
            group._on_task_done,
            print,
            lambda _: None,
        ]
        for callback in callbacks:
            future.add_done_callback(callback)
        assert awaited_by(future) == []
        for callback in callbacks:
            future.remove_done_callback(callback)
        await end(task, waiter)

    run(main())


def test_finished_future_is_awaited_by_nobody(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        waiter = start(directly(future))
        await parked(waiter)
        future.set_result(None)
        await waiter
        assert awaited_by(future) == []
        assert awaited_by(waiter) == []

    run(main())


# ---- nothing of the application is run or kept


def test_properties_of_subclasses_are_not_run():
    def refuse(self):
        raise AssertionError

    names = ["_callbacks", "_fut_waiter", "_state", "_asyncio_awaited_by", "_coro", "__dict__"]
    hostile = {name: property(refuse) for name in names}
    hostile["get_coro"] = hostile["get_name"] = refuse
    own = type("Own", (asyncio.tasks._CTask,), hostile)

    async def main():
        loop = asyncio.get_running_loop()
        task = own(forever(), loop=loop)
        waiter = start(directly(task))
        await parked(waiter, task)
        assert awaited_by(task) == [waiter]
        await end(waiter)

    asyncio.run(main())


def test_reading_keeps_nothing_alive(run):
    async def both(one, two):
        await asyncio.gather(asyncio.gather(one), asyncio.shield(two))

    async def main():
        one, two = start(forever()), start(forever())
        waiter = start(both(one, two))
        await parked(one, two, waiter)
        watched = [one, two, waiter]
        before = [sys.getrefcount(task) for task in watched]
        for _ in range(3):
            awaited_by(one)
        gc.collect()
        assert [sys.getrefcount(task) for task in watched] == before
        references = [weakref.ref(task) for task in watched]
        await end(waiter, one, two)
        await asyncio.sleep(0)  # the handle of the step before holds what it has woken us with
        del watched, one, two, waiter
        gc.collect()
        assert [reference() for reference in references] == [None] * 3

    run(main())
