"""Who could free an event, a condition, a queue or a plain future: guessed from what tasks and loops lead to."""

import asyncio
import functools

import pytest
from elsewhere import candidates, captured_alone
from live import end, forever, parked, start
from snapshots import run, task

import agraph
from agraph._internal import parties
from agraph._internal.leads import Leads


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
