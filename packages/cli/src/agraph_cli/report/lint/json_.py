"""`--format json`: the object `agraph.lint/1`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport
    from agraph_static import Finding

SCHEMA = "agraph.lint/1"


def lines(report: LintReport) -> Iterator[str]:
    """A run as one JSON object.

    Args:
        report: The run.

    Yields:
        The object, as one text.
    """
    result = report.result
    document = {
        "schema": SCHEMA,
        "findings": [{**row(finding), **evidence(finding, report)} for finding in result.findings],
        "files": {"checked": result.checked, "skipped": result.skipped, "failed": result.failed},
    }
    yield json.dumps(document, indent=2)


def evidence(finding: Finding, report: LintReport) -> dict[str, Any]:
    """What snapshots show of a finding, as one more key of its object; nothing if nobody asked."""
    if report.evidence is None:
        return {}
    seen = report.evidence.get(finding)
    return {
        "evidence": {
            "tasks": seen.tasks if seen else 0,
            "snapshots": [one._asdict() for one in seen.snapshots] if seen else [],
        }
    }


def row(finding: Finding) -> dict[str, Any]:
    """One finding as a JSON object, also that of `--format jsonl`."""
    return {
        "code": finding.code,
        "confidence": finding.confidence,
        "message": finding.message,
        "path": finding.path,
        "line": finding.span.line,
        "column": finding.span.column,
        "end_line": finding.span.end_line,
        "end_column": finding.span.end_column,
        "function": finding.function,
        "fix": finding.fix.kind if finding.fix else None,
        "help": finding.help,
        "related": [
            {"path": one.path, "line": one.span.line, "column": one.span.column, "message": one.message}
            for one in finding.related
        ],
    }
