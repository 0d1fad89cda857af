"""One line on standard error, from any thread, whatever state the rest of the process is in."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress

from agraph._internal.text import plain

# What a pipe takes in one piece (PIPE_BUF of POSIX is at least 512, on Linux 4096).
_MAX_BYTES = 4096
_PATIENCE_S = 1


def say(sentence: str) -> None:
    """Tell whoever reads standard error. Never raises, and never waits for long.

    It writes to the file and not through `sys.stderr`: a hung thread may hold the lock of that, and at the
    end of the interpreter taking it is fatal. A pipe that nobody empties must not stop us either.

    Args:
        sentence: What to say; characters that are not printable are escaped.
    """
    stream = sys.stderr
    if stream is None:
        return
    line = f"agraph: {plain(sentence)}"
    with suppress(Exception):
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError, AttributeError):
            stream.write(f"{line}\n")  # something else has taken its place: a test, a notebook
            return
        if _is_writable(descriptor):
            data = line.encode("utf-8", "backslashreplace")[: _MAX_BYTES - 1]
            os.write(descriptor, data + b"\n")


def _is_writable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(_PATIENCE_S * 1000))
