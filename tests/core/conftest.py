"""What the tests of core share: modules in `support` that they import, and the kinds of tasks."""

import asyncio
import sys
from pathlib import Path

import pytest

# Test modules are imported by path and have no package; so their helpers need a place on the path.
sys.path.append(str(Path(__file__).with_name("support")))


class OwnTask(asyncio.Task):
    """A task class of an application."""


def make_py_task(loop, coroutine, **options):
    return asyncio.tasks._PyTask(coroutine, loop=loop, **options)


def make_own_task(loop, coroutine, **options):
    return OwnTask(coroutine, loop=loop, **options)


FACTORIES = {"default": None, "python": make_py_task, "subclass": make_own_task}
if sys.version_info >= (3, 12):
    FACTORIES["eager"] = asyncio.eager_task_factory


@pytest.fixture
def python_current_task(monkeypatch):
    """Lets asyncio know Python tasks: since 3.14 those of C and of Python say in different places who runs."""
    if sys.version_info >= (3, 14):
        for module in (asyncio, asyncio.tasks):
            monkeypatch.setattr(module, "current_task", asyncio.tasks._py_current_task)
            monkeypatch.setattr(module, "all_tasks", asyncio.tasks._py_all_tasks)


@pytest.fixture(params=FACTORIES)
def run(request):
    """Runs a coroutine in a loop whose tasks are of one kind."""
    if request.param == "python":
        request.getfixturevalue("python_current_task")

    def run_with(main):
        async def outer():
            asyncio.get_running_loop().set_task_factory(FACTORIES[request.param])
            await main

        asyncio.run(outer())

    return run_with
