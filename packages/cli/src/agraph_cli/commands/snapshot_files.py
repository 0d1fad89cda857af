"""Where captured snapshots go, and what they are called."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.commands.reading import PATTERNS, SUFFIXES
from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from agraph import Snapshot


class Place:
    """Where to write.

    What is called by us never replaces a file: the next free of `agraph-4711.json`, `agraph-4711-2.json` ...
    is taken, as an older snapshot may be the one that shows what went wrong.

    Attributes:
        is_stdout: Whether snapshots go to standard output.
    """

    def __init__(self, output: str | None, *, several: bool) -> None:
        """Check that it will be possible to write there: afterwards it is too late.

        Args:
            output: The option: a file, a folder, `-`, or None for the current folder.
            several: Whether there may be more than one snapshot.

        Raises:
            CommandError: It will not be possible.
        """
        self.is_stdout = output == "-"
        self._file: Path | None = None
        self._folder = Path()
        if output is None or self.is_stdout:
            if several and self.is_stdout:
                raise CommandError(
                    "several snapshots do not fit on standard output", hint="name a folder with -o"
                )
        elif output.endswith(SUFFIXES) and not Path(output).is_dir():
            if several:
                raise CommandError(
                    f"several snapshots do not fit into one file, {output}",
                    hint="name a folder with -o: it is made",
                )
            self._file = Path(output)
        else:
            self._folder = self._made(output)
        if not self.is_stdout:
            self._check()

    @staticmethod
    def _made(output: str) -> Path:
        folder = Path(output)
        if folder.suffix and not folder.is_dir() and not output.endswith(os.sep):
            raise CommandError(
                f"{output}: a snapshot is called {PATTERNS}",
                hint=f"for a folder, end its name with {os.sep}",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"cannot make the folder {output}: {error.strerror}") from None
        return folder

    def _check(self) -> None:
        folder = self._file.parent if self._file else self._folder
        if not folder.is_dir():
            raise CommandError(f"the folder {folder} does not exist", hint="name one that does with -o")
        if not os.access(folder, os.W_OK):
            raise CommandError(f"the folder {folder} cannot be written to", hint="name another one with -o")
        zstd = importlib.util.find_spec("compression") is not None  # Python 3.14+
        if self._file and self._file.name.endswith(".zst") and not zstd:
            raise CommandError("this Python cannot write zstd: that needs 3.14 or later", hint="use .json.gz")

    def write(self, snapshot: Snapshot, pid: int) -> str:
        """Write a snapshot, whole or not at all.

        Args:
            snapshot: The snapshot.
            pid: The process it is of, as the user calls it.

        Returns:
            The path; empty for standard output.

        Raises:
            CommandError: It cannot be written.
        """
        if self.is_stdout:
            terminal.write_raw(json.dumps(snapshot.to_dict(), separators=(",", ":")).encode() + b"\n")
            return ""
        path = self._file or self._free(pid)
        try:
            snapshot.save(path)
        except OSError as error:
            raise CommandError(
                f"cannot write {path}: {error.strerror or error}", hint="name a file elsewhere with -o"
            ) from None
        return str(path)

    def _free(self, pid: int) -> Path:
        path, number = self._folder / f"agraph-{pid}.json", 1
        while os.path.lexists(path):  # a link that leads nowhere is not ours to follow either
            number += 1
            path = self._folder / f"agraph-{pid}-{number}.json"
        return path
