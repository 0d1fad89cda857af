"""Spawned tasks that complete what others wait for: by what they call, and events that are awaited elsewhere."""

from __future__ import annotations

import pytest

from agraph_static import LintConfig, lint_source

RULES = LintConfig(select=("AG101", "AG110"), min_confidence="likely")


def found(text: str) -> list[tuple[int, str]]:
    return [(one.span.line, one.code) for one in lint_source(text, "a.py", RULES)]


REQUEST = """\
import asyncio

class Request:
    def __init__(self, loop):
        self.answer = loop.create_future()
        self._task = loop.create_task(self._run(self.answer))

    async def get(self):
        return await self.answer

    async def _run(self, answer):
        {run}

    async def _ask(self, answer):
        {before}answer.set_result(await self.connection.ask())
{more}
"""


RUN = ("await self._ask(answer)", """\
try:
            await self._ask(answer)
        except OSError as error:
            answer.set_exception(error)""")  # fmt: skip


@pytest.mark.parametrize("run", RUN, ids=["plain", "with its errors"])
def test_a_future_that_a_function_of_the_task_completes_is_the_task_s(run: str):
    assert found(REQUEST.format(run=run, before="", more="")) == [(6, "AG110")]


@pytest.mark.parametrize(
    ("before", "more"),
    [
        ("while True: ", ""),
        ("", "\n    async def again(self):\n        await self._ask(self.answer)"),
        ("", "\n    def give_up(self):\n        self.answer.set_result(None)"),
        ("", "\n    def later(self, loop):\n        loop.call_later(3, self._ask, self.answer)"),
    ],
    ids=["again and again", "others call it", "others complete it", "a timer calls it"],
)
def test_a_future_that_others_may_complete_is_nobody_s(before: str, more: str):
    assert found(REQUEST.format(run=RUN[0], before=before, more=more)) == []


def test_a_task_that_only_fails_a_future_again_and_again_does_not_complete_it():
    assert found(REQUEST.format(run=RUN[1], before="while True: ", more="")) == []


def test_a_future_that_is_made_in_a_function_of_the_task_is_its_own_affair():
    text = """\
import asyncio

class Request:
    def start(self, loop):
        self._task = loop.create_task(self._run(loop))

    async def _run(self, loop):
        await self._observe(loop)

    async def _observe(self, loop):
        first = loop.create_future()
        task = loop.create_task(self._wait(first))
        first.set_result(await self._ask())
        await task

    async def _wait(self, first):
        await first
"""
    assert found(text) == []


CLOSED = """\
import asyncio
{imported}

class Transport:
    def __init__(self):
        self._closed = {event}()

    def start(self, loop):
        {before}
        self._task = loop.create_task(self._process())

    async def _process(self):
        try:
            await {work}
        finally:
            self._closed.set()

    async def close(self):
        await self._closed.wait()
{more}
"""
PLAIN = {"imported": "", "event": "asyncio.Event", "before": "pass", "work": "self.session.run()", "more": ""}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"before": "self._closed.clear()"},
        {"imported": "from .compat import Event", "event": "Event"},
        {"imported": "from aiorpcx.curio import (\n    Queue,\n    Event,\n)", "event": "Event"},
        {
            "work": "self.app(self.receive, self.send)",
            "more": "\n    async def send(self):\n        self._closed.set()",
        },
    ],
    ids=["plain", "cleared before", "imported", "imported on lines", "handed on"],
)
def test_an_event_that_only_the_task_sets_is_the_task_s(changed: dict[str, str]):
    assert [code for _, code in found(CLOSED.format(**{**PLAIN, **changed}))] == ["AG110"]


@pytest.mark.parametrize(
    "changed",
    [
        {"more": "\n    def abort(self):\n        self._closed.set()"},
        {"more": "\n    def reopen(self):\n        self._closed.clear()"},
        {"more": "\n    def handle(self, loop):\n        loop.add_signal_handler(2, self._closed.set)"},
        {"more": "\n    def handle(self):\n        self.on_close = self._closed.set"},
        {"more": "\n    def handle(self):\n        self.worker = Worker(self._closed)"},
        {"work": "asyncio.sleep(1)"},
        {"work": "self.app(self.stop)", "more": "\n    def stop(self):\n        self._closed.set()"},
        {"imported": "from threading import Event", "event": "Event"},
        {"imported": "from anyio import Event", "event": "Event"},
    ],
    ids=[
        "set elsewhere",
        "cleared later",
        "set by a signal",
        "set by who has the method",
        "handed to another",
        "only sleeps",
        "set by a callback of the work",
        "a thread's",
        "anyio's",
    ],
)
def test_an_event_that_others_may_set_is_nobody_s(changed: dict[str, str]):
    assert found(CLOSED.format(**{**PLAIN, **changed})) == []


def test_an_event_that_a_method_handed_to_the_task_sets_is_the_task_s():
    text = """\
import asyncio

class App:
    def __init__(self, app):
        self.app = app
        self._started = asyncio.Event()

    async def start(self):
        self._task = asyncio.ensure_future(self.app(self.receive, self.send))
        await self._started.wait()

    async def send(self, message):
        self._started.set()
"""
    assert found(text) == [(9, "AG110")]
    assert found(text.replace("    async def send", "    def send")) == []


def test_an_event_that_is_set_at_once_is_only_a_start():
    at_once = CLOSED.format(**PLAIN).replace(
        "        try:\n            await", "        self._closed.set()\n        await"
    )
    at_once = at_once.replace("        finally:\n            self._closed.set()\n", "")
    assert found(at_once) == []
    derived = "\nclass Other(Transport):\n    async def _process(self):\n        await super()._process()\n"
    assert [code for _, code in found(at_once + derived)] == ["AG110"]
    waits = at_once.replace("self._process())", "self._process())\n        await self._closed.wait()")
    assert [code for _, code in found(waits.replace("def start", "async def start"))] == ["AG110"]


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ("self.start(loop)", ["AG110"]),
        ("loop.on_message(self.start)", []),
        ("loop.dispatcher.add([self.start])", []),
        ("loop.call_soon(self.start)", ["AG110"]),
    ],
)
def test_a_task_that_a_message_starts_is_nobody_s(more: str, codes: list[str]):
    more = f"\n    def open(self, loop):\n        {more}"
    assert [code for _, code in found(CLOSED.format(**{**PLAIN, "more": more}))] == codes


def test_an_event_that_others_may_set_in_their_own_task_is_nobody_s():
    more = "\n    async def run(self):\n        await self._process()"
    assert found(CLOSED.format(**{**PLAIN, "more": more})) == []


def test_an_event_that_one_of_many_tasks_sets_is_nobody_s():
    many = CLOSED.format(**PLAIN).replace("self._task =", "for _ in range(3): self._task =")
    assert found(many) == []


def test_an_event_that_the_task_clears_itself_is_the_task_s():
    text = """\
import asyncio

class Listener:
    def __init__(self):
        self._started = asyncio.Event()

    async def start(self):
        self._started.clear()
        self._task = asyncio.create_task(self._listen_on())
        await self._started.wait()

    async def _listen_on(self):
        while True:
            try:
                await self._listen()
            except OSError:
                self._started.clear()

    async def _listen(self):
        channel = await self.subscribe()
        self._started.set()
        await channel.read()
"""
    assert found(text) == [(9, "AG110")]


@pytest.mark.parametrize(
    ("call", "codes"),
    [
        ("create_task_with_errors_logged(serve())", ["AG110"]),
        ("create_task_with_errors_logged(serve)", []),
        ("create_task_queue(queue())", []),
    ],
)
def test_a_helper_that_is_called_like_create_task_makes_a_task(call: str, codes: list[str]):
    text = f"""\
from asyncio import Event
from .tasks import create_task_queue, create_task_with_errors_logged

async def start(queue):
    ready = Event()

    async def serve():
        await queue.get()
        ready.set()

    task = {call}
    await ready.wait()
"""
    assert [code for _, code in found(text)] == codes


MADE = """\
import asyncio

class Output:
    def __init__(self):
        self.first = asyncio.Future()

def forward(source, target):
    out = Output()
    out.first = asyncio.Future()
    task = asyncio.create_task(run(source, out))
    {more}
    return task, out

async def run(source, out):
    out.first.set_result(await source.read())
"""


@pytest.mark.parametrize(
    ("more", "codes"),
    [("pass", ["AG110"]), ("out.first.add_done_callback(target.begin)", [])],
    ids=["for whoever waits", "with a callback"],
)
def test_a_future_with_callbacks_need_not_have_waiters(more: str, codes: list[str]):
    assert [code for _, code in found(MADE.format(more=more))] == codes


def test_a_future_that_the_function_returns_is_waited_for():
    text = """\
import asyncio

class Throttler:
    def call(self):
        future = asyncio.Future()
        self.queue.append(future)
        asyncio.ensure_future(self.run())
        return future

    async def run(self):
        await self.work()

    async def work(self):
        while self.queue:
            self.queue[0].set_result(None)
            await asyncio.sleep(1)
"""
    assert found(text) == [(7, "AG110")]


def test_private_names_of_another_class_of_the_module_are_followed():
    text = """\
import asyncio

class Handler:
    def __init__(self):
        self._prepared = None

    async def _execute(self):
        await self.prepare()
        self._prepared.set_result(None)

class Delegate:
    def execute(self):
        self.handler._prepared = asyncio.Future()
        asyncio.ensure_future(self.handler._execute())
        return self.handler._prepared
"""
    assert found(text) == [(14, "AG110")]


def test_private_names_of_the_class_itself_may_be_another_class_s():
    text = """\
import asyncio

class Server:
    def __init__(self):
        self._ready = asyncio.get_running_loop().create_future()

    async def start(self):
        asyncio.ensure_future(self.worker._run())
        await self._ready

    async def _run(self):
        await self.work()
        self._ready.set_result(None)
"""
    assert found(text) == []


def test_a_function_that_is_a_default_is_called():
    text = """\
def race(futures, out):
    def settle(future):
        out.set_result(future.result())

    for future in futures:
        def callback(future, _settle=settle):
            _settle(future)
        future.add_done_callback(callback)
    return out
"""
    assert found(text) == [(8, "AG101")]


def test_gather_of_python_3_11_is_a_copy():
    text = """\
def _ensure_future(one, loop):
    return loop.create_task(one)

def gather(futures, loop):
    outer = loop.create_future()

    def done(_):
        outer.set_result(None)

    for one in futures:
        future = _ensure_future(one, loop=loop)
        future.add_done_callback(done)
    return outer
"""
    assert [one.code for one in lint_source(text, "a.py")] == ["AG112"]
