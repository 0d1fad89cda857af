"""Captures by another thread, while the task that asks for one waits."""

import asyncio
import time

from live import end, parked, start

import agraph
from agraph._internal.futures import is_suspended


async def capture_elsewhere(**options):
    """A snapshot taken while this task waits for it."""
    task = asyncio.current_task()

    def capture():
        limit = time.monotonic() + 10
        while not is_suspended(task):
            assert time.monotonic() < limit
        return agraph.capture(**options)

    return await asyncio.to_thread(capture)


async def captured_alone(**coroutines):
    """A snapshot of these tasks, by name, in which the task that captures leads to none of what they have."""
    tasks = [start(coroutine, name) for name, coroutine in coroutines.items()]
    del coroutines
    await parked(*tasks)
    snapshot = await capture_elsewhere()
    await end(*tasks)
    return snapshot
