"""Open blocks are counted exactly, and their managers told from look-alikes on the stack."""

import asyncio
import contextlib

import pytest

from agraph._internal import withs
from agraph._internal.withs import blocks_at, open_managers


class Suspend:
    def __await__(self):
        yield


class Manager:
    """A manager whose entry and exit suspend on demand."""

    def __init__(self, name, *, slow_enter=False, slow_exit=False):
        self.name, self.slow_enter, self.slow_exit = name, slow_enter, slow_exit

    async def __aenter__(self):
        if self.slow_enter:
            await Suspend()

    async def __aexit__(self, *_):
        if self.slow_exit:
            await Suspend()

    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass


def open_in(coroutine, steps=1):
    """The names of the managers of open blocks where the coroutine is suspended after so many steps."""
    try:
        for _ in range(steps):
            coroutine.send(None)
        frame = coroutine.cr_frame
        found = open_managers(coroutine, blocks_at(frame.f_code, frame.f_lasti))
        return None if found is None else [getattr(manager, "name", manager) for manager in found]
    finally:
        coroutine.close()


def test_the_self_test_passes_on_this_interpreter():
    assert withs.works()


def test_a_failing_self_test_is_an_answer(monkeypatch):
    monkeypatch.setattr(withs, "_self_test", lambda: 1 / 0)
    assert not withs.works()


async def plain():
    await Suspend()


async def one():
    async with Manager("a"):
        await Suspend()


async def nested_with_loops_and_handlers():
    async with Manager("a"):
        try:
            with Manager("b"), contextlib.suppress(ValueError):
                for _ in [1]:
                    try:
                        await Suspend()
                    finally:
                        pass
        except KeyError:
            pass


async def in_handler():
    async with Manager("a"):
        try:
            {}["missing"]
        except KeyError:
            await Suspend()


async def after():
    async with Manager("a"):
        pass
    await Suspend()


async def entering():
    async with Manager("a"), Manager("b", slow_enter=True):
        pass


async def entered():
    async with Manager("a"), Manager("b", slow_enter=True):
        await Suspend()


async def leaving():
    async with Manager("a"), Manager("b", slow_exit=True):
        pass


async def leaving_with_an_exception():
    with contextlib.suppress(KeyError):
        async with Manager("a"), Manager("b", slow_exit=True):
            {}["missing"]


async def bound_exit_in_a_local():
    lock = asyncio.Lock()
    leave = lock.__aexit__
    await Suspend()
    del leave


async def function_and_lock_in_locals():
    leave, lock = asyncio.Lock.__aexit__, asyncio.Lock()
    await Suspend()
    del leave, lock


async def look_alike_local_and_a_real_block():
    leave = Manager("local").__aexit__
    async with Manager("a"):
        await Suspend()
    del leave


async def awaited_in_arguments():
    async with Manager("a"):
        assert [1, await Suspend()]


async def comprehension():
    async with Manager("a"):
        return [await Suspend() for _ in range(2)]


@pytest.mark.parametrize(
    ("function", "steps", "expected"),
    [
        (plain, 1, []),
        (one, 1, ["a"]),
        (in_handler, 1, ["a"]),
        (after, 1, []),
        (entering, 1, ["a"]),
        (entered, 2, ["a", "b"]),
        (leaving, 1, ["a"]),
        (bound_exit_in_a_local, 1, []),
        (function_and_lock_in_locals, 1, []),
        (look_alike_local_and_a_real_block, 1, ["a"]),
        (awaited_in_arguments, 1, ["a"]),
        (comprehension, 1, ["a"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_open_blocks(function, steps, expected):
    assert open_in(function(), steps) == expected


def test_managers_of_all_kinds_in_their_order():
    names = open_in(nested_with_loops_and_handlers())
    assert names[:2] == ["a", "b"]
    assert type(names[2]) is contextlib.suppress


def test_a_manager_that_handles_an_exception_is_not_open():
    names = open_in(leaving_with_an_exception())
    assert type(names[0]) is contextlib.suppress
    assert names[1:] == ["a"]


def test_a_manager_under_another_name_is_not_guessed():
    class Renamed:
        def enter(self):
            pass

        def leave(self, *_):
            pass

        __enter__, __exit__ = enter, leave

    async def sample():
        with Renamed():
            await Suspend()

    assert open_in(sample()) is None


def test_a_long_function_needs_wide_numbers_in_its_table():
    source = "async def sample(a, Suspend):\n" + "    x = 1\n" * 3000
    source += "    async with a:\n" + "        x = 2\n" * 3000 + "        await Suspend()\n"
    namespace = {}
    exec(source, namespace)
    assert open_in(namespace["sample"](Manager("a"), Suspend)) == ["a"]


def test_async_generators():
    async def generator():
        async with Manager("a"):
            yield 1

    source = generator()
    with contextlib.suppress(StopIteration):
        source.asend(None).send(None)
    frame = source.ag_frame
    (manager,) = open_managers(source, blocks_at(frame.f_code, frame.f_lasti))
    assert manager.name == "a"
    with contextlib.suppress(StopIteration):
        source.aclose().send(None)
