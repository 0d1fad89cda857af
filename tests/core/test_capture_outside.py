"""What loops are going to call frees somebody as well: due handles, timers, descriptors, signals, transports."""

import asyncio
import signal
import socket
import sys

import pytest
from elsewhere import candidates, captured_alone
from live import end, parked, start
from snapshots import run, task

import agraph


def nothing(loop, event):
    return lambda: None


def by_signal(loop, event):
    loop.add_signal_handler(signal.SIGUSR2, event.set)
    return lambda: loop.remove_signal_handler(signal.SIGUSR2)


def by_descriptor(loop, event):
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    loop.add_reader(reader, event.set)

    def undo():
        loop.remove_reader(reader)
        reader.close()
        writer.close()

    return undo


def by_timer(loop, event):
    return loop.call_later(1000, event.set).cancel


def by_cancelled_timer(loop, event):
    loop.call_later(1000, event.set).cancel()
    return lambda: None


FROM_LOOP = {
    nothing: [],
    by_signal: ["io"],
    by_descriptor: ["io"],
    by_timer: ["timer"],
    by_cancelled_timer: [],
}


@pytest.mark.parametrize("way", FROM_LOOP)
def test_what_the_loop_will_call(way):
    async def main():
        event = asyncio.Event()
        undo = way(asyncio.get_running_loop(), event)
        waiter = event.wait()
        del event
        snapshot = await captured_alone(waiter=waiter)
        undo()
        return snapshot

    snapshot = run(main())
    assert candidates(snapshot, "waiter") == FROM_LOOP[way]
    nodes = {n.id: n for n in snapshot.nodes}
    for node in (nodes[e.awaited] for e in snapshot.edges if e.confidence == "probable"):
        assert node.need == 0
        assert (node.timer is not None) == (node.kind == "timer")
        if node.kind == "timer":
            assert 900 < node.timer - snapshot.capture.start_monotonic < 1100
        if way is by_signal:
            assert node.name == "SIGUSR2"
        if way is by_descriptor:
            assert node.detail["fd"] > 0


@pytest.mark.parametrize("call", ["call_soon", "call_soon_threadsafe"])
def test_a_callback_that_is_due_still_needs_its_loop(call):
    async def main():
        event = asyncio.Event()
        waiter = start(event.wait(), "waiter")
        await parked(waiter)
        getattr(asyncio.get_running_loop(), call)(event.set)
        del event
        snapshot = agraph.capture()
        await end(waiter)
        return snapshot

    snapshot = run(main())
    assert candidates(snapshot, "waiter") == ["work_item"]
    (item,) = [n for n in snapshot.nodes if n.kind == "work_item"]
    assert (item.need, item.loop) == (0, task(snapshot, "waiter").loop)


class Client(asyncio.Protocol):
    """Sets an event when data arrives, as many clients do."""

    def __init__(self):
        self.arrived = asyncio.Event()

    def data_received(self, data):
        self.arrived.set()


def test_the_protocol_of_a_connection():
    async def main():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, client = await loop.create_connection(Client, *server.sockets[0].getsockname())
        waiter = client.arrived.wait()
        del client
        snapshot = await captured_alone(waiter=waiter)
        transport.close()
        server.close()
        return snapshot

    snapshot = run(main())
    assert candidates(snapshot, "waiter") == ["io"]
    (connection,) = [n for n in snapshot.nodes if n.kind == "io"]
    assert "Transport" in connection.type
    assert connection.need == 0


def test_a_protocol_whose_class_knows_the_queue():
    async def main():
        queue = asyncio.Queue()

        class Puts(asyncio.Protocol):
            def data_received(self, data):
                queue.put_nowait(data)

        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(Puts, *server.sockets[0].getsockname())
        snapshot = await captured_alone(waiter=queue.get())
        transport.close()
        server.close()
        return snapshot

    assert "io" in candidates(run(main()), "waiter")


def test_a_child_process():
    async def main():
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
        waiter = start(process.wait(), "waiter")
        while not [node for node in agraph.capture().nodes if node.kind == "io"]:
            await asyncio.sleep(0)
        snapshot = agraph.capture()
        process.stdin.close()
        assert await waiter in (0, 1)
        return snapshot

    snapshot = run(main())
    awaited = {edge.waiter: edge.awaited for edge in snapshot.edges if edge.kind != "structural"}
    kinds = {node.id: node.kind for node in snapshot.nodes}
    reached = task(snapshot, "waiter").id
    while reached in awaited:
        reached = awaited[reached]
    assert kinds[reached] == "io"
