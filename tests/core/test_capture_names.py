"""Locks, queues, events and futures are called what the program calls them."""

import asyncio
import collections
import gc
import sys
import types
import weakref

import pytest
from live import end, forever, parked, start
from snapshots import captured, node, run

import agraph
from agraph._internal import names
from agraph._internal.reach import Search

MODULE_LOCK = asyncio.Lock()


class Pool:
    """Keeps locks in every way an instance can."""

    shared = asyncio.Lock()

    def __init__(self):
        self._lock = asyncio.Lock()
        self.__hidden = asyncio.Lock()
        self.by_key = {"x": asyncio.Lock(), 7: asyncio.Lock()}
        self.in_order = [asyncio.Lock(), asyncio.Lock()]

    async def takes_lock(self):
        async with self._lock:
            pass

    async def takes_hidden(self):
        async with self.__hidden:
            pass

    async def takes_shared(self):
        async with self.shared:
            pass

    async def takes_by_key(self):
        async with self.by_key["x"]:
            pass

    async def takes_by_number(self):
        async with self.by_key[7]:
            pass

    async def takes_in_order(self):
        async with self.in_order[1]:
            pass

    async def lock_all(self):
        for lock in (self._lock, self.__hidden, *self.by_key.values(), *self.in_order):
            await lock.acquire()


class Slotted:
    __slots__ = ("lock", "unset")

    def __init__(self):
        self.lock = asyncio.Lock()

    async def takes(self):
        async with self.lock:
            pass


async def takes(lock):
    async with lock:
        pass


async def taken(*locks):
    for lock in locks:
        await lock.acquire()


def name_of_one(main, kind="lock"):
    return node(run(main()), kind).name


def names_of(snapshot, kind):
    return sorted(found.name for found in snapshot.nodes if found.kind == kind)


# ---- what source code gets at


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("takes_lock", "Pool._lock"),
        ("takes_hidden", "Pool.__hidden"),
        ("takes_by_key", "Pool.by_key['x']"),
        ("takes_by_number", "Pool.by_key[7]"),
        ("takes_in_order", "Pool.in_order[1]"),
    ],
)
def test_an_attribute_of_an_instance(method, name):
    async def main():
        pool = Pool()
        await pool.lock_all()
        return await captured(getattr(pool, method)())

    assert name_of_one(main) == name


def test_an_attribute_of_a_class():
    async def main():
        await taken(Pool.shared)
        try:
            return await captured(Pool().takes_shared())
        finally:
            Pool.shared.release()

    assert name_of_one(main) == "Pool.shared"


def test_a_slot():
    async def main():
        slotted = Slotted()
        await taken(slotted.lock)
        return await captured(slotted.takes())

    assert name_of_one(main) == "Slotted.lock"


def test_an_item_of_a_container():
    async def main():
        locks = collections.defaultdict(asyncio.Lock)
        await taken(locks["a"], locks[("not", "shown")])
        return await captured(takes(locks["a"]), takes(locks[("not", "shown")]))

    assert names_of(run(main()), "lock") == ["locks['a']", "locks[...]"]


def test_an_item_tells_more_than_the_class_of_the_item():
    async def main():
        accounts = [Slotted(), Slotted(), Slotted()]
        await taken(accounts[2].lock)
        return await captured(accounts[2].takes(), holds_all(accounts))

    async def holds_all(accounts):
        await forever()

    assert name_of_one(main) == "Slotted.lock"

    async def two():
        accounts = [Slotted(), Slotted(), Slotted()]
        await taken(accounts[0].lock, accounts[2].lock)
        return await captured(accounts[0].takes(), accounts[2].takes(), holds_all(accounts))

    assert names_of(run(two()), "lock") == ["accounts[0].lock", "accounts[2].lock"]


def test_a_variable_of_an_enclosing_function():
    async def main():
        gate = asyncio.Event()

        async def waits():
            await gate.wait()

        return await captured(waits())

    assert name_of_one(main, "event") == "gate"


def test_a_variable_of_a_module():
    async def main():
        async def waits():
            async with MODULE_LOCK:
                pass

        await taken(MODULE_LOCK)
        try:
            return await captured(waits())
        finally:
            MODULE_LOCK.release()

    assert name_of_one(main) == f"{__name__}.MODULE_LOCK"


def test_a_variable_of_a_module_that_another_imports():
    async def main():
        await taken(module.lock)
        return await captured(takes(module.lock))

    module = types.ModuleType("app.state")
    module.lock = asyncio.Lock()
    globals()["app_state"] = module
    try:
        assert name_of_one(main) == "app.state.lock"
    finally:
        del globals()["app_state"]


def test_an_attribute_of_a_simple_namespace():
    async def main():
        state = types.SimpleNamespace(lock=asyncio.Lock())
        await taken(state.lock)
        return await captured(takes(state.lock))

    assert name_of_one(main) == "state.lock"


def test_the_ends_of_a_queue():
    async def main():
        jobs = asyncio.Queue(1)
        other = asyncio.Queue(1)
        jobs.put_nowait(1)
        return await captured(jobs.put(2), jobs.join(), other.get())

    assert names_of(run(main()), "queue") == ["jobs.join()", "jobs.put()", "other.get()"]


def test_the_lock_inside_of_a_condition_goes_by_the_name_of_the_condition():
    async def main():
        changed = asyncio.Condition()
        await changed.acquire()
        return await captured(takes(changed))

    assert name_of_one(main) == "changed"


@pytest.mark.parametrize("kind", ["event", "condition", "semaphore", "barrier", "future"])
def test_every_kind(kind):
    async def main():
        loop = asyncio.get_running_loop()
        made = {
            "event": asyncio.Event,
            "condition": asyncio.Condition,
            "semaphore": lambda: asyncio.Semaphore(0),
            "barrier": lambda: asyncio.Barrier(2),
            "future": loop.create_future,
        }
        it = made[kind]()

        async def waits():
            if kind == "condition":
                async with it:
                    await it.wait()
            elif kind == "semaphore":
                await it.acquire()
            elif kind == "future":
                await it
            else:
                await it.wait()

        return await captured(waits())

    assert name_of_one(main, kind) == "it"


# ---- telling them apart


def test_a_parameter_gives_way_to_the_variable_of_another_task():
    async def main():
        first, second = asyncio.Lock(), asyncio.Lock()

        async def both(one, other):
            async with one:
                await asyncio.sleep(0)
                async with other:
                    pass

        return await captured(both(first, second), both(second, first))

    assert names_of(run(main()), "lock") == ["first", "second"]


def test_two_instances_of_one_class_are_told_apart_by_who_has_them():
    async def main():
        primary, replica = Pool(), Pool()
        await taken(primary._lock, replica._lock)
        return await captured(primary.takes_lock(), replica.takes_lock())

    assert names_of(run(main()), "lock") == ["primary._lock", "replica._lock"]


def test_what_nothing_tells_apart_is_numbered():
    async def main():
        async def waits():
            lock = asyncio.Lock()
            await lock.acquire()
            async with lock:
                pass

        return await captured(waits(), waits())

    assert names_of(run(main()), "lock") == ["lock #1", "lock #2"]


def test_a_condition_that_one_task_calls_otherwise():
    async def main():
        changed = asyncio.Condition()

        async def notifies(it):
            await it.acquire()
            await forever()

        async def takes_part(x):
            async with x:
                pass

        return await captured(notifies(changed), takes_part(changed))

    assert name_of_one(main) == "changed"


def test_what_has_no_variable_has_no_name():
    async def main():
        async def waits():
            await asyncio.get_running_loop().create_future()

        return await captured(waits())

    assert name_of_one(main, "future") == ""


def test_the_next_capture_finds_the_same_names():
    async def main():
        async def waits(queue):
            await queue.get()

        jobs = asyncio.Queue()
        task = start(waits(jobs))
        await parked(task)
        found = [names_of(agraph.capture(), "queue") for _ in range(3)]
        await end(task)
        return found

    assert run(main()) == [["jobs.get()"]] * 3


# ---- nothing of the application runs, changes or stays


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
        await pool.lock_all()
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
        await pool.lock_all()
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
