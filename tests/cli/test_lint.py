"""`agraph lint`: what is found is the business of tests/static; here is how it is told."""

import dataclasses
import json
from pathlib import Path

import pytest
from golden import golden

from agraph_cli.report.lint.formats import FORMATS, STATISTICS, lines
from agraph_cli.report.lint.model import LintReport, Source
from agraph_cli.report.lint.summary import summary
from agraph_cli.report.style import Style
from agraph_static import Finding, Fix, LintResult, Related, Span

SOURCE = """\
import asyncio


async def wait_quietly(task):
\twaiter = asyncio.get_running_loop().create_future()  # 日本語
\t"日本語"; task.add_done_callback(lambda _: waiter.set_result(None))



\t# between
\tawait waiter
"""
FINDINGS = (
    Finding(
        "AG101",
        "likely",
        "`waiter` is completed by a done-callback of `task`",
        "app.py",
        Span(6, 9, 6, 68),
        function="wait_quietly",
        label="the wait for `waiter` is really a wait for `task`",
        help="call `future_add_to_awaited_by`",
        related=(
            Related("app.py", Span(5, 11, 5, 53), "made here"),
            Related("app.py", Span(11, 2, 11, 14), "awaited here"),
            Related("other.py", Span(1, 1, 1, 7), "started here"),
        ),
        notes=("`task` is a task",),
        fix=Fix("safe", "add the calls"),
    ),
    Finding("AG001", "certain", "this file\x1b does not parse", "odd\nname.py", Span(99, 1, 99, 2)),
)
RESULT = LintResult(FINDINGS, 7, 1, 0)
BAD = """\
import asyncio


async def wait_quietly(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""


def told(form, findings=FINDINGS, sources=(), style=None):
    """What a reporter says about some findings."""
    result = dataclasses.replace(RESULT, findings=findings)
    sources = {path: Source(text) for path, text in dict(sources).items()}
    return list(lines(form, LintReport(result, sources, style or Style())))


@pytest.mark.parametrize(
    "style", [Style(), Style(ascii=True), Style(paint=lambda text, role: f"<{role} {text}>")]
)
def test_full(style):
    name = "ascii" if style.ascii else "plain" if style == Style() else "painted"
    sources = {"app.py": SOURCE, "other.py": "import asyncio", "odd\nname.py": ""}
    golden(f"lint/full_{name}", "\n".join(told(FORMATS["full"], sources=sources, style=style)))


def test_without_sources():
    text = "\n".join(told(FORMATS["full"]))
    assert "app.py:6:9" in text
    assert " | " not in text


def test_a_very_long_line_is_cut():
    finding = Finding("AG101", "certain", "m", "a.py", Span(1, 5000, 1, 6000), label="here")
    shown = told(FORMATS["full"], (finding,), {"a.py": "x" * 10_000})
    assert max(len(line) for line in shown) < 200


def test_a_place_over_several_lines_is_underlined_on_its_first():
    finding = Finding("AG101", "certain", "m", "a.py", Span(1, 5, 3, 2))
    shown = told(FORMATS["full"], (finding,), {"a.py": "x = f(\n  1\n)"})
    assert "  |     ^^" in shown


def test_concise():
    assert told(FORMATS["concise"]) == [
        "app.py:6:9: AG101 `waiter` is completed by a done-callback of `task`",
        "odd\\x0aname.py:99:1: AG001 this file\\x1b does not parse",
    ]


def test_statistics():
    assert [line[:8] for line in told(STATISTICS, (*FINDINGS, FINDINGS[0]))] == ["2  AG101", "1  AG001"]


@pytest.mark.parametrize(
    ("kinds", "unsafe", "fixed", "said"),
    [
        ("", False, 0, "No problems in 7 files."),
        ("", False, 2, "Fixed 2 problems; none left in 7 files."),
        ("-", False, 0, "Found 1 problem in 1 of 7 files."),
        ("-", False, 1, "Fixed 1 problem; 1 problem left in 1 of 7 files."),
        ("s-", False, 0, "Found 2 problems in 1 of 7 files (1 fixable with --fix)."),
        (
            "ssu",
            False,
            0,
            "Found 3 problems in 1 of 7 files (2 fixable with --fix, 1 more with --unsafe-fixes).",
        ),
        ("u", False, 0, "Found 1 problem in 1 of 7 files (1 fixable with --fix --unsafe-fixes)."),
        ("su", True, 0, "Found 2 problems in 1 of 7 files (2 fixable with --fix --unsafe-fixes)."),
    ],
)
def test_summary(kinds, unsafe, fixed, said):
    names = {"s": Fix("safe", "m"), "u": Fix("unsafe", "m"), "-": None}
    findings = tuple(dataclasses.replace(FINDINGS[0], fix=names[kind]) for kind in kinds)
    report = LintReport(dataclasses.replace(RESULT, findings=findings), unsafe=unsafe)
    assert summary(report, fixed) == said


def test_summary_with_a_baseline():
    report = LintReport(RESULT, accepted=FINDINGS)
    assert summary(report).startswith("Found 2 problems in 2 of 7 files, beside 2 in the baseline (1 fixable")
    report = LintReport(dataclasses.replace(RESULT, findings=()), accepted=FINDINGS)
    assert summary(report) == "No problems in 7 files, beside 2 in the baseline."


def test_json_shape():
    golden("lint/json", "\n".join(told(FORMATS["json"])) + "\n")


def write_bad(folder="."):
    Path(folder).mkdir(exist_ok=True)
    Path(folder, "bad.py").write_text(BAD)
    Path(folder, "good.py").write_text("import asyncio\n")


def test_findings_in_a_folder(agraph):
    write_bad("src")
    assert agraph("lint src").code == 1
    assert agraph.out.startswith("src/bad.py:6:5: AG101 ")
    assert agraph.out.count("\n") == 1
    assert agraph.err == "Found 1 problem in 1 of 2 files.\n"
    assert agraph("lint src --exit-zero").code == 0
    assert agraph("lint src/good.py").code == 0
    assert agraph.err == "No problems in 1 file.\n"


def test_the_folder_one_is_in_is_the_default(agraph):
    write_bad()
    assert agraph("lint").code == 1
    assert agraph.out.startswith("bad.py:6:5: AG101 ")


def test_full_shows_the_source(agraph):
    write_bad()
    assert agraph("lint --format full").code == 1
    assert "\n6 |     task.add_done_callback(lambda _: waiter.set_result(None))\n  |     ^^^^" in agraph.out
    assert "agraph explain AG101" in agraph.out


def test_json(agraph):
    write_bad("src")
    assert agraph("lint src --format json").code == 1
    document = json.loads(agraph.out)
    assert agraph.err == ""
    assert document["files"] == {"checked": 2, "skipped": 0, "failed": 0}
    [finding] = document["findings"]
    assert (finding["path"], finding["line"], finding["column"]) == ("src/bad.py", 6, 5)


def test_output_file(agraph):
    write_bad()
    assert agraph("lint --format json -o found.json").code == 1
    assert agraph.out == ""
    assert json.loads(Path("found.json").read_text())["schema"] == "agraph.lint/1"


def test_standard_input(agraph):
    agraph("lint - --stdin-filename pkg/app.py", stdin=BAD.encode())
    assert agraph.code == 1
    assert agraph.out.startswith("pkg/app.py:6:5: AG101 ")
    assert agraph("lint - --format full", stdin=BAD.encode()).out.count("add_done_callback") >= 1
    assert "--> <stdin>:6:5" in agraph.out


def test_counts_by_rule(agraph):
    write_bad()
    assert agraph("lint --statistics").out.startswith("1  AG101  ")


def test_select_and_ignore(agraph):
    write_bad()
    assert agraph("lint --ignore AG101").code == 0
    assert agraph("lint --select AG108,AG109").code == 0
    assert agraph("lint --select AG1 --ignore AG108").code == 1
    assert agraph("lint --select AG108 --extend-select AG101").code == 1


def test_min_confidence(agraph):
    write_bad()
    assert agraph("lint --min-confidence possible").code == 1


def test_configuration(agraph):
    write_bad()
    Path("pyproject.toml").write_text('[tool.agraph.lint]\nignore = ["AG101"]\n')
    assert agraph("lint").code == 0
    assert agraph("lint --isolated").code == 1
    Path("other.toml").write_text('[tool.agraph.lint]\nselect = ["AG101"]\n')
    assert agraph("lint --config other.toml").code == 1


def test_excluded_files(agraph):
    write_bad("build")
    assert agraph("lint build/bad.py").code == 1
    assert agraph("lint build/bad.py --force-exclude").code == 0


def test_a_file_that_does_not_parse_is_a_finding(agraph):
    write_bad()
    Path("broken.py").write_text("import asyncio\ndef f(:\n    pass\n")
    assert agraph("lint").code == 1
    assert [line.split(": ")[1][:5] for line in agraph.out.splitlines()] == ["AG101", "AG001"]


def test_what_can_be_read_is_reported(agraph):
    write_bad()
    assert agraph("lint bad.py missing.py").code == 2
    assert agraph.out.startswith("bad.py:6:5: AG101 ")
    assert "error: missing.py" in agraph.err


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("missing_file", "lint bda.py"),
        ("unknown_rule", "lint --select AG999"),
        ("unknown_prefix", "lint --ignore XY1"),
        ("missing_config", "lint --config nope.toml"),
        ("statistics_json", "lint --statistics --format json"),
        ("bad_confidence", "lint --min-confidence sure"),
    ],
)
def test_errors(agraph, name, line):
    write_bad()
    agraph(line)
    assert agraph.code == 2
    assert agraph.err.startswith("error: ")
    if name not in {"unknown_rule", "unknown_prefix"}:  # these list the rules, which grow
        agraph.is_golden(f"lint/error_{name}")


def test_unknown_key_in_the_configuration(agraph):
    Path("pyproject.toml").write_text("[tool.agraph.lint]\nselekt = []\n")
    assert agraph("lint").code == 2
    assert "unknown key `selekt`" in agraph.err
    assert "hint: did you mean `select`?" in agraph.err


def test_per_file_ignores_hold_for_standard_input(agraph):
    Path("pyproject.toml").write_text('[tool.agraph.lint]\nper-file-ignores = { "tests/**" = ["AG1"] }\n')
    assert agraph("lint - --stdin-filename tests/app.py", stdin=BAD.encode()).code == 0
    assert agraph("lint - --stdin-filename app.py", stdin=BAD.encode()).code == 1


def test_the_waiting_task_is_not_called_like_what_it_waits_for(agraph):
    write_bad()
    agraph("lint --format full")
    assert "future_add_to_awaited_by(task, waiting_task)" in agraph.out
    assert "(task, task)" not in agraph.out


def test_each_path_has_the_configuration_of_its_project(agraph):
    for name, setting in (("one", 'ignore = ["AG101"]'), ("two", 'select = ["AG1"]'), ("three", "")):
        Path(name).mkdir()
        Path(name, "a.py").write_text(BAD)
        Path(name, "pyproject.toml").write_text(f"[tool.agraph.lint]\n{setting}\n")
    assert agraph("lint one").code == 0
    assert agraph("lint two three one --format json").code == 1
    document = json.loads(agraph.out)
    assert [one["path"] for one in document["findings"]] == ["three/a.py", "two/a.py"]
    assert document["files"]["checked"] == 3
    agraph("lint three/a.py one/a.py one two/a.py")
    assert [line.partition(":")[0] for line in agraph.out.splitlines()] == ["three/a.py", "two/a.py"]
    assert agraph("lint one two --isolated").out.count("AG101") == 2
    assert agraph("lint one two --config one/pyproject.toml").code == 0


def test_a_path_in_another_has_its_configuration(agraph):
    Path("one").mkdir()
    Path("one/a.py").write_text(BAD)
    Path("one/pyproject.toml").write_text('[tool.agraph.lint]\nignore = ["AG101"]\n')
    Path("pyproject.toml").touch()
    assert agraph("lint one").code == 0
    both = agraph("lint . one one/a.py")
    assert (both.code, both.out.count("AG101")) == (1, 1)
    assert both.err == "Found 1 problem in 1 of 1 file.\n"


def test_standard_input_has_the_configuration_of_its_project(agraph):
    Path("one").mkdir()
    Path("one/pyproject.toml").write_text('[tool.agraph.lint]\nignore = ["AG101"]\n')
    Path("two").mkdir()
    Path("two/a.py").write_text(BAD)
    agraph("lint - two --stdin-filename one/app.py", stdin=BAD.encode())
    assert [line.partition(":")[0] for line in agraph.out.splitlines()] == ["two/a.py"]


def test_a_notebook_on_standard_input_is_skipped(agraph):
    assert agraph("lint - --stdin-filename a.ipynb", stdin=b'{"cells": [').code == 0
    assert agraph.err.startswith("note: a.ipynb is a notebook: skipped")
    assert agraph("lint - --fix --stdin-filename a.ipynb", stdin=b'{"cells": [').out == '{"cells": ['
