"""A Unix socket answers with a snapshot, to its user alone."""

import contextlib
import importlib.util
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from blocked import until
from victims import HAS_UNIX, PROGRAMS, ask, victim

import agraph
from agraph._internal.triggers import places, server

pytestmark = pytest.mark.skipif(not HAS_UNIX, reason="no Unix sockets here")
HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
LOOPS = ["asyncio", pytest.param("uvloop", marks=pytest.mark.skipif(not HAS_UVLOOP, reason="no uvloop"))]


@pytest.fixture
def runtime(monkeypatch):
    """A runtime directory, with a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="ag") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)
        agraph.uninstall()


@pytest.fixture
def own(runtime):
    """The socket of this very process."""
    agraph.install(socket=True)
    return runtime / f"agraph-{os.geteuid()}" / f"{os.getpid()}.sock"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("state", ["idle", "sleeping", "busy", "deadlocked"])
def test_whatever_the_process_does(runtime, state, loop):
    with victim(runtime, PROGRAMS / "waiting.py", state, VICTIM_LOOP=loop, AGRAPH_SOCKET="1") as one:
        header, snapshot = ask(one.socket())
        assert header["ok"]
        assert snapshot.process.pid == one.pid
        if state.startswith("deadlocked"):
            assert {"one", "two", "three"} <= {task.name for task in snapshot.tasks}
        assert one.err() == ""


def test_only_the_user_can_reach_it(own):
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert stat.S_IMODE(own.parent.stat().st_mode) == 0o700


def test_ping(own):
    assert ask(own, {"command": "ping"})[0] == {
        "ok": True,
        "length": 0,
        "pid": os.getpid(),
        "agraph": agraph.__version__,
    }


def test_a_capture_can_be_bounded(own):
    async def main():
        import asyncio

        asyncio.create_task(asyncio.sleep(1000))
        answer = await asyncio.to_thread(ask, own, {"command": "capture", "max_tasks": 1, "max_seconds": 10})
        assert len(answer[1].tasks) == 1
        assert not answer[1].capture.complete

    import asyncio

    asyncio.run(main())


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"hello", "no line of JSON"),
        (b"[" * 4000, "no line of JSON"),
        (b"[]", "has to be"),
        (b"", "no line of JSON"),
        ({"command": "quit"}, "has to be"),
        ({"command": "capture", "max_tasks": "all"}, "max_tasks"),
        ({"command": "capture", "max_tasks": -1}, "max_tasks"),
        ({"command": "capture", "max_seconds": 0}, "max_seconds"),
        ({"command": "capture", "max_seconds": float("inf")}, "max_seconds"),
        (b"x" * 10_000, "longer than 4096 bytes"),
    ],
)
def test_a_wrong_request_is_answered(own, request_, error):
    header, body = ask(own, request_)
    assert not header["ok"]
    assert error in header["error"]
    assert body is None
    assert ask(own, {"command": "ping"})[0]["ok"]


def test_a_slow_client_keeps_nobody_waiting(own, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_S", 1.0)
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(60)
        slow.connect(str(own))
        slow.sendall(b'{"command"')
        assert ask(own)[0]["ok"]
        assert "no request came" in json.loads(slow.recv(4096))["error"]


def test_clients_beyond_a_number_are_told_so(own):
    with contextlib.ExitStack() as stack:
        for _ in range(server.MAX_CLIENTS):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(own))
        assert "already" in ask(own, {"command": "ping"})[0]["error"]
    assert until(lambda: ask(own, {"command": "ping"})[0]["ok"])


def test_a_client_that_leaves_is_forgotten(own):
    for _ in range(2 * server.MAX_CLIENTS):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(own))
    assert until(lambda: ask(own, {"command": "ping"})[0]["ok"])
    until(lambda: not any(thread.name == "agraph-client" for thread in threading.enumerate()))


@pytest.mark.skipif(not HAS_UNIX or os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the peer is asked for in another way here")
def test_another_user_is_refused(own, runtime):
    for path in (runtime, own.parent, own):
        path.chmod(0o777)
    program = """if True:
        import os, socket, sys
        os.setgid(65534)
        os.setuid(65534)
        client = socket.socket(socket.AF_UNIX)
        client.connect(sys.argv[1])
        client.sendall(b'{"command": "ping"}\\n')
        print(client.recv(4096).decode())
    """
    result = subprocess.run(
        [sys.executable, "-c", program, own], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(result.stdout) == {
        "ok": False,
        "error": "only the user of this process and root may ask",
    }


def test_it_is_gone_at_the_end(runtime):
    program = "import agraph; agraph.install(socket=True); import os; print(os.listdir(os.environ['D']))"
    directory = runtime / f"agraph-{os.geteuid()}"
    directory.mkdir(mode=0o700)
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "D": str(directory)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ".sock" in result.stdout
    assert list(directory.iterdir()) == []


def test_what_killed_processes_left_is_removed(runtime):
    with victim(runtime, PROGRAMS / "waiting.py", "idle", AGRAPH_SOCKET="1") as one:
        other = one.socket()
    assert other.exists()
    with victim(runtime, PROGRAMS / "waiting.py", "idle", AGRAPH_SOCKET="1") as alive:
        assert not other.exists()
        agraph.install(socket=True)
        assert alive.socket().exists()
        assert ask(alive.socket(), {"command": "ping"})[0]["pid"] == alive.pid


def test_uninstall_removes_it(own):
    assert own.exists()
    agraph.uninstall()
    assert list(own.parent.iterdir()) == []
    until(lambda: not any(thread.name == "agraph-socket" for thread in threading.enumerate()))


def test_a_directory_that_is_not_ours_is_not_used(runtime, capfd, tmp_path):
    (runtime / f"agraph-{os.geteuid()}").symlink_to(tmp_path)
    agraph.install(socket=True)
    assert "is not a directory of this user" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_others_can_read_is_closed(runtime):
    directory = runtime / f"agraph-{os.geteuid()}"
    directory.mkdir()
    directory.chmod(0o755)
    agraph.install(socket=True)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_runtime_directory_of_somebody_else_is_not_used(runtime, monkeypatch):
    runtime.chmod(0o777)
    elsewhere = runtime / "system"
    elsewhere.mkdir()
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(elsewhere))
    assert places.runtime_directory().parent == elsewhere


def test_a_path_of_ones_own(runtime):
    path = runtime / "own.sock"
    agraph.install(socket=path)
    assert ask(path, {"command": "ping"})[0]["pid"] == os.getpid()
    agraph.install(socket=runtime)
    assert not path.exists()
    assert ask(runtime / f"{os.getpid()}.sock", {"command": "ping"})[0]["ok"]


def test_a_path_that_is_taken_is_left_alone(runtime, capfd):
    file = runtime / "data"
    file.write_text("precious")
    agraph.install(socket=file)
    assert "there is a file of another kind" in capfd.readouterr().err
    assert file.read_text() == "precious"
    with victim(runtime, PROGRAMS / "waiting.py", "idle", AGRAPH_SOCKET=str(runtime / "own.sock")) as one:
        agraph.install(socket=runtime / "own.sock")
        assert "another process listens there" in capfd.readouterr().err
        assert ask(runtime / "own.sock", {"command": "ping"})[0]["pid"] == one.pid


def test_a_path_that_is_too_long_is_said(runtime, capfd):
    agraph.install(socket=runtime / ("long" * 50))
    assert "cannot be made" in capfd.readouterr().err
    assert list(runtime.iterdir()) == []
