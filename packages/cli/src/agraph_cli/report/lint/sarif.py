"""`--format sarif`: SARIF 2.1.0, which code scanning services read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agraph_cli import __version__
from agraph_cli.report.lint.json_ import evidence
from agraph_cli.report.lint.places import fingerprints, uri
from agraph_static import all_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport, Source
    from agraph_static import Finding, Fix, Rule, Span

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_LEVELS = {"certain": "error", "likely": "warning", "possible": "note"}


def lines(report: LintReport) -> Iterator[str]:
    """A run as one SARIF log.

    Args:
        report: The run. The addresses of files are relative to the current folder, which is not named.

    Yields:
        The log, as one text.
    """
    yield json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_Run(report).row()]}, indent=2)


class _Run:
    """The one run of the log."""

    def __init__(self, report: LintReport) -> None:
        self.report = report
        self.findings = (*report.result.findings, *(report.accepted or ()))
        found = {finding.code for finding in self.findings}
        self.rules = [rule for rule in all_rules() if rule.code in found]
        self.positions = {rule.code: index for index, rule in enumerate(self.rules)}

    def row(self) -> dict[str, Any]:
        found = zip(self.findings, fingerprints(self.findings, self.report), strict=True)
        return {
            "tool": {
                "driver": {
                    "name": "agraph",
                    "version": __version__,
                    "rules": [_rule(rule) for rule in self.rules],
                }
            },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {_ROOT: {"description": _text("The folder that agraph lint was run in.")}},
            "invocations": [self.invocation()],
            "results": [
                {**self.result(finding, fingerprint), **self.state(position)}
                for position, (finding, fingerprint) in enumerate(found)
            ],
        }

    def invocation(self) -> dict[str, Any]:
        errors = self.report.result.errors
        notifications = [
            {
                "level": "error",
                "message": _text(error.message),
                "locations": [{"physicalLocation": {"artifactLocation": self.artifact(error.path)}}],
            }
            for error in errors
        ]
        return {"executionSuccessful": not errors, "toolExecutionNotifications": notifications}

    def result(self, finding: Finding, fingerprint: str) -> dict[str, Any]:
        row: dict[str, Any] = {
            "ruleId": finding.code,
            "ruleIndex": self.positions.get(finding.code, -1),
            "level": _LEVELS[finding.confidence],
            "message": _text("\n".join(filter(None, (finding.message, finding.help)))),
            "locations": [self.location(finding.path, finding.span)],
            "partialFingerprints": {"agraphPlace/v1": fingerprint},
            "properties": {"confidence": finding.confidence, **evidence(finding, self.report)},
        }
        if finding.function:
            row["locations"][0]["logicalLocations"] = [
                {"fullyQualifiedName": finding.function, "kind": "function"}
            ]
        if finding.related:
            row["relatedLocations"] = [
                {"id": number, **self.location(one.path, one.span), "message": _text(one.message)}
                for number, one in enumerate(finding.related, 1)
            ]
        fix, source = finding.fix, self.report.sources.get(finding.path)
        if fix and fix.edits and source and (fix.kind == "safe" or self.report.unsafe):
            row["fixes"] = [self.fix(finding.path, fix, source)]
        return row

    def state(self, position: int) -> dict[str, Any]:
        """Known findings are told too: a service would take a missing one for fixed."""
        if self.report.accepted is None:
            return {}
        if position < len(self.report.result.findings):
            return {"baselineState": "new", "suppressions": []}
        return {"baselineState": "unchanged", "suppressions": [{"kind": "external"}]}

    def location(self, path: str, span: Span) -> dict[str, Any]:
        region = _region((span.line, span.column), (span.end_line, span.end_column))
        return {"physicalLocation": {"artifactLocation": self.artifact(path), "region": region}}

    def artifact(self, path: str) -> dict[str, str]:
        address, relative = uri(path, self.report.style.root)
        return {"uri": address, "uriBaseId": _ROOT} if relative else {"uri": address}

    def fix(self, path: str, fix: Fix, source: Source) -> dict[str, Any]:
        replacements = [
            {
                "deletedRegion": _region(source.place(edit.start), source.place(edit.end)),
                "insertedContent": {"text": edit.text},
            }
            for edit in fix.edits
        ]
        change = {"artifactLocation": self.artifact(path), "replacements": replacements}
        return {"description": _text(fix.message), "artifactChanges": [change]}


def _rule(rule: type[Rule]) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": _text(rule.summary),
        "help": {"text": rule.why, "markdown": rule.why},
        "defaultConfiguration": {"enabled": rule.default, "level": "warning"},
    }


def _region(start: tuple[int, int], end: tuple[int, int]) -> dict[str, int]:
    return {"startLine": start[0], "startColumn": start[1], "endLine": end[0], "endColumn": end[1]}


def _text(text: str) -> dict[str, str]:
    return {"text": text}
