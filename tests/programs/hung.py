"""Programs that nobody prepared: `python hung.py KIND`. Each says `ready` once it stands where it is to be found.

Two tasks, t1 and t2, wait for each other's lock in all of them but `bare`, `input` and `commands`.
"""

import asyncio
import os
import re
import sys
import threading
import time
from pathlib import Path


def say(line):
    os.write(1, f"{line}\n".encode())


def ready():
    say("ready")


async def deadlock(then=ready):
    first, second = asyncio.Lock(), asyncio.Lock()

    async def transfer(here, there):
        async with here:
            while not (first.locked() and second.locked()):
                await asyncio.sleep(0)
            async with there:
                pass

    t1 = asyncio.create_task(transfer(first, second), name="t1")
    t2 = asyncio.create_task(transfer(second, first), name="t2")
    while not (first._waiters and second._waiters):
        await asyncio.sleep(0)
    then()
    await asyncio.gather(t1, t2)


def sleeps():
    ready()
    time.sleep(3600)


def spins():
    ready()
    while True:
        pass


def sums():
    ready()
    sum(range(10**15))  # C code that keeps the global lock and looks for no signal


def matches():
    ready()
    re.match(r"(a+)+$", "a" * 60 + "b")  # C code that keeps the global lock and does look for signals


async def tick(then=ready):
    task = asyncio.create_task(deadlock(then), name="main")
    while not task.done():
        await asyncio.sleep(0.01)


def threads(then=lambda: None):
    counted = threading.Barrier(3)
    for number in range(2):
        threading.Thread(target=asyncio.run, args=(deadlock(counted.wait),), name=f"loop-{number}").start()
    counted.wait()
    then()


def joins():
    ready()
    threading.enumerate()[-1].join()


def fork():
    child = os.fork()
    if child == 0:
        asyncio.run(deadlock())
    os.waitpid(child, 0)


def on_uvloop():
    import uvloop

    uvloop.run(tick())


def input_():
    ready()
    say(f"read {os.read(0, 100)!r}")
    sum(range(1000))
    say("went on")


def state():
    """What a capture could have changed."""
    import gc
    import signal

    return {
        "path": list(sys.path),
        "meta_path": len(sys.meta_path),
        "cached": sorted(name for name in sys.path_importer_cache if "agraph" in name),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "handlers": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "gc": [gc.isenabled(), gc.get_threshold(), len(gc.callbacks)],
        "bytecode": sys.dont_write_bytecode,
        "agraph": sorted(name for name in sys.modules if name.split(".")[0] == "agraph"),
        "descriptors": sorted(path.name for path in Path("/proc/self/fd").iterdir()),
        "main": sorted(vars(sys.modules["__main__"])),
        "environ": dict(os.environ),
        "cwd": str(Path.cwd()),
        "switch": sys.getswitchinterval(),
        "recursion": sys.getrecursionlimit(),
    }


async def commands():
    """For each line of standard input, print the state as JSON; the loop is idle in between."""
    import json

    loop = asyncio.get_running_loop()
    loop.add_reader(0, lambda: os.read(0, 100) and say(json.dumps(state())))
    if len(sys.argv) > 2:
        sys.path.insert(0, sys.argv[2])
        __import__("agraph")
    state()
    ready()
    await asyncio.sleep(3600)


KINDS = {
    "idle": lambda: asyncio.run(deadlock()),
    "sleep": lambda: asyncio.run(deadlock(sleeps)),
    "busy": lambda: asyncio.run(deadlock(spins)),
    "sum": lambda: asyncio.run(deadlock(sums)),
    "regex": lambda: asyncio.run(deadlock(matches)),
    "tick": lambda: asyncio.run(tick()),
    "threads": lambda: threads(lambda: asyncio.run(deadlock())),
    "joined": lambda: threads(joins),
    "ended": lambda: threads(ready),
    "fork": fork,
    "uvloop": on_uvloop,
    "bare": spins,
    "exit": lambda: None,
    "input": input_,
    "commands": lambda: asyncio.run(commands()),
}

if __name__ == "__main__":
    KINDS[sys.argv[1]]()
