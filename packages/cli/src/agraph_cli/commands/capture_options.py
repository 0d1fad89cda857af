"""The options of `agraph capture`."""

from __future__ import annotations

from typing import Annotated

import typer

from agraph_cli.attach.model import Via

_WHICH, _HOW, _OUT = "Which processes", "How", "Output"

Pids = Annotated[
    list[int] | None, typer.Argument(metavar="PID", help="Process ids.", min=1, show_default=False)
]
Everything = Annotated[
    bool,
    typer.Option("--all", help="Every Python process of yours that uses asyncio.", rich_help_panel=_WHICH),
]
Children = Annotated[
    bool, typer.Option("--children", help="Also what these have started: workers.", rich_help_panel=_WHICH)
]
PidFiles = Annotated[
    list[str] | None,
    typer.Option("--pid-file", metavar="FILE", help="Read a process id from a file.", rich_help_panel=_WHICH),
]
Way = Annotated[Via, typer.Option("--via", help="The way to reach them.", rich_help_panel=_HOW)]
Socket = Annotated[
    str | None,
    typer.Option(
        "--socket", metavar="PATH", help="The socket of the process; needs no PID.", rich_help_panel=_HOW
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", help="How long to wait for an answer.", min=0.1, rich_help_panel=_HOW
    ),
]
Nudge = Annotated[
    bool,
    typer.Option("--nudge/--no-nudge", help="Whether to wake a process that sleeps.", rich_help_panel=_HOW),
]
MaxTasks = Annotated[
    int | None,
    typer.Option("--max-tasks", metavar="N", help="How many tasks to describe.", min=1, rich_help_panel=_HOW),
]
MaxSeconds = Annotated[
    float,
    typer.Option(
        "--max-seconds", metavar="SECONDS", help="How long a capture may take.", min=0.1, rich_help_panel=_HOW
    ),
]
Prove = Annotated[
    bool,
    typer.Option(
        "--prove",
        help="Prove that nobody alive can free what tasks wait for; a longer pause.",
        rich_help_panel=_HOW,
    ),
]
Locals = Annotated[
    bool,
    typer.Option("--locals", help="Read local variables, too.", rich_help_panel=_HOW),
]
Every = Annotated[
    str | None,
    typer.Option("--every", metavar="TIME", help="Again and again, such as 2s.", rich_help_panel=_HOW),
]
Count = Annotated[
    int | None,
    typer.Option("--count", metavar="N", help="How often; 10 with --every.", min=1, rich_help_panel=_HOW),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="A file or folder instead of agraph-PID.json; - for standard output.",
        rich_help_panel=_OUT,
    ),
]
Analyze = Annotated[
    bool, typer.Option("--analyze/--no-analyze", help="Whether to print the verdict.", rich_help_panel=_OUT)
]
