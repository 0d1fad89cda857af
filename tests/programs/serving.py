"""A service in which nothing is stuck: `python serving.py`. It says `ready` once all its tasks wait."""

import asyncio
import sys


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


async def tick(period):
    while True:
        await asyncio.sleep(period)


async def produce(queue):
    for number in range(1_000_000):
        await queue.put(number)
        await asyncio.sleep(3600)


async def consume(queue):
    while True:
        await queue.get()


async def work(lock):
    async with lock:
        await asyncio.sleep(3600)


async def main():
    queue, lock = asyncio.Queue(1), asyncio.Lock()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, _writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    tasks = [
        asyncio.create_task(tick(3600), name="ticker"),
        asyncio.create_task(produce(queue), name="producer"),
        asyncio.create_task(consume(queue), name="consumer"),
        asyncio.create_task(work(lock), name="worker-1"),
        asyncio.create_task(work(lock), name="worker-2"),
        asyncio.create_task(reader.readline(), name="client"),
    ]
    while not (queue._getters and lock._waiters):
        await asyncio.sleep(0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main())
