"""Snapshots survive JSON, and damaged ones say where they are damaged."""

import copy
import gzip
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agraph
from agraph import Capture, Edge, Node, Process, Site, Snapshot, SnapshotError

SNAPSHOT = Snapshot(
    process=Process(host="h", pid=7, argv0="app.py", python="3.14.10", implementation="CPython", started=1.5),
    capture=Capture(start=1.0, end=2.0, where="thread", consistent=False, errors=("one",), cut=("two",)),
    sites=(Site("a.py", "f", 3), Site("b.py", "C.g", 0)),
    stacks=((0, 1), (1,)),
    nodes=(
        Node(0, "task", "t1", "f", "waiting", 0, 3, 1.25, 99, 4, 1, 12.5, "", True),
        Node(1, "task", "t\ud800 \x1b[31m", need=2, stack=1, open="who knows"),
        Node(2, "lock", "accounts[1]", state="locked", need=1, detail={"value": 1, "bound": None, "x": "y"}),
        Node(3, "loop", state="idle"),
    ),
    edges=(Edge(0, 2, "lock"), Edge(2, 1, "held_by", "probable", 1), Edge(0, 1, "structural")),
    agraph="0.1.0",
)


def test_round_trip_is_exact():
    assert Snapshot.from_dict(json.loads(json.dumps(SNAPSHOT.to_dict()))) == SNAPSHOT


def test_columns_of_defaults_are_left_out():
    tables = SNAPSHOT.to_dict()["nodes"]
    assert set(tables["loop"]) == {"id", "state"}
    assert "key" not in tables["lock"]


names = st.text(max_size=5)
numbers = st.none() | st.integers(0, 2**50)


@st.composite
def snapshots(draw):
    count = draw(st.integers(1, 6))
    ids = draw(st.lists(st.integers(0, 99), min_size=count, max_size=count, unique=True))
    sites = tuple(draw(st.lists(st.builds(Site, names, names, st.integers(0, 9)), min_size=1, max_size=3)))
    index = st.integers(0, len(sites) - 1)
    stacks = tuple(draw(st.lists(st.lists(index, max_size=3).map(tuple), min_size=1, max_size=2)))
    some_id = st.sampled_from(ids)
    rows = st.tuples(
        st.sampled_from(("task", "future", "lock", "io")), names, names, names,
        st.none() | st.integers(0, len(stacks) - 1), st.none() | some_id,
        st.none() | st.floats(0, 1e9), numbers, numbers, st.integers(0, 3),
        st.none() | st.floats(0, 1e9), names, st.booleans(),
        st.none() | st.dictionaries(names, st.none() | names | st.integers(), max_size=2),
    )  # fmt: skip
    nodes = [Node(number, *draw(rows)) for number in ids]
    kinds = [node.kind for node in nodes]
    nodes.sort(key=lambda node: kinds.index(node.kind))
    edge = st.builds(
        Edge, some_id, some_id, st.sampled_from(("await", "lock")), st.sampled_from(("exact", "probable")),
        st.none() | index,
    )  # fmt: skip
    return Snapshot(
        Process(), Capture(), sites, stacks, tuple(nodes), tuple(draw(st.lists(edge, max_size=4))), "1"
    )


@given(snapshots())
def test_round_trip_of_any_snapshot(snapshot):
    again = Snapshot.from_dict(json.loads(json.dumps(snapshot.to_dict())))
    assert again.nodes == snapshot.nodes
    assert sorted(again.edges, key=repr) == sorted(snapshot.edges, key=repr)
    assert (again.sites, again.stacks) == (snapshot.sites, snapshot.stacks)


@pytest.mark.parametrize("name", ["s.json", "s.json.gz"])
def test_save_and_load(tmp_path, name):
    SNAPSHOT.save(tmp_path / name)
    assert agraph.load(tmp_path / name) == SNAPSHOT
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_zstd_where_the_interpreter_has_it(tmp_path):
    path = tmp_path / "s.json.zst"
    if sys.version_info >= (3, 14):
        SNAPSHOT.save(path)
        assert agraph.load(path) == SNAPSHOT
        assert path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    else:
        with pytest.raises(SnapshotError, match="cannot read or write zstd"):
            SNAPSHOT.save(path)


def test_an_unknown_suffix_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(SnapshotError, match="suffix") as caught:
        SNAPSHOT.save(tmp_path / "s.txt")
    assert ".json.gz" in caught.value.help
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "s.json"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        SNAPSHOT.save(path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("s.json", "old")]


def damaged(change):
    document = copy.deepcopy(SNAPSHOT.to_dict())
    change(document)
    return document


DAMAGE = [
    (lambda d: d.update(format="x"), "$", "no agraph snapshot"),
    (lambda d: d.update(version=9), "$.version", "written by agraph 0.1.0"),
    (lambda d: d.pop("nodes"), "$", "expected the object `nodes`"),
    (lambda d: d.update(edges={}), "$.edges", "expected a list"),
    (lambda d: d["process"].update(pid="7"), "$.process.pid", "a whole number, got '7'"),
    (lambda d: d["capture"].update(errors=[1]), "$.capture.errors[0]", "a string"),
    (lambda d: d["sites"].append(["a", "b"]), "$.sites[2]", "[file, function, line]"),
    (lambda d: d["stacks"].append([0, 7]), "$.stacks[2][1]", "index into `sites`"),
    (lambda d: d["nodes"].update(nonsense={"id": [9]}), "$.nodes.nonsense", "one of task"),
    (lambda d: d["nodes"]["task"].update(need=[1, None]), "$.nodes.task.need[1]", "whole number, got None"),
    (lambda d: d["nodes"]["task"].update(need=[1, -2]), "$.nodes.task.need[1]", "0 or more, got -2"),
    (lambda d: d["nodes"]["task"].update(need=[1]), "$.nodes.task.need", "2 values"),
    (lambda d: d["nodes"]["task"].update(id=[0, 0]), "$.nodes.task.id[1]", "no other node has"),
    (lambda d: d["nodes"]["task"].update(stack=[0, 5]), "$.nodes.task.stack[1]", "index into `stacks`"),
    (lambda d: d["nodes"]["task"].update(loop=[3, 8]), "$.nodes.task.loop[1]", "id of a node"),
    (
        lambda d: d["nodes"]["lock"].update(detail=[{"x": []}]),
        "$.nodes.lock.detail[0]",
        "strings and numbers",
    ),
    (lambda d: d["edges"][0].update(kind="love"), "$.edges[0].kind", "one of await"),
    (lambda d: d["edges"][0].update(awaited=[77]), "$.edges[0].awaited[0]", "id of a node, got 77"),
    (lambda d: d["edges"][0].update(awaited=[]), "$.edges[0].awaited", "1 values"),
    (lambda d: d["edges"][1].update(site=[9]), "$.edges[1].site[0]", "index into `sites`"),
]


@pytest.mark.parametrize(("change", "path", "words"), DAMAGE, ids=[row[1] for row in DAMAGE])
def test_damage_is_named_by_its_json_path(change, path, words):
    with pytest.raises(SnapshotError) as caught:
        Snapshot.from_dict(damaged(change))
    assert caught.value.path == path
    assert words in str(caught.value)
    assert caught.value.help


def test_fields_of_a_newer_writer_are_skipped():
    document = damaged(lambda d: (d["process"].update(new=1), d["nodes"]["task"].update(new=[1, 2])))
    assert Snapshot.from_dict(document) == SNAPSHOT


def test_every_cut_of_a_file_is_refused_with_one_sentence(tmp_path):
    SNAPSHOT.save(tmp_path / "s.json")
    whole = (tmp_path / "s.json").read_bytes()
    for size in range(len(whole)):
        with pytest.raises(SnapshotError):
            agraph.loads(whole[:size])
    with pytest.raises(SnapshotError, match="cut short: it ends at line 1 column"):
        agraph.loads(whole[: len(whole) // 2])


def test_every_cut_of_a_gzip_file_is_refused(tmp_path):
    SNAPSHOT.save(tmp_path / "s.json.gz")
    whole = (tmp_path / "s.json.gz").read_bytes()
    for size in range(2, len(whole)):
        with pytest.raises(SnapshotError, match="cut short"):
            agraph.loads(whole[:size])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON at line 1 column 1"),
        (b"[1, 2]", "no agraph snapshot"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"[" * 500_000, "no agraph snapshot"),
        (b"\x1f\x8bnonsense and more", "gzip data is damaged"),
    ],
)
def test_foreign_bytes(data, words):
    with pytest.raises(SnapshotError, match=words):
        agraph.loads(data)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr("agraph._internal.files.MAX_BYTES", 1_000_000)
    with pytest.raises(SnapshotError, match="unpacks to more than"):
        agraph.loads(gzip.compress(b" " * 50_000_000))
