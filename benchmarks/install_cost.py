"""What the triggers cost while all is well: turns of a busy loop, with and without them.

    python benchmarks/install_cost.py [--starts N] [--rounds N] [--waiting N ...]

Each way has a process of its own. They take turns, a third of a second each, in an order that changes, so
that whatever else the machine does hits all of them alike; then all are started anew, since how fast a
process is depends on where its memory lies. A turn of the loop is one `await asyncio.sleep(0)`; beside it
there are tasks that wait for an event, which is what the watchdog looks at. Turns are counted per second of
processor time of the whole process, its threads included. Each ratio is the median of the ratios to the
process without agraph in the same round; in brackets, the quartiles. The way `a thread` has no agraph, but
one thread that waits: what the C library does differently in a process with more than one is in there.
"""

import argparse
import asyncio
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

WAYS = ("without", "a thread", "import", "installed", "watchdog")
SLICE_S = 0.33


async def turn():
    """Turns of the loop per second of processor time."""
    start, end, turns = time.process_time(), time.monotonic() + SLICE_S, 0
    while time.monotonic() < end:
        for _ in range(100):
            await asyncio.sleep(0)
        turns += 100
    return turns / (time.process_time() - start)


async def work(waiting):
    never = asyncio.Event()
    tasks = [asyncio.create_task(never.wait()) for _ in range(waiting)]
    loop = asyncio.get_running_loop()
    asked = asyncio.Queue()
    loop.add_reader(0, lambda: asked.put_nowait(sys.stdin.readline()))
    while await asked.get():
        print(await turn(), flush=True)
    for task in tasks:
        task.cancel()


def run_worker(way, waiting):
    if way == "a thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    elif way != "without":
        import agraph
    if way == "installed":
        agraph.install(signal="USR2", socket=True)
    if way == "watchdog":
        agraph.install(stall_after=5)
    asyncio.run(work(waiting))


def start(way, waiting, folder):
    command = [sys.executable, __file__, "--worker", way, "--waiting", str(waiting)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder)


def ask(process):
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(waiting, rounds):
    """The turns per second of each way, a number a round, from fresh processes."""
    found = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        workers = {way: start(way, waiting, folder) for way in WAYS}
        try:
            for process in workers.values():
                ask(process)  # warm
            for _ in range(rounds):
                for way in random.sample(WAYS, len(WAYS)):
                    found[way].append(ask(workers[way]))
        finally:
            for process in workers.values():
                process.kill()
                process.communicate()
    return found


def compare(waiting, starts, rounds):
    found = {way: [] for way in WAYS}
    for _ in range(starts):
        for way, speeds in measure(waiting, rounds).items():
            found[way] += speeds
    print(f"\n{waiting:,} waiting tasks, {starts} starts, {rounds} rounds each")
    for way in WAYS:
        ratios = [mine / base for mine, base in zip(found[way], found["without"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        speed = statistics.median(found[way])
        print(f"  {way:<10} {speed:12,.0f} turns/s   {middle:6.3f}  [{low:.3f} .. {high:.3f}]")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--waiting", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--worker", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        run_worker(options.worker, options.waiting[0])
        return
    print(f"Python {platform.python_version()}")
    for waiting in options.waiting:
        compare(waiting, options.starts, options.rounds)


if __name__ == "__main__":
    main()
