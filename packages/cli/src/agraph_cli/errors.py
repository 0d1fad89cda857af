"""The error that ends a command."""

from __future__ import annotations

from agraph_cli.exit_codes import ExitCode


class CommandError(Exception):
    """Something the person who ran the command can put right.

    Attributes:
        message: What is wrong and where, in one sentence.
        hint: What to do about it; may be empty.
        exit_code: The exit code of the command.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
