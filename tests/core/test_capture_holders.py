"""Who holds a lock or semaphore, with nothing instrumented."""

import asyncio
import contextlib
import linecache

import pytest
from live import end, forever, parked, start
from proving import verdicts_in
from snapshots import captured, locked_by_generator, node, run, task, through_context_manager

import agraph
from agraph._internal.futures import is_suspended


def holders(snapshot, kind):
    """The names of the holders of the one resource of a kind, and the lines where they took it."""
    resource = node(snapshot, kind)
    nodes = {n.id: n for n in snapshot.nodes}
    return sorted(
        nodes[e.awaited].name for e in snapshot.edges if e.waiter == resource.id and e.kind == "held_by"
    )


def test_the_holder_of_a_lock_and_where_it_took_it():
    async def main():
        lock = asyncio.Lock()

        async def holds():
            async with lock:
                await forever()

        async def wants():
            async with lock:
                pass

        return await captured(holds(), wants())

    snapshot = run(main())
    assert holders(snapshot, "lock") == ["holds"]
    (edge,) = [e for e in snapshot.edges if e.kind == "held_by"]
    assert edge.confidence == "exact"
    site = snapshot.sites[edge.site]
    assert site.function.endswith("holds")
    assert "async with lock:" in linecache.getline(site.file, site.line)
    assert (node(snapshot, "lock").open, node(snapshot, "lock").state) == ("", "locked")


def test_all_holders_of_a_semaphore():
    async def main():
        semaphore = asyncio.BoundedSemaphore(2)

        async def one():
            async with semaphore:
                await forever()

        async def two():
            async with semaphore:
                await forever()

        async def wants():
            async with semaphore:
                pass

        return await captured(one(), two(), wants())

    snapshot = run(main())
    assert holders(snapshot, "semaphore") == ["one", "two"]
    assert node(snapshot, "semaphore").detail == {"value": 0, "bound": 2}
    assert node(snapshot, "semaphore").open == ""


@pytest.mark.parametrize("kind", ["plain", "taken without a block"])
def test_a_semaphore_that_others_may_hold_stays_open(kind):
    async def main():
        semaphore = asyncio.Semaphore(1) if kind == "plain" else asyncio.BoundedSemaphore(2)
        if kind != "plain":
            await semaphore.acquire()

        async def holds():
            async with semaphore:
                await forever()

        async def wants():
            async with semaphore:
                pass

        return await captured(holds(), wants())

    snapshot = run(main())
    assert "holds" in holders(snapshot, "semaphore")
    assert node(snapshot, "semaphore").open


async def through_exit_stack(lock):
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(locked_by_generator(lock))
        await forever()


async def through_plain_exit_stack(lock):
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(lock)
        await forever()


async def items(lock):
    async with lock:
        yield 1


async def items_slowly(lock):
    async with lock:
        await forever()
        yield 1


async def between_items(lock):
    async for _ in items(lock):
        await forever()


async def in_an_item(lock):
    async for _ in items_slowly(lock):
        pass


@pytest.mark.parametrize(
    "holder",
    [through_context_manager, through_exit_stack, through_plain_exit_stack, between_items, in_an_item],
    ids=lambda function: function.__name__,
)
def test_holders_are_seen_through_what_wraps_them(holder):
    async def main():
        lock = asyncio.Lock()

        async def wants():
            async with lock:
                pass

        task = start(holder(lock), "holder")
        await parked(task)
        snapshot = await captured(wants())
        await end(task)
        await asyncio.get_running_loop().shutdown_asyncgens()
        return snapshot

    assert holders(run(main()), "lock") == ["holder"]


class Entering:
    """A home-made manager that enters a lock."""

    def __init__(self, lock):
        self._lock = lock

    async def __aenter__(self):
        await self._lock.__aenter__()
        return self

    async def __aexit__(self, *details):
        await self._lock.__aexit__(*details)


class PassingOn(Entering):
    def __aenter__(self):
        return self._lock.__aenter__()

    def __aexit__(self, *details):
        return self._lock.__aexit__(*details)


@pytest.mark.parametrize("kind", [Entering, PassingOn])
def test_holders_are_seen_through_managers_that_enter_the_lock(kind):
    async def main():
        lock = asyncio.Lock()

        async def holds():
            async with kind(lock):
                await forever()

        async def wants():
            async with lock:
                pass

        return await captured(holds(), wants())

    snapshot = run(main())
    assert holders(snapshot, "lock") == ["holds"]
    assert {e.confidence for e in snapshot.edges if e.kind == "held_by"} == {"probable"}


def test_a_lock_being_entered_is_not_held():
    async def main():
        first, second = asyncio.Lock(), asyncio.Lock()
        await second.acquire()

        async def wants():
            async with first, second:
                pass

        snapshot = await captured(wants())
        second.release()
        return snapshot

    snapshot = run(main())
    (edge,) = [e for e in snapshot.edges if e.kind == "held_by" and e.confidence == "exact"]
    assert edge.waiter not in {e.awaited for e in snapshot.edges if e.kind == "lock"}


def test_a_lock_released_inside_of_its_block_goes_to_the_next():
    async def main():
        lock, seen, other = asyncio.Lock(), [], None

        async def holds():
            async with lock:
                while other is None or not is_suspended(other):
                    await asyncio.sleep(0)
                asyncio.get_running_loop().call_soon(lambda: seen.append(agraph.capture()))
                lock.release()
                await other
                await lock.acquire()

        async def wants():
            async with lock:
                pass

        holder = start(holds(), "holds")
        while not lock.locked():
            await asyncio.sleep(0)
        other = start(wants(), "wants")
        await holder
        return seen[0]

    snapshot = run(main())
    assert holders(snapshot, "lock") == []
    assert (node(snapshot, "lock").state, node(snapshot, "lock").need) == ("handoff", 0)
    assert set(verdicts_in(snapshot).values()) == {"live"}


def test_the_lock_of_a_condition_is_given_back_while_it_waits():
    async def main():
        condition = asyncio.Condition()

        async def waits():
            async with condition:
                await condition.wait()

        async def waits_for():
            async with condition:
                await condition.wait_for(lambda: False)

        snapshot = await captured(waits(), waits_for())
        assert not condition.locked()
        return snapshot

    assert not [e for e in run(main()).edges if e.kind == "held_by"]


def test_the_lock_of_a_condition_is_held_in_its_block():
    async def main():
        condition = asyncio.Condition()

        async def holds():
            async with condition:
                await forever()

        async def wants():
            async with condition:
                pass

        return await captured(holds(), wants())

    assert holders(run(main()), "lock") == ["holds"]


def test_an_exit_in_a_local_holds_nothing():
    async def main():
        lock = asyncio.Lock()

        async def innocent():
            leave = lock.__aexit__
            await forever()
            del leave

        async def holds():
            async with lock:
                await forever()

        async def wants():
            async with lock:
                pass

        return await captured(innocent(), holds(), wants())

    assert holders(run(main()), "lock") == ["holds"]


def test_a_lock_on_its_way_to_the_next_is_nobodys():
    async def main():
        lock = asyncio.Lock()
        await lock.acquire()

        async def wants():
            async with lock:
                await forever()

        task = start(wants(), "wants")
        await parked(task)
        lock.release()  # wakes `wants`, which has not run yet

        async def also_wants():
            async with lock:
                pass

        snapshot = agraph.capture()
        await end(task)
        return snapshot

    snapshot = run(main())
    assert task(snapshot, "wants").state == "ready"
    assert task(snapshot, "wants").need == 0
