"""Who waits for a future: through everything that asyncio puts between, and by declaration."""

import asyncio
import functools
import gc
import subprocess
import sys
import threading
import weakref
from asyncio import staggered

import pytest

from agraph._internal import awaited_by as awaited_by_module
from agraph._internal import record
from agraph._internal.awaited_by import awaited_by
from agraph._internal.futures import is_suspended


class OwnTask(asyncio.Task):
    """A task class of an application."""


def make_py_task(loop, coroutine, **options):
    return asyncio.tasks._PyTask(coroutine, loop=loop, **options)


def make_own_task(loop, coroutine, **options):
    return OwnTask(coroutine, loop=loop, **options)


FACTORIES = {"default": None, "python": make_py_task, "subclass": make_own_task}
if sys.version_info >= (3, 12):
    FACTORIES["eager"] = asyncio.eager_task_factory


def use_python_current_task(monkeypatch):
    # Since 3.14 tasks of C and of Python keep who runs in different places.
    if sys.version_info >= (3, 14):
        for module in (asyncio, asyncio.tasks):
            monkeypatch.setattr(module, "current_task", asyncio.tasks._py_current_task)
            monkeypatch.setattr(module, "all_tasks", asyncio.tasks._py_all_tasks)


@pytest.fixture(params=FACTORIES)
def run(request, monkeypatch):
    """Runs a coroutine in a loop whose tasks are of one kind."""
    if request.param == "python":
        use_python_current_task(monkeypatch)

    def run_with(main):
        async def outer():
            asyncio.get_running_loop().set_task_factory(FACTORIES[request.param])
            await main

        asyncio.run(outer())

    return run_with


async def parked(*tasks):
    """Wait until each of them waits for something that is pending."""
    while not all(map(is_suspended, tasks)):
        assert not any(task.done() for task in tasks)
        await asyncio.sleep(0)


async def end(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def forever():
    await asyncio.get_running_loop().create_future()


def start(coroutine):
    return asyncio.get_running_loop().create_task(coroutine)


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


async def directly(one):
    await one


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
        eager = asyncio.get_running_loop().get_task_factory() is FACTORIES.get("eager", "none here")
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


# ---- waits that leave no callback


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
@pytest.mark.parametrize("kind", ["_CTask", "_PyTask"])
def test_eager_task_in_its_first_step(kind, monkeypatch):
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
        use_python_current_task(monkeypatch)
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


# ---- declarations


RECORDS = {
    "public": (
        awaited_by_module.future_add_to_awaited_by,
        awaited_by_module.future_discard_from_awaited_by,
        awaited_by_module.declared,
    ),
    "own": (record.future_add_to_awaited_by, record.future_discard_from_awaited_by, record.declared),
}


@pytest.fixture(params=RECORDS)
def functions(request):
    """To add, discard and read: the functions of this version, and those for versions below 3.14."""
    return RECORDS[request.param]


@pytest.fixture(params=["_CFuture", "_PyFuture"])
def make(request):
    """Makes futures, of C or Python, of a loop that is never run."""
    loop = asyncio.new_event_loop()
    yield functools.partial(getattr(asyncio.futures, request.param), loop=loop)
    loop.close()


def is_ignored_by_asyncio(functions, make):
    """asyncio has one function for futures of C and one for those of Python, and its public one is that of C."""
    is_own = functions[0] is record.future_add_to_awaited_by
    return not is_own and make.func is asyncio.futures._PyFuture


def test_declaration_is_a_set(functions, make):
    if is_ignored_by_asyncio(functions, make):
        pytest.skip("asyncio's C function ignores Python futures")
    add, discard, declared = functions
    future, waiter, other = make(), make(), make()
    add(future, waiter)
    add(future, waiter)
    add(future, other)
    assert set(declared(future)) == {waiter, other}
    assert set(awaited_by(future)) <= {waiter, other}
    discard(future, waiter)
    assert list(declared(future)) == [other]
    discard(future, waiter)
    discard(future, other)
    assert list(declared(future)) == []
    discard(waiter, future)
    add(future, future)
    assert list(declared(future)) == [future]
    discard(future, future)


def test_foreign_arguments_are_ignored(functions, make):
    class Duck:
        _asyncio_future_blocking = False

        def __getattr__(self, name):
            raise AssertionError(name)

        @property
        def __class__(self):
            raise AssertionError

    add, discard, declared = functions
    future = make()
    for foreign in (None, 1, "future", Duck(), Duck, object(), asyncio.Future):
        add(future, foreign)
        add(foreign, future)
        add(foreign, foreign)
        discard(future, foreign)
        discard(foreign, future)
    assert list(declared(future)) == []


def test_arguments_are_positional(functions, make):
    with pytest.raises(TypeError):
        functions[0](fut=make(), waiter=make())


def test_own_record_joins_c_and_python_futures():
    loop = asyncio.new_event_loop()
    future, waiter = asyncio.futures._CFuture(loop=loop), asyncio.futures._PyFuture(loop=loop)
    record.future_add_to_awaited_by(future, waiter)
    record.future_add_to_awaited_by(waiter, future)
    assert record.declared(future) == [waiter]
    assert record.declared(waiter) == [future]
    loop.close()


def test_own_record_keeps_nothing_alive(make):
    gc.collect()
    entries = len(record._record)
    future, waiter = make(), make()
    references = weakref.ref(future), weakref.ref(waiter)
    record.future_add_to_awaited_by(future, waiter)
    del waiter
    assert references[1]() is None
    assert record.declared(future) == []
    record.future_add_to_awaited_by(future, future)
    del future
    assert references[0]() is None
    assert len(record._record) == entries


def test_own_record_keeps_no_cycle_alive(make):
    gc.collect()
    entries = len(record._record)
    one, two = make(), make()
    record.future_add_to_awaited_by(one, two)
    record.future_add_to_awaited_by(two, one)
    one.add_done_callback(lambda _, own=two: own)
    two.add_done_callback(lambda _, own=one: own)
    references = weakref.ref(one), weakref.ref(two)
    del one, two
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert len(record._record) == entries


@pytest.mark.parametrize("base", ["_CFuture", "_PyFuture"])
def test_own_record_of_subclasses(base):
    class Slotted(getattr(asyncio.futures, base)):
        __slots__ = ()

    class Unhashable(getattr(asyncio.futures, base)):
        __hash__ = None

        def __eq__(self, other):
            raise AssertionError

    loop = asyncio.new_event_loop()
    for kind in (Slotted, Unhashable):
        future, waiter = kind(loop=loop), kind(loop=loop)
        record.future_add_to_awaited_by(future, waiter)
        (found,) = record.declared(future)
        assert found is waiter
        record.future_discard_from_awaited_by(future, waiter)
        assert record.declared(future) == []
    loop.close()


def test_own_record_from_many_threads(make):
    future = make()
    waiters = [make() for _ in range(400)]
    ready = threading.Barrier(4)

    def work(part):
        ready.wait()
        for waiter in part:
            record.future_add_to_awaited_by(future, waiter)
            record.declared(future)
            gc.collect(0)
        for waiter in part[::2]:
            record.future_discard_from_awaited_by(future, waiter)

    threads = [threading.Thread(target=work, args=(waiters[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = {id(waiter) for i in range(4) for waiter in waiters[i::4][1::2]}
    assert {id(waiter) for waiter in record.declared(future)} == left


def test_declared_waiter_is_found_beside_the_others():
    # What a home-made bridge does: the wait of `bridged` leads nowhere in asyncio's own state.
    async def main():
        loop = asyncio.get_running_loop()
        future, bridge = loop.create_future(), loop.create_future()
        bridged, direct = start(directly(bridge)), start(directly(future))
        await parked(bridged, direct)
        awaited_by_module.future_add_to_awaited_by(future, bridged)
        assert set(awaited_by(future)) == {bridged, direct}
        awaited_by_module.future_discard_from_awaited_by(future, bridged)
        assert awaited_by(future) == [direct]
        await end(bridged, direct)

    asyncio.run(main())


def test_declared_waiter_of_a_gather_waits_for_its_children():
    async def main():
        loop = asyncio.get_running_loop()
        child, bridge = start(forever()), loop.create_future()
        gathered, bridged = asyncio.gather(child), start(directly(bridge))
        await parked(child, bridged)
        awaited_by_module.future_add_to_awaited_by(gathered, bridged)
        assert awaited_by(child) == [bridged]
        await end(bridged)
        child.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathered

    asyncio.run(main())


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
    async def main():
        one, two = start(forever()), start(forever())
        waiter = start(by_nested_gather(one, two))
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
