"""Single flights: which items of a table are one, who waits, and flights over what is there before."""

from __future__ import annotations

import pytest

from agraph_static import LintConfig, lint_source

RULES = LintConfig(select=("AG108", "AG109"))


def found(text: str) -> list[tuple[int, str]]:
    return [(one.span.line, one.code) for one in lint_source(text, "a.py", RULES)]


TABLE = """\
import asyncio

async def setup(hass):
    hass.data[{made}] = future = asyncio.get_running_loop().create_future()
    try:
        await hass.load()
    finally:
        future.set_result(None)

async def other(hass, key):
    {use}
"""


@pytest.mark.parametrize(
    ("made", "use"),
    [
        ('"lock"', 'await hass.data["task"]'),
        ("LOCK", "await hass.data[TASK]"),
        ("keys.LOCK", 'await hass.data.get("lock", None)'),
        ('"lock"', 'await hass.data["lock"].task'),
    ],
)
def test_items_under_other_keys_are_others(made: str, use: str):
    assert found(TABLE.format(made=made, use=use)) == []


@pytest.mark.parametrize(
    ("made", "use"),
    [
        ('"lock"', 'await hass.data["lock"]'),
        ('"lock"', 'await hass.data.get("lock")'),
        ("LOCK", "await hass.data[LOCK]"),
        ("LOCK", "await hass.data[key]"),
        ("key", 'await hass.data["lock"]'),
        ("LOCK", "await asyncio.wait(hass.data.values())"),
        ('"a.lock"', 'waiter = hass.data.pop("a.lock")\n    await waiter'),
        ("0", "await hass.data[1]"),
    ],
)
def test_items_that_may_be_the_same_are_one(made: str, use: str):
    assert found(TABLE.format(made=made, use=use)) == [(4, "AG108")]


FILL = """\
import asyncio

class Cache:
    async def fill(self, key):
        self.items[key] = future = asyncio.get_running_loop().create_future()
        try:
            await self.load()
        finally:
            future.set_result(1)

    {use}
"""


@pytest.mark.parametrize(
    ("use", "lines"),
    [
        ("async def get(self, key):\n        return self.items[key]", []),
        ("async def get(self, key):\n        value = self.items.get(key)\n        return value", []),
        ("def get(self, key):\n        return self.items[key]", [5]),
        ("async def get(self, key):\n        return await self.items[key]", [5]),
        ("async def all(self):\n        await asyncio.wait(self.items.values())", [5]),
        ("async def all(self):\n        await asyncio.gather(*self.items.values())", [5]),
    ],
)
def test_a_coroutine_that_returns_a_future_does_not_wait_for_it(use: str, lines: list[int]):
    assert found(FILL.format(use=use)) == [(line, "AG108") for line in lines]


def test_the_plainest_wait_is_shown():
    use = "def get(self, key):\n        return self.items[key]\n\n    async def wait(self, key):\n"
    (finding,) = lint_source(FILL.format(use=use + "        await self.items[key]"), "a.py", RULES)
    assert [one.span.line for one in finding.related if "another task waits" in one.message] == [15]


def test_an_owner_that_waits_for_its_own_future_in_a_list_owns_no_flight():
    text = """\
import asyncio

async def run(loop, task, waiters, work):
    stop = loop.create_future()
    waiters.add(stop)
    await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    await work()
    stop.set_result(None)
"""
    assert found(text) == []


CLEARED = """\
import asyncio

class Check:
    def __init__(self):
        self._idle = asyncio.Event()
        self._idle.set()

    async def check(self):
        if not self._idle.is_set():
            await self._idle.wait()
            return self._value
        self._idle.clear()
        try:
            self._value = await {work}
        finally:
            self._idle.set()
        return self._value
{more}
"""


def test_an_event_that_one_caller_clears_and_sets_is_a_flight():
    assert found(CLEARED.format(work="self._ask()", more="")) == [(12, "AG108")]


@pytest.mark.parametrize(
    ("work", "more"),
    [
        ("asyncio.sleep(1)", ""),
        ("self._ask()", "\n    def resume(self):\n        self._idle.set()"),
        ("self._ask()", "\n    def resume(self, loop):\n        loop.call_soon(self._idle.set)"),
        ("self._ask(self._idle)", ""),
    ],
    ids=["only sleeps", "is set elsewhere", "is set by a callback", "is handed on"],
)
def test_an_event_that_time_or_others_set_is_none(work: str, more: str):
    assert found(CLEARED.format(work=work, more=more)) == []


SESSION = """\
import asyncio
from dataclasses import dataclass, field

@dataclass
class Session:
    idle: asyncio.Event = field(default_factory=make_event)

async def run(session: Session):
    await session.idle.wait()
    session.idle.clear()
    try:
        await session.work()
    finally:
        session.idle.set()
"""


def test_an_attribute_that_is_said_to_be_an_event_is_one():
    assert found(SESSION) == [(10, "AG108")]


def test_an_event_that_is_handed_in_has_other_setters():
    handed = "    def __init__(self, idle: asyncio.Event):\n        self.idle: asyncio.Event = idle"
    assert found(SESSION.replace("    idle: asyncio.Event = field(default_factory=make_event)", handed)) == []


CLOSE = """\
import asyncio

class Run:
    def __init__(self):
        self.closed = False
        self._done = asyncio.Event()

    async def close(self):
        if self.closed:
            await self._done.wait()
            {leave}
        {raised}
        await self.buffer.close()
        self._done.set()
"""


def test_a_flag_that_lets_others_wait_makes_a_flight():
    text = CLOSE.format(leave="return", raised="self.closed = True")
    assert found(text) == [(12, "AG108"), (13, "AG109")]


def test_a_future_that_a_helper_of_mode_completes_is_completed():
    text = """\
import asyncio
from mode.utils.futures import notify

class Consumer:
    _commit = None

    async def wait(self):
        if self._commit is not None:
            await self._commit

    async def commit(self):
        self._commit = asyncio.Future()
        try:
            await self._commit_all()
        finally:
            fut, self._commit = self._commit, None
            notify(fut)
"""
    assert found(text) == [(12, "AG108")]
    assert found(text.replace("mode.utils.futures", "other")) == []


def test_a_flag_that_lets_others_wait_for_a_future_makes_a_flight():
    text = """\
import asyncio

class Worker:
    def __init__(self, loop):
        self._closed = False
        self._all_done = loop.create_future()

    async def close(self):
        if self._closed:
            await asyncio.shield(self._all_done)
            return
        self._closed = True
        await self._stop()
        self._all_done.set_result(None)
"""
    assert found(text) == [(12, "AG108"), (13, "AG109")]
    assert found(text + "    def abort(self):\n        self._all_done.set_result(None)\n") == []


@pytest.mark.parametrize(
    ("leave", "raised"), [("pass", "self.closed = True"), ("return", "self.other = True")]
)
def test_a_flag_that_keeps_nobody_out_makes_none(leave: str, raised: str):
    assert found(CLOSE.format(leave=leave, raised=raised)) == []


WAITERS = """\
import asyncio

class Client:
    async def send(self, peer):
        if peer in self.waiters:
            waiter = asyncio.get_running_loop().create_future()
            self.waiters[peer].append(waiter)
            await waiter
        self.waiters[peer] = []
        try:
            await self.bind(peer)
        finally:
            for waiter in {taken}:
                waiter.set_result(None)
{more}
"""


def test_a_list_of_waiters_that_its_beginner_wakes_is_a_flight():
    (finding,) = lint_source(WAITERS.format(taken="self.waiters.pop(peer)", more=""), "a.py", RULES)
    assert (finding.span.line, finding.code, finding.confidence) == (9, "AG108", "likely")


@pytest.mark.parametrize(
    ("taken", "more"),
    [
        ("self.sleepers.pop(peer)", ""),
        (
            "self.waiters.pop(peer)",
            "\n    def wake(self, peer):\n        self.waiters[peer].pop().set_result(None)",
        ),
    ],
    ids=["another list", "woken elsewhere"],
)
def test_a_list_of_waiters_that_others_wake_is_none(taken: str, more: str):
    assert found(WAITERS.format(taken=taken, more=more)) == []


COMPLETED = """\
import asyncio

class Room:
    async def connect(self):
        self._sid = asyncio.get_running_loop().create_future()
        {body}

    def _resolve(self, sid):
        self._sid.set_result(sid)

    async def sid(self):
        return await asyncio.shield(self._sid)
{more}
"""

PLAIN = "answer = await self._ask()\n        self._resolve(answer.sid)"
FINAL = "try:\n            await self._ask()\n        finally:\n            self._resolve(None)"
HANDLED = (
    "try:\n            await self._ask()\n        except OSError:\n            self._sid.set_result(None)"
)
OTHER = "    def on_update(self, update):\n        self._sid, sid = None, self._sid\n        sid.set_result(update.sid)"
OWNER = """\
    async def reconnect(self):
        self._sid = asyncio.get_running_loop().create_future()
        self._sid.set_result(None)
"""
FAILS = "    def close(self):\n        self._sid.set_exception(ConnectionError())"


@pytest.mark.parametrize(
    ("body", "more", "lines"),
    [
        (PLAIN, "", [5, 6]),
        (PLAIN, FAILS, [5, 6]),
        (PLAIN, OTHER, []),
        (FINAL, OTHER, [5]),
        (PLAIN, OWNER, [5, 6]),
        (HANDLED, OTHER, []),
    ],
    ids=[
        "by the owner",
        "or failed by others",
        "by whoever comes first",
        "by the owner at last",
        "by another owner",
        "if it fails",
    ],
)
def test_a_future_that_others_complete_too_has_no_owner(body: str, more: str, lines: list[int]):
    assert [line for line, _ in found(COMPLETED.format(body=body, more=more))] == lines


COUNTED = """\
import asyncio

class Server:
    def __init__(self):
        self._connections = set()
        self._idle = asyncio.Event()

    async def serve(self, reader):
        self._connections.add(reader)
        self._idle.clear()
        try:
            await reader.read()
        finally:
            self._connections.discard(reader)
            {test}
                self._idle.set()

    async def drain(self):
        await self._idle.wait()
"""


@pytest.mark.parametrize(
    ("test", "codes"),
    [
        ("if not self._connections:", []),
        ("if not self._idle.is_set():", ["AG108"]),
        ("if True:", ["AG108"]),
    ],
)
def test_an_event_that_the_last_of_many_sets_has_no_owner(test: str, codes: list[str]):
    text = COUNTED.format(test=test).replace("if True:\n                ", "")
    assert [code for _, code in found(text)] == codes


def test_a_waiter_that_wakes_the_next_owns_no_flight():
    text = """\
import asyncio

class Queue:
    def __init__(self):
        self._getters = []

    async def get(self):
        with self._mutex:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
        try:
            await getter
        except BaseException:
            self._wake(self._getters)
            raise

    def put(self, item):
        self._wake(self._getters)

    def _wake(self, waiters):
        waiters.pop().set_result(None)
"""
    assert found(text) == []


def test_who_is_not_the_leader_owns_no_flight_yet():
    text = """\
import asyncio

class Cache:
    def __init__(self):
        self._running = {}

    async def get(self, key, resolve):
        own = asyncio.get_running_loop().create_future()
        leader = self._running.setdefault(key, own)
        if leader is not own:
            return await asyncio.shield(leader)
        try:
            value = await resolve()
        except BaseException:
            own.set_result(None)
            raise
        own.set_result(value)
        return value
"""
    (finding,) = lint_source(text, "a.py", RULES)
    assert (finding.code, finding.span.line) == ("AG108", 8)
    assert (13, "the owner waits here meanwhile") in [(one.span.line, one.message) for one in finding.related]
