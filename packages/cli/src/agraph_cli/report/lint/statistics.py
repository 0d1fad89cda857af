"""`--statistics`: how often each rule found something."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport


def lines(report: LintReport) -> Iterator[str]:
    """How often each rule found something, most often first.

    Args:
        report: The run.

    Yields:
        Lines without line ends.
    """
    from agraph_static import all_rules

    summaries = {rule.code: rule.summary for rule in all_rules()}
    counts = Counter(finding.code for finding in report.result.findings)
    width = len(str(max(counts.values(), default=0)))
    for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>{width}}  {code}  {clean(summaries.get(code, ''))}".rstrip()
