"""The call graph functions: the results, errors and text of asyncio."""

import asyncio
import io
import sys

import pytest
from live import directly, end, functions, linked, parked, plain, shape, small_graph, start, wait_for

from agraph._internal.graph import (
    FrameCallGraphEntry,
    FutureCallGraph,
    capture_call_graph,
    format_call_graph,
    print_call_graph,
)

native = pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio has no call graph below Python 3.14")


def values(entry):
    """A small graph of asyncio or agraph as (type, future, frames, waiters), to compare everything."""
    waiters = sorted(map(values, entry.awaited_by), key=lambda value: id(value[1]))
    return type(entry), entry.future, entry.call_stack, waiters


def test_graph_of_a_future():
    async def main():
        future = asyncio.get_running_loop().create_future()
        parent = await small_graph(future)
        graph = capture_call_graph(future)
        up = ("parent", ["parent"], [])
        waiters = [("one", ["directly"], [up]), ("two", ["wait_for"], [up])]
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
            await directly(future)

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
        (None, ["directly", "middle", "outer"], ["show", "inner", "main"]),
        (0, [], []),
        (1, ["outer"], ["main"]),
        (2, ["middle", "outer"], ["inner", "main"]),
        (-1, ["directly"], ["show"]),
        (-2, ["directly", "middle"], ["show", "inner"]),
        (9, ["directly", "middle", "outer"], ["show", "inner", "main"]),
    ],
)
def test_limit(limit, of_suspended, of_current):
    # As in asyncio: a positive limit keeps the outermost frames, a negative one the innermost.
    async def main():
        async def middle():
            await directly(future)

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
