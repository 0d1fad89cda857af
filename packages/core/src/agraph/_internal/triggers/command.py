"""The command line of `python -m agraph`."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from agraph._internal.errors import AgraphError
from agraph._internal.triggers.install import install
from agraph._internal.triggers.program import run_module, run_script, source_of
from agraph._internal.version import __version__

USAGE = """\
Usage: python -m agraph run [OPTIONS] SCRIPT [ARGS]...
       python -m agraph run [OPTIONS] -m MODULE [ARGS]...

Run a program as `python SCRIPT` or `python -m MODULE` does, and let it write
snapshots of what its asyncio tasks wait for.

Options, each with the environment variable that does the same:
  --signal NAME        Write a snapshot at this signal, such as USR2.
                       AGRAPH_SIGNAL
  --socket on|PATH     Answer on a Unix socket, in its usual place or at a path.
                       AGRAPH_SOCKET
  --stall-after S      Write a snapshot when a loop has not turned for S seconds
                       or tasks of a deadlock have not moved.
                       AGRAPH_STALL_AFTER
  --directory DIR      Where snapshots are written, without it the current one.
                       AGRAPH_DIRECTORY
  --max-files N        How many snapshots are kept there, without it 50.
                       AGRAPH_MAX_FILES
  -h, --help           Show this message and exit.
  --version            Show the version and exit.

Without --signal, --socket and --stall-after: the signal USR2 and the socket.

Examples:
  python -m agraph run app.py
  python -m agraph run --stall-after 5 -m uvicorn app:app
"""
_OPTIONS = {
    "--signal": "signal",
    "--socket": "socket",
    "--stall-after": "stall_after",
    "--directory": "directory",
    "--max-files": "max_files",
}


def main() -> None:
    """Run the command line."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(USAGE)
        return
    if arguments[0] == "--version":
        sys.stdout.write(f"agraph {__version__}\n")
        return
    if arguments[0] != "run":
        _fail(
            f"python -m agraph has no command {arguments[0]!r}, only `run`",
            "analyze, capture, lint and more come with agraph-cli: python -m pip install agraph-cli",
        )
    _run(arguments[1:])


def _run(arguments: list[str]) -> None:
    given, rest = _options(arguments)
    if given is None:
        sys.stdout.write(USAGE)
        return
    is_module = rest[:1] == ["-m"]
    rest = rest[is_module:]
    if not rest:
        what = "-m needs the name of a module" if is_module else "no program is named"
        _fail(f"python -m agraph run: {what}", "give a script, or -m and a module")
    name, *further = rest
    try:
        source = None if is_module else source_of(name)
    except OSError as error:
        _fail(f"can't open file {name!r}: {error.strerror}", "give the path of a script, or -m and a module")
    try:
        install(**given)  # words, which are understood as those of the environment are
    except AgraphError as error:
        _fail(error.message, error.help)
    if is_module:
        run_module(name, further)
    else:
        run_script(name, source, further)


def _options(arguments: list[str]) -> tuple[dict[str, Any] | None, list[str]]:
    """The options, and the program with its arguments; None for the options where help is asked for."""
    given: dict[str, Any] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "-m"):
        word, has_value, value = rest.pop(0).partition("=")
        if word == "--":
            break
        if word in ("-h", "--help"):
            return None, []
        if word not in _OPTIONS:
            _fail(f"python -m agraph run: there is no option {word}", "see `python -m agraph --help`")
        if not has_value:
            if not rest:
                _fail(f"python -m agraph run: {word} needs a value", "see `python -m agraph --help`")
            value = rest.pop(0)
        given[_OPTIONS[word]] = value
    return given, rest


def _fail(message: str, hint: str = "") -> NoReturn:
    sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
    sys.exit(2)
