"""What threads are blocked in."""

import sys
import threading
import time

import pytest
from blocked import (
    capture,
    from_node,
    loop_calling,
    loop_of,
    nodes_of,
    stuck,
    thread_of,
    until,
)
from snapshots import task
from ways_to_block import Waits

import agraph
from agraph._internal import blocking, threads
from agraph._internal.live_frames import call_at

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


def test_a_loop_whose_thread_gets_from_a_simple_queue():
    waits = Waits()
    with loop_calling(waits.get_simply, waits.end, function="get_simply"):
        snapshot = until(lambda: (s := capture()) and thread_of(s).state == "blocked" and s)
    assert thread_of(snapshot).detail == {"operation": "SimpleQueue.get"}
    assert from_node(snapshot, "thread worker") == {("await", "queue Waits.simple.get()", "probable")}
    assert loop_of(snapshot).state == "blocked"


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


def test_a_failure_costs_only_the_threads(monkeypatch):
    def fails(*_):
        raise ZeroDivisionError

    waits = Waits()
    monkeypatch.setattr(threads.Threads, "_describe_loop", fails)
    with loop_calling(waits.event.wait, waits.end):
        snapshot = agraph.capture()
    assert any("ZeroDivisionError" in sentence for sentence in snapshot.capture.errors)
    assert task(snapshot, "bystander").state == "waiting"


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
