"""`--format grouped`: the findings of each file together."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport


def lines(report: LintReport) -> Iterator[str]:
    """The name of each file, below it its findings, then an empty line.

    Args:
        report: The run.

    Yields:
        Lines without line ends.
    """
    style = report.style
    for path, findings in groupby(report.result.findings, key=lambda one: one.path):
        rows = [(f"{one.span.line}:{one.span.column}", one) for one in findings]
        width = max(len(place) for place, _ in rows)
        yield f"{style.paint(style.file(path), 'strong')}:"
        for place, one in rows:
            yield f"  {place:<{width}}  {style.paint(one.code, 'bad')} {clean(one.message)}"
        yield ""
