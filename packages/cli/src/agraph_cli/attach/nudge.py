"""Wake a process that sleeps in its event loop, so that it runs what `sys.remote_exec` has asked of it.

epoll_wait(2) returns when the thread is stopped and goes on (signal(7)), and the interpreter then looks for
something to run before it waits again (select.epoll.poll, Modules/selectmodule.c). The stop is one of
ptrace(2): of the main thread only, told to no parent or shell, and undone by the kernel should the tracer
die. A process of its own does it, `python -I -S nudge.py PID`, so that all of it ends with that process.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_EVENT_STOP = 128
WALL = 0x40000000

_SECONDS = 2.0


def nudge(pid: int) -> str:
    """Stop the main thread of a process and let it go on at once.

    Args:
        pid: The process.

    Returns:
        Why it could not be done; empty when it was.
    """
    try:
        done = subprocess.run(  # noqa: S603 - this Python, with this file
            [sys.executable, "-I", "-S", __file__, str(pid)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it failed"])[-1]


def _stop_and_continue(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def ptrace(request: int, data: int = 0) -> None:
        if libc.ptrace(request, pid, None, data) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    ptrace(PTRACE_SEIZE)
    ptrace(PTRACE_INTERRUPT)
    _, status = _waited_for(pid)
    # Should a signal have come just then, it is passed on.
    ptrace(PTRACE_DETACH, 0 if status >> 16 == PTRACE_EVENT_STOP else os.WSTOPSIG(status))


def _waited_for(pid: int) -> tuple[int, int]:
    end = time.monotonic() + _SECONDS / 2
    while time.monotonic() < end:
        found = os.waitpid(pid, WALL | os.WNOHANG)
        if found[0]:
            return found
        time.sleep(0.0002)
    raise TimeoutError("it did not stop")  # this process ends, and so does what it asked for


if __name__ == "__main__":
    try:
        _stop_and_continue(int(sys.argv[1]))
    except OSError as failure:
        sys.exit(str(failure))
