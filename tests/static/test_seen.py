"""Waits that the await graph sees anyway are no findings; those beside them are."""

from __future__ import annotations

import pytest

from agraph_static import LintConfig, lint_source

RULES = LintConfig(select=("AG101", "AG110", "AG111"))


def found(text: str) -> list[tuple[int, str]]:
    return [(one.span.line, one.code) for one in lint_source(text, "a.py", RULES)]


SERVE = """\
import asyncio
from asyncio import TaskGroup

async def run(stack):
    ready = asyncio.Event()
    async def serve():
        await stack.listen()
        ready.set()
"""

ENTERED = {
    "as a variable": """\
    async with asyncio.TaskGroup() as group:
        group.create_task(serve())
        await ready.wait()
""",
    "imported by name": """\
    async with TaskGroup() as group:
        group.create_task(serve())
        await asyncio.wait_for(ready.wait(), 3)
""",
    "made before": """\
    group = TaskGroup()
    async with group:
        group.create_task(serve())
        await ready.wait()
""",
    "by an exit stack": """\
    group = await stack.enter_async_context(asyncio.TaskGroup())
    group.create_task(serve())
    await ready.wait()
""",
    "handed to a helper": """\
    def start(group):
        group.create_task(serve())
    async with asyncio.TaskGroup() as group:
        start(group)
        await ready.wait()
""",
    "in a helper that it awaits": """\
    async def until_ready():
        await ready.wait()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve())
        await until_ready()
""",
    "with a callback": """\
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(1))
        task.add_done_callback(lambda _: ready.set())
        await ready.wait()
""",
}


@pytest.mark.parametrize("body", ENTERED.values(), ids=ENTERED)
def test_who_enters_a_task_group_is_seen_to_wait_for_its_tasks(body: str):
    assert found(SERVE + body) == []


def test_a_group_on_the_instance_is_known_in_other_methods():
    text = """\
import asyncio

class Server:
    async def run(self):
        self._ready = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as self._group:
            self._start()
            await self._ready

    def _start(self):
        self._group.create_task(self._serve())

    async def _serve(self):
        await self._listen()
        self._ready.set_result(None)
"""
    assert found(text) == []


def test_another_task_of_the_group_is_not_seen_to_wait():
    body = """\
    async def ask():
        await ready.wait()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve())
        group.create_task(ask())
"""
    assert found(SERVE + body) == [(12, "AG110")]


def test_the_scopes_of_aiotools_record_their_tasks():
    body = """\
    async with aiotools.TaskScope() as scope:
        scope.create_task(serve())
        await ready.wait()
"""
    assert found(SERVE + body) == []


def test_a_group_of_another_library_records_nothing():
    body = """\
    async with stack.TaskGroup() as group:
        group.create_task(serve())
        await ready.wait()
"""
    assert found(SERVE + body) == [(10, "AG110")]


START = """\
import asyncio

async def run(loop, tasks, more):
    ready = loop.create_future()
    async def serve():
        await asyncio.sleep(1)
        ready.set_result(None)
"""

TOGETHER = {
    "unpacked": """\
    task = loop.create_task(serve())
    tasks.add(task)
    await asyncio.wait((*tasks, ready), return_when=asyncio.FIRST_COMPLETED)
""",
    "unpacked on one of two ways, into a helper": """\
    task = loop.create_task(serve())
    tasks.add(task)
    await more((*tasks, ready) if more else tasks)
""",
    "united": """\
    tasks = {loop.create_task(serve())}
    await asyncio.wait(tasks | {ready}, return_when=asyncio.FIRST_COMPLETED)
""",
    "added at once": """\
    tasks.append(loop.create_task(serve()))
    await asyncio.wait([*tasks, ready], return_when=asyncio.FIRST_COMPLETED)
""",
    "gathered": """\
    tasks.append(loop.create_task(serve()))
    await asyncio.gather(*tasks, ready)
""",
    "in a variable": """\
    waiting = {ready, loop.create_task(serve())}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
""",
}


@pytest.mark.parametrize("body", TOGETHER.values(), ids=TOGETHER)
def test_a_wait_for_the_task_and_its_future_is_complete(body: str):
    assert found(START + body) == []


def test_other_tasks_in_the_wait_are_no_help():
    body = """\
    task = loop.create_task(serve())
    await asyncio.wait((*tasks, ready), return_when=asyncio.FIRST_COMPLETED)
"""
    assert found(START + body) == [(8, "AG110")]


ENDED = {
    "awaited": "    await task\n    await ready\n",
    "waited for": "    await asyncio.wait([task])\n    return await ready\n",
    "gathered, further in": "    await asyncio.gather(task, more())\n    if tasks:\n        await ready\n",
}
STILL_RUNNING = {
    "with a limit": "    await asyncio.wait([task], timeout=3)\n    await ready\n",
    "the first": "    await asyncio.wait([task, more], return_when=asyncio.FIRST_COMPLETED)\n    await ready\n",
    "on one way": "    if tasks:\n        await task\n    await ready\n",
    "later": "    await ready\n    await task\n",
    "shielded from failure": "    try:\n        await task\n    except OSError:\n        pass\n    await ready\n",
}
MADE = ("    task = loop.create_task(serve())\n", "    task = loop.create_task(more())\n")
CALLED_BACK = "    task.add_done_callback(lambda _: ready.set_result(None))\n"


@pytest.mark.parametrize("body", ENDED.values(), ids=ENDED)
def test_who_has_awaited_the_task_waits_for_nothing_more(body: str):
    assert found(START + MADE[0] + body) == []
    assert found(START + MADE[1] + CALLED_BACK + body) == []


@pytest.mark.parametrize("body", STILL_RUNNING.values(), ids=STILL_RUNNING)
def test_the_task_may_still_run(body: str):
    assert [code for _, code in found(START + MADE[0] + body)] == ["AG110"]
    assert [code for _, code in found(START + MADE[1] + CALLED_BACK + body)] == ["AG101"]
