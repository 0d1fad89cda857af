"""What a proof says of tasks: whether they stay, and what those reach who have more than the task."""

import asyncio
import contextvars
import gc
import sys

import pytest
from proving import running, start, told, verdicts_in

import agraph

KEPT = []
VARIABLE = contextvars.ContextVar("VARIABLE")


class Session:
    """Takes its own lock twice, with another one in its hands."""

    def __init__(self, pool):
        self.pool = pool
        self.lock = asyncio.Lock()

    async def save(self):
        async with self.lock:
            pass

    async def run(self):
        async with self.pool, self.lock:
            await self.save()


async def takes(lock):
    async with lock:
        pass


async def takes_both(first, second):
    async with first:
        await asyncio.sleep(0)
        await takes(second)


async def parked_in(snapshot, names):
    """Snapshots until the tasks of these names wait."""
    while True:
        found = snapshot()
        states = {node.name: node.state for node in found.tasks}
        if all(states.get(name) == "waiting" for name in names):
            return found
        await asyncio.sleep(0)


def proof():
    return agraph.capture(prove=True)


@pytest.fixture(autouse=True)
def _no_collection():
    """What is garbage stays until the test collects it."""
    gc.disable()
    yield
    gc.enable()
    KEPT.clear()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_forgotten_task_gives_back_what_it_holds():
    async def main():
        pool = asyncio.Lock()
        asyncio.get_running_loop().create_task(Session(pool).run(), name="session")
        await asyncio.sleep(0)
        client = asyncio.create_task(takes(pool), name="client")
        snapshot = await parked_in(proof, ["session", "client"])
        gc.collect()
        await client
        return snapshot

    snapshot = asyncio.run(main())
    found = verdicts_in(snapshot)
    assert (found["session"], found["client"]) == ("possible", "possible")
    (session,) = [node for node in snapshot.tasks if node.name == "session"]
    assert session.open == "nobody keeps it: once it is collected, it gives back what it holds"


def test_without_a_proof_it_is_assumed_that_somebody_keeps_the_tasks():
    async def main():
        pool = asyncio.Lock()
        session = asyncio.create_task(Session(pool).run(), name="session")
        await asyncio.sleep(0)
        client = asyncio.create_task(takes(pool), name="client")
        snapshots = [await parked_in(take, ["session", "client"]) for take in (agraph.capture, proof)]
        session.cancel()
        await client
        return snapshots

    sentence = "somebody keeps a reference to these tasks"
    for snapshot in asyncio.run(main()):
        assert verdicts_in(snapshot)["session"] == "certain"
        assert sentence in snapshot.format()  # the one who has it here may let go of it


def test_what_is_kept_by_the_task_that_was_started_first_is_proved_to_stay():
    async def main():
        first, second = asyncio.Lock(), asyncio.Lock()
        await asyncio.gather(takes_both(first, second), takes_both(second, first))

    with running(main) as program:
        snapshot, verdicts = program.proof()
        while set(verdicts.values()) != {"certain"}:  # they had not got there yet
            snapshot, verdicts = program.proof()
    assert {node.detail["proved"] for node in snapshot.tasks} == {"kept"}
    assert "somebody keeps a reference" not in snapshot.format()


def test_forgotten_tasks_are_kept_by_the_locks_that_they_wait_for():
    async def main():
        first, second = KEPT[:] = asyncio.Lock(), asyncio.Lock()
        loop = asyncio.get_running_loop()
        loop.create_task(takes_both(first, second), name="one")
        loop.create_task(takes_both(second, first), name="two")
        snapshot = await parked_in(proof, ["one", "two"])
        while verdicts_in(snapshot)["one"] == "live":
            await asyncio.sleep(0)
            snapshot = proof()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return snapshot

    found = verdicts_in(asyncio.run(main()))
    assert (found["one"], found["two"]) == ("certain", "certain")


async def by_frame():
    event = asyncio.Event()
    KEPT.append(sys._getframe())
    await event.wait()


async def by_traceback():
    event = asyncio.Event()
    try:
        int("none")
    except ValueError as error:
        KEPT.append(error)
    await event.wait()


async def by_coroutine():
    async def waits(event):
        await event.wait()

    KEPT.append(waits(asyncio.Event()))
    await KEPT[0]


def test_nobody_has_more_than_the_task():
    async def main():
        event = asyncio.Event()
        start(told())
        await event.wait()

    with running(main) as program:
        assert program.proof()[1]["main"] == "certain"


@pytest.mark.parametrize("waits", [by_frame, by_traceback, by_coroutine], ids=lambda waits: waits.__name__)
def test_whoever_has_a_coroutine_or_its_frame_gets_at_its_variables(waits):
    async def main():
        start(told())
        await waits()

    with running(main) as program:
        assert program.proof()[1]["main"] == "possible"


def test_the_context_of_any_task_can_be_got_at():
    async def main():
        async def own():
            event = asyncio.Event()
            VARIABLE.set(event)
            await event.wait()

        start(told())  # it might look through `asyncio.all_tasks()`
        await asyncio.create_task(own(), name="own")

    with running(main) as program:
        verdict = ""
        while verdict in ("", "live"):  # it had not got there yet
            verdict = program.proof()[1].get("own", "")
    assert verdict == "possible"


def test_what_was_inferred_stays_inferred_when_it_is_proved_that_nobody_else_helps():
    async def by_hand(first, second):
        await first.acquire()
        await asyncio.sleep(0)
        await second.acquire()
        second.release()
        first.release()

    async def main():
        first, second = asyncio.Lock(), asyncio.Lock()
        await asyncio.gather(by_hand(first, second), by_hand(second, first))

    with running(main) as program:
        snapshot, verdicts = program.proof()
        while set(verdicts.values()) != {"certain"}:
            snapshot, verdicts = program.proof()
    held = [edge for edge in snapshot.edges if edge.kind == "held_by"]
    assert [edge.confidence for edge in held] == ["probable", "probable"]
    assert [node.detail["proved"] for node in snapshot.nodes if node.kind == "lock"] == ["heap", "heap"]
    text = snapshot.format()
    assert "Each of these waits was read from the interpreter or, where inferred, proved." in text
    assert "(inferred)" in text
