"""A program in one of several states, for the tests of what makes a prepared process write a snapshot.

    python waiting.py STATE

It says `ready` once it is in that state, and ends when standard input does.
"""

import asyncio
import os
import sys
import threading
import time

import agraph


def end_with_standard_input():
    def wait():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, name="end", daemon=True).start()


def ready():
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def idle():
    """Nothing to do: the loop waits in its selector."""
    ready()
    await asyncio.get_running_loop().create_future()


async def sleeping():
    """The thread of the loop is in `time.sleep`."""
    asyncio.create_task(asyncio.sleep(1000), name="behind")
    await asyncio.sleep(0)
    ready()
    while True:
        time.sleep(1000)


async def busy():
    """The thread of the loop computes and never gives way."""
    ready()
    while True:
        sum(range(1000))


async def deadlocked():
    """Two tasks each hold one lock and want the other; a third is behind them."""
    first, second = asyncio.Lock(), asyncio.Lock()
    met = asyncio.Barrier(2)

    async def take(one, other):
        async with one:
            await met.wait()
            async with other:
                raise AssertionError("unreachable")

    async def behind():
        async with first:
            raise AssertionError("unreachable")

    tasks = [
        asyncio.create_task(take(first, second), name="one"),
        asyncio.create_task(take(second, first), name="two"),
    ]
    await asyncio.sleep(0.01)
    tasks.append(asyncio.create_task(behind(), name="three"))
    await asyncio.sleep(0)
    ready()
    await asyncio.gather(*tasks)


async def waiting_for_requests():
    """An idle service: workers wait for a queue, an event and a peer, one of them with a lock held."""
    queue, stop, lock = asyncio.Queue(), asyncio.Event(), asyncio.Lock()

    async def next_of_queue():
        async with lock:
            await queue.get()

    async def echo(reader, writer):
        writer.write(await reader.readline())

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, _writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    tasks = [asyncio.create_task(next_of_queue(), name=f"worker-{number}") for number in range(3)]
    tasks += [asyncio.create_task(stop.wait()), asyncio.create_task(asyncio.sleep(1000))]
    await asyncio.sleep(0)
    ready()
    await reader.readline()


async def moving():
    """A service at work: everything waits for something, and nothing for long."""
    queue, lock = asyncio.Queue(maxsize=2), asyncio.Lock()

    async def produce():
        while True:
            async with lock:
                await queue.put(time.monotonic())
            await asyncio.sleep(0.01)

    async def consume():
        while True:
            await queue.get()

    tasks = [asyncio.create_task(produce()) for _ in range(3)] + [asyncio.create_task(consume())]
    await asyncio.sleep(0)
    ready()
    await asyncio.gather(*tasks)


STATES = {
    function.__name__: function
    for function in (idle, sleeping, busy, deadlocked, waiting_for_requests, moving)
}


def run(main):
    if os.environ.get("VICTIM_LOOP") == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    else:
        asyncio.run(main())


if __name__ == "__main__":
    end_with_standard_input()
    agraph.install()
    if sys.argv[1] == "deadlocked_elsewhere":
        threading.Thread(target=run, args=(deadlocked,), name="elsewhere").start()
        threading.Event().wait()
    else:
        run(STATES[sys.argv[1]])
