"""Big and hostile files: a finding or a clear message each, the rest of the run goes on, memory is bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agraph_static import LintResult, lint_paths, lint_source
from agraph_static._internal import pool, run

BAD = """\
import asyncio

async def f(task: asyncio.Task):
    waiter = asyncio.Future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""


def codes(result: LintResult) -> list[tuple[str, str]]:
    return [(Path(one.path).name, one.code) for one in result.findings]


def test_one_folder_of_everything(tmp_path: Path):
    nested = "".join(" " * depth + "def f():\n" for depth in range(2000)) + " " * 2000 + "pass\n"
    (tmp_path / "nested.py").write_text("import asyncio  # add_done_callback set_result await\n" + nested)
    (tmp_path / "latin.py").write_bytes(b"# await create_future set_result \xe9\n")
    (tmp_path / "unknown.py").write_bytes(b"# coding: no-such-thing\n# await Future( set_result\n")
    (tmp_path / "nul.py").write_bytes(b"async def f():\n    await create_future()\0.set_result\n")
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "itself.py").symlink_to(tmp_path / "itself.py")
    (tmp_path / "z.py").write_text(BAD, encoding="utf-8")
    result = lint_paths([tmp_path])
    assert codes(result) == [
        ("latin.py", "AG001"),
        ("nested.py", "AG001"),
        ("nul.py", "AG001"),
        ("unknown.py", "AG001"),
        ("z.py", "AG101"),
    ]
    assert result.errors == ()
    assert result.notes == (f"skipped {tmp_path / 'gone.py'}: the link leads to no file",)
    assert (result.checked, result.skipped, result.failed) == (6, 1, 0)


def test_ten_megabytes_are_left_out_with_a_word(tmp_path: Path):
    big = tmp_path / "generated.py"
    big.write_text(BAD + "".join(f"VALUE_{number} = {number}\n" for number in range(470_000)))
    assert big.stat().st_size > 10_000_000
    (tmp_path / "z.py").write_text(BAD, encoding="utf-8")
    result = lint_paths([tmp_path])
    assert codes(result) == [("z.py", "AG101")]
    assert (result.checked, result.skipped, result.failed) == (1, 1, 0)
    (note,) = result.notes
    assert note.endswith("generated.py: 10.1 MB are more than the 3 MB that are linted")
    named = lint_paths([big, tmp_path / "z.py"])
    assert codes(named) == [("z.py", "AG101")]
    assert [one.message for one in named.errors] == [
        "too big: 10.1 MB are more than the 3 MB that are linted"
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is counted in other units")
def test_tables_of_constants_cost_no_libcst_tree():
    """A file of 1.4 MB that is a table but for one function; without help, libcst takes 700 MB for it."""
    program = """\
import re, sys
from agraph_static import lint_source
table = "".join(f"    ({number}, 'name', None),\\n" for number in range(50_000))
values = "".join(f"VALUE_{number} = -{number}\\n" for number in range(10_000))
text = sys.argv[1] + "TABLE = [\\n" + table + "]\\n" + values + sys.argv[1].replace("def f", "def g")
for one in lint_source(text):
    print(one.code, one.function, one.span.line)
# Not `ru_maxrss`: that begins with the memory of the process that started this one.
print(int(re.search("VmHWM:[ \\t]+([0-9]+)", open("/proc/self/status").read())[1]) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program, BAD], capture_output=True, text=True, check=True)
    *found, megabytes = done.stdout.splitlines()
    assert found == ["AG101 f 5", "AG101 g 60013"]
    assert int(megabytes) < 400


def test_a_name_that_is_none_at_first_is_no_table():
    shared = "_ready = None\n" + "DATA = (" + "1, " * 200_000 + ")\n"
    text = (
        shared
        + """\
import asyncio

async def ready(work):
    global _ready
    if _ready is not None:
        return await _ready
    _ready = asyncio.get_running_loop().create_future()
    try:
        await work()
    finally:
        _ready.set_result(None)
"""
    )
    assert [(one.code, one.function) for one in lint_source(text)] == [("AG108", "ready")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_changes_under_the_run_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
):
    project, cache = tmp_path / "project", tmp_path / "cache"
    project.mkdir()
    for name in ("a.py", "b.py"):
        (project / name).write_text("x = 1  # await create_future set_result\n", encoding="utf-8")
    real = pool.Pool.outcomes

    def outcomes_of_what_was(self):
        found = list(real(self))
        (project / "a.py").write_text(BAD, encoding="utf-8")
        os.utime(project / "a.py", ns=(1, 1))
        return found

    monkeypatch.setattr(pool.Pool, "outcomes", outcomes_of_what_was)
    assert codes(lint_paths([project], jobs=jobs, cache_dir=cache)) == []
    monkeypatch.setattr(pool.Pool, "outcomes", real)
    assert codes(lint_paths([project], jobs=jobs, cache_dir=cache)) == [("a.py", "AG101")]
    read: list[str] = []
    monkeypatch.setattr(run._Run, "_read", lambda self, file: read.append(file))
    assert codes(lint_paths([project], jobs=jobs, cache_dir=cache)) == [("a.py", "AG101")]
    assert read == []
