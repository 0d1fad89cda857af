"""Classes of an application that watch who looks at them: a capture runs none of their code."""

import asyncio
import concurrent.futures
import threading
from collections import deque

import pytest
from live import end, forever, parked, start
from snapshots import run, task

import agraph


class Watched:
    """What an application's own code did while a capture ran."""

    def __init__(self):
        self.on = False
        self.calls = []

    def note(self, name):
        if self.on:
            self.calls.append(name)
            raise AssertionError(f"agraph ran {name}")

    def capture(self):
        self.on = True
        try:
            return agraph.capture(prove=True)
        finally:
            self.on = False


@pytest.fixture
def watched():
    return Watched()


def trap(watched, *names):
    """A mixin whose methods must not run."""

    def method(name):
        def runs(self, *arguments):
            watched.note(name)
            return getattr(super(mixin, self), name)(*arguments)

        return runs

    methods = {name: method(name) for name in names}
    # A class with `__eq__` alone could not be hashed, which asyncio itself does.
    mixin = type("Trap", (), {"__hash__": object.__hash__, **methods})
    return mixin


def meta(watched):
    class Meta(type):
        def __getattribute__(cls, name):
            watched.note(f"the metaclass's {name}")
            return super().__getattribute__(name)

    return Meta


TASK_METHODS = ("done", "get_loop", "get_name", "__hash__", "__eq__", "__getattribute__")


@pytest.mark.parametrize("base", [asyncio.Task, asyncio.tasks._PyTask], ids=["C", "Python"])
@pytest.mark.parametrize("name", TASK_METHODS)
def test_tasks_are_not_asked(watched, base, name):
    kind = type("Own", (trap(watched, name), base), {})

    async def main():
        tasks = [kind(forever(), loop=asyncio.get_running_loop(), name=f"own {number}") for number in (1, 2)]
        await asyncio.sleep(0)
        snapshot = watched.capture()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    assert watched.calls == []
    assert snapshot.capture.errors == ()
    assert sorted(n.name for n in snapshot.tasks if n.name.startswith("own")) == ["own 1", "own 2"]


def test_a_task_that_waits_for_another_is_not_hashed(watched):
    """Since 3.14 asyncio notes who awaits a task, and shows a single one in a set."""
    kind = type("Own", (trap(watched, "__hash__"), asyncio.Task), {})

    async def main():
        loop = asyncio.get_running_loop()
        inner = kind(forever(), loop=loop, name="inner")
        plain = start(forever(), "plain")

        async def waits(other):
            await other

        tasks = [kind(waits(inner), loop=loop, name="outer"), kind(waits(plain), loop=loop, name="second")]
        await parked(inner, plain, *tasks)
        snapshot = watched.capture()
        await end(*tasks, inner, plain)
        return snapshot

    snapshot = run(main())
    assert watched.calls == []
    awaited = {(e.waiter, e.awaited) for e in snapshot.edges}
    for waiter, other in (("outer", "inner"), ("second", "plain")):
        assert (task(snapshot, waiter).id, task(snapshot, other).id) in awaited


def test_metaclasses_of_what_is_waited_for_are_not_asked(watched):
    def own(base):
        return meta(watched)("Own", (base,), {})

    async def main():
        loop = asyncio.get_running_loop()
        concurrent_future = own(concurrent.futures.Future)()
        condition = own(threading.Condition)()
        hold = threading.Event()

        def on_thread():
            with condition:
                condition.wait_for(hold.is_set)

        async def event():
            await own(asyncio.Event)().wait()

        async def future():
            await own(asyncio.Future)(loop=loop)

        async def work():
            await asyncio.wrap_future(concurrent_future)

        tasks = [start(c(), c.__name__) for c in (event, future, work)]
        tasks.append(start(asyncio.to_thread(on_thread), "thread"))
        await parked(*tasks)
        while not condition._waiters:
            await asyncio.sleep(0)
        snapshot = watched.capture()
        hold.set()
        with condition:
            condition.notify_all()
        await tasks.pop()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    assert watched.calls == []
    assert snapshot.capture.errors == ()
    assert {"event", "future", "work_item"} <= {n.kind for n in snapshot.nodes if n.type == "Own"}


def test_attributes_of_a_concurrent_future_are_read_past_its_methods(watched):
    kind = type("Own", (trap(watched, "__getattribute__"), concurrent.futures.Future), {})

    async def main():
        future = kind()

        async def work():
            await asyncio.wrap_future(future)

        working = start(work(), "work")
        await parked(working)
        snapshot = watched.capture()
        await end(working)
        return snapshot

    snapshot = run(main())
    assert watched.calls == []
    assert ("Own", "pending") in [(n.type, n.state) for n in snapshot.nodes if n.kind == "work_item"]


def test_the_items_of_a_queue_are_counted_past_their_container(watched):
    items = type("Items", (trap(watched, "__len__", "__getattribute__"), deque), {})

    class Queue(asyncio.Queue):
        def _init(self, maxsize):
            self._queue = items()

    async def main():
        queue = Queue(1)
        queue.put_nowait(1)
        waiting = start(queue.put(2), "puts")
        await parked(waiting)
        snapshot = watched.capture()
        await end(waiting)
        return snapshot

    snapshot = run(main())
    assert watched.calls == []
    assert [n.detail["size"] for n in snapshot.nodes if n.kind == "queue"] == [1]


def test_the_name_of_a_thread_is_read_past_its_property(watched):
    class Named(threading.Thread):
        @property
        def name(self):
            watched.note("name")
            return "name"

        @name.setter
        def name(self, value):
            pass

    async def main():
        hold = threading.Event()
        thread = Named(target=hold.wait)
        thread.start()
        try:
            return watched.capture()
        finally:
            hold.set()
            thread.join()

    snapshot = run(main())
    assert watched.calls == []
    assert snapshot.capture.thread == threading.current_thread().name


def test_a_lock_of_threading_does_not_hold_a_capture_up():
    release, held = threading.Event(), threading.Event()

    def holds():
        with threading._active_limbo_lock:
            held.set()
            release.wait(30)

    async def main():
        return agraph.capture()

    thread = threading.Thread(target=holds)
    thread.start()
    assert held.wait(20)
    try:
        snapshot = run(main())
        assert thread.is_alive()  # it holds the lock still
    finally:
        release.set()
        thread.join()
    assert snapshot.capture.errors == ()


def test_a_thread_that_threading_does_not_know_leaves_no_entry():
    import _thread

    done = threading.Event()
    found = []

    def captures():
        try:
            found.append(agraph.capture())
        finally:
            done.set()

    before = set(threading._active)
    ident = _thread.start_new_thread(captures, ())
    assert done.wait(20)
    assert ident in before or ident not in threading._active
    assert found[0].capture.thread == f"thread {ident}"
