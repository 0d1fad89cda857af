"""Snapshots of a process that has no file descriptor left."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from blocked import until
from victims import HAS_UNIX, ask, snapshot_at_signal, snapshots_in, victim

import agraph
from agraph._internal.triggers import ahead

pytestmark = pytest.mark.skipif(not HAS_UNIX, reason="no such signals, sockets or limits here")

# asyncio comes first: Python 3.13.0 cannot import `_socket` in a directory that is gone.
PROGRAM = """
import asyncio, os, resource, sys, time
import agraph
if "gone" in sys.argv:
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")
agraph.install()
if "full" in sys.argv:
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    try:
        while True:
            os.open("/dev/null", os.O_RDONLY)
    except OSError:
        pass
os.write(1, b"ready\\n")
time.sleep(3600)
"""


@pytest.fixture
def folder():
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="ag") as name:
        yield Path(name)


def test_a_process_without_descriptors_answers(folder):
    with victim(folder, "-c", PROGRAM, "full") as one:
        by_signal = [snapshot_at_signal(one) for _ in range(2)]
        by_socket = [ask(one.socket(), {"command": "capture", "prove": prove})[1] for prove in (False, True)]
        snapshots = by_signal + by_socket
        assert len({(each.process.started, each.process.boot_id) for each in snapshots}) == 1
        assert [each.capture.errors for each in snapshots] == [()] * 4


def test_without_a_current_directory_snapshots_lie_beside_the_socket(folder):
    with victim(folder, "-c", PROGRAM, "gone") as one:
        os.kill(one.pid, signal.SIGUSR2)
        [path] = until(lambda: snapshots_in(folder / f"agraph-{os.geteuid()}"))
        assert agraph.load(path).process.pid == one.pid
        until(lambda: str(path) in one.err())
        assert one.err().startswith("agraph: the current directory was gone at the start\n")


def test_the_reserve_is_given_once_and_taken_again():
    reserve = ahead.Reserve()
    assert not reserve.give()
    reserve.fill()
    with reserve.given():
        assert not reserve.give()
    assert reserve.give()
