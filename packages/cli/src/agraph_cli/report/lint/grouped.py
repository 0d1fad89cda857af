"""`--format grouped`: the findings of each file together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport
    from agraph_static import Finding


def lines(report: LintReport) -> Iterator[str]:
    """The name of each file, below it its findings, then an empty line.

    Args:
        report: The run.

    Yields:
        Lines without line ends.
    """
    style = report.style
    files: dict[str, list[Finding]] = {}
    for finding in report.result.findings:
        files.setdefault(finding.path, []).append(finding)
    for path, findings in files.items():
        rows = [(f"{one.span.line}:{one.span.column}", one) for one in findings]
        width = max(len(place) for place, _ in rows)
        yield f"{style.paint(style.file(path), 'strong')}:"
        for place, one in rows:
            yield f"  {place:<{width}}  {style.paint(one.code, 'bad')} {clean(one.message)}"
        yield ""
