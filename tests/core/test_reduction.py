"""The reduction against brute force and against networkx."""

import json
from pathlib import Path

import networkx as nx
import pytest
from drawn import graphs, to_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from made import bank, of_model, snapshot, tasks, verdicts_of

from agraph import Edge, Node, SnapshotError
from agraph.reduction import Hops, Reduction, blocked_behind, build, cores, judge, levels, residue


def brute_force(made, *, timers, unknown):
    """The least fixpoint of "can proceed", straight from its definition in docs/reference/snapshot.md."""
    nodes = {node.id: node for node in made.nodes}
    waits = {node.id: [edge for edge in made.edges if edge.waiter == node.id] for node in made.nodes}
    cancelled = cancelled_in(made, unknown=unknown) if timers else set()
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


def cancelled_in(made, *, unknown):
    """The tasks that a task with a timer awaits, or an open one, those that they await, and so on."""
    tasks = {node.id: node for node in made.nodes if node.kind == "task"}
    ended = {node.id for node in tasks.values() if node.timer is not None or (unknown and node.open)}
    found = {node for node in ended if tasks[node].timer is not None}
    for _ in made.nodes:
        found |= {
            edge.awaited for edge in made.edges if edge.waiter in found | ended and edge.awaited in tasks
        }
    return found


def can_proceed(node, edges, live, *, timers, unknown):
    if node.loop is not None and node.loop not in live:
        return False
    if node.timer is not None and (timers or not (edges or node.open)):
        return True
    if unknown and node.need > max(len(edges), 1):  # something it needs is not in the snapshot
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


def test_who_needs_more_than_is_known_is_never_certain_to_be_stuck():
    nodes = [Node(0, "task", "a", need=5), Node(1, "task", "b", need=1), Node(2, "task", "c", need=2)]
    edges = [Edge(0, 1, "await"), Edge(1, 0, "await"), Edge(2, 0, "await"), Edge(2, 1, "await")]
    made = snapshot(nodes, edges)
    assert list(levels(build(made)).level) == [2, 2, 2]
    assert judge(made).verdict == "possible"


def test_an_edge_to_nowhere_is_an_error():
    with pytest.raises(SnapshotError, match="node 7, which is not in the snapshot"):
        build(snapshot(tasks("a"), [Edge(0, 7, "await")]))


def test_scenario_models(shared: Path):
    expected = json.loads((shared / "scenarios" / "expected.json").read_text())
    assert expected
    for name, case in expected.items():
        for proved, wanted in ((False, case["verdict"]), (True, case["verdict_with_heap_proof"])):
            found = verdicts_of(of_model(case["model"], proved=proved))
            assert {task: found[task] for task in wanted} == wanted, (name, proved)


def test_an_inconsistent_snapshot_proves_nothing():
    assert set(verdicts_of(bank()).values()) == {"certain", "live"}
    assert set(verdicts_of(bank(consistent=False)).values()) == {"possible", "live"}


@pytest.mark.parametrize("closed", [False, True])
def test_a_long_chain_needs_no_recursion(closed):
    size = 100_000
    nodes = tasks(*(str(number) for number in range(size)))
    edges = [Edge(number, number + 1, "await") for number in range(size - 1)]
    if closed:
        edges.append(Edge(size - 1, 0, "await"))
    else:
        nodes[-1] = nodes[-1]._replace(need=0, state="running")
    graph = build(snapshot(nodes, edges))
    found = levels(graph)
    assert set(found.level) == {3 if closed else 0}
    rest = residue(graph, found)
    assert [len(core.members) for core in cores(found, rest)] == [size] * closed


def test_the_waiters_behind_one_core_are_linear():
    size = 50_000
    nodes = [*tasks(*(str(number) for number in range(size))), Node(size, "lock", need=1)]
    edges = [Edge(number, size, "lock") for number in range(size)] + [Edge(size, 0, "held_by")]
    graph = build(snapshot(nodes, edges))
    found = levels(graph)
    rest = residue(graph, found)
    [core] = found_cores = cores(found, rest)
    assert core.members == (0, size)
    assert blocked_behind(graph, found, found_cores) == [list(range(1, size))]
    steps = Hops(graph, rest, found_cores).cycle(core)
    assert [(step.waiter.id, step.awaited.id) for step in steps] == [(0, size), (size, 0)]


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_a_graph_is_settled_alike_in_passes_and_by_walking(rows):
    made = to_snapshot(rows)
    walked = levels(build(made))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agraph._internal.reduction.graph.FEW_EDGES", -1)
        in_passes = levels(build(made))
    assert (walked.level, walked.own) == (in_passes.level, in_passes.own)
