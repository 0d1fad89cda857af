"""`agraph analyze` on several snapshots: of one process over time, and of several processes."""

import dataclasses
import json
import subprocess
import sys

import pytest
from drawn import graphs, to_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from made import CAPTURE, PROCESS, SITES, snapshot, tasks

from agraph import Edge, Node, Site
from agraph.reduction import free
from agraph_cli.analysis.judge import analyze


def at(moment, **fields):
    """A capture at a moment."""
    times = {"start": 1790000000.0 + moment, "end": 1790000000.0 + moment + 0.1}
    clock = {"start_monotonic": moment, "end_monotonic": moment + 0.1}
    return dataclasses.replace(CAPTURE, **times, **clock, **fields)


LOOP = Node(90, "loop", "main", "Loop", "idle", key=900)


def transfers(moment, waits=(11, 12), **capture):
    """Two transfers in each other's way (a wait of 0: it is not there), main behind them, an idle server."""
    rows = [("transfer-1", 0, waits[0]), ("transfer-2", 0, waits[1]), ("main", 1, 13), ("server", 2, 14)]
    nodes = [
        Node(number, "task", name, name, "waiting", stack, 90, None, wait, 100 + number, 1)
        for number, (name, stack, wait) in enumerate(rows)
        if wait
    ]
    nodes += [
        Node(4, "lock", "a.lock", "Lock", "locked", key=104, need=1),
        Node(5, "lock", "b.lock", "Lock", "locked", key=105, need=1),
        Node(6, "io", "", key=106),
        LOOP,
    ]
    edges = [
        Edge(0, 5, "lock"),
        Edge(1, 4, "lock"),
        Edge(4, 0, "held_by", site=0),
        Edge(5, 1, "held_by", site=0),
        Edge(2, 0, "await"),
        Edge(3, 6, "await"),
    ]
    if not waits[0]:
        nodes = [node._replace(need=0, wait=None, state="ready") if node.id == 2 else node for node in nodes]
    there = {node.id for node in nodes}
    kept = [edge for edge in edges if {edge.waiter, edge.awaited} <= there]
    held = {edge.waiter for edge in kept if edge.kind == "held_by"}
    nodes = [node for node in nodes if node.kind != "lock" or node.id in held]
    kept = [edge for edge in kept if edge.kind != "lock" or edge.awaited in held]
    idle = {node.id for node in nodes} - {edge.waiter for edge in kept}
    nodes = [node._replace(need=0) if node.id in idle else node for node in nodes]
    return snapshot(nodes, kept, sites=SITES, stacks=((3, 1), (2,), (4,)), capture=at(moment, **capture))


def save(**made):
    for name, one in made.items():
        one.save(f"{name}.json")


def test_what_did_not_move(agraph):
    save(a=transfers(1.0), b=transfers(3.0), c=transfers(5.1))
    agraph("analyze c.json a.json b.json").is_golden("many/still")
    assert agraph.code == 1
    document = json.loads(agraph("analyze a.json b.json c.json --format json").out)
    assert len(document["deadlocks"]) == 1
    assert len(document["lock_order"]) == 2
    assert document["stuck"][0] == {
        "process": "web-3:4711",
        "snapshot": "c.json",
        "id": 0,
        "name": "transfer-1",
        "verdict": "certain",
        "captures": 3,
        "seconds": 4.0,
        "waits_at": {"path": "/srv/app/bank.py", "line": 13, "function": "transfer"},
    }
    assert [(row["name"], row["verdict"]) for row in document["stuck"]] == [
        ("transfer-1", "certain"), ("transfer-2", "certain"), ("main", "certain"), ("server", "live"),
    ]  # fmt: skip


@pytest.mark.parametrize("second", [(11, 15), (0, 12), (0, 0)])
def test_a_later_capture_lifts_an_alarm(agraph, second):
    save(a=transfers(1.0), b=transfers(2.0, second), c=transfers(3.0, (0, 0)))
    assert agraph("analyze a.json").code == 1
    assert agraph("analyze a.json c.json").code == 0
    assert "certain" not in agraph.out.replace("No deadlock is certain", "")
    assert agraph("analyze a.json b.json c.json --format json").code == 0
    document = json.loads(agraph.out)
    assert "certain" not in {row["verdict"] for row in document["tasks"]}
    assert document["lifted"][0]["snapshot"] == "a.json"
    assert document["lifted"][0]["seen_in"] in {"b.json", "c.json"}


def test_the_words_for_a_lifted_alarm(agraph):
    save(a=transfers(1.0), b=transfers(3.0, (11, 15)), c=transfers(5.0, (0, 0)))
    agraph("analyze a.json b.json c.json").is_golden("many/lifted")


def test_an_older_capture_lifts_nothing(agraph):
    save(a=transfers(1.0, (0, 0)), b=transfers(3.0))
    assert agraph("analyze b.json a.json").code == 1


def test_captures_at_once_or_that_left_something_out_lift_nothing(agraph):
    save(a=transfers(1.0), b=transfers(1.05, (0, 0)), c=transfers(3.0, (0, 0), complete=False))
    assert agraph("analyze a.json b.json").code == 1
    assert agraph("analyze a.json c.json").code == 1


def test_a_capture_by_another_copy_of_agraph_lifts_nothing(agraph):
    other = transfers(3.0)
    shifted = tuple(node._replace(key=node.key + 7, wait=node.wait and node.wait + 7) for node in other.nodes)
    save(a=transfers(1.0), b=dataclasses.replace(other, nodes=shifted))
    assert agraph("analyze a.json b.json").code == 1
    assert "did not move" not in agraph.out
    assert "note: 2 of 2 snapshots of web-3:4711 cannot be compared" in agraph.out


def test_nothing_becomes_certain_by_comparing():
    both = [transfers(moment, consistent=False) for moment in (1.0, 3.0)]
    assert analyze(both).verdict == "possible"
    assert [node.name for node, _ in analyze(both).histories[0].still][:2] == ["transfer-1", "transfer-2"]


def test_a_cycle_of_waits_at_different_moments_is_lifted():
    both = [transfers(1.0, consistent=False), transfers(3.0, (11, 15), consistent=False)]
    analysis = analyze(both)
    assert [one.verdict for one in analysis.snapshots] == ["live", "possible"]
    assert [one.deadlock.certainty for one in analysis.lifted] == ["possible"]


def of(made, **fields):
    return dataclasses.replace(made, process=dataclasses.replace(PROCESS, **fields))


def test_a_process_id_that_is_used_again_is_another_process():
    analysis = analyze([transfers(1.0), of(transfers(3.0, (0, 0)), started=1790000900.0)])
    assert analysis.histories == analysis.lifted == analysis.notes == ()


@settings(max_examples=200, deadline=None)
@given(graphs(), st.sets(st.integers(0, 8)))
def test_to_let_some_proceed_makes_nothing_worse(rows, ids):
    before = to_snapshot(rows)
    after = free(before, ids)
    pairs = zip(analyze([before]).snapshots[0].levels, analyze([after]).snapshots[0].levels, strict=True)
    assert all(now <= was for was, now in pairs)


def test_several_processes_stay_side_by_side(agraph):
    other = of(transfers(3.0, (0, 0)), pid=4712)
    save(a=transfers(1.0), b=other, c=of(transfers(9.0), pid=4713))
    agraph("analyze a.json b.json c.json").is_golden("many/processes")
    assert agraph.code == 1
    document = json.loads(agraph("analyze a.json b.json c.json --format json").out)
    assert [row["tasks"][0]["process"] for row in document["deadlocks"]] == ["web-3:4711", "web-3:4713"]
    assert document["stuck"] == document["lifted"] == []


# ---- the order of locks

WHERE = (Site("/srv/app/stock.py", "Shop.reserve", 10), Site("/srv/app/stock.py", "Shop.reserve", 12))


def holds(task, held, wanted, *gates, moment=1.0, pid=4711, kind="lock", confidence="exact", **fields):
    """A task that holds locks and waits for another, whose holder runs."""
    names = [*gates, held, wanted]
    nodes = [
        Node(0, "task", task, "reserve", "waiting", 0, wait=7, key=sum(map(ord, task)), need=1),
        Node(1, "task", "busy"),
    ]
    nodes += [
        Node(2 + number, kind, name, key=sum(map(ord, name)), need=1, **fields)
        for number, name in enumerate(names)
    ]
    last = len(nodes) - 1
    nodes.append(LOOP)
    edges = [Edge(number, 0, "held_by", confidence, 0) for number in range(2, last)]
    edges += [Edge(0, last, "lock"), Edge(last, 1, "held_by")]
    return of(snapshot(nodes, edges, sites=WHERE, stacks=((1,),), capture=at(moment)), pid=pid)


def predicted(*made):
    return [{pair.held.name for _, pair in one.orders} for one in analyze(made).predicted]


def test_orders_that_never_met_are_told(agraph):
    save(a=holds("t1", "shop.stock", "shop.cash"), b=holds("t2", "shop.cash", "shop.stock", moment=2.0))
    agraph("analyze a.json b.json").is_golden("many/predicted")
    assert agraph.code == 0
    (row,) = json.loads(agraph("analyze a.json b.json --format json").out)["predicted"]
    assert row["locks"] == ["shop.stock", "shop.cash"]
    assert [order["held"]["at"]["line"] for order in row["orders"]] == [10, 10]
    assert [order["wanted"]["at"]["line"] for order in row["orders"]] == [12, 12]
    assert [order["snapshot"] for order in row["orders"]] == ["a.json", "b.json"]


def test_three_locks_and_two_processes():
    orders = [("t1", "s.a", "s.b"), ("t2", "s.b", "s.c"), ("t3", "s.c", "s.a")]
    assert predicted(*(holds(*order, pid=number) for number, order in enumerate(orders))) == [
        {"s.a", "s.b", "s.c"}
    ]
    assert predicted(*(holds(*order) for order in orders[:2])) == []


@pytest.mark.parametrize(
    "made",
    [
        [holds("t1", "s.a", "s.b"), holds("t2", "s.a", "s.b", moment=2.0)],
        [holds("t1", "s.a", "s.b"), holds("t1", "s.b", "s.a", moment=2.0)],
        [holds("t1", "s.a", "s.b", "s.gate"), holds("t2", "s.b", "s.a", "s.gate", moment=2.0)],
        [holds("t1", "s.a", "s.b"), holds("t2", "s.b", "s.a", moment=2.0, confidence="probable")],
        [holds("t1", "s.a", "s.b", kind="semaphore"), holds("t2", "s.b", "s.a", kind="semaphore", moment=2.0)],
        [holds("t1", "self.a", "self.b"), dataclasses.replace(
            holds("t2", "self.b", "self.a", pid=7),
            sites=(Site("other.py", "f", 1), Site("other.py", "f", 2)),
        )],
    ],
    ids=["same order", "same task", "gate", "inferred", "semaphore of many", "other classes"],
)  # fmt: skip
def test_no_prediction(made):
    assert predicted(*made) == []


def test_a_gate_of_one_and_a_semaphore_of_one():
    one = {"kind": "semaphore", "detail": {"bound": 1}}
    assert predicted(holds("t1", "s.a", "s.b", **one), holds("t2", "s.b", "s.a", moment=2.0, **one))
    assert predicted(holds("t1", "s.a", "s.b", "s.gate"), holds("t2", "s.b", "s.a", moment=2.0))


def gated(task, held, wanted, moment, **gate):
    """The same under a semaphore that only shows who holds it."""
    made = holds(task, held, wanted, moment=moment)
    semaphore = Node(20, "semaphore", "s.gate", key=20, need=1, open="others may hold it", **gate)
    return dataclasses.replace(
        made, nodes=(*made.nodes, semaphore), edges=(*made.edges, Edge(20, 0, "held_by", "probable"))
    )


def test_a_semaphore_that_is_taken_and_has_one_holder_is_a_gate():
    for facts, count in (
        ({"value": 0}, 0),
        ({"value": 1}, 1),
        ({"value": 0, "bound": 2}, 1),
        ({"bound": 1}, 0),
    ):
        pair = gated("t1", "s.a", "s.b", 1.0, detail=facts), gated("t2", "s.b", "s.a", 2.0, detail=facts)
        assert len(predicted(*pair)) == count, facts


@pytest.mark.parametrize("through", ["await", "future"])
def test_a_gate_that_is_held_by_who_waits_for_the_task(through):
    """As `async with gate: await asyncio.wait_for(task, 60)` makes a task of its own before Python 3.12."""

    def below(task, held, wanted, moment):
        made = holds(task, held, wanted, moment=moment)
        nodes = [
            Node(20, "task", f"parent of {task}", key=20, need=1),
            Node(21, "lock", "s.gate", key=21, need=1),
        ]
        edges = [Edge(21, 20, "held_by")]
        if through == "future":
            nodes.append(Node(22, "future", need=1))
            edges += [Edge(20, 22, "await"), Edge(22, 0, "all_of")]
        else:
            edges.append(Edge(20, 0, "await"))
        return dataclasses.replace(made, nodes=(*made.nodes, *nodes), edges=(*made.edges, *edges))

    assert predicted(below("t1", "s.a", "s.b", 1.0), below("t2", "s.b", "s.a", 2.0)) == []
    assert predicted(below("t1", "s.a", "s.b", 1.0), holds("t2", "s.b", "s.a", moment=2.0))


@pytest.mark.parametrize(("later", "count"), [(0.5, 0), (100.0, 1)])
def test_a_task_does_not_meet_itself_though_the_clock_was_set(later, count):
    one, two = holds("t1", "s.a", "s.b"), holds("t1", "s.b", "s.a", moment=2.0)
    started = two.process.started + later
    two = dataclasses.replace(two, process=dataclasses.replace(two.process, started=started))
    assert len(predicted(one, two)) == count


def test_two_locks_of_one_class_have_an_order_by_object_only():
    """As they are numbered anew in each snapshot, their keys tell which is which."""

    def numbered(task, moment, *, swapped):
        made = holds(task, "account.lock #1", "account.lock #2", moment=moment)
        keys = {2: 501, 3: 500} if swapped else {2: 500, 3: 501}
        nodes = tuple(
            node._replace(name="account.lock", key=keys[node.id]) if node.id in keys else node
            for node in made.nodes
        )
        return dataclasses.replace(made, nodes=nodes)

    assert predicted(numbered("t1", 1.0, swapped=False), numbered("t2", 2.0, swapped=True)) == [
        {"account.lock"}
    ]
    assert predicted(numbered("t1", 1.0, swapped=False), numbered("t2", 2.0, swapped=False)) == []


def test_what_needs_something_and_waits_for_nothing_is_told(agraph):
    save(a=snapshot([Node(0, "task", "odd", need=1)]))
    assert agraph("analyze a.json").code == 1
    assert agraph.out.startswith("Deadlock: nobody can free odd.")


def test_what_is_a_deadlock_is_not_predicted_as_well():
    analysis = analyze([transfers(1.0), transfers(3.0)])
    assert analysis.deadlocks
    assert analysis.predicted == ()


def test_what_was_a_deadlock_for_a_moment_only_is_predicted():
    assert len(analyze([transfers(1.0), transfers(3.0, (0, 0))]).predicted) == 1


def test_many_snapshots_of_one_process_are_linear():
    made = [transfers(float(moment)) for moment in range(1, 301)]
    analysis = analyze(made)
    assert len(analysis.deadlocks) == 1
    assert analysis.histories[0].sightings[0][1] == 300


def test_a_crowd_of_orders_ends():
    names = [f"s.{number}" for number in range(30)]
    made = [
        holds(f"t{held}-{wanted}", held, wanted, moment=float(number))
        for number, (held, wanted) in enumerate((h, w) for h in names for w in names if h != w)
    ]
    assert len(predicted(*made)) >= 30


def test_tasks_without_keys_are_not_compared():
    assert (
        analyze([snapshot(tasks("a"), capture=at(1.0)), snapshot(tasks("a"), capture=at(2.0))]).histories
        == ()
    )


PROGRAM = """
import asyncio
import agraph

async def takes(first, second):
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass

async def main():
    a, b = asyncio.Lock(), asyncio.Lock()
    tasks = [asyncio.create_task(takes(a, b), name="t1"), asyncio.create_task(takes(b, a), name="t2")]
    while not (a._waiters and b._waiters):
        await asyncio.sleep(0)
    for number in (1, 2, 3):
        agraph.capture().save(f"{number}.json")
    tasks[0].cancel()
    await asyncio.wait(tasks)
    agraph.capture().save("4.json")

asyncio.run(main())
"""


@pytest.fixture
def run_live():
    """Runs a program that saves three captures of a deadlock, breaks it, and saves a fourth elsewhere."""

    def run():
        return subprocess.run([sys.executable, "-c", PROGRAM], check=False, timeout=60).returncode

    return run


def test_real_captures(agraph, run_live):
    assert run_live() == 0
    assert agraph("analyze 1.json 2.json 3.json").code == 1
    assert "Did not move in 3 captures" in agraph.out
    assert agraph("analyze 1.json 4.json").code == 0
    assert "No deadlock after all (1)" in agraph.out
