"""`--format junit`: XML that CI systems show as test results."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from agraph_cli.report.lint.places import shown
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport
    from agraph_static import FileError, Finding


def lines(report: LintReport) -> Iterator[str]:
    """A suite for each file with findings, in it a failed test for each finding; one passed test without any.

    Args:
        report: The run.

    Yields:
        Lines without line ends, in ASCII: others are written as character references.
    """
    for line in _document(report):
        yield line.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _document(report: LintReport) -> Iterator[str]:
    findings, errors, root = report.result.findings, report.result.errors, report.style.root
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    tests = len(findings) + len(errors) or 1
    yield _tag("testsuites", name="agraph lint", tests=tests, failures=len(findings), errors=len(errors))
    if not findings and not errors:
        yield "  " + _tag("testsuite", name="agraph lint", tests=1, failures=0, errors=0)
        yield "    " + _tag("testcase", classname="agraph lint", name="no findings", end="/>")
        yield "  </testsuite>"
    for path, group in groupby(findings, key=lambda one: one.path):
        yield from _suite(_text(shown(path, root)), list(group))
    for error in errors:
        yield from _failed(error, _text(shown(error.path, root)))
    yield "</testsuites>"


def _suite(path: str, findings: list[Finding]) -> Iterator[str]:
    yield "  " + _tag("testsuite", name=path, tests=len(findings), failures=len(findings), errors=0)
    for one in findings:
        place, message = f"{one.span.line}:{one.span.column}", _text(one.message)
        text = f"{path}:{place}: {one.code} {message}" + (f"\n{_text(one.help)}" if one.help else "")
        name = f"{one.code} {place}"
        yield "    " + _tag("testcase", classname=path, name=name, file=path, line=one.span.line)
        yield f"      {_tag('failure', type=one.confidence, message=message)}{escape(text)}</failure>"
        yield "    </testcase>"
    yield "  </testsuite>"


def _failed(error: FileError, path: str) -> Iterator[str]:
    yield "  " + _tag("testsuite", name=path, tests=1, failures=0, errors=1)
    yield "    " + _tag("testcase", classname=path, name="lint", file=path)
    yield "      " + _tag("error", message=_text(error.message), end="/>")
    yield "    </testcase>"
    yield "  </testsuite>"


def _text(text: str) -> str:
    # XML 1.0 has no place for these two, nor for what `clean` escapes.
    return clean(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _tag(element: str, end: str = ">", **attributes: str | int) -> str:
    written = "".join(f" {name}={quoteattr(str(value))}" for name, value in attributes.items())
    return f"<{element}{written}{end}"
