"""`agraph lint --format`: what other programs read, held to what they expect."""

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from golden import golden

from agraph_cli import __version__
from agraph_cli.commands.lint_options import Format
from agraph_cli.report.lint.formats import FORMATS, lines
from agraph_cli.report.lint.model import LintReport, Source
from agraph_cli.report.style import Style
from agraph_static import Edit, FileError, Finding, Fix, LintResult, Related, Span, apply_fixes, lint_source

SOURCE = "import asyncio\n\n\nasync def wait(é, task):\n    é.add(task)  # 日本\n    é.add(task)\n"
FINDINGS = (
    Finding(
        "AG101",
        "likely",
        "`é` is 100% completed, by: `task`",
        "src/a b.py",
        Span(5, 5, 5, 16),
        function="wait",
        help="call <it> & wait",
        related=(Related("src/a b.py", Span(4, 16, 4, 17), "made here"),),
        fix=Fix("safe", "add the call", (Edit(60, 60, "    more()\n"),)),
    ),
    Finding("AG204", "possible", "again", "src/a b.py", Span(6, 5, 6, 16), function="wait"),
    Finding("AG001", "certain", "it\x1b does not parse", "odd\nname.py", Span(9, 1, 10, 2)),
)
RESULT = LintResult(FINDINGS, 3, 0, 1, (FileError("gone.py", "no such file", "look"),))
NOTHING = LintResult((), 3, 0, 0)
# One redundant edge, whose two calls a safe fix removes, twice.
FIXABLE = """\
import asyncio


async def wait(grün):
    me = asyncio.current_task()
    asyncio.future_add_to_awaited_by(grün, me)
    try:
        await grün
    finally:
        print("日本"); print(grün)
        asyncio.future_discard_from_awaited_by(grün, me)
"""


def told(name, result=RESULT, sources=(("src/a b.py", SOURCE),), root="", unsafe=False):
    sources = {path: Source(text) for path, text in dict(sources).items()}
    return "\n".join(lines(FORMATS[name], LintReport(result, sources, Style(root=root), unsafe)))


def one(text, path="app.py"):
    return LintResult(tuple(lint_source(text, path)), 1, 0, 0)


def log(*args, **kwargs):
    [run] = json.loads(told("sarif", *args, **kwargs))["runs"]
    return run


def test_the_option_offers_what_the_table_has():
    assert get_args(Format) == tuple(FORMATS)


@pytest.mark.parametrize("name", ["grouped", "jsonl", "github", "gitlab", "junit"])
def test_format(name):
    golden(f"lint/format_{name}", told(name) + "\n")


def test_sarif():
    document = json.loads(told("sarif"))
    driver = document["runs"][0]["tool"]["driver"]
    assert driver.pop("version") == __version__
    rules = driver.pop("rules")
    golden("lint/format_sarif", json.dumps(document, indent=2) + "\n")
    assert [rule["id"] for rule in rules] == ["AG001", "AG101", "AG204"]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert "helpUri" not in rule


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_tells_that_nothing_was_found(name):
    text = told(name, NOTHING)
    if name in {"json", "gitlab"}:
        assert json.loads(text) in ([], json.loads(told("json", NOTHING)))
    elif name == "sarif":
        assert log(NOTHING)["results"] == []
    elif name == "junit":
        assert ET.fromstring(text).find("testsuite/testcase/failure") is None
        assert ET.fromstring(text).get("tests") == "1"
    else:
        assert text == ""


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_gets_through_a_terminal_unharmed(name):
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]", told(name))


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_can_be_asked_for(agraph, name):
    Path("app.py").write_text(FIXABLE, encoding="utf-8")
    assert agraph(f"lint --format {name}").code == 1
    assert "AG107" in agraph.out
    assert (agraph.err != "") == FORMATS[name].for_people
    assert agraph(f"lint --format {name} -o report").code == 1
    assert "AG107" in Path("report").read_text(encoding="utf-8")


def test_junit_counts():
    root = ET.fromstring(told("junit").encode())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "3", "1")
    assert len(root.findall(".//failure")) == 3
    assert len(root.findall(".//error")) == 1
    assert sum(int(suite.get("tests")) for suite in root.findall("testsuite")) == 4
    assert root.find(".//failure").text.splitlines()[1] == "call <it> & wait"


def test_github_escapes_what_it_would_read_as_its_own():
    first, *_ = told("github").splitlines()
    assert first.startswith(
        "::warning title=agraph AG101,file=src/a b.py,line=5,endLine=5,col=5,endColumn=16::"
    )
    assert "100%25 completed, by: `task`%0Acall" in first
    assert "file=odd%0Aname.py," in told("github")


def test_gitlab_has_what_gitlab_requires():
    rows = json.loads(told("gitlab"))
    assert len({row["fingerprint"] for row in rows}) == len(rows) == 3
    for row in rows:
        assert set(row) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert row["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert row["location"]["positions"]["begin"]["line"] >= 1


SARIF_SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "sarif-2.1.0.json"


@pytest.mark.parametrize("result", [RESULT, NOTHING])
def test_sarif_is_valid_by_its_schema(result):
    validator = jsonschema.Draft4Validator(json.loads(SARIF_SCHEMA.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(json.loads(told("sarif", result)))] == []


# The schema demands less than the services that read SARIF: what they need is written down here by hand.
def check_region(region):
    assert set(region) == {"startLine", "startColumn", "endLine", "endColumn"}
    assert all(isinstance(number, int) and number >= 1 for number in region.values())
    assert (region["startLine"], region["startColumn"]) <= (region["endLine"], region["endColumn"])


def check_artifact(artifact, bases):
    assert set(artifact) <= {"uri", "uriBaseId"}
    assert re.fullmatch(r"[A-Za-z0-9._~/%:-]+", artifact["uri"])
    if "uriBaseId" in artifact:
        assert artifact["uriBaseId"] in bases
        assert not artifact["uri"].startswith(("/", "file:", "../"))
    else:
        assert artifact["uri"].startswith("file:///")


def check_location(location, bases):
    assert set(location) <= {"id", "physicalLocation", "logicalLocations", "message"}
    check_artifact(location["physicalLocation"]["artifactLocation"], bases)
    check_region(location["physicalLocation"]["region"])


def test_sarif_has_what_its_schema_requires():
    document = json.loads(told("sarif"))
    assert set(document) == {"$schema", "version", "runs"}
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    assert {"tool", "results"} <= set(run)
    assert run["tool"]["driver"]["name"] == "agraph"
    assert run["columnKind"] == "unicodeCodePoints"
    bases, rules = run["originalUriBaseIds"], run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        for location in (*result["locations"], *result.get("relatedLocations", ())):
            check_location(location, bases)
        for fix in result.get("fixes", ()):
            for change in fix["artifactChanges"]:
                check_artifact(change["artifactLocation"], bases)
                for replacement in change["replacements"]:
                    check_region(replacement["deletedRegion"])
                    assert isinstance(replacement["insertedContent"]["text"], str)
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [one["message"]["text"] for one in invocation["toolExecutionNotifications"]] == ["no such file"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_fixes_in_sarif_are_those_that_are_made(newline):
    text = FIXABLE.replace("\n", newline)
    result = one(text)
    [row] = log(result, {"app.py": text})["results"]
    [change] = row["fixes"][0]["artifactChanges"]
    rows = re.split(r"(?<=\n)", text)
    replacements = sorted(change["replacements"], key=lambda one: -one["deletedRegion"]["startLine"])
    fixed = text
    for replacement in replacements:
        region = replacement["deletedRegion"]
        start = sum(map(len, rows[: region["startLine"] - 1])) + region["startColumn"] - 1
        end = sum(map(len, rows[: region["endLine"] - 1])) + region["endColumn"] - 1
        fixed = fixed[:start] + replacement["insertedContent"]["text"] + fixed[end:]
    assert fixed != text
    assert fixed == apply_fixes(text, result.findings)


def test_unsafe_fixes_are_in_sarif_only_when_asked_for():
    fix = dataclasses.replace(FINDINGS[0].fix, kind="unsafe")
    result = dataclasses.replace(RESULT, findings=(dataclasses.replace(FINDINGS[0], fix=fix),))
    assert "fixes" not in log(result)["results"][0]
    assert "fixes" in log(result, unsafe=True)["results"][0]


def test_addresses_are_relative_to_the_current_folder():
    def address(path):
        result = LintResult((dataclasses.replace(FINDINGS[1], path=path),), 1, 0, 0)
        place = log(result, root="/project")["results"][0]["locations"][0]["physicalLocation"]
        return place["artifactLocation"]

    assert address("./src/é.py") == {"uri": "src/%C3%A9.py", "uriBaseId": "%SRCROOT%"}
    assert address("/project/src/a#b.py") == {"uri": "src/a%23b.py", "uriBaseId": "%SRCROOT%"}
    assert address("/else/b.py") == {"uri": "file:///else/b.py"}
    assert address("../else/b.py") == {"uri": "file:///else/b.py"}


def prints(text):
    return [
        row["partialFingerprints"]["agraphPlace/v1"] for row in log(one(text), {"app.py": text})["results"]
    ]


def test_fingerprints_stay_when_lines_move_and_tell_twins_apart():
    before = prints(FIXABLE)
    assert len(before) == 1
    assert prints("# more\n\n" + FIXABLE.replace("\n    try:", "\n\n    try:")) == before
    assert prints(FIXABLE.replace("grün", "blau")) != before
    twins = prints(FIXABLE + FIXABLE[FIXABLE.index("async def") :])
    assert len(set(twins)) == 2
    assert twins[0] == before[0]
