"""The call graph functions: asyncio's results and text, and shapes that asyncio's own cannot capture."""

import asyncio
import contextlib
import gc
import io
import itertools
import re
import sys
import types
import weakref
from pathlib import Path

import pytest

from agraph._internal import graph as graph_module
from agraph._internal.awaited_by import future_add_to_awaited_by, future_discard_from_awaited_by
from agraph._internal.futures import is_suspended
from agraph._internal.graph import (
    FrameCallGraphEntry,
    FutureCallGraph,
    capture_call_graph,
    format_call_graph,
    print_call_graph,
)

LIBRARY = str(Path(asyncio.__file__).parent)
native = pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio has no call graph below Python 3.14")


def start(coroutine, name=None):
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def parked(*tasks):
    while not all(map(is_suspended, tasks)):
        assert not any(task.done() for task in tasks)
        await asyncio.sleep(0)


async def end(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def wait_for(*futures):
    await asyncio.wait(futures)


async def leaf(future):
    await future


def functions(entry):
    """The functions of the frames of an entry, innermost first; those of asyncio differ between versions."""
    codes = [item.frame.f_code for item in entry.call_stack]
    return [code.co_name for code in codes if not code.co_filename.startswith(LIBRARY)]


def shape(entry):
    """A small graph as (name, functions, waiters)."""
    name = entry.future.get_name() if isinstance(entry.future, asyncio.Task) else "future"
    return name, functions(entry), sorted(map(shape, entry.awaited_by))


def values(entry):
    """A small graph of asyncio or agraph as (type, future, frames, waiters), to compare everything."""
    waiters = sorted(map(values, entry.awaited_by), key=lambda value: id(value[1]))
    return type(entry), entry.future, entry.call_stack, waiters


def entries(graph):
    """Each entry of a graph once, however often it is shared."""
    found, ahead = {}, [graph]
    while ahead:
        entry = ahead.pop()
        if id(entry) not in found:
            found[id(entry)] = entry
            ahead.extend(entry.awaited_by)
    return list(found.values())


def plain(text):
    """Text without addresses and paths."""
    return re.sub(r"File '.*?', line \d+", "File", re.sub(r"id=0x[0-9a-f]+", "id", text))


def linked(length):
    """Futures, each declared to wait for the one before, and the loop to close."""
    loop = asyncio.new_event_loop()
    futures = [loop.create_future() for _ in range(length)]
    for awaited, waiter in itertools.pairwise(futures):
        future_add_to_awaited_by(awaited, waiter)
    return futures, loop


# ---- asyncio's results


async def small_graph(future):
    """A future that two tasks of a group wait for; returns the parent's task."""

    async def parent():
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf(future), name="one")
            group.create_task(wait_for(future), name="two")

    task = start(parent(), "parent")
    await parked(task)
    while len(capture_call_graph(future).awaited_by) < 2:
        await asyncio.sleep(0)
    return task


def test_graph_of_a_future():
    async def main():
        future = asyncio.get_running_loop().create_future()
        parent = await small_graph(future)
        graph = capture_call_graph(future)
        up = ("parent", ["parent"], [])
        waiters = [("one", ["leaf"], [up]), ("two", ["wait_for"], [up])]
        assert shape(graph) == ("future", [], waiters)
        assert isinstance(graph, FutureCallGraph)
        assert isinstance(graph.awaited_by[0].call_stack[0], FrameCallGraphEntry)
        one, two = graph.awaited_by
        assert one.awaited_by[0] is two.awaited_by[0]
        await end(parent)

    asyncio.run(main())


@native
@pytest.mark.parametrize("limit", [None, 0, 1, 2, -1, -2, 100, -100])
def test_equal_to_asyncio(limit):
    async def main():
        future = asyncio.get_running_loop().create_future()
        parent = await small_graph(future)
        for target in (future, parent, None):
            ours = capture_call_graph(target, limit=limit)
            theirs = asyncio.capture_call_graph(target, limit=limit)
            if target is None:  # frames of a running task: each call is at its own line
                assert shape(ours) == shape(theirs)
            else:
                assert values(ours) == values(theirs)
        await end(parent)

    asyncio.run(main())


@native
@pytest.mark.parametrize("limit", [None, 0, 1, -2])
def test_text_equal_to_asyncio(limit):
    async def main():
        future = asyncio.get_running_loop().create_future()

        async def outer():
            await leaf(future)

        inner = start(outer(), "inner")
        task = start(wait_for(inner), "O'Neill")
        await parked(inner, task)
        for target in (future, inner, task):
            assert format_call_graph(target, limit=limit) == asyncio.format_call_graph(target, limit=limit)
        ours, theirs = io.StringIO(), io.StringIO()
        (
            print_call_graph(inner, file=ours, limit=limit),
            asyncio.print_call_graph(inner, file=theirs, limit=limit),
        )
        assert ours.getvalue() == theirs.getvalue()
        # Of the current task the depth counts; asyncio's first frame is that of its print function.
        for depth in (1, 2, 3):
            ours, theirs = io.StringIO(), io.StringIO()
            print_call_graph(file=ours, depth=depth), asyncio.print_call_graph(file=theirs, depth=depth)
            assert plain(ours.getvalue()) == plain(theirs.getvalue())
        assert format_call_graph(depth=2) == asyncio.format_call_graph(depth=2)
        await end(task, inner)

    asyncio.run(main())


@native
def test_classes_are_those_of_asyncio():
    assert FutureCallGraph is asyncio.FutureCallGraph
    assert FrameCallGraphEntry is asyncio.FrameCallGraphEntry


def test_entries_are_frozen_values():
    frame = sys._getframe()
    one, same = FrameCallGraphEntry(frame), FrameCallGraphEntry(frame)
    assert one == same
    assert hash(one) == hash(same)
    assert FutureCallGraph("f", (one,), ()) == FutureCallGraph(future="f", call_stack=(same,), awaited_by=())
    assert repr(FutureCallGraph("f", (), ())) == "FutureCallGraph(future='f', call_stack=(), awaited_by=())"
    with pytest.raises(AttributeError):
        one.frame = None
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize(
    ("limit", "of_suspended", "of_current"),
    [
        (None, ["leaf", "middle", "outer"], ["show", "inner", "main"]),
        (0, [], []),
        (1, ["outer"], ["main"]),
        (2, ["middle", "outer"], ["inner", "main"]),
        (-1, ["leaf"], ["show"]),
        (-2, ["leaf", "middle"], ["show", "inner"]),
        (9, ["leaf", "middle", "outer"], ["show", "inner", "main"]),
    ],
)
def test_limit(limit, of_suspended, of_current):
    # As in asyncio: a positive limit keeps the outermost frames, a negative one the innermost.
    async def main():
        async def middle():
            await leaf(future)

        async def outer():
            await middle()

        async def inner():
            return show()

        def show():
            return functions(capture_call_graph(limit=limit))

        future = asyncio.get_running_loop().create_future()
        task = start(outer())
        await parked(task)
        assert functions(capture_call_graph(task, limit=limit)) == of_suspended
        assert await inner() == of_current
        await end(task)

    asyncio.run(main())


def test_depth():
    async def main():
        def show(depth):
            return functions(capture_call_graph(depth=depth))

        assert show(0) == ["capture_call_graph", "show", "main"]
        assert show(1) == ["show", "main"]
        assert show(2) == ["main"]
        with pytest.raises(ValueError, match="call stack is not deep enough"):
            show(1_000_000)
        task = asyncio.current_task()
        assert functions(capture_call_graph(task)) == ["main"]

    asyncio.run(main())


def test_generator_keeps_the_frames_of_its_callers():
    # CPython gh-156988.
    async def main():
        def generator():
            yield functions(capture_call_graph())
            yield format_call_graph()

        def middle():
            return list(generator())

        stack, text = middle()
        assert stack == ["generator", "middle", "main"]
        assert f"in generator {generator.__qualname__}()" in text
        assert f"in {middle.__qualname__}()" in text
        assert f"in async {main.__qualname__}()" in text

    asyncio.run(main())


def test_stack_ends_at_the_coroutine_of_the_task():
    async def main():
        async def driven():
            return functions(capture_call_graph())

        def by_hand():
            try:
                coroutine.send(None)
            except StopIteration as stopped:
                return stopped.value

        coroutine = driven()
        # As asyncio does: a coroutine that a plain function drives is taken for the outermost one.
        assert by_hand() == ["driven"]

    asyncio.run(main())


@native
def test_stack_of_an_eager_task_does_not_go_on_into_its_creator():
    async def main():
        async def child():
            seen.append(capture_call_graph())

        asyncio.Task(child(), loop=asyncio.get_running_loop(), eager_start=True, name="child")
        asyncio.current_task().set_name("main")
        assert shape(seen[0]) == ("child", ["child"], [("main", ["main"], [])])

    seen = []
    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
def test_eager_task_in_its_first_step_is_awaited_by_its_creator():
    # CPython gh-157299: asyncio has no edge here.
    async def main():
        async def child():
            asyncio.current_task().set_name("child")  # `create_task` of 3.12 names it after its first step
            seen.append(shape(capture_call_graph()))

        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        asyncio.current_task().set_name("main")
        await asyncio.gather(child())
        assert seen == [("child", ["child"], [("main", ["main"], [])])]

    seen = []
    asyncio.run(main())


def test_frames_of_finished_tasks():
    async def main():
        async def fail():
            raise ValueError

        done, failed = start(asyncio.sleep(0), "done"), start(fail(), "failed")
        await asyncio.wait([done, failed])
        assert shape(capture_call_graph(done)) == ("done", [], [])
        assert shape(capture_call_graph(failed)) == ("failed", [], [])
        assert plain(format_call_graph(done)) == "* Task(name='done', id)"
        assert type(failed.exception()) is ValueError

    asyncio.run(main())


def test_outside_of_a_loop():
    with pytest.raises(RuntimeError) as ours:
        capture_call_graph()
    assert str(ours.value) == (
        "capture_call_graph() is called outside of a running event loop "
        "and no *future* to introspect was provided"
    )
    (future,), loop = linked(1)
    assert shape(capture_call_graph(future)) == ("future", [], [])
    assert format_call_graph(future) == f"* Future(id={id(future):#x})"
    loop.close()


def test_without_a_current_task():
    def callback():
        seen.append(capture_call_graph())
        seen.append(format_call_graph())
        loop.stop()

    seen = []
    loop = asyncio.new_event_loop()
    loop.call_soon(callback)
    loop.run_forever()
    loop.close()
    assert seen == [None, ""]


@pytest.mark.parametrize("foreign", [1, "future", object(), asyncio.Future])
def test_foreign_arguments(foreign):
    for function in (capture_call_graph, format_call_graph, print_call_graph):
        with pytest.raises(TypeError) as ours:
            function(foreign)
        assert str(ours.value) == f"{foreign!r} object does not appear to be compatible with asyncio.Future"


def test_print_writes_to_standard_output(capsys):
    (future,), loop = linked(1)
    print_call_graph(future)
    assert capsys.readouterr().out == f"* Future(id={id(future):#x})\n"
    loop.close()


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
        tasks = [start(leaf(future))]
        for _ in range(99_999):
            tasks.append(start(leaf(tasks[-1])))
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
        waiter = start(leaf(outer[-1]), "waiter")
        await parked(task, waiter)
        assert shape(capture_call_graph(task))[2] == [("waiter", ["leaf"], [])]
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
            "      |   File, in async leaf()",
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


def test_frames_below_generators_are_shown():
    async def main():
        async def source():
            await leaf(future)
            yield 1

        async def use_for():
            async for _ in source():
                pass

        async def use_anext():
            await anext(source(), None)

        async def use_asend():
            await source().asend(None)

        async def use_athrow():
            running = after_first()
            await anext(running)
            await running.athrow(ValueError)

        async def use_aclose():
            running = after_first()
            await anext(running)
            await running.aclose()

        async def after_first():
            try:
                yield 1
            finally:
                await leaf(future)

        async def use_aclosing():
            async with contextlib.aclosing(source()) as running:
                async for _ in running:
                    pass

        async def use_nested():
            async def outer():
                async for item in source():
                    yield item

            async for _ in outer():
                pass

        class Awaitable:
            def __await__(self):
                return (yield from leaf(future).__await__())

        class Wrapper:
            def __await__(self):
                return leaf(future).__await__()

        async def use_await():
            await Awaitable()

        async def use_wrapper():
            await Wrapper()

        @types.coroutine
        def generator():
            yield from leaf(future).__await__()

        async def use_generator():
            await generator()

        future = asyncio.get_running_loop().create_future()
        cases = {
            use_for: ["leaf", "source"],
            use_anext: ["leaf", "source"],
            use_asend: ["leaf", "source"],
            use_athrow: ["leaf", "after_first"],
            use_aclose: ["leaf", "after_first"],
            use_aclosing: ["leaf", "source"],
            use_nested: ["leaf", "source", "outer"],
            use_await: ["leaf", "__await__"],
            use_wrapper: ["leaf"],
            use_generator: ["leaf", "generator"],
        }
        tasks = {function: start(function()) for function in cases}
        await parked(*tasks.values())
        for function, task in tasks.items():
            assert functions(capture_call_graph(task)) == [*cases[function], function.__name__]
        waiting = {entry.future: functions(entry) for entry in capture_call_graph(future).awaited_by}
        assert waiting == {task: [*cases[function], function.__name__] for function, task in tasks.items()}
        text = format_call_graph(tasks[use_nested])
        assert re.findall(r"in (\S.*\S)\(\)", text.replace(f"{main.__qualname__}.<locals>.", "")) == [
            "async leaf",
            "async generator source",
            "async generator use_nested.<locals>.outer",
            "async use_nested",
        ]
        text = format_call_graph(tasks[use_generator])
        assert f"in generator {main.__qualname__}.<locals>.generator()" in text
        future.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    asyncio.run(main())


def test_python_futures_show_no_frame_of_their_own():
    async def main():
        future = asyncio.futures._PyFuture(loop=asyncio.get_running_loop())
        task = start(leaf(future), "task")
        await parked(task)
        assert shape(capture_call_graph(future)) == ("future", [], [("task", ["leaf"], [])])
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
        tasks = [asyncio.ensure_future(leaf(future)) for future in (one, two)]
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
