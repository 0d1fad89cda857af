"""`agraph demo`: a program that really hangs, captured, explained and linted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.commands.page import ColorOption, epilog
from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agraph_cli.analysis.model import SnapshotAnalysis
    from agraph_cli.report.style import Style

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
    terminal.write(_linted(one, PROGRAM, style))
    terminal.write(_next(style))


def _captured(pid: int, one: SnapshotAnalysis, style: Style) -> Iterator[str]:
    from agraph_cli.analysis.hybrid import link
    from agraph_cli.analysis.linting import Linter
    from agraph_cli.analysis.model import Analysis
    from agraph_cli.analysis.source_tree import SourceTree
    from agraph_cli.demo.hung import PROGRAM
    from agraph_cli.report.full import full

    folder = str(PROGRAM.parent)
    capture = one.snapshot.capture
    yield f"This program hangs: {PROGRAM}"
    yield f"It runs as process {pid}. A thread in it, not its event loop, captured a snapshot; that took"
    yield f"{capture.pause_ms:.1f} ms. This is what `agraph analyze snapshot.json --source .` prints:"
    yield ""
    yield from full(Analysis((link(one, Linter(SourceTree([folder]), folder)),)), style)


def _linted(one: SnapshotAnalysis, program: Path, style: Style) -> Iterator[str]:
    from agraph_cli.analysis.evidence import Collector
    from agraph_cli.analysis.source_tree import SourceTree
    from agraph_cli.report.lint.full import lines
    from agraph_cli.report.lint.model import LintReport, Source
    from agraph_static import LintConfig, lint_paths

    result = lint_paths([str(program)], LintConfig())
    collector = Collector(result.findings, SourceTree([str(program)]))
    collector.add("snapshot.json", one.snapshot)
    yield ""
    yield f"And this is what `agraph lint {program.name} --evidence snapshot.json` says about its source:"
    yield ""
    sources = {str(program): Source(program.read_text(encoding="utf-8"))}
    yield from lines(LintReport(result, sources, style, evidence=collector.evidence()))


def _next(style: Style) -> Iterator[str]:
    yield style.paint("For a program of your own:", "strong")
    yield "  agraph capture PID     while it hangs: Python 3.14, or started by `agraph run`"
    yield "  agraph analyze snapshot.json   what `agraph.capture().save('snapshot.json')` wrote in it"
    yield "  agraph lint src/"
