"""`agraph demo`: a program that really hangs, captured, explained and linted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.commands.page import ColorOption, epilog
from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph import Node
    from agraph_cli.analysis.model import SnapshotAnalysis
    from agraph_cli.report.style import Style
    from agraph_static import Finding, LintResult

SHORT = "Run a program that hangs, and explain it."
EPILOG = epilog("agraph demo")


def demo(color: ColorOption = "auto") -> None:
    """Run a program that really hangs, capture it, say why it hangs, and lint its source.

    Takes a few seconds, needs no network, and changes nothing on this machine.
    """
    from agraph_cli.demo.hung import PROGRAM, DemoError, hung_program

    style = dataclasses.replace(terminal.style_for(color), root=str(PROGRAM.parent))
    try:
        with hung_program() as (pid, one):
            terminal.write(_captured(pid, one, style))
    except DemoError as error:
        raise CommandError(
            f"the demonstration failed: {error}", hint="report this, it is a bug in agraph"
        ) from None
    result = _lint(str(PROGRAM))
    terminal.write(_linted(result, PROGRAM.read_text(encoding="utf-8"), style))
    terminal.write(_untracked(one, result.findings, style))
    terminal.write(_next(style))


def _captured(pid: int, one: SnapshotAnalysis, style: Style) -> Iterator[str]:
    from agraph_cli.analysis.model import Analysis
    from agraph_cli.demo.hung import PROGRAM
    from agraph_cli.report.full import full

    capture = one.snapshot.capture
    yield f"This program hangs: {PROGRAM}"
    yield f"It runs as process {pid}. A thread in it, not its event loop, captured a snapshot; that took"
    yield f"{capture.pause_ms:.1f} ms. This is what `agraph analyze snapshot.json` prints:"
    yield ""
    yield from full(Analysis((one,)), style)


def _lint(path: str) -> LintResult:
    from agraph_static import LintConfig, lint_paths

    return lint_paths([path], LintConfig())


def _linted(result: LintResult, text: str, style: Style) -> Iterator[str]:
    from agraph_cli.report.lint.full import lines
    from agraph_cli.report.lint.model import LintReport, Source

    yield ""
    yield "And this is what `agraph lint bank.py` says about its source:"
    yield ""
    sources = {finding.path: Source(text) for finding in result.findings}
    yield from lines(LintReport(result, sources, style))


def _untracked(one: SnapshotAnalysis, findings: tuple[Finding, ...], style: Style) -> Iterator[str]:
    """Join what the snapshot cannot know with the line that hides it."""
    from agraph_cli.analysis.names import user_site
    from agraph_cli.report.sentences import Sentences

    say = Sentences(one, style)
    for future, task in _open_futures(one):
        site = user_site(one.snapshot, task)
        blamed = [finding for finding in findings if site and finding.function == site.function]
        if site and blamed:
            hidden, rule, line = say.label(future), blamed[0].code, blamed[0].span.line
            yield f"The two belong together: task {say.label(task)} waits for {hidden}, and who completes"
            yield f"that is at best inferred, not known. {rule} shows why, in line {line}."
            yield ""


def _open_futures(one: SnapshotAnalysis) -> Iterator[tuple[Node, Node]]:
    """Futures of which no record says who completes them, each with a task that waits for it."""
    nodes = {node.id: node for node in one.snapshot.nodes}
    for edge in one.snapshot.edges:
        waiter, awaited = nodes[edge.waiter], nodes[edge.awaited]
        if waiter.kind == "task" and awaited.kind == "future" and awaited.open:
            yield awaited, waiter


def _next(style: Style) -> Iterator[str]:
    yield style.paint("For a program of your own:", "strong")
    yield "  agraph capture PID     while it hangs: Python 3.14, or started by `agraph run`"
    yield "  agraph analyze snapshot.json   what `agraph.capture().save('snapshot.json')` wrote in it"
    yield "  agraph lint src/"
