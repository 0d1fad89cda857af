"""What is recorded of tasks waiting for one another and is no wait: kind `structural`."""

import asyncio
import sys

import pytest
from live import directly, end, forever, parked, start
from snapshots import run, task

import agraph

native = pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio records nothing before 3.14")


def structural(snapshot):
    """(waiter, awaited) of each structural edge, by the names of tasks and kinds of the others."""
    names = {node.id: node.name if node.kind == "task" else node.kind for node in snapshot.nodes}
    edges = [e for e in snapshot.edges if e.kind == "structural"]
    assert {e.confidence for e in edges} <= {"exact"}
    return {(names[e.waiter], names[e.awaited]) for e in edges}


async def captured(*tasks):
    await parked(*tasks)
    snapshot = agraph.capture()
    await end(*tasks)
    return snapshot


def test_a_declared_wait_that_is_none():
    async def main():
        waiter, awaited = start(forever(), "waiter"), start(forever(), "awaited")
        agraph.future_add_to_awaited_by(awaited, waiter)
        return await captured(waiter, awaited)

    assert structural(run(main())) == {("waiter", "awaited")}


def test_a_declared_wait_for_a_plain_future():
    async def main():
        future = asyncio.get_running_loop().create_future()
        waiter, declared = start(directly(future), "waiter"), start(forever(), "declared")
        agraph.future_add_to_awaited_by(future, declared)
        return await captured(waiter, declared)

    assert structural(run(main())) == {("declared", "future")}


@native
def test_who_made_the_tasks_of_a_group_but_waits_for_something_else():
    async def parent():
        async with asyncio.TaskGroup() as group:
            group.create_task(forever(), name="child")
            await forever()

    async def main():
        return await captured(start(parent(), "parent"))

    assert structural(run(main())) == {("parent", "child")}


@native
def test_who_called_shield_and_does_not_wait_for_it():
    async def main():
        inner = start(forever(), "inner")

        async def caller():
            shielded = asyncio.shield(inner)
            await forever()
            return shielded

        return await captured(inner, start(caller(), "caller"))

    snapshot = run(main())
    assert structural(snapshot) == {("caller", "inner")}


@pytest.mark.parametrize("how", ["task", "gather", "group", "wait", "wait_for", "shield"])
def test_waits_are_not_said_twice(how):
    async def main():
        child = start(forever(), "child")

        async def waits():
            if how == "task":
                await child
            elif how == "gather":
                await asyncio.gather(child)
            elif how == "wait":
                await asyncio.wait([child])
            elif how == "wait_for":
                await asyncio.wait_for(child, 1000)
            elif how == "shield":
                await asyncio.shield(child)
            else:
                async with asyncio.TaskGroup() as group:
                    group.create_task(forever(), name="child of group")

        return await captured(start(waits(), "waits"), child)

    snapshot = run(main())
    assert structural(snapshot) == set()
    assert [e for e in snapshot.edges if e.waiter == task(snapshot, "waits").id]
