"""Find the interpreter that runs a program, and what it has to be given."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from agraph_cli.errors import CommandError

_INTERPRETER = re.compile(r"(python|pypy)[0-9.]*t?(\.exe)?")
_CHECK_S = 60
_MAX_LINE = 4096


class Launch(NamedTuple):
    """How to start a program.

    Attributes:
        python: The interpreter.
        options: Its own options.
        target: A script or `-m` and a module, and the program's arguments.
    """

    python: str
    options: tuple[str, ...]
    target: tuple[str, ...]

    def command(self, options: list[str]) -> list[str]:
        """The command line that runs the program with triggers.

        Args:
            options: Those of `python -m agraph run`.
        """
        return [self.python, *self.options, "-m", "agraph", "run", *options, "--", *self.target]


def launch_of(words: list[str], python: str | None = None, *, is_module: bool = False) -> Launch:
    """Find out how to start a program.

    Args:
        words: The program and its arguments.
        python: The interpreter that was asked for; None to choose one.
        is_module: Whether the program is a module, by its name.

    Returns:
        How to start it.

    Raises:
        CommandError: There is no such program, or it is not one of Python.
    """
    if is_module:
        return Launch(python or _default_python(), (), ("-m", *words))
    program, *arguments = words
    if _INTERPRETER.fullmatch(os.path.basename(program)):  # noqa: PTH119
        return _of_interpreter(program, arguments)
    path = program if os.sep in program else shutil.which(program)
    if program.endswith((".py", ".pyz", ".zip")) or path is None:
        path = program
    if not Path(path).exists():
        raise CommandError(
            f"there is no program {program!r}, neither as a file nor on PATH",
            hint="give a script, -m and a module, or an installed command",
        )
    if path.endswith((".py", ".pyz", ".zip")) or Path(path).is_dir():
        return Launch(python or _default_python(), (), (path, *arguments))
    found, options = _first_line(path)
    return Launch(python or found, options, (path, *arguments))


def check(launch: Launch) -> None:
    """Make sure that the interpreter has agraph.

    Args:
        launch: What is to be started.

    Raises:
        CommandError: It has not, or cannot be started.
    """
    if launch.python == sys.executable:
        return
    question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('agraph') is None)"
    try:
        code = subprocess.run(  # noqa: S603 - the interpreter that runs the program anyway
            [launch.python, *launch.options, "-c", question],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_CHECK_S,
            check=False,
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{launch.python} cannot be started: {error}") from None
    if code:
        raise CommandError(
            f"{launch.python}, which runs this program, has no agraph",
            hint=f"{shlex.quote(launch.python)} -m pip install agraph-core",
        )


def _default_python() -> str:
    """The interpreter of the environment that is active; without one, the one that runs us."""
    environment = os.environ.get("VIRTUAL_ENV")
    found = shutil.which("python", path=str(Path(environment, "bin"))) if environment else None
    return found or sys.executable


def _of_interpreter(program: str, arguments: list[str]) -> Launch:
    """`python [OPTIONS] script.py ARGS` and `python [OPTIONS] -m module ARGS`."""
    python = shutil.which(program)
    if python is None:
        raise CommandError(f"there is no interpreter {program!r} on PATH")
    rest = list(arguments)
    options: list[str] = []
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        option = rest.pop(0)
        if option == "-" or "c" in option.partition("=")[0].strip("-")[:2]:
            raise CommandError(
                f"{program} {option} runs no file: nothing of it could be watched from its start",
                hint="put the program into a file, or run it with -m",
            )
        options.append(option)
        if option in ("-W", "-X", "--check-hash-based-pycs") and rest:
            options.append(rest.pop(0))
    if not rest or rest == ["-m"]:
        raise CommandError(
            f"{program} is given no program to run", hint=f"try `agraph run -- {program} app.py`"
        )
    return Launch(python, tuple(options), tuple(rest))


def _first_line(path: str) -> tuple[str, tuple[str, ...]]:
    """The interpreter that the first line of a script names, and its options."""
    try:
        with Path(path).open("rb") as file:
            lines = [os.fsdecode(file.readline(_MAX_LINE)) for _ in range(2)]
        words = shlex.split(lines[0][2:]) if lines[0].startswith("#!") else []
        if words and os.path.basename(words[0]) == "sh":  # noqa: PTH119
            # What installers write where the path is too long for a first line: '''exec' PYTHON "$0" "$@"
            words = [word for word in shlex.split(lines[1]) if word not in ("exec", "$0", "$@")]
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    if words and os.path.basename(words[0]) == "env":  # noqa: PTH119
        words = [word for word in words[1:] if word != "-S"]
    python = shutil.which(words[0]) if words else None
    if python is None or not _INTERPRETER.fullmatch(os.path.basename(words[0])):  # noqa: PTH119
        raise CommandError(
            f"{path} is no Python program: its first line names no Python interpreter that is there",
            hint="run it as a script (agraph run app.py), as a module (-m), or name the interpreter: "
            f"agraph run -- python {path}",
        )
    return python, tuple(words[1:])
