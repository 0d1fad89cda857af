"""A process with triggers that makes children, in one of several ways.

    python forking.py fork|multiprocessing|forkserver|spawn

It says `ready` once the children have said who they are, a line each in the file `children`; it ends, and they
do, when standard input does.
"""

import asyncio
import multiprocessing
import os
import sys
import time
from pathlib import Path

import agraph

CHILDREN = 2
NOTES = Path("children")


def work(gate):
    """A worker: tasks that wait, until the pipe is closed at the other end."""

    async def main():
        loop = asyncio.get_running_loop()
        asyncio.current_task().set_name(f"worker {os.getpid()}")
        closed = asyncio.Event()
        loop.add_reader(gate, closed.set)
        with NOTES.open("a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        await closed.wait()

    asyncio.run(main())


def fork(gate, keep):
    for _ in range(CHILDREN):
        if os.fork() == 0:
            os.close(keep)
            work(gate)
            sys.exit(0)
    return lambda: [os.wait() for _ in range(CHILDREN)]


def with_multiprocessing(method, target):
    def start(gate, keep):
        context = multiprocessing.get_context(method)
        ours = [context.Pipe() for _ in range(CHILDREN)]
        made = [context.Process(target=of_pipe, args=(target, theirs)) for _mine, theirs in ours]
        for process in made:
            process.start()
        for _mine, theirs in ours:
            theirs.close()

        def join():
            for mine, _theirs in ours:
                mine.send(None)
            for process in made:
                process.join()

        return join

    return start


def of_pipe(target, pipe):
    target(pipe.fileno())


WAYS = {
    "fork": fork,
    "multiprocessing": with_multiprocessing("fork", work),
    "forkserver": with_multiprocessing("forkserver", work),
    "spawn": with_multiprocessing("spawn", work),
}

if __name__ == "__main__":
    agraph.install()
    gate, keep = os.pipe()
    end = WAYS[sys.argv[1]](gate, keep)
    while not NOTES.exists() or NOTES.read_text().count("\n") < CHILDREN:
        time.sleep(0.01)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.readline()
    os.close(keep)
    end()
    sys.stdout.write("ended\n")
    sys.stdout.flush()
    sys.stdin.buffer.readline()
