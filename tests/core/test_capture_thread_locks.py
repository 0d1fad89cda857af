"""Bare locks of `threading` that block a thread, and who holds them."""

import asyncio
import contextlib
import threading

import pytest
from blocked import (
    capture,
    edges,
    from_node,
    in_a_thread,
    loop_calling,
    loop_of,
    nodes_of,
    stands_in,
    stuck,
    thread_of,
    until,
)

import agraph


class Pool:
    """Something with locks in attributes and in a dictionary."""

    shared = threading.Lock()

    def __init__(self):
        self._lock = threading.Lock()
        self.locks = {"x": threading.Lock()}
        self.condition = threading.Condition(threading.Lock())

    def by_with(self):
        with self._lock:
            pass

    def by_call(self):
        self._lock.acquire()
        self._lock.release()

    def by_item(self):
        with self.locks["x"]:
            pass

    def by_class(self):
        with self.shared:
            pass

    def by_local(self):
        lock = self._lock
        with lock:
            pass

    def by_condition(self):
        with self.condition:
            pass


LOCKS = {
    "by_with": ("_lock", "lock Pool._lock", "probable"),
    "by_call": ("_lock", "lock Pool._lock", "probable"),
    "by_item": ("locks", "lock Pool.locks['x']", "probable"),
    "by_class": ("shared", "lock Pool.shared", "probable"),
    "by_local": ("_lock", "lock lock", "exact"),
    "by_condition": ("condition", "lock Condition._lock", "probable"),
}


@pytest.mark.parametrize("way", LOCKS)
def test_a_thread_waits_for_a_bare_lock(way):
    attribute, label, confidence = LOCKS[way]
    pool = Pool()
    held = getattr(pool, attribute)
    held = held["x"] if attribute == "locks" else held
    held.acquire()
    where = "__enter__" if way == "by_condition" else way
    with loop_calling(getattr(pool, way), held.release, function=where):
        snapshot = until(lambda: (s := agraph.capture()) and thread_of(s).state == "blocked" and s)
    assert from_node(snapshot, "thread worker") == {("lock", label, confidence)}
    (lock,) = nodes_of(snapshot, "lock")
    assert (lock.state, lock.type, lock.open) == ("locked", "thread.lock", "its holder is not known")
    assert loop_of(snapshot).state == "blocked"


def test_a_lock_with_a_timeout_is_not_understood():
    lock = threading.Lock()
    lock.acquire()

    def blocks():
        lock.acquire(timeout=1000)
        lock.release()

    with loop_calling(blocks, lock.release, function="blocks"):
        snapshot = capture()
    assert thread_of(snapshot).state == "running"


def test_a_lock_that_is_free_blocks_nobody():
    pool = Pool()
    entered, leave = threading.Event(), threading.Event()

    def holds():
        with pool._lock:
            entered.set()
            leave.wait()

    with in_a_thread(holds, leave.set):
        snapshot = capture()
    assert nodes_of(snapshot, "lock") == []


def hang_on_a_lock(lock, wants):
    """A loop one task of which holds a lock across an await, and another wants it."""

    async def holds():
        with lock:
            await asyncio.sleep(1000)

    async def main():
        holder = asyncio.create_task(holds(), name="holder")
        await asyncio.sleep(0)
        asyncio.current_task().set_name("main")
        wants(lock)
        holder.cancel()

    return lambda: asyncio.run(main())


def test_a_task_holds_a_lock_across_an_await_and_its_loop_blocks_on_it():
    """The classic: the task can only release it when the loop turns, which waits for the lock."""
    lock = threading.Lock()

    def wants(lock):
        with lock:
            pass

    with in_a_thread(hang_on_a_lock(lock, wants), lock.release, function="wants"):
        snapshot = capture()
        with contextlib.suppress(RuntimeError):
            # The holder releases once more what was released to end the test.
            lock.acquire(False)
    held = {edge for edge in edges(snapshot) if edge[1] == "held_by"}
    assert held == {("lock lock", "held_by", "task holder", "exact")}
    assert {"task holder", "task main", "loop worker", "thread worker", "lock lock"} <= stuck(snapshot)
    (site,) = [snapshot.sites[edge.site] for edge in snapshot.edges if edge.kind == "held_by"]
    assert site.function == "hang_on_a_lock.<locals>.holds"
    assert [node.open for node in nodes_of(snapshot, "lock")] == [""]


def test_the_owner_of_a_reentrant_lock_is_known():
    lock = threading.RLock()
    taken, leave = threading.Event(), threading.Event()

    def owns():
        lock.acquire()
        taken.set()
        leave.wait()
        lock.release()

    def wants():
        lock.acquire()
        lock.release()

    with in_a_thread(owns, leave.set, name="owner"):
        assert taken.wait(20)
        with loop_calling(wants, leave.set, function="wants"):
            snapshot = capture()
    assert ("lock lock", "held_by", "thread owner", "exact") in edges(snapshot)
    assert thread_of(snapshot, "owner").detail == {"operation": "Event.wait"}


def test_a_reentrant_lock_does_not_block_its_owner():
    lock = threading.RLock()
    leave = threading.Event()

    def takes_twice():
        with lock:
            lock.acquire()
            leave.wait()
            lock.release()

    with loop_calling(takes_twice, leave.set):
        snapshot = capture()
    assert nodes_of(snapshot, "lock") == []


def test_two_threads_that_take_two_locks_in_opposite_order():
    first, second = threading.Lock(), threading.Lock()
    meet = threading.Barrier(2)

    def takes(one, other):
        with one:
            meet.wait()
            with other:
                pass

    def gives_up():
        for lock in (first, second):
            with contextlib.suppress(RuntimeError):
                lock.release()

    def forwards():
        with contextlib.suppress(RuntimeError):
            takes(first, second)

    def backwards():
        with contextlib.suppress(RuntimeError):
            takes(second, first)

    thread = threading.Thread(target=backwards, name="backwards", daemon=True)
    thread.start()
    with loop_calling(forwards, gives_up, function="takes"):
        snapshot = until(lambda: (s := agraph.capture()) and len(nodes_of(s, "lock")) == 2 and s)
    thread.join(20)
    held = {edge[2] for edge in edges(snapshot) if edge[1] == "held_by"}
    assert held == {"thread worker", "thread backwards"}
    assert {edge[3] for edge in edges(snapshot) if edge[1] == "held_by"} == {"probable"}
    assert {node.open for node in nodes_of(snapshot, "lock")} == {"its holder is inferred from the source"}
    assert {"thread worker", "thread backwards", "loop worker"} <= stuck(snapshot)


# ---- what a thread has given back


def waits_for_the_condition_of_its_block(lock, other):
    condition = threading.Condition(lock)
    with condition:
        condition.wait()


def has_released_it(lock, other):
    with lock:
        lock.release()
        other.wait()
        lock.acquire()


def has_released_it_by_another_name(lock, other):
    mine = lock
    with lock:
        mine.release()
        other.wait()
        lock.acquire()


def a_function_has_released_it(lock, other):
    def inner(mine):
        mine.release()
        other.wait()

    with lock:
        inner(lock)
        lock.acquire()


def calls_it_by_a_name_that_means_another(lock, other):
    mine = threading.Lock()
    with mine:
        mine = lock
        other.wait()


GIVEN_BACK = [
    waits_for_the_condition_of_its_block,
    has_released_it,
    has_released_it_by_another_name,
    a_function_has_released_it,
    calls_it_by_a_name_that_means_another,
]


@pytest.mark.parametrize("function", GIVEN_BACK)
def test_a_thread_that_has_given_a_lock_back_does_not_hold_it(function):
    lock, leave = threading.Lock(), threading.Event()

    def has_held():
        with contextlib.suppress(RuntimeError):
            function(lock, leave)

    def wants():
        with lock:
            pass

    def ends():
        lock.release()
        leave.set()

    thread = threading.Thread(target=has_held, name="other", daemon=True)
    thread.start()
    until(lambda: stands_in(thread, "wait"))
    assert lock.acquire(timeout=20)
    with loop_calling(wants, ends, function="wants"):
        snapshot = until(lambda: (s := agraph.capture()) and nodes_of(s, "lock") and s)
    assert {edge for edge in edges(snapshot) if edge[1] == "held_by"} == set()
    assert [one.open for one in nodes_of(snapshot, "lock")] == ["its holder is not known"]


def test_a_task_that_may_have_released_a_lock_before_its_block_ends():
    lock = threading.Lock()

    async def holds():
        with lock:
            lock.release()
            await asyncio.sleep(1000)

    async def main():
        holder = asyncio.create_task(holds(), name="holder")
        await asyncio.sleep(0)
        lock.acquire()
        wants()
        holder.cancel()

    def wants():
        with lock:
            pass

    with in_a_thread(lambda: asyncio.run(main()), lock.release, function="wants"):
        snapshot = capture()
    held = {edge for edge in edges(snapshot) if edge[1] == "held_by"}
    assert held == {("lock lock", "held_by", "task holder", "probable")}
    assert [node.open for node in nodes_of(snapshot, "lock")] != [""]


class Hostile:
    """Everything that runs when somebody looks at it."""

    def __getattribute__(self, name):
        if armed:
            raise AssertionError(f"agraph read {name}")
        return object.__getattribute__(self, name)

    @property
    def lock(self):
        if armed:
            raise AssertionError("agraph read a property")
        return global_lock


armed = False
global_lock = threading.Lock()


def test_no_code_of_the_application_runs_to_find_a_lock():
    global armed
    hostile = Hostile()

    def wants():
        with hostile.lock:
            pass

    global_lock.acquire()
    with loop_calling(wants, global_lock.release, function="wants"):
        armed = True
        try:
            snapshot = capture()
        finally:
            armed = False
    assert thread_of(snapshot).state == "running"
