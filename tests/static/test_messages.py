"""What a finding says to its reader: the names it uses, the places it shows, the help it gives."""

from __future__ import annotations

from agraph_static import Finding, lint_source


def only(text: str, code: str) -> Finding:
    (finding,) = [one for one in lint_source(text, "a.py") if one.code == code]
    return finding


def shown(finding: Finding) -> list[tuple[int, str]]:
    return [(one.span.line, one.message) for one in finding.related]


OUTPUT = """\
import asyncio
from dataclasses import dataclass

@dataclass
class Output:
    started: asyncio.Future

def forward(source):
    output = Output(asyncio.Future())
    if source.is_empty:
        return output.started
    task = asyncio.create_task(run(source, output))
    return output.started

async def run(source, output):
    try:
        await source.open()
    except OSError as error:
        output.started.set_exception(error)
    else:
        output.started.set_result(None)
"""


def test_a_spawned_task_is_shown_with_what_goes_well_and_what_comes_after():
    finding = only(OUTPUT, "AG110")
    assert finding.message.startswith("`Output.started` is completed by the task that runs `run`")
    assert shown(finding) == [
        (9, "`Output.started` is made here"),
        (21, "resolved here"),
        (13, "returned to be awaited here"),
    ]


def test_an_event_is_not_given_to_wait():
    text = """\
import asyncio

async def start(serve):
    ready = asyncio.Event()

    async def run():
        await serve()
        ready.set()

    task = asyncio.create_task(run())
    await ready.wait()
"""
    help_text = only(text, "AG110").help
    assert "wait with `asyncio.wait` for the task and for a task of `ready.wait()`" in help_text


def test_a_source_without_a_name_gets_one():
    text = """\
import asyncio

async def run(loop, work):
    done = loop.create_future()
    loop.create_task(work(1, 2)).add_done_callback(lambda _: done.set_result(None))
    await done
"""
    finding = only(text, "AG101")
    assert "a done-callback of `loop.create_task(...)`" in finding.message
    assert finding.help.startswith("keep what `loop.create_task(...)` returns in a variable `inner`, call")
    assert "`future_add_to_awaited_by(inner, task)`" in finding.help


def test_an_owner_is_shown_where_all_goes_well():
    text = """\
import asyncio

class Store:
    async def load(self):
        if self._loading is not None:
            return await self._loading
        self._loading = asyncio.get_running_loop().create_future()
        try:
            value = await self._read()
        except OSError as error:
            self._loading.set_exception(error)
            raise
        self._loading.set_result(value)
        return value
"""
    assert (13, "resolved here") in shown(only(text, "AG108"))
    assert (13, "completed here") in shown(only(text, "AG109"))


def test_an_event_has_no_set_exception():
    text = """\
import asyncio

class Store:
    def __init__(self):
        self._idle = asyncio.Event()

    async def save(self):
        self._idle.clear()
        await self._write()
        self._idle.set()

    async def flush(self):
        await self._idle.wait()
"""
    finding = only(text, "AG109")
    assert finding.message.startswith("`self._idle` is never set when this fails or is cancelled")
    assert finding.help == "set it in a `finally`"
    assert (10, "set here only") in shown(finding)


def test_a_variable_of_another_function_is_called_as_where_it_is_awaited():
    text = """\
import asyncio

class Client:
    async def connect(self):
        self._connected = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._supervise())
        await self._connected

    async def _supervise(self):
        await self._open()
        self._resolve()

    def _resolve(self):
        future = self._connected
        future.set_result(None)
"""
    assert only(text, "AG110").message.startswith("`self._connected` is completed by the task")
