"""What the triage keeps from the rules, and what it has to let through."""

from __future__ import annotations

import ast

import pytest

from agraph_static import LintConfig, lint_source
from agraph_static._internal import engine, triage
from agraph_static._internal.depth import without_deep_statements

LOCKS = """\
import asyncio

class Store:
    def __init__(self):
        self._read = asyncio.Lock()
        self._write = asyncio.Lock()

    async def first(self):
        async with self._read:
            {first}

    async def second(self):
        async with self._write:
            {second}

    async def take(self):
        async with self._read:
            pass
"""

TASKS = """\
import asyncio

class Server:
    async def start(self, client):
        self._ready = asyncio.get_running_loop().create_future()
        {start}
        await self._ready

    async def run(self):
        self._ready.set_result(None)
"""


def is_candidate(text: str) -> bool:
    data = text.encode()
    return triage.may_matter(data) and triage.is_candidate(ast.parse(text), data)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("pass", "pass", False),
        ("async with self._write: pass", "pass", False),
        ("async with self._write: pass", "await self.take()", True),
        ("await self.take()", "pass", True),
        ("await client.take()", "pass", False),
        ("given = self.take; await given()", "pass", False),
        (
            "async with self._write: pass",
            "read: asyncio.Lock = self._read\n            async with read: pass",
            True,
        ),
    ],
)
def test_locks_are_taken_again_or_in_two_orders(first: str, second: str, expected: bool):
    assert is_candidate(LOCKS.format(first=first, second=second)) == expected


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("self._task = asyncio.create_task(self.run())", True),
        ("work = self.run()\n        self._task = asyncio.create_task(work)", True),
        ("asyncio.get_running_loop().call_soon(asyncio.ensure_future, self.run())", True),
        ("client.run(); self._task = asyncio.create_task(client.serve())", False),
    ],
)
def test_a_task_is_given_what_completes_a_future(start: str, expected: bool):
    assert is_candidate(TASKS.format(start=start)) == expected


def test_a_deep_expression_between_short_lines():
    """The statement is left out, since libcst overflows the C stack over a deeper one; the rest is linted."""
    deep = "numbers = [\n" + "+".join(["1"] * 600) + ",\n]\n"
    text = TASKS.format(start="self._task = asyncio.create_task(self.run())") + deep
    assert "numbers" not in without_deep_statements(ast.parse(text), text)
    assert [one.code for one in lint_source(text)] == ["AG110"]


def test_comments_of_what_is_left_out_do_not_make_libcst_read_all(monkeypatch: pytest.MonkeyPatch):
    text = """\
import asyncio

class Client:
    async def connect(self):
        self._connected = asyncio.get_running_loop().create_future()
        await self._dial()
        self._connected.set_result(None)

    # how it is done

    async def _dial(self):
        return self._address

    # who waits

    async def send(self):
        await self._connected
"""
    read: list[str] = []
    real = engine.run_rules
    monkeypatch.setattr(engine, "run_rules", lambda text, *rest: read.append(text) or real(text, *rest))
    found = lint_source(text, config=LintConfig())
    assert [one.code for one in found if one.fix is not None] == ["AG108", "AG109"]
    assert len(read) == 1
    assert "_address" not in read[0]
    assert "how it is done" not in read[0]
