"""Who holds a lock that was taken by a bare `acquire`: probable, and only where the source says it."""

import asyncio
import contextlib
import importlib.util
import linecache
import sys
import textwrap

import pytest
from live import end, forever, parked, start
from snapshots import captured, node, run, wants

import agraph
from agraph._internal import acquired, source, source_events
from agraph._internal.walk import chain


class Pool:
    """A home-made pool over a semaphore."""

    def __init__(self, size):
        self.__free = asyncio.BoundedSemaphore(size)

    async def acquire(self):
        await self.__free.acquire()
        return object()

    def release(self, connection):
        self.__free.release()


class Guard:
    """A home-made manager over a lock."""

    def __init__(self, lock):
        self._lock = lock

    async def __aenter__(self):
        await asyncio.wait_for(self._lock.acquire(), 60)
        return self

    async def __aexit__(self, *_):
        self._lock.release()


@contextlib.asynccontextmanager
async def guarded(lock):
    await lock.acquire()
    try:
        yield
    finally:
        lock.release()


def found(snapshot, kind="lock"):
    """The holders of the one resource of a kind: (name, confidence, line of source)."""
    nodes = {one.id: one for one in snapshot.nodes}
    resource = node(snapshot, kind)
    rows = []
    for edge in snapshot.edges:
        if edge.waiter == resource.id and edge.kind == "held_by":
            site = snapshot.sites[edge.site]
            line = linecache.getline(site.file, site.line).strip()
            rows.append((nodes[edge.awaited].name, edge.confidence, line))
    return sorted(rows)


def held(function, *, kind="lock", make=asyncio.Lock):
    """What is found when one task runs `function(lock)` and then another waits for the lock."""

    async def main():
        lock = make()
        first = start(function(lock), "holder")
        while chain(first.get_coro())[-1].frame.f_code.co_name != "forever":
            await asyncio.sleep(0)
        await parked(first)
        snapshot = await captured(wants(lock))
        await end(first)
        return snapshot

    return found(run(main()), kind)


# ---- held


async def plainly(lock):
    await lock.acquire()
    try:
        await forever()
    finally:
        lock.release()


async def in_a_branch(lock):
    if not lock.locked():
        await lock.acquire()
    else:
        return
    await forever()


async def after_a_failure_that_gives_back(lock):
    await lock.acquire()
    try:
        await asyncio.sleep(0)
    except ValueError:
        lock.release()
        raise
    await forever()


async def after_an_early_way_out(lock):
    await lock.acquire()
    if not lock.locked():
        lock.release()
        return
    await forever()


async def in_a_loop(lock):
    while True:
        await lock.acquire()
        await forever()
        lock.release()


async def with_a_limit(lock):
    await asyncio.wait_for(lock.acquire(), 60)
    await forever()


async def taken_again(lock):
    await lock.acquire()
    lock.release()
    await lock.acquire()
    await forever()


async def inside_of_a_block(lock):
    async with asyncio.timeout(60):
        await lock.acquire()
        await forever()


@pytest.mark.parametrize(
    "function",
    [
        plainly,
        in_a_branch,
        after_a_failure_that_gives_back,
        after_an_early_way_out,
        in_a_loop,
        taken_again,
        inside_of_a_block,
    ],
)
def test_the_holder_and_where_it_took_the_lock(function):
    assert held(function) == [("holder", "probable", "await lock.acquire()")]


def test_an_acquire_with_a_limit():
    line = "await asyncio.wait_for(lock.acquire(), 60)"
    assert held(with_a_limit) == [("holder", "probable", line)]


def test_the_lock_stays_open():
    async def main():
        lock = asyncio.Lock()
        task = start(plainly(lock), "holder")
        await parked(task)
        snapshot = await captured(wants(lock))
        await end(task)
        return snapshot

    assert node(run(main()), "lock").open == "its holder is inferred from the source"


def test_two_tasks_that_wait_for_each_other():
    async def both(one, other):
        await one.acquire()
        try:
            await asyncio.sleep(0)
            await other.acquire()
        finally:
            one.release()

    async def main():
        first, second = asyncio.Lock(), asyncio.Lock()
        tasks = [start(both(first, second), "ab"), start(both(second, first), "ba")]
        await parked(*tasks)
        snapshot = agraph.capture()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    nodes = {one.id: one.name for one in snapshot.nodes}
    assert {
        (nodes[e.waiter], e.kind, nodes[e.awaited]) for e in snapshot.edges if e.kind in ("lock", "held_by")
    } == {
        ("ab", "lock", "second"),
        ("second", "held_by", "ba"),
        ("ba", "lock", "first"),
        ("first", "held_by", "ab"),
    }


def test_through_a_pool_of_ones_own():
    async def uses(pool):
        connection = await pool.acquire()
        try:
            await forever()
        finally:
            pool.release(connection)

    assert held(uses, kind="semaphore", make=lambda: Pool(1)) == [
        ("holder", "probable", "connection = await pool.acquire()")
    ]


def test_through_a_manager_of_ones_own():
    async def uses(lock):
        async with Guard(lock):
            await forever()

    assert held(uses) == [("holder", "probable", "async with Guard(lock):")]


def test_through_a_context_manager_made_of_a_generator():
    async def uses(lock):
        async with guarded(lock):
            await forever()

    assert held(uses) == [("holder", "probable", "async with guarded(lock):")]


def test_the_lock_of_a_condition():
    async def uses(condition):
        await condition.acquire()
        await forever()

    expected = [("holder", "probable", "await condition.acquire()")]
    assert held(uses, make=asyncio.Condition) == expected


def test_attributes_items_and_globals():
    async def uses(lock):
        class Box:
            async def uses(self):
                await self.__locks["x"][0].acquire()
                await forever()

            def __init__(self):
                self.__locks = {"x": [lock]}

        await Box().uses()

    assert held(uses) == [("holder", "probable", 'await self.__locks["x"][0].acquire()')]


# ---- not held


async def given_back(lock):
    await lock.acquire()
    lock.release()
    await forever()


async def on_another_way(lock):
    if not lock.locked():
        await forever()
    else:
        await lock.acquire()


async def before_it(lock):
    await forever()
    await lock.acquire()


async def another_one(lock):
    await lock.acquire()
    mine, lock = lock, asyncio.Lock()
    mine.release()
    await forever()


async def only_in_a_function_inside(lock):
    async def never():
        await lock.acquire()

    await forever()
    await never()


async def a_condition_that_waits(condition):
    await condition.acquire()
    await condition.wait()


@pytest.mark.parametrize(
    "function",
    [given_back, on_another_way, before_it, another_one, only_in_a_function_inside],
)
def test_no_holder(function):
    async def main():
        lock = asyncio.Lock()
        first = start(function(lock), "other")
        await parked(first)
        await eval("lock.acquire()", {"lock": lock})  # held by a task whose source says nothing
        snapshot = await captured(wants(lock))
        await end(first)
        return snapshot

    snapshot = run(main())
    assert found(snapshot) == []
    assert node(snapshot, "lock").open == "its holder is not known"


def test_a_condition_gives_its_lock_back_while_it_waits():
    async def main():
        condition = asyncio.Condition()
        first = start(a_condition_that_waits(condition), "other")
        await parked(first)
        await eval("condition.acquire()", {"condition": condition})
        snapshot = await captured(wants(condition))
        condition.release()
        await end(first)
        return snapshot

    assert found(run(main())) == []


def test_a_task_that_waits_does_not_hold():
    async def main():
        lock = asyncio.Lock()
        await eval("lock.acquire()", {"lock": lock})
        return await captured(plainly(lock), wants(lock))

    assert found(run(main())) == []


# ---- semaphores

SEMAPHORE = "others may hold it, or release it without holding it"


def test_a_bounded_semaphore_is_closed_once_all_its_holders_are_known():
    async def uses(free):
        async with free:
            await forever()

    async def main(size, bare):
        free = asyncio.BoundedSemaphore(size)
        tasks = [start(uses(free), f"with-{index}") for index in range(size - bare)]
        tasks += [start(plainly(free), f"bare-{index}") for index in range(bare)]
        await parked(*tasks)
        snapshot = await captured(wants(free))
        await end(*tasks)
        return snapshot

    known = run(main(2, 0))
    assert [name for name, _, _ in found(known, "semaphore")] == ["with-0", "with-1"]
    assert node(known, "semaphore").open == ""
    half = run(main(2, 1))
    assert [row[:2] for row in found(half, "semaphore")] == [("bare-0", "probable"), ("with-0", "exact")]
    assert node(half, "semaphore").open == SEMAPHORE


def test_a_semaphore_never_says_that_all_its_holders_are_known():
    async def uses(free):
        async with free:
            await forever()

    async def main():
        free = asyncio.Semaphore(1)
        task = start(uses(free), "holder")
        await parked(task)
        snapshot = await captured(wants(free))
        await end(task)
        return snapshot

    snapshot = run(main())
    assert [row[:2] for row in found(snapshot, "semaphore")] == [("holder", "exact")]
    assert node(snapshot, "semaphore").open == SEMAPHORE


# ---- source that is missing, changed, or not worth reading


TEMPLATE = """
import asyncio

async def forever():
    await asyncio.get_running_loop().create_future()

async def holds(lock):
    await lock.acquire()
    await forever()
    lock.release()
"""


def held_by_module(path, change):
    spec = importlib.util.spec_from_file_location("written", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    change()
    return held(module.holds)


def test_source_that_changed_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "written.py"
    path.write_text(TEMPLATE)
    assert len(held_by_module(path, lambda: None)) == 1
    later = TEMPLATE.replace("async def", "# a line more\nasync def")
    assert held_by_module(path, lambda: path.write_text(later)) == []
    path.write_text(TEMPLATE)
    other = TEMPLATE.replace("await lock.acquire()", "await lock.acquire(  )")
    assert held_by_module(path, lambda: path.write_text(other)) == []


def test_source_that_is_gone_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "written.py"
    path.write_text(TEMPLATE)
    assert held_by_module(path, path.unlink) == []


def test_source_that_a_loader_would_have_to_say_is_not_asked_for():
    class Loader:
        def get_source(self, name):
            raise AssertionError

    spec = importlib.util.spec_from_loader("made", Loader(), origin="made.py")
    space = {"asyncio": asyncio, "__name__": "made", "__loader__": spec.loader, "__spec__": spec}
    exec(compile(TEMPLATE, "made.py", "exec"), space)
    assert linecache.lazycache("made.py", space)
    try:
        assert held(space["holds"]) == []
    finally:
        linecache.cache.pop("made.py", None)


def test_a_function_of_which_only_the_lines_are_known(tmp_path, monkeypatch):
    """What `-X no_debug_ranges` leaves: lines without columns."""
    code = compile(textwrap.dedent(TEMPLATE), "made", "exec")
    (function,) = [item for item in code.co_consts if getattr(item, "co_name", "") == "holds"]
    path = tmp_path / "written.py"
    path.write_text(TEMPLATE)
    lines = [(line, line, None, None) for line, *_ in function.co_positions()]
    monkeypatch.setattr(source_events, "_positions", lambda _code: lines)
    assert len(held_by_module(path, lambda: None)) == 1


def test_nothing_is_read_where_every_holder_is_known(monkeypatch):
    async def uses(lock):
        async with lock:
            await forever()

    monkeypatch.setattr(source, "body_of", lambda _code: 1 / 0)
    assert [row[:2] for row in held(uses)] == [("holder", "exact")]


def test_what_goes_wrong_costs_the_holders_only(monkeypatch):
    async def main():
        lock = asyncio.Lock()
        await lock.acquire()
        return await captured(wants(lock))

    monkeypatch.setattr(acquired, "_wanted", lambda *_: 1 / 0)
    snapshot = run(main())
    assert node(snapshot, "lock").open == "its holder is not known"
    assert "ZeroDivisionError" in snapshot.capture.errors[0]
