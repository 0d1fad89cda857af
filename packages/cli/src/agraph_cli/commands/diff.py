"""`agraph diff`: what changed between two snapshots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agraph_cli import terminal
from agraph_cli.commands.page import ColorOption, OutputOption, epilog
from agraph_cli.errors import CommandError
from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from agraph import Snapshot
    from agraph_cli.analysis.diff import Diff

Format = Literal["full", "json"]
FailOn = Literal["certain", "possible", "never"]

SHORT = "Say what got stuck between two snapshots."
EPILOG = epilog(
    """
    agraph diff before.json after.json
    agraph diff agraph-4711.json agraph-4711-2.json --format json
    """,
    "the second has a deadlock, at or above --fail-on, that the first has not",
)


def diff(
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="A snapshot, or - for standard input.", show_default=False)
    ],
    after: Annotated[
        str,
        typer.Argument(
            metavar="AFTER", help="One of the same process later, or of another.", show_default=False
        ),
    ],
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="List everything, however long.", rich_help_panel="What to report")
    ] = False,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            "--fail-on",
            help="The verdict of new deadlocks from which on to exit with 1.",
            rich_help_panel="What to report",
        ),
    ] = "certain",
    format_: Annotated[
        Format, typer.Option("--format", help="Text for people, or JSON.", rich_help_panel="Output")
    ] = "full",
    output: OutputOption = None,
    color: ColorOption = "auto",
) -> int:
    """Say which tasks are stuck in both of two snapshots, newly stuck, have moved, or are gone."""
    snapshots = _read(before, after)
    if snapshots is None:
        return ExitCode.ERROR
    from agraph_cli.analysis import diff as analysis
    from agraph_cli.report import diff as report

    found = analysis.diff((before, snapshots[0]), (after, snapshots[1]))
    if format_ == "json":
        terminal.write([json.dumps(report.to_json(found), indent=2, allow_nan=False)], output)
    else:
        style = terminal.style_for(color, output, everything=everything)
        terminal.write(report.full(found, style), output)
    return _exit_code(found, fail_on)


def _read(before: str, after: str) -> tuple[Snapshot, Snapshot] | None:
    """Both snapshots; None when one cannot be read, which has been said then."""
    from agraph_cli.commands.reading import read

    if before == after == "-":
        raise CommandError("standard input is one snapshot, not two", hint="name a file for the other")
    both = []
    for argument in (before, after):
        found = read([argument])
        for error in found.errors:
            terminal.complain(f"{error['path']}: {error['message']}", error["help"])
        if len(found.snapshots) > 1:
            raise CommandError(
                f"{argument}: there are {len(found.snapshots)} snapshots",
                hint="name two files; `agraph analyze` takes any number",
            )
        both += [] if found.errors else [snapshot for _, snapshot in found.snapshots]
    return (both[0], both[1]) if len(both) == 2 else None


def _exit_code(found: Diff, fail_on: FailOn) -> ExitCode:
    bad = {"certain": {"certain"}, "possible": {"certain", "possible"}, "never": set[str]()}[fail_on]
    return ExitCode.FOUND if any(one.certainty in bad for one in found.new_deadlocks) else ExitCode.OK
