"""The skeleton of a module says what libcst's tree says, at a tenth of the price."""

from __future__ import annotations

import ast
import asyncio
import gc
import sys
from pathlib import Path

import pytest

from agraph_static import Finding, LintConfig, all_rules, lint_source
from agraph_static._internal.engine import run_rules, suspects
from agraph_static._internal.narrow import narrowed
from agraph_static._internal.scopes import Function
from agraph_static._internal.skeleton import skeleton
from agraph_static._internal.tree import children, walk

EVERYTHING = LintConfig(select=("ALL",))

ZOO = """\
from __future__ import annotations
import a.b.c as d, e
from . import f
from ..g import *

@d.decorate(1, *e, key="v", **f)
async def everything(p, /, q: int = 1, *args: str, r, s=None, **kwargs) -> list[int]:
    '''A docstring.'''
    global x, y
    x = y = (1, 2.0, 3j, ..., None, True, b"bytes", "text" "more")
    x: dict[str, int] = {"k": 1, **kwargs}
    x += [*args, *[1]][1:2, ::3]
    del x[0], y.z
    assert p, "why"
    if (n := q) and p or not r:
        pass
    elif p < q <= r:
        raise ValueError from None
    else:
        x = p if q else r
    for i, (j, *k) in args:
        continue
    else:
        x = lambda v, *w, t=1, **u: v
    async for i in p: break
    while p:
        break
    else: x = f"{p!r:>{q}} {r}"
    async with p as q, r(): await q
    with (p as x, y): pass
    try:
        yield p
    except (ValueError, OSError) as error:
        return
    except Exception: x = -p
    else:
        yield
    finally: x = {i async for i in p if i if j for j in i}
    match p:
        case {"k": 1, **rest} if rest: x = [i for i in p]
        case [1, *others] | d.B(c=2): x = {i: j for i, j in p}
        case _: x = (i for i in p)

class C(d.B, metaclass=e):
    field: int
    def method(self):
        nonlocal_ = 1
        def inner():
            nonlocal nonlocal_
            yield from self
        try: pass
        except* OSError: pass
"""


def gist(findings: list[Finding]) -> list[tuple[object, ...]]:
    return [(one.code, one.confidence, one.function, one.span.line, one.message) for one in findings]


def both(text: str) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    found = suspects(ast.parse(text), text, "a.py", EVERYTHING)
    return gist(found), gist(run_rules(text, "a.py", EVERYTHING))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_examples_are_the_same(rule):
    for text in (*rule.bad, *rule.good):
        if rule.code != "AG001":
            skeletal, whole = both(text)
            assert skeletal == whole


def test_asyncio_itself_is_the_same():
    found = 0
    for file in sorted(Path(asyncio.__file__).parent.glob("*.py")):
        text = file.read_text(encoding="utf-8")
        skeletal, whole = both(text)
        assert skeletal == whole
        found += len(whole)
    assert found > 0


def test_every_kind_of_syntax_has_its_fields():
    import libcst

    tree, positions = skeleton(ast.parse(ZOO), ZOO)
    kinds = [type(node).__name__ for node in walk(tree)]
    assert {"MatchCase", "TryStar", "From", "CompFor", "FormattedString", "StarredElement"} <= {*kinds}
    whole = [type(node).__name__ for node in walk(libcst.parse_module(ZOO))]
    for kind in ("Call", "Await", "Assign", "For", "With", "If", "Else", "Param"):
        assert kinds.count(kind) == whole.count(kind), kind
    for node in walk(tree):
        assert all(child in positions for child in children(node))


def test_places_count_characters_of_any_line_end():
    text = "x = 1\r\ny = 'äöü', f(\r\n    z)\r\n"
    tree, positions = skeleton(ast.parse(text), text)
    call = next(node for node in walk(tree) if type(node).__name__ == "Call")
    assert positions.code(call) == "f(\r\n    z)"
    assert positions.line_start(positions.offsets(call)[0]) == 7


def test_what_no_finding_is_about_is_not_read_by_libcst():
    other = "class Other:\n    def method(self):\n        return 'ä'\n\n\n"
    (text,) = next(rule.good for rule in all_rules() if rule.code == "AG109")
    (bad, *_) = next(rule.bad for rule in all_rules() if rule.code == "AG109")
    source = other + bad + text
    found = suspects(ast.parse(source), source, "a.py", EVERYTHING)
    narrow = narrowed(ast.parse(source), source, found)
    assert "Other" not in narrow
    assert len(narrow.encode()) == len(source.encode())
    assert narrow.count("\n") == source.count("\n")
    assert "self._loading = asyncio" in narrow
    assert gist(lint_source(source, "a.py", EVERYTHING)) == gist(run_rules(source, "a.py", EVERYTHING))


def test_of_a_class_only_the_methods_are_read_that_a_finding_is_about():
    (bad, *_) = next(rule.bad for rule in all_rules() if rule.code == "AG109")
    source = bad.replace("class ", "class Other:\n    pass\n\nclass ", 1)
    source = f"{source}\n    def unrelated(self):\n        return self.colour\n"
    found = suspects(ast.parse(source), source, "a.py", EVERYTHING)
    narrow = narrowed(ast.parse(source), source, found)
    assert "unrelated" not in narrow
    assert "self._loading = asyncio" in narrow
    assert lint_source(source, "a.py", EVERYTHING) == run_rules(source, "a.py", EVERYTHING)


def test_a_fix_that_the_rest_of_the_module_forbids_is_not_offered():
    (bad, *_) = next(rule.bad for rule in all_rules() if rule.code == "AG108")
    assert any(one.fix for one in lint_source(bad) if one.code == "AG108")
    source = bad + "\n\ndef elsewhere():\n    _awaited_by_add = 1\n    return _awaited_by_add\n"
    assert not any(one.fix for one in lint_source(source) if one.code == "AG108")


def test_a_module_is_freed_without_the_garbage_collector():
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for rule in all_rules():
            for text in rule.bad:
                lint_source(text, "a.py", EVERYTHING)
        assert not [one for one in gc.get_objects() if type(one) is Function]
    finally:
        if collecting:
            gc.enable()


def test_a_part_that_hides_a_finding_is_read_again_whole():
    source = """\
import asyncio

class Base:
    def complete(self):
        self._done.set_result(None)

class Waiter(Base):
    def __init__(self, task: asyncio.Task):
        self._done = asyncio.get_running_loop().create_future()
        task.add_done_callback(self.on_done)

    def on_done(self, task):
        self.complete()

    async def wait(self):
        await self._done
"""
    found = lint_source(source, "a.py", EVERYTHING)
    assert gist(found) == gist(run_rules(source, "a.py", EVERYTHING)) != []


@pytest.mark.skipif(sys.version_info < (3, 14), reason="template strings are new in 3.14")
def test_template_strings_are_looked_into():
    tree, _ = skeleton(ast.parse('t"{f(await x)!r:>{width}}"'), "")
    assert {"Call", "Await"} <= {type(node).__name__ for node in walk(tree)}
