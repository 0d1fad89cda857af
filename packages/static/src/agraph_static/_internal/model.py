"""What the lint says: findings, the places they point at, and fixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Confidence = Literal["certain", "likely", "possible"]
FixKind = Literal["safe", "unsafe"]

CONFIDENCES: tuple[Confidence, ...] = ("certain", "likely", "possible")
"""Surest first."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a file. Lines and columns count from 1; columns count characters; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a finding, with its label ("resolved here")."""

    path: str
    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text from byte `start` to byte `end` of the UTF-8 source with `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that resolves a finding. `safe` keeps the program's behaviour as it is."""

    kind: FixKind
    message: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that a rule objects to.

    Attributes:
        code: The rule, such as `AG101`.
        confidence: `certain`, `likely` or `possible`: how sure the rule is that this is wrong.
        message: One specific sentence, no full stop, code in backticks.
        path: The file as given.
        span: The place.
        function: Qualified name of the function around it; empty at module level.
        label: What to write under the place in an excerpt.
        help: What to do about it.
        related: Other places that explain it.
        notes: Sentences that say why it is so and how sure that is.
        fix: A fix, if there is one.
    """

    code: str
    confidence: Confidence
    message: str
    path: str
    span: Span
    function: str = ""
    label: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()
    notes: tuple[str, ...] = ()
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class FileError:
    """A path that could not be linted.

    Attributes:
        path: The path as given, or as found below a folder that was given.
        message: What is wrong with it.
        help: What to do about it; may be empty.
    """

    path: str
    message: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class LintResult:
    """What a run found.

    Attributes:
        findings: Sorted by path, line, column and code.
        checked: Number of files that were linted, those that do not parse among them.
        skipped: Number of files that were named but left out: excluded, or no Python source.
        failed: Number of paths that could not be read.
        errors: One for each failed path.
        notes: Sentences about what was skipped, for stderr.
    """

    findings: tuple[Finding, ...]
    checked: int
    skipped: int
    failed: int
    errors: tuple[FileError, ...] = ()
    notes: tuple[str, ...] = ()
