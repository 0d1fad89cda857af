"""Suppression comments: `# agraph: ignore[AG101] reason` and `# noqa: AG101`."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agraph_static._internal.model import Finding, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

_OURS = re.compile(r"#\s*agraph:\s*ignore\b(?:\[(?P<codes>[^\]]*)\])?", re.IGNORECASE)
_NOQA = re.compile(
    r"#\s*noqa(?P<colon>\s*:\s*(?P<codes>[A-Z][A-Z0-9]+(?:[\s,]+[A-Z][A-Z0-9]+)*))?", re.IGNORECASE
)


@dataclass(slots=True)
class Comment:
    """One suppression.

    Attributes:
        line: The line it holds for.
        span: Where the comment is.
        codes: The codes it names; empty for all.
        ours: Whether it is an agraph comment, which is reported when unused.
        used: Codes that it suppressed.
    """

    line: int
    span: Span
    codes: frozenset[str]
    ours: bool
    used: set[str] = field(default_factory=set)

    def covers(self, code: str) -> bool:
        """Whether it names a code, or all."""
        return not self.codes or code in self.codes


def has_comments(text: str) -> bool:
    """Whether it is worth looking for comments at all."""
    lowered = text.lower()
    return "agraph:" in lowered or "noqa" in lowered


def comments(text: str) -> list[Comment]:
    """Every suppression of a file that parses.

    A comment alone on its line holds for the next line of code.
    """
    found: list[Comment] = []
    waiting: list[Comment] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                comment = _read(token)
                if comment is not None:
                    found.append(comment)
                    if token.line[: token.start[1]].strip() == "":
                        waiting.append(comment)
            elif waiting and token.type not in (
                tokenize.NL,
                tokenize.NEWLINE,
                tokenize.INDENT,
                tokenize.DEDENT,
            ):
                for comment in waiting:
                    comment.line = token.start[0]
                waiting.clear()
    except (tokenize.TokenError, SyntaxError):  # the file does not parse: there is nothing to suppress
        return found
    return found


def _read(token: tokenize.TokenInfo) -> Comment | None:
    line, column = token.start
    match = _OURS.search(token.string)
    ours = match is not None
    match = match or _NOQA.search(token.string)
    if match is None:
        return None
    codes = (
        frozenset(re.split(r"[\s,]+", match["codes"].strip().upper())) - {""}
        if match["codes"]
        else frozenset()
    )
    span = Span(line, column + match.start() + 1, line, column + match.end() + 1)
    return Comment(line, span, codes, ours)


def apply(findings: Iterable[Finding], suppressions: list[Comment]) -> list[Finding]:
    """The findings that no comment on one of their lines suppresses. Marks the comments that were used."""
    by_line: dict[int, list[Comment]] = {}
    for comment in suppressions:
        by_line.setdefault(comment.line, []).append(comment)
    kept = []
    for finding in findings:
        covering = [
            comment
            for line in range(finding.span.line, finding.span.end_line + 1)
            for comment in by_line.get(line, ())
            if comment.covers(finding.code) and finding.code != "AG001"
        ]
        for comment in covering:
            comment.used.add(finding.code)
        if not covering:
            kept.append(finding)
    return kept


def unused(path: str, suppressions: list[Comment], run: frozenset[str]) -> list[Finding]:
    """AG900 for every code of an agraph comment whose rule ran and found nothing there."""
    found = []
    for comment in suppressions:
        if not comment.ours:
            continue
        idle = sorted((comment.codes & run) - comment.used)
        if not comment.codes and not comment.used:
            message = "this comment suppresses nothing"
        elif idle:
            listed = ", ".join(f"`{code}`" for code in idle)
            message = (
                f"this comment suppresses {listed}, which {'is' if len(idle) == 1 else 'are'} not found here"
            )
        else:
            continue
        found.append(
            Finding(
                code="AG900",
                confidence="certain",
                message=message,
                path=path,
                span=comment.span,
                label="nothing to suppress here",
                help="remove the comment, or the code that is not found",
            )
        )
    return found
