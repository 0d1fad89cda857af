"""Threads that are blocked, and loops that cannot turn because of them."""

import asyncio
import concurrent.futures
import gc
import os
import queue
import selectors
import sys
import threading
import time
import weakref

import pytest
from blocked import (
    capture,
    edges,
    from_node,
    in_a_thread,
    loop_calling,
    loop_of,
    nodes_of,
    stuck,
    thread_of,
    until,
)
from snapshots import task

import agraph
from agraph._internal import blocking, threads
from agraph._internal.live_frames import call_at


class Waits:
    """Each way to be blocked: what to call, what ends it, and what is to be seen."""

    def __init__(self):
        self.future = concurrent.futures.Future()
        self.other = concurrent.futures.Future()
        self.event = threading.Event()
        self.condition = threading.Condition()
        self.queue = queue.Queue(maxsize=1)
        self.semaphore = threading.Semaphore(0)
        self.barrier = threading.Barrier(2)
        self.joined = threading.Thread(target=self.event.wait, name="joined", daemon=True)

    def end(self):
        self.event.set()
        for future in (self.future, self.other):
            if not future.done():
                future.set_result(None)
        with self.condition:
            self.condition.notify_all()
        self.semaphore.release()
        self.barrier.abort()
        if self.queue.qsize():
            self.queue.get_nowait()
            self.queue.task_done()
        else:
            self.queue.put_nowait(None)

    def notified(self):
        with self.condition:
            self.condition.wait()

    def predicate(self):
        with self.condition:
            self.condition.wait_for(self.event.is_set)

    def full(self):
        self.queue.put(None)
        self.queue.put(None)

    def unfinished(self):
        self.queue.put(None)
        self.queue.join()

    def join(self):
        self.joined.start()
        self.joined.join()

    def all_of(self):
        concurrent.futures.wait([self.future, self.other])

    def first_of(self):
        concurrent.futures.wait([self.future, self.other], return_when="FIRST_COMPLETED")

    def as_completed(self):
        next(concurrent.futures.as_completed([self.future, self.other]))


WAITS = {
    "result": (lambda w: w.future.result(), "Future.result", 1, {("await", "work_item")}),
    "exception": (lambda w: w.future.exception(), "Future.result", 1, {("await", "work_item")}),
    "event": (lambda w: w.event.wait(), "Event.wait", 1, {("await", "event")}),
    "condition": (Waits.notified, "Condition.wait", 1, {("await", "condition")}),
    "predicate": (Waits.predicate, "Condition.wait_for", 1, {("await", "condition")}),
    "get": (lambda w: w.queue.get(), "Queue.get", 1, {("await", "queue")}),
    "put": (Waits.full, "Queue.put", 1, {("await", "queue")}),
    "queue join": (Waits.unfinished, "Queue.join", 1, {("await", "queue")}),
    "semaphore": (lambda w: w.semaphore.acquire(), "Semaphore.acquire", 1, {("lock", "semaphore")}),
    "barrier": (lambda w: w.barrier.wait(), "Barrier.wait", 1, {("await", "barrier")}),
    "wait for all": (Waits.all_of, "concurrent.futures.wait", 2, {("all_of", "work_item")}),
    "wait for one": (Waits.first_of, "concurrent.futures.wait", 1, {("any_of", "work_item")}),
    "as completed": (Waits.as_completed, "concurrent.futures.as_completed", 1, {("any_of", "work_item")}),
}


@pytest.mark.parametrize("way", WAITS)
def test_a_loop_whose_thread_waits_is_blocked(way):
    call, operation, need, expected = WAITS[way]
    waits = Waits()
    with loop_calling(lambda: call(waits), waits.end):
        snapshot = capture()
    thread = thread_of(snapshot)
    assert (thread.state, thread.need, thread.timer) == ("blocked", need, None)
    assert thread.detail == {"operation": operation}
    assert {(kind, target.split()[0]) for kind, target, _ in from_node(snapshot, "thread worker")} == expected
    assert {edge[2] for edge in from_node(snapshot, "thread worker")} == {"exact"}
    assert loop_of(snapshot).state == "blocked"
    assert from_node(snapshot, "loop worker") == {("thread", "thread worker", "exact")}
    assert {"task main", "task bystander", "loop worker", "thread worker"} <= stuck(snapshot)
    assert snapshot.capture.consistent


def test_whoever_could_end_the_wait_of_a_thread_is_unknown():
    waits = Waits()
    with loop_calling(waits.event.wait, waits.end):
        snapshot = capture()
    (event,) = nodes_of(snapshot, "event")
    assert (event.type, event.open) == ("threading.Event", "whoever has the event may set it")


def test_a_thread_is_joined():
    waits = Waits()
    where = "_wait_for_tstate_lock" if sys.version_info < (3, 13) else "join"
    with loop_calling(waits.join, waits.end, function=where):
        snapshot = capture()
    assert from_node(snapshot, "thread worker") == {("thread", "thread joined", "exact")}
    assert thread_of(snapshot, "joined").state == "blocked"
    assert "task bystander" in stuck(snapshot)


def test_the_current_task_of_a_blocked_loop_waits_for_its_thread():
    waits = Waits()
    with loop_calling(waits.event.wait, waits.end):
        snapshot = capture()
    main = task(snapshot, "main")
    assert (main.state, main.need) == ("waiting", 1)
    assert from_node(snapshot, "task main") == {("thread", "thread worker", "exact")}
    assert snapshot.stack_of(main)[0].function == "Condition.wait"
    assert "in_a_thread.<locals>" not in {site.function for site in snapshot.stack_of(main)}


def test_a_callback_that_blocks_is_as_bad_as_a_task():
    waits = Waits()

    async def main():
        asyncio.current_task().set_name("main")
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: (waits.event.wait(), done.set_result(None)))
        await done

    with in_a_thread(lambda: asyncio.run(main()), waits.end):
        snapshot = capture()
    assert loop_of(snapshot).state == "blocked"
    assert "task main" in stuck(snapshot)


TIMEOUTS = {
    "event": lambda w: w.event.wait(1000),
    "result": lambda w: w.future.result(1000),
    "get": lambda w: w.queue.get(timeout=1000),
    "semaphore": lambda w: w.semaphore.acquire(timeout=1000),
    "join": lambda w: (w.joined.start(), w.joined.join(1000)),
}


@pytest.mark.parametrize("way", TIMEOUTS)
def test_a_timeout_frees_the_thread(way):
    waits = Waits()
    where = ("_wait_for_tstate_lock" if sys.version_info < (3, 13) else "join") if way == "join" else "wait"
    before = time.monotonic()
    with loop_calling(lambda: TIMEOUTS[way](waits), waits.end, function=where):
        snapshot = capture()
    thread = thread_of(snapshot)
    assert thread.state == "blocked"
    assert before + 999 < thread.timer < time.monotonic() + 1001


def test_a_timeout_of_a_foreign_type_is_not_understood():
    class Seconds(float):
        def __add__(self, other):
            raise AssertionError("agraph added to it")

        __gt__ = __radd__ = __add__

    waits = Waits()

    def blocks():
        seconds = Seconds(1000)
        kind = type(seconds)
        kind.__gt__ = lambda self, other: float(self) > other
        waits.event.wait(seconds)

    with loop_calling(blocks, waits.end):
        snapshot = capture()
    assert thread_of(snapshot).state == "running"
    assert "thread worker" not in stuck(snapshot)


def test_a_thread_in_c_code_is_not_blocked():
    reading, writing = os.pipe()

    def blocks():
        os.read(reading, 1)

    try:
        with loop_calling(blocks, lambda: os.write(writing, b"x"), function="blocks"):
            snapshot = capture()
    finally:
        os.close(reading)
        os.close(writing)
    assert (thread_of(snapshot).state, thread_of(snapshot).need) == ("running", 0)
    assert (loop_of(snapshot).state, loop_of(snapshot).need) == ("running", 0)
    assert task(snapshot, "main").state == "running"
    assert stuck(snapshot) == {"task bystander"}


def run_until(stopped):
    """A loop that waits in its selector until it is told to stop."""

    async def main():
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        stopped.append(lambda: loop.call_soon_threadsafe(stop.set))
        await stop.wait()

    asyncio.run(main())


@pytest.mark.stock_loop
def test_a_loop_in_its_selector_is_idle():
    stopped = []
    with in_a_thread(lambda: run_until(stopped), lambda: stopped[0](), function="select"):
        snapshot = until(lambda: (s := capture()) and loop_of(s).state == "idle" and s)
    assert loop_of(snapshot).need == 0
    assert nodes_of(snapshot, "thread") == []


@pytest.mark.stock_loop
def test_a_selector_made_of_a_queue_does_not_block_its_loop():
    """A loop that waits for its own events in a queue turns, though its thread waits at a condition."""
    events = queue.Queue()

    class QueueSelector(selectors.SelectSelector):
        def select(self, timeout=None):
            if timeout is None:
                events.get()
            return super().select(0)

    def run():
        loop = asyncio.SelectorEventLoop(QueueSelector())
        future = loop.create_future()
        ended.append(lambda: (loop.call_soon_threadsafe(future.set_result, None), events.put(None)))
        loop.run_until_complete(loop.create_task(waits_for(future), name="main"))
        loop.close()

    async def waits_for(future):
        await future

    ended = []
    with in_a_thread(run, lambda: ended[0]()):
        snapshot = capture()
    assert (loop_of(snapshot).state, loop_of(snapshot).need) == ("running", 0)


def test_a_thread_that_was_notified_is_about_to_run():
    """It still stands in `Condition.wait`, at the lock of the condition, but needs no notification any more."""
    waits = Waits()
    with loop_calling(waits.notified, waits.end), waits.condition:
        waits.condition.notify()
        snapshot = capture()
        assert from_node(snapshot, "thread worker") == set()
        assert thread_of(snapshot).state == "running"


def test_a_future_that_is_done_frees_the_thread_at_once():
    waits = Waits()
    with loop_calling(waits.future.result, waits.end), waits.future._condition:
        waits.future._state = "FINISHED"  # set_result does this before it notifies
        snapshot = capture()
        waits.future._state = "PENDING"
        assert thread_of(snapshot).state == "running"


def test_the_start_of_a_thread_is_no_wait():
    waits = Waits()

    class SlowToStart(threading.Thread):
        def _bootstrap(self):
            waits.event.wait()
            super()._bootstrap()

    with loop_calling(SlowToStart(target=int, daemon=True).start, waits.end):
        snapshot = capture()
    assert thread_of(snapshot).state == "running"


def test_what_moves_during_the_capture_is_not_blocked(monkeypatch):
    """The loop goes on between the first look and the last one: then nothing of it is certain."""
    waits = Waits()
    real = threads.Threads.settle

    def settle(on_threads):
        before = len(on_threads._claims)
        waits.end()
        until(lambda: not worker.is_alive())
        assert before == 1
        return real(on_threads)

    with loop_calling(waits.event.wait, waits.end) as worker:
        monkeypatch.setattr(threads.Threads, "settle", settle)
        snapshot = agraph.capture()
    assert not snapshot.capture.consistent
    assert (thread_of(snapshot).state, thread_of(snapshot).need) == ("running", 0)
    assert (loop_of(snapshot).state, loop_of(snapshot).need) == ("running", 0)
    assert task(snapshot, "main").need == 0


def test_captures_while_threads_come_and_go_never_fail():
    stop = threading.Event()
    items = queue.Queue()

    def works():
        while not stop.is_set():
            items.put(None)
            items.get()
            threading.Event().wait(0.0001)

    workers = [threading.Thread(target=works, daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    pool = concurrent.futures.ThreadPoolExecutor(2)

    async def main():
        loop = asyncio.get_running_loop()

        async def calls():
            while not stop.is_set():
                await loop.run_in_executor(pool, time.sleep, 0)

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(calls())

    loop_thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    loop_thread.start()
    try:
        errors = {sentence for _ in range(200) for sentence in agraph.capture().capture.errors}
    finally:
        stop.set()
        loop_thread.join(20)
        pool.shutdown()
    assert errors == set()


def test_an_unreadable_thread_costs_only_its_detail(monkeypatch):
    def fails(ident, top):
        raise ZeroDivisionError

    waits = Waits()
    monkeypatch.setattr(threads, "blocked_in", fails)
    with loop_calling(waits.event.wait, waits.end):
        snapshot = agraph.capture()
    assert any("ZeroDivisionError" in sentence for sentence in snapshot.capture.errors)
    assert thread_of(snapshot).state == "running"


def test_nothing_is_said_where_the_interpreter_is_not_understood(monkeypatch):
    waits = Waits()
    monkeypatch.setattr(blocking, "_WORKS", False)
    with loop_calling(waits.event.wait, waits.end):
        snapshot = agraph.capture()
    assert thread_of(snapshot).state == "running"


def test_a_failed_self_test_is_no_exception(monkeypatch):
    assert blocking.works()
    monkeypatch.setattr(blocking, "owner_of", lambda lock: 1 / 0)
    assert not blocking.works()


class Held:
    """What the frames of a blocked thread hold."""


def test_nothing_of_a_blocked_thread_is_kept_or_changed():
    waits, seen = Waits(), []

    def blocks():
        held = Held()
        seen.append(weakref.ref(held))
        inner(held)

    def inner(held):
        del held
        waits.event.wait()

    gc.collect()
    gc.disable()
    try:
        with loop_calling(blocks, waits.end):
            capture()  # makes frame objects, which belong to the interpreter
            count = sys.getrefcount(seen[0]())
            for _ in range(3):
                capture()
            after = sys.getrefcount(seen[0]())
        assert after == count
        assert seen[0]() is None
    finally:
        gc.enable()


def test_the_capture_leaves_no_rubbish():
    """The frames of all threads were in hand, that of the caller too: a cycle unless they are let go."""
    waits, seen = Waits(), []

    def caller():
        mine = Held()
        seen.append(weakref.ref(mine))
        capture()

    gc.collect()
    gc.disable()
    try:
        with loop_calling(waits.event.wait, waits.end):
            caller()
        assert seen[0]() is None
    finally:
        gc.enable()


def test_calls_that_are_no_plain_acquire_are_not_decoded():
    def sample(lock, more):
        lock.acquire(False)
        lock.acquire(timeout=1)
        more().acquire()
        (lock or more).acquire()
        with lock or more:
            pass
        with lock if more else more:
            pass
        lock.acquire(*more)

    code = sample.__code__
    found = [call_at(code, offset) for offset in range(-2, len(code.co_code) + 2)]
    assert [call for call in found if call is not None and call[0].root in ("lock", "more")] == []


def test_a_loop_in_another_thread_is_seen_from_a_loop():
    waits = Waits()

    async def looks():
        return capture()

    with loop_calling(waits.event.wait, waits.end):
        snapshot = asyncio.run(looks())
    assert snapshot.capture.where == "thread"
    assert loop_of(snapshot).state == "blocked"
    assert loop_of(snapshot, threading.current_thread().name).state == "running"
    assert ("loop worker", "thread", "thread worker", "exact") in edges(snapshot)
