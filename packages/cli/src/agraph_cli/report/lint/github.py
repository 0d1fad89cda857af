"""`--format github`: workflow commands of GitHub Actions, which annotate the changed lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.report.lint.places import shown
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport
    from agraph_static import Finding

_LEVELS = {"certain": "error", "likely": "warning", "possible": "notice"}


def lines(report: LintReport) -> Iterator[str]:
    """One workflow command a finding, and one a file that could not be linted.

    Args:
        report: The run.

    Yields:
        Lines without line ends.
    """
    root = report.style.root
    for finding in report.result.findings:
        properties = _properties(finding, shown(finding.path, root))
        text = "\n".join(filter(None, (f"{finding.code} {clean(finding.message)}", clean(finding.help))))
        yield f"::{_LEVELS[finding.confidence]} {properties}::{_escaped(text)}"
    for error in report.result.errors:
        path = _property(shown(error.path, root))
        yield f"::error title=agraph,file={path}::{_escaped(clean(error.message))}"


def _properties(finding: Finding, path: str) -> str:
    span = finding.span
    values = {"title": f"agraph {finding.code}", "file": path, "line": span.line, "endLine": span.end_line}
    if span.end_line == span.line:  # columns of a place over several lines are refused
        values |= {"col": span.column, "endColumn": span.end_column}
    return ",".join(f"{name}={_property(str(value))}" for name, value in values.items())


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
