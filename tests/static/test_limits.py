"""What is valid Python and still too much for libcst, for the rules or for a process: one file never ends a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import libcst
import pytest

from agraph_static import all_rules, lint_paths, lint_source

BAD = """\
import asyncio

async def f(task: asyncio.Task):
    waiter = asyncio.Future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""

NESTED = {
    "and": "x = " + "a and " * 12_000 + "a\n",
    "and in a call": "print(" + "a or " * 12_000 + "a)\n",
    "import": "import a" + ".b" * 12_000 + "\n",
    "from": "from a" + ".b" * 12_000 + " import c\n",
    "comprehension": "x = [a " + "for a in b " * 12_000 + "]\n",
    "strings": "x = (" + '"a" ' * 20_000 + ")\n",
    "strings with fields": "x = (" + 'f"{a}" ' * 20_000 + ")\n",
}


@pytest.mark.parametrize("kind", NESTED)
def test_the_rest_of_a_file_is_linted(tmp_path: Path, kind: str):
    """In a process of its own: libcst overflows the stack."""
    (tmp_path / "a.py").write_text(BAD + NESTED[kind], encoding="utf-8")
    code = "import sys; from agraph_static import lint_paths; [print(one.code) for one in lint_paths(sys.argv[1:]).findings]"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["AG101"], "")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="t-strings are of Python 3.14")
def test_what_libcst_takes_for_an_error_in_itself():
    text = BAD.replace("Task", "Task, größe") + 'x = t"a" t"b"\n'
    (finding,) = lint_source(text)
    assert (finding.code, finding.span.line, finding.fix) == ("AG101", 5, None)
    fixable = next(rule.bad for rule in all_rules() if rule.code == "AG107")[0]
    assert lint_source(fixable)[0].fix is not None
    (finding,) = lint_source(fixable + 'x = t"a" t"b"\n')
    assert finding.fix is None
    assert "cannot read this file, so there is no fix" in finding.notes[-1]


def test_columns_count_characters_where_libcst_cannot_read(monkeypatch: pytest.MonkeyPatch):
    def fail(_text: str) -> None:
        raise libcst.CSTLogicError("Logic error!")

    text = BAD.replace("task.add", 'x = "größe"; task.add')
    (expected,) = lint_source(text)
    monkeypatch.setattr(libcst, "parse_module", fail)
    (finding,) = lint_source(text)
    assert (finding.code, finding.span) == (expected.code, expected.span)


@pytest.mark.parametrize("coding", ["hex", "rot13", "undefined", "zlib", "punycode", "no-such-thing"])
def test_codings_that_decode_no_source(tmp_path: Path, coding: str):
    (tmp_path / "a.py").write_bytes(f"# coding: {coding}\n# \xe9\n".encode("latin-1") + BAD.encode())
    (tmp_path / "b.py").write_text(BAD, encoding="utf-8")
    found = [(Path(one.path).name, one.code) for one in lint_paths([tmp_path]).findings]
    assert found == [("a.py", "AG001"), ("b.py", "AG101")]


MANY = {
    "closures": (
        "async def top():\n w = asyncio.get_running_loop().create_future()\n",
        " async def f{0}(t):\n  t.add_done_callback(lambda _: w.set_result(None)); await w\n",
        " await w\n",
    ),
    "tasks": (
        "async def top():\n w = asyncio.get_running_loop().create_future()\n",
        (
            " async def f{0}():\n  t = asyncio.create_task(g())\n"
            "  t.add_done_callback(lambda _: w.set_result(None)); await w\n"
        ),
        " await w\n",
    ),
    "edges": (
        "async def top():\n me = asyncio.current_task()\n",
        " async def f{0}(t):\n  asyncio.future_add_to_awaited_by(t, me)\n  await g()\n",
        "",
    ),
    "flights": (
        "class A:\n def __init__(self):\n  self.all = {}\n",
        (
            " async def f{0}(self, k):\n  if k in self.all: return await self.all[k]\n"
            "  one = self.all[k] = asyncio.get_running_loop().create_future()\n"
            "  await g()\n  one.set_result(1)\n"
        ),
        "",
    ),
    "rebound": (BAD.removeprefix("import asyncio\n") + "def g(a):\n", " a = a.b\n" * 8, ""),
}


@pytest.mark.parametrize("kind", MANY)
def test_a_thousand_of_a_kind_end(kind: str):
    """Each takes a second or two; what grows with the square of the number took minutes."""
    head, one, tail = MANY[kind]
    number = {"closures": 2_000, "flights": 200}.get(kind, 1_000)
    text = "import asyncio\n" + head + "".join(one.format(count) for count in range(number)) + tail
    program = "import sys; from agraph_static import lint_source; print(len(lint_source(sys.stdin.read())))"
    done = subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) >= (0 if kind == "closures" else 1)


def test_a_long_word_is_read_once():
    text = "import asyncio\nasync def f():\n    me = asyncio.current_task()\n    await g(me)\n"
    text += "".join(f"K{one} = '{'a' * 4_000}' # asyncio.current_task()\n" for one in range(50))
    assert lint_source(text) == []


DIES = """\
import multiprocessing, os, sys
from pathlib import Path
from agraph_static import lint_paths
from agraph_static._internal import pool

def die(job, config, lint=pool.lint_file):
    if "killer" in job.file:
        os._exit(9)
    return lint(job, config)

pool.lint_file = die
pool._context = lambda: multiprocessing.get_context("fork")  # so that the processes have what is changed here
result = lint_paths(sys.argv[1:], jobs=2)
print(*(one.code for one in result.findings))
print(*(f"{Path(one.path).name}: {one.message}" for one in result.errors))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_process_that_dies_takes_no_other_file_with_it(tmp_path: Path):
    """In a process of its own, which has no other threads."""
    for number in range(40):
        (tmp_path / f"m{number:02}.py").write_text(BAD + "#" * 9_000, encoding="utf-8")
    (tmp_path / "killer.py").write_text(BAD, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    found, errors = done.stdout.splitlines()
    assert found.split() == ["AG101"] * 40
    assert errors == "killer.py: the process that linted it died"
