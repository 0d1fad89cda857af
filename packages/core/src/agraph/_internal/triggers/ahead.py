"""What a snapshot will need, had beforehand: a process that hangs may have run out of file descriptors.

An import reads files, and so does the first look for a temporary folder. Both would fail just then. And a
finalizer at the end of the process, or a signal handler, may come too late to import anything.
"""

from __future__ import annotations

import errno
import importlib
import os
import sysconfig
import tempfile
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from agraph._internal.process import this_process

if TYPE_CHECKING:
    from collections.abc import Iterator

# Imported where they are needed, which is too late here. The first are ours, the others what those import.
_MODULES = (
    "agraph._internal.capture",
    "agraph._internal.checks",
    "agraph._internal.codec",
    "agraph._internal.files",
    "agraph._internal.frame_values",
    "agraph._internal.prove",
    "agraph._internal.prove_drop",
    "agraph._internal.prove_heap",
    "agraph._internal.reduction.graph",
    "agraph._internal.reduction.reduce",
    "agraph._internal.text",
    "concurrent.futures",
    "gzip",
    "socket",
)
_NONE_LEFT = (errno.EMFILE, errno.ENFILE)


def load() -> None:
    """Import what writing or sending a snapshot needs, and read what it says of process and machine."""
    this_process()
    for name in _MODULES:
        importlib.import_module(name)
    sysconfig.get_config_var("Py_GIL_DISABLED")  # reads a file the first time; for `prove_heap`
    with suppress(OSError):  # there is none: said where it is needed
        tempfile.gettempdir()


class Reserve:
    """A file descriptor that is kept until none is left for a snapshot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: int | None = None

    def fill(self) -> None:
        """Take the descriptor, if it is not held and one can be had."""
        with self._lock, suppress(OSError):
            if self._held is None:
                self._held = os.open(os.devnull, os.O_RDONLY)

    def give(self) -> bool:
        """Close it, for somebody to have; returns whether it was there."""
        with self._lock:
            held, self._held = self._held, None
            if held is not None:
                os.close(held)
            return held is not None

    @contextmanager
    def given(self) -> Iterator[None]:
        """Do without it in the block, and take it again afterwards."""
        self.give()
        try:
            yield
        finally:
            self.fill()

    def helps(self, error: OSError) -> bool:
        """Close it if that is what an operation failed for; returns whether to try again."""
        return error.errno in _NONE_LEFT and self.give()

    def restore_after_fork(self) -> None:
        """In the child: a thread that had the lock is not there any more. The descriptor is copied."""
        self._lock = threading.Lock()


for_files = Reserve()
# One of its own: `accept` takes a descriptor before it begins to wait (__sys_accept4_file of Linux).
for_clients = Reserve()


def fill() -> None:
    """Take both."""
    for_files.fill()
    for_clients.fill()


def give() -> None:
    """Close both."""
    for_files.give()
    for_clients.give()


def restore_after_fork() -> None:
    """In the child: see to both."""
    for_files.restore_after_fork()
    for_clients.restore_after_fork()
