"""Who holds locks that a loop took one after the other by a bare `acquire`."""

import asyncio

import pytest
from live import end, forever, parked, start
from snapshots import run, wants

import agraph


async def all_of_a_list(locks):
    for lock in locks:
        await lock.acquire()
    await forever()


async def all_in_order(locks):
    for lock in sorted(locks, key=id):
        await lock.acquire()
    await forever()


async def all_of_a_dictionary(locks):
    by_name = dict(enumerate(locks))
    for lock in by_name.values():
        await lock.acquire()
    await forever()


async def attributes_of_all(locks):
    boxes = [Pocket(lock) for lock in locks]
    for box in boxes:
        await box.lock.acquire()
    await forever()


async def by_a_manager(locks):
    async with AllOf(locks):
        await forever()


class Pocket:
    def __init__(self, lock):
        self.lock = lock


class AllOf:
    """A manager that takes several locks."""

    def __init__(self, locks):
        self._locks = locks

    async def __aenter__(self):
        for lock in self._locks:
            await lock.acquire()

    async def __aexit__(self, *_):
        for lock in self._locks:
            lock.release()


def holders_of(snapshot, names):
    """By the position of each lock among those that tasks called `wants-N` wait for: who holds it."""
    nodes = {one.id: one.name for one in snapshot.nodes}
    waits = {nodes[e.waiter]: e.awaited for e in snapshot.edges if e.kind == "lock"}
    holds = {e.waiter: nodes[e.awaited] for e in snapshot.edges if e.kind == "held_by"}
    return [holds.get(waits[name]) for name in names]


def taken_by(function, count=3, taken=None):
    """Who holds each of some locks, when one task runs `function(locks)`; one lock may be taken before."""

    async def main():
        locks = [asyncio.Lock() for _ in range(count)]
        if taken is not None:
            ordered = sorted(locks, key=id) if function is all_in_order else locks
            await eval("lock.acquire()", {"lock": ordered[taken]})
        first = start(function(locks), "holder")
        await parked(first)
        ordered = sorted(locks, key=id) if function is all_in_order else locks
        names = [f"wants-{number}" for number, lock in enumerate(ordered) if lock.locked()]
        others = [start(wants(lock), f"wants-{n}") for n, lock in enumerate(ordered) if lock.locked()]
        await parked(*others)
        snapshot = agraph.capture()
        await end(first, *others)
        return holders_of(snapshot, names)

    return run(main())


IN_LOOPS = [all_of_a_list, all_in_order, all_of_a_dictionary, attributes_of_all]


@pytest.mark.parametrize("function", [*IN_LOOPS, by_a_manager])
def test_all_that_a_loop_has_acquired(function):
    assert taken_by(function) == ["holder"] * 3


@pytest.mark.parametrize("function", [all_of_a_list, all_in_order])
def test_what_a_loop_has_acquired_before_it_waits(function):
    assert taken_by(function, taken=2) == ["holder", "holder", None]
    assert taken_by(function, taken=1) == ["holder", None]
    assert taken_by(function, taken=0) == [None]


async def each_in_turn(locks):
    for lock in locks:
        await lock.acquire()
        await asyncio.sleep(0)
        lock.release()
    await forever()


def test_a_loop_that_gives_back():
    async def main():
        locks = [asyncio.Lock() for _ in range(2)]
        for lock in locks:
            await eval("lock.acquire()", {"lock": lock})
        first = start(each_in_turn(locks), "other")
        second = start(wants(locks[0]), "wants-0")
        await parked(first, second)
        snapshot = agraph.capture()
        await end(first, second)
        return snapshot

    assert holders_of(run(main()), ["wants-0"]) == [None]
