"""`agraph lint`: find untracked futures and waits that can deadlock in source code."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.commands import lint_options as options
from agraph_cli.commands.page import ColorOption, OutputOption, epilog
from agraph_cli.errors import CommandError
from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agraph_cli.report.style import Style
    from agraph_static import LintConfig, LintResult

SHORT = "Find untracked futures and risky waits."
EPILOG = epilog(
    """
    agraph lint src/
    agraph lint --select AG101 --format json src/ -o findings.json
    git show HEAD:app.py | agraph lint - --stdin-filename app.py
    """,
    "findings",
)


def lint(
    paths: options.Paths = None,
    *,
    select: options.Select = None,
    ignore: options.Ignore = None,
    extend_select: options.ExtendSelect = None,
    min_confidence: options.MinConfidence = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    stdin_filename: options.StdinFilename = "<stdin>",
    force_exclude: options.ForceExclude = False,
    format_: options.FormatOption = None,
    statistics: options.Statistics = False,
    exit_zero: options.ExitZero = False,
    output: OutputOption = None,
    color: ColorOption = "auto",
) -> int:
    """Find untracked futures and waits that can deadlock in source code."""
    if statistics and format_ == "json":
        raise CommandError("--statistics goes with a text format", hint="count `code` in the JSON instead")
    given = [stdin_filename if path == "-" else path for path in paths or ["."]]
    text = sys.stdin.buffer.read() if "-" in (paths or []) else None
    project = options.settings(given, config, isolated=isolated)
    overrides = options.Overrides(select, ignore, extend_select, min_confidence, force_exclude)
    result = _run(
        [path for path in paths or ["."] if path != "-"], overrides.on(project), stdin_filename, text
    )
    for error in result.errors:
        terminal.complain(f"{error.path}: {error.message}", error.help)
    shown = format_ or ("full" if output in {None, "-"} and terminal.is_terminal(sys.stdout) else "concise")
    if shown == "json":
        from agraph_cli.report.lint import to_json

        terminal.write([json.dumps(to_json(result), indent=2)], output)
    else:
        known = {} if text is None else {stdin_filename: text}
        style = terminal.style_for(color, output)
        terminal.write(_text(result, "statistics" if statistics else shown, style, known), output)
        if result.checked or not result.errors:
            _sum_up(result)
    if result.errors:
        return ExitCode.ERROR
    return ExitCode.FOUND if result.findings and not exit_zero else ExitCode.OK


def _run(paths: list[str], config: LintConfig, name: str, text: bytes | None) -> LintResult:
    from agraph_static import LintResult, lint_paths, lint_source

    result = lint_paths(paths, config) if paths else LintResult((), 0, 0, 0)
    if text is None:
        return result
    findings = (*lint_source(text, name, config), *result.findings)
    return dataclasses.replace(result, findings=findings, checked=result.checked + 1)


def _text(result: LintResult, shown: str, style: Style, known: Mapping[str, bytes]) -> Iterator[str]:
    from agraph_cli.report import lint as report

    if shown == "statistics":
        from agraph_static import all_rules

        return report.statistics(result.findings, {rule.code: rule.summary for rule in all_rules()})
    if shown == "concise":
        return report.concise(result.findings, style)
    places = {finding.path for finding in result.findings}
    places |= {related.path for finding in result.findings for related in finding.related}
    return report.full(result.findings, _sources(sorted(places), known), style)


def _sources(paths: Iterable[str], known: Mapping[str, bytes]) -> dict[str, list[str]]:
    sources = {}
    for path in paths:
        try:
            sources[path] = _lines(known[path] if path in known else _content(path))
        except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
            continue  # a finding without an excerpt is better than none
    return sources


def _content(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def _lines(data: bytes) -> list[str]:
    import io
    import tokenize

    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    # Python's lines end at \n, \r\n and \r only; str.splitlines knows more, which would shift the rest.
    return io.StringIO(data.decode(encoding), newline=None).read().split("\n")


def _sum_up(result: LintResult) -> None:
    from agraph_cli.report.lint import summary

    for note in result.notes:
        terminal.say(f"note: {note}")
    terminal.say(summary(result))
