"""`agraph run`: a program, with what makes it write snapshots installed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from agraph_cli.errors import CommandError

SHORT = "Run a program that can be asked for snapshots."
EPILOG = """\
Examples:
  agraph run app.py
  agraph run -m uvicorn app:app
  agraph run --stall-after 5 -- uvicorn app:app --port 8000

Exit codes:
  that of the program; 2 when it could not be started"""
# What follows the program is the program's.
CONTEXT = {"allow_interspersed_args": False}


def run(
    program: Annotated[
        list[str],
        typer.Argument(
            metavar="PROGRAM",
            show_default=False,
            help="A script, an installed command such as uvicorn, or python; and its arguments.",
        ),
    ],
    *,
    module: Annotated[
        bool, typer.Option("-m", help="PROGRAM is a module, to run as python -m does.", show_default=False)
    ] = False,
    signal: Annotated[
        str | None,
        typer.Option(
            "--signal", metavar="NAME", help="Write a snapshot at this signal, such as USR2.  [AGRAPH_SIGNAL]"
        ),
    ] = None,
    socket: Annotated[
        str | None,
        typer.Option(
            "--socket",
            metavar="on|PATH",
            help="Answer on a Unix socket, in its usual place or at a path.  [AGRAPH_SOCKET]",
        ),
    ] = None,
    stall_after: Annotated[
        str | None,
        typer.Option(
            "--stall-after",
            metavar="SECONDS",
            help="Write a snapshot when a loop has not turned for so long, or tasks of a deadlock have not "
            "moved.  [AGRAPH_STALL_AFTER]",
        ),
    ] = None,
    directory: Annotated[
        str | None,
        typer.Option(
            "--directory",
            metavar="DIR",
            help="Where snapshots are written; without it, the current one.  [AGRAPH_DIRECTORY]",
        ),
    ] = None,
    max_files: Annotated[
        str | None,
        typer.Option(
            "--max-files", metavar="N", help="How many are kept there; without it, 50.  [AGRAPH_MAX_FILES]"
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(
            "--python",
            metavar="PATH",
            help="The interpreter; without it, the one that the command names or that of the active "
            "environment.",
        ),
    ] = None,
) -> None:
    """Run a program as it would run without agraph, and let it write snapshots.

    Without --signal, --socket and --stall-after it does so at the signal USR2, and answers `agraph capture`
    on a socket. Its output, its exit code and its tracebacks are its own.
    """
    from agraph_cli.commands.launching import check, launch_of

    launch = launch_of(program, python, is_module=module)
    check(launch)
    given = {
        "--signal": signal,
        "--socket": socket,
        "--stall-after": stall_after,
        "--directory": directory,
        "--max-files": max_files,
    }
    options = {name: value for name, value in given.items() if value is not None}
    # In its environment as well: there `agraph capture` finds them, and processes that it starts.
    variables = {f"AGRAPH_{name[2:].upper().replace('-', '_')}": value for name, value in options.items()}
    words = [f"{name}={value}" for name, value in options.items()]
    _become(launch.command(words), {**os.environ, **variables})


def _become(command: list[str], environment: dict[str, str]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # `exec` there starts a second process, and the shell does not wait for it
        raise typer.Exit(subprocess.call(command, env=environment))  # noqa: S603 - the program that was asked for
    try:
        os.execve(command[0], command, environment)  # noqa: S606
    except OSError as error:
        raise CommandError(f"{command[0]} cannot be started: {error.strerror}") from None
