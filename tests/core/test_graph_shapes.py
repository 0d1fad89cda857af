"""Graphs that asyncio's own functions cannot capture: cycles, long chains, shared futures, frames below generators."""

import asyncio
import contextlib
import gc
import re
import sys
import types
import weakref

import pytest
from live import directly, end, functions, linked, parked, plain, shape, small_graph, start, wait_for

from agraph._internal import graph as graph_module
from agraph._internal.awaited_by import future_add_to_awaited_by, future_discard_from_awaited_by
from agraph._internal.graph import (
    capture_call_graph,
    format_call_graph,
)


def entries(graph):
    """Each entry of a graph once, however often it is shared."""
    found, ahead = {}, [graph]
    while ahead:
        entry = ahead.pop()
        if id(entry) not in found:
            found[id(entry)] = entry
            ahead.extend(entry.awaited_by)
    return list(found.values())


# ---- shapes that asyncio's own functions cannot capture


def test_two_tasks_that_wait_for_each_other():
    async def main():
        async def one():
            await wait_for(tasks["two"])

        async def two():
            await tasks["one"]

        tasks = {}
        tasks["one"], tasks["two"] = start(one(), "one"), start(two(), "two")
        await parked(*tasks.values())
        graph = capture_call_graph(tasks["one"])
        up = ["wait_for", "one"]
        assert shape(graph) == ("one", up, [("two", ["two"], [("one", up, [])])])
        (end_of_cycle,) = graph.awaited_by[0].awaited_by
        assert end_of_cycle.future is graph.future
        text = format_call_graph(tasks["two"], limit=0).splitlines()
        assert [plain(line) for line in text] == [
            "* Task(name='two', id)",
            "  + Awaited by:",
            "    * Task(name='one', id)",
            "      + Awaited by:",
            "        * Task(name='two', id) (cycle)",
        ]
        await end(*tasks.values())

    asyncio.run(main())


def test_task_that_waits_for_itself():
    async def main():
        async def knot():
            await asyncio.shield(asyncio.current_task())

        task = start(knot(), "knot")
        await parked(task)
        assert shape(capture_call_graph(task)) == ("knot", ["knot"], [("knot", ["knot"], [])])
        assert plain(format_call_graph(task, limit=0)).splitlines() == [
            "* Task(name='knot', id)",
            "  + Awaited by:",
            "    * Task(name='knot', id) (cycle)",
        ]
        await end(task)

    asyncio.run(main())


def test_current_task_in_a_cycle():
    async def main():
        me = asyncio.current_task()
        me.set_name("main")
        future_add_to_awaited_by(me, me)
        try:
            assert shape(capture_call_graph()) == ("main", ["main"], [("main", ["main"], [])])
        finally:
            future_discard_from_awaited_by(me, me)

    asyncio.run(main())


def test_chain_of_100_000_tasks():
    async def main():
        future = asyncio.get_running_loop().create_future()
        tasks = [start(directly(future))]
        for _ in range(99_999):
            tasks.append(start(directly(tasks[-1])))
        await parked(*tasks)
        graph = capture_call_graph(future)
        length, entry = 0, graph
        while entry.awaited_by:
            (entry,) = entry.awaited_by
            assert entry.future is tasks[length]
            length += 1
        assert length == 100_000
        del graph, entry
        text = format_call_graph(future)
        assert text.count("* Task(") == 100_000
        assert len(text) < 100_000 * 600
        future.set_result(None)
        await tasks[-1]

    asyncio.run(main())


def test_chain_of_shields_between_two_tasks():
    async def main():
        task = start(asyncio.sleep(1000))
        outer = [asyncio.shield(task)]
        for _ in range(9_999):
            outer.append(asyncio.shield(outer[-1]))
        waiter = start(directly(outer[-1]), "waiter")
        await parked(task, waiter)
        assert shape(capture_call_graph(task))[2] == [("waiter", ["directly"], [])]
        await end(waiter, task)
        while not all(future.done() for future in outer):
            await asyncio.sleep(0)

    asyncio.run(main())


def test_layers_of_two():
    # Each task of a layer waits for both of the layer before: 2**64 ways from the first to the last.
    async def main():
        future = asyncio.get_running_loop().create_future()
        tasks, layer = [], [future]
        for _ in range(64):
            layer = [start(wait_for(*layer)), start(wait_for(*layer))]
            tasks += layer
        await parked(*tasks)
        assert len(entries(capture_call_graph(future))) == 129
        titles = [line.strip() for line in format_call_graph(future, limit=0).splitlines() if "* " in line]
        # Of each layer but the last both tasks lead to both of the next, one of them a second time.
        shared = [title for title in titles if title.endswith("(see above)")]
        assert len(shared) == 63 * 2
        assert len(titles) == 129 + 63 * 2
        assert not any(title.endswith("(cycle)") for title in titles)
        future.set_result(None)
        await asyncio.wait(tasks)

    asyncio.run(main())


def test_shared_future_is_written_once():
    async def main():
        future = asyncio.get_running_loop().create_future()
        parent = await small_graph(future)
        assert plain(format_call_graph(future, limit=1)).splitlines() == [
            "* Future(id)",
            "  + Awaited by:",
            "    * Task(name='one', id)",
            "      + Call stack:",
            "      |   File, in async directly()",
            "      + Awaited by:",
            "        * Task(name='parent', id)",
            "          + Call stack:",
            "          |   File, in async small_graph.<locals>.parent()",
            "    * Task(name='two', id)",
            "      + Call stack:",
            "      |   File, in async wait_for()",
            "      + Awaited by:",
            "        * Task(name='parent', id) (see above)",
        ]
        await end(parent)

    asyncio.run(main())


def test_text_of_deep_levels_names_the_level():
    futures, loop = linked(103)
    assert graph_module._MAX_INDENTED_LEVEL == 100
    assert format_call_graph(futures[0]).splitlines()[-5:] == [
        f"{400 * ' '}* Future(id={id(futures[100]):#x})",
        f"{400 * ' '}  + Awaited by:",
        f"[101] * Future(id={id(futures[101]):#x})",
        "[101]   + Awaited by:",
        f"[102] * Future(id={id(futures[102]):#x})",
    ]
    loop.close()


# ---- frames that asyncio's own functions leave out


async def source(future):
    await directly(future)
    yield 1


async def after_first(future):
    try:
        yield 1
    finally:
        await directly(future)


async def outer_source(future):
    async for item in source(future):
        yield item


@types.coroutine
def generator(future):
    yield from directly(future).__await__()


class ByGenerator:
    def __init__(self, future):
        self.future = future

    def __await__(self):
        return (yield from directly(self.future).__await__())


class ByWrapper(ByGenerator):
    def __await__(self):
        return directly(self.future).__await__()


async def use_for(future):
    async for _ in source(future):
        pass


async def use_nested(future):
    async for _ in outer_source(future):
        pass


async def use_aclosing(future):
    async with contextlib.aclosing(source(future)) as running:
        async for _ in running:
            pass


async def use_anext(future):
    await anext(source(future), None)


async def use_asend(future):
    await source(future).asend(None)


async def use_athrow(future):
    running = after_first(future)
    await anext(running)
    await running.athrow(ValueError)


async def use_aclose(future):
    running = after_first(future)
    await anext(running)
    await running.aclose()


async def use_await(future):
    await ByGenerator(future)


async def use_wrapper(future):
    await ByWrapper(future)


async def use_generator(future):
    await generator(future)


FRAMES = {
    use_for: ["async generator source"],
    use_nested: ["async generator source", "async generator outer_source"],
    use_aclosing: ["async generator source"],
    use_anext: ["async generator source"],
    use_asend: ["async generator source"],
    use_athrow: ["async generator after_first"],
    use_aclose: ["async generator after_first"],
    use_await: ["generator ByGenerator.__await__"],
    use_wrapper: [],
    use_generator: ["generator generator"],
}


@pytest.mark.parametrize("function", FRAMES, ids=lambda function: function.__name__)
def test_frames_below_generators_are_shown(function):
    async def main():
        future = asyncio.get_running_loop().create_future()
        task = start(function(future))
        await parked(task)
        expected = ["async directly", *FRAMES[function], f"async {function.__name__}"]
        assert re.findall(r", in (.*)\(\)", format_call_graph(task)) == expected
        (waiter,) = capture_call_graph(future).awaited_by
        assert waiter.future is task
        assert functions(waiter) == [name.split()[-1].split(".")[-1] for name in expected]
        future.cancel()
        await asyncio.wait([task])

    asyncio.run(main())


def test_python_futures_show_no_frame_of_their_own():
    async def main():
        future = asyncio.futures._PyFuture(loop=asyncio.get_running_loop())
        task = start(directly(future), "task")
        await parked(task)
        assert shape(capture_call_graph(future)) == ("future", [], [("task", ["directly"], [])])
        await end(task)

    asyncio.run(main())


def test_frames_of_running_async_generators():
    async def main():
        async def source():
            yield functions(capture_call_graph())

        assert await anext(source()) == ["source", "main"]

    asyncio.run(main())


# ---- nothing of the application is run or kept


def test_equality_of_futures_is_not_asked():
    class Equal(asyncio.Future):
        __hash__ = None

        def __eq__(self, other):
            raise AssertionError

        def __repr__(self):
            raise AssertionError

    loop = asyncio.new_event_loop()
    one, two = Equal(loop=loop), Equal(loop=loop)

    async def main():
        tasks = [asyncio.ensure_future(directly(future)) for future in (one, two)]
        await parked(*tasks)
        for future, task in zip((one, two), tasks, strict=True):
            assert [entry.future for entry in capture_call_graph(future).awaited_by] == [task]
            assert "* Future(" in format_call_graph(future)
        for future in (one, two):
            future.set_result(None)
        await asyncio.gather(*tasks)

    loop.run_until_complete(main())
    loop.close()


def test_nothing_is_kept_after_the_graph_is_gone():
    async def main():
        future = asyncio.get_running_loop().create_future()
        parent = await small_graph(future)
        coroutine = parent.get_coro()
        before = [sys.getrefcount(item) for item in (future, parent, coroutine)]
        format_call_graph(future)
        capture_call_graph(future)
        gc.collect()
        assert [sys.getrefcount(item) for item in (future, parent, coroutine)] == before
        watched = [weakref.ref(item) for item in (parent, coroutine)]
        await end(parent)
        await asyncio.sleep(0)  # the handle of the step before holds what it has woken us with
        del parent, coroutine
        gc.collect()
        assert [item() for item in watched] == [None, None]

    asyncio.run(main())
