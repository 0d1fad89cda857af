"""Errors for people: what is wrong, where, what was expected, what to do next."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration cannot be used.

    Attributes:
        message: What is wrong and where, in one sentence.
        help: What to do about it; may be empty.
    """

    def __init__(self, message: str, *, help: str = "") -> None:  # noqa: A002 - the word of the contract
        super().__init__(message)
        self.message = message
        self.help = help
