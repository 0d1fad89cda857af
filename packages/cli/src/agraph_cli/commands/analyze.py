"""`agraph analyze`: say of each task in a snapshot whether it can ever go on."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agraph_cli import terminal
from agraph_cli.commands.page import ColorOption, OutputOption, epilog
from agraph_cli.errors import CommandError
from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.analysis.model import Analysis
    from agraph_cli.commands.reading import Read
    from agraph_cli.report.style import Style

Format = Literal["full", "json"]
FailOn = Literal["certain", "possible", "never"]

SHORT = "Say which tasks of a snapshot can never go on."
EPILOG = epilog(
    """
    agraph analyze snapshot.json
    agraph analyze snapshots/ --format json -o report.json
    agraph analyze snapshot.json --task http-17
    """,
    "a deadlock, at or above --fail-on",
)


def analyze(
    snapshots: Annotated[
        list[str],
        typer.Argument(metavar="SNAPSHOT", help="Files, folders, glob patterns, or - for standard input."),
    ],
    *,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="Show one task only.", rich_help_panel="What to report"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List everything, however long.", rich_help_panel="What to report")
    ] = False,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            "--fail-on", help="The verdict from which on to exit with 1.", rich_help_panel="What to report"
        ),
    ] = "certain",
    format_: Annotated[
        Format, typer.Option("--format", help="Text for people, or JSON.", rich_help_panel="Output")
    ] = "full",
    output: OutputOption = None,
    color: ColorOption = "auto",
) -> int:
    """Say of each task in a snapshot whether it can ever go on, and what keeps it."""
    from agraph_cli.commands.reading import read

    if task is not None and format_ != "full":
        raise CommandError(
            "--task goes with --format full only", hint="the JSON lists every task under `tasks`"
        )
    found = read(snapshots)
    analysis = _analyze(found)
    for error in found.errors:
        terminal.complain(f"{error['path']}: {error['message']}", error["help"])
    if format_ == "json":
        from agraph_cli.report.json_ import to_json

        terminal.write([json.dumps(to_json(analysis, found.errors), indent=2)], output)
    elif analysis.snapshots:
        style = terminal.style_for(color, output, everything=everything)
        terminal.write(_text(analysis, task, style), output)
    return _exit_code(analysis, found, fail_on)


def _analyze(found: Read) -> Analysis:
    from agraph import SnapshotError
    from agraph_cli.analysis.judge import analyze_one
    from agraph_cli.analysis.model import Analysis

    done = []
    for path, snapshot in found.snapshots:
        try:
            done.append(analyze_one(snapshot, path))
        except SnapshotError as error:
            found.fail(path, str(error), error.help)
    return Analysis(tuple(done))


def _text(analysis: Analysis, task: str | None, style: Style) -> Iterator[str]:
    from agraph_cli.analysis.trace import find_tasks
    from agraph_cli.report.full import full
    from agraph_cli.report.task import task_report

    if task is None:
        return full(analysis, style)
    places = [(one, index) for one in analysis.snapshots for index in find_tasks(one, task)]
    if not places:
        raise CommandError(f"no task is called {task!r}", hint=_near_tasks(analysis, task))
    return (line for one, index in places[: style.limit] for line in task_report(one, index, style))


def _near_tasks(analysis: Analysis, name: str) -> str:
    names = sorted({node.name for one in analysis.snapshots for node, _ in one.tasks()})
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"did you mean {' or '.join(repr(one) for one in near)}?"
    return f"tasks are called {', '.join(repr(one) for one in names[:5])}{' ...' if len(names) > 5 else ''}"


def _exit_code(analysis: Analysis, found: Read, fail_on: FailOn) -> ExitCode:
    if found.errors:
        return ExitCode.ERROR
    bad = {"certain": {"certain"}, "possible": {"certain", "possible"}, "never": set()}[fail_on]
    return ExitCode.FOUND if analysis.verdict in bad else ExitCode.OK
