"""Programs whose tasks wait inside real libraries, at sites that `labels.tsv` of the corpus names.

The libraries come from the cache that benchmarks/corpus.py fills. Each program runs in a process of its own until
its tasks wait, and is captured there with `agraph.capture()`.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

BEGIN = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
import agraph

async def until(condition):
    while not condition():
        await asyncio.sleep(0)

def start(coroutine, name):
    task = asyncio.create_task(coroutine, name=name)
    tasks.append(task)  # nothing else may hold it
    return task

tasks = []
"""
END = """
    agraph.capture().save(sys.argv[2])
    os._exit(0)

asyncio.run(main())
"""

AIOJOBS = """
import aiojobs

async def main():
    scheduler, gate, working = aiojobs.Scheduler(), asyncio.Event(), []

    async def work():
        working.append(1)
        await gate.wait()

    async def guarded():
        await scheduler.shield(work())

    for number in range(3):
        start(guarded(), f"guarded-{number}")
    await until(lambda: len(working) == 3)
"""

WEBSOCKETS = """
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def main():
    gate, begun = asyncio.Event(), []

    async def handler(connection):
        await gate.wait()

    async def fragments():
        yield "one"
        begun.append(1)
        await gate.wait()

    def waits_in_send(task):
        coroutine = task.get_coro()
        while asyncio.iscoroutine(coroutine.cr_await):
            coroutine = coroutine.cr_await
        return coroutine.__name__ == "send" and coroutine.cr_await is not None

    server = await serve(handler, "127.0.0.1", 0)
    client = await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    start(client.send(fragments()), "fragments")
    await until(lambda: begun)
    reports = [start(client.send("all is well"), f"report-{number}") for number in range(3)]
    await until(lambda: all(map(waits_in_send, reports)))
"""

AIODATALOADER = """
from aiodataloader import DataLoader

async def main():
    gate, keys = asyncio.Event(), []

    async def batch(wanted):
        keys.extend(wanted)
        await gate.wait()

    loader = DataLoader(batch)

    async def request(key):
        return await loader.load(key)

    for number in range(3):
        start(request(number), f"request-{number}")
    await until(lambda: len(keys) == 3)
"""

AIORPCX = """
from aiorpcx import TaskGroup

async def main():
    gate, cancelled = asyncio.Event(), []

    async def stubborn():
        while True:
            try:
                await gate.wait()
            except asyncio.CancelledError:
                cancelled.append(1)

    async def group():
        async with TaskGroup() as group:
            await group.spawn(stubborn())
            await asyncio.sleep(0)
            raise ValueError

    start(group(), "group")
    await until(lambda: cancelled)
"""


class Case(NamedTuple):
    """A program, and what the static rules say of where its tasks wait.

    Attributes:
        package: The library.
        program: The body of the program.
        tasks: Names of the tasks that wait there.
        path: The file of the site below the package.
        function: Its function.
        code: The rule.
        labelled: Whether `labels.tsv` names that function of that file.
    """

    package: str
    program: str
    tasks: tuple[str, ...]
    path: str
    function: str
    code: str
    labelled: bool = True


def _numbered(name: str) -> tuple[str, ...]:
    return tuple(f"{name}-{number}" for number in range(3))


CASES = [
    Case(
        "aiojobs==1.4.0", AIOJOBS, _numbered("guarded"), "aiojobs/_scheduler.py", "Scheduler.shield", "AG112"
    ),
    Case(
        "websockets==17.4",
        WEBSOCKETS,
        _numbered("report"),
        "websockets/asyncio/connection.py",
        "Connection.send",
        "AG108",
    ),
    Case(
        "aiodataloader==0.4.3",
        AIODATALOADER,
        _numbered("request"),
        "aiodataloader/__init__.py",
        "dispatch_queue",  # the label names `load`, which makes the future that this function's task completes
        "AG110",
        labelled=False,
    ),
    Case("aiorpcX==0.25.0", AIORPCX, ("group",), "aiorpcx/curio.py", "TaskGroup._cancel_tasks", "AG111"),
]


def library(package: str) -> Path:
    """The folder of a package; skips the test when it cannot be had."""
    spec = importlib.util.spec_from_file_location("corpus", REPOSITORY / "benchmarks" / "corpus.py")
    corpus = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(corpus)
    if corpus.find(package) is None:
        try:
            corpus.fetch(package)
        except RuntimeError as error:
            pytest.skip(f"the package cannot be had: {error}")
    return corpus.find(package)


def capture(case: Case, target: Path) -> Path:
    """Run the program of a case until it is captured; the folder of the library."""
    root = library(case.package)
    program = target.with_suffix(".py")
    program.write_text(BEGIN + case.program + END, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program, root, target], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return root
