"""Names are found without running, changing or keeping anything of the application."""

import asyncio
import gc
import sys
import types
import weakref

from live import end, forever, parked, start
from snapshots import captured, name_of_one, names_of, node, run, taken, takes

import agraph
from agraph._internal import names
from agraph._internal.reach import Search


class Pool:
    def __init__(self):
        self._lock = asyncio.Lock()

    async def takes_lock(self):
        async with self._lock:
            pass


class Evil(type):
    """A class of which nothing may be asked."""

    def __getattribute__(cls, name):
        raise AssertionError(name)

    def __hash__(cls):
        raise AssertionError

    def __eq__(cls, other):
        raise AssertionError


class Touchy(metaclass=Evil):
    """An object of which nothing may be asked; it has a lock all the same."""

    def __getattribute__(self, name):
        raise AssertionError(name)

    def __len__(self):
        raise AssertionError

    __iter__ = __bool__ = __repr__ = __str__ = __hash__ = __len__

    def __eq__(self, other):
        raise AssertionError

    @property
    def __dict__(self):
        raise AssertionError

    @property
    def __class__(self):
        raise AssertionError


class SameHash:
    """A key that would be asked whether it is `lock`."""

    def __hash__(self):
        return hash("lock")

    def __eq__(self, other):
        raise AssertionError


def test_no_code_of_the_application_runs():
    lock, other = asyncio.Lock(), asyncio.Lock()
    touchy = object.__new__(Touchy)
    object.__setattr__(touchy, "lock", lock)

    async def waits(it, table):
        async with lock_of[0]:
            pass

    async def waits_too(table):
        async with lock_of[1]:
            pass

    lock_of = types.MappingProxyType({0: lock, 1: other})  # is not looked into

    async def main():
        await taken(lock, other)
        return await captured(waits(touchy, {SameHash(): touchy}), waits_too({SameHash(): other}))

    snapshot = run(main())
    assert snapshot.capture.errors == ()
    assert names_of(snapshot, "lock") == ["lock", "table[...]"]


def test_nothing_stays_alive():
    async def main():
        pool = Pool()
        await taken(pool._lock)
        task = start(pool.takes_lock())
        await parked(task)
        agraph.capture()
        lock = weakref.ref(pool._lock)
        await end(task)
        return lock

    lock = run(main())
    gc.collect()
    assert lock() is None


def test_a_search_leaves_no_reference_without_any_garbage_collection():
    async def main():
        pool = Pool()
        await taken(pool._lock)
        task = start(pool.takes_lock())
        await parked(task)
        coroutine = task.get_coro()
        watched = [pool, pool._lock, pool.__dict__, task, coroutine]
        frame = coroutine.cr_frame
        before = list(map(sys.getrefcount, watched))
        gc.collect()
        gc.disable()
        try:
            ways = Search({id(pool._lock)}, 1000).from_frame(coroutine, frame)
            assert [way.short for way in ways] == ["Pool._lock"]
            del ways
            assert list(map(sys.getrefcount, watched)) == before
        finally:
            gc.enable()
        await end(task)

    run(main())


def test_the_dictionary_that_a_frame_has_of_its_own_is_left_alone():
    async def main():
        async def waits(gate):
            mine = locals()
            mine["extra"] = 1
            kept.append(mine)
            await gate.wait()

        kept = []
        snapshot = await captured(waits(asyncio.Event()))
        assert kept[0]["extra"] == 1
        return snapshot

    assert run(main()).capture.errors == ()


def test_a_large_container_is_not_looked_into(monkeypatch):
    async def main():
        rows = [object()] * 50_000 + [asyncio.Event()]

        async def waits(it):
            await it.wait()

        async def keeps(rows):
            await forever()

        return await captured(waits(rows[-1]), keeps(rows))

    assert name_of_one(main, "event") == "it"


def test_containers_that_contain_themselves():
    async def main():
        loop = []
        loop.append(loop)
        table = {"loop": loop, "gate": asyncio.Event()}
        table["self"] = table
        loop.append(table)

        async def waits(loop, gate):
            await gate.wait()

        return await captured(waits(loop, table["gate"]))

    assert name_of_one(main, "event") in {"table['gate']", "loop[1]['gate']"}


def test_what_goes_wrong_costs_the_names_only(monkeypatch):
    async def main():
        lock = asyncio.Lock()
        await lock.acquire()
        return await captured(takes(lock))

    monkeypatch.setattr(names, "_targets", lambda *_: 1 / 0)
    snapshot = run(main())
    assert node(snapshot, "lock").name == ""
    assert "names" in snapshot.capture.errors[0]
    assert snapshot.capture.unknown == ("names",)
