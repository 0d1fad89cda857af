"""Snapshots in files: where they go, what they are called, how many of them stay."""

from __future__ import annotations

import gc
import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agraph._internal.entry import capture
from agraph._internal.errors import AgraphError
from agraph._internal.files import save
from agraph._internal.triggers.places import runtime_directory

if TYPE_CHECKING:
    from agraph._internal.model import Snapshot
    from agraph._internal.triggers.settings import Settings

# Sorted by name they are sorted by time, whichever process wrote them.
_NAME = re.compile(r"agraph-[0-9]{8}T[0-9]{6}Z-[0-9]+-[0-9]+\.json\.gz")
MAX_SECONDS = 60.0


class Writer:
    """Takes snapshots, one at a time, and writes them."""

    def __init__(self, settings: Settings) -> None:
        self._directory = Path(settings.directory) if settings.directory else None
        self._max_files = settings.max_files
        self._busy = threading.Lock()
        self._count = 0
        self._collected: bool | None = None

    def take(
        self,
        max_tasks: int | None = None,
        max_seconds: float | None = None,
        prove: bool = False,
        with_locals: bool = False,
    ) -> Snapshot:
        """Capture this process.

        Args:
            max_tasks: As for `capture`.
            max_seconds: As for `capture`; None for `MAX_SECONDS`.
            prove: As for `capture`.
            with_locals: What is called `locals` there.

        Raises:
            AgraphError: Another capture does not end.
        """
        if not self._busy.acquire(timeout=MAX_SECONDS):
            raise AgraphError("another capture of this process has not ended", help="try again later")
        try:
            self._collected = gc.isenabled()
            return capture(
                max_tasks=max_tasks,
                max_seconds=max_seconds or MAX_SECONDS,
                prove=prove,
                locals=with_locals,
            )
        finally:
            self._collected = None
            self._busy.release()

    def restore_after_fork(self) -> None:
        """In the child: a capture that a thread of the parent had begun will not switch this on again."""
        if self._collected:
            gc.enable()

    def write(self, snapshot: Snapshot) -> tuple[Path, str]:
        """Write a snapshot, and delete the oldest ones beyond what is to be kept.

        Args:
            snapshot: The snapshot.

        Returns:
            Its path; and why it is not in the directory that was asked for, empty where it is.

        Raises:
            OSError: It can be written nowhere.
            AgraphError: Likewise.
        """
        if self._directory is None:
            return self._write_in(
                runtime_directory(), snapshot
            ), "the current directory was gone at the start"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._write_in(self._directory, snapshot), ""
        except OSError as error:
            elsewhere = runtime_directory()
            if elsewhere == self._directory:
                raise
            reason = f"{self._directory} cannot be written to: {error.strerror}"
            return self._write_in(elsewhere, snapshot), reason

    def _write_in(self, directory: Path, snapshot: Snapshot) -> Path:
        path = self._next_path(directory)
        save(snapshot, path, follow=False)
        self._delete_oldest(directory)
        return path

    def _next_path(self, directory: Path) -> Path:
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        while True:
            self._count += 1
            path = directory / f"agraph-{moment}-{os.getpid()}-{self._count}.json.gz"
            if not path.exists():  # several containers, each with a process 1, may share a directory
                return path

    def _delete_oldest(self, directory: Path) -> None:
        names = sorted(name for name in os.listdir(directory) if _NAME.fullmatch(name))  # noqa: PTH208
        for name in names[: -self._max_files]:
            with suppress(OSError):
                (directory / name).unlink()
