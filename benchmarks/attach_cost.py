"""What `agraph capture` costs the process that is captured: its throughput before, during and after.

    python benchmarks/attach_cost.py [--tasks N] [--captures N]

A process turns its event loop as fast as it can, beside tasks that wait for a lock, and counts. It is watched
for a while, then captured again and again, then watched again. Python 3.14 and later, Linux.
"""

import argparse
import asyncio
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WINDOW_S = 0.05
WATCH_S = 4.0


async def victim(tasks):
    """Print how many turns the loop made in each window, and the longest pause between two, in ms."""
    lock = asyncio.Lock()
    await lock.acquire()

    async def wait():
        async with lock:
            pass

    waiting = [asyncio.create_task(wait()) for _ in range(tasks)]
    turns, longest, begin = 0, 0.0, time.perf_counter()
    last = begin
    while waiting:
        await asyncio.sleep(0)
        now = time.perf_counter()
        turns, longest = turns + 1, max(longest, now - last)
        last = now
        if now - begin > WINDOW_S:
            os.write(1, f"{json.dumps([turns / (now - begin), longest * 1000])}\n".encode())
            turns, longest, begin = 0, 0.0, time.perf_counter()
            last = begin


class Watched:
    """The process, and what it has printed."""

    def __init__(self, tasks):
        command = [sys.executable, __file__, "--victim", str(tasks)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def windows(self, seconds):
        """What it prints from now on, for a time."""
        self.printed()
        end, found = time.monotonic() + seconds, []
        while time.monotonic() < end:
            found += self.printed()
            time.sleep(WINDOW_S / 2)
        return found

    def printed(self):
        """What it has printed since it was last asked."""
        data = b""
        while select.select([self.process.stdout], [], [], 0)[0]:
            data += os.read(self.process.stdout.fileno(), 65536)
        return [json.loads(line) for line in data.splitlines() if line.endswith(b"]") and line[:1] == b"["]


def show(title, windows):
    turns = [one[0] for one in windows]
    pauses = [one[1] for one in windows]
    print(
        f"{title:<28} {statistics.median(turns):10,.0f} turns/s   slowest window {min(turns):10,.0f}   "
        f"longest pause {max(pauses):7.1f} ms"
    )


def capture(watched, folder):
    """One capture; returns the windows that it fell into, and what it said."""
    watched.printed()
    command = [sys.executable, "-m", "agraph_cli", "capture", str(watched.process.pid), "--no-analyze"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    time.sleep(2 * WINDOW_S)
    return watched.printed(), done.stderr.splitlines()[0].partition("; ")[2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--captures", type=int, default=5)
    parser.add_argument("--victim", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.victim is not None:
        asyncio.run(victim(options.victim))
        return
    watched = Watched(options.tasks)
    try:
        print(f"Python {sys.version.split()[0]}, {options.tasks:,} waiting tasks")
        watched.windows(1.0)  # until it runs evenly
        show("before", watched.windows(WATCH_S))
        with tempfile.TemporaryDirectory() as folder:
            for number in range(options.captures):
                windows, said = capture(watched, folder)
                show(f"during capture {number + 1}", windows)
                print(f"    {said}")
            size = next(Path(folder).glob("*.json")).stat().st_size
        show("after", watched.windows(WATCH_S))
        print(f"one snapshot: {size:,} bytes")
    finally:
        watched.process.kill()
        watched.process.wait()


if __name__ == "__main__":
    main()
