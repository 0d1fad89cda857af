"""`agraph lint`: find untracked futures and waits that can deadlock in source code."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.commands import lint_options as options
from agraph_cli.commands.page import ColorOption, OutputOption, epilog
from agraph_cli.errors import CommandError
from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from agraph_cli.commands.fixing import Plan
    from agraph_cli.commands.linting import Job
    from agraph_cli.report.lint.formats import Format
    from agraph_cli.report.lint.model import Source
    from agraph_static import LintResult

SHORT = "Find untracked futures and risky waits."
EPILOG = epilog(
    """
    agraph lint src/
    agraph lint --diff src/
    agraph lint --select AG101 --format json src/ -o findings.json
    git show HEAD:app.py | agraph lint - --stdin-filename app.py
    """,
    "findings; with --diff, changes",
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
    jobs: options.Jobs = None,
    no_cache: options.NoCache = False,
    fix: options.Fix = False,
    unsafe_fixes: options.UnsafeFixes = False,
    diff: options.Diff = False,
    format_: options.FormatOption = None,
    statistics: options.Statistics = False,
    exit_zero: options.ExitZero = False,
    output: OutputOption = None,
    color: ColorOption = "auto",
) -> int:
    """Find untracked futures and waits that can deadlock in source code."""
    from agraph_cli.commands.linting import Job, run

    ask = _Ask(format_, statistics, fix, unsafe_fixes, diff, exit_zero, output, color)
    ask.check(paths or [])
    given = [stdin_filename if path == "-" else path for path in paths or ["."]]
    overrides = options.Overrides(select, ignore, extend_select, min_confidence, force_exclude)
    job = Job(
        tuple(path for path in paths or ["."] if path != "-"),
        overrides.on(options.settings(given, config, isolated=isolated)),
        stdin_filename,
        sys.stdin.buffer.read() if "-" in (paths or []) else None,
        jobs,
        None if no_cache else options.cache_folder(given),
    )
    return _tell(run(job), job, ask)


@dataclass(frozen=True, slots=True)
class _Ask:
    """What to do with what is found, and how to tell it."""

    format: options.Format | None
    statistics: bool
    fix: bool
    unsafe: bool
    diff: bool
    exit_zero: bool
    output: str | None
    color: terminal.Color

    def check(self, paths: list[str]) -> None:
        """Refuse what does not go together."""
        from agraph_cli.report.lint.formats import FORMATS

        if self.statistics and self.format and not FORMATS[self.format].for_people:
            raise CommandError(
                "--statistics goes with a text format",
                hint="count `code` in the JSON instead" if self.format == "json" else "leave out --format",
            )
        if self.diff and (self.format or self.statistics):
            raise CommandError(
                "--diff shows changes, not findings", hint="leave out --format and --statistics"
            )
        if (self.fix or self.diff) and "-" in paths and len(paths) > 1:
            raise CommandError("--fix and --diff take either - or files", hint="run agraph lint twice")

    def form(self) -> Format:
        """The format."""
        from agraph_cli.report.lint.formats import FORMATS, STATISTICS

        to_terminal = self.output in {None, "-"} and terminal.is_terminal(sys.stdout)
        return (
            STATISTICS if self.statistics else FORMATS[self.format or ("full" if to_terminal else "concise")]
        )


def _tell(result: LintResult, job: Job, ask: _Ask) -> int:
    fixed = 0
    known = {} if job.text is None else {job.name: job.text}
    if ask.fix or ask.diff:
        from agraph_cli.commands import fixing

        planned = fixing.plan(result, job, unsafe=ask.unsafe)
        if ask.diff:
            return _show_changes(fixing.afterwards(result, planned), planned, ask)
        done = planned if job.text is not None else fixing.carry_out(planned)
        result = fixing.afterwards(result, done)
        fixed = sum(change.fixed for change in done.changes)
        known.update({change.path: change.after for change in done.changes})
        if job.text is not None:
            terminal.write_raw(known[job.name])
    _complain(result)
    _report(result, known, ask, fixed, to_stdout=not (ask.fix and job.text is not None))
    if result.errors:
        return ExitCode.ERROR
    return ExitCode.FOUND if result.findings and not ask.exit_zero else ExitCode.OK


def _complain(result: LintResult) -> None:
    for error in result.errors:
        terminal.complain(f"{error.path}: {error.message}", error.help)
    for note in result.notes:
        terminal.say(f"note: {note}")


def _report(result: LintResult, known: dict[str, bytes], ask: _Ask, fixed: int, *, to_stdout: bool) -> None:
    from agraph_cli.report.lint.formats import lines
    from agraph_cli.report.lint.model import LintReport
    from agraph_cli.report.lint.summary import summary

    form = ask.form()
    report = LintReport(
        result,
        _sources(result, known) if form.needs_sources else {},
        terminal.style_for(ask.color, ask.output),
        unsafe=ask.unsafe,
    )
    if to_stdout or ask.output not in {None, "-"}:
        terminal.write(lines(form, report), ask.output)
    else:  # standard output is the fixed text
        for line in lines(form, report):
            terminal.say(line)
    if form.for_people and (result.checked or not result.errors):
        terminal.say(summary(report, fixed))


def _show_changes(result: LintResult, planned: Plan, ask: _Ask) -> int:
    from agraph_cli.commands.fixing import unified
    from agraph_cli.report.lint.diff import diff
    from agraph_cli.report.lint.summary import would_fix

    _complain(result)
    style = terminal.style_for(ask.color, ask.output)
    changes = planned.changes
    terminal.write((line for change in unified(changes) for line in diff(*change, style)), ask.output)
    if result.checked or not result.errors:
        fixed = sum(change.fixed for change in changes)
        terminal.say(would_fix(fixed, len(changes), result.findings, unsafe=ask.unsafe))
    if result.errors:
        return ExitCode.ERROR
    return ExitCode.FOUND if changes and not ask.exit_zero else ExitCode.OK


def _sources(result: LintResult, known: dict[str, bytes]) -> dict[str, Source]:
    places = {finding.path for finding in result.findings}
    places |= {related.path for finding in result.findings for related in finding.related}
    sources = {}
    for path in sorted(places):
        try:
            sources[path] = _source(known[path] if path in known else _content(path))
        except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
            continue  # a finding without an excerpt is better than none
    return sources


def _content(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def _source(data: bytes) -> Source:
    import io
    import tokenize

    from agraph_cli.report.lint.model import Source

    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return Source(data.decode(encoding))
