"""Every rule finds what its bad examples mark, and is silent about its good ones."""

from __future__ import annotations

import re

import pytest

from agraph_static import LintConfig, Rule, all_rules, lint_source

RULES = all_rules()
MARKER = re.compile(r"# error: (AG\d+)$", re.MULTILINE)


def examples(kind: str):
    return [
        pytest.param(rule, text, id=f"{rule.code}-{number}")
        for rule in RULES
        for number, text in enumerate(getattr(rule, kind))
    ]


def marked(text: str) -> list[tuple[int, str]]:
    return [
        (number, match[1])
        for number, line in enumerate(text.splitlines(), 1)
        for match in [MARKER.search(line)]
        if match
    ]


@pytest.mark.parametrize(("rule", "text"), examples("bad"))
def test_bad_example_is_found_where_marked(rule: type[Rule], text: str):
    select = ("ALL",) if rule.code == "AG900" else (rule.code,)
    found = lint_source(text, "bad.py", LintConfig(select=select, min_confidence="likely"))
    assert [(one.span.line, one.code) for one in found if one.code == rule.code] == marked(text)
    assert all(one.message and not one.message.endswith(".") for one in found)


@pytest.mark.parametrize(("rule", "text"), examples("good"))
def test_good_example_is_silent(rule: type[Rule], text: str):
    found = lint_source(text, "good.py", LintConfig(extend_select=("ALL",), min_confidence="likely"))
    assert [(one.code, one.span.line) for one in found] == []


def test_every_rule_is_described():
    for rule in RULES:
        assert re.fullmatch(r"AG\d{3}", rule.code)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
        assert rule.summary
        assert not rule.summary.endswith(".")
        assert rule.why
        assert rule.bad
        assert rule.good
        assert all(MARKER.search(text) for text in rule.bad)


def test_codes_and_names_are_unique_and_sorted():
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_catalogue_is_whole():
    expected = {"AG001", "AG900", *(f"AG{n}" for n in range(101, 113)), *(f"AG{n}" for n in range(203, 208))}
    assert {rule.code for rule in RULES} == expected
