"""`--format gitlab`: a code quality report of GitLab."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agraph_cli.report.lint.places import fingerprints, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport

_SEVERITIES = {"certain": "major", "likely": "minor", "possible": "info"}


def lines(report: LintReport) -> Iterator[str]:
    """A run as one JSON array.

    Args:
        report: The run.

    Yields:
        The array, as one text.
    """
    findings = report.result.findings
    rows = [
        {
            "description": f"{one.code}: {one.message}",
            "check_name": one.code,
            "fingerprint": fingerprint,
            "severity": _SEVERITIES[one.confidence],
            "location": {
                "path": shown(one.path, report.style.root),
                "positions": {
                    "begin": {"line": one.span.line, "column": one.span.column},
                    "end": {"line": one.span.end_line, "column": one.span.end_column},
                },
            },
        }
        for one, fingerprint in zip(findings, fingerprints(findings, report), strict=True)
    ]
    yield json.dumps(rows, indent=2)
