"""`agraph capture` of services with real libraries that deadlock under load, each a process that nobody prepared."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from running import PROGRAMS, line_of, needs_3_14, needs_proc, started, until

from agraph_cli.attach.nudge import nudge

pytestmark = [needs_3_14, needs_proc]


def service(kind, *arguments):
    return started(sys.executable, PROGRAMS / "services.py", kind, *arguments)


def captured(agraph, process):
    may_be_looked_into(process)
    assert agraph(f"capture {process.pid}").code == 0
    assert "by its own main thread" in agraph.err
    return agraph.out


def may_be_looked_into(process):
    failure = nudge(process.pid)
    if failure:
        pytest.skip(f"processes may not be looked into here: {failure}")


def test_starlette_on_uvicorn_under_load(agraph):
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    with service("starlette") as process:
        report = captured(agraph, process)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert line_of(process) == "well"  # it goes on answering what does not need the locks
    assert re.search(
        "^Deadlock: Task-.* wait for each other; 18 more tasks wait behind them", report, re.MULTILINE
    )
    assert "in starlette.<locals>.buy" in report
    assert "in different orders" in report


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def workers(tmp_path):
    """The main process of a server with two workers, in which requests come to be stuck."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    port = free_port()
    options = ["--workers", "2", "--port", str(port), "--log-level", "error", "--loop", "asyncio"]
    command = [sys.executable, "-m", "uvicorn", "shop:app", "--app-dir", str(PROGRAMS), *options]
    with (
        subprocess.Popen(command, cwd=tmp_path, start_new_session=True) as server,
        contextlib.ExitStack() as requests,
    ):
        try:
            until(lambda: accepts(port) or server.poll() is not None)
            for path in ("/buy", "/cancel") * 20:
                connection = requests.enter_context(socket.create_connection(("127.0.0.1", port)))
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            yield server
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def test_the_workers_of_uvicorn(agraph, workers):
    may_be_looked_into(workers)

    def deadlocked():
        assert agraph(f"capture {workers.pid} --children -o out/").code == 0
        return re.search("^Deadlock: Task-.* wait for each other", agraph.out, re.MULTILINE)

    until(deadlocked)
    assert "shop.py:" in agraph.out
    assert "in different orders" in agraph.out
    table = agraph.out[agraph.out.rindex("pid ") :].splitlines()[1:]
    # The main process and two workers; a helper of `multiprocessing` where one cannot tell that it has no asyncio.
    assert 3 <= len([line for line in table if "out/agraph-" in line]) <= 4
    assert any(" certain " in line for line in table if str(workers.pid) not in line)


def test_aiohttp_client_and_server(agraph):
    pytest.importorskip("aiohttp")
    with service("aiohttp") as process:
        report = captured(agraph, process)
    assert "crawler-0 and crawler-1 wait for each other" in report
    assert "waits for resource TCPConnector" in report


@pytest.fixture
def redis_port(tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("there is no redis-server on PATH")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as server:
        try:
            until(lambda: accepts(port) or server.poll() is not None)
            yield port
        finally:
            server.kill()


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_blocking_pool_of_redis(agraph, redis_port):
    pytest.importorskip("redis")
    with service("redis", redis_port) as process:
        report = captured(agraph, process)
    assert "worker-0 and worker-1 wait for each other" in report
    assert "waits for resource BlockingConnectionPool" in report
