"""Several snapshots of one process: what stood still, what moved, and what cannot be told."""

import asyncio
import dataclasses
import json

import pytest
from live import end, parked, start
from made import snapshot

import agraph
from agraph import Capture, Edge, Node, SnapshotError
from agraph.reduction import comparable, free, judge, same_process, wait_key, went_on


def ring(moment, waits=(11, 12), names=("a", "b"), **capture):
    """Two tasks in each other's way on one loop, with these wait ids (0: it runs); and one that sleeps."""
    made = Capture(
        start=moment, end=moment + 0.1, start_monotonic=moment, end_monotonic=moment + 0.1, **capture
    )
    nodes = [
        Node(
            number,
            "task",
            name,
            "work",
            "waiting",
            loop=9,
            wait=wait or None,
            key=number + 1,
            need=int(bool(wait)),
        )
        for number, (name, wait) in enumerate(zip(names, waits, strict=True))
    ]
    nodes.append(
        Node(
            8,
            "task",
            "clock",
            "tick",
            "waiting",
            loop=9,
            wait=40 + int(moment),
            key=8,
            need=1,
            timer=moment + 1,
        )
    )
    nodes.append(Node(9, "loop", "main", "Loop", "idle", key=99))
    edges = [Edge(0, 1, "await"), Edge(1, 0, "await")]
    return snapshot(nodes, [edge for edge in edges if waits[edge.waiter]], capture=made)


def verdict(made):
    return judge(made).verdict


def test_what_stands_still_stays():
    merged = agraph.merge([ring(3.0), ring(1.0), ring(2.0)])
    assert verdict(merged) == "certain"
    assert merged.capture.start == 3.0
    assert merged.capture.moved == 1  # the clock


def test_a_cycle_of_waits_at_different_moments_falls_apart():
    first, second = (
        ring(moment, waits, consistent=False) for moment, waits in ((1.0, (11, 12)), (2.0, (11, 13)))
    )
    assert [verdict(first), verdict(second)] == ["possible", "possible"]
    assert verdict(agraph.merge([first, second])) == "live"


def test_captures_that_are_not_consistent_do_not_become_certain():
    assert verdict(agraph.merge([ring(1.0, consistent=False), ring(2.0, consistent=False)])) == "possible"


def test_the_consistent_one_is_what_counts():
    merged = agraph.merge([ring(1.0), ring(2.0, consistent=False)])
    assert merged.capture.consistent
    assert merged.capture.start == 1.0
    assert verdict(merged) == "certain"


def test_one_snapshot_merges_to_itself():
    assert agraph.merge([ring(1.0)]) == ring(1.0)


def test_a_merged_snapshot_is_a_snapshot():
    merged = agraph.merge([ring(1.0), ring(2.0, (11, 13))])
    assert agraph.Snapshot.from_dict(json.loads(json.dumps(merged.to_dict()))).nodes


def other(made, **fields):
    return dataclasses.replace(made, process=dataclasses.replace(made.process, **fields))


def test_what_does_not_merge_says_why():
    with pytest.raises(SnapshotError, match="no snapshot to merge"):
        agraph.merge([])
    with pytest.raises(SnapshotError, match="two processes, web-3:4711 and web-3:7") as caught:
        agraph.merge([ring(1.0), other(ring(2.0), pid=7)])
    assert "agraph analyze" in caught.value.help
    strange = dataclasses.replace(
        ring(2.0), nodes=tuple(node._replace(key=node.key + 5000) for node in ring(2.0).nodes)
    )
    with pytest.raises(SnapshotError, match="no task and no event loop in common"):
        agraph.merge([ring(1.0), strange])


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({}, True),
        ({"started": 1790000001.2}, True),  # the clock of the host was set
        ({"started": 1790000060.0}, False),
        ({"started": None}, False),
        ({"boot_id": "another"}, False),
        ({"host": "web-4"}, False),
    ],
)
def test_same_process(fields, same):
    one = ring(1.0)
    assert same_process(one.process, other(one, **fields).process) == same
    assert same_process(other(one, **fields).process, one.process) == same


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (ring(2.0), {8: "moved"}),
        (ring(2.0, (11, 13)), {1: "moved", 8: "moved"}),
        (ring(2.0, (11, 0)), {1: "moved", 8: "moved"}),
        (ring(2.0, names=("a", "renamed")), {8: "moved"}),
    ],
)
def test_went_on(later, expected):
    assert went_on(ring(1.0), later) == expected


def test_who_is_gone_and_who_may_only_be_left_out():
    later = ring(2.0)
    less = dataclasses.replace(later, nodes=later.nodes[1:], edges=())
    assert went_on(ring(1.0), less)[0] == "gone"
    cut = dataclasses.replace(less, capture=dataclasses.replace(less.capture, complete=False))
    assert 0 not in went_on(ring(1.0), cut)
    unread = dataclasses.replace(
        later, nodes=(later.nodes[0]._replace(state="unknown", wait=None), *later.nodes[1:])
    )
    assert 0 not in went_on(ring(1.0), unread)
    no_loop = dataclasses.replace(less, nodes=tuple(node for node in less.nodes if node.kind != "loop"))
    assert 0 not in went_on(ring(1.0), no_loop)  # it may be of one loop only
    reused = (later.nodes[0]._replace(type="another"), *later.nodes[1:])
    assert went_on(ring(1.0), dataclasses.replace(later, nodes=reused))[0] == "gone"


def test_a_thread_that_moved_frees_its_loop():
    nodes = [
        Node(0, "thread", "MainThread", state="blocked", key=5, need=1, stack=0),
        Node(1, "loop", key=6, need=1, state="blocked"),
        Node(2, "work_item", need=1),
        Node(3, "task", "t", "t", "waiting", loop=1, wait=7, key=8, need=1, timer=2.0),
    ]
    edges = [Edge(1, 0, "thread"), Edge(0, 2, "cross_loop"), Edge(2, 1, "cross_loop")]
    sites = (agraph.Site("a.py", "f", 1), agraph.Site("a.py", "f", 2))
    made = snapshot(nodes, edges, sites=sites, stacks=((0,), (1,)))
    moved = dataclasses.replace(made, nodes=(nodes[0]._replace(stack=1), *nodes[1:]))
    assert verdict(made) == "certain"
    assert went_on(made, made) == {}
    assert went_on(made, moved) == {0: "moved"}
    assert verdict(free(made, [0])) == "live"
    assert verdict(free(made, [3])) == "live"  # its loop has turned


def test_real_captures():
    async def main():
        locks = asyncio.Lock(), asyncio.Lock()
        queue = asyncio.Queue()

        async def takes(first, second):
            async with first:
                await asyncio.sleep(0)
                async with second:
                    pass

        async def consumes():
            while True:
                await queue.get()

        tasks = [start(takes(*locks)), start(takes(*locks[::-1])), start(consumes())]
        await parked(*tasks)
        first = agraph.capture()
        queue.put_nowait(1)
        queue.put_nowait(2)
        await parked(*tasks)
        second = agraph.capture()
        await end(*tasks)
        return first, second, agraph.capture(), {task.get_name() for task in tasks[:2]}

    first, second, third, stuck = asyncio.run(main())
    assert comparable(first, second)
    waiting = {
        node.name
        for node in agraph.merge([second, first]).nodes
        if node.kind == "task" and wait_key(second, node) and node.need
    }
    assert stuck <= waiting
    names = {node.id: node.name for node in first.nodes}
    assert not stuck & {names[number] for number in went_on(first, second)}
    assert {
        names[number]: how for number, how in went_on(first, third).items() if names[number] in stuck
    } == dict.fromkeys(stuck, "gone")
    assert verdict(agraph.merge([first, second])) == "certain"
