"""Futures that the worker threads of anyio and aiosqlite complete."""

import asyncio
import contextlib
import threading

import pytest
from blocked import capture, edges, stuck, thread_of, until
from live import start

from agraph.reduction import judge


def test_a_task_waits_for_a_thread_of_anyio():
    to_thread = pytest.importorskip("anyio.to_thread", reason="anyio is not installed")
    leave = threading.Event()

    async def main():
        asker = start(to_thread.run_sync(leave.wait), "asker")
        snapshot = await asyncio.to_thread(
            until,
            lambda: (
                (s := capture()) and any(edge[0] == "thread AnyIO worker thread" for edge in edges(s)) and s
            ),
        )
        leave.set()
        await asker
        return snapshot

    snapshot = asyncio.run(main())
    ((_, awaited, confidence),) = [edge[1:] for edge in edges(snapshot) if edge[0] == "task asker"]
    assert (awaited, "thread", "thread AnyIO worker thread", confidence) in edges(snapshot)
    assert confidence == "exact"
    assert thread_of(snapshot, "AnyIO worker thread").detail == {"operation": "Event.wait"}
    assert [node.open for node in snapshot.nodes if f"future {node.name}".strip() == awaited] == [""]


def test_a_thread_of_anyio_and_its_loop_wait_for_each_other():
    to_thread = pytest.importorskip("anyio.to_thread", reason="anyio is not installed")
    from_thread = pytest.importorskip("anyio.from_thread")

    async def main():
        lock, tried = asyncio.Lock(), asyncio.Event()

        async def takes():
            asyncio.current_task().set_name("takes")
            tried.set()
            async with lock:
                pass

        async def asks():
            async with lock:
                await to_thread.run_sync(from_thread.run, takes)

        asker = start(asks(), "asks")
        await tried.wait()
        snapshot = await asyncio.to_thread(until, lambda: (s := capture()) and "task asks" in stuck(s) and s)
        (taker,) = [task for task in asyncio.all_tasks() if task.get_name() == "takes"]
        taker.cancel()
        await asyncio.gather(asker, return_exceptions=True)
        return snapshot

    snapshot = asyncio.run(main())
    assert {"task asks", "task takes", "thread AnyIO worker thread"} <= stuck(snapshot)
    assert {edge[3] for edge in edges(snapshot) if edge[0] in stuck(snapshot)} == {"exact"}


@pytest.mark.parametrize("forever", [True, False])
def test_what_a_thread_of_anyio_waits_for_itself(forever):
    """It is found last of all, when no other thread is waited for."""
    to_thread = pytest.importorskip("anyio.to_thread", reason="anyio is not installed")
    from_thread = pytest.importorskip("anyio.from_thread")
    found, entered = [], threading.Event()

    async def main():
        lock = asyncio.Lock()

        async def waits():
            asyncio.get_running_loop().call_soon(entered.set)
            if forever:
                await lock.acquire()
            await asyncio.sleep(1000)

        async def asks():
            async with lock:
                await to_thread.run_sync(from_thread.run, waits)

        def look():
            assert entered.wait(20)
            found.append(until(lambda: (s := capture()) and blocked_in(s) and s))
            loop.call_soon_threadsafe(leave)

        def leave():
            for task in asyncio.all_tasks(loop):
                task.cancel()

        loop = asyncio.get_running_loop()
        threading.Thread(target=look, daemon=True).start()
        await asks()

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())
    (snapshot,) = found
    (thread,) = blocked_in(snapshot)
    assert [edge for edge in snapshot.edges if edge.waiter == thread]
    assert judge(snapshot).verdict == ("certain" if forever else "live")


def test_statements_of_aiosqlite_wait_for_its_thread():
    aiosqlite = pytest.importorskip("aiosqlite", reason="aiosqlite is not installed")
    leave, begun = threading.Event(), threading.Event()

    def busy():
        begun.set()
        leave.wait()
        return 1

    async def main():
        connection = await aiosqlite.connect(":memory:")
        await connection.create_function("busy", 0, busy)
        first = start(connection.execute_fetchall("SELECT busy()"), "first")
        await asyncio.to_thread(begun.wait, 20)
        second = start(connection.execute_fetchall("SELECT 1"), "second")
        await asyncio.sleep(0)
        snapshot = await asyncio.to_thread(
            until, lambda: (s := capture()) and len(waits_for_a_thread(s)) == 2 and s
        )
        leave.set()
        await asyncio.gather(first, second)
        await connection.close()
        return snapshot

    snapshot = asyncio.run(main())
    assert waits_for_a_thread(snapshot) == ["pending", "queued"]


def waits_for_a_thread(snapshot):
    """The states of the plain futures that wait for a thread which waits for an event."""
    blocked = blocked_in(snapshot)
    nodes = {node.id: node for node in snapshot.nodes}
    waiters = [nodes[edge.waiter] for edge in snapshot.edges if edge.awaited in blocked]
    return sorted(node.state for node in waiters if node.kind == "future")


def blocked_in(snapshot):
    return {node.id for node in snapshot.nodes if node.kind == "thread" and node.state == "blocked"}
