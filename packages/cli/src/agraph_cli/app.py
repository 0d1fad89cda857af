"""The commands, put together, and what happens when one fails."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Annotated

import typer

from agraph_cli import __version__, terminal
from agraph_cli.commands import analyze, capture, demo, diff, explain, lint
from agraph_cli.commands import run as run_command
from agraph_cli.commands.page import GroupPage, Page, epilog
from agraph_cli.errors import CommandError
from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = epilog(
    """
    agraph demo
    agraph capture 4711
    agraph analyze snapshot.json
    agraph lint src/
    """,
    "findings or a deadlock",
)

app = typer.Typer(
    cls=GroupPage,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)
app.command(cls=Page, epilog=demo.EPILOG, short_help=demo.SHORT)(demo.demo)
app.command(cls=Page, epilog=capture.EPILOG, short_help=capture.SHORT, no_args_is_help=True)(capture.capture)
app.command(
    cls=Page,
    epilog=run_command.EPILOG,
    short_help=run_command.SHORT,
    no_args_is_help=True,
    context_settings=run_command.CONTEXT,
)(run_command.run)
app.command(cls=Page, epilog=analyze.EPILOG, short_help=analyze.SHORT, no_args_is_help=True)(analyze.analyze)
app.command(cls=Page, epilog=diff.EPILOG, short_help=diff.SHORT, no_args_is_help=True)(diff.diff)
app.command(cls=Page, epilog=lint.EPILOG, short_help=lint.SHORT)(lint.lint)
app.command(cls=Page, epilog=explain.EPILOG, short_help=explain.SHORT, no_args_is_help=True)(explain.explain)


def _version(wanted: bool) -> None:
    if wanted:
        terminal.write([f"agraph {__version__}"])
        raise typer.Exit


@app.callback()
def agraph(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Find out why an asyncio program hangs, and lint what would make it hang."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code.
    """
    try:
        code = app(list(arguments), prog_name="agraph", standalone_mode=False)
        return int(code or ExitCode.OK)
    except CommandError as error:
        terminal.complain(error.message, error.hint)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _usage_error(error) if hasattr(error, "format_message") else _bug(error)


def _usage_error(error: Exception) -> int:
    # The framework's own errors: which class they have depends on its version, what they can do does not.
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "agraph"
    message = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        terminal.say(message)
    else:
        message = message.replace("Value error, ", "")  # pydantic's prefix
        message = message[:1].lower() + message[1:].rstrip(".")
        terminal.complain(message, f"see `{command} --help`")
    return ExitCode.ERROR


def _bug(error: Exception) -> int:
    if os.environ.get("AGRAPH_DEBUG", "0") not in {"", "0"}:
        terminal.say("".join(traceback.format_exception(error)).rstrip())
    terminal.complain(
        f"{type(error).__name__}: {error}; this is a bug in agraph",
        "run it again with AGRAPH_DEBUG=1 and report what it prints",
    )
    return ExitCode.ERROR
