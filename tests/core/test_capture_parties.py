"""Who could free an event, a condition, a queue or a plain future: guessed from what tasks and loops lead to."""

import asyncio
import functools
import signal
import socket
import sys

import pytest
from elsewhere import captured_alone
from live import end, forever, parked, start
from snapshots import run, task

import agraph
from agraph._internal import parties
from agraph._internal.leads import Leads


def candidates(snapshot, name):
    """What could free that which a task waits for: names of tasks, kinds of anything else."""
    nodes = {node.id: node for node in snapshot.nodes}
    (resource,) = [e.awaited for e in snapshot.edges if e.waiter == task(snapshot, name).id]
    assert nodes[resource].open
    edges = [e for e in snapshot.edges if e.waiter == resource]
    assert {e.confidence for e in edges} <= {"probable"}
    assert {e.kind for e in edges} <= {"bridge" if nodes[resource].kind == "future" else "any_of"}
    found = [nodes[e.awaited] for e in edges]
    return sorted(node.name if node.kind == "task" else node.kind for node in found)


async def hold(thing=None):
    await forever()
    return thing


class Service:
    """Leads to an event by an attribute."""

    def __init__(self, event):
        self.event = event

    async def serve(self):
        await forever()


class Slotted:
    __slots__ = ("event",)

    def __init__(self, event):
        self.event = event


async def by_closure(event):
    async def inner():
        await forever()
        event.set()

    await inner()


async def by_finally(event):
    try:
        await forever()
    finally:
        event.set()


async def by_generator(event):
    async def generator():
        yield 1
        event.set()

    items = generator()
    await anext(items)
    try:
        await forever()
    finally:
        await items.aclose()


async def by_unstarted(event):
    coroutine = Service(event).serve()
    try:
        await forever()
    finally:
        coroutine.close()


WAYS = {
    "local": hold,
    "closure": by_closure,
    "block": by_finally,
    "attribute": lambda event: Service(event).serve(),
    "attribute of an attribute": lambda event: Service(Service(event)).serve(),
    "slot": lambda event: hold(Slotted(event)),
    "list": lambda event: hold([event]),
    "dict in an attribute": lambda event: Service({"ready": event}).serve(),
    "method": lambda event: hold(event.set),
    "partial": lambda event: hold(functools.partial(print, event)),
    "function": lambda event: hold(lambda *_: event.set()),
    "async generator": by_generator,
    "unstarted coroutine": by_unstarted,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_task_that_leads_to_the_event_could_set_it(way):
    async def main():
        event = asyncio.Event()
        made = {"waiter": event.wait(), "other": WAYS[way](event), "stranger": forever()}
        del event
        return await captured_alone(**made)

    assert candidates(run(main()), "waiter") == ["other"]


class Hidden:
    """Leads to an event in ways that are not followed."""

    def __init__(self, event):
        self.far = [[[event]]]
        self.many = dict.fromkeys(range(2000), event)


def test_what_is_far_away_or_one_of_very_many_is_not_followed():
    async def main():
        event = asyncio.Event()
        made = {"waiter": event.wait(), "other": hold(Hidden(event))}
        del event
        return await captured_alone(**made)

    assert candidates(run(main()), "waiter") == []


def test_other_tasks_are_not_looked_into():
    async def main():
        event = asyncio.Event()
        child = start(hold(event), "child")
        made = {"waiter": event.wait(), "parent": hold(child)}
        del event
        snapshot = await captured_alone(**made)
        await end(child)
        return snapshot

    assert candidates(run(main()), "waiter") == ["child"]


GLOBAL = [None]


def keep(event):
    GLOBAL[0] = event


async def names_global():
    await forever()
    GLOBAL[0].set()


def test_a_global_belongs_to_those_who_name_it():
    async def main():
        event = asyncio.Event()
        keep(event)
        made = {"waiter": event.wait(), "setter": names_global(), "stranger": hold()}
        del event
        return await captured_alone(**made)

    assert candidates(run(main()), "waiter") == ["setter"]


def test_who_waits_for_it_does_not_free_it_unless_it_has_a_deadline():
    async def main():
        event = asyncio.Event()

        async def timed():
            async with asyncio.timeout(1000):
                await event.wait()

        made = {"waiter": event.wait(), "same": event.wait(), "timed": timed()}
        return await captured_alone(**made)

    found = candidates(run(main()), "waiter")
    assert "timed" in found
    assert not {"waiter", "same"} & set(found)


def test_nobody_waits_for_itself_through_a_gather():
    async def main():
        future = asyncio.get_running_loop().create_future()

        async def waiter(mine):
            await asyncio.gather(mine)

        made = {"waiter": waiter(future), "other": hold(future)}
        del future
        return await captured_alone(**made)

    snapshot = run(main())
    waiters = {e.waiter: e.awaited for e in snapshot.edges}
    plain = waiters[waiters[task(snapshot, "waiter").id]]
    assert [e.awaited for e in snapshot.edges if e.waiter == plain] == [task(snapshot, "other").id]


@pytest.mark.parametrize("state", ["ready", "created", "running"])
def test_a_task_that_is_not_waiting_counts_as_well(state):
    async def main():
        event, done = asyncio.Event(), asyncio.Event()
        waiter = start(event.wait(), "waiter")
        await parked(waiter)

        async def runs():
            done.set()
            return agraph.capture(), event

        if state == "running":
            snapshot, _event = await start(runs(), "other")
        else:
            other = start(hold(event), "other")
            if state == "ready":
                await parked(other)
                other.cancel()
            event = None
            snapshot = agraph.capture()
            await end(other)
        await end(waiter)
        return snapshot

    snapshot = run(main())
    assert "other" in candidates(snapshot, "waiter")
    assert task(snapshot, "other").state == state


def test_conditions_queues_and_barriers():
    async def main():
        condition, queue, barrier = asyncio.Condition(), asyncio.Queue(1), asyncio.Barrier(3)
        full = asyncio.Queue(1)
        full.put_nowait(1)

        async def notified(condition):
            async with condition:
                await condition.wait()

        made = {
            "notified": notified(condition),
            "getter": queue.get(),
            "putter": full.put(2),
            "joiner": full.join(),
            "arrived": barrier.wait(),
            "c": hold(condition),
            "q": hold(queue),
            "f": hold(full),
            "b": hold(barrier),
        }
        del condition, queue, full, barrier
        return await captured_alone(**made)

    snapshot = run(main())
    assert candidates(snapshot, "notified") == ["c"]
    assert candidates(snapshot, "getter") == ["q"]
    assert candidates(snapshot, "putter") == ["f", "joiner"]
    assert candidates(snapshot, "joiner") == ["f", "putter"]
    assert candidates(snapshot, "arrived") == ["b"]


def test_a_lock_without_a_known_holder():
    async def main():
        lock = asyncio.Lock()
        await lock.acquire()
        made = {"waiter": lock.acquire(), "other": hold(lock)}
        del lock
        return await captured_alone(**made)

    assert candidates(run(main()), "waiter") == ["other"]


# ---- what the loop will call


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


def test_a_callback_that_is_due_still_needs_its_loop():
    async def main():
        event = asyncio.Event()
        waiter = start(event.wait(), "waiter")
        await parked(waiter)
        asyncio.get_running_loop().call_soon(event.set)
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


# ---- limits


def test_too_many_resources_are_said_to_be_cut(monkeypatch):
    monkeypatch.setattr(parties, "_MANY_RESOURCES", 2)

    async def main():
        return await captured_alone(a=hold(), b=hold(), c=hold())

    capture = run(main()).capture
    assert not capture.complete
    assert capture.cut == ("who could free 3 events, queues and futures: more than 2",)


@pytest.mark.parametrize("limit", ["_BUDGET", "_MANY_EDGES"])
def test_a_search_that_takes_too_long_ends(monkeypatch, limit):
    monkeypatch.setattr(parties, limit, 3)

    async def main():
        event = asyncio.Event()
        made = {f"t{number}": hold([event]) for number in range(20)}
        return await captured_alone(waiter=event.wait(), **made)

    snapshot = run(main())
    assert any("more than 3" in sentence for sentence in snapshot.capture.cut)
    assert len(candidates(snapshot, "waiter")) < 20


def test_nothing_is_searched_without_an_open_resource(monkeypatch):
    monkeypatch.setattr(parties, "_Parties", None)

    async def main():
        return await captured_alone(sleeper=asyncio.sleep(1000))

    assert run(main()).capture.errors == ()


def test_a_failure_costs_only_the_candidates(monkeypatch):
    def fails(leads, items, steps):
        raise ZeroDivisionError

    monkeypatch.setattr(Leads, "of", fails)

    async def main():
        event = asyncio.Event()
        return await captured_alone(waiter=event.wait(), other=hold(event))

    snapshot = run(main())
    assert candidates(snapshot, "waiter") == []
    assert "ZeroDivisionError" in snapshot.capture.errors[0]


class Hostile:
    """Everything that runs when somebody looks at it."""

    def __init__(self, event):
        object.__setattr__(self, "event", event)

    def __getattribute__(self, name):
        raise AssertionError(f"agraph read {name}")

    def __len__(self):
        raise AssertionError("agraph called len")

    def __iter__(self):
        raise AssertionError("agraph iterated")

    def __eq__(self, other):
        raise AssertionError("agraph compared")

    __hash__ = None


class HostileDict(dict):
    __len__ = Hostile.__len__
    __iter__ = Hostile.__iter__
    __eq__ = Hostile.__eq__
    __hash__ = None

    def values(self):
        raise AssertionError("agraph asked for values")


def test_nothing_of_the_application_runs():
    async def main():
        event = asyncio.Event()
        made = {
            "waiter": event.wait(),
            "object": hold(Hostile(event)),
            "dict": hold(HostileDict(event=event)),
        }
        del event
        return await captured_alone(**made)

    snapshot = run(main())
    assert candidates(snapshot, "waiter") == ["dict", "object"]
    assert snapshot.capture.errors == ()
