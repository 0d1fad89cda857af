"""Loops whose thread is blocked, idle or busy; seen from every side, and nothing kept."""

import asyncio
import concurrent.futures
import gc
import os
import queue
import selectors
import signal
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
    stands_in,
    stuck,
    thread_of,
    until,
)
from snapshots import task
from ways_to_block import Waits

import agraph
from agraph._internal import threads
from agraph._internal.identity import key_of


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
    assert snapshot.capture.moved
    assert (thread_of(snapshot).state, thread_of(snapshot).need) == ("running", 0)
    assert (loop_of(snapshot).state, loop_of(snapshot).need) == ("running", 0)
    assert task(snapshot, "main").need == 0


def test_where_it_cannot_be_told_who_moved_nobody_is_blocked(monkeypatch):
    def fails(*_):
        raise ZeroDivisionError

    waits = Waits()
    monkeypatch.setattr(threads, "_stands", fails)
    with loop_calling(waits.event.wait, waits.end):
        snapshot = agraph.capture()
    assert any("ZeroDivisionError" in sentence for sentence in snapshot.capture.errors)
    assert not {"task main", "thread worker", "loop worker"} & stuck(snapshot)


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


def test_a_signal_handler_captures_while_its_thread_is_blocked():
    """The handler runs on the blocked thread, which goes on waiting afterwards."""
    waits, snapshots, begun = Waits(), [], []

    def handler(number, frame):
        snapshots.append(capture())

    def interrupts():
        until(lambda: begun and stands_in(main_thread, "wait"))
        signal.pthread_kill(main_thread.ident, signal.SIGUSR2)
        until(lambda: snapshots)
        waits.end()

    async def main():
        asyncio.current_task().set_name("main")
        begun.append(True)
        waits.future.result()

    main_thread = threading.current_thread()
    before = signal.signal(signal.SIGUSR2, handler)
    helper = threading.Thread(target=interrupts)
    helper.start()
    try:
        asyncio.run(main())
    finally:
        helper.join(20)
        signal.signal(signal.SIGUSR2, before)
    (snapshot,) = snapshots
    assert snapshot.capture.consistent
    assert {"task main", f"thread {main_thread.name}", f"loop {main_thread.name}"} <= stuck(snapshot)
    thread = thread_of(snapshot, main_thread.name)
    assert snapshot.stack_of(thread)[0].function == "Condition.wait"


def test_a_loop_that_runs_without_a_runner_is_blocked_too():
    waits = Waits()

    async def main():
        waits.event.wait()

    def run():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(loop.create_task(main(), name="main"))
        loop.close()

    with in_a_thread(run, waits.end):
        snapshot = capture()
    assert {"task main", "thread worker"} <= stuck(snapshot)
    assert "blocked" in {node.state for node in nodes_of(snapshot, "loop")}


def test_a_loop_that_runs_without_a_runner_is_not_stopped():
    ready, ended = threading.Event(), []

    async def main():
        future = asyncio.get_running_loop().create_future()
        ended.append(lambda: asyncio_loop.call_soon_threadsafe(future.set_result, None))
        ready.set()
        await future

    asyncio_loop = asyncio.new_event_loop()
    thread = threading.Thread(target=asyncio_loop.run_until_complete, args=(main(),), name="worker")
    thread.start()
    assert ready.wait(20)
    snapshot = until(lambda: (s := capture()) and [t for t in s.tasks if t.state == "waiting"] and s)
    ended[0]()
    thread.join(20)
    asyncio_loop.close()
    (loop,) = [node for node in nodes_of(snapshot, "loop") if node.key == key_of(asyncio_loop)]
    assert loop.state in ("idle", "running")


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
