"""Locks that are given back by somebody who has not taken them, or in another way than by the end of the block."""

import asyncio
import contextlib
import functools
import threading

import pytest
from blocked import until
from live import end, forever, parked, start
from snapshots import node, run, takes

import agraph
from agraph.reduction import judge


def let_go(lock):
    lock.release()


ANOTHER = threading.Semaphore(0)


def let_go_of_another(_lock):
    ANOTHER.release()


class Connection:
    def __init__(self, lock):
        self.lock, self.other = lock, asyncio.Semaphore(0)

    def unlock(self):
        self.lock.release()

    def count(self):
        self.other.release()

    async def handle(self):
        self.unlock()
        await forever()

    async def later(self):
        await forever()
        self.unlock()

    async def pause(self):
        self.lock.release()
        try:
            await asyncio.sleep(0)
        finally:
            await self.lock.acquire()


async def by_a_function(lock):
    async with lock:
        let_go(lock)
        await forever()


async def by_a_function_inside(lock):
    def let():
        lock.release()

    async with lock:
        let()
        await forever()


async def by_a_method(lock):
    connection = Connection(lock)
    async with lock:
        connection.unlock()
        await forever()


async def by_a_method_of_an_attribute(lock):
    server = type("Server", (), {})()
    server.connection = Connection(lock)
    async with lock:
        server.connection.unlock()
        await forever()


async def further_in(lock):
    async with lock:
        await Connection(lock).handle()


async def before_the_block(lock):
    connection = Connection(asyncio.Lock())
    await connection.lock.acquire()
    connection.unlock()
    async with lock:
        await forever()


async def of_another(lock):
    connection = Connection(lock)
    async with lock:
        connection.count()
        let_go_of_another(lock)
        await forever()


async def afterwards(lock):
    async with lock:
        await Connection(lock).later()


async def taken_again(lock):
    connection = Connection(lock)
    async with lock:
        await connection.pause()
        await forever()


async def captured(make):
    """A snapshot of a task that stands in its block, and of one that waits for the lock."""
    lock = asyncio.Lock()
    holder = start(make(lock), "holder")
    await parked(holder)
    if not lock.locked():
        await eval("lock.acquire()", {"lock": lock})  # by somebody of whom no source says so
    waiter = start(takes(lock), "waiter")
    await parked(waiter)
    snapshot = agraph.capture()
    lock.release()
    with contextlib.suppress(RuntimeError):  # some release it once more
        await end(holder, waiter)
    return snapshot


def is_sure(snapshot):
    lock = node(snapshot, "lock")
    return not lock.open and all(e.confidence == "exact" for e in snapshot.edges if e.kind == "held_by")


@pytest.mark.parametrize(
    "holder",
    [by_a_function, by_a_function_inside, by_a_method, by_a_method_of_an_attribute, further_in],
)
def test_a_helper_may_have_released_what_a_block_has_taken(holder):
    assert not is_sure(run(captured(holder)))


@pytest.mark.parametrize("holder", [before_the_block, of_another, afterwards, taken_again])
def test_a_helper_that_has_not_released_it(holder):
    assert is_sure(run(captured(holder)))


# ---- calls that the loop is about to make


class Door:
    def __init__(self, lock):
        self.lock = lock

    def opens(self):
        self.lock.release()

    def expires(self):
        if self.lock.locked():
            self.opens()

    def rings(self):
        return self.lock.locked()


RELEASING = {
    "release": lambda lock: lock.release,
    "method": lambda lock: Door(lock).opens,
    "by a helper": lambda lock: Door(lock).expires,
    "closure": lambda lock: lambda: lock.release(),
    "partial": lambda lock: functools.partial(let_go, lock),
    "method of a partial": lambda lock: functools.partial(Door(lock).opens),
}


async def alone(lock):
    """Waits for itself."""
    async with lock, lock:
        pass


def verdict_with(callback, make=alone):
    async def main():
        lock = asyncio.Lock()
        task = start(make(lock), "alone")
        await parked(task)
        timer = asyncio.get_running_loop().call_later(1000, callback(lock))
        snapshot = agraph.capture()
        timer.cancel()
        await end(task)
        return snapshot

    return judge(run(main())).verdict


@pytest.mark.parametrize("way", RELEASING)
def test_a_timer_may_release_a_lock(way):
    assert verdict_with(RELEASING[way]) == "possible"


def test_a_timer_that_does_not_release():
    assert verdict_with(lambda lock: Door(lock).rings) == "certain"
    assert verdict_with(lambda lock: Door(asyncio.Lock()).opens) == "certain"


def test_a_timer_may_release_a_lock_of_a_thread():
    async def main():
        gate = threading.Lock()

        def enters():
            with gate:
                pass

        async def holds():
            with gate:
                await asyncio.get_running_loop().run_in_executor(None, enters)

        task = start(holds(), "holder")
        await parked(task)
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(1000, method) for method in (gate.locked, gate.release)]
        snapshot = until(lambda: (s := agraph.capture()) and any(n.kind == "lock" for n in s.nodes) and s)
        for timer in timers:
            timer.cancel()
        gate.release()
        gate.acquire()
        await end(task)
        return snapshot

    assert judge(run(main())).verdict != "certain"


# ---- blocks that somebody else can end


async def rows_of(lock):
    async with lock:
        for number in range(3):
            yield number


async def in_a_stack(lock, keep):
    async with contextlib.AsyncExitStack() as stack:
        keep(stack)
        await stack.enter_async_context(lock)
        await stack.enter_async_context(lock)


async def in_a_stack_that_is_passed_on(lock, keep):
    async def opens(stack):
        await stack.enter_async_context(lock)
        await stack.enter_async_context(lock)

    async with contextlib.AsyncExitStack() as stack:
        keep(stack)
        await opens(stack)


@contextlib.asynccontextmanager
async def taking(lock):
    async with lock:
        yield


async def in_a_manager(lock, keep):
    manager = taking(lock)
    keep(manager)
    async with manager, lock:
        pass


async def in_rows(lock, keep):
    rows = rows_of(lock)
    keep(rows)
    async for _row in rows:
        await lock.acquire()


async def in_rows_that_are_closed(lock, keep):
    async with contextlib.aclosing(rows_of(lock)) as rows:
        keep(rows)
        async for _row in rows:
            await lock.acquire()


async def in_rows_without_a_name(lock, _keep):
    async for _row in rows_of(lock):
        await lock.acquire()


def verdict_of(function, *, shared):
    async def main():
        kept = []
        lock = asyncio.Lock()
        task = start(function(lock, kept.append if shared else lambda _stack: None), "alone")
        await parked(task)
        snapshot = agraph.capture()
        await end(task)
        return snapshot

    return judge(run(main())).verdict


BLOCKS = [in_a_stack, in_a_stack_that_is_passed_on, in_a_manager, in_rows, in_rows_that_are_closed]


@pytest.mark.parametrize("function", BLOCKS)
def test_a_block_to_which_others_refer_may_be_ended_by_them(function):
    assert verdict_of(function, shared=True) == "possible"


@pytest.mark.parametrize("function", [*BLOCKS, in_rows_without_a_name])
def test_a_block_of_one_task_only(function):
    assert verdict_of(function, shared=False) == "certain"
