"""`--format full`: findings with an excerpt of the source, in the manner of rustc and ruff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.analysis.names import plural
from agraph_cli.report.excerpt import Mark, excerpt
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph_cli.analysis.evidence import Evidence
    from agraph_cli.report.lint.model import LintReport
    from agraph_cli.report.style import Style
    from agraph_static import Finding, Related


_SNAPSHOTS = 3  # so many are named


def lines(report: LintReport) -> Iterator[str]:
    """Findings with an excerpt of the source and all that is known about them.

    Args:
        report: The run; a file whose source is missing has no excerpt.

    Yields:
        Lines without line ends.
    """
    style = report.style
    for finding in report.result.findings:
        yield f"{style.paint(finding.code, 'bad')} {style.paint(clean(finding.message), 'strong')}"
        yield f"  --> {_place(finding, style)}"
        here = [Mark(finding.span, finding.label, primary=True)]
        here += [
            Mark(one.span, one.message, primary=False)
            for one in finding.related
            if one.path == finding.path and one.span != finding.span
        ]
        yield from excerpt(_source(report, finding.path), here, style)
        for one in finding.related:
            if one.path != finding.path:
                yield from _elsewhere(one, report)
        yield from _remarks(finding, report)
        yield ""


def _place(finding: Finding, style: Style) -> str:
    return f"{style.file(finding.path)}:{finding.span.line}:{finding.span.column}"


def _source(report: LintReport, path: str) -> Sequence[str]:
    source = report.sources.get(path)
    return source.lines if source else ()


def _elsewhere(related: Related, report: LintReport) -> Iterator[str]:
    span = related.span
    yield f"  ::: {report.style.file(related.path)}:{span.line}:{span.column}"
    yield from excerpt(
        _source(report, related.path), [Mark(span, related.message, primary=False)], report.style
    )


def _seen(evidence: Evidence) -> str:
    shown = evidence.snapshots[:_SNAPSHOTS]
    first, *others = shown
    parts = [f"{plural(first.tasks, 'task')} waited here in {clean(first.path)}"]
    parts += [f"{one.tasks} in {clean(one.path)}" for one in others]
    more = len(evidence.snapshots) - len(shown)
    return ", ".join(parts) + (f", and in {plural(more, 'more snapshot')}" if more else "")


def _remarks(finding: Finding, report: LintReport) -> Iterator[str]:
    style = report.style
    for note in finding.notes:
        yield f"  = {style.paint('note', 'accent')}: {clean(note)}"
    if finding.confidence != "certain":
        yield f"  = {style.paint('note', 'accent')}: how sure: {finding.confidence}"
    if report.evidence and finding in report.evidence:
        yield f"  = {style.paint('seen', 'accent')}: {_seen(report.evidence[finding])}"
    if finding.help:
        yield f"  = {style.paint('help', 'accent')}: {clean(finding.help)}"
    if finding.fix is not None:
        option = "--fix" if finding.fix.kind == "safe" else "--fix --unsafe-fixes"
        yield f"  = {style.paint('fix', 'accent')}: {clean(finding.fix.message)} ({option})"
    yield f"  = {style.paint('docs', 'accent')}: agraph explain {finding.code}"
