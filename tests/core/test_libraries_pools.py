"""The connection pools of libraries: who waits for a connection, and who seems to have one.

The servers are made here, so nothing but the library is needed: they accept, and answer as far as a client must
hear something before it has its connection.
"""

import asyncio
import contextlib
import inspect

import pytest
from elsewhere import capture_elsewhere
from live import end, forever, start
from snapshots import graph, node, run, task

from agraph.reduction import judge


@contextlib.asynccontextmanager
async def server(answer):
    """The port of a server that answers each line, or empty line, with what a function says."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                reply = answer(line)
                if reply:
                    writer.write(reply)
                    await writer.drain()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        for writer in writers:
            writer.close()
        listening.close()


def http(line):
    """The head and the beginning of a response whose end never comes."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin" if line == b"\r\n" else b""


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


async def connected_by(holder, connected):
    """Wait until a task has its connection; what it fails with is raised."""
    waiting = asyncio.create_task(connected.wait())
    await asyncio.wait([holder, waiting], return_when=asyncio.FIRST_COMPLETED)
    if holder.done():
        waiting.cancel()
        holder.result()


async def has_and_waits(make, connected, waiting):
    """A snapshot while one task has the only connection, and another waits for it."""
    holder = start(make(connected.set), "holder")
    await connected_by(holder, connected)
    waiter = start(make(lambda: None), "waiter")
    await until(waiting)
    snapshot = await capture_elsewhere()
    await end(waiter, holder)
    return snapshot


def check(snapshot, kind, timed=False):
    """The waiter waits for the pool, which the holder seems to have."""
    pool = node(snapshot, "resource")
    assert (pool.type, pool.name, pool.need) == (kind, kind, 1)
    assert pool.detail["operation"] == "connection"
    assert (pool.detail["size"], pool.detail["bound"]) == (1, 1)
    assert ("waiter", "await", "resource") in graph(snapshot)
    assert ("resource", "held_by", "holder") in graph(snapshot)
    assert ("resource", "held_by", "waiter") not in graph(snapshot)
    assert {e.confidence for e in snapshot.edges if e.waiter == pool.id} == {"probable"}
    assert (task(snapshot, "waiter").timer is not None) == timed
    assert not {"aiohttp", "httpcore", "redis", "asyncpg"} & set(snapshot.capture.unknown)


@pytest.mark.parametrize("timed", [False, True])
def test_aiohttp(timed):
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    async def main():
        timeout = aiohttp.ClientTimeout(total=1000 if timed else None, connect=None, sock_connect=None)
        connector = aiohttp.TCPConnector(limit=1)
        async with (
            server(http) as port,
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        ):

            async def fetches(connected):
                async with session.get(f"http://127.0.0.1:{port}/") as response:
                    connected()
                    await response.read()

            return await has_and_waits(fetches, asyncio.Event(), lambda: any(connector._waiters.values()))

    check(run(main()), "TCPConnector", timed)


@pytest.mark.parametrize(("cancels", "verdict"), [(True, "possible"), (False, "certain")])
def test_aiohttp_cancels_a_handler_whose_client_goes_only_if_it_is_told_to(cancels, verdict):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    from aiohttp import web

    async def main():
        lock, served = asyncio.Lock(), asyncio.Event()

        async def handle(_request):
            served.set()
            async with lock, lock:
                return web.Response()

        app = web.Application()
        app.add_routes([web.get("/", handle)])
        runner = web.AppRunner(app, handler_cancellation=cancels, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        _reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        await served.wait()
        await until(lambda: lock._waiters)
        snapshot = await capture_elsewhere()
        writer.close()
        await end(*(asyncio.all_tasks() - {asyncio.current_task()}))
        await runner.cleanup()
        return snapshot

    assert judge(run(main())).verdict == verdict


def test_aiohttp_with_a_limit_per_host():
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    async def main():
        connector = aiohttp.TCPConnector(limit=10, limit_per_host=1)
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            server(http) as port,
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        ):

            async def fetches(connected):
                async with session.get(f"http://127.0.0.1:{port}/") as response:
                    connected()
                    await response.read()

            return await has_and_waits(fetches, asyncio.Event(), lambda: any(connector._waiters.values()))

    snapshot = run(main())
    assert node(snapshot, "resource").need == 1
    assert ("resource", "held_by", "holder") in graph(snapshot)


def aiohttp_with_two_hosts(aiohttp, make):
    """A snapshot of `holder`, with a connection to one host, `other` to another, and `waiter` for the first."""

    async def main():
        connector = aiohttp.TCPConnector(limit=10, limit_per_host=1)
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            server(http) as one,
            server(http) as another,
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        ):
            tasks = []
            for name, port in (("holder", one), ("other", another)):
                connected = asyncio.Event()
                tasks.append(start(make(session, port, connected.set), name))
                await connected_by(tasks[-1], connected)
            tasks.append(start(make(session, one, lambda: None), "waiter"))
            await until(lambda: any(connector._waiters.values()))
            snapshot = await capture_elsewhere()
            await end(*tasks)
            return snapshot

    return run(main())


def test_aiohttp_with_connections_to_other_hosts():
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    async def fetches(session, port, connected):
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            connected()
            await response.read()

    snapshot = aiohttp_with_two_hosts(aiohttp, fetches)
    pool = node(snapshot, "resource")
    assert (pool.need, pool.open, pool.detail["size"], pool.detail["bound"]) == (1, "", 1, 1)
    assert pool.detail["operation"].startswith("connection to 127.0.0.1:")
    names = {one.id: one.name for one in snapshot.nodes}
    assert [names[e.awaited] for e in snapshot.edges if e.kind == "held_by"] == ["holder"]


def test_a_response_that_the_waiter_knows_too_is_not_its_own():
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    class Shared:
        response = None

    async def main():
        shared, connected = Shared(), asyncio.Event()
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(limit=1)
        async with (
            server(http) as port,
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        ):

            async def keeps(shared):
                shared.response = await session.get(f"http://127.0.0.1:{port}/")
                connected.set()
                await shared.response.read()

            async def waits(shared):
                async with session.get(f"http://127.0.0.1:{port}/"):
                    shared.response.close()

            holder = start(keeps(shared), "holder")
            await connected_by(holder, connected)
            waiter = start(waits(shared), "waiter")
            await until(lambda: any(connector._waiters.values()))
            snapshot = await capture_elsewhere()
            await end(waiter, holder)
            shared.response.close()
            return snapshot

    assert ("resource", "held_by", "waiter") not in graph(run(main()))


@pytest.mark.parametrize("timeout", [None, 1000])
def test_httpcore(timeout):
    httpcore = pytest.importorskip("httpcore", reason="httpcore is not installed")
    pytest.importorskip("anyio", reason="anyio is not installed")

    async def main():
        async with server(http) as port, httpcore.AsyncConnectionPool(max_connections=1) as pool:
            extensions = {"timeout": {"pool": timeout}}

            async def fetches(connected):
                url = f"http://127.0.0.1:{port}/"
                async with pool.stream("GET", url, extensions=extensions) as response:
                    connected()
                    await response.aread()

            return await has_and_waits(fetches, asyncio.Event(), lambda: len(pool._requests) == 2)

    check(run(main()), "AsyncConnectionPool", timeout is not None)


def test_httpx():
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")

    async def main():
        limits = httpx.Limits(max_connections=1)
        async with server(http) as port, httpx.AsyncClient(limits=limits, timeout=None) as client:
            pool = client._transport._pool

            async def fetches(connected):
                async with client.stream("GET", f"http://127.0.0.1:{port}/") as response:
                    connected()
                    await response.aread()

            return await has_and_waits(fetches, asyncio.Event(), lambda: len(pool._requests) == 2)

    check(run(main()), "AsyncConnectionPool")


def redis_answers(line):
    """What a Redis server of long ago answers: it knows no command but PING, and never answers GET."""
    word = line.strip().upper()
    if word in (b"HELLO", b"CLIENT", b"SELECT"):
        return b"-ERR unknown command\r\n"
    return b"+PONG\r\n" if word == b"PING" else b""


@pytest.mark.parametrize("timeout", [None, 1000])
def test_redis(timeout):
    redis = pytest.importorskip("redis.asyncio", reason="redis is not installed")

    async def main():
        async with server(redis_answers) as port:
            pool = redis.BlockingConnectionPool(
                host="127.0.0.1", port=port, max_connections=1, timeout=timeout, protocol=2
            )
            client = redis.Redis(connection_pool=pool)
            command = inspect.signature(pool.get_connection).parameters.get("command_name")
            # Up to 5.2 it wants the name of a command; since 5.3 it warns of it.
            arguments = ["GET"] if command is not None and command.default is command.empty else []

            async def gets(connected):
                connection = await pool.get_connection(*arguments)
                connected()
                try:
                    await forever()
                finally:
                    await pool.release(connection)

            def waiting():
                return bool(pool._condition._waiters)

            snapshot = await has_and_waits(gets, asyncio.Event(), waiting)
            await client.aclose()
            await pool.disconnect()
            return snapshot

    check(run(main()), "BlockingConnectionPool", timeout is not None)


def test_asyncpg():
    pytest.importorskip("asyncpg", reason="asyncpg is not installed")
    from asyncpg import pool as of_asyncpg

    class Proxy:
        """Stands for a connection, as there is no server here."""

    async def main():
        pool = of_asyncpg.create_pool("postgres://nowhere", min_size=0, max_size=1)
        pool._queue, pool._initialized = asyncio.LifoQueue(), True
        holder = of_asyncpg.PoolConnectionHolder(pool, max_queries=1, setup=None, max_inactive_time=0.0)
        holder._proxy, holder._in_use = Proxy(), asyncio.get_running_loop().create_future()
        pool._holders = [holder]

        async def has(connection):
            await forever()
            return connection

        tasks = [start(has(holder._proxy), "holder"), start(pool.acquire().__aenter__(), "waiter")]
        await until(lambda: pool._queue._getters)
        snapshot = await capture_elsewhere()
        await end(*tasks)
        pool._initialized = False
        return snapshot

    check(run(main()), "Pool")


def test_two_pools_in_two_orders_are_a_cycle():
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    async def main():
        connectors = [aiohttp.TCPConnector(limit=1) for _ in range(2)]
        sessions = [aiohttp.ClientSession(connector=connector) for connector in connectors]
        async with server(http) as port, sessions[0], sessions[1]:
            url = f"http://127.0.0.1:{port}/"
            both = asyncio.Barrier(2)

            async def nested(first, second):
                async with first.get(url, timeout=None):
                    await both.wait()
                    async with second.get(url, timeout=None):
                        pass

            tasks = [start(nested(*sessions), "a"), start(nested(*reversed(sessions)), "b")]
            await until(lambda: all(any(connector._waiters.values()) for connector in connectors))
            snapshot = await capture_elsewhere()
            await end(*tasks)
            return snapshot

    snapshot = run(main())
    reached, ahead = set(), [task(snapshot, "a").id]
    while ahead:
        current = ahead.pop()
        for edge in snapshot.edges:
            if edge.waiter == current and edge.kind in ("await", "held_by") and edge.awaited not in reached:
                reached.add(edge.awaited)
                ahead.append(edge.awaited)
    assert {task(snapshot, "a").id, task(snapshot, "b").id} <= reached


def test_who_opened_the_pool_is_no_holder():
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    async def main():
        async with aiohttp.TCPConnector(limit=1) as connector:
            connector._acquired.add(object())  # of nobody

            async def waits():
                await connector._wait_for_available_connection(None, [])

            waiter = start(waits(), "waiter")
            await until(lambda: any(connector._waiters.values()))
            snapshot = await capture_elsewhere()
            await end(waiter)
            connector._acquired.clear()
            return snapshot

    snapshot = run(main())
    pool = node(snapshot, "resource")
    assert (pool.need, pool.open) == (1, "not all of its holders are known")
    assert not [e for e in snapshot.edges if e.kind == "held_by"]
