"""`--format jsonl`: one JSON object a line, for programs that read as it comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agraph_cli.report.lint.json_ import evidence, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport


def lines(report: LintReport) -> Iterator[str]:
    """Each finding as an object of the shape that `--format json` has.

    Args:
        report: The run.

    Yields:
        Lines without line ends.
    """
    for finding in report.result.findings:
        yield json.dumps({**row(finding), **evidence(finding, report)})
