"""Snapshots that the fast reader reads: the same nodes, verdicts and errors as without it, and columns like tuples."""

import copy
import json
import pickle

import pytest
from drawn import graphs, to_snapshot
from hypothesis import given, settings
from made import bank

import agraph
from agraph import Edge, Node, Snapshot, SnapshotError
from agraph.reduction import build, edges_of_kind, levels, of_kind, positions_of, set_in
from agraph_cli.analysis import decoder
from agraph_cli.analysis.judge import analyze_one


@pytest.fixture(params=["long", "short"])
def fast(request, monkeypatch):
    """The reader, in both of its ways."""
    monkeypatch.setattr(decoder, "_SHORT", 0 if request.param == "long" else 10**9)
    return decoder


def read_back(snapshot, reader):
    return agraph.loads(json.dumps(snapshot.to_dict()).encode(), decoder=reader)


def test_it_reads_the_same(fast):
    again = read_back(bank(), fast)
    assert sorted(again.nodes) == sorted(bank().nodes)
    assert again == agraph.loads(json.dumps(bank().to_dict()).encode())
    assert analyze_one(again).verdict == "certain"


def test_columns_are_like_tuples(fast):
    again = read_back(bank(), fast)
    for rows in (again.nodes, again.edges):
        plain = tuple(rows)
        assert rows == plain
        assert plain == rows
        assert [rows[at] for at in range(-len(plain), len(plain))] == [*plain, *plain]
        assert rows[2:7:2] == plain[2:7:2]
        assert list(reversed(rows)) == list(reversed(plain))
        assert rows != plain[1:]
        assert pickle.loads(pickle.dumps(tuple(rows))) == plain
        with pytest.raises(IndexError):
            rows[len(plain)]
    assert hash(again.edges) == hash(tuple(again.edges))
    assert all(type(node) is Node for node in again.nodes)
    assert all(type(edge) is Edge for edge in again.edges)


def test_columns_can_be_looked_into(fast):
    again = read_back(bank(), fast)
    for rows in (again.nodes, tuple(again.nodes)):
        assert [rows[at].name for at in of_kind(rows, "lock")] == ["accounts[0]", "accounts[1]"]
        assert [rows[at].name for at in set_in(rows, "timer")] == ["ticker"]
        assert [rows[at].detail for at in set_in(rows, "detail")] == [{"made_by": "gather"}]
        places = positions_of(rows)
        assert all(rows[places[node.id]] == node for node in rows)
    for edges in (again.edges, tuple(again.edges)):
        assert [edge.awaited for edge in edges_of_kind(edges, "held_by")] == [0, 1]


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_verdicts_do_not_depend_on_how_a_snapshot_was_read(rows):
    made = to_snapshot(rows)
    again = Snapshot.from_dict(json.loads(json.dumps(made.to_dict())))
    found = dict(zip((node.id for node in made.nodes), levels(build(made)).level, strict=True))
    assert dict(zip((node.id for node in again.nodes), levels(build(again)).level, strict=True)) == found


DAMAGE = [
    lambda d: d.update(version=9),
    lambda d: d.pop("nodes"),
    lambda d: d.update(edges={}),
    lambda d: d["nodes"]["task"].update(need=[1, 1, "x", 1]),
    lambda d: d["nodes"]["task"].update(need=[1, -2, 1, 1]),
    lambda d: d["nodes"]["task"].update(id=[0, 1, 4, 4]),
    lambda d: d["nodes"]["task"].update(stack=[0, 0, 1, 77]),
    lambda d: d["nodes"]["task"].update(name=["a", "b", "c", None]),
    lambda d: d["nodes"]["future"].update(detail=[{"x": []}]),
    lambda d: d["nodes"]["future"].update(detail=[{"x": 1e301}]),
    lambda d: d["nodes"]["future"].update(exc=[2]),
    lambda d: d["nodes"]["task"].update(timer=[1e301, 1, 1, 1]),
    lambda d: d["nodes"]["task"].update(since=[10**400, 1, 1, 1]),
    lambda d: d["capture"].update(start=1e301),
    lambda d: d["edges"][0].update(awaited=[2, 99]),
    lambda d: d["edges"][0].update(waiter=[True, 1]),
    lambda d: d["edges"][0].update(site=None),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_errors_are_those_of_the_slow_reader(fast, damage):
    document = copy.deepcopy(bank().to_dict())
    damage(document)
    data = json.dumps(document).encode()
    with pytest.raises(SnapshotError) as slow:
        agraph.loads(data)
    with pytest.raises(SnapshotError) as quick:
        agraph.loads(data, decoder=fast)
    assert (str(quick.value), quick.value.path) == (str(slow.value), slow.value.path)
    assert slow.value.path


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"format": "agraph-snapshot"}'])
def test_what_is_no_snapshot_is_refused_in_the_same_words(fast, data):
    with pytest.raises(SnapshotError) as slow:
        agraph.loads(data)
    with pytest.raises(SnapshotError) as quick:
        agraph.loads(data, decoder=fast)
    assert str(quick.value) == str(slow.value)


def test_every_cut_is_refused(fast):
    whole = json.dumps(bank().to_dict()).encode()
    for size in range(0, len(whole), 7):
        with pytest.raises(SnapshotError):
            agraph.loads(whole[:size], decoder=fast)


def test_numbers_and_names_that_only_the_slow_reader_takes(fast):
    made = bank()
    nodes = [node._replace(key=2**70, name="a\ud800") if not node.id else node for node in made.nodes]
    odd = Snapshot(made.process, made.capture, made.sites, made.stacks, tuple(nodes), made.edges)
    again = read_back(odd, fast)
    assert again.nodes[positions_of(again.nodes)[0]] == nodes[0]


def many_rows(ids):
    """Tasks that wait for a connection each, or for another task; `ids` are the ids of both, by turns."""
    bare = bank()
    size = len(ids) // 2
    tasks = [
        Node(ids[2 * at], "task", f"t{at}", "f", "waiting", at % 2, None, 1.0, at, -at, 1)
        for at in range(size)
    ]
    others = [
        Node(ids[2 * at + 1], "io", "", "Transport", "pending", key=-at, detail={"operation": "read"})
        for at in range(size)
    ]
    edges = [
        Edge(task.id, others[at].id if at % 3 else tasks[at * 7 % size].id, "await")
        for at, task in enumerate(tasks)
    ]
    return Snapshot(bare.process, bare.capture, bare.sites, bare.stacks, (*tasks, *others), tuple(edges))


LONG_IDS = {
    "in place": [*range(3_000)],
    "in place later": [*range(1_000_000, 1_003_000)],
    "in any order": [at * 7 % 3_000 for at in range(3_000)],
    "with gaps": [at * 3 for at in range(3_000)],
    "one table after the other": [at // 2 + at % 2 * 1_500 for at in range(3_000)],
}


@pytest.mark.parametrize("ids", LONG_IDS.values(), ids=LONG_IDS)
def test_long_columns(ids, monkeypatch):
    monkeypatch.setattr(decoder, "_SHORT", 0)
    made = many_rows(ids)
    again = agraph.loads(json.dumps(made.to_dict(), separators=(",", ":")).encode(), decoder=decoder)
    places = positions_of(again.nodes)
    assert [again.nodes[places[number]] for number in ids[:50]] == [
        made.nodes[places[number]] for number in ids[:50]
    ]
    assert (again.nodes, again.edges) == (made.nodes, made.edges)
    assert levels(build(again)).level == levels(build(made)).level
    assert analyze_one(again).deadlocks == analyze_one(made).deadlocks


def put(kind, column, at, value):
    def change(document):
        document["nodes"][kind][column][at] = value

    return change


LONG_DAMAGE = {
    "an id twice": put("task", "id", 1_400, 0),
    "an id twice, further on": put("io", "id", 1_400, 1_501),
    "an id twice and below zero": put("io", "id", 1_400, -3),
    "an id that is none": put("task", "id", 700, True),
    "a stack that is not there": put("task", "stack", 1_499, 99),
    "a stack below zero": put("task", "stack", 3, -1),
    "a detail that is none": lambda d: d["nodes"]["io"].update(detail=[{"x": []}] * 1_500),
    "an edge to nowhere": lambda d: d["edges"][0]["awaited"].__setitem__(1_000, 3_000),
    "an edge to below zero": lambda d: d["edges"][0]["awaited"].__setitem__(1_000, -1),
    "an edge from what is no number": lambda d: d["edges"][0]["waiter"].__setitem__(1_000, 1.0),
}


@pytest.mark.parametrize("damage", LONG_DAMAGE.values(), ids=LONG_DAMAGE)
def test_errors_in_long_columns(damage, monkeypatch):
    monkeypatch.setattr(decoder, "_SHORT", 0)
    document = many_rows(LONG_IDS["one table after the other"]).to_dict()
    damage(document)
    data = json.dumps(document, separators=(",", ":")).encode()
    with pytest.raises(SnapshotError) as slow:
        agraph.loads(data)
    with pytest.raises(SnapshotError) as quick:
        agraph.loads(data, decoder=decoder)
    assert (str(quick.value), quick.value.path) == (str(slow.value), slow.value.path)
    assert slow.value.path
