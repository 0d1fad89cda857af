"""`agraph analyze`: say of each task in a snapshot whether it can ever go on."""

from __future__ import annotations

import contextlib
import difflib
import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agraph_cli import terminal
from agraph_cli.commands import scheduler_option, source_option
from agraph_cli.commands.page import ColorOption, OutputOption, epilog
from agraph_cli.errors import CommandError
from agraph_cli.exit_codes import ExitCode
from agraph_cli.report.formats import FORMATS, FormatName, help_lines, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.analysis.model import Analysis, SnapshotAnalysis
    from agraph_cli.commands.reading import Failure
    from agraph_cli.report.style import Style

FailOn = Literal["certain", "possible", "never"]

SHORT = "Say which tasks of a snapshot can never go on."
EXAMPLES = """
    agraph analyze snapshot.json
    agraph analyze snapshots/ --format html -o report.html
    agraph analyze snapshot.json --task http-17
    agraph analyze snapshot.json --source src/
    """
EPILOG = f"{help_lines()}\n\n{epilog(EXAMPLES, 'a deadlock, at or above --fail-on')}"


def analyze(
    snapshots: Annotated[
        list[str],
        typer.Argument(
            metavar="SNAPSHOT", help="Files, folders, glob patterns, URLs, or - for standard input."
        ),
    ],
    *,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="Show one task only.", rich_help_panel="What to report"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List everything, however long.", rich_help_panel="What to report")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            metavar="N",
            help="List so many of each; what is left out is counted.",
            rich_help_panel="What to report",
        ),
    ] = None,
    source: source_option.SourceOption = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            "--fail-on", help="The verdict from which on to exit with 1.", rich_help_panel="What to report"
        ),
    ] = "certain",
    format_: Annotated[
        FormatName,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="What the report looks like; the formats are listed below.",
            rich_help_panel="Output",
        ),
    ] = "full",
    output: OutputOption = None,
    color: ColorOption = "auto",
    scheduler: scheduler_option.SchedulerOption = None,
) -> int:
    """Say of each task in a snapshot whether it can ever go on, and what keeps it."""
    if task is not None and format_ != "full":
        raise CommandError(
            "--task goes with --format full only", hint="the JSON lists every task under `tasks`"
        )
    joined = source_option.Joined(source)
    with _without_collector():
        analysis, errors = _analyze(snapshots, joined, scheduler)
    joined.tell()
    for error in errors:
        terminal.complain(f"{error['path']}: {error['message']}", error["help"])
    if analysis.snapshots or FORMATS[format_].tells_errors:
        style = terminal.style_for(color, output, everything=everything)
        if not everything:
            style = replace(style, limit=limit or FORMATS[format_].limit)
        if task is not None:
            terminal.write(_one_task(analysis, task, style), output)
        else:
            terminal.write(lines(format_, analysis, style, errors), output)
    return _exit_code(analysis, errors, fail_on)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """All that is read and found stays until the end: looking for garbage in it takes a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _analyze(
    snapshots: list[str], joined: source_option.Joined, scheduler: str | None
) -> tuple[Analysis, list[Failure]]:
    from agraph_cli.analysis.many import together
    from agraph_cli.commands.answers import answer
    from agraph_cli.commands.reading import places

    found = places(snapshots)
    done: list[SnapshotAnalysis] = []
    errors: list[Failure] = []
    for one in map(answer, found) if scheduler is None else scheduler_option.ask(scheduler, list(found)):
        if isinstance(one, dict):
            errors.append(one)
        else:
            done.append(joined.join(one))
    return together(done, joined.analyze), errors


def _one_task(analysis: Analysis, task: str, style: Style) -> Iterator[str]:
    from agraph_cli.analysis.trace import find_tasks
    from agraph_cli.report.task import task_report

    places = [(one, index) for one in analysis.snapshots for index in find_tasks(one, task)]
    if not places:
        raise CommandError(f"no task is called {task!r}", hint=_near_tasks(analysis, task))
    across = analysis.across
    return (line for one, index in places[: style.limit] for line in task_report(one, index, style, across))


def _near_tasks(analysis: Analysis, name: str) -> str:
    names = sorted({node.name for one in analysis.snapshots for node, _ in one.tasks()})
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"did you mean {' or '.join(repr(one) for one in near)}?"
    return f"tasks are called {', '.join(repr(one) for one in names[:5])}{' ...' if len(names) > 5 else ''}"


def _exit_code(analysis: Analysis, errors: list[Failure], fail_on: FailOn) -> ExitCode:
    if errors:
        return ExitCode.ERROR
    bad = {"certain": {"certain"}, "possible": {"certain", "possible"}, "never": set()}[fail_on]
    return ExitCode.FOUND if analysis.verdict in bad else ExitCode.OK
