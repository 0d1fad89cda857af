"""What a trigger does in the end: write a snapshot, and say in one line where it is."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from agraph._internal.errors import AgraphError
from agraph._internal.triggers.ahead import for_files
from agraph._internal.triggers.say import say

if TYPE_CHECKING:
    from agraph._internal.model import Snapshot
    from agraph._internal.triggers.writer import Writer


class Reporter:
    """Writes snapshots and talks about them. What goes wrong is said, never raised."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._said: set[str] = set()

    def on_demand(self) -> None:
        """Somebody asks for a snapshot, and is told each time what has become of it."""
        try:
            snapshot = self._writer.take()
        except Exception as error:  # noqa: BLE001 - the program goes on whatever happens to its diagnosis
            say(f"no snapshot was taken: {reason_of(error)}")
            return
        self.write(snapshot, count_of(snapshot), again=True)

    def write(self, snapshot: Snapshot, what: str, *, again: bool = False) -> bool:
        """Write a snapshot.

        Args:
            snapshot: The snapshot.
            what: What it shows; the line that says where it is begins with that.
            again: Whether to say what goes wrong even if that was said before.

        Returns:
            Whether it was written.
        """
        try:
            with for_files.given():
                path, why_there = self._writer.write(snapshot)
        except Exception as error:  # noqa: BLE001
            self.complain(f"{what}, but no snapshot was written: {reason_of(error)}", again=again)
            return False
        if why_there:
            self.complain(why_there, again=again)
        say(f"{what}: agraph analyze {shlex.quote(str(path))}")
        return True

    def complain(self, sentence: str, *, again: bool = False) -> None:
        """Say what is wrong, once.

        Args:
            sentence: What to say.
            again: Whether to say it even if it was said before.
        """
        if again or sentence not in self._said:
            self._said.add(sentence)
            say(sentence)


def reason_of(error: BaseException) -> str:
    """An error in words."""
    if isinstance(error, AgraphError):
        return f"{error.message}; {error.help}" if error.help else error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"


def count_of(snapshot: Snapshot) -> str:
    """How many tasks a snapshot has, in words."""
    return count_words(len(snapshot.tasks), "task")


def count_words(count: int, word: str) -> str:
    """A number of things, in words."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
