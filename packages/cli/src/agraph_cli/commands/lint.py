"""`agraph lint`: find untracked futures and waits that can deadlock in source code."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.commands import lint_options as options
from agraph_cli.commands.evidence import EvidenceOption, ranked
from agraph_cli.commands.page import ColorOption, OutputOption, epilog
from agraph_cli.errors import CommandError
from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from agraph_cli.commands.baseline import Baseline
    from agraph_cli.commands.evidence import Ranked
    from agraph_cli.commands.fixing import Plan
    from agraph_cli.commands.linting import Job
    from agraph_cli.report.lint.formats import Format
    from agraph_cli.report.lint.model import Source
    from agraph_static import Finding, LintResult

SHORT = "Find untracked futures and risky waits."
EPILOG = epilog(
    """
    agraph lint src/
    agraph lint --diff src/
    agraph lint --select AG101 --format json src/ -o findings.json
    agraph lint src/ --evidence snapshot.json
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
    baseline: options.Baseline = None,
    update_baseline: options.UpdateBaseline = False,
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
    evidence: EvidenceOption = None,
    exit_zero: options.ExitZero = False,
    output: OutputOption = None,
    color: ColorOption = "auto",
) -> int:
    """Find untracked futures and waits that can deadlock in source code."""
    from agraph_cli.commands.linting import Job, run

    ask = _Ask(
        format_,
        statistics,
        fix,
        unsafe_fixes,
        diff,
        exit_zero,
        output,
        color,
        baseline,
        update_baseline,
        tuple(evidence or ()),
    )
    ask.check(paths or [])
    known = ask.known()
    given = [stdin_filename if path == "-" else path for path in paths or ["."]]
    overrides = options.Overrides(select, ignore, extend_select, min_confidence, force_exclude)
    groups = options.settings(given, config, isolated=isolated)
    job = Job(
        tuple(path for path in paths or ["."] if path != "-"),
        tuple((overrides.on(one), held) for one, held in groups),
        stdin_filename,
        sys.stdin.buffer.read() if "-" in (paths or []) else None,
        jobs,
        None if no_cache else options.cache_folder(given),
    )
    return _tell(run(job), job, ask, known)


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
    baseline: str | None
    update: bool
    evidence: tuple[str, ...]

    def check(self, paths: list[str]) -> None:
        """Refuse what does not go together."""
        from agraph_cli.report.lint.formats import FORMATS

        if self.statistics and self.format and not FORMATS[self.format].for_people:
            raise CommandError(
                "--statistics goes with a text format",
                hint="count `code` in the JSON instead" if self.format == "json" else "leave out --format",
            )
        if self.update and self.baseline is None:
            raise CommandError("--update-baseline needs a file to write", hint="name it with --baseline FILE")
        if self.update and self.diff:
            raise CommandError(
                "--diff writes nothing, no baseline either", hint="leave out --update-baseline"
            )
        if self.diff and (self.format or self.statistics):
            raise CommandError(
                "--diff shows changes, not findings", hint="leave out --format and --statistics"
            )
        if self.evidence and (self.fix or self.diff or self.update or self.statistics or "-" in paths):
            raise CommandError(
                "--evidence sorts what is found in files",
                hint="leave out - and --fix, --diff, --update-baseline and --statistics",
            )
        if (self.fix or self.diff) and "-" in paths and len(paths) > 1:
            raise CommandError("--fix and --diff take either - or files", hint="run agraph lint twice")

    def known(self) -> Baseline | None:
        """The baseline, read before the work begins."""
        if self.baseline is None:
            return None
        from agraph_cli.commands.baseline import load

        return load(self.baseline, may_be_missing=self.update)

    def form(self) -> Format:
        """The format."""
        from agraph_cli.report.lint.formats import FORMATS, STATISTICS

        to_terminal = self.output in {None, "-"} and terminal.is_terminal(sys.stdout)
        return (
            STATISTICS if self.statistics else FORMATS[self.format or ("full" if to_terminal else "concise")]
        )


def _tell(result: LintResult, job: Job, ask: _Ask, known: Baseline | None) -> int:
    fixed = 0
    texts = {} if job.text is None else {job.name: job.text}
    if ask.fix or ask.diff:
        from agraph_cli.commands import fixing

        planned = fixing.plan(result, job, unsafe=ask.unsafe)
        if ask.diff:
            return _show_changes(fixing.afterwards(result, planned), planned, ask)
        done = planned if job.text is not None else fixing.carry_out(planned)
        result = fixing.afterwards(result, done)
        fixed = sum(change.fixed for change in done.changes)
        texts.update({change.path: change.after for change in done.changes})
        if job.text is not None:
            terminal.write_raw(texts[job.name])
    _complain(result)
    if known is not None and ask.update:
        return _update(known, result, job)
    accepted = None
    if known is not None:
        held = known.sort(result.findings, job.named())
        result, accepted = dataclasses.replace(result, findings=held.new), held.accepted
        for note in held.notes:
            terminal.say(f"note: {note}")
    seen = ranked(result, ask.evidence, job.paths)
    _report(seen, accepted, texts, ask, fixed, to_stdout=not (ask.fix and job.text is not None))
    if result.errors or seen.failed:
        return ExitCode.ERROR
    return ExitCode.FOUND if result.findings and not ask.exit_zero else ExitCode.OK


def _update(known: Baseline, result: LintResult, job: Job) -> int:
    from agraph_cli.analysis.names import plural

    if result.errors:
        raise CommandError(
            f"{known.file} was not written: not everything could be read", hint="see the errors above"
        )
    known.update(result.findings, job.named())
    terminal.say(f"Wrote {plural(len(result.findings), 'known problem')} to {known.file}.")
    return ExitCode.OK


def _complain(result: LintResult) -> None:
    for error in result.errors:
        terminal.complain(f"{error.path}: {error.message}", error.help)
    for note in result.notes:
        terminal.say(f"note: {note}")


def _report(
    seen: Ranked,
    accepted: tuple[Finding, ...] | None,
    texts: dict[str, bytes],
    ask: _Ask,
    fixed: int,
    *,
    to_stdout: bool,
) -> None:
    from agraph_cli.report.lint.formats import lines
    from agraph_cli.report.lint.model import LintReport
    from agraph_cli.report.lint.summary import summary

    form, result = ask.form(), seen.result
    report = LintReport(
        result,
        _sources((*result.findings, *(accepted or ())), texts) if form.needs_sources else {},
        terminal.style_for(ask.color, ask.output),
        ask.unsafe,
        accepted,
        seen.evidence,
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


def _sources(findings: tuple[Finding, ...], known: dict[str, bytes]) -> dict[str, Source]:
    places = {finding.path for finding in findings}
    places |= {related.path for finding in findings for related in finding.related}
    sources = {}
    for path in sorted(places):
        try:
            sources[path] = _source(known[path] if path in known else _content(path))
        except (OSError, SyntaxError, UnicodeError, LookupError):
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
