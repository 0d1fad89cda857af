"""Children have triggers of their own, and leave those of their parent alone."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from blocked import until
from victims import HAS_UNIX, PROGRAMS, ask, victim

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not HAS_UNIX, reason="no fork here")


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="ag") as name:
        yield Path(name)


@pytest.mark.parametrize("way", ["fork", "multiprocessing", "forkserver", "spawn"])
def test_parent_and_children(folder, way):
    with victim(
        folder, "-W", "ignore", PROGRAMS / "forking.py", way, AGRAPH_SIGNAL="USR2", AGRAPH_SOCKET="1"
    ) as one:
        children = [int(line) for line in (folder / "children").read_text().split()]
        for pid in children:
            until(one.socket(pid).exists)
            snapshot = ask(one.socket(pid))[1]
            assert snapshot.process.pid == pid
            assert [task.name for task in snapshot.tasks] == [f"worker {pid}"]
            os.kill(pid, signal.SIGUSR2)
            until(lambda pid=pid: list(folder.glob(f"agraph-*-{pid}-*.json.gz")))
        assert ask(one.socket(), {"command": "ping"})[0]["pid"] == one.pid
        one.process.stdin.write(b"\n")
        one.process.stdin.flush()
        assert one.process.stdout.readline() == b"ended\n"
        assert not any(one.socket(pid).exists() for pid in children)
        assert ask(one.socket())[1].process.pid == one.pid
        one.process.stdin.close()
        assert one.process.wait(60) == 0
        assert not one.socket().exists()


def test_the_parent_removes_what_killed_children_leave(folder):
    with victim(folder, "-W", "ignore", PROGRAMS / "forking.py", "fork", AGRAPH_SOCKET="1") as one:
        children = [int(line) for line in (folder / "children").read_text().split()]
        for pid in children:
            until(one.socket(pid).exists)
            os.kill(pid, signal.SIGKILL)
        one.process.stdin.close()
        assert one.process.wait(60) == 0
        assert list(one.socket().parent.iterdir()) == []


def test_a_path_of_ones_own(folder):
    with victim(
        folder, "-W", "ignore", PROGRAMS / "forking.py", "fork", AGRAPH_SOCKET=str(folder / "own.sock")
    ) as one:
        for pid in (folder / "children").read_text().split():
            path = folder / f"own.{pid}.sock"
            until(path.exists)
            assert ask(path, {"command": "ping"})[0]["pid"] == int(pid)
        assert ask(folder / "own.sock", {"command": "ping"})[0]["pid"] == one.pid


def test_a_fork_during_a_capture_leaves_the_collector_on(folder):
    """`capture` switches it off while it works; the child has no thread that switches it on again."""
    program = """if True:
        import gc, os, sys, threading, time
        import agraph
        from agraph._internal.triggers import writer

        inside, go_on = threading.Event(), threading.Event()

        def capture(**options):
            gc.disable()
            inside.set()
            go_on.wait()
            gc.enable()
            raise RuntimeError

        writer.capture = capture
        agraph.install(signal="USR2")
        os.kill(os.getpid(), 12)
        inside.wait()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if gc.isenabled() else 3)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert not gc.isenabled()
        go_on.set()
        sys.exit(code)
    """.replace("12", str(int(signal.SIGUSR2)))
    command = [sys.executable, "-W", "ignore", "-c", program]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr


def test_a_child_that_becomes_another_program_leaves_nothing(folder):
    program = """if True:
        import os, subprocess, sys
        import agraph
        agraph.install(socket=True)
        for _ in range(3):
            subprocess.run([sys.executable, "-c", "pass"], preexec_fn=os.getpid, check=True)
        print(os.listdir(os.environ["XDG_RUNTIME_DIR"] + f"/agraph-{os.geteuid()}"), flush=True)
        os.execv(sys.executable, [sys.executable, "-c", "import agraph; agraph.install(socket=True); print(1)"])
    """
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    listed, last = result.stdout.splitlines()
    assert listed.count(".sock") == 1
    assert last == "1"
    assert list((folder / f"agraph-{os.geteuid()}").iterdir()) == []
