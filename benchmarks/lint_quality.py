"""How right the lint is: every labelled site, every miss and every false alarm by name.

    python benchmarks/lint_quality.py [--all] [--confidence likely] [package ...]

A site counts as found when a finding, or a second place of one, stands in the labelled function (or a
function in it) of the labelled file; a label that names a class takes in its methods. `required` and
`debatable` count as right. A finding in a labelled package that meets no label is listed as unlabelled and
judged by hand.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus

from agraph_static import Finding, LintConfig, lint_source

LABELS = corpus.SHARED_CORPUS / "labels.tsv"


@dataclass
class Label:
    """One labelled site and what was found there."""

    package: str
    path: str
    line: int
    function: str
    verdict: str
    pattern: str
    reason: str
    hits: list[Finding] = field(default_factory=list)


def read_labels() -> list[Label]:
    """The labelled sites of the study."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [Label(**{**row, "line": int(row["line"])}) for row in rows]


def find_root(requirement: str) -> Path | None:
    """Where a labelled package is: the corpus cache, or an interpreter's own library for cpython."""
    name, _, version = requirement.partition("==")
    if name != "cpython":
        return corpus.find(requirement)
    return corpus.interpreter_library(version)


def covers(label: Label, finding: Finding) -> bool:
    """Whether a finding is about the labelled function."""
    wanted, found = label.function.lower(), finding.function.lower()
    if found == wanted or found.startswith(wanted + ".") or found.endswith("." + wanted):
        return True
    places = [finding.span, *(one.span for one in finding.related)]
    return any(abs(place.line - label.line) <= 3 for place in places)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*")
    parser.add_argument("--confidence", default="likely")
    parser.add_argument("--all", action="store_true", help="also run the rules that are off by default")
    parser.add_argument("--show", action="store_true", help="print every finding")
    options = parser.parse_args()
    config = LintConfig(min_confidence=options.confidence, extend_select=("ALL",) if options.all else ())
    labels = [
        one
        for one in read_labels()
        if not options.packages or any(p in one.package for p in options.packages)
    ]
    by_file: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for label in labels:
        by_file[label.package, label.path].append(label)
    unlabelled: list[tuple[str, Finding]] = []
    absent: set[str] = set()
    for package in dict.fromkeys(label.package for label in labels):
        root = find_root(package)
        if root is None:
            absent.add(package)
            continue
        for path, findings in lint_package(root, package, config):
            for finding in findings:
                if options.show:
                    show(package, finding)
                matched = [one for one in by_file.get((package, path), ()) if covers(one, finding)]
                for label in matched:
                    label.hits.append(finding)
                if not matched:
                    unlabelled.append((package, finding))
    return report(labels, unlabelled, absent)


def lint_package(root: Path, package: str, config: LintConfig):
    """Lint every source file of a package; for cpython only asyncio."""
    top = root / "asyncio" if package.startswith("cpython") else root
    for file in sorted(top.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if any(part in ("tests", "test") for part in file.relative_to(root).parts[:-1]):
            continue
        yield path, lint_source(file.read_bytes(), path, config)


def show(package: str, finding: Finding) -> None:
    """One line for a finding."""
    print(
        f"  {package} {finding.path}:{finding.span.line} {finding.code} {finding.confidence} "
        f"{finding.function}: {finding.message}"
    )


def report(labels: list[Label], unlabelled: list[tuple[str, Finding]], absent: set[str]) -> int:
    """Print misses, false alarms, unlabelled findings and the totals."""
    present = [one for one in labels if one.package not in absent]
    required = [one for one in present if one.verdict == "required"]
    wrong = [one for one in present if one.verdict == "not required" and one.hits]
    print("Misses (required, not found)")
    for one in required:
        if not one.hits:
            print(f"  {one.package} {one.path}:{one.line} {one.function} | {one.pattern} | {one.reason}")
    print("False alarms (not required, found)")
    for one in wrong:
        for hit in one.hits:
            print(
                f"  {one.package} {one.path}:{one.line} {one.function} | {hit.code} {hit.confidence} "
                f"line {hit.span.line} | {one.reason}"
            )
    print("Unlabelled findings in labelled packages")
    for package, finding in unlabelled:
        show(package, finding)
    by_code: Counter[tuple[str, str]] = Counter()
    for one in present:
        for code in {hit.code for hit in one.hits}:
            by_code[code, one.verdict] += 1
    print("Hits by rule")
    for code in sorted({code for code, _ in by_code}):
        counts = ", ".join(
            f"{verdict} {by_code[code, verdict]}" for verdict in ("required", "debatable", "not required")
        )
        print(f"  {code}: {counts}")
    found = sum(1 for one in required if one.hits)
    right = sum(1 for one in present if one.hits and one.verdict != "not required")
    print(f"recall    {found}/{len(required)} = {found / max(len(required), 1):.1%} of required")
    print(
        f"precision {right}/{right + len(wrong)} = {right / max(right + len(wrong), 1):.1%} of labelled hits"
    )
    print(f"unlabelled {len(unlabelled)}; absent packages: {', '.join(sorted(absent)) or 'none'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
