"""Done-callbacks that complete what others wait for: whose doing the end of the wait is."""

from __future__ import annotations

import pytest

from agraph_static import LintConfig, lint_source

RULES = LintConfig(select=("AG101", "AG111"), min_confidence="likely")


def found(text: str) -> list[tuple[str, str]]:
    return [(one.code, one.confidence) for one in lint_source(text, "a.py", RULES)]


ITSELF = """\
import asyncio

class Inline:
    def __init__(self):
        self._done = asyncio.get_running_loop().create_future()

    async def run(self, blocked):
        mine = asyncio.current_task()
        blocked = [mine, blocked]
        blocked.append(asyncio.create_task(self.talk()))
        for one in blocked:
            print(one)
        {source}.add_done_callback(lambda _: self._done.set_result(None))
        await self._done
"""


def test_a_task_does_not_wait_for_itself():
    assert found(ITSELF.format(source="mine")) == []


def test_another_task_of_the_same_list_is_waited_for():
    assert found(ITSELF.format(source="blocked[1]")) == [("AG101", "certain")]


FROM_THREAD = """\
import asyncio

def submit(coroutine, loop):
    future = asyncio.Future(loop=loop)

    def start():
        task = loop.create_task(coroutine)
        task.add_done_callback(lambda task: future.set_result(task.result()))

    loop.{call}(start)
    return future
"""


@pytest.mark.parametrize(
    ("call", "expected"), [("call_soon_threadsafe", []), ("call_soon", [("AG101", "certain")])]
)
def test_a_future_for_another_thread_has_no_task_that_waits(call: str, expected: list[tuple[str, str]]):
    assert found(FROM_THREAD.format(call=call)) == expected


SIGNAL = """\
import asyncio

class Scheduler:
    def __init__(self):
        self._changed = asyncio.Event()

    def start(self, work):
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self.{wake}())

    def wake(self):
        self._changed.set()

    async def run(self):
        while True:
            await self._changed.wait()
            {clear}
{more}
"""

SIGNALS = "    def open(self, loop):\n        loop.add_signal_handler(2, self._changed.set)"
OTHERS = "    def submit(self):\n        self.wake()"


@pytest.mark.parametrize(
    ("wake", "clear", "more", "expected"),
    [
        ("wake", "self._changed.clear()", OTHERS, []),
        ("_changed.set", "self._changed.clear()", "", []),
        ("wake", "self._changed.clear()", "", [("AG111", "likely")]),
        ("wake", "return", OTHERS, []),
        ("wake", "return", SIGNALS, []),
        ("wake", "return", "", [("AG111", "certain")]),
    ],
    ids=[
        "a signal of many",
        "set beside the callback",
        "its own signal",
        "the end, by many",
        "the end, by a signal",
        "the end",
    ],
)
def test_a_signal_that_others_give_too_is_nobody_s(
    wake: str, clear: str, more: str, expected: list[tuple[str, str]]
):
    assert found(SIGNAL.format(wake=wake, clear=clear, more=more)) == expected


DISCOVERY = """\
import asyncio

async def discover(browse):
    found = asyncio.Event()

    def handler(name):
        task = asyncio.create_task(resolve(name))
        task.add_done_callback(lambda _: found.set())

    {use}
    while True:
        await found.wait()
        found.clear()
"""


@pytest.mark.parametrize(
    ("use", "expected"),
    [("browse(handlers=[handler])", []), ("handler('a')", [("AG111", "likely")])],
)
def test_a_signal_of_tasks_that_messages_start_is_nobody_s(use: str, expected: list[tuple[str, str]]):
    assert found(DISCOVERY.format(use=use)) == expected


FEED = """\
import asyncio

class Session:
    def __init__(self):
        self._events = asyncio.Queue()

    def start(self, work):
        task = asyncio.create_task(work)
        task.add_done_callback(self._finished)

    def _finished(self, task):
        {finished}

    async def next(self):
        return await self._events.get()
{more}
"""

FEEDS = "    def send(self, event):\n        self._events.put_nowait(event)"
ENDS = "    def close(self):\n        self._events.put_nowait(None)"
FAILED = "if task.exception():\n            self._events.put_nowait('it failed')"
RESULT = "self._events.put_nowait(task.result())"


@pytest.mark.parametrize(
    ("finished", "more", "expected"),
    [
        (FAILED, FEEDS, []),
        (RESULT, FEEDS, [("AG111", "certain")]),
        (FAILED, ENDS, [("AG111", "certain")]),
        (FAILED, "", [("AG111", "certain")]),
    ],
    ids=["news of failures", "results, and more", "closed by others", "fed by nobody else"],
)
def test_a_queue_that_others_feed_too_must_get_the_results(
    finished: str, more: str, expected: list[tuple[str, str]]
):
    assert found(FEED.format(finished=finished, more=more)) == expected


GIVEN = """\
import asyncio

class Group:
    def __init__(self):
        self._completed = asyncio.get_running_loop().create_future()

    def start(self, coroutine):
        return self._start(coroutine, done=self._on_done)

    def _start(self, {given}, done):
        {task}.add_done_callback(done)

    async def wait(self):
        await self._completed

    def _on_done(self, task):
        self._completed.set_result(task.result())
"""


@pytest.mark.parametrize(
    ("given", "task", "expected"),
    [
        ("coroutine", "asyncio.create_task(coroutine)", [("AG101", "certain")]),
        ("task", "task", []),
    ],
    ids=["to its own task", "to the caller's"],
)
def test_a_callback_that_a_function_is_given_is_followed(
    given: str, task: str, expected: list[tuple[str, str]]
):
    assert found(GIVEN.format(given=given, task=task)) == expected
    assert all(one.fix is None for one in lint_source(GIVEN.format(given=given, task=task), "a.py"))


LOCKED = """\
import asyncio

class Client:
    def __init__(self):
        self._lock = asyncio.Lock()

    async def close(self):
        task = asyncio.ensure_future({work})
        task.add_done_callback(lambda _: self._lock.release())
        await asyncio.wait({{task}}, timeout=5)

    async def connect(self):
        async with self._lock:
            pass
"""


@pytest.mark.parametrize(
    ("work", "expected"), [("self._lock.acquire()", []), ("self._finish()", [("AG111", "likely")])]
)
def test_a_lock_that_a_task_takes_is_given_back_at_once(work: str, expected: list[tuple[str, str]]):
    assert found(LOCKED.format(work=work)) == expected


@pytest.mark.parametrize(
    ("imported", "expected"),
    [("from asyncio import Future", [("AG101", "likely")]), ("from concurrent.futures import Future", [])],
)
def test_a_future_of_threads_by_its_annotation(imported: str, expected: list[tuple[str, str]]):
    text = f"""\
{imported}

def chain(source: Future, target: Future):
    source.add_done_callback(lambda _: target.set_result(source.result()))
"""
    assert found(text) == expected
