"""Tasks that complete what others put into a queue or a table: workers, and readers of answers."""

from __future__ import annotations

import pytest

from agraph_static import LintConfig, lint_source

RULES = LintConfig(select=("AG110",), min_confidence="likely")


def found(text: str) -> list[tuple[int, str]]:
    return [(one.span.line, one.code) for one in lint_source(text, "a.py", RULES)]


ANSWERS = """\
import asyncio

class Client:
    def __init__(self, reader):
        self.reader = reader
        self._asked = asyncio.Queue()
        self._task = asyncio.create_task(self._run())

    async def ask(self, question):
        answer = asyncio.get_running_loop().create_future()
        await self._asked.put(answer)
        return await answer

    async def _run(self):
        {loop}
            {before}
            answer = await self._asked.get()
            answer.set_result({result})
"""


@pytest.mark.parametrize(
    ("loop", "before", "result", "lines"),
    [
        ("async for message in self.reader:", "pass", "message", []),
        ("while True:", "message = await self.reader.read()", "message", []),
        ("while True:", "pass", "await self.work()", [7]),
        ("while True:", "await self.limiter.acquire()", "await self.work()", [7]),
    ],
    ids=["a stream", "messages", "work", "work, not too fast"],
)
def test_a_future_whose_message_comes_first_is_an_answer(
    loop: str, before: str, result: str, lines: list[int]
):
    text = ANSWERS.format(loop=loop, before=before, result=result)
    assert [line for line, _ in found(text)] == lines


COMMANDS = """\
import asyncio

class Actor:
    def __init__(self):
        self._queue = asyncio.Queue()

    async def initialize(self):
        self._task = asyncio.create_task(self._run())

    async def call(self, kind):
        fut = asyncio.Future()
        await self._queue.put({"type": kind, "future": fut})
        res = await fut
        return res

    async def _run(self):
        while True:
            cmd = await self._queue.get()
            result = await self.work(cmd)
            cmd["future"].set_result(result)
"""


def test_a_worker_may_find_the_future_under_a_key():
    (finding,) = lint_source(COMMANDS, "a.py", RULES)
    assert (finding.code, finding.span.line) == ("AG110", 8)
    assert finding.message.startswith("`fut` is completed by the task that runs `_run`")
    assert found(COMMANDS.replace('cmd["future"]', 'self.waiting["future"]')) == []


BATCHES = """\
import asyncio

class Batcher:
    def __init__(self):
        self._queue = asyncio.Queue()
        self._task = asyncio.create_task(self._loop())

    async def encode(self, prompt):
        result_future = asyncio.get_running_loop().create_future()
        await self._queue.put((prompt, result_future))
        return await result_future

    async def _loop(self):
        while True:
            prompt, result_future = await self._queue.get()
            prompts = [prompt]
            result_futures = [result_future]
            while len(prompts) < 8:
                prompt, result_future = await asyncio.wait_for(self._queue.get(), timeout=1)
                prompts.append(prompt)
                result_futures.append(result_future)
            await self._process(prompts, result_futures)

    async def _process(self, prompts, result_futures):
        results = await self.work(prompts)
        for fut, res in zip(result_futures, results):
            fut.set_result(res)
"""


def test_a_worker_may_hand_on_a_batch():
    assert found(BATCHES) == [(6, "AG110")]
    assert found(BATCHES.replace("zip(result_futures, results)", "self.lookup(result_futures)")) == []


SLOTS = """\
import asyncio
from collections import deque

class Pool:
    def __init__(self):
        self._slots = deque()

    def _refill(self):
        while len(self._slots) < 4:
            future = asyncio.get_running_loop().create_future()
            self._slots.append(future)
            self.tasks.add(asyncio.create_task(self._fill(future)))

    async def _fill(self, future):
        workspace = await self._create()
        future.set_result(workspace)

    async def take(self):
        future = self._slots.popleft()
        self._refill()
        return await future
"""


def test_a_future_that_is_made_for_the_task_is_not_picked_from_a_table():
    assert found(SLOTS) == [(12, "AG110")]
    assert found(SLOTS.replace("self._fill(future)", "self._fill(self._slots[-1])")) == []
