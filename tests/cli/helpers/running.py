"""Processes to capture. None of them outlives its test."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).resolve().parents[2] / "programs"
HUNG = PROGRAMS / "hung.py"
SECONDS = 30
needs_3_14 = pytest.mark.skipif(sys.version_info < (3, 14), reason="Python 3.14 brought sys.remote_exec")
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here")


@contextmanager
def started(*command, env=None, **options):
    """Run a program; yields the process once it has written a line."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=environment,
        start_new_session=True,
        **options,
    ) as process:
        try:
            assert line_of(process) == "ready", process.stderr.read() if process.poll() is not None else "?"
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def hung(kind, *arguments, python=sys.executable, **options):
    """Run one of `hung.py`."""
    return started(python, HUNG, kind, *arguments, **options)


def line_of(process):
    """The next line that a process writes."""
    readable, _, _ = select.select([process.stdout], [], [], SECONDS)
    assert readable, "it wrote nothing"
    return process.stdout.readline().decode().rstrip("\n")


def until(condition):
    """Wait for a condition, and return what it returns."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
    return found


def state_of(pid):
    """What the main thread of a process does, a letter of proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def command_line(*arguments, **options):
    """Start `agraph` in a process of its own."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "agraph_cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)
