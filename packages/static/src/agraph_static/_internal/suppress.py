"""Suppression comments: `# agraph: ignore[AG101] reason` and `# noqa: AG101`."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agraph_static._internal.model import Finding, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OURS = re.compile(
    r"#\s*agraph:\s*ignore\b"
    r"(?:\s*(?P<bracket>\[)(?P<codes>[^\]#]*)(?P<end>\])?|\s+(?P<bare>AG\d\w*(?:\s*,\s*AG\d\w*)*))?",
    re.IGNORECASE,
)
_NOQA = re.compile(
    r"#\s*noqa\b(?P<colon>\s*:\s*(?P<codes>[A-Z][A-Z0-9]+(?:[\s,]+[A-Z][A-Z0-9]+)*))?", re.IGNORECASE
)


@dataclass(slots=True)
class Comment:
    """One suppression.

    Attributes:
        line: The line it holds for.
        span: Where the comment is.
        codes: The codes it names; empty for all.
        ours: Whether it is an agraph comment, which is reported when unused.
        problem: Why it suppresses nothing at all, as it is written; empty for a comment that does.
        used: Codes that it suppressed.
    """

    line: int
    span: Span
    codes: frozenset[str]
    ours: bool
    problem: str = ""
    used: set[str] = field(default_factory=set)

    def covers(self, code: str) -> bool:
        """Whether it names a code, or all."""
        return not self.problem and (not self.codes or code in self.codes)


def has_comments(text: str) -> bool:
    """Whether it is worth looking for comments at all."""
    lowered = text.lower()
    return "agraph:" in lowered or "noqa" in lowered


def comments(text: str) -> list[Comment]:
    """Every suppression of a file that parses.

    A comment of ours alone on its line holds for the next line of code.
    """
    found: list[Comment] = []
    waiting: list[Comment] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                read = _read(token)
                found.extend(read)
                if token.line[: token.start[1]].strip() == "":
                    waiting.extend(one for one in read if one.ours)
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


def _read(token: tokenize.TokenInfo) -> list[Comment]:
    """The suppressions in one comment: `# agraph: ignore[AG101]  # noqa: E501` is two."""
    line, column = token.start
    found = []
    for pattern in (_OURS, _NOQA):
        for match in pattern.finditer(token.string):
            ours = pattern is _OURS
            listed = match["codes"] or (match["bare"] if ours else None) or ""
            codes = frozenset(re.split(r"[\s,]+", listed.strip().upper())) - {""}
            span = Span(line, column + match.start() + 1, line, column + match.end() + 1)
            found.append(Comment(line, span, codes, ours, _problem(match, codes) if ours else ""))
    return found


def _problem(match: re.Match[str], codes: frozenset[str]) -> str:
    if match["bracket"] and not match["end"]:
        return "the `]` of this comment is missing, so it suppresses nothing"
    return "this comment names no rule, so it suppresses nothing" if match["bracket"] and not codes else ""


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
    """AG900 for every code of an agraph comment that is no rule, or whose rule ran and found nothing."""
    return [
        Finding(
            code="AG900",
            confidence="certain",
            message=message,
            path=path,
            span=comment.span,
            label="nothing to suppress here",
            help=help_text,
        )
        for comment in suppressions
        if comment.ours
        for message, help_text in _complaints(comment, run)
    ]


def _complaints(comment: Comment, run: frozenset[str]) -> Iterator[tuple[str, str]]:
    from agraph_static._internal.registry import all_rules  # noqa: PLC0415 - it imports the rules

    if comment.problem:
        yield comment.problem, "name the rules: `# agraph: ignore[AG101]`, or write `# agraph: ignore`"
        return
    known = [rule.code for rule in all_rules()]
    for code in sorted(comment.codes.difference(known)):
        yield f"this comment suppresses `{code}`, which is no rule", _meant(code, known)
    idle = sorted((comment.codes & run) - comment.used)
    if not comment.codes and not comment.used:
        yield "this comment suppresses nothing", "remove the comment, or the code that is not found"
    elif idle:
        listed = ", ".join(f"`{code}`" for code in idle)
        verb = "is" if len(idle) == 1 else "are"
        yield (
            f"this comment suppresses {listed}, which {verb} not found here",
            "remove the comment, or the code that is not found",
        )


def _meant(code: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415 - only for a message

    begun = [one for one in known if one.startswith(code)]
    if begun:
        return f"name each rule that is meant: {', '.join(begun)}"
    near = difflib.get_close_matches(code, known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"rules are {', '.join(known)}"
