"""Captures by another thread, while the task that asks for one waits, and what they say of open resources."""

import asyncio
import time

from live import end, parked, start
from snapshots import task as task_of

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


def candidates(snapshot, name):
    """What could free that which a task waits for: names of tasks, kinds of anything else."""
    nodes = {node.id: node for node in snapshot.nodes}
    (resource,) = [e.awaited for e in snapshot.edges if e.waiter == task_of(snapshot, name).id]
    assert nodes[resource].open
    edges = [e for e in snapshot.edges if e.waiter == resource]
    assert {e.confidence for e in edges} <= {"probable"}
    assert {e.kind for e in edges} <= {"bridge" if nodes[resource].kind == "future" else "any_of"}
    found = [nodes[e.awaited] for e in edges]
    return sorted(node.name if node.kind == "task" else node.kind for node in found)
