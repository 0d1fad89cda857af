"""The reduction against brute force and against networkx."""

import json
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import of_model, snapshot, tasks

from agraph import Edge, Node, SnapshotError
from agraph_cli.analysis.graph import build
from agraph_cli.analysis.judge import analyze, analyze_one
from agraph_cli.analysis.reduce import Reduction, levels


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, list[int], dict[str, object]]]:
    """For each node: need, the nodes it waits for, escapes."""
    size = draw(st.integers(1, 9))
    rows = []
    for _ in range(size):
        waits = draw(st.lists(st.integers(0, size - 1), max_size=4))
        need = draw(st.integers(0, len(waits) + 1))
        escapes = draw(
            st.fixed_dictionaries(
                {
                    "timer": st.sampled_from([None, None, None, 101.0]),
                    "open": st.sampled_from(["", "", "", "anybody"]),
                    "exc": st.sampled_from([False, False, True]),
                    "on_loop": st.sampled_from([False, False, True]),
                    "probable": st.sampled_from([False, False, False, True]),
                }
            )
        )
        rows.append((need, waits, escapes))
    return rows


def to_snapshot(rows):
    """Node 0 is a loop; the rest are tasks, on that loop where the row says so."""
    nodes, edges = [], []
    for number, (need, waits, escapes) in enumerate(rows):
        kind = "task" if number else "loop"
        loop = 0 if number and escapes["on_loop"] else None
        facts = {key: escapes[key] for key in ("timer", "open", "exc")}
        nodes.append(Node(number, kind, name=f"t{number}", need=need, loop=loop, **facts))
        confidence = "probable" if escapes["probable"] else "exact"
        edges += [Edge(number, to, "await", confidence) for to in waits]
    return snapshot(nodes, edges)


def brute_force(made, *, timers, unknown):
    """The least fixpoint of "can proceed", straight from its definition in docs/reference/snapshot.md."""
    nodes = {node.id: node for node in made.nodes}
    waits = {node.id: [edge for edge in made.edges if edge.waiter == node.id] for node in made.nodes}
    cancelled = cancelled_in(made) if timers else set()
    live: set[int] = set()
    while True:
        more = {
            node.id
            for node in nodes.values()
            if (node.id in cancelled and (node.loop is None or node.loop in live))
            or can_proceed(node, waits[node.id], live, timers=timers, unknown=unknown)
        }
        if more == live:
            return live
        live = more


def cancelled_in(made):
    """The tasks that a task with a timer awaits, those that they await, and so on."""
    tasks_of = {node.id for node in made.nodes if node.kind == "task"}
    found = {node.id for node in made.nodes if node.kind == "task" and node.timer is not None}
    for _ in made.nodes:
        found |= {edge.awaited for edge in made.edges if edge.waiter in found and edge.awaited in tasks_of}
    return found


def can_proceed(node, edges, live, *, timers, unknown):
    if node.loop is not None and node.loop not in live:
        return False
    if node.timer is not None and (timers or not (edges or node.open)):
        return True
    if unknown and (node.open or any(edge.confidence == "probable" for edge in edges)):
        return True
    need = min(1, node.need) if unknown and node.exc else node.need
    return sum(edge.awaited in live for edge in edges) >= need


@settings(max_examples=600, deadline=None)
@given(graphs())
def test_each_run_is_the_least_fixpoint(rows):
    made = to_snapshot(rows)
    strict = brute_force(made, timers=False, unknown=False)
    timed = brute_force(made, timers=True, unknown=False)
    generous = brute_force(made, timers=True, unknown=True)
    expected = [
        0 if node.id in strict else 1 if node.id in timed else 2 if node.id in generous else 3
        for node in made.nodes
    ]
    assert list(levels(build(made)).level) == expected


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_and_only_graphs_agree_with_networkx(rows):
    nodes = [Node(number, "task", need=len(waits)) for number, (_, waits, _) in enumerate(rows)]
    edges = [Edge(number, to, "await") for number, (_, waits, _) in enumerate(rows) for to in waits]
    picture = nx.DiGraph([(edge.waiter, edge.awaited) for edge in edges])
    picture.add_nodes_from(range(len(nodes)))
    cyclic = {
        node
        for part in nx.strongly_connected_components(picture)
        for node in part
        if len(part) > 1 or picture.has_edge(node, node)
    }
    stuck = cyclic | {above for node in cyclic for above in nx.ancestors(picture, node)}
    found = levels(build(snapshot(nodes, edges))).level
    assert {number for number, level in enumerate(found) if level == 3} == stuck
    assert all(level in (0, 3) for level in found)


@settings(max_examples=300, deadline=None)
@given(graphs(), st.data())
def test_a_live_seed_never_adds_stuck_nodes(rows, data):
    graph = build(to_snapshot(rows))
    before = Reduction(graph)
    after = before.copy()
    after.force([data.draw(st.integers(0, len(rows) - 1))])
    assert set(after.stuck()) <= set(before.stuck())


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_own_is_what_stays_stuck_when_firmer_nodes_proceed(rows):
    made = to_snapshot(rows)
    found = levels(build(made))
    for position, own in enumerate(found.own):
        assert own in (0, found.level[position])
    for level in {value for value in found.level if value}:
        own = [node for node in made.nodes if found.own[node.id] == level]
        for node in own:
            assert not found.states[level].live[node.id]


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_every_stuck_task_is_in_a_report_or_behind_one(rows):
    one = analyze_one(to_snapshot(rows))
    told = {node.id for deadlock in one.deadlocks for node in (*deadlock.members, *deadlock.behind)}
    blamed = told | {orphan.node.id for orphan in one.orphans}
    stuck = {node.id for node, verdict in one.tasks() if verdict != "live"}
    # What is behind an orphan is counted there, not named.
    assert len(stuck - blamed) <= sum(orphan.behind for orphan in one.orphans)
    for deadlock in one.deadlocks:
        assert deadlock.frees >= min(1, len(deadlock.tasks))
        for hop, following in zip(deadlock.cycle, deadlock.cycle[1:] + deadlock.cycle[:1], strict=True):
            assert hop.awaited == following.waiter or len(deadlock.cycle) == 1


@pytest.mark.parametrize("closed", [False, True])
def test_a_long_chain_needs_no_recursion(closed):
    size = 100_000
    nodes = tasks(*(str(number) for number in range(size)))
    edges = [Edge(number, number + 1, "await") for number in range(size - 1)]
    if closed:
        edges.append(Edge(size - 1, 0, "await"))
    else:
        nodes[-1] = nodes[-1]._replace(need=0, state="running")
    one = analyze_one(snapshot(nodes, edges))
    assert one.verdict == ("certain" if closed else "live")
    assert len(one.deadlocks) == closed
    if closed:
        assert len(one.deadlocks[0].cycle) == size


def test_many_waiters_on_one_lock_are_linear():
    size = 50_000
    nodes = [*tasks(*(str(number) for number in range(size))), Node(size, "lock", need=1)]
    edges = [Edge(number, size, "lock") for number in range(size)] + [Edge(size, 0, "held_by")]
    one = analyze_one(snapshot(nodes, edges))
    assert one.deadlocks[0].tasks == (nodes[0],)
    assert len(one.deadlocks[0].behind) == size - 1


def test_an_edge_to_nowhere_is_an_error():
    with pytest.raises(SnapshotError, match="node 7, which is not in the snapshot"):
        build(snapshot(tasks("a"), [Edge(0, 7, "await")]))


def test_scenario_models(shared: Path):
    expected = json.loads((shared / "scenarios" / "expected.json").read_text())
    assert expected
    for name, case in expected.items():
        for proved, wanted in ((False, case["verdict"]), (True, case["verdict_with_heap_proof"])):
            one = analyze_one(of_model(case["model"], proved=proved))
            found = {node.name: verdict for node, verdict in one.tasks()}
            assert {task: found[task] for task in wanted} == wanted, (name, proved)


def test_several_snapshots_have_the_worst_verdict():
    live = snapshot([Node(0, "task", need=0)])
    stuck = snapshot(tasks("a"), [Edge(0, 0, "await")])
    analysis = analyze([live, ("s.json", stuck)])
    assert [one.verdict for one in analysis.snapshots] == ["live", "certain"]
    assert analysis.verdict == "certain"
    assert analysis.deadlocks[0][0].path == "s.json"
    assert analyze([]).verdict == "live"
