"""Fixes leave a program as it was: what runs once runs once, names mean what they meant, needed edges stay."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agraph_static import Finding, apply_fixes, lint_source

if TYPE_CHECKING:
    from pathlib import Path

ONE = """\
async def one(t):
    w = asyncio.get_running_loop().create_future()
    def cb(_):
        if not w.done():
            w.set_result(None)
    t.add_done_callback(cb)
    try:
        await w
    finally:
        t.remove_done_callback(cb)
async def main():
    await one(asyncio.create_task(asyncio.sleep(0)))
    print("done")
"""
RUN = "asyncio.run(main())\n"
FROM = "from asyncio import create_task, get_running_loop, sleep, run\n"


def bare(text: str) -> str:
    return text.replace("asyncio.", "")


def fixed(text: str, *, unsafe: bool = True) -> str:
    return apply_fixes(text, lint_source(text), unsafe)


def run(text: str, folder: Path) -> str:
    file = folder / "program.py"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, str(file)], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


PROGRAMS = {
    "an import at the end": f"import asyncio\n{ONE}{RUN}from os import path\n",
    "no import at the top": f"if True:\n    import asyncio\n{ONE}{RUN}",
    "an import that can fail": f"try:\n    import asyncio\nexcept ImportError:\n    asyncio = None\n{ONE}{RUN}",
    "a comment that names the shim": f"import asyncio\n# _awaited_by_add is what agraph inserts\n{ONE}{RUN}",
    "only for types": (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
        f"{FROM}if TYPE_CHECKING:\n    import asyncio\n{bare(ONE)}{bare(RUN)}"
    ),
    "only in a function": f"{FROM}{bare(ONE)}    import asyncio\n{bare(RUN)}",
    "another asyncio": f"{FROM}from mylib import asyncio\n{bare(ONE)}    print(asyncio)\n{bare(RUN)}",
    "another asyncio in a function": f"{FROM}def g(asyncio=1): return asyncio\n{bare(ONE)}{bare(RUN)}",
    "names between the imports": f"'''Doc.'''\n__all__ = []\n\nimport asyncio\n{ONE}{RUN}",
    "two on a line": f"import asyncio; import os\n{ONE}{RUN}",
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_what_the_fix_needs_is_there_when_it_runs(tmp_path: Path, kind: str):
    (tmp_path / "mylib.py").write_text("asyncio = 'mine'\n", encoding="utf-8")
    before = PROGRAMS[kind]
    after = fixed(before, unsafe=False)
    assert after.count("_awaited_by_add(t, _waiter_task)") == 1
    assert run(after, tmp_path) == run(before, tmp_path)
    assert fixed(after) == after


def test_the_first_lines_stay_the_first():
    head = "#!/usr/bin/env python3\n# -*- coding: latin-1 -*-\n# License\n"
    after = fixed(f"{head}def f(): pass\nimport asyncio\n{ONE}{RUN}")
    assert after.startswith(f"{head}try:\n    from asyncio")


def test_a_name_of_the_shim_that_is_taken_leaves_no_fix():
    text = f"import asyncio\n_awaited_by_add = print\n{ONE}{RUN}"
    assert fixed(text) == text


TWICE = """\
import asyncio
N = 0
async def job():
    global N
    N += 1
async def main():
    w = asyncio.get_running_loop().create_future()
    def cb(_):
        w.set_result(None)
    tasks = [asyncio.create_task(job()) for _ in range(3)]
    last = tasks[-1]
    {receiver}.add_done_callback(cb)
    try:
        await w
    finally:
        {other}.remove_done_callback(cb)
    print(N, len(tasks))
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("receiver", "other"),
    [
        ("asyncio.create_task(job())", "last"),
        ("tasks.pop()", "last"),
        ("tasks[len([tasks.pop()])]", "last"),
        ("last", "(tasks.pop() and last)"),
        ("tasks[-1]", "tasks[-1]"),
    ],
)
def test_what_does_something_is_not_written_twice(tmp_path: Path, receiver: str, other: str):
    before = TWICE.format(receiver=receiver, other=other)
    assert run(fixed(before), tmp_path) == run(before, tmp_path)
    plain = receiver == other
    assert (fixed(before, unsafe=False) != before) is plain


def test_a_long_name_is_written_in_full():
    name = "task_" + "x" * 80
    after = fixed(f"import asyncio\n{ONE.replace('(t)', f'({name})').replace('    t.', f'    {name}.')}")
    assert f"_awaited_by_add({name}, _waiter_task)" in after


BOTH = """\
import asyncio
async def both(a, b):
    w = asyncio.get_running_loop().create_future()
    def cb(t):
        if not w.done():
            w.set_result(t)
    ta = asyncio.create_task(a)
    tb = asyncio.create_task(b)
    ta.add_done_callback(cb)
    {second}
    try:
        await w
    finally:
        ta.remove_done_callback(cb)
        tb.remove_done_callback(cb)
"""


def test_each_task_with_the_callback_gets_its_edge():
    after = fixed(BOTH.format(second="tb.add_done_callback(cb)"), unsafe=False)
    assert [after.count(f"_awaited_by_add({one}, _waiter_task)") for one in ("ta", "tb")] == [1, 1]
    assert [after.count(f"_awaited_by_discard({one}, _waiter_task)") for one in ("ta", "tb")] == [1, 1]


@pytest.mark.parametrize(
    "second",
    ["tb.add_done_callback(lambda t: w.set_result(t))", "[one.add_done_callback(cb) for one in (tb,)]"],
)
def test_no_half_of_a_fix(second: str):
    text = BOTH.format(second=second)
    assert [one.code for one in lint_source(text)] == ["AG101"]
    assert fixed(text) == text


EDGE = """\
import asyncio
async def f(fut, futs, parent, it, lock):
    me = asyncio.current_task()
    {add}
    try:
        {wait}
    finally:
        asyncio.future_discard_from_awaited_by(fut, me)
"""
ADD = "asyncio.future_add_to_awaited_by(fut, me)"


def redundant(text: str) -> list[Finding]:
    return [one for one in lint_source(text) if one.code == "AG107"]


@pytest.mark.parametrize(
    ("add", "wait"),
    [
        ("for fut in futs: " + ADD, "for fut in futs: await fut"),
        (ADD, "return [await fut for one in futs]"),
        (ADD.replace("me", "parent"), "await fut"),
        ("me = parent; " + ADD, "await fut"),
        (ADD, "async for x in it: print(x)\n        await fut"),
        (ADD, "async with lock: await fut"),
        (ADD, "x = [x async for x in it]; await fut"),
        (ADD, "yield 1; await fut"),
        (ADD, "await lock.acquire(); await fut"),
    ],
)
def test_an_edge_that_is_needed_is_not_redundant(add: str, wait: str):
    assert redundant(EDGE.format(add=add, wait=wait)) == []


@pytest.mark.parametrize("wait", ["await fut", "return await fut", "print([x for x in it]); await fut"])
def test_an_edge_that_the_await_records_is(wait: str):
    assert len(redundant(EDGE.format(add=ADD, wait=wait))) == 1


def test_a_block_that_is_emptied_keeps_a_statement():
    text = EDGE.format(add=ADD, wait="await fut")
    last = text.splitlines(keepends=True)[-1]
    after = fixed(text + last + last)
    assert after.endswith("    finally:\n        pass\n")
    assert "awaited_by" not in after


@pytest.mark.skipif(sys.version_info < (3, 14), reason="t-strings are of Python 3.14")
def test_the_content_of_a_template_stays():
    text = '''\
import asyncio
class Conn:
    async def connect(self):
        if self._ready is not None:
            return await self._ready
        self._ready = asyncio.get_running_loop().create_future()
        conn = await self.open(t"""
a""")
        self._ready.set_result(conn)
'''
    assert 't"""\na"""' in fixed(text)


def test_a_shared_future_is_stored_where_it_was():
    text = """\
import asyncio
class Conn:
    async def connect(self):
        if self.table()[1] is not None:
            return await self.table()[1]
        self.table()[1] = asyncio.get_running_loop().create_future()
        await self.open()
        self.table()[1].set_result(1)
"""
    assert fixed(text).count("self.table()") == text.count("self.table()")
