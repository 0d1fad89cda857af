"""Run a task called `main` until it waits for ever, and judge it by a proof from another thread."""

import asyncio
import contextlib
import threading
import time

import agraph
from agraph.reduction import build, certainty, levels

DEADLINE_S = 30
GO = threading.Event()  # tells the live parties of a program to do what they are there for
BACKGROUND = set()


def verdicts_in(snapshot):
    levels_of = levels(build(snapshot)).level
    return {
        node.name: certainty(snapshot, level)
        for node, level in zip(snapshot.nodes, levels_of, strict=True)
        if node.kind == "task"
    }


class Program:
    """A program in a thread of its own.

    Attributes:
        loop: Its loop.
        task: Its main task.
    """

    def __init__(self, main):
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(main,), daemon=True)

    def _run(self, main):
        async def outer():
            self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
            self.task.set_name("main")
            self.ready.set()
            await main()

        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(outer())

    def proof(self):
        """A snapshot with a proof, once no task is about to run that is not to poll; and verdicts by task."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            snapshot = agraph.capture(prove=True)
            (node,) = [node for node in snapshot.tasks if node.name == "main"]
            if node.state == "waiting" and node.timer is None:
                assert snapshot.capture.errors == ()
                return snapshot, verdicts_in(snapshot)
            time.sleep(0.002)
        raise AssertionError("main does not come to wait")

    def join(self):
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def running(main):
    """A program that runs, and is ended afterwards."""
    GO.clear()
    program = Program(main)
    program.thread.start()
    assert program.ready.wait(DEADLINE_S)
    try:
        yield program
    finally:
        GO.set()
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            program.loop.call_soon_threadsafe(program.task.cancel)
        program.join()
        BACKGROUND.clear()


def start(coroutine, name="live"):
    """A task that somebody keeps."""
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    BACKGROUND.add(task)
    return task


async def told():
    """Until the test says so. Whoever waits here can go on."""
    while not GO.is_set():
        await asyncio.sleep(0.005)
