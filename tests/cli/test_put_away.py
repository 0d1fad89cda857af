"""Snapshots from short files, whose columns are there for a moment only: nothing that is told of them differs."""

import copy
import dataclasses
import gc
import json
import pickle
import weakref

import pytest
from drawn import graphs, to_snapshot
from hypothesis import given, settings
from made import SITES, bank, snapshot

import agraph
from agraph import Edge, Node, Snapshot, SnapshotError
from agraph.reduction import build, carried, carry, free, is_put_away, later
from agraph_cli.analysis import decoder
from agraph_cli.analysis.judge import analyze_one
from agraph_cli.analysis.orders import orders_of


def read_again(snapshot):
    return agraph.loads(json.dumps(snapshot.to_dict()).encode(), decoder=decoder)


def read_others():
    """Read so many that what was read before is put away."""
    for _ in range(10):
        read_again(bank())


def fields(one):
    names = [field.name for field in dataclasses.fields(one)]
    return {name: getattr(one, name) for name in names}


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_the_analysis_is_the_same(rows):
    plain = Snapshot.from_dict(json.loads(json.dumps(to_snapshot(rows).to_dict())))
    again = read_again(plain)
    assert is_put_away(again)
    assert not is_put_away(plain)
    expected, found = analyze_one(plain, "x.json"), analyze_one(again, "x.json")
    read_others()
    hold_together(found, expected)
    hold_together(carried(carry(found)), expected)


def hold_together(found, expected):
    assert found.levels == expected.levels
    assert (found.verdict, found.tally) == (expected.verdict, expected.tally)
    assert list(map(fields, found.deadlocks)) == list(map(fields, expected.deadlocks))
    assert [(one.stuck, one.ids) for one in found.deadlocks] == [
        (one.stuck, one.ids) for one in expected.deadlocks
    ]
    assert tuple(found.orphans) == tuple(expected.orphans)
    assert tuple(found.lock_order) == tuple(expected.lock_order)
    assert list(found.graph.waiter) == list(expected.graph.waiter)


ALIKE = {
    "name": lambda node: f"{node.name}'",
    "since": lambda node: 1.5,
    "wait": lambda node: 7000 + node.id,
    "timer": lambda node: None if node.timer is None else node.timer + 3,
}
OTHER = {
    "need": lambda node: node.need + (node.need > 0),
    "timer": lambda node: 7.5 if node.timer is None else None,
    "open": lambda node: "" if node.open else "anybody",
    "exc": lambda node: not node.exc,
    "detail": lambda node: {"made_by": "TaskGroup"},
}


@pytest.mark.parametrize("changes", [ALIKE, *({name: change} for name, change in OTHER.items())])
@settings(max_examples=60, deadline=None)
@given(graphs())
def test_the_analysis_is_the_same_after_one_of_a_snapshot_that_is_much_alike(changes, rows):
    made = to_snapshot(rows)
    nodes = [node._replace(**{name: to(node) for name, to in changes.items()}) for node in made.nodes]
    before = analyze_one(read_again(dataclasses.replace(made, nodes=tuple(nodes))))
    plain = Snapshot.from_dict(json.loads(json.dumps(made.to_dict())))
    expected, found = analyze_one(plain, "x.json"), analyze_one(read_again(plain), "x.json")
    assert found.levels == expected.levels
    assert list(map(fields, found.deadlocks)) == list(map(fields, expected.deadlocks))
    assert [one.stuck for one in found.deadlocks] == [one.stuck for one in expected.deadlocks]
    assert tuple(found.orphans) == tuple(expected.orphans)
    assert (found.orders or ()) == orders_of(expected.graph, "x.json")
    assert before.snapshot.nodes == tuple(before.graph.snapshot.nodes)


def test_snapshots_that_differ_in_a_holder_or_in_their_moment_are_told_apart():
    plain = bank()
    edges = [edge._replace(awaited=7) if edge.kind == "held_by" else edge for edge in plain.edges]
    freed = dataclasses.replace(plain, edges=tuple(edges))
    moving = dataclasses.replace(plain, capture=dataclasses.replace(plain.capture, consistent=False))
    found = [analyze_one(read_again(one)).verdict for one in (plain, moving, freed, plain)]
    assert found == ["certain", "possible", "live", "certain"]


def test_a_graph_goes_and_is_built_again():
    again = read_again(bank())
    graph = build(again)
    waits, gone = list(graph.waiter), weakref.ref(graph)
    kept = later(graph)
    del graph
    read_others()
    gc.collect()
    assert gone() is None
    assert list(kept.waiter) == waits
    assert kept.node(0) == again.nodes[0]


def test_copies_are_plain():
    again = read_again(bank())
    for twin in (pickle.loads(pickle.dumps(again)), copy.deepcopy(again)):
        assert twin == again
        assert not is_put_away(twin)


def ring(size):
    nodes = [Node(n, "task", f"Task-{n}", "hop", "waiting", 0, key=n, wait=n, need=1) for n in range(size)]
    edges = [Edge(number, (number + 1) % size, "await") for number in range(size)]
    return snapshot(nodes, edges, sites=SITES, stacks=((3, 1),))


@pytest.mark.parametrize("made", [bank(), ring(5_000)], ids=["short", "long"])
def test_what_is_carried_is_as_it_was(made):
    plain, again = Snapshot.from_dict(made.to_dict()), read_again(made)
    expected = analyze_one(plain, "x.json")
    data = carry([analyze_one(again, "x.json"), again])
    read_others()
    found, twin = carried(data)
    assert is_put_away(twin) == is_put_away(again)
    assert found.snapshot is twin
    assert twin == plain
    assert free(twin, [0]) == free(plain, [0])
    assert twin.nodes.spans("task") == again.nodes.spans("task")
    assert list(found.graph.waiter) == list(expected.graph.waiter)
    assert list(map(fields, found.deadlocks)) == list(map(fields, expected.deadlocks))
    assert carried(carry(found)).deadlocks[0].ids == expected.deadlocks[0].ids
    assert len(data) < 2 * len(json.dumps(made.to_dict()))


@pytest.mark.parametrize("name", ["process", "capture", "nodes", None])
def test_what_a_newer_writer_adds_is_skipped(name):
    document = bank().to_dict()
    part = document if name is None else document[name]["task"] if name == "nodes" else document[name]
    part["news"] = [1, 2, 3, 4]
    assert agraph.loads(json.dumps(document).encode(), decoder=decoder) == read_again(bank())
    part["news"] = ["\ud800"] * 4
    assert agraph.loads(json.dumps(document).encode(), decoder=decoder) == read_again(bank())
    spoiled = json.dumps(document).encode().replace(b"\\ud800", b"\xff")
    with pytest.raises(SnapshotError, match="not UTF-8"):
        agraph.loads(spoiled, decoder=decoder)


def test_many_are_kept_compressed(monkeypatch):
    monkeypatch.setattr("agraph._internal.shelf._MOST_PLAIN", 0)
    again = read_again(bank())
    read_others()
    assert again == Snapshot.from_dict(bank().to_dict())
    assert analyze_one(again).verdict == "certain"


def test_what_was_read_before_is_kept_once_and_forgotten_in_the_end(monkeypatch):
    one, other = read_again(bank()), read_again(bank())
    assert one.sites is other.sites
    assert all(
        column is other.nodes.tables[at].columns[name]
        for at, table in enumerate(one.nodes.tables)
        for name, column in table.columns.items()
    )
    monkeypatch.setattr("agraph_cli.analysis.short._MOST_KEPT", 0)
    assert read_again(bank()) == one == Snapshot.from_dict(bank().to_dict())


def test_what_is_freed_in_it():
    plain = bank()
    again = free(read_again(plain), [0])
    assert is_put_away(again)
    read_others()
    assert again == Snapshot.from_dict(free(read_again(plain), [0]).to_dict())
    by_id = {node.id: node for node in again.nodes}
    assert (by_id[0].need, by_id[0].state) == (0, "ready")
    assert sorted(again.nodes) == sorted(free(plain, [0]).nodes)
    assert analyze_one(again).verdict == analyze_one(free(plain, [0])).verdict
