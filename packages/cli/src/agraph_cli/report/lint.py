"""`agraph lint`: findings as text for people, one line each, or JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from agraph_cli.analysis.names import plural
from agraph_cli.report.excerpt import Mark, excerpt
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agraph_cli.report.style import Style
    from agraph_static import Finding, LintResult, Related

SCHEMA = "agraph.lint/1"


def full(findings: Sequence[Finding], sources: Mapping[str, Sequence[str]], style: Style) -> Iterator[str]:
    """Findings with an excerpt of the source, in the manner of rustc and ruff.

    Args:
        findings: What was found.
        sources: The lines of the files that are named; a file that is missing has no excerpt.
        style: How it looks.

    Yields:
        Lines without line ends.
    """
    for finding in findings:
        yield f"{style.paint(finding.code, 'bad')} {style.paint(clean(finding.message), 'strong')}"
        yield f"  --> {_place(finding, style)}"
        here = [Mark(finding.span, finding.label, primary=True)]
        here += [
            Mark(one.span, one.message, primary=False)
            for one in finding.related
            if one.path == finding.path and one.span != finding.span
        ]
        yield from excerpt(sources.get(finding.path, ()), here, style)
        for one in finding.related:
            if one.path != finding.path:
                yield from _elsewhere(one, sources, style)
        yield from _remarks(finding, style)
        yield ""


def _place(finding: Finding, style: Style) -> str:
    return f"{style.file(finding.path)}:{finding.span.line}:{finding.span.column}"


def _elsewhere(related: Related, sources: Mapping[str, Sequence[str]], style: Style) -> Iterator[str]:
    yield f"  ::: {style.file(related.path)}:{related.span.line}:{related.span.column}"
    yield from excerpt(
        sources.get(related.path, ()), [Mark(related.span, related.message, primary=False)], style
    )


def _remarks(finding: Finding, style: Style) -> Iterator[str]:
    for note in finding.notes:
        yield f"  = {style.paint('note', 'accent')}: {clean(note)}"
    if finding.confidence != "certain":
        yield f"  = {style.paint('note', 'accent')}: how sure: {finding.confidence}"
    if finding.help:
        yield f"  = {style.paint('help', 'accent')}: {clean(finding.help)}"
    yield f"  = {style.paint('docs', 'accent')}: agraph explain {finding.code}"


def concise(findings: Sequence[Finding], style: Style) -> Iterator[str]:
    """One line a finding: `path:line:column: CODE message`.

    Args:
        findings: What was found.
        style: How it looks.

    Yields:
        Lines without line ends.
    """
    for finding in findings:
        yield f"{_place(finding, style)}: {style.paint(finding.code, 'bad')} {clean(finding.message)}"


def statistics(findings: Sequence[Finding], summaries: Mapping[str, str]) -> Iterator[str]:
    """How often each rule found something, most often first.

    Args:
        findings: What was found.
        summaries: What each rule is about, by code.

    Yields:
        Lines without line ends.
    """
    counts = Counter(finding.code for finding in findings)
    width = len(str(max(counts.values(), default=0)))
    for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>{width}}  {code}  {clean(summaries.get(code, ''))}".rstrip()


def summary(result: LintResult) -> str:
    """One line about a whole run.

    Args:
        result: The run.

    Returns:
        Such as `Found 3 problems in 2 of 118 files (1 fixable).`
    """
    files = plural(result.checked, "file")
    if not result.findings:
        return f"No problems in {files}."
    hit = len({finding.path for finding in result.findings})
    fixable = sum(finding.fix is not None for finding in result.findings)
    fixes = f" ({fixable} fixable)" if fixable else ""
    return f"Found {plural(len(result.findings), 'problem')} in {hit} of {files}{fixes}."


def to_json(result: LintResult) -> dict[str, Any]:
    """A run as the JSON object `agraph.lint/1`.

    Args:
        result: The run.

    Returns:
        The object.
    """
    return {
        "schema": SCHEMA,
        "findings": [_row(finding) for finding in result.findings],
        "files": {"checked": result.checked, "skipped": result.skipped, "failed": result.failed},
    }


def _row(finding: Finding) -> dict[str, Any]:
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
