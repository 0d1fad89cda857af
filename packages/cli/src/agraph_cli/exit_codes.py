"""What the exit code of `agraph` says."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `agraph`, the same for every command.

    Attributes:
        OK: Nothing was found.
        FOUND: Findings, or a deadlock at or above `--fail-on`.
        ERROR: Wrong usage or configuration, or an input that could not be read; what could be read is still
            reported. Also for a bug in agraph.
        INTERRUPTED: Ctrl-C.
    """

    OK = 0
    FOUND = 1
    ERROR = 2
    INTERRUPTED = 130
