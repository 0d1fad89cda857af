"""Snapshots survive JSON, and damaged ones say where they are damaged."""

import copy
import gzip
import json
import os
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agraph
from agraph import Capture, Edge, Node, Process, Site, Snapshot, SnapshotError
from agraph._internal.triggers.writer import Writer

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


@settings(deadline=None)
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
        "strings and finite numbers",
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
    for size in range(1, len(whole)):
        with pytest.raises(SnapshotError, match=r"cut short: it ends (at line 1 column|inside a character)"):
            agraph.loads(whole[:size])


def test_every_cut_of_a_gzip_file_is_refused(tmp_path):
    SNAPSHOT.save(tmp_path / "s.json.gz")
    whole = (tmp_path / "s.json.gz").read_bytes()
    for size in range(2, len(whole)):
        with pytest.raises(SnapshotError, match="cut short"):
            agraph.loads(whole[:size])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
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
    monkeypatch.setattr("agraph._internal.unpack.MAX_BYTES", 1_000_000)
    with pytest.raises(SnapshotError, match="unpacks to more than"):
        agraph.loads(gzip.compress(b" " * 50_000_000))


def test_a_gzip_bomb_is_given_up_long_before_the_largest_size():
    bomb = gzip.compress(b'{"a":[' + b"1," * 60_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(SnapshotError, match=r"unpacks to more than .* times its size"):
            agraph.loads(bomb)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_what_begins_like_no_snapshot_is_not_unpacked(monkeypatch):
    monkeypatch.setattr("agraph._internal.unpack.MAX_BYTES", 10_000_000)
    with pytest.raises(SnapshotError, match=r"does not begin with \{"):
        agraph.loads(gzip.compress(b"[" * 50_000_000))


def test_all_members_of_a_gzip_file_are_read():
    whole = json.dumps(SNAPSHOT.to_dict()).encode()
    assert agraph.loads(gzip.compress(whole[:100]) + gzip.compress(whole[100:]) + bytes(50)) == SNAPSHOT
    with pytest.raises(SnapshotError, match="more follows the snapshot"):
        agraph.loads(gzip.compress(whole) + gzip.compress(whole))


def test_a_byte_order_mark_is_no_obstacle():
    whole = json.dumps(SNAPSHOT.to_dict()).encode()
    assert agraph.loads(b"\xef\xbb\xbf" + whole) == SNAPSHOT
    assert agraph.loads(gzip.compress(b"\xef\xbb\xbf" + whole)) == SNAPSHOT


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_of_json_are_refused(number):
    text = json.dumps(SNAPSHOT.to_dict()).replace('"started": 1.5', f'"started": {number}')
    with pytest.raises(SnapshotError, match=f"{number} is no number of JSON"):
        agraph.loads(text.encode())


@pytest.mark.parametrize("number", [10**400, float("nan"), float("inf"), 1e305], ids=str)
@pytest.mark.parametrize("column", ["since", "timer"])
def test_times_are_finite(column, number):
    with pytest.raises(SnapshotError, match="expected a finite number or null") as caught:
        Snapshot.from_dict(damaged(lambda d: d["nodes"]["task"].update({column: [1.0, number]})))
    assert caught.value.path == f"$.nodes.task.{column}[1]"


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_what_a_program_counts_to_infinity_survives_a_file(tmp_path, suffix):
    nodes = (
        Node(0, "task", "sleeps for ever", need=1, timer=float("inf")),
        Node(1, "resource", "limiter", since=float("nan"), detail={"limit": float("inf"), "ratio": 0.5}),
    )
    Snapshot(Process(), Capture(), nodes=nodes).save(tmp_path / f"s{suffix}")
    again = agraph.load(tmp_path / f"s{suffix}").nodes
    assert again[0].timer > 1e200
    assert again[1].detail == {"limit": "inf", "ratio": 0.5}


def test_a_long_value_does_not_make_a_long_message():
    for change in (
        lambda d: d.update(version="A" * 100_000),
        lambda d: d.update(version=2, agraph="A" * 100_000),
        lambda d: d.update(version=2, agraph="1\nerror: all is lost"),
        lambda d: d["nodes"]["task"].update(need=["A" * 100_000, 1]),
    ):
        with pytest.raises(SnapshotError) as caught:
            Snapshot.from_dict(damaged(change))
        assert len(str(caught.value)) < 300
        assert "\n" not in str(caught.value)


def test_what_is_missing_is_not_a_word_in_quotes():
    with pytest.raises(SnapshotError, match="expected the object `nodes`, got nothing"):
        Snapshot.from_dict(damaged(lambda d: d.pop("nodes")))


def test_a_link_stays_one(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "real.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    SNAPSHOT.save(link)
    assert link.is_symlink()
    assert agraph.load(target) == SNAPSHOT
    assert [path.name for path in target.parent.iterdir()] == ["real.json"]


def test_a_trigger_follows_no_link_that_was_put_in_its_way(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    writer = Writer(SimpleNamespace(directory=tmp_path / "out", max_files=5))
    monkeypatch.setattr("time.strftime", lambda *_: "20261128T120000Z")
    link = tmp_path / "out" / f"agraph-20261128T120000Z-{os.getpid()}-1.json.gz"
    link.symlink_to(tmp_path / "mine.txt")
    path, _ = writer.write(SNAPSHOT)
    assert agraph.load(path) == SNAPSHOT
    assert not (tmp_path / "mine.txt").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        SNAPSHOT.save(pipe)
        assert agraph.loads(read.result()) == SNAPSHOT
    assert pipe.is_fifo()
