"""Runs over many files: the cache, several processes, what is parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agraph_static import LintConfig, LintResult, lint_paths
from agraph_static._internal import pool, run

BAD = """\
import asyncio

async def f(task: asyncio.Task):
    waiter = asyncio.Future()

    def done(task):
        waiter.set_result(None)

    task.add_done_callback(done)
    await waiter
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    for number in range(6):
        (root / f"m{number}.py").write_text(BAD if number % 2 else "x = 1\n", encoding="utf-8")
    (root / "broken.py").write_text("def f(:\n", encoding="utf-8")
    return root


def codes(result: LintResult) -> list[tuple[str, str]]:
    return [(Path(one.path).name, one.code) for one in result.findings]


EXPECTED = [("broken.py", "AG001"), ("m1.py", "AG101"), ("m3.py", "AG101"), ("m5.py", "AG101")]


def test_findings_are_sorted_and_files_counted(project: Path):
    result = lint_paths([project])
    assert codes(result) == EXPECTED
    assert (result.checked, result.skipped, result.failed) == (7, 0, 0)


def test_several_processes_find_the_same(project: Path):
    assert lint_paths([project], jobs=2) == lint_paths([project], jobs=1)


@pytest.mark.parametrize(("python", "native"), [(2, 2), (1, 2)])
def test_with_other_threads_no_process_is_forked(monkeypatch: pytest.MonkeyPatch, python: int, native: int):
    monkeypatch.setattr(threading, "active_count", lambda: python)
    monkeypatch.setattr(pool, "_native_threads", lambda: native)
    assert pool._context().get_start_method() == "spawn"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many threads C code has")
def test_threads_of_c_code_count():
    program = "import faulthandler; from agraph_static._internal.pool import _native_threads as count\n"
    program += "print(count()); faulthandler.dump_traceback_later(100); print(count())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "2"]


def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that runs read from now on."""
    read: list[str] = []
    real = run._Run._read
    monkeypatch.setattr(run._Run, "_read", lambda self, file: read.append(file) or real(self, file))
    return read


def test_the_cache_gives_what_a_run_gives(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache = tmp_path / "cache"
    first = lint_paths([project], cache_dir=cache)
    read = files_read(monkeypatch)
    assert lint_paths([project], cache_dir=cache) == first
    assert read == []
    assert any(one.fix is not None for one in first.findings)


def test_the_cache_sees_a_change_a_touch_and_another_configuration(project: Path, tmp_path: Path):
    cache = tmp_path / "cache"
    lint_paths([project], cache_dir=cache)
    (project / "m1.py").write_text("x = 2\n", encoding="utf-8")
    os.utime(project / "m3.py", (1, 1))
    assert codes(lint_paths([project], cache_dir=cache)) == [one for one in EXPECTED if one[0] != "m1.py"]
    strict = LintConfig(ignore=("AG101",))
    assert codes(lint_paths([project], strict, cache_dir=cache)) == [("broken.py", "AG001")]


SHAPES = {
    "cut": lambda _: "{",
    "a number": lambda _: "1",
    "deep": lambda _: "[" * 200_000,
    "entries that are numbers": lambda old: json.dumps(dict.fromkeys(old, 1)),
    "empty entries": lambda old: json.dumps({key: [] for key in old}),
    "findings that are numbers": lambda old: json.dumps({key: [*one[:3], [1]] for key, one in old.items()}),
    "findings without a key": lambda old: json.dumps({key: [*one[:3], [{}]] for key, one in old.items()}),
    "no place": lambda old: json.dumps(old).replace('"line": ', '"lime": '),
    "a place in words": lambda old: json.dumps(old).replace('"line": ', '"line": "x", "y": '),
    "no text": lambda old: json.dumps(old).replace('"code": "AG101"', '"code": 101'),
    "a name instead of notes": lambda old: json.dumps(old).replace('"related": [', '"related": 1, "x": ['),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_broken_cache_is_no_error(project: Path, tmp_path: Path, shape: str):
    cache = tmp_path / "cache"
    lint_paths([project], cache_dir=cache)
    for file in cache.glob("lint-*.json"):
        file.write_text(SHAPES[shape](json.loads(file.read_bytes())), encoding="utf-8")
    assert codes(lint_paths([project], cache_dir=cache)) == EXPECTED
    assert codes(lint_paths([project], cache_dir=cache)) == EXPECTED


def test_an_unwritable_cache_is_no_error(project: Path, tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert codes(lint_paths([project], cache_dir=blocked)) == EXPECTED


def test_the_path_is_given_as_asked_for_also_from_the_cache(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cache = tmp_path / "cache"
    lint_paths([project], cache_dir=cache)
    monkeypatch.chdir(project)
    paths = {one.path for one in lint_paths(["."], cache_dir=cache).findings}
    assert paths == {"broken.py", "m1.py", "m3.py", "m5.py"}


def test_a_big_tree_is_not_parsed_where_nothing_can_be_found(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "PARSE_ALL_BYTES", 3)
    result = lint_paths([project])
    assert codes(result) == EXPECTED[1:]
    assert "4 files" in result.notes[0]
    assert codes(lint_paths([project / "broken.py"])) == EXPECTED[:1]


def test_what_was_not_parsed_is_not_remembered_as_clean(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cache, broken = tmp_path / "cache", project / "broken.py"
    monkeypatch.setattr(run, "PARSE_ALL_BYTES", 3)
    first = lint_paths([project], cache_dir=cache)
    read = files_read(monkeypatch)
    assert lint_paths([project], cache_dir=cache) == first
    assert read == []
    assert codes(lint_paths([broken], cache_dir=cache)) == EXPECTED[:1]
    assert codes(lint_paths([project], cache_dir=cache)) == EXPECTED
    broken.write_text("def g(:\n", encoding="utf-8")
    assert codes(lint_paths([project], cache_dir=cache)) == EXPECTED[1:]
    monkeypatch.setattr(run, "PARSE_ALL_BYTES", 3_000)
    assert codes(lint_paths([project], cache_dir=cache)) == EXPECTED


def test_a_file_that_vanishes_under_the_run(project: Path, monkeypatch: pytest.MonkeyPatch):
    real = pool.lint_file

    def vanish(file, config):
        (project / "m1.py").unlink(missing_ok=True)
        return real(file, config)

    monkeypatch.setattr(pool, "lint_file", vanish)
    result = lint_paths([project])
    assert [Path(one.path).name for one in result.errors] == ["m1.py"]
    assert codes(result) == [one for one in EXPECTED if one[0] != "m1.py"]
