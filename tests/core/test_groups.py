"""Tasks that go when another one goes: no deadlock of theirs is certain while that one can go on."""

import asyncio
from importlib.util import find_spec

import pytest
from live import end, forever, parked, start
from snapshots import task

import agraph
from agraph.reduction import VERDICTS, build, levels

STUCK = {"left", "right"}


async def crossing(first, second):
    async with first:
        await asyncio.sleep(0)
        async with second:
            raise AssertionError("they never get here")


def crossings():
    one, other = asyncio.Lock(), asyncio.Lock()
    return crossing(one, other), crossing(other, one)


def verdicts(snapshot):
    """The verdict of each task by name; `levels` are numbered like `VERDICTS`."""
    found = zip(snapshot.nodes, levels(build(snapshot)).level, strict=True)
    return {node.name: VERDICTS[level] for node, level in found if node.kind == "task"}


def go_into(group):
    for name, coroutine in zip(sorted(STUCK), crossings(), strict=True):
        group.create_task(coroutine, name=name)


async def in_a_group(_seconds):
    async with asyncio.TaskGroup() as group:
        go_into(group)


async def in_a_group_of_anyio(_seconds):
    import anyio

    async with anyio.create_task_group() as group:
        for name, coroutine in zip(sorted(STUCK), crossings(), strict=True):
            group.start_soon(named, coroutine, name)


async def named(coroutine, name):
    asyncio.current_task().set_name(name)
    await coroutine


async def in_wait_for(seconds):
    async def both():
        await asyncio.gather(*(start(c, n) for n, c in zip(sorted(STUCK), crossings(), strict=True)))

    await asyncio.wait_for(both(), seconds)


async def in_wait_for_a_gather(seconds):
    both = asyncio.gather(*(start(c, n) for n, c in zip(sorted(STUCK), crossings(), strict=True)))
    await asyncio.wait_for(both, seconds)


async def watched(waits, inside):
    """The verdicts at each turn of the loop, from before a timeout passes until everything has ended."""
    seen = []
    loop = asyncio.get_running_loop()

    async def parent():
        async with asyncio.timeout(None if "wait_for" in waits.__name__ else 0.05):
            await waits(0.05)

    main = start(parent(), "parent")

    def look():
        if main.done():
            return
        seen.append(verdicts(agraph.capture()))
        loop.call_soon(look)

    await asyncio.sleep(0)
    await inside()
    loop.call_soon(look)
    with pytest.raises(TimeoutError):
        await main
    return seen


WAITS = [
    in_a_group,
    in_wait_for,
    in_wait_for_a_gather,
    pytest.param(
        in_a_group_of_anyio,
        marks=pytest.mark.skipif(find_spec("anyio") is None, reason="anyio is not installed"),
    ),
]


@pytest.mark.parametrize("waits", WAITS)
def test_between_a_timeout_and_the_cancellation_that_follows_nothing_is_certain(waits):
    agraph.capture()  # what is imported first takes longer than the timeout

    async def inside():
        await asyncio.sleep(0)

    seen = asyncio.run(watched(waits, inside))
    assert any(found.keys() >= STUCK for found in seen)
    assert not any(verdict == "certain" for found in seen for verdict in found.values())


async def several_turns():
    """Until the members stand at their locks."""
    for _ in range(5):
        await asyncio.sleep(0)


async def parent_in_the_body(waits):
    async with asyncio.TaskGroup() as group:
        go_into(group)
        await waits()


async def of_a_parent_in_the_body(waits):
    main = start(parent_in_the_body(waits), "parent")
    await parked(main)
    await several_turns()
    snapshot = agraph.capture()
    await end(main)
    return snapshot


def test_a_parent_in_the_body_may_fail():
    async def sleeps():
        await asyncio.sleep(1000)

    snapshot = asyncio.run(of_a_parent_in_the_body(sleeps))
    found = verdicts(snapshot)
    assert {found[name] for name in STUCK} == {"possible"}
    parent = task(snapshot, "parent")
    assert {task(snapshot, name).detail["parent"] for name in STUCK} == {parent.id}
    assert "parent neither ends nor fails, which would cancel" in " ".join(snapshot.format().split())


def test_a_parent_that_is_stuck_in_the_body_cannot_fail():
    async def main():
        lock = asyncio.Lock()

        async def takes_it_again():
            async with lock, lock:
                pass

        return await of_a_parent_in_the_body(takes_it_again)

    found = verdicts(asyncio.run(main()))
    assert {found[name] for name in (*STUCK, "parent")} == {"certain"}


def test_a_parent_that_waits_for_its_members_has_edges_and_nothing_more():
    async def main():
        waiting = start(in_a_group(None), "parent")
        await parked(waiting)
        await several_turns()
        snapshot = agraph.capture()
        await end(waiting)
        return snapshot

    snapshot = asyncio.run(main())
    assert all("parent" not in (task(snapshot, name).detail or {}) for name in STUCK)
    assert verdicts(snapshot)["parent"] == "certain"


def test_a_deadline_of_the_parent_frees_the_members():
    async def sleeps():
        async with asyncio.timeout(1000):
            await forever()

    found = verdicts(asyncio.run(of_a_parent_in_the_body(sleeps)))
    assert {found[name] for name in (*STUCK, "parent")} <= {"stalled", "possible"}


async def with_a_member(member):
    """A parent that stays in the body, as it waits for somebody that waits for it, and a member beside it."""
    box = {}

    async def other():
        await asyncio.wait([box["parent"]])

    async def parent():
        async with asyncio.TaskGroup() as group:
            box["member"] = group.create_task(member(), name="member")
            await box["other"]

    box["parent"] = start(parent(), "parent")
    box["other"] = start(other(), "other")
    await parked(*box.values())
    await parked(*box.values())
    snapshot = agraph.capture()
    await end(*box.values())
    return snapshot


def test_a_member_that_may_fail_may_end_a_parent_in_the_body():
    async def sleeps():
        await asyncio.sleep(1000)

    snapshot = asyncio.run(with_a_member(sleeps))
    found = verdicts(snapshot)
    assert [found[name] for name in ("parent", "other", "member")] == ["possible", "possible", "live"]
    assert "member does not fail, which would cancel parent" in " ".join(snapshot.format().split())


def test_a_stuck_member_does_not_fail():
    async def takes_it_twice():
        lock = asyncio.Lock()
        async with lock, lock:
            pass

    found = verdicts(asyncio.run(with_a_member(takes_it_twice)))
    assert {found[name] for name in ("parent", "other", "member")} == {"certain"}


def test_a_parent_that_was_left_out_may_end_its_members():
    async def main():
        async def sleeps():
            await asyncio.sleep(1000)

        main = start(parent_in_the_body(sleeps), "parent")
        await parked(main)
        await several_turns()
        found = []
        for number in range(1, 5):
            snapshot = agraph.capture(max_tasks=number)
            if "parent" not in {node.name for node in snapshot.tasks}:
                found.append(verdicts(snapshot))
        await end(main)
        return found

    for found in asyncio.run(main()):
        assert "certain" not in found.values()
