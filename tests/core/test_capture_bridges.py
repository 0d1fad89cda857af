"""Home-made bridges: futures, events and queues that a done callback or a task's body completes."""

import asyncio
import functools

import pytest
from elsewhere import capture_elsewhere
from live import directly, end, forever, parked, start
from snapshots import run, task

import agraph


def producers(snapshot, name):
    """(kind of the edge, name or kind of the node) of all that completes what a task waits for."""
    nodes = {node.id: node for node in snapshot.nodes}
    (awaited,) = [
        e.awaited for e in snapshot.edges if e.waiter == task(snapshot, name).id and e.kind == "await"
    ]
    edges = [e for e in snapshot.edges if e.waiter == awaited]
    assert {e.confidence for e in edges} <= {"probable"}
    assert nodes[awaited].open
    return sorted((e.kind, nodes[e.awaited].name or nodes[e.awaited].kind) for e in edges)


class Holder:
    def __init__(self, future):
        self.future = future

    def finish(self, task):
        if not self.future.done():
            self.future.set_result(None)


def complete(future, task):
    if not future.done():
        future.set_result(None)


def by_lambda(inner, outer):
    inner.add_done_callback(lambda _: complete(outer, _))


def by_closure(inner, outer):
    def done(_task):
        complete(outer, _task)

    inner.add_done_callback(done)


def by_default(inner, outer):
    inner.add_done_callback(lambda _, outer=outer: complete(outer, _))


def by_partial(inner, outer):
    inner.add_done_callback(functools.partial(complete, outer))


def by_method(inner, outer):
    inner.add_done_callback(Holder(outer).finish)


def by_partial_of_method(inner, outer):
    inner.add_done_callback(functools.partial(Holder.finish, Holder(outer)))


def by_other_future(inner, outer):
    between = asyncio.get_running_loop().create_future()
    inner.add_done_callback(functools.partial(complete, between))
    between.add_done_callback(functools.partial(complete, outer))


WAYS = [by_lambda, by_closure, by_default, by_partial, by_method, by_partial_of_method, by_other_future]


@pytest.mark.parametrize("way", WAYS)
def test_a_done_callback_completes_a_future(way):
    async def main():
        inner = start(forever(), "inner")
        outer = asyncio.get_running_loop().create_future()
        way(inner, outer)
        waiter = start(directly(outer), "waiter")
        await parked(inner, waiter)
        snapshot = agraph.capture()
        await end(inner, waiter)
        return snapshot

    snapshot = run(main())
    assert producers(snapshot, "waiter") == [("bridge", "inner")]
    [edge] = [edge for edge in snapshot.edges if edge.kind == "bridge"]
    site = snapshot.sites[edge.site]
    assert (site.file, site.function) == (__file__, CALLED.get(way, f"{way.__name__}.<locals>.<lambda>"))


CALLED = {
    by_closure: "by_closure.<locals>.done",
    by_partial: "complete",
    by_method: "Holder.finish",
    by_partial_of_method: "Holder.finish",
    by_other_future: "complete",
}


def test_a_shield_does_not_complete_what_it_shields():
    async def main():
        inner = asyncio.get_running_loop().create_future()
        waiter = start(directly(asyncio.shield(inner)), "waiter")
        task = start(with_future(inner), "owner")
        del inner
        await parked(waiter, task)
        snapshot = await capture_elsewhere()
        await end(waiter, task)
        return snapshot

    async def with_future(mine):
        await forever()
        mine.set_result(None)

    snapshot = run(main())
    nodes = {node.id: node for node in snapshot.nodes}
    bridges = [(edge.waiter, nodes[edge.awaited].name) for edge in snapshot.edges if edge.kind == "bridge"]
    assert [name for _future, name in bridges] == ["owner"]


def test_a_cycle_over_a_bridge_is_seen_but_not_certain():
    async def main():
        outer = asyncio.get_running_loop().create_future()

        async def body():
            await outer

        inner = start(body(), "inner")
        by_closure(inner, outer)
        await parked(inner)
        snapshot = agraph.capture()
        await end(inner)
        return snapshot

    assert producers(run(main()), "inner") == [("bridge", "inner")]


def test_a_done_callback_sets_an_event():
    async def main():
        event = asyncio.Event()
        inner = start(forever(), "inner")
        inner.add_done_callback(lambda _: event.set())
        waiter = start(event.wait(), "waiter")
        await parked(inner, waiter)
        snapshot = await capture_elsewhere()
        await end(inner, waiter)
        return snapshot

    # `main` itself leads to the event as well.
    assert ("any_of", "inner") in producers(run(main()), "waiter")


def test_callbacks_of_asyncio_are_no_bridges():
    """What a gather, a group or a wait does when a task ends does not set the event that all of them know."""

    async def main():
        event = asyncio.Event()
        children = [start(forever(), f"c{number}") for number in range(3)]
        waiter = start(event.wait(), "waiter")
        del event
        gathering = start(directly(asyncio.gather(*children)), "gathering")
        waiting = start(asyncio.wait(children), "waiting")
        await parked(waiter, gathering, waiting)
        snapshot = await capture_elsewhere()
        await end(waiter, gathering, waiting, *children)
        return snapshot

    assert producers(run(main()), "waiter") == []


def test_futures_of_one_gather_do_not_complete_one_another():
    async def main():
        loop = asyncio.get_running_loop()
        one, two = loop.create_future(), loop.create_future()
        waiter = start(directly(asyncio.gather(one, two)), "waiter")
        one_waiter = start(directly(one), "one")
        del one, two
        await parked(waiter, one_waiter)
        snapshot = await capture_elsewhere()
        await end(waiter, one_waiter)
        return snapshot

    assert producers(run(main()), "one") == []


def test_a_task_whose_body_completes_the_future():
    async def main():
        future = asyncio.get_running_loop().create_future()

        async def resolves(future):
            await forever()
            future.set_result(None)

        made = start(directly(future), "waiter"), start(resolves(future), "resolver"), start(forever(), "x")
        del future
        await parked(*made)
        snapshot = await capture_elsewhere()
        await end(*made)
        return snapshot

    assert producers(run(main()), "waiter") == [("bridge", "resolver")]


def test_a_declared_wait_leads_on():
    async def main():
        future = asyncio.get_running_loop().create_future()
        inner = start(forever(), "inner")
        waiter = start(directly(future), "waiter")
        del future
        await parked(inner, waiter)
        agraph.future_add_to_awaited_by(inner, waiter)
        snapshot = await capture_elsewhere()
        await end(inner, waiter)
        return snapshot

    assert producers(run(main()), "waiter") == [("bridge", "inner")]


def test_who_made_a_task_is_no_declaration():
    """Since 3.14 asyncio records who made the tasks of a group, whatever that one waits for."""

    async def main():
        future = asyncio.get_running_loop().create_future()

        async def parent(future):
            async with asyncio.TaskGroup() as group:
                group.create_task(forever(), name="child")
                await future

        made = start(parent(future), "waiter")
        del future
        await parked(made)
        snapshot = await capture_elsewhere()
        await end(made)
        return snapshot

    assert producers(run(main()), "waiter") == []


def test_a_future_that_the_loop_will_complete():
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(1000, future.set_result, None)
        waiter = start(directly(future), "waiter")
        del future
        await parked(waiter)
        snapshot = await capture_elsewhere()
        await end(waiter)
        return snapshot

    assert producers(run(main()), "waiter") == [("bridge", "timer")]
