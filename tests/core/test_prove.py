"""What is proved: that nobody but stuck tasks can free a resource."""

import asyncio
import contextlib
import functools
import gc
import sys
import weakref

import pytest
from proving import running, start, told, verdicts_in

import agraph
from agraph._internal import prove, prove_heap


async def on_event(kept):
    event = asyncio.Event()
    kept.append(event)
    await event.wait()


async def on_condition(kept):
    condition = asyncio.Condition()
    kept.append(condition)
    async with condition:
        await condition.wait()


async def on_condition_with_predicate(kept):
    condition = asyncio.Condition()
    kept.append(condition)
    async with condition:
        await condition.wait_for(lambda: False)


async def on_get(kept):
    queue = asyncio.Queue()
    kept.append(queue)
    await queue.get()


async def on_put(kept):
    queue = asyncio.Queue(1)
    kept.append(queue)
    for _ in range(2):
        await queue.put(1)


async def on_join(kept):
    queue = asyncio.Queue()
    kept.append(queue)
    queue.put_nowait(1)
    await queue.join()


async def on_barrier(kept):
    barrier = asyncio.Barrier(2)
    kept.append(barrier)
    await barrier.wait()


async def on_future(kept):
    future = asyncio.get_running_loop().create_future()
    kept.append(future)
    await future


async def on_semaphore(kept):
    semaphore = asyncio.Semaphore(0)
    kept.append(semaphore)
    await semaphore.acquire()


async def on_lock_of_nobody(kept):
    lock = asyncio.Lock()
    await lock.acquire()
    kept.append(lock)
    await lock.acquire()


KINDS = [function for name, function in list(globals().items()) if name.startswith("on_")]


def names(functions):
    return [function.__name__ for function in functions]


@pytest.mark.parametrize("waits", KINDS, ids=names(KINDS))
def test_nobody_else_has_it(waits):
    async def main():
        await waits([])

    with running(main) as program:
        assert program.proof()[1] == {"main": "certain"}
        assert verdicts_in(agraph.capture())["main"] in ("possible", "certain")


@pytest.mark.parametrize("waits", KINDS, ids=names(KINDS))
def test_a_live_task_has_it(waits):
    async def main():
        kept = []

        async def lives(kept):
            await told()
            del kept

        start(lives(kept))
        await waits(kept)

    with running(main) as program:
        assert program.proof()[1]["main"] in ("possible", "live")


# ---- what stuck tasks may do with it


async def twice(event):
    same = again = event
    await event.wait()
    return same, again


async def in_closure(event):
    def sets():
        event.set()

    await event.wait()
    sets()


async def in_things(event):
    things = [{"a": (functools.partial(event.set), event.set, [event].pop)}]
    await event.wait()
    return things


async def in_suspended_generator(event):
    def generates():
        yield
        event.set()

    generator = generates()
    next(generator)
    await event.wait()


async def in_async_generator(event):
    async def generates():
        await event.wait()
        yield

    async for _ in generates():
        pass


async def by_weakref(event):
    reference = weakref.ref(event)
    await event.wait()
    reference()


async def on_the_value_stack(event):
    return event, event, await event.wait()


async def in_unstarted_coroutine(event):
    coroutine = in_closure(event)
    try:
        await event.wait()
    finally:
        coroutine.close()


async def by_gathered_tasks(event):
    await asyncio.gather(in_closure(event), in_closure(event))


async def by_group(event):
    async with asyncio.TaskGroup() as group:
        group.create_task(in_closure(event))
        group.create_task(in_closure(event))


async def by_waits(event):
    members = [asyncio.ensure_future(in_closure(event)) for _ in range(2)]
    await asyncio.wait(members, return_when=asyncio.FIRST_COMPLETED)


async def by_shield(event):
    await asyncio.shield(in_closure(event))


async def of_each_other(event):
    other = asyncio.Event()

    async def sets_after(own, wanted):
        await wanted.wait()
        own.set()

    await asyncio.gather(sets_after(event, other), sets_after(other, event))


async def on_finished_task(event):
    finished = asyncio.ensure_future(asyncio.sleep(0))
    await finished
    await event.wait()


STUCK = [twice, in_closure, in_things, in_suspended_generator, in_async_generator, by_weakref]
STUCK += [on_the_value_stack, in_unstarted_coroutine, by_gathered_tasks, by_group, by_waits, by_shield]
STUCK += [of_each_other, on_finished_task]


@pytest.mark.parametrize("waits", STUCK, ids=names(STUCK))
def test_only_stuck_tasks_have_it(waits):
    async def main():
        start(told())
        await waits(asyncio.Event())

    with running(main) as program:
        snapshot, verdicts = program.proof()
        while not any((node.detail or {}).get("proved") for node in snapshot.nodes):
            assert any(node.need == 0 for node in snapshot.tasks if node.name not in ("main", "live"))
            snapshot, verdicts = program.proof()  # children had not got there yet
        verdicts.pop("live")
        assert set(verdicts.values()) == {"certain"}


# ---- stuck tasks that a live one holds


async def alone():
    await asyncio.Event().wait()


async def with_a_finally_for_itself():
    event = asyncio.Event()
    try:
        await event.wait()
    finally:
        event.set()


async def by_getting():
    await asyncio.Queue().get()


async def with_a_value_that_is_finalized():
    kept = Finalized(asyncio.Event())
    await kept.event.wait()


class Finalized:
    def __init__(self, event):
        self.event = event

    def __del__(self):
        self.event.set()


ALONE = [alone, with_a_finally_for_itself, by_getting, with_a_value_that_is_finalized]


@pytest.mark.parametrize("waits", ALONE, ids=names(ALONE))
@pytest.mark.parametrize("hold", ["variable", "list"])
def test_whoever_holds_a_task_does_not_free_it(waits, hold):
    async def main():
        stuck = asyncio.create_task(waits(), name="stuck")
        held = [stuck] if hold == "list" else stuck
        await asyncio.sleep(0)
        found = verdicts_in(agraph.capture(prove=True))
        stuck.cancel()
        await asyncio.wait([stuck])
        del held
        return found

    assert asyncio.run(main())["stuck"] == "certain"


async def ends_by_finally(event):
    try:
        await asyncio.Event().wait()
    finally:
        event.set()


async def ends_by_with(event):
    with contextlib.ExitStack() as stack:
        stack.callback(event.set)
        await asyncio.Event().wait()


async def ends_by_finalizer(event):
    kept = Finalized(event)
    await asyncio.Event().wait()
    del kept


async def ends_by_generator(event):
    def generate():
        try:
            yield
        finally:
            event.set()

    generator = generate()
    next(generator)
    await asyncio.Event().wait()


async def ends_by_async_generator(event):
    async def generate():
        try:
            yield await asyncio.Event().wait()
        finally:
            event.set()

    async for _ in generate():
        pass


class Watched:
    pass


async def ends_by_callback(event):
    kept = Watched()
    event.reference = weakref.ref(kept, lambda _: event.set())
    await asyncio.Event().wait()
    del kept


async def ends_by_callback_of_somebody_else(event):
    WATCHED.append(kept := Watched())
    await asyncio.Event().wait()
    del kept, event


WATCHED = []


async def watches(event):
    while not WATCHED:
        await asyncio.sleep(0)
    reference = weakref.ref(WATCHED.pop(), lambda _: event.set())
    await event.wait()
    del reference


ENDS = [function for name, function in list(globals().items()) if name.startswith("ends_")]
if sys.version_info < (3, 13):  # a generator that runs is not closed
    ENDS.remove(ends_by_async_generator)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ends", ENDS, ids=names(ENDS))
def test_one_that_frees_others_when_it_is_let_go_of(ends):
    """The live task lets go of the second one, whose end frees the first."""

    async def main():
        event = asyncio.Event()
        other = asyncio.create_task(ends(event), name="other")
        waits = watches if ends is ends_by_callback_of_somebody_else else asyncio.Event.wait
        stuck = asyncio.create_task(waits(event), name="stuck")
        del event
        for _ in range(4):
            await asyncio.sleep(0)
        found = verdicts_in(agraph.capture(prove=True))
        del other
        gc.collect()
        done, _ = await asyncio.wait([stuck], timeout=5)
        return found, bool(done)

    found, freed = asyncio.run(main())
    assert freed
    assert found["stuck"] == "possible"


# ---- bounds, and what is left behind


def test_time_is_bounded(monkeypatch):
    monkeypatch.setattr(prove, "MAX_SECONDS", 0.0)
    with running(lambda: on_event([])) as program:
        snapshot, verdicts = program.proof()
    assert verdicts == {"main": "possible"}
    assert "proof: the time was up" in snapshot.capture.cut
    assert not snapshot.capture.complete


def test_what_is_looked_at_is_bounded(monkeypatch):
    monkeypatch.setattr(prove_heap, "MAX_OBJECTS", 2)
    with running(lambda: on_get([])) as program:
        snapshot, verdicts = program.proof()
    assert verdicts == {"main": "possible"}
    assert snapshot.capture.cut == ("proof: the stuck tasks lead to more objects than were looked at",)


def test_an_interpreter_that_counts_otherwise_proves_nothing(monkeypatch):
    monkeypatch.setattr(prove, "can_count", lambda: False)
    with running(lambda: on_event([])) as program:
        snapshot, verdicts = program.proof()
    assert verdicts == {"main": "possible"}
    assert "proof" in snapshot.capture.unknown


def test_this_interpreter_counts_as_expected():
    assert prove_heap.can_count()


def test_the_pause_of_a_proof_is_counted():
    with running(lambda: on_event([])) as program:
        snapshot, _verdicts = program.proof()
    (event,) = (node for node in snapshot.nodes if node.kind == "event")
    assert event.open == ""
    assert event.detail == {"proved": "heap"}
    assert snapshot.capture.pause_ms >= (snapshot.capture.end - snapshot.capture.start) * 1000 * 0.5 > 0
    assert agraph.Snapshot.from_dict(snapshot.to_dict()) == snapshot


def test_nothing_is_changed_or_kept():
    kept = []

    async def main():
        kept.append(weakref.ref(event := asyncio.Event()))
        kept.append(weakref.ref(asyncio.current_task()))
        await in_closure(event)

    with running(main) as program:
        program.proof()
        watched = [kept[0](), program.task, program.task.get_coro()]
        before = [sys.getrefcount(item) for item in watched]
        weak = [weakref.getweakrefcount(item) for item in watched]
        for _ in range(3):
            agraph.capture(prove=True)
        assert [sys.getrefcount(item) for item in watched] == before
        assert [weakref.getweakrefcount(item) for item in watched] == weak
        assert gc.isenabled()
        del watched
    del program
    gc.collect()
    assert [reference() for reference in kept] == [None, None]
