"""What a function has not acquired, or no longer has, though its text comes close to saying so."""

import asyncio
import contextlib

import pytest
from live import end, forever, parked, start
from snapshots import captured, run, wants

import agraph


def is_said_to_hold(function, *, taken=True):
    """Whether a task that runs `function(lock, other)` seems to hold either of them; another task does."""

    async def main():
        lock, other = asyncio.Lock(), asyncio.Lock()
        if taken:
            await take(lock)
            await take(other)
        task = start(function(lock, other), "other")
        while not stands_in_forever(task):
            await asyncio.sleep(0)
        if not taken:
            await take(lock)
            await take(other)
        snapshot = await captured(wants(lock), wants(other))
        await end(task)
        return snapshot

    snapshot = run(main())
    names = {one.id: one.name for one in snapshot.nodes}
    return "other" in {names[e.awaited] for e in snapshot.edges if e.kind == "held_by"}


async def take(lock):
    await eval("lock.acquire()", {"lock": lock})


def stands_in_forever(task):
    stack = agraph.capture_call_graph(task).call_stack
    return bool(stack) and stack[0].frame.f_code.co_name == "forever"


# ---- not obtained


async def in_the_handler_of_a_timeout(lock, other):
    try:
        await asyncio.wait_for(lock.acquire(), 0)
    except TimeoutError:
        await forever()


async def at_last_after_a_timeout(lock, other):
    try:
        await asyncio.wait_for(lock.acquire(), 0)
    finally:
        await forever()


async def after_a_timeout(lock, other):
    try:
        async with asyncio.timeout(0):
            await lock.acquire()
    except TimeoutError:
        pass
    await forever()


async def after_a_timeout_that_is_suppressed(lock, other):
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(lock.acquire(), 0)
    await forever()


async def if_it_is_free(lock, other):
    if not lock.locked():
        await lock.acquire()
    await forever()


async def the_first_that_is_free(lock, other):
    for one in (lock, other):
        if not one.locked():
            await one.acquire()
            break
    await forever()


async def those_that_are_free(lock, other):
    for one in (lock, other):
        if one.locked():
            continue
        await one.acquire()
    await forever()


async def when_no_try_was_any_good(lock, other):
    for _ in range(3):
        if not lock.locked():
            await lock.acquire()
            break
    else:
        await forever()


async def by_an_expression_that_may_not_be_evaluated(lock, other, wanted=None):
    (await lock.acquire()) if wanted else None
    wanted and await lock.acquire()
    await forever()


async def after_a_wait_that_ended_first(lock, other):
    await asyncio.wait([asyncio.create_task(lock.acquire())], timeout=0)
    await forever()


class IfFree:
    def __init__(self, lock):
        self._lock = lock

    async def __aenter__(self):
        if not self._lock.locked():
            await self._lock.acquire()

    async def __aexit__(self, *_):
        pass


async def by_a_manager_that_takes_it_if_it_is_free(lock, other):
    async with IfFree(lock):
        await forever()


class UnlessDone(IfFree):
    done = True

    async def __aenter__(self):
        if self.done:
            return
        await self._lock.acquire()


async def by_a_manager_that_returns_before(lock, other):
    async with UnlessDone(lock):
        await forever()


@pytest.mark.parametrize(
    "function",
    [
        in_the_handler_of_a_timeout,
        at_last_after_a_timeout,
        after_a_timeout,
        after_a_timeout_that_is_suppressed,
        if_it_is_free,
        the_first_that_is_free,
        those_that_are_free,
        when_no_try_was_any_good,
        by_an_expression_that_may_not_be_evaluated,
        after_a_wait_that_ended_first,
        by_a_manager_that_takes_it_if_it_is_free,
        by_a_manager_that_returns_before,
    ],
)
def test_what_may_not_have_been_obtained(function):
    assert not is_said_to_hold(function)


# ---- released by other means


async def by_another_name(lock, other):
    mine = lock
    await lock.acquire()
    mine.release()
    await forever()


async def by_its_method(lock, other):
    give_back = lock.release
    await lock.acquire()
    give_back()
    await forever()


async def by_a_callback(lock, other):
    with contextlib.ExitStack() as stack:
        await lock.acquire()
        stack.callback(lock.release)
    await forever()


async def by_a_function_inside(lock, other):
    await lock.acquire()
    asyncio.get_running_loop().call_soon(lambda: lock.release())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await forever()


class Owner:
    def __init__(self, lock):
        self.lock = lock

    async def uses(self):
        await self.lock.acquire()
        self.finish()
        await forever()

    async def uses_and_stays(self):
        await self.lock.acquire()
        await self.finish_slowly()

    async def passes_on(self):
        await self.lock.acquire()
        self.task = asyncio.create_task(self.finish_later())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await forever()

    def finish(self):
        self.lock.release()

    async def finish_slowly(self):
        self.lock.release()
        await forever()

    async def finish_later(self):
        self.lock.release()


async def in_a_method_called(lock, other):
    await Owner(lock).uses()


async def in_a_method_that_is_called_still(lock, other):
    await Owner(lock).uses_and_stays()


async def by_a_task_that_it_was_handed_to(lock, other):
    await Owner(lock).passes_on()


async def by_another_loop(lock, other):
    locks = [lock, other]
    for one in locks:
        await one.acquire()
    for another in reversed(locks):
        another.release()
    await forever()


async def by_a_loop_over_numbers(lock, other):
    locks = [lock, other]
    for one in locks:
        await one.acquire()
    for number in range(2):
        locks[number].release()
    await forever()


class Limit:
    """Takes the lock for a moment."""

    def __init__(self, lock):
        self._lock = lock

    async def acquire(self):
        await self._lock.acquire()
        asyncio.get_running_loop().call_soon(self._lock.release)


async def by_what_has_acquired_it(lock, other):
    limit = Limit(lock)
    await limit.acquire()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await forever()


@pytest.mark.parametrize(
    "function",
    [
        by_another_name,
        by_its_method,
        by_a_callback,
        by_a_function_inside,
        in_a_method_called,
        in_a_method_that_is_called_still,
        by_a_task_that_it_was_handed_to,
        by_another_loop,
        by_a_loop_over_numbers,
        by_what_has_acquired_it,
    ],
)
def test_what_was_released_by_other_means(function):
    assert not is_said_to_hold(function, taken=False)


# ---- an expression that means something else by now


async def an_attribute_on_the_way(lock, other):
    first, second = Owner(Owner(asyncio.Lock())), Owner(lock)
    await first.lock.lock.acquire()
    first.lock = second
    await forever()


async def an_attribute(lock, other):
    box = Owner(asyncio.Lock())
    await box.lock.acquire()
    box.lock = lock
    await forever()


async def an_item(lock, other):
    locks = [asyncio.Lock()]
    await locks[0].acquire()
    locks[0] = lock
    await forever()


async def a_number(lock, other):
    locks, number = [asyncio.Lock(), lock], 0
    await locks[number].acquire()
    number = 1
    await forever()
    return number


async def by_match(lock, other):
    mine = asyncio.Lock()
    await mine.acquire()
    match [lock]:
        case [mine]:
            pass
    await forever()


async def by_a_function_that_assigns_it(lock, other):
    mine = asyncio.Lock()

    def change():
        nonlocal mine
        mine = lock

    await mine.acquire()
    change()
    await forever()


async def by_a_list_that_grew(lock, other):
    locks = [asyncio.Lock()]
    for one in locks:
        await one.acquire()
    locks.append(lock)
    await forever()


shared = None


async def a_local_that_is_gone(lock, other):
    global shared
    shared = lock

    async def inner(shared):
        await shared.acquire()
        del shared
        await forever()

    await inner(asyncio.Lock())


@pytest.mark.parametrize(
    "function",
    [
        an_attribute_on_the_way,
        an_attribute,
        an_item,
        a_number,
        by_match,
        by_a_function_that_assigns_it,
        by_a_list_that_grew,
        a_local_that_is_gone,
    ],
)
def test_an_expression_that_means_something_else_by_now(function):
    assert not is_said_to_hold(function)


# ---- what is still found


async def with_a_handler_that_leaves(lock, other):
    try:
        await asyncio.wait_for(lock.acquire(), 60)
    except TimeoutError:
        return
    await forever()


async def where_the_try_went_well(lock, other):
    try:
        await asyncio.wait_for(lock.acquire(), 60)
    except TimeoutError:
        pass
    else:
        await forever()


async def with_another_that_is_released(lock, other):
    await lock.acquire()
    await other.acquire()
    other.release()
    await forever()


async def in_its_branch(lock, other):
    if not lock.locked():
        await lock.acquire()
        await forever()


async def around_a_function_that_releases_another(lock, other):
    async def inner(mine):
        await mine.acquire()
        mine.release()
        await forever()

    await lock.acquire()
    await inner(other)


async def before_a_function_that_acquires_and_releases(lock, other):
    async def inner():
        await other.acquire()
        other.release()

    await lock.acquire()
    await inner()
    await forever()


@pytest.mark.parametrize(
    "function",
    [
        with_a_handler_that_leaves,
        where_the_try_went_well,
        with_another_that_is_released,
        in_its_branch,
        around_a_function_that_releases_another,
        before_a_function_that_acquires_and_releases,
    ],
)
def test_what_is_held(function):
    async def main():
        lock, other = asyncio.Lock(), asyncio.Lock()
        task = start(function(lock, other), "holder")
        while not stands_in_forever(task):
            await asyncio.sleep(0)
        await parked(task)
        snapshot = await captured(wants(lock))
        await end(task)
        return snapshot

    snapshot = run(main())
    names = {one.id: one.name for one in snapshot.nodes}
    assert [names[e.awaited] for e in snapshot.edges if e.kind == "held_by"] == ["holder"]
