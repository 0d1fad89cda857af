"""No file makes the lint crash, and triage lets nothing go that the rules would find."""

from __future__ import annotations

import ast
import os
import sysconfig
from pathlib import Path

import pytest

from agraph_static import LintConfig, lint_source
from agraph_static._internal import triage
from agraph_static._internal.engine import run_rules
from agraph_static._internal.source import decode, parse

STDLIB = Path(sysconfig.get_path("stdlib"))
EVERYTHING = LintConfig(extend_select=("ALL",), min_confidence="possible")


def files(root: Path) -> list[Path]:
    found = []
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name not in ("site-packages", "__pycache__"))
        found.extend(
            Path(folder) / name
            for name in sorted(names)
            if name.endswith(".py") and (Path(folder) / name).is_file()
        )
    return found


def test_a_sample_of_the_standard_library():
    checked = 0
    for file in files(STDLIB)[::12]:
        for one in lint_source(file.read_bytes(), str(file), EVERYTHING):
            assert one.code == "AG001" or one.span.line > 0
        checked += 1
    assert checked > 20


@pytest.mark.slow
def test_all_of_the_standard_library_and_its_tests():
    for file in files(STDLIB):
        for one in lint_source(file.read_bytes(), str(file), EVERYTHING):
            assert one.message


def test_triage_lets_through_what_the_rules_find():
    """The rules run on every asyncio-like file of the standard library, whatever triage says of it."""
    lost = []
    for file in [*files(STDLIB / "asyncio"), *files(STDLIB / "concurrent"), *files(STDLIB / "unittest")]:
        data = file.read_bytes()
        text = decode(data, str(file))
        tree = parse(text, str(file))
        assert isinstance(tree, ast.Module)
        encoded = text.encode()
        passed = triage.may_matter(encoded, every_lock=True) and triage.is_candidate(
            tree, encoded, every_lock=True
        )
        if not passed and run_rules(text, str(file), EVERYTHING):
            lost.append(file.name)
    assert lost == []
