"""What a task waits for, for each situation of docs/reference/snapshot.md."""

import asyncio
import contextlib
import sys
from asyncio.staggered import staggered_race

import pytest
from live import end, forever, parked, start
from made import verdicts_of
from snapshots import captured, graph, node, run, task, waits_of

import agraph


def test_task_awaits_task():
    async def main():
        inner = start(forever(), "inner")

        async def outer():
            await inner

        snapshot = await captured(outer())
        await end(inner)
        return snapshot

    snapshot = run(main())
    assert waits_of(snapshot, "outer") == (1, {"await"}, ["inner"])
    assert task(snapshot, "outer").state == "waiting"


def test_plain_future_is_open():
    async def main():
        return await captured(forever())

    snapshot = run(main())
    assert waits_of(snapshot, "forever") == (1, {"await"}, ["future"])
    assert node(snapshot, "future").open


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_gather_has_a_node_of_its_own(return_exceptions):
    async def main():
        one, two = start(forever(), "one"), start(forever(), "two")

        async def outer():
            await asyncio.gather(one, two, return_exceptions=return_exceptions)

        snapshot = await captured(outer())
        await end(one, two)
        return snapshot

    snapshot = run(main())
    (gather,) = [n for n in snapshot.nodes if n.detail == {"made_by": "gather"}]
    assert (gather.need, gather.exc) == (2, not return_exceptions)
    assert {("future", "all_of", "one"), ("future", "all_of", "two"), ("outer", "await", "future")} <= graph(
        snapshot
    )


def test_gather_made_by_one_task_is_waited_for_by_another():
    async def main():
        made = asyncio.get_running_loop().create_future()
        child = start(forever(), "child")

        async def maker():
            made.set_result([asyncio.gather(child)])
            await forever()

        async def waiter():
            (gathered,) = await made
            await gathered

        snapshot = await captured(maker(), waiter())
        await end(child)
        return snapshot

    snapshot = run(main())
    assert ("waiter", "await", "future") in graph(snapshot)
    assert ("maker", "await", "child") not in graph(snapshot)


def test_shield_leads_to_what_it_shields():
    async def main():
        inner = start(forever(), "inner")

        async def outer():
            await asyncio.shield(inner)

        snapshot = await captured(outer())
        await end(inner)
        return snapshot

    snapshot = run(main())
    assert {("outer", "await", "future"), ("future", "await", "inner")} <= graph(snapshot)


def test_a_shield_that_nobody_awaits_is_no_wait():
    async def main():
        tasks = {}

        async def shields():
            tasks["kept"] = asyncio.shield(tasks["awaits"])
            await forever()

        async def awaits():
            await tasks["shields"]

        tasks["awaits"] = start(awaits(), "awaits")
        tasks["shields"] = start(shields(), "shields")
        await parked(tasks["awaits"], tasks["shields"])
        snapshot = agraph.capture()
        await end(tasks["awaits"], tasks["shields"])
        with contextlib.suppress(asyncio.CancelledError):
            await tasks["kept"]
        return snapshot

    snapshot = run(main())
    assert waits_of(snapshot, "shields")[2] == ["future"]
    assert not [
        e for e in snapshot.edges if e.awaited == task(snapshot, "awaits").id and e.kind != "structural"
    ]


@pytest.mark.parametrize(
    ("return_when", "need", "kind", "exc"),
    [
        (asyncio.ALL_COMPLETED, 2, "all_of", False),
        (asyncio.FIRST_COMPLETED, 1, "any_of", False),
        (asyncio.FIRST_EXCEPTION, 2, "all_of", True),
    ],
)
def test_wait(return_when, need, kind, exc):
    async def main():
        one, two = start(forever(), "one"), start(forever(), "two")

        async def outer():
            await asyncio.wait([one, two], return_when=return_when)

        snapshot = await captured(outer())
        await end(one, two)
        return snapshot

    snapshot = run(main())
    assert waits_of(snapshot, "outer") == (need, {kind}, ["one", "two"])
    assert task(snapshot, "outer").exc is exc
    assert task(snapshot, "outer").timer is None


def test_members_that_are_done_do_not_count():
    async def main():
        async def quick():
            pass

        done, one = start(quick(), "done"), start(forever(), "one")

        async def outer():
            await asyncio.wait([done, one])

        snapshot = await captured(outer())
        await end(one)
        return snapshot

    assert waits_of(run(main()), "outer") == (1, {"all_of"}, ["one"])


def test_as_completed_needs_one_of_the_rest():
    async def main():
        one, two = start(forever(), "one"), start(forever(), "two")

        async def outer():
            for step in asyncio.as_completed([one, two]):
                await step

        snapshot = await captured(outer())
        await end(one, two)
        return snapshot

    assert waits_of(run(main()), "outer") == (1, {"any_of"}, ["one", "two"])


async def plain_loop(members, timeout):
    for step in asyncio.as_completed(members, timeout=timeout):
        await step


async def async_loop(members, timeout):
    async for _ in asyncio.as_completed(members, timeout=timeout):
        pass


async def two_loops(members, timeout):
    """The frame has two iterators."""
    for first in asyncio.as_completed([start(asyncio.sleep(0))]):
        await first
        for step in asyncio.as_completed(members, timeout=timeout):
            await step


LOOPS = [plain_loop, two_loops]
if sys.version_info >= (3, 13):
    LOOPS.append(async_loop)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("timeout", [None, 1000])
def test_the_deadline_of_as_completed_is_that_of_who_waits_in_it(loop, timeout):
    async def main():
        one, two = start(forever(), "one"), start(forever(), "two")
        outer = start(loop([one, two], timeout), "outer")
        for _ in range(10):  # until it has done with what is before
            await asyncio.sleep(0)
        await parked(outer, one, two)
        snapshot = agraph.capture()
        await end(outer, one, two)
        return snapshot

    snapshot = run(main())
    assert waits_of(snapshot, "outer") == (1, {"any_of"}, ["one", "two"])
    assert (task(snapshot, "outer").timer is not None) == (timeout is not None)
    assert {found.open for found in snapshot.tasks} == {""}


@pytest.mark.parametrize("timeout", [None, 1000])
def test_a_step_of_as_completed_in_a_task_of_its_own_waits_for_the_members(timeout):
    async def main():
        one, two = start(forever(), "one"), start(forever(), "two")
        before = asyncio.all_tasks()
        step = start(next(iter(asyncio.as_completed([one, two], timeout=timeout))), "step")
        await parked(step, one, two)
        assert asyncio.all_tasks() - before == {step}
        snapshot = agraph.capture()
        await end(step, one, two)
        return snapshot

    snapshot = run(main())
    assert waits_of(snapshot, "step") == (1, {"any_of"}, ["one", "two"])
    assert {edge.confidence for edge in snapshot.edges if edge.kind == "any_of"} == {"exact"}
    assert (task(snapshot, "step").timer is not None) == (timeout is not None)
    assert {found.open for found in snapshot.tasks} == {""}


def test_a_race_waits_for_racers_that_began_later_too():
    async def main():
        lock = asyncio.Lock()
        second = asyncio.Event()

        async def stuck():
            async with lock:
                pass

        async def wins():
            second.set()
            await asyncio.sleep(1000)

        async def races():
            async with lock:
                await staggered_race([stuck, wins], 0.001)

        racing = start(races(), "racing")
        await second.wait()
        await asyncio.sleep(0)
        snapshot = agraph.capture()
        await end(racing)
        return snapshot

    snapshot = run(main())
    need, kinds, racers = waits_of(snapshot, "racing")
    assert (need, kinds, len(racers)) == (1, {"any_of"}, 3)  # one more waits for its turn
    assert "certain" not in verdicts_of(snapshot).values()


def test_task_group_at_its_end_waits_for_its_children():
    async def main():
        async def outer():
            async with asyncio.TaskGroup() as group:
                group.create_task(forever(), name="one")
                group.create_task(forever(), name="two")

        return await captured(outer())

    snapshot = run(main())
    assert waits_of(snapshot, "outer") == (2, {"all_of"}, ["one", "two"])
    assert task(snapshot, "outer").exc


def test_task_group_in_its_body_does_not():
    async def main():
        event = asyncio.Event()

        async def outer():
            async with asyncio.TaskGroup() as group:
                group.create_task(forever(), name="one")
                await event.wait()

        return await captured(outer())

    assert waits_of(run(main()), "outer") == (1, {"await"}, ["event"]) or waits_of(run(main()), "outer")[
        2
    ] != ["one"]


@pytest.mark.parametrize("how", ["wait", "wait_for", "timeout", "sleep"])
def test_deadlines(how):
    async def main():
        inner = start(forever(), "inner")

        async def outer():
            if how == "wait":
                await asyncio.wait([inner], timeout=50)
            elif how == "wait_for":
                await asyncio.wait_for(inner, 50)
            elif how == "timeout":
                async with asyncio.timeout(50), asyncio.timeout(70):
                    await inner
            else:
                await asyncio.sleep(50)

        snapshot = await captured(outer())
        await end(inner)
        return snapshot

    snapshot = run(main())
    left = task(snapshot, "outer").timer - snapshot.capture.end_monotonic
    assert 40 < left < 51
    assert waits_of(snapshot, "outer")[2] == ([] if how == "sleep" else ["inner"])


def test_a_timeout_without_deadline_and_one_that_has_fired_free_nobody():
    async def main():
        inner = start(forever(), "inner")
        fired = asyncio.Event()

        async def without():
            async with asyncio.timeout(None):
                await inner

        async def afterwards():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    try:
                        await forever()
                    finally:
                        fired.set()
                        await asyncio.shield(inner)

        one, two = start(without(), "without"), start(afterwards(), "afterwards")
        await fired.wait()
        await parked(one, two)
        snapshot = agraph.capture()
        await end(one, two, inner)
        return snapshot

    snapshot = run(main())
    assert task(snapshot, "without").timer is None
    assert task(snapshot, "afterwards").timer is None


def test_each_primitive_is_known_with_its_operation():
    async def main():
        lock, semaphore, event, condition = (
            asyncio.Lock(),
            asyncio.Semaphore(1),
            asyncio.Event(),
            asyncio.Condition(),
        )
        empty, full, barrier = asyncio.Queue(), asyncio.Queue(1), asyncio.Barrier(2)
        full.put_nowait(1)
        await lock.acquire()
        await semaphore.acquire()

        async def in_condition():
            async with condition:
                await condition.wait()

        waits = {
            "lock": lock.acquire(),
            "semaphore": semaphore.acquire(),
            "event": event.wait(),
            "condition": in_condition(),
            "get": empty.get(),
            "put": full.put(2),
            "join": full.join(),
            "barrier": barrier.wait(),
        }
        tasks = [start(coroutine, name) for name, coroutine in waits.items()]
        await parked(*tasks)
        snapshot = agraph.capture()
        await end(*tasks)
        return snapshot

    snapshot = run(main())
    nodes = {n.id: n for n in snapshot.nodes}
    found = {}
    for name in ("lock", "semaphore", "event", "condition", "get", "put", "join", "barrier"):
        (edge,) = [
            e for e in snapshot.edges if e.waiter == task(snapshot, name).id and e.kind != "structural"
        ]
        target = nodes[edge.awaited]
        found[name] = (target.kind, (target.detail or {}).get("operation"))
    assert found == {
        "lock": ("lock", None),
        "semaphore": ("semaphore", None),
        "event": ("event", None),
        "condition": ("condition", None),
        "get": ("queue", "get"),
        "put": ("queue", "put"),
        "join": ("queue", "join"),
        "barrier": ("barrier", None),
    }
    (full,) = [n for n in snapshot.nodes if (n.detail or {}).get("operation") == "put"]
    assert (full.detail["size"], full.detail["maxsize"]) == (1, 1)
    assert all(n.open for n in snapshot.nodes if n.kind in ("event", "condition", "queue", "barrier"))


def test_a_stream_is_io_and_needs_nothing_inside_the_process():
    async def main():
        import socket

        left, right = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=left)

        async def reads():
            await reader.read(1)

        snapshot = await captured(reads())
        writer.close()
        await writer.wait_closed()
        right.close()
        return snapshot

    snapshot = run(main())
    io = node(snapshot, "io")
    assert (io.need, io.open, io.detail["operation"]) == (0, "", "read")
