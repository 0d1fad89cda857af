"""Foreign and damaged files: exit code 2, one message that says where, and what else was given is analysed."""

import copy
import gzip
import json
import sys
from pathlib import Path

import pytest
from made import bank

import agraph
import agraph.reduction
from agraph_cli.analysis import decoder

OLD = Path(__file__).resolve().parents[1] / "golden" / "snapshots" / "version-1.json"
MADE = bank().to_dict()


def damaged(*path, value=..., drop=False):
    """A snapshot with one value of its document changed or removed."""
    document = copy.deepcopy(MADE)
    place = document
    for step in path[:-1]:
        place = place[step]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(document).encode()


def nested(levels, opening=b"[", closing=b"]"):
    return opening * levels + closing * levels


WHOLE = json.dumps(MADE).encode()
DEEP = b'{"format":"agraph-snapshot","version":1,"process":' + nested(300_000, b'{"a":', b"}") + b"}"

BAD = {
    "truncated": (WHOLE[:900], "cut short: it ends at line 1 column"),
    "truncated_in_a_word": (WHOLE[:-2], "cut short: it ends at line 1 column"),
    "wrong_type": (damaged("nodes", "task", "need", value="all"), "at $.nodes.task.need: expected a list, got 'all'"),
    "wrong_type_of_one": (damaged("nodes", "task", "need", value=[1, "1", 1, 1]), "at $.nodes.task.need[1]: expected a whole number"),
    "wrong_version": (damaged("version", value=2), "at $.version: "),
    "no_version": (damaged("version", drop=True), "at $.version: "),
    "wrong_format": (damaged("format", value="har"), "this is no agraph snapshot"),
    "dangling_waiter": (damaged("edges", 0, "waiter", value=[0, 77]), "at $.edges[0].waiter[1]: expected the id of a node, got 77"),
    "dangling_loop": (damaged("nodes", "task", "loop", value=[6, 6, 77, 6]), "at $.nodes.task.loop[2]: expected the id of a node, got 77"),
    "dangling_stack": (damaged("stacks", 0, value=[3, 99]), "at $.stacks[0][1]: expected an index into `sites`"),
    "duplicate_id": (damaged("nodes", "lock", "id", value=[2, 2]), "at $.nodes.lock.id[1]: expected an id that no other node has, got 2"),
    "duplicate_id_of_two_kinds": (damaged("nodes", "lock", "id", value=[2, 0]), ": expected an id that no other node has, got "),
    "negative_need": (damaged("nodes", "task", "need", value=[1, 1, -3, 1]), "at $.nodes.task.need[2]: expected 0 or more, got -3"),
    "missing_edges": (damaged("edges", drop=True), "at $: expected the list `edges`"),
    "nested": (nested(300_000), "nested too deeply"),
    "nested_inside": (DEEP, "nested too deeply"),
    "nested_in_gzip": (gzip.compress(b"[" * 30_000_000), "does not begin with {"),
    "not_utf8": (WHOLE[:100] + b"\xff\xfe" + WHOLE[100:], "not UTF-8 at byte 100"),
    "utf16": (WHOLE.decode().encode("utf-16"), "not UTF-8 at byte 0"),
    "long_number": (WHOLE.replace(b'"pid": 4711', b'"pid": ' + b"9" * 5000), "this is no agraph snapshot: Exceeds the limit"),
    "not_json": (b"<html></html>", "not JSON at line 1 column 1"),
    "nothing": (b"", "the file is empty"),
    "nan": (damaged("capture", "start", value=float("nan")), "NaN is no number of JSON"),
    "infinity": (damaged("capture", "end", value=float("inf")), "Infinity is no number of JSON"),
    "no_float": (damaged("nodes", "task", "since", value=[1, 10**400, 1, 1]), "at $.nodes.task.since[1]: expected a finite number"),
    "no_float_in_the_capture": (damaged("capture", "pause_ms", value=12345).replace(b"12345", b"1e400"), "at $.capture.pause_ms: expected a finite number"),
    "a_forged_message": (damaged("version", value=2).replace(b'"agraph": "', b'"agraph": "1\\nerror: bad.json: forged\\n'), "at $.version: "),
    "two_in_one": (WHOLE * 2, "more follows the snapshot, at line 1 column"),
    "a_list": (b"[]", "at $: this is no agraph snapshot"),
    "damaged_gzip": (gzip.compress(WHOLE)[:20] + b"x" * 900, "the gzip data is damaged"),
    "truncated_gzip": (gzip.compress(WHOLE)[:-12], "the gzip data is cut short"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_one_bad_file_among_good_ones(agraph, name):
    data, words = BAD[name]
    Path("bad.json").write_bytes(data)
    bank().save("good.json")
    refused(agraph, words)


def refused(agraph, words):
    """Whether `bad.json` is refused with one sentence, and `good.json` reported, in each format."""
    assert agraph("analyze bad.json good.json").code == 2
    assert agraph.out.startswith("Deadlock: transfer-1 and transfer-2")
    errors = [line for line in agraph.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: bad.json: ")
    assert words in errors[0]
    assert len(errors[0]) < 250
    assert "bug" not in agraph.err
    assert agraph("analyze bad.json good.json --format json").code == 2
    document = json.loads(agraph.out)
    assert [error["path"] for error in document["errors"]] == ["bad.json"]
    assert words in document["errors"][0]["message"]
    assert document["verdict"] == "certain"


@pytest.fixture
def small_limit(monkeypatch):
    """As if a snapshot could have no more than 1 MB, so that bombs need not be of many gigabytes."""
    monkeypatch.setattr("agraph._internal.unpack.MAX_BYTES", 1_000_000)


def test_a_file_that_does_not_fit_into_memory(agraph, monkeypatch):
    bank().save("good.json")
    Path("bad.json").write_bytes(WHOLE)
    typed = decoder.typed

    def too_large(size):
        if size == len(WHOLE):
            raise MemoryError
        return typed(size)

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "typed", too_large)
        assert agraph("analyze bad.json good.json").code == 2
    assert "error: bad.json: it does not fit into memory" in agraph.err
    assert agraph.out.startswith("Deadlock: ")


@pytest.mark.usefixtures("small_limit")
def test_a_bomb_of_gzip(agraph):
    bank().save("good.json")
    Path("bad.json").write_bytes(gzip.compress(b" " * 20_000_000))
    refused(agraph, "unpacks to more than")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="Python 3.14 brought zstd")
class TestZstd:
    """The same of `.zst`."""

    @staticmethod
    def compressed(data):
        from compression import zstd

        return zstd.compress(data)

    @pytest.mark.usefixtures("small_limit")
    def test_a_bomb(self, agraph):
        bank().save("good.json")
        Path("bad.json").write_bytes(self.compressed(b" " * 20_000_000))
        refused(agraph, "unpacks to more than")

    def test_nesting(self, agraph):
        bank().save("good.json")
        Path("bad.json").write_bytes(self.compressed(b"[" * 30_000_000))
        refused(agraph, "does not begin with {")

    def test_truncated(self, agraph):
        bank().save("good.json")
        Path("bad.json").write_bytes(self.compressed(WHOLE)[:-20])
        refused(agraph, "the zstd data is cut short")

    def test_damaged(self, agraph):
        bank().save("good.json")
        Path("bad.json").write_bytes(self.compressed(WHOLE)[:6] + b"x" * 200)
        refused(agraph, "the zstd data is damaged")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads zstd")
def test_zstd_for_a_python_that_cannot_read_it(agraph):
    bank().save("good.json")
    Path("bad.json").write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 50)
    refused(agraph, "this Python cannot read or write zstd")


@pytest.mark.parametrize("moment", [1e300, -1e300])
def test_times_out_of_this_world(agraph, moment):
    document = copy.deepcopy(MADE)
    document["capture"].update(start=moment, end=moment)
    Path("odd.json").write_text(json.dumps(document))
    assert agraph("analyze odd.json").code == 1
    assert "at an unknown time" in agraph.out


def test_who_needs_more_than_the_file_names_is_possibly_stuck(agraph):
    Path("odd.json").write_bytes(damaged("nodes", "task", "need", value=[5, 1, 1, 1]))
    assert agraph("analyze odd.json --fail-on possible").code == 1
    assert agraph.out.startswith("Possible deadlock: ")
    assert "needs 5 things and the snapshot names 1: no other comes" in agraph.out


def test_an_old_snapshot_stays_readable(agraph):
    """A file as the first version wrote it: a real capture, only its paths and its host are changed."""
    agraph("analyze -", stdin=OLD.read_bytes()).is_golden("many/version_1")
    assert agraph.code == 1


OPTIONAL = {
    "process": ["host", "boot_id", "started", "argv0", "implementation"],
    "capture": ["pause_ms", "thread", "moved", "cut", "errors", "unknown"],
}


def test_a_snapshot_without_the_optional_fields_stays_readable():
    document = json.loads(OLD.read_text())
    for part, names in OPTIONAL.items():
        for name in names:
            del document[part][name]
    for kind, columns in document["nodes"].items():
        document["nodes"][kind] = {
            name: column
            for name, column in columns.items()
            if name in {"id", "name", "need", "loop", "timer", "open"}
        }
    for group in document["edges"]:
        group.pop("site", None)
    del document["agraph"]
    bare, whole = agraph.Snapshot.from_dict(document), agraph.load(OLD)
    assert [(node.id, node.name, node.need) for node in bare.nodes] == [
        (node.id, node.name, node.need) for node in whole.nodes
    ]
    assert len(bare.edges) == len(whole.edges)
    assert agraph.reduction.judge(bare).verdict == agraph.reduction.judge(whole).verdict == "certain"
