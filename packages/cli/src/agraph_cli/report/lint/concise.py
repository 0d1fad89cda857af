"""`--format concise`: one line a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport


def lines(report: LintReport) -> Iterator[str]:
    """One line a finding: `path:line:column: CODE message`.

    Args:
        report: The run.

    Yields:
        Lines without line ends.
    """
    style = report.style
    for finding in report.result.findings:
        place = f"{style.file(finding.path)}:{finding.span.line}:{finding.span.column}"
        yield f"{place}: {style.paint(finding.code, 'bad')} {clean(finding.message)}"
