"""Which snapshots a command line names: folders, links, URLs."""

import json
import sys
from pathlib import Path

import pytest
from made import bank


def paths(agraph, line):
    agraph(f"analyze {line} --format json")
    document = json.loads(agraph.out)
    return [row["path"] for row in document["snapshots"]], document["errors"]


def test_one_file_by_two_names_is_read_once(agraph):
    bank().save("a.json")
    Path("link.json").symlink_to("a.json")
    assert paths(agraph, "a.json ./a.json link.json") == (["a.json"], [])


def test_hidden_folders_are_not_searched(agraph):
    for name in (".git", "seen", "seen/.cache"):
        Path(name).mkdir()
        bank().save(f"{name}/s.json")
    bank().save(".hidden.json")
    assert paths(agraph, ".") == (["./seen/s.json"], [])
    assert paths(agraph, ".git") == ([".git/s.json"], [])  # asked for by name


def test_lines_are_read_like_any_other(agraph):
    Path("folder").mkdir()
    bank().save("folder/a.jsonl")
    bank().save("folder/b.jsonl.gz")
    assert paths(agraph, "folder") == (["folder/a.jsonl", "folder/b.jsonl.gz"], [])
    assert agraph("analyze -", stdin=Path("folder/a.jsonl").read_bytes()).code == 1
    assert agraph.out.startswith("Deadlock: transfer-1 and transfer-2")


class TestUrls:
    """What fsspec reads."""

    @pytest.fixture
    def bucket(self, tmp_path):
        fsspec = pytest.importorskip("fsspec")
        memory = fsspec.filesystem("memory")
        bank().save(tmp_path / "s.json.gz")
        for name in ("b.json.gz", "a.json.gz", "deep/c.json.gz", ".hidden/d.json.gz", "readme.txt"):
            memory.pipe(f"/bucket/{name}", (tmp_path / "s.json.gz").read_bytes())
        memory.pipe("/bucket/bad.json", b"{}")
        yield "memory://bucket"
        memory.rm("/bucket", recursive=True)

    def test_a_file(self, agraph, bucket):
        assert paths(agraph, f"{bucket}/a.json.gz {bucket}/a.json.gz") == ([f"{bucket}/a.json.gz"], [])

    def test_a_folder_and_a_pattern(self, agraph, bucket):
        found, errors = paths(agraph, bucket)
        assert [path.rpartition("bucket/")[2] for path in found] == [
            "a.json.gz",
            "b.json.gz",
            "deep/c.json.gz",
        ]
        assert all(path.startswith("memory://") for path in found)
        assert ["no agraph snapshot" in error["message"] for error in errors] == [True]
        found, errors = paths(agraph, f"'{bucket}/?.json.gz'")
        assert [path.rpartition("bucket/")[2] for path in found] == ["a.json.gz", "b.json.gz"]
        assert errors == []

    def test_a_file_of_this_machine(self, agraph, tmp_path):
        pytest.importorskip("fsspec")
        bank().save("s.jsonl")
        assert paths(agraph, f"file://{tmp_path}/s.jsonl") == ([f"file://{tmp_path}/s.jsonl"], [])

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("memory://bucket/none.json", "no such file or folder"),
            ("memory://bucket/*.none", "no file matches this pattern"),
            ("alien://bucket/s.json", "cannot read it: "),
        ],
    )
    def test_what_cannot_be_read_is_told_and_the_rest_is_read(self, agraph, bucket, url, words):
        found, (error,) = paths(agraph, f"'{url}' {bucket}/a.json.gz")
        assert found == [f"{bucket}/a.json.gz"]
        assert error["path"] == url
        assert words in error["message"]
        assert agraph.code == 2

    def test_without_fsspec(self, agraph, monkeypatch):
        for name in ("fsspec", "fsspec.core"):
            monkeypatch.setitem(sys.modules, name, None)
        assert agraph("analyze s3://bucket/s.json").code == 2
        assert agraph.err.startswith("error: s3://bucket/s.json: cannot read URLs: fsspec is not installed\n")
        assert "hint: pip install 'agraph-cli[s3]'" in agraph.err
