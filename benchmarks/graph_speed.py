"""agraph's capture_call_graph beside asyncio's, on the same interpreter and the same tasks.

    python benchmarks/graph_speed.py

Each case is captured by both in turn, five times; the best time of each counts. Below Python 3.14 asyncio has
no such function, and only agraph's times are printed. The last cases are beyond asyncio's: it recurses.
"""

import asyncio
import gc
import platform
import sys
import time

from agraph._internal.graph import capture_call_graph

NATIVE = getattr(asyncio, "capture_call_graph", None)
ROUNDS = 5


async def leaf(awaited):
    await awaited


async def middle(awaited):
    await leaf(awaited)


async def both(one, two):
    await asyncio.wait([one, two])


def best_ms(capture, targets):
    """The best time of several rounds to capture all targets, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        gc.collect()
        start = time.perf_counter()
        for target in targets:
            capture(target)
        times.append((time.perf_counter() - start) * 1000)
    return min(times)


def show(case, targets, *, native=True):
    ours = best_ms(capture_call_graph, targets)
    line = f"{case:<42} agraph {ours:9.2f} ms"
    if NATIVE is not None and native:
        theirs = best_ms(NATIVE, targets)
        line += f"   asyncio {theirs:9.2f} ms   agraph/asyncio {ours / theirs:5.2f}"
    print(line)


async def settle():
    for _ in range(3):
        await asyncio.sleep(0)


async def flat(count):
    """As many tasks, each with two coroutines, that wait for futures nobody else waits for."""
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(count)]
    tasks = [loop.create_task(middle(future)) for future in futures]
    await settle()
    show(f"{count} flat tasks, one call each", tasks)
    show(f"{count} futures with one waiter each", futures)
    for future in futures:
        future.set_result(None)
    await asyncio.wait(tasks)


async def chain(length, *, native=True):
    """A chain of tasks, each waiting for the one before."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    tasks = [loop.create_task(leaf(future))]
    for _ in range(length - 1):
        tasks.append(loop.create_task(leaf(tasks[-1])))
    await settle()
    show(f"a chain of {length}, from its end", [future], native=native)
    if native:
        show(f"a chain of {length}, from each task", tasks)
    future.set_result(None)
    await tasks[-1]


async def layers(count):
    """Layers of two tasks, each waiting for both of the layer before: 2**count ways through."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    pair = [loop.create_task(leaf(future)), loop.create_task(leaf(future))]
    everyone = list(pair)
    for _ in range(count - 1):
        pair = [loop.create_task(both(*pair)), loop.create_task(both(*pair))]
        everyone += pair
    await settle()
    show(f"{count} layers of 2", [future], native=count <= 12)
    future.set_result(None)
    await asyncio.wait(everyone)


async def main():
    print(f"{platform.python_implementation()} {platform.python_version()}, {sys.platform}, best of {ROUNDS}")
    await flat(10_000)
    await chain(200)
    await layers(12)
    await layers(64)
    await chain(10_000, native=False)
    await chain(100_000, native=False)


if __name__ == "__main__":
    asyncio.run(main())
