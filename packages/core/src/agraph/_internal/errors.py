"""The errors that agraph raises on purpose."""

from __future__ import annotations


class AgraphError(Exception):
    """Base of all errors of agraph. `help` says what to do next; it may be empty."""

    def __init__(self, message: str, *, help: str = "") -> None:  # noqa: A002 - the word users look for
        super().__init__(message)
        self.message = message
        self.help = help


class SnapshotError(AgraphError):
    """A file or object is no snapshot that this version can read.

    Attributes:
        path: Place in the document, such as `$.nodes.task.need[3]`; empty when the whole is meant.
    """

    def __init__(self, message: str, *, path: str = "", help: str = "") -> None:  # noqa: A002
        super().__init__(f"at {path}: {message}" if path else message, help=help)
        self.path = path
