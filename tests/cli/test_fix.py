"""`agraph lint --fix` and `--diff`: what is written, and what is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agraph_cli.commands import fixing

# A redundant edge: removing its two calls is a safe fix, whichever Python the project is for.
FIXABLE = """\
import asyncio


async def wait(future):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(future, me)
    try:
        await future
    finally:
        print("done")
        asyncio.future_discard_from_awaited_by(future, me)
"""
FIXED = "".join(line for line in FIXABLE.splitlines(keepends=True) if "_awaited_by" not in line)
UNFIXABLE = """\
import asyncio


async def wait_quietly(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""


def write(name="app.py", text=FIXABLE, newline="\n"):
    Path(name).write_text(text, encoding="utf-8", newline=newline)
    return Path(name)


def test_fix_writes_and_reports_what_is_left(agraph):
    write()
    write("other.py", UNFIXABLE)
    assert agraph("lint --fix").code == 1
    assert Path("app.py").read_text() == FIXED
    assert Path("other.py").read_text() == UNFIXABLE
    assert agraph.out.startswith("other.py:6:5: AG101 ")
    assert agraph.err == "Fixed 1 problem; 1 problem left in 1 of 2 files.\n"


def test_a_second_run_has_nothing_to_do(agraph):
    path = write()
    assert agraph("lint --fix").code == 0
    assert agraph.err == "Fixed 1 problem; none left in 1 file.\n"
    before = path.stat()
    assert agraph("lint --fix").code == 0
    assert agraph.err == "No problems in 1 file.\n"
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_diff_shows_and_writes_nothing(agraph):
    write()
    assert agraph("lint --diff").code == 1
    assert Path("app.py").read_text() == FIXABLE
    agraph.is_golden("lint/diff")
    assert agraph("lint --diff --fix").code == 1
    assert Path("app.py").read_text() == FIXABLE
    assert agraph("lint --diff --exit-zero").code == 0


def test_diff_without_a_fix_is_silent(agraph):
    write(text=UNFIXABLE)
    assert agraph("lint --diff").code == 0
    assert (agraph.out, agraph.err) == ("", "Would fix 0 problems in 0 files.\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_the_diff_applies(agraph, newline, end):
    path = write(text=FIXABLE.rstrip("\n") + end, newline=newline)
    assert agraph("lint --diff -o changes.patch").code == 1
    patch = Path("changes.patch").read_bytes()
    assert agraph("lint --fix").code == 0
    fixed = path.read_bytes()
    write(text=FIXABLE.rstrip("\n") + end, newline=newline)
    subprocess.run(["git", "apply", "-p0", "-"], input=patch, check=True, timeout=60)
    assert path.read_bytes() == fixed


def test_the_diff_of_a_file_with_a_byte_order_mark_applies(agraph):
    text = "\ufeffimport asyncio\n" + FIXABLE.partition("\n\n\n")[2]
    path = write(text=text)
    agraph("lint --diff -o fix.diff")
    subprocess.run(["git", "apply", "-p0", "fix.diff"], check=True)
    assert path.read_text(encoding="utf-8") == "\ufeffimport asyncio\n" + FIXED.partition("\n\n\n")[2]


MOVED = """\
import asyncio
class C:
    async def connect(self):
        if self._r is not None:
            return await self._r
        self._r = asyncio.get_running_loop().create_future()
        await self.open()
        {above}
        self._r.set_result(1){beside}
"""


@pytest.mark.parametrize(
    ("above", "beside"),
    [("# agraph: ignore[AG111] deliberate", ""), ("pass", "  # noqa: AG108"), ("# nothing", "")],
)
def test_a_suppressed_line_is_not_moved(agraph, above, beside):
    write(text=MOVED.format(above=above, beside=beside))
    agraph("lint --select AG109 --fix --unsafe-fixes")
    moved = "            self._r.set_result(1)" in Path("app.py").read_text()
    assert moved is (above == "# nothing")


def test_unsafe_fixes_are_made_only_when_asked_for(agraph, monkeypatch):
    write()
    make_unsafe(monkeypatch)
    assert agraph("lint --fix").code == 1
    assert agraph.err == "Found 1 problem in 1 of 1 file (1 fixable with --fix --unsafe-fixes).\n"
    assert agraph("lint --diff").code == 0
    assert agraph.err == "Would fix 0 problems in 0 files (1 more with --unsafe-fixes).\n"
    assert agraph("lint --diff --unsafe-fixes").code == 1
    assert Path("app.py").read_text() == FIXABLE
    assert agraph("lint --fix --unsafe-fixes").code == 0
    assert Path("app.py").read_text() == FIXED


def make_unsafe(monkeypatch):
    from agraph_static._internal import removals

    fix = removals.Fix
    monkeypatch.setattr(removals, "Fix", lambda _, message, edits: fix("unsafe", message, edits))
    monkeypatch.setenv("AGRAPH_CACHE_DIR", os.devnull)


@pytest.mark.parametrize("comment", ["# agraph: ignore[AG107] why", "# noqa: AG107", "# noqa"])
@pytest.mark.parametrize("place", ["add_to", "discard_from"])
def test_a_suppressed_line_stays(agraph, comment, place):
    lines = [f"{line}  {comment}" if f"_{place}_" in line else line for line in FIXABLE.splitlines()]
    text = "\n".join(lines) + "\n"
    write(text=text)
    agraph("lint --fix")
    assert Path("app.py").read_text() == text


def test_a_comment_above_a_line_suppresses_it_too(agraph):
    text = FIXABLE.replace(
        "        asyncio.future_discard",
        "        # agraph: ignore[AG107] why\n        asyncio.future_discard",
    )
    write(text=text)
    agraph("lint --fix")
    assert Path("app.py").read_text() == text


def test_what_is_ignored_in_a_file_is_not_fixed(agraph):
    write()
    Path("pyproject.toml").write_text('[tool.agraph.lint]\nper-file-ignores = { "app.py" = ["AG107"] }\n')
    assert agraph("lint --fix").code == 0
    assert Path("app.py").read_text() == FIXABLE


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_the_encoding_stays(agraph, encoding):
    head = "# coding: latin-1\n" if encoding == "latin-1" else ""
    text = head + FIXABLE.replace('"done"', '"grün"')
    Path("app.py").write_bytes(text.encode(encoding))
    assert agraph("lint --fix").code == 0
    assert Path("app.py").read_bytes() == (head + FIXED.replace('"done"', '"grün"')).encode(encoding)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_mode_and_the_link_stay(agraph):
    path = write("real.py")
    path.chmod(0o751)
    Path("link.py").symlink_to("real.py")
    assert agraph("lint --fix link.py").code == 0
    assert Path("link.py").is_symlink()
    assert path.read_text() == FIXED
    assert path.stat().st_mode & 0o777 == 0o751


def test_a_file_that_changed_meanwhile_is_not_overwritten(agraph, monkeypatch):
    write()
    carry_out = fixing.carry_out

    def late(planned):
        write(text="x = 1\n")
        return carry_out(planned)

    monkeypatch.setattr(fixing, "carry_out", late)
    assert agraph("lint --fix").code == 2
    assert Path("app.py").read_text() == "x = 1\n"
    assert sorted(path.name for path in Path().iterdir()) == [".agraph_cache", "app.py"]
    assert "error: app.py: not fixed: it changed since it was linted\n" in agraph.err


def test_a_file_that_cannot_be_written_is_an_error_and_the_rest_is_fixed(agraph, monkeypatch):
    write("a.py")
    write("b.py")
    replace = Path.replace

    def refuse(self, target):
        if Path(target).name == "a.py":
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    assert agraph("lint --fix --no-cache").code == 2
    assert (Path("a.py").read_text(), Path("b.py").read_text()) == (FIXABLE, FIXED)
    assert sorted(path.name for path in Path().iterdir()) == ["a.py", "b.py"]
    assert "error: a.py: cannot write the file: Permission denied\n" in agraph.err
    assert agraph.out.startswith("a.py:6:")


def test_standard_input_is_fixed_to_standard_output(agraph):
    assert agraph("lint --fix -", stdin=FIXABLE.encode()).code == 0
    assert agraph.out == FIXED
    assert agraph.err == "Fixed 1 problem; none left in 1 file.\n"
    assert agraph("lint --fix -", stdin=UNFIXABLE.encode()).code == 1
    assert agraph.out == UNFIXABLE
    assert agraph.err.startswith("<stdin>:6:5: AG101 ")
    assert agraph("lint --diff - --stdin-filename app.py", stdin=FIXABLE.encode()).code == 1
    assert agraph.out.startswith("--- app.py\n+++ app.py\n@@ ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lint --diff --format json", "--diff shows changes, not findings"),
        ("lint --diff --statistics", "--diff shows changes, not findings"),
        ("lint --fix - app.py", "--fix and --diff take either - or files"),
    ],
)
def test_what_does_not_go_together(agraph, line, said):
    write()
    assert agraph(line, stdin=FIXABLE.encode()).code == 2
    assert agraph.err.startswith(f"error: {said}\n")
    assert Path("app.py").read_text() == FIXABLE
