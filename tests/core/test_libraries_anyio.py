"""The primitives of anyio: what a task waits for, and who holds it."""

import asyncio

import pytest
from elsewhere import capture_elsewhere
from live import end, forever, parked, start
from snapshots import graph, node, run, task

import agraph
from agraph._internal import libraries
from agraph.reduction import judge, user_site

anyio = pytest.importorskip("anyio", reason="anyio is not installed")


async def captured(**coroutines):
    """A snapshot of these tasks, each started when the one before waits."""
    tasks = []
    for name, coroutine in coroutines.items():
        tasks.append(start(coroutine, name))
        await parked(*tasks)
    snapshot = await capture_elsewhere()
    await end(*reversed(tasks))
    return snapshot


async def hold(manager):
    async with manager:
        await forever()


async def take_and_keep(lock):
    await lock.acquire()
    try:
        await forever()
    finally:
        lock.release()


def held_by(snapshot):
    """The edges to holders, by name, with their confidence and the function in which it was taken."""
    names = {n.id: n.name for n in snapshot.nodes}
    return sorted(
        (names[e.awaited], e.confidence, None if e.site is None else snapshot.sites[e.site].function)
        for e in snapshot.edges
        if e.kind == "held_by"
    )


@pytest.mark.parametrize("fast", [False, True])
def test_lock(fast):
    async def main():
        lock = anyio.Lock(fast_acquire=fast)
        return await captured(holder=hold(lock), waiter=hold(lock))

    snapshot = run(main())
    lock = node(snapshot, "lock")
    assert (lock.state, lock.need, lock.open) == ("locked", 1, "")
    assert ("waiter", "lock", "lock") in graph(snapshot)
    assert held_by(snapshot) == [("holder", "exact", "hold")]


def test_lock_without_a_block():
    async def main():
        lock = anyio.Lock()
        return await captured(holder=take_and_keep(lock), waiter=hold(lock))

    snapshot = run(main())
    assert node(snapshot, "lock").open == ""
    assert held_by(snapshot) == [("holder", "exact", None)]


def test_two_locks_in_two_orders():
    async def main():
        one, two = anyio.Lock(), anyio.Lock()
        ready = asyncio.Event()

        async def takes(first, second):
            async with first:
                await ready.wait()
                async with second:
                    pass

        tasks = [start(takes(one, two), "a"), start(takes(two, one), "b")]
        await parked(*tasks)
        ready.set()
        while len(one._waiters) + len(two._waiters) < 2:
            await asyncio.sleep(0)
        snapshot = await capture_elsewhere()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    for name in ("a", "b"):
        found = task(snapshot, name)
        (lock,) = [e.awaited for e in snapshot.edges if e.waiter == found.id and e.kind != "structural"]
        (holder,) = [e.awaited for e in snapshot.edges if e.waiter == lock and e.kind == "held_by"]
        assert holder != found.id
    assert [n.open for n in snapshot.nodes if n.kind == "lock"] == ["", ""]
    assert {e.confidence for e in snapshot.edges if e.kind in ("lock", "held_by")} == {"exact"}


def test_a_lock_belongs_to_the_next_in_its_queue_at_once():
    async def main():
        lock, go = anyio.Lock(), asyncio.Event()

        async def gives_back():
            async with lock:
                await go.wait()
            return agraph.capture()

        holder = start(gives_back(), "holder")
        await parked(holder)
        waiters = [start(hold(lock), f"w{number}") for number in range(2)]
        await parked(*waiters)
        go.set()
        snapshot = await holder
        await end(*waiters)
        return snapshot

    snapshot = run(main())
    assert held_by(snapshot) == [("w0", "exact", None)]
    assert task(snapshot, "w0").state == "ready"
    assert ("w1", "lock", "lock") in graph(snapshot)


def test_semaphore_with_a_bound():
    async def main():
        semaphore = anyio.Semaphore(2, max_value=2)
        return await captured(a=hold(semaphore), b=hold(semaphore), waiter=hold(semaphore))

    snapshot = run(main())
    semaphore = node(snapshot, "semaphore")
    assert (semaphore.need, semaphore.open, semaphore.detail) == (1, "", {"value": 0, "bound": 2})
    assert held_by(snapshot) == [("a", "exact", "hold"), ("b", "exact", "hold")]


@pytest.mark.parametrize("case", ["no bound", "bare acquire"])
def test_semaphore_whose_holders_may_be_others(case):
    async def main():
        semaphore = anyio.Semaphore(1, max_value=None if case == "no bound" else 1)
        how = hold if case == "no bound" else take_and_keep
        return await captured(holder=how(semaphore), waiter=hold(semaphore))

    snapshot = run(main())
    assert node(snapshot, "semaphore").open
    assert ("waiter", "lock", "semaphore") in graph(snapshot)


def test_capacity_limiter():
    async def main():
        limiter = anyio.CapacityLimiter(1)
        return await captured(holder=hold(limiter), waiter=hold(limiter))

    snapshot = run(main())
    limiter = node(snapshot, "semaphore")
    assert (limiter.type, limiter.need, limiter.open) == ("CapacityLimiter", 1, "")
    assert limiter.detail == {"value": 0, "bound": 1}
    assert held_by(snapshot) == [("holder", "exact", "hold")]
    assert ("waiter", "lock", "semaphore") in graph(snapshot)


def test_capacity_limiter_borrowed_for_something_that_is_no_task():
    async def main():
        limiter = anyio.CapacityLimiter(1)
        limiter.acquire_on_behalf_of_nowait("a connection")
        snapshot = await captured(waiter=hold(limiter))
        limiter.release_on_behalf_of("a connection")
        return snapshot

    assert node(run(main()), "semaphore").open == "not all of its holders are known"


def test_event():
    async def main():
        event = anyio.Event()
        made = {"waiter": event.wait(), "setter": hold_argument(event)}
        return await captured(**made)

    snapshot = run(main())
    event = node(snapshot, "event")
    assert event.open
    assert {("waiter", "await", "event"), ("event", "any_of", "setter")} <= graph(snapshot)


async def hold_argument(thing):
    await forever()
    return thing


def test_condition_gives_its_lock_back_while_it_waits():
    async def main():
        condition = anyio.Condition()

        async def waits():
            async with condition:
                await condition.wait()

        return await captured(waiter=waits(), holder=hold(condition))

    snapshot = run(main())
    assert node(snapshot, "condition").open
    assert ("waiter", "await", "condition") in graph(snapshot)


def test_condition_that_waits_for_its_lock_again():
    async def main():
        condition = anyio.Condition()

        async def waits():
            async with condition:
                await condition.wait()

        async def notifies():
            async with condition:
                condition.notify()
                await forever()

        return await captured(waiter=waits(), holder=notifies())

    snapshot = run(main())
    assert ("waiter", "lock", "lock") in graph(snapshot)
    assert ("lock", "held_by", "holder") in graph(snapshot)


GLOBAL = {
    "lock": anyio.Lock(),
    "semaphore": anyio.Semaphore(1, max_value=1),
    "limiter": anyio.CapacityLimiter(1),
}


@pytest.mark.parametrize("kind", GLOBAL)
def test_a_primitive_that_was_made_before_there_was_a_loop(kind):
    async def main():
        return await captured(holder=hold(GLOBAL[kind]), waiter=hold(GLOBAL[kind]))

    snapshot = run(main())
    found = node(snapshot, "lock" if kind == "lock" else "semaphore")
    names = {one.id: one.name for one in snapshot.nodes}
    held = [(names[e.awaited], e.confidence) for e in snapshot.edges if e.kind == "held_by"]
    assert (found.open, held) == ("", [("holder", "exact")])
    assert "_internal" not in found.name


def test_the_two_ends_of_a_stream():
    async def main():
        sends, receives = anyio.create_memory_object_stream(0)
        other_sends, other_receives = anyio.create_memory_object_stream(0)

        async def left():
            await sends.send(1)
            await other_receives.receive()

        async def right():
            await other_receives.receive()
            await other_sends.send(2)
            await receives.receive()

        snapshot = await captured(left=left(), right=right())
        for stream in (sends, receives, other_sends, other_receives):
            stream.close()
        return snapshot

    snapshot = run(main())
    operations = {(n.kind, n.detail["operation"], bool(n.open)) for n in snapshot.nodes if n.kind == "queue"}
    assert operations == {("queue", "put", True), ("queue", "get", True)}
    found = graph(snapshot)
    assert {("left", "await", "queue"), ("right", "await", "queue"), ("queue", "any_of", "right")} <= found


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_of_a_task_group_waits_for_its_tasks(fails):
    async def main():
        lock, ready = asyncio.Lock(), anyio.Event()

        async def twice():
            async with lock, lock:
                pass

        async def raises():
            await ready.wait()
            raise ValueError

        async def parent():
            async with anyio.create_task_group() as group:
                group.start_soon(twice, name="twice")
                if fails:
                    group.start_soon(raises, name="raises")

        async def sets():
            await anyio.sleep(1000)
            ready.set()

        tasks = [start(parent(), "parent"), start(sets(), "sets")]
        while len(asyncio.all_tasks()) < 4 + fails:
            await asyncio.sleep(0)
        await parked(*(asyncio.all_tasks() - {asyncio.current_task()}))
        snapshot = await capture_elsewhere()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    waiter = task(snapshot, "parent")
    assert (waiter.need, waiter.exc) == (1 + fails, True)
    assert ("parent", "all_of", "twice") in graph(snapshot)
    assert judge(snapshot).verdict == ("possible" if fails else "certain")


def test_fail_after_is_a_deadline():
    async def main():
        lock = anyio.Lock()

        async def waits():
            with anyio.fail_after(1000):
                async with lock:
                    pass

        return await captured(holder=hold(lock), waiter=waits())

    snapshot = run(main())
    assert task(snapshot, "waiter").timer is not None


def test_another_version_of_anyio_is_said_to_be_unknown(monkeypatch):
    monkeypatch.setattr(libraries, "_loaded", {})
    monkeypatch.delattr("anyio._backends._asyncio.Semaphore")

    async def main():
        lock = anyio.Lock()
        return await captured(holder=hold(lock), waiter=hold(lock))

    snapshot = run(main())
    assert "anyio" in snapshot.capture.unknown
    assert ("waiter", "await", "future") in graph(snapshot)
    assert agraph.Snapshot.from_dict(snapshot.to_dict()) == snapshot


def test_a_task_waits_where_the_program_has_called_anyio():
    async def main():
        lock = anyio.Lock()
        return await captured(holder=hold(lock), waiter=hold(lock))

    snapshot = run(main())
    assert user_site(snapshot, task(snapshot, "waiter")).file == __file__
