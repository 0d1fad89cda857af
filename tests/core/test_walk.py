"""Chains of coroutines: every way that Python lets one object await another."""

import asyncio
import contextlib
import gc
import itertools
import sys
import types
import warnings
import weakref

import pytest

from agraph._internal import walk as walk_module
from agraph._internal.walk import chain, future_of, walk


def names(awaitable):
    return [link.frame.f_code.co_name for link in chain(awaitable)]


def suspend(coroutine):
    """Run a coroutine up to its first wait."""
    coroutine.send(None)
    return coroutine


def finish(coroutine):
    """Run it to its end: up to 3.12 `close` fails inside of an asend ("already running")."""
    with contextlib.suppress(StopIteration, StopAsyncIteration, ValueError):
        while True:
            coroutine.send(None)


class Pause:
    """The simplest thing to wait for: its iterator yields once."""

    def __await__(self):
        return iter([None])


async def leaf():
    await Pause()


async def numbers():
    await leaf()
    yield 1


async def after_first():
    try:
        yield 1
    finally:
        await leaf()


async def use_for():
    async for _ in numbers():
        pass


async def use_comprehension():
    return [number async for number in numbers()]


async def use_expression():
    async for _ in (number async for number in numbers()):
        pass


async def use_nested():
    async def outer():
        async for number in numbers():
            yield number

    async for _ in outer():
        pass


async def use_asend():
    await numbers().asend(None)


async def use_asend_of_a_generator():
    # The value sent is an async generator too; the chain must follow the one that runs.
    source = after_first()
    await source.asend(None)
    await source.asend(numbers())


async def use_athrow():
    source = after_first()
    await anext(source)
    await source.athrow(ValueError)


async def use_aclose():
    source = after_first()
    await anext(source)
    await source.aclose()


async def use_anext():
    await anext(numbers())


async def use_anext_default():
    await anext(numbers(), 5)


async def use_anext_default_generator():
    await anext(numbers(), after_first())


async def use_aclosing():
    async with contextlib.aclosing(numbers()) as source:
        async for _ in source:
            pass


async def use_python_await():
    class Awaitable:
        def __await__(self):
            return (yield from leaf().__await__())

    await Awaitable()


async def use_wrapper_await():
    class Awaitable:
        def __await__(self):
            return leaf().__await__()

    await Awaitable()


async def use_generator_coroutine():
    @types.coroutine
    def generator():
        yield from leaf().__await__()

    await generator()


async def use_generator_like():
    class Foreign:  # what makes `types.coroutine` wrap its result (Lib/types.py)
        def __init__(self):
            self.inner = leaf().__await__()

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.inner)

        def send(self, value):
            return self.inner.send(value)

        def throw(self, *error):
            return self.inner.throw(*error)

        def close(self):
            self.inner.close()

    @types.coroutine
    def generator():
        return Foreign()

    await generator()


async def use_python_anext():
    class Source:
        def __aiter__(self):
            return self

        async def __anext__(self):
            await leaf()
            raise StopAsyncIteration

    async for _ in Source():
        pass


async def use_aenter():
    class Manager:
        async def __aenter__(self):
            await leaf()

        async def __aexit__(self, *error):
            pass

    async with Manager():
        pass


async def use_async_context_manager():
    @contextlib.asynccontextmanager
    async def manager():
        await leaf()
        yield

    async with manager():
        pass


CASES = {
    leaf: [],
    use_for: ["numbers", "leaf"],
    use_comprehension: ["numbers", "leaf"],
    use_expression: ["<genexpr>", "numbers", "leaf"],
    use_nested: ["outer", "numbers", "leaf"],
    use_asend: ["numbers", "leaf"],
    use_asend_of_a_generator: ["after_first", "leaf"],
    use_athrow: ["after_first", "leaf"],
    use_aclose: ["after_first", "leaf"],
    use_anext: ["numbers", "leaf"],
    use_anext_default: ["numbers", "leaf"],
    use_anext_default_generator: ["numbers", "leaf"],
    use_aclosing: ["numbers", "leaf"],
    use_python_await: ["__await__", "leaf"],
    use_wrapper_await: ["leaf"],
    use_generator_coroutine: ["generator", "leaf"],
    use_python_anext: ["__anext__", "leaf"],
    use_aenter: ["__aenter__", "leaf"],
    use_async_context_manager: ["__aenter__", "manager", "leaf"],
}


@pytest.mark.parametrize("function", CASES, ids=lambda function: function.__name__)
def test_chain_goes_to_the_innermost_coroutine(function):
    coroutine = suspend(function())
    links, tail = walk(coroutine)
    found = [link.frame.f_code.co_name for link in links]
    # Since 3.12 a comprehension runs in the frame of its function (PEP 709).
    assert [name for name in found if name != "<listcomp>"] == [function.__name__, *CASES[function]]
    assert type(tail).__name__ == "list_iterator"
    assert links[0].owner is coroutine
    finish(coroutine)


def test_generator_wrapper_of_types_is_looked_through():
    coroutine = suspend(use_generator_like())
    links, tail = walk(coroutine)
    # The foreign object is Python code of the application: it is the tail, and nothing of it is called.
    assert [link.frame.f_code.co_name for link in links] == ["use_generator_like"]
    assert type(tail).__name__ == "Foreign"
    coroutine.close()


@pytest.mark.parametrize("kind", ["_CFuture", "_PyFuture"])
def test_tail_leads_to_the_future(kind):
    async def wait(future):
        await future

    loop = asyncio.new_event_loop()
    future = getattr(asyncio.futures, kind)(loop=loop)
    coroutine = suspend(wait(future))
    links, tail = walk(coroutine)
    assert [link.owner for link in links] == [coroutine]
    assert future_of(tail) is future
    coroutine.close()
    assert future_of(tail) is None
    loop.close()


def test_tail_of_anything_else_has_no_future():
    assert [future_of(tail) for tail in (None, 1, iter([]), Pause(), (n for n in [1]))] == [None] * 5


def test_created_and_finished_coroutines():
    coroutine = leaf()
    assert names(coroutine) == ["leaf"]
    assert walk(coroutine)[1] is None
    coroutine.close()
    assert chain(coroutine) == [(coroutine, None)]


def test_running_coroutine_ends_with_itself():
    async def inner():
        seen.append(walk(coroutine))
        await Pause()

    async def outer():
        await inner()

    seen = []
    coroutine = outer()
    suspend(coroutine)
    ((links, tail),) = seen
    assert [link.owner for link in links] == [coroutine]
    assert tail is None
    assert names(coroutine) == ["outer", "inner"]
    finish(coroutine)


def test_objects_that_cannot_be_awaited():
    assert walk(None) == ([], None)
    assert walk(7) == ([], 7)


class Slots:
    """A coroutine as C code would make it: frame and awaited object are slots of the type."""

    __slots__ = ("cr_await", "cr_frame")

    def __init__(self, awaited=None):
        self.cr_frame = sys._getframe()
        self.cr_await = awaited


def test_coroutine_types_of_c_code_are_followed():
    inner = leaf()
    outer = Slots(inner)
    links, tail = walk(outer)
    assert [link.owner for link in links] == [outer, inner]
    assert links[0].frame is outer.cr_frame
    assert tail is None
    inner.close()


def test_unset_slots_and_slots_without_a_frame():
    empty = Slots()
    del empty.cr_frame, empty.cr_await
    assert chain(empty) == [(empty, None)]
    strange = Slots()
    strange.cr_frame = "no frame"
    assert chain(strange) == [(strange, None)]


@pytest.mark.parametrize(("before", "length"), [(0, 1), (0, 2), (5, 3), (70, 1), (70, 200), (1000, 63)])
def test_cycle_ends_and_each_member_is_there_once(before, length):
    members = [Slots() for _ in range(before + length)]
    for member, following in itertools.pairwise(members):
        member.cr_await = following
    members[-1].cr_await = members[before]
    links, tail = walk(members[0])
    assert [link.owner for link in links] == members
    assert tail is None


def test_long_chain_needs_no_recursion():
    head = None
    for _ in range(100_000):
        head = Slots(head)
    assert len(chain(head)) == 100_000
    while head is not None:  # taken apart from the outside, as the interpreter would recurse
        head = head.cr_await


def test_no_code_of_the_application_runs():
    ran = []

    class Meta(type):
        @property
        def __mro__(cls):
            ran.append("mro")
            return ()

        def __getattribute__(cls, name):
            ran.append(name)
            return super().__getattribute__(name)

    class Hostile(metaclass=Meta):
        @property
        def cr_frame(self):
            ran.append("cr_frame")

        cr_await = gi_frame = ag_frame = gi_yieldfrom = ag_await = cr_frame
        __class__ = cr_frame

        def __getattribute__(self, name):
            ran.append(name)
            raise AttributeError(name)

        def __eq__(self, other):
            ran.append("eq")
            return True

        __hash__ = None

    hostile = Hostile()
    ran.clear()
    links, tail = walk(hostile)
    assert future_of(hostile) is None
    assert links == []
    assert tail is hostile
    frameless = Slots()
    frameless.cr_frame = hostile
    assert chain(frameless)[0].frame is None
    assert ran == []


def test_import_in_a_running_loop_leaves_nothing_behind():
    async def main():
        hooks = sys.get_asyncgen_hooks()
        assert hooks.firstiter is not None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = walk_module._helper_types()
            gc.collect()
        assert sys.get_asyncgen_hooks() == hooks
        return found

    firsts = []
    hooks = sys.get_asyncgen_hooks()
    types_found = asyncio.run(main())
    assert [kind.__name__ for kind in types_found] == [
        "async_generator_asend",
        "async_generator_athrow",
        "anext_awaitable",
        "coroutine_wrapper",
    ]
    assert sys.get_asyncgen_hooks() == hooks
    sys.set_asyncgen_hooks(firstiter=firsts.append)
    try:
        walk_module._helper_types()
    finally:
        sys.set_asyncgen_hooks(*hooks)
    assert firsts == []


def test_nothing_is_kept_alive_and_no_reference_count_changes():
    coroutine = suspend(use_nested())
    watched = weakref.ref(coroutine)
    before = sys.getrefcount(coroutine), [sys.getrefcount(link.owner) for link in chain(coroutine)]
    links, tail = walk(coroutine)
    del links, tail
    assert (sys.getrefcount(coroutine), [sys.getrefcount(link.owner) for link in chain(coroutine)]) == before
    finish(coroutine)
    del coroutine
    gc.collect()
    assert watched() is None


def test_cython_coroutines_of_uvloop():
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    import socket

    async def main():
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            task = asyncio.ensure_future(receive(near))
            while task._fut_waiter is None:
                await asyncio.sleep(0)
            links, tail = walk(task.get_coro())
            assert [link.frame.f_code.co_name for link in links] == ["receive", "sock_recv"]
            assert future_of(tail) is task._fut_waiter
            far.send(b"x")
            assert await task == b"x"

    async def receive(near):
        return await asyncio.get_running_loop().sock_recv(near, 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
