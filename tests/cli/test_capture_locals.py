"""`agraph capture --locals`, by each way that can."""

import sys
import time

import pytest
from running import needs_3_14, needs_proc, started, until

pytestmark = needs_proc

PROGRAM = """
import asyncio, os

async def transfer(lock, amount):
    async with lock:
        async with lock:
            pass

async def main():
    task = asyncio.create_task(transfer(asyncio.Lock(), 4711), name="alice")
    asyncio.get_running_loop().call_later(0.05, os.write, 1, b"ready\\n")
    await task

asyncio.run(main())
"""
LINE = "transfer: lock=<Lock>, amount=4711"


@pytest.fixture
def hung(tmp_path):
    path = tmp_path / "bank.py"
    path.write_text(PROGRAM)
    return path


def told(agraph, pid, options):
    """What is said of the process once its task waits."""
    end = time.monotonic() + 30
    while True:
        code = agraph(f"capture {pid} --locals {options}").code
        if "alice" in agraph.out or time.monotonic() > end:
            return code


def test_over_the_socket(agraph, hung, tmp_path):
    own = tmp_path / "its.sock"
    with started(sys.executable, "-m", "agraph", "run", hung, env={"AGRAPH_SOCKET": str(own)}) as process:
        until(own.exists)
        assert told(agraph, process.pid, "--via socket") == 0
    assert LINE in agraph.out


@needs_3_14
def test_by_remote_execution(agraph, hung):
    with started(sys.executable, hung) as process:
        code = told(agraph, process.pid, "--via remote")
        if code and "not" in agraph.err and "allowed" in agraph.err:
            pytest.skip("processes may not be looked into here")
        assert code == 0, agraph.err
    assert LINE in agraph.out


def test_a_signal_cannot_ask_for_them(agraph, hung, tmp_path):
    env = {"AGRAPH_SIGNAL": "USR1", "AGRAPH_DIRECTORY": str(tmp_path / "its")}
    with started(sys.executable, "-m", "agraph", "run", hung, env=env) as process:
        assert told(agraph, process.pid, "--via signal") == 0
    assert "no local variables were read: that takes --via socket, remote or gdb" in agraph.err
