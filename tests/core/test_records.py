"""Snapshots as lines of JSON: header, records, end."""

import gzip
import json
import sys

import pytest
from made import bank

import agraph
from agraph import SnapshotError


def lines_of(snapshot, folder):
    snapshot.save(folder / "s.jsonl")
    return (folder / "s.jsonl").read_bytes().splitlines(keepends=True)


SUFFIXES = [".jsonl", ".jsonl.gz", *([".jsonl.zst"] if sys.version_info >= (3, 14) else [])]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_save_and_load(tmp_path, suffix):
    bank().save(tmp_path / f"s{suffix}")
    again = agraph.load(tmp_path / f"s{suffix}")
    bank().save(tmp_path / "s.json")
    assert again == agraph.load(tmp_path / "s.json")
    assert agraph.loads((tmp_path / f"s{suffix}").read_bytes()) == again


def test_every_line_is_json_and_says_what_it_is(tmp_path):
    first, *records, last = map(json.loads, lines_of(bank(), tmp_path))
    assert (first["format"], first["version"], first["layout"]) == ("agraph-snapshot", 1, "records")
    assert [name for name in ("site", "stack", "node", "edge") for row in records if name in row] == [
        next(iter(row)) for row in records
    ]
    assert last == {"end": len(records)}
    assert [row["node"]["name"] for row in records if row.get("node", {}).get("kind") == "task"] == [
        node.name for node in bank().tasks
    ]


def test_every_cut_is_refused(tmp_path):
    whole = b"".join(lines_of(bank(), tmp_path))
    header = whole.index(b"\n") + 1
    for size in range(header, len(whole) - 2):
        with pytest.raises(SnapshotError, match=r"cut short: line \d+ is its last"):
            agraph.loads(whole[:size])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"nonsense\n", "line 3 is not JSON"),
        (b"[]\n", "line 3 is no record: expected an object of one of site, stack, node, edge or end"),
        (b'{"love":{}}\n', "line 3 is no record"),
        (b'{"node":[]}\n', "line 3 is no record"),
        (b'{"end":7}\n', "line 3 says that there are "),
        (b'{"node":{"kind":"task"}}\n', "expected a whole number, got None"),
        (b'{"node":{"kind":"alien","id":99}}\n', "expected one of task, "),
        (b'{"edge":{"kind":"await","waiter":0,"awaited":99}}\n', "expected the id of a node, got 99"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, words):
    first, second, *rest, _ = lines_of(bank(), tmp_path)
    end = b'{"end":%d}' % (len(rest) + 2)
    with pytest.raises(SnapshotError, match=words):
        agraph.loads(b"".join([first, second, line, *rest, end]))


def test_two_in_one_file_are_refused(tmp_path):
    whole = b"".join(lines_of(bank(), tmp_path))
    with pytest.raises(SnapshotError, match="more follows the snapshot, at line "):
        agraph.loads(gzip.compress(whole) + gzip.compress(whole))


def test_fields_of_a_newer_writer_are_skipped(tmp_path):
    text = b"".join(lines_of(bank(), tmp_path))
    assert agraph.loads(text.replace(b'{"node":{', b'{"node":{"new":1,')) == agraph.loads(text)


def test_a_surrogate_survives(tmp_path):
    odd = agraph.Snapshot(
        agraph.Process(), agraph.Capture(), nodes=(agraph.Node(0, "task", "a\ud800\u2028b"),)
    )
    odd.save(tmp_path / "s.jsonl")
    assert agraph.load(tmp_path / "s.jsonl").nodes == odd.nodes
