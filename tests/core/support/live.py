"""Live tasks to look at, and call graphs as plain values to compare."""

import asyncio
import itertools
import re
from pathlib import Path

from agraph._internal.awaited_by import future_add_to_awaited_by
from agraph._internal.futures import is_suspended
from agraph._internal.graph import capture_call_graph

LIBRARY = str(Path(asyncio.__file__).parent)


def start(coroutine, name=None):
    return asyncio.get_running_loop().create_task(coroutine, name=name)


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


async def directly(future):
    await future


async def wait_for(*futures):
    await asyncio.wait(futures)


def functions(entry):
    """The functions of the frames of an entry, innermost first; those of asyncio differ between versions."""
    codes = [item.frame.f_code for item in entry.call_stack]
    return [code.co_name for code in codes if not code.co_filename.startswith(LIBRARY)]


def shape(entry):
    """A small graph as (name, functions, waiters)."""
    name = entry.future.get_name() if isinstance(entry.future, asyncio.Task) else "future"
    return name, functions(entry), sorted(map(shape, entry.awaited_by))


def plain(text):
    """Text without addresses and paths."""
    return re.sub(r"File '.*?', line \d+", "File", re.sub(r"id=0x[0-9a-f]+", "id", text))


async def small_graph(future):
    """A future that two tasks of a group wait for; returns the parent's task."""

    async def parent():
        async with asyncio.TaskGroup() as group:
            group.create_task(directly(future), name="one")
            group.create_task(wait_for(future), name="two")

    task = start(parent(), "parent")
    await parked(task)
    while len(capture_call_graph(future).awaited_by) < 2:
        await asyncio.sleep(0)
    return task


def linked(length):
    """Futures, each declared to wait for the one before, and the loop to close."""
    loop = asyncio.new_event_loop()
    futures = [loop.create_future() for _ in range(length)]
    for awaited, waiter in itertools.pairwise(futures):
        future_add_to_awaited_by(awaited, waiter)
    return futures, loop
