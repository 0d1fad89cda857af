"""One capture of a process at a time: it has one place for a script to run, and one for a tracer."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agraph_cli.attach.model import AttachError, Deadline, NotAnsweredError
from agraph_cli.attach.target import PROC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.attach.model import Request
    from agraph_cli.attach.target import Target

_LOOK_SECONDS = 0.02


@contextmanager
def alone_with(target: Target, request: Request) -> Iterator[None]:
    """Wait until no other `agraph` captures a process, and keep the others waiting meanwhile.

    What is locked is its folder in /proc: it stands for the process and not only for its number, everybody
    may open it, and the kernel unlocks it should we die.

    Args:
        target: The process.
        request: How long to wait.

    Raises:
        NotAnsweredError: Another capture goes on.
        AttachError: The process is gone.
    """
    try:
        folder = os.open(PROC / str(target.pid), os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        raise AttachError(f"process {target.pid} ended before it could be captured") from None
    try:
        end = Deadline(request.timeout)
        while not _locked(folder):
            if not end.left:
                raise NotAnsweredError(
                    f"another capture of process {target.pid} has not ended within {request.timeout:g} s",
                    "try again with a longer --timeout",
                )
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(folder)


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a kernel that locks nothing there: then as before there were locks
    return True
