"""One file through the pipeline: positions, suppressions, files that do not parse."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agraph_static import LintConfig, Span, lint_source

BAD = """\
import asyncio

class Größe:
    async def warte(self, task: asyncio.Task):
        wärter = asyncio.get_running_loop().create_future()
        if task: task.add_done_callback(lambda _: wärter.set_result("日本"))
        await wärter
"""


def test_importing_the_package_does_not_import_libcst():
    code = "import sys, agraph_static; agraph_static.all_rules(); agraph_static.lint_source('x = 1'); print('libcst' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_positions_count_characters_from_one():
    (finding,) = lint_source(BAD, "größe.py")
    line = BAD.splitlines()[5]
    start = line.index("task.add")
    assert finding.span == Span(6, start + 1, 6, len(line) + 1)
    assert finding.function == "Größe.warte"
    assert finding.path == "größe.py"
    texts = {one.message.rpartition(" ")[2] + ":" + str(one.span.line) for one in finding.related}
    assert texts == {"here:5", "here:6", "here:7"}


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_line_endings_and_byte_order_mark(newline: str):
    text = "\ufeff" + BAD.replace("\n", newline)
    (finding,) = lint_source(text.encode("utf-8"))
    assert (finding.span.line, finding.span.column) == (6, 18)


def test_declared_encodings():
    text = "# -*- coding: latin-1 -*-\n" + BAD.replace("日本", "ä")
    (finding,) = lint_source(text.encode("latin-1"))
    assert finding.span.line == 7


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("x = 1\ndef f(:\n", 2, "syntax"),
        (b"x = 1\ny = '\xff'\n", 2, "0xff"),
        (b"x = 1\ny = '\0'\n", 2, "NUL"),
        (b"# coding: nonsense\n", 1, "nonsense"),
        ("if True:\nx = 1\n", 2, "indent"),
        ("(" * 5000, 1, "parenthes"),
    ],
)
def test_what_does_not_parse_is_one_finding(source, line: int, word: str):
    (finding,) = lint_source(source, "x.py")
    assert finding.code == "AG001"
    assert finding.span.line == line
    assert word in finding.message


def test_deep_nesting_does_not_crash():
    deep = (
        "".join("    " * depth + f"async def f{depth}():\n" for depth in range(90)) + "    " * 90 + "pass\n"
    )
    assert lint_source(deep) == []
    hostile = "".join(" " * depth + "def f():\n" for depth in range(2000)) + " " * 2000 + "pass\n"
    assert [one.code for one in lint_source(hostile)] == ["AG001"]
    chain = BAD + "x = " + " + ".join(["1"] * 20000) + "\n"
    assert {one.code for one in lint_source(chain)} <= {"AG001", "AG101"}


SUPPRESSED = BAD.replace('set_result("日本"))', 'set_result("日本"))  {comment}')


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ("# agraph: ignore[AG101] the source is watched elsewhere", []),
        ("# agraph: ignore[AG108, AG101]", ["AG900"]),
        ("# agraph: ignore", []),
        ("# noqa: AG101", []),
        ("# noqa: E501, AG101", []),
        ("# noqa", []),
        ("# noqa: E501", ["AG101"]),
        ("# agraph: ignore[AG108]", ["AG101", "AG900"]),
        ("# agraph: ignore [AG101]", []),
        ("# agraph: ignore AG101 and why", []),
        ("# agraph: ignore all of it", []),
        ("# agraph: ignore [AG108]", ["AG101", "AG900"]),
        ("# agraph: ignore AG108, AG110", ["AG101", "AG900"]),
        ("# agraph: ignore[]", ["AG101", "AG900"]),
        ("# agraph: ignore[AG101", ["AG101", "AG900"]),
        ("# agraph: ignore[AG10l]", ["AG101", "AG900"]),
        ("# agraph: ignore[AG101, AG1]", ["AG900"]),
        ("# noqa: E501  # agraph: ignore[AG101] why", []),
        ("# agraph: ignore[AG108]  # agraph: ignore[AG101]", ["AG900"]),
        ("# agraph: ignored", ["AG101"]),
    ],
)
def test_suppressions(comment: str, codes: list[str]):
    found = lint_source(SUPPRESSED.replace("{comment}", comment))
    assert [one.code for one in found] == codes


def test_a_comment_on_its_own_line_holds_for_the_next():
    text = BAD.replace("        if task:", "        # agraph: ignore[AG101] reason\n        if task:")
    assert lint_source(text) == []


def test_noqa_holds_for_its_own_line_only():
    text = BAD.replace("        if task:", "        # noqa\n        if task:")
    assert [one.code for one in lint_source(text)] == ["AG101"]


@pytest.mark.parametrize(
    ("comment", "message", "help_text"),
    [
        ("ignore[AG10l]", "suppresses `AG10L`, which is no rule", "did you mean `AG1"),
        ("ignore[AG20]", "suppresses `AG20`, which is no rule", "each rule that is meant: AG203, AG204"),
        ("ignore[]", "names no rule", "`# agraph: ignore[AG101]`"),
        ("ignore[AG101 why", "the `]` of this comment is missing", "`# agraph: ignore[AG101]`"),
    ],
)
def test_a_suppression_that_is_not_as_it_should_be(comment: str, message: str, help_text: str):
    (finding,) = lint_source(f"x = 1  # agraph: {comment}\n", config=LintConfig(ignore=("AG101",)))
    assert (finding.code, finding.span.column) == ("AG900", 8)
    assert message in finding.message
    assert help_text in finding.help


def test_a_suppression_in_a_string_is_none():
    text = 'NOTE = "# agraph: ignore[AG101]"\n' + BAD
    assert [one.code for one in lint_source(text)] == ["AG101"]


def test_unused_is_reported_only_for_rules_that_ran():
    text = "x = 1  # agraph: ignore[AG101] long gone\n"
    (finding,) = lint_source(text)
    assert (finding.code, finding.span) == ("AG900", Span(1, 8, 1, 31))
    assert lint_source(text, config=LintConfig(ignore=("AG101",))) == []
    assert lint_source(text, config=LintConfig(ignore=("AG900",))) == []


HELPED = """\
import asyncio
import helpers
from helpers import set_result

async def wait(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: {call})
    await waiter
"""


@pytest.mark.parametrize(
    "call",
    ["set_result(waiter, None)", "helpers.set_result(waiter, None)", "waiter.set_result(None)"],
)
def test_helpers_that_complete_a_future_are_known(call: str):
    (finding,) = lint_source(HELPED.format(call=call))
    assert (finding.code, finding.span.line) == ("AG101", 7)


def test_fields_of_named_tuples_lead_from_one_function_to_another():
    text = """\
import asyncio
from collections import namedtuple

Item = namedtuple("Item", "key, future")

class Loader:
    def __init__(self):
        self._queue = []

    def load(self, key):
        future = asyncio.get_running_loop().create_future()
        self._queue.append(Item(key=key, future=future))
        if len(self._queue) == 1:
            start(self)
        return future

def start(loader: "Loader"):
    queue = loader._queue
    loader._queue = []
    asyncio.ensure_future(load_all(queue))

async def load_all(queue):
    values = await read_all([one.key for one in queue])
    for one, value in zip(queue, values):
        one.future.set_result(value)
"""
    (finding,) = lint_source(text)
    assert (finding.code, finding.function) == ("AG110", "start")
