"""What an open block has taken but given back already: it is not said that the task surely holds it."""

import asyncio
import contextlib

import pytest
from live import end, forever, parked, start
from snapshots import captured, node, run, wants

import agraph
from agraph.reduction import judge


def claims(snapshot, kind="lock"):
    """Who is said to hold the one lock of a snapshot, and how sure that is."""
    lock = node(snapshot, kind)
    names = {one.id: one.name for one in snapshot.nodes}
    return {
        (names[e.awaited], e.confidence)
        for e in snapshot.edges
        if e.waiter == lock.id and e.kind == "held_by"
    }


# ---- conditions that are not waited for directly


class OwnWait(asyncio.Condition):
    async def wait(self):
        return await super().wait()


async def by_helper(condition):
    async def helper():
        await condition.wait()

    async with condition:
        await helper()


async def by_wait_for(condition):
    async with condition:
        await asyncio.wait_for(condition.wait(), None)


async def by_wait_for_with_a_limit(condition):
    async with condition:
        await asyncio.wait_for(condition.wait(), 60)


async def by_gather(condition):
    async with condition:
        await asyncio.gather(condition.wait())


async def by_task(condition):
    async with condition:
        await asyncio.wait([asyncio.create_task(condition.wait())])


async def by_its_lock(condition):
    async with condition._lock:
        await condition.wait()


async def by_another_condition(condition):
    async with asyncio.Condition(condition._lock):
        await condition.wait()


async def by_acquire(condition):
    async def helper():
        await condition.wait()

    await condition.acquire()
    try:
        await helper()
    finally:
        condition.release()


WAITS = [
    by_helper,
    by_wait_for,
    by_wait_for_with_a_limit,
    by_gather,
    by_task,
    by_its_lock,
    by_another_condition,
    by_acquire,
]


async def produce(condition):
    await condition.acquire()
    condition.notify_all()
    try:
        await forever()
    finally:
        condition.release()


@pytest.mark.parametrize("kind", [asyncio.Condition, OwnWait], ids=["plain", "subclass"])
@pytest.mark.parametrize("waits", WAITS)
def test_a_task_that_waits_for_a_condition_does_not_hold_its_lock(waits, kind):
    async def main():
        condition = kind(asyncio.Lock())
        consumer = start(waits(condition), "consumer")
        await parked(consumer)
        while condition.locked():
            await asyncio.sleep(0)
        producer = start(produce(condition), "producer")
        await parked(producer)
        while not condition._lock._waiters:  # the consumer has been notified
            await asyncio.sleep(0)
        snapshot = agraph.capture()
        await end(producer)
        await end(consumer)
        return snapshot

    snapshot = run(main())
    assert "consumer" not in {name for name, _ in claims(snapshot)}
    assert judge(snapshot).verdict != "certain"


@pytest.mark.parametrize("waits", WAITS)
def test_those_who_wait_for_a_condition_hide_no_deadlock(waits):
    async def both(first, second):
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    async def main():
        condition, lock = asyncio.Condition(), asyncio.Lock()
        consumer = start(waits(condition), "consumer")
        await parked(consumer)
        while condition.locked():
            await asyncio.sleep(0)
        tasks = [start(both(condition, lock), "one"), start(both(lock, condition), "other")]
        await parked(*tasks)
        while not condition._lock._waiters:
            await asyncio.sleep(0)
        snapshot = agraph.capture()
        await end(*tasks)
        await end(consumer)
        return snapshot

    assert judge(run(main())).verdict == "certain"


# ---- released before the end of the block


async def in_its_block(lock, other):
    async with lock:
        lock.release()
        await forever()


async def by_another_name(lock, other):
    mine = lock
    async with lock:
        mine.release()
        await forever()


async def in_a_function_called(lock, other):
    async def inner(taken):
        taken.release()
        try:
            await forever()
        finally:
            await taken.acquire()

    async with lock:
        await inner(lock)


@contextlib.asynccontextmanager
async def unlocked(lock):
    lock.release()
    try:
        yield
    finally:
        await lock.acquire()


async def in_a_context_manager(lock, other):
    async with lock, unlocked(lock):
        await forever()


class Unlocked:
    def __init__(self, lock):
        self._lock = lock

    async def __aenter__(self):
        self._lock.release()

    async def __aexit__(self, *_):
        await self._lock.acquire()


async def in_a_manager(lock, other):
    async with lock, Unlocked(lock):
        await forever()


class NotAtOnce(asyncio.Lock):
    """Entering it takes it only if it is free."""

    async def __aenter__(self):
        if not self.locked():
            await self.acquire()

    async def __aexit__(self, *_):
        pass


EARLY = [in_its_block, by_another_name, in_a_function_called, in_a_context_manager, in_a_manager]


def with_another_holder(function, make=asyncio.Lock):
    """Who is said to hold a lock, when the source says nothing of the task that really does."""

    async def main():
        lock, other = make(), asyncio.Lock()
        first = start(function(lock, other), "holder")
        while not first_waits(first):
            await asyncio.sleep(0)
        await eval("lock.acquire()", {"lock": lock})
        snapshot = await captured(wants(lock))
        lock.release()
        with contextlib.suppress(RuntimeError):  # some release it once more
            await end(first)
        return snapshot

    def first_waits(first):
        return agraph.capture_call_graph(first).call_stack[0].frame.f_code.co_name == "forever"

    return run(main())


@pytest.mark.parametrize("function", EARLY)
def test_a_lock_that_may_be_released_before_the_end_of_its_block(function):
    snapshot = with_another_holder(function)
    assert claims(snapshot) == {("holder", "probable")}
    assert node(snapshot, "lock").open


def test_a_semaphore_that_may_be_released_before_the_end_of_its_block():
    snapshot = with_another_holder(in_its_block, lambda: asyncio.BoundedSemaphore(1))
    assert claims(snapshot, "semaphore") == {("holder", "probable")}
    assert node(snapshot, "semaphore").open


def test_a_lock_of_a_type_that_need_not_be_acquired_to_be_entered():
    async def enters(lock):
        async with lock:
            await forever()

    async def main():
        lock = NotAtOnce()
        await eval("lock.acquire()", {"lock": lock})
        return await captured(enters(lock), wants_by_acquire(lock))

    async def wants_by_acquire(lock):
        await lock.acquire()

    assert claims(run(main())) == {("enters", "probable")}


async def releases_others(lock, other):
    async with lock:
        await other.acquire()
        other.release()
        await forever()


async def releases_it_later(lock, other):
    async with lock:
        await forever()
        lock.release()


async def has_released_it_before(lock, other):
    await lock.acquire()
    lock.release()
    async with lock:
        await forever()


async def around_one_that_gives_back_later(lock, other):
    async with lock, taken(other):
        await forever()


@contextlib.asynccontextmanager
async def taken(lock):
    await lock.acquire()
    try:
        yield
    finally:
        lock.release()


class Counted(asyncio.Lock):
    """Does something besides."""

    count = 0

    async def acquire(self):
        self.count += 1
        return await super().acquire()


@pytest.mark.parametrize("make", [asyncio.Lock, Counted])
@pytest.mark.parametrize(
    "function",
    [releases_others, releases_it_later, has_released_it_before, around_one_that_gives_back_later],
)
def test_a_lock_that_is_surely_held(function, make):
    async def main():
        lock = make()
        first = start(function(lock, asyncio.Lock()), "holder")
        await parked(first)
        snapshot = await captured(wants(lock))
        await end(first)
        return snapshot

    snapshot = run(main())
    awaited = {e.awaited for e in snapshot.edges if e.kind == "held_by" and e.confidence == "exact"}
    assert [one.name for one in snapshot.nodes if one.id in awaited] == ["holder"]
    (lock,) = {e.awaited for e in snapshot.edges if e.kind == "lock"}
    assert next(one for one in snapshot.nodes if one.id == lock).open == ""


# ---- async generators


async def items(lock):
    async with lock:
        yield 1
        yield 2


async def over(generator):
    async for _ in generator:
        await forever()


def test_two_that_go_through_one_generator():
    async def main():
        lock = asyncio.Lock()
        generator = items(lock)
        tasks = [start(over(generator), "first"), start(over(generator), "second")]
        await parked(tasks[0])
        await asyncio.wait([tasks[1]], timeout=0)
        snapshot = await captured(wants(lock))
        await end(*tasks)
        await generator.aclose()
        return snapshot

    assert ("second", "exact") not in claims(run(main()))


def test_a_generator_in_a_local_of_another_task():
    async def knows(generator):
        async for _ in nothing():
            pass
        await forever()

    async def nothing():
        return
        yield

    async def main():
        lock = asyncio.Lock()
        generator = items(lock)
        tasks = [start(over(generator), "holder"), start(knows(generator), "knows")]
        await parked(*tasks)
        snapshot = await captured(wants(lock))
        await end(*tasks)
        await generator.aclose()
        return snapshot

    # Whoever else has it may close it.
    assert claims(run(main())) == {("holder", "probable")}


def test_a_generator_with_a_name_counts_once():
    async def main():
        free = asyncio.BoundedSemaphore(2)
        await eval("free.acquire()", {"free": free})
        holder = start(over(items(free)), "holder")
        await parked(holder)
        snapshot = await captured(wants(free))
        await end(holder)
        return snapshot

    snapshot = run(main())
    assert claims(snapshot, "semaphore") == {("holder", "exact")}
    assert node(snapshot, "semaphore").open


# ---- exits among the arguments of a call


def test_an_exit_among_the_arguments_of_a_call():
    async def calls(lock, other):
        async with lock:
            min(other.__aexit__, type(other).__aexit__, other, await forever())

    async def main():
        lock, other = asyncio.Lock(), asyncio.Lock()
        await eval("lock.acquire()", {"lock": other})
        holder = start(calls(lock, other), "holder")
        await parked(holder)
        snapshot = await captured(wants(lock))
        await end(holder)
        return snapshot

    assert claims(run(main())) == {("holder", "exact")}
