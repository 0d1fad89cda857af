"""The last line of a run, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.analysis.names import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph_cli.report.lint.model import LintReport
    from agraph_static import Finding


def summary(report: LintReport, fixed: int = 0) -> str:
    """One line about a whole run.

    Args:
        report: The run; its findings are those that are left.
        fixed: How many findings were fixed.

    Returns:
        Such as `Found 3 problems in 2 of 118 files (1 fixable with --fix).`
    """
    findings = report.result.findings
    files = plural(report.result.checked, "file")
    files += f", beside {len(report.accepted)} in the baseline" if report.accepted else ""
    if not findings:
        return (
            f"Fixed {plural(fixed, 'problem')}; none left in {files}."
            if fixed
            else f"No problems in {files}."
        )
    hit = len({finding.path for finding in findings})
    problems = plural(len(findings), "problem")
    start = f"Fixed {plural(fixed, 'problem')}; {problems} left" if fixed else f"Found {problems}"
    return f"{start} in {hit} of {files}{_fixable(findings, report.unsafe)}."


def would_fix(fixed: int, files: int, more: Sequence[Finding], *, unsafe: bool) -> str:
    """One line about what `--diff` showed.

    Args:
        fixed: How many findings the changes fix.
        files: How many files they change.
        more: The findings that would be left.
        unsafe: Whether unsafe fixes are among the changes.

    Returns:
        Such as `Would fix 2 problems in 1 file (1 more with --unsafe-fixes).`
    """
    risky = 0 if unsafe else sum(one.fix is not None and one.fix.kind == "unsafe" for one in more)
    rest = f" ({risky} more with --unsafe-fixes)" if risky else ""
    return f"Would fix {plural(fixed, 'problem')} in {plural(files, 'file')}{rest}."


def _fixable(findings: Sequence[Finding], unsafe: bool) -> str:
    kinds = [finding.fix.kind for finding in findings if finding.fix]
    easy = len(kinds) if unsafe else kinds.count("safe")
    risky = len(kinds) - easy
    option = "--fix --unsafe-fixes" if unsafe else "--fix"
    parts = [f"{easy} fixable with {option}"] if easy else []
    if risky:
        parts.append(
            f"{risky} more with --unsafe-fixes" if easy else f"{risky} fixable with --fix --unsafe-fixes"
        )
    return f" ({', '.join(parts)})" if parts else ""
