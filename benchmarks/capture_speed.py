"""How long a whole snapshot takes, side by side with `asyncio.capture_call_graph` of each task.

    python benchmarks/capture_speed.py [--tasks 100000] [--rounds 3] [--million]

Prints a line for each shape: a snapshot with holders by `agraph.capture()`, what asyncio needs for the stacks
alone (Python 3.14+), the ratio of the two, and for the flat shape the peak memory and the size of the file.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
import tracemalloc

import agraph


async def leaf(event):
    await event.wait()


async def middle(event):
    await leaf(event)


async def flat(count):
    """As many tasks in one group, each two coroutines deep, all waiting for one event."""
    event = asyncio.Event()
    return [asyncio.create_task(middle(event)) for _ in range(count)], event


async def link(awaited):
    await awaited


async def chains(count, length=200):
    """Chains of tasks, each waiting for the next."""
    event = asyncio.Event()
    tasks = []
    for _ in range(count // length):
        awaited = asyncio.create_task(leaf(event))
        tasks.append(awaited)
        for _ in range(length - 1):
            awaited = asyncio.create_task(link(awaited))
            tasks.append(awaited)
    return tasks, event


async def locked(lock):
    async with lock:
        pass


async def locks(count):
    """Half of the tasks hold a lock each and wait for an event; the other half wait for those locks."""
    event = asyncio.Event()
    tasks = []

    async def holds(lock):
        async with lock:
            await event.wait()

    for _ in range(count // 2):
        lock = asyncio.Lock()
        tasks += [asyncio.create_task(holds(lock)), asyncio.create_task(locked(lock))]
    return tasks, event


def best(rounds, function):
    times = []
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
        del result
    return min(times)


def native(tasks):
    for task in tasks:
        asyncio.capture_call_graph(task)


async def settled(tasks):
    while any(task._fut_waiter is None for task in tasks):
        await asyncio.sleep(0)


async def measure(name, shape, count, rounds, *, memory=False):
    tasks, event = await shape(count)
    await settled(tasks)
    ours = best(rounds, agraph.capture)
    each = ours / len(tasks) * 1e6
    line = f"{name:8} {len(tasks):9,} tasks   agraph {ours * 1e3:9.1f} ms = {each:5.2f} us a task"
    if sys.version_info >= (3, 14) and count <= 100_000:
        theirs = best(rounds, lambda: native(tasks))
        line += f"   asyncio, stacks alone {theirs * 1e3:9.1f} ms   ratio {ours / theirs:6.3f}"
    if memory:
        line += await report_memory(len(tasks))
    print(line, flush=True)
    event.set()
    await asyncio.gather(*tasks)


async def report_memory(count):
    gc.collect()
    tracemalloc.start()
    snapshot = agraph.capture()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = len(json.dumps(snapshot.to_dict(), separators=(",", ":")))
    return f"   peak {peak / count:6.0f} B a task   file {size / 1e6:6.2f} MB"


async def main(arguments):
    print(f"Python {sys.version.split()[0]}, best of {arguments.rounds}")
    await measure("flat", flat, 10_000, arguments.rounds)
    await measure("flat", flat, arguments.tasks, arguments.rounds, memory=True)
    await measure("chains", chains, 1_000, arguments.rounds)
    await measure("locks", locks, arguments.tasks, arguments.rounds)
    if arguments.million:
        await measure("flat", flat, 1_000_000, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--million", action="store_true")
    asyncio.run(main(parser.parse_args()))
