"""Limits, errors, and that nothing of the application is run, changed or kept."""

import asyncio
import contextlib
import gc
import sys
import threading
import weakref

import pytest
from live import end, forever, parked, start
from made import verdicts_of
from snapshots import captured, in_thread, run, task, through_context_manager

import agraph


def test_max_tasks_says_what_was_cut():
    async def main():
        tasks = [start(forever(), f"t{number}") for number in range(5)]
        await parked(*tasks)
        snapshot = agraph.capture(max_tasks=2)
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    assert len([n for n in snapshot.tasks if n.state != "unknown"]) == 2
    assert not snapshot.capture.complete
    assert "4 of 6 tasks" in snapshot.capture.cut[0]


def test_what_one_task_does_wrong_costs_only_its_detail(monkeypatch):
    from agraph._internal.task_rows import TaskReader

    real = TaskReader.read

    def fails_for_bad(reader, number, task):
        if task.get_name() == "bad":
            raise ZeroDivisionError
        return real(reader, number, task)

    async def bad():
        await forever()

    monkeypatch.setattr(TaskReader, "read", fails_for_bad)

    async def main():
        return await captured(bad(), forever())

    snapshot = run(main())
    assert task(snapshot, "forever").state == "waiting"
    assert any("ZeroDivisionError" in sentence for sentence in snapshot.capture.errors)
    assert [n.open for n in snapshot.tasks if n.state == "unknown"] == ["it could not be read"]


class Hostile:
    """Everything that runs when somebody looks at it."""

    def __getattribute__(self, name):
        raise AssertionError(f"agraph read {name}")

    def __repr__(self):
        raise AssertionError("agraph called repr")

    __eq__ = __hash__ = __bool__ = __len__ = __iter__ = __repr__


def test_no_code_of_the_application_runs():
    class HostileTask(asyncio.Task):
        armed = False

        def __getattribute__(self, name):
            if HostileTask.armed:
                raise AssertionError(f"agraph read {name}")
            return super().__getattribute__(name)

    async def main():
        async def holds(thing):
            await forever()
            del thing

        loop = asyncio.get_running_loop()
        tasks = [HostileTask(holds(Hostile()), loop=loop, name="hostile") for _ in range(2)]
        await asyncio.sleep(0)
        HostileTask.armed = True
        try:
            snapshot = agraph.capture()
        finally:
            HostileTask.armed = False
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    assert [n.name for n in snapshot.tasks if n.name == "hostile"] == ["hostile"] * 2
    assert snapshot.capture.errors == ()


class HostileClass(type):
    """A class that says no when it is compared or hashed."""

    def __hash__(cls):
        raise AssertionError("agraph hashed a class")

    def __eq__(cls, other):
        raise AssertionError("agraph compared a class")


class Awaited(metaclass=HostileClass):
    """Awaitable and iterator in one: what stands at the end of a chain of coroutines."""

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.future

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_no_code_of_a_metaclass_runs():
    async def waits(thing):
        with thing:
            await thing

    async def main():
        loop = asyncio.get_running_loop()
        thing = Awaited()
        thing.future = loop.create_future()
        thing.future._asyncio_future_blocking = True
        thing.future.add_done_callback(thing.__exit__)
        handles = [loop.call_soon(thing.__exit__), loop.call_later(1000, print, thing)]
        try:
            waiting = start(waits(thing), "waits")
            await asyncio.sleep(0)
            assert not waiting.done(), waiting
            handles.append(loop.call_soon(print, thing))
            snapshot = agraph.capture(prove=True)
        finally:
            for handle in handles:
                handle.cancel()
        thing.future.set_result(None)
        with contextlib.suppress(
            RuntimeError
        ):  # the iterator never ends, and the future does not block again
            await waiting
        return snapshot

    snapshot = run(main())
    assert snapshot.capture.errors == ()
    assert task(snapshot, "waits").state == "waiting"


async def keeps_and_locks(value, lock):
    kept = [value]
    async with lock:
        await forever()
    del kept


def test_nothing_of_the_application_is_changed_or_kept():
    async def main():
        lock, data = asyncio.Lock(), object()

        tasks = [start(keeps_and_locks(data, lock), "holds"), start(through_context_manager(lock), "wants")]
        await parked(*tasks)
        coroutines = [item.get_coro() for item in tasks]
        watched = [lock, data, *tasks, *coroutines]
        agraph.capture()  # the first one makes frame objects, which belong to the interpreter
        before = [sys.getrefcount(item) for item in watched]
        weak = [weakref.getweakrefcount(item) for item in (lock, *tasks, *coroutines)]
        snapshots = [agraph.capture() for _ in range(3)]
        after = [sys.getrefcount(item) for item in watched]
        assert after == before
        assert [weakref.getweakrefcount(item) for item in (lock, *tasks, *coroutines)] == weak
        ended = [weakref.ref(item) for item in (lock, *tasks)]
        await end(*tasks)
        del lock, data, tasks, coroutines, watched
        gc.collect()
        return snapshots, ended

    snapshots, ended = run(main())
    gc.collect()
    assert len(snapshots) == 3
    assert [reference() for reference in ended] == [None] * 3


def test_captures_from_another_thread_while_tasks_run():
    """Nothing may be claimed of tasks that move; a capture under way never fails."""
    stop = threading.Event()

    async def main(ready):
        lock = asyncio.Lock()

        async def works():
            while not stop.is_set():
                async with lock:
                    await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(works())
            ready()

    thread = in_thread(main)
    snapshots = [agraph.capture() for _ in range(100)]
    stop.set()
    thread.join(20)
    assert all(not snapshot.capture.errors for snapshot in snapshots)
    assert any(len(snapshot.tasks) > 20 for snapshot in snapshots)
    for snapshot in snapshots:
        assert agraph.Snapshot.from_dict(snapshot.to_dict()).edges is not None


def test_a_task_whose_done_raises_is_found_all_the_same():
    class Broken(asyncio.Task):
        armed = False

        def done(self):
            if Broken.armed:
                raise ZeroDivisionError
            return super().done()

    async def main():
        broken = Broken(forever(), loop=asyncio.get_running_loop(), name="broken")
        await asyncio.sleep(0)
        Broken.armed = True
        try:
            snapshot = agraph.capture()
        finally:
            Broken.armed = False
        await end(broken)
        return snapshot

    assert "broken" in [n.name for n in run(main()).tasks]


def test_what_the_time_did_not_suffice_for_is_said_and_claims_nothing():
    async def main():
        lock = asyncio.Lock()
        tasks = [start(through_context_manager(lock)) for _ in range(300)]
        await parked(*tasks)
        snapshot = agraph.capture(max_seconds=0)
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    assert not snapshot.capture.complete
    assert "301 tasks: the time was up" in snapshot.capture.cut
    assert {(n.state, n.need, n.open) for n in snapshot.tasks} == {("unknown", 0, "the time was up")}


async def ring_with_a_deadline():
    """A snapshot of two tasks that wait for each other until the loop cancels the first."""
    box = {}

    async def one():
        await asyncio.wait([box["other"]])

    async def other():
        await asyncio.wait([box["one"]])

    box["one"], box["other"] = start(one(), "one"), start(other(), "other")
    await parked(*box.values())
    handle = asyncio.get_running_loop().call_later(1000, box["one"].cancel)
    snapshot = agraph.capture(max_seconds=1000)
    handle.cancel()
    await end(*box.values())
    return snapshot


def test_deadlines_are_read_though_the_time_is_up(monkeypatch):
    from agraph._internal.capture import _Work

    describe = _Work._describe_tasks

    def describe_and_be_late(work, *arguments):
        facts = describe(work, *arguments)
        work._deadline = 0.0
        return facts

    monkeypatch.setattr(_Work, "_describe_tasks", describe_and_be_late)
    snapshot = run(ring_with_a_deadline())
    assert not snapshot.capture.complete
    assert {verdicts_of(snapshot)[name] for name in ("one", "other")} <= {"stalled", "possible"}


@pytest.mark.parametrize("step", ["note_releases", "note_parents", "threads.Threads.run"])
def test_nothing_is_certain_where_what_frees_tasks_could_not_be_read(monkeypatch, step):
    def fails(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(f"agraph._internal.capture.{step}", fails)
    found = verdicts_of(run(ring_with_a_deadline()))
    assert {found[name] for name in ("one", "other")} <= {"stalled", "possible"}


@pytest.mark.parametrize("step", ["find_parties", "name_resources", "infer_holders", "note_releases"])
def test_what_one_step_does_wrong_costs_only_its_facts(monkeypatch, step):
    from agraph._internal import capture as module

    def fails(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(module, step, fails)

    async def main():
        return await captured(forever())

    snapshot = run(main())
    assert task(snapshot, "forever").state == "waiting"
    assert any("ZeroDivisionError" in sentence for sentence in snapshot.capture.errors)
    assert len(snapshot.capture.unknown) == 1


@pytest.mark.parametrize(
    ("where", "name"),
    [("resources", "_detail_of"), ("resources", "wait_of_future"), ("capture", "Resources.connect_tasks")],
)
def test_what_cannot_be_read_of_a_wait_costs_only_that(monkeypatch, where, name):
    def fails(*_):
        raise ZeroDivisionError

    async def event():
        await asyncio.Event().wait()

    async def main():
        return await captured(forever(), event(), event())

    assert run(main()).capture.errors == ()
    monkeypatch.setattr(f"agraph._internal.{where}.{name}", fails)
    snapshot = run(main())
    assert any("ZeroDivisionError" in sentence for sentence in snapshot.capture.errors)
    nodes = {n.id: n for n in snapshot.nodes}
    assert all(edge.awaited in nodes for edge in snapshot.edges)
    for waiting in [n for n in snapshot.tasks if n.state == "waiting"]:
        awaited = [nodes[edge.awaited] for edge in snapshot.edges if edge.waiter == waiting.id]
        assert waiting.open or [n.open for n in awaited] != [""] * len(awaited)
    assert "Certain" not in snapshot.format()


def test_a_task_that_moves_while_it_is_read_is_no_error(monkeypatch):
    """It is read again; and when that fails too, it can proceed, as it has."""
    from agraph._internal.task_rows import TaskReader

    real, moved = TaskReader.read, threading.Event()
    proceed = []

    def fails_for_moving(reader, number, task):
        if task.get_name() != "moving" or not proceed:
            return real(reader, number, task)
        loop, future = proceed[0]
        loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))
        assert moved.wait(20)
        raise IndexError

    async def main(ready):
        loop = asyncio.get_running_loop()
        future, end_of_test = loop.create_future(), loop.create_future()

        async def moves():
            async with asyncio.timeout(1000):  # blocks are what only `read` reads
                await future
                moved.set()
                await end_of_test

        moving = start(moves(), "moving")
        await parked(moving)
        proceed.append((loop, future))
        ended.append(lambda: loop.call_soon_threadsafe(end_of_test.set_result, None))
        ready()
        await moving

    ended = []
    monkeypatch.setattr(TaskReader, "read", fails_for_moving)
    thread = in_thread(main)
    snapshot = agraph.capture()
    ended[0]()
    thread.join(20)
    assert snapshot.capture.errors == ()
    assert snapshot.capture.moved == 1
    assert [(n.need, n.open) for n in snapshot.tasks if n.state == "ready"] == [(0, "")]


def test_the_attributes_of_an_exception_with_a_mixin_are_read():
    """Up to 3.11 the `__dict__` of the mixin refuses it."""
    from agraph._internal.instances import dict_of

    class Mixin:
        pass

    class Error(Mixin, Exception):
        pass

    class Future(Mixin, asyncio.Future):
        pass

    async def main():
        error, future = Error(), Future(loop=asyncio.get_running_loop())
        error.reason = future.reason = "why"
        assert dict_of(error) == {"reason": "why"}
        assert dict_of(future) in ({"reason": "why"}, None)

    run(main())


def test_garbage_collection_goes_on_as_before():
    async def main():
        return agraph.capture()

    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            run(main())
            assert gc.isenabled() is enabled
        finally:
            gc.enable()
