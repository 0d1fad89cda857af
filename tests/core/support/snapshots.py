"""Snapshots as plain values to compare."""

import asyncio
import contextlib
import threading

from live import end, forever, parked, start

import agraph


def graph(snapshot):
    """Wait edges as (waiter, kind, awaited), by names that stay the same from run to run."""
    label = {node.id: node.name if node.kind == "task" else node.kind for node in snapshot.nodes}
    return {(label[e.waiter], e.kind, label[e.awaited]) for e in snapshot.edges if e.kind != "structural"}


def task(snapshot, name):
    (found,) = [node for node in snapshot.tasks if node.name == name]
    return found


def node(snapshot, kind):
    (found,) = [node for node in snapshot.nodes if node.kind == kind]
    return found


def waits_of(snapshot, name):
    """(need, kinds of its wait edges, kinds and names of what it waits for) of a task."""
    nodes = {n.id: n for n in snapshot.nodes}
    waiter = task(snapshot, name)
    edges = [e for e in snapshot.edges if e.waiter == waiter.id and e.kind != "structural"]
    kinds = {e.kind for e in edges}
    targets = sorted(nodes[e.awaited].name or nodes[e.awaited].kind for e in edges)
    return waiter.need, kinds, targets


async def captured(*coroutines):
    """A snapshot of these, each in a task named after its function, once all of them wait."""
    tasks = [start(coroutine, coroutine.__name__) for coroutine in coroutines]
    await parked(*tasks)
    snapshot = agraph.capture()
    await end(*tasks)
    return snapshot


def run(main):
    """Run a test in a loop, and hold every snapshot to the format."""
    return asyncio.run(main)


def in_thread(main):
    """Start a loop in a thread; returns when `main` has called its argument."""
    ready = threading.Event()
    result = []
    thread = threading.Thread(
        target=lambda: result.append(asyncio.run(main(ready.set))), name="other", daemon=True
    )
    thread.start()
    assert ready.wait(10)
    return thread


@contextlib.asynccontextmanager
async def locked_by_generator(lock):
    async with lock:
        yield


async def through_context_manager(lock):
    async with locked_by_generator(lock):
        await forever()


async def takes(lock):
    """Take a lock and give it back."""
    async with lock:
        pass


async def wants(lock):
    """Wait for a lock by a bare `acquire`."""
    await lock.acquire()


async def taken(*locks):
    """Take locks and keep them."""
    for lock in locks:
        await lock.acquire()


def name_of_one(main, kind="lock"):
    """What the one resource of a kind is called in the snapshot that `main` takes."""
    return node(run(main()), kind).name


def names_of(snapshot, kind):
    return sorted(found.name for found in snapshot.nodes if found.kind == kind)
