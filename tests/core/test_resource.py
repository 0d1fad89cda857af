"""`agraph.resource`: home-made primitives say who holds them and who waits for them."""

import asyncio
import gc
import threading
import time
import weakref

import pytest
from elsewhere import capture_elsewhere
from live import end, forever, parked, start
from snapshots import graph, node, run, task

import agraph


class Pool:
    """A pool that hands out slots through plain futures, as many home-made ones do."""

    def __init__(self, name, size):
        self.resource = agraph.resource(name, capacity=size)
        self.free = size
        self.queue = []

    async def __aenter__(self):
        if not self.free:
            future = asyncio.get_running_loop().create_future()
            self.queue.append(future)
            with self.resource.waiting():
                await future
        self.free -= 1
        self.stay = self.resource.held().begin()

    async def __aexit__(self, *_):
        self.stay.end()
        self.free += 1
        if self.queue:
            self.queue.pop(0).set_result(None)


async def take(*pools):
    if pools:
        async with pools[0]:
            await asyncio.sleep(0)
            await take(*pools[1:])
    else:
        await forever()


def test_holders_and_waiters():
    async def main():
        pool = Pool("db pool", 1)
        holder = start(take(pool), "holder")
        await parked(holder)
        waiter = start(take(pool), "waiter")
        await parked(waiter)
        snapshot = agraph.capture()
        await end(waiter, holder)
        return snapshot

    snapshot = run(main())
    resource = node(snapshot, "resource")
    assert (resource.name, resource.need, resource.open) == ("db pool", 1, "")
    assert resource.detail == {"value": 0, "bound": 1}
    assert {("waiter", "await", "resource"), ("resource", "held_by", "holder")} <= graph(snapshot)
    (held,) = [e for e in snapshot.edges if e.kind == "held_by"]
    assert held.confidence == "exact"
    site = snapshot.sites[held.site]
    assert (site.file, site.function) == (__file__, "Pool.__aenter__")


def test_two_pools_in_two_orders_are_a_cycle_without_a_way_out():
    async def main():
        one, two = Pool("one", 1), Pool("two", 1)
        tasks = [start(take(one, two), "a"), start(take(two, one), "b")]
        await parked(*tasks)
        while len(one.queue) + len(two.queue) < 2:
            await asyncio.sleep(0)
        snapshot = await capture_elsewhere()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    names = {n.id: n.name for n in snapshot.nodes}
    waits = {(names[e.waiter], names[e.awaited]) for e in snapshot.edges if e.kind in ("await", "held_by")}
    assert {("a", "two"), ("two", "b"), ("b", "one"), ("one", "a")} <= waits
    for name in ("a", "b", "one", "two"):
        (found,) = [n for n in snapshot.nodes if n.name == name]
        assert (found.need, found.open, found.timer) == (1, "", None)


def test_what_is_not_full_is_not_what_is_waited_for():
    async def main():
        pool = agraph.resource("pool", capacity=2)

        async def waits():
            with pool.held():
                async with pool.waiting():
                    await forever()

        waiter = start(waits(), "waiter")
        await parked(waiter)
        snapshot = agraph.capture()
        await end(waiter)
        return snapshot

    snapshot = run(main())
    assert node(snapshot, "resource").need == 0
    assert ("waiter", "await", "future") in graph(snapshot)


@pytest.mark.parametrize("wait", ["sleep", "task", "lock", "nothing"])
def test_only_a_wait_that_asyncio_cannot_explain_is_taken_for_it(wait):
    async def main():
        pool = agraph.resource("pool", capacity=1)
        other = start(forever(), "other")
        lock = asyncio.Lock()
        await lock.acquire()

        async def waits():
            with pool.held():
                pass
            with pool.waiting():
                if wait == "sleep":
                    await asyncio.sleep(1000)
                elif wait == "task":
                    await other
                elif wait == "lock":
                    await lock.acquire()

            await forever()

        with pool.held():
            waiter = start(waits(), "waiter")
            await parked(waiter)
            snapshot = agraph.capture()
        await end(waiter, other)
        return snapshot

    snapshot = run(main())
    awaited = {awaited for waiter, _kind, awaited in graph(snapshot) if waiter == "waiter"}
    assert awaited == {"sleep": set(), "task": {"other"}, "lock": {"lock"}, "nothing": {"future"}}[wait]


def test_a_deadline_stays():
    async def main():
        pool = Pool("pool", 1)

        async def waits():
            async with asyncio.timeout(1000), pool:
                pass

        holder = start(take(pool), "holder")
        await parked(holder)
        waiter = start(waits(), "waiter")
        await parked(waiter)
        snapshot = agraph.capture()
        await end(waiter, holder)
        return snapshot

    snapshot = run(main())
    assert task(snapshot, "waiter").timer is not None
    assert ("waiter", "await", "resource") in graph(snapshot)


async def ends_with_it(pool):
    pool.held().begin()


@pytest.mark.parametrize("holder", ["ended", "no task"])
def test_a_holder_that_is_no_pending_task_leaves_it_open(holder):
    async def main():
        pool = agraph.resource("pool")
        if holder == "ended":
            await start(ends_with_it(pool), "holder")
        else:
            thread = threading.Thread(target=pool.held().begin)
            thread.start()
            thread.join()

        async def waits():
            with pool.waiting():
                await forever()

        waiter = start(waits(), "waiter")
        await parked(waiter)
        snapshot = agraph.capture()
        await end(waiter)
        return snapshot

    snapshot = run(main())
    resource = node(snapshot, "resource")
    assert (resource.need, resource.open) == (1, "not all of its holders are known")
    assert ("waiter", "await", "resource") in graph(snapshot)


def test_stays_end_once_and_begin_once():
    pool = agraph.resource("pool", capacity=3)
    stay = pool.held()
    stay.end()
    assert repr(pool) == "<agraph.resource 'pool': 0 of 3 held>"
    assert stay.begin() is stay
    stay.begin()
    with pool.held():
        assert repr(pool) == "<agraph.resource 'pool': 2 of 3 held>"
    stay.end()
    stay.end()
    assert repr(pool) == "<agraph.resource 'pool': 0 of 3 held>"


def test_both_kinds_of_with():
    async def main():
        pool = agraph.resource("pool", capacity=3)
        with pool.held() as one:
            async with pool.held() as two, pool.waiting():
                assert one is not two
                assert (len(pool.holders()), len(pool.waiters())) == (2, 1)
        assert (pool.holders(), pool.waiters()) == ([], [])

    run(main())


async def waits_for(pool):
    with pool.waiting():
        await forever()


def holders_when_handed(hand):
    """The holders of a resource whose stay another task will end, and why it is open."""

    async def main():
        pool = agraph.resource("pool")

        async def ends(stay):
            await forever()
            stay.end()

        async def begins():
            stay = pool.held().begin()
            other = start(ends(stay), "ends")
            hand(stay, other)
            waiter = start(waits_for(pool), "waiter")
            await waiter

        holder = start(begins(), "begins")
        await parked(holder)
        tasks = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        await parked(*tasks)
        snapshot = agraph.capture()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    names = {one.id: one.name for one in snapshot.nodes}
    held = {(names[e.awaited], e.confidence) for e in snapshot.edges if e.kind == "held_by"}
    return held, node(snapshot, "resource").open


def test_a_stay_that_another_task_may_end():
    assert holders_when_handed(lambda _stay, _other: None) == (
        {("begins", "probable")},
        "not all of its holders are known",
    )


def test_a_stay_that_is_handed_to_the_task_that_ends_it():
    held = holders_when_handed(lambda stay, other: stay.hand_to(other))
    assert held == ({("ends", "exact")}, "")


def test_a_stay_that_is_handed_to_any_task():
    held, is_open = holders_when_handed(lambda stay, _other: stay.hand_to(None))
    assert (held, is_open) == (set(), "not all of its holders are known")


def test_a_stay_that_has_not_begun_is_handed_to_nobody():
    pool = agraph.resource("pool")
    pool.held().hand_to(None)
    assert pool.holders() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": None}, "the name of a resource is None: expected a string"),
        (
            {"name": "pool", "capacity": "3"},
            "the capacity of resource 'pool' is '3': expected a whole number",
        ),
        (
            {"name": "pool", "capacity": 1.5},
            "the capacity of resource 'pool' is 1.5: expected a whole number",
        ),
    ],
)
def test_what_is_no_name_or_no_capacity(arguments, message):
    with pytest.raises(TypeError, match=message):
        agraph.resource(**arguments)


def test_capacity_is_at_least_one():
    with pytest.raises(ValueError, match="the capacity of resource 'pool' is 0: expected at least 1"):
        agraph.resource("pool", capacity=0)


def test_nothing_is_kept_alive():
    async def main():
        pool = agraph.resource("pool")
        holder = start(take(), "holder")
        ref = weakref.ref(holder)

        async def holds():
            pool.held().begin()

        other = start(holds())
        await other
        other_ref = weakref.ref(other)
        await end(holder)
        agraph.capture()
        return pool, ref, other_ref

    pool, *refs = run(main())
    gc.collect()
    assert [ref() for ref in refs] == [None, None]
    gone = weakref.ref(pool)
    del pool
    assert gone() is None


def test_a_stay_costs_little():
    pool = agraph.resource("pool")

    def per_stay():
        start_time = time.process_time()
        for _ in range(2000):
            with pool.held():
                pass
        return (time.process_time() - start_time) / 2000

    assert min(per_stay() for _ in range(5)) < 20e-6
