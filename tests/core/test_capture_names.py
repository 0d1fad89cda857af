"""Locks, queues, events and futures are called what the program calls them."""

import asyncio
import collections
import types

import pytest
from live import end, forever, parked, start
from snapshots import captured, name_of_one, names_of, run, taken, takes

import agraph

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


def test_names_that_are_left_out_are_said():
    """A person reads a few names; what waits and who holds is read of all."""

    async def main():
        locks = [asyncio.Lock() for _ in range(450)]
        for lock in locks:
            await lock.acquire()
        tasks = [start(locks[number].acquire(), f"t{number}") for number in range(450)]
        await parked(*tasks)
        snapshot = agraph.capture()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    assert snapshot.capture.cut == ("names of 50 of 450 locks, queues, futures and the like: too many",)
    assert snapshot.capture.complete
    assert len([node for node in snapshot.nodes if node.kind == "lock" and not node.name]) >= 50
