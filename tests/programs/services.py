"""Services that deadlock under load, with real libraries: `python services.py KIND [PORT]`; says `ready` once stuck."""

import asyncio
import os
import sys

from hung import ready

REQUESTS = 20


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


async def get(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def starlette():
    """Two routes that take two locks in different orders."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    stock, orders = asyncio.Lock(), asyncio.Lock()

    async def buy(request):
        async with stock:
            await until(lambda: stock.locked() and orders.locked())
            async with orders:
                return PlainTextResponse("bought")

    async def cancel(request):
        async with orders:
            await until(lambda: stock.locked() and orders.locked())
            async with stock:
                return PlainTextResponse("cancelled")

    async def health(request):
        return PlainTextResponse("well")

    routes = [Route("/buy", buy), Route("/cancel", cancel), Route("/health", health)]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", loop="asyncio")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(), name="server")
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    load = [asyncio.create_task(get(port, path)) for path in ("/buy", "/cancel") * (REQUESTS // 2)]
    await until(lambda: len(stock._waiters or ()) + len(orders._waiters or ()) == REQUESTS)
    assert (await get(port, "/health")).endswith(b"well")
    ready()
    asyncio.get_running_loop().add_reader(0, lambda: answer(os.read(0, 100), load, get(port, "/health")))
    await asyncio.gather(serving, *load)


def answer(_, tasks, request):
    async def write():
        os.write(1, (await request).splitlines()[-1] + b"\n")

    tasks.append(asyncio.ensure_future(write()))


async def aiohttp():
    """Two tasks that hold both connections of a pool and want another one."""
    import aiohttp
    from aiohttp import web

    async def page(request):
        return web.Response(body=bytes(20_000_000))

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    connector = aiohttp.TCPConnector(limit=2)
    both = asyncio.Barrier(2)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout()) as session:

        async def crawl():
            async with session.get(url):  # what is not read keeps its connection
                await both.wait()
                async with session.get(url) as second:
                    await second.read()

        crawlers = [asyncio.create_task(crawl(), name=f"crawler-{number}") for number in range(2)]
        await until(lambda: sum(map(len, connector._waiters.values())) == 2)
        ready()
        await asyncio.gather(*crawlers)


async def redis():
    """Tasks that hold a connection of a blocking pool and want another one."""
    from redis.asyncio import BlockingConnectionPool, Redis

    pool = BlockingConnectionPool(host="127.0.0.1", port=int(sys.argv[2]), max_connections=2, timeout=None)
    client = Redis(connection_pool=pool)
    both = asyncio.Barrier(2)

    async def worker():
        async with client.pipeline() as pipe:
            await pipe.watch("stock")
            await both.wait()
            await client.get("stock")

    workers = [asyncio.create_task(worker(), name=f"worker-{number}") for number in range(2)]
    await until(lambda: len(pool._condition._waiters) == 2)
    ready()
    await asyncio.gather(*workers)


if __name__ == "__main__":
    asyncio.run({"starlette": starlette, "aiohttp": aiohttp, "redis": redis}[sys.argv[1]]())
