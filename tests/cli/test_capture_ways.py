"""`agraph capture`: prepared processes, gdb, several processes, series, files, and what can go wrong."""

import gzip
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import PROGRAMS, command_line, hung, needs_3_14, needs_proc, started, state_of, until

import agraph as library
from agraph_cli.attach import target

pytestmark = needs_proc
PREPARED = PROGRAMS / "prepared.py"


def test_a_prepared_process_answers_on_its_socket(agraph, folder):
    with started(sys.executable, PREPARED, env={"AGRAPH_SOCKET": str(folder / "its.sock")}) as process:
        until((folder / "its.sock").exists)
        assert agraph(f"capture {process.pid} --max-tasks 2").code == 0
        assert f"by a thread of its own, over {folder}/its.sock\n" in agraph.err
        assert "left out: 1 of 3 tasks" in agraph.out
        assert agraph(f"capture {process.pid} --via socket --socket {folder}/its.sock").code == 0
        assert agraph(f"capture --socket {folder}/its.sock").code == 0
        assert f"captured process {process.pid} " in agraph.err
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out


def test_its_socket_in_the_usual_place_is_found(agraph, folder):
    (folder / "run").mkdir(mode=0o700)
    with started(
        sys.executable, PREPARED, env={"AGRAPH_SOCKET": "1", "XDG_RUNTIME_DIR": f"{folder}/run"}
    ) as process:
        until(lambda: list(folder.glob("run/agraph-*/*.sock")))
        assert agraph(f"capture {process.pid} --via socket").code == 0
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out


def test_a_prepared_process_answers_a_signal(agraph, tmp_path):
    env = {"AGRAPH_SIGNAL": "USR1", "AGRAPH_DIRECTORY": str(tmp_path / "its")}
    with started(sys.executable, PREPARED, env=env) as process:
        assert agraph(f"capture {process.pid} --via signal").code == 0
    assert "by itself, when it got SIGUSR1" in agraph.err
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out


def test_a_process_that_is_not_prepared_for_that(agraph):
    with hung("idle") as process:
        assert agraph(f"capture {process.pid} --via socket").code == 2
        assert agraph.err.startswith(
            f"error: process {process.pid} (hung.py) has no socket: it was not prepared\n"
        )
        assert agraph(f"capture {process.pid} --via signal").code == 2
        assert "is not prepared for a signal" in agraph.err
        if sys.version_info < (3, 14):
            assert agraph(f"capture {process.pid}").code == 2
            assert "before Python 3.14 a process cannot be asked from outside" in agraph.err
            assert "hint: --via gdb captures it all the same" in agraph.err
            assert agraph(f"capture {process.pid} --via remote").code == 2
            assert "this way needs Python 3.14 or later" in agraph.err
        assert process.poll() is None


LISTENER = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("its.sock")
listener.listen()
print("ready", flush=True)
while True:
    client = listener.accept()[0]
    if client.recv(4096):
        client.sendall(b"what?\\n")
"""


def test_something_else_listens_there(agraph, tmp_path):
    with hung("idle") as process, started(sys.executable, "-c", LISTENER, cwd=tmp_path) as other:
        assert agraph(f"capture {process.pid} --via socket --socket its.sock").code == 2
        assert f"the socket of process {process.pid} belongs to process {other.pid}" in agraph.err
        assert agraph(f"capture {other.pid} --via socket --socket its.sock").code == 2
        assert "what listens there is no agraph" in agraph.err


@pytest.mark.parametrize("kind", ["idle", "sleep", "busy", "joined"])
def test_gdb_when_it_is_asked_for(agraph, idle, kind):
    if not shutil.which("gdb"):
        pytest.skip("there is no gdb here")
    with hung(kind) as process:
        assert agraph(f"capture {process.pid} --via gdb --timeout 30").code == 0, agraph.err
        assert process.poll() is None
        assert state_of(process.pid) in "SR"
    assert "by a thread that gdb had it start" in agraph.err
    assert re.search("^Deadlock: t1 .*and t2 .*wait for each other", agraph.out, flags=re.MULTILINE)


def test_without_gdb(agraph, idle, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert agraph(f"capture {idle.pid} --via gdb").code == 2
    assert agraph.err.startswith("error: there is no gdb on PATH\n")


@needs_3_14
def test_several_processes_end_in_a_table(agraph, idle, tmp_path):
    with hung("tick") as other:
        (tmp_path / "its.pid").write_text(f"{other.pid}\n")
        assert agraph(f"capture {idle.pid} --pid-file its.pid -o new/folder/").code == 0
    titles, first, second = agraph.out.splitlines()[-3:]
    assert titles.split() == ["pid", "program", "python", "tasks", "verdict", "snapshot"]
    version = ".".join(map(str, sys.version_info[:2]))
    assert first.split() == [
        str(idle.pid),
        "hung.py",
        version,
        "3",
        "certain",
        f"new/folder/agraph-{idle.pid}.json",
    ]
    assert second.split()[3:5] == ["4", "certain"]
    assert "2 deadlocks in 2 snapshots" in agraph.out


@needs_3_14
def test_all_processes_of_a_user(agraph, idle, monkeypatch):
    with hung("bare") as bare:
        # Only these: the others that run here are none of ours.
        monkeypatch.setattr(target, "pids", lambda: [idle.pid, bare.pid, os.getpid()])
        assert agraph("capture --all --no-analyze").code == 0
    _, first, second = agraph.out.splitlines()
    assert first.split()[3:] == ["3", "certain", f"agraph-{idle.pid}.json"]
    assert second.split()[0] == str(bare.pid)


def test_all_of_none(agraph, monkeypatch):
    monkeypatch.setattr(target, "pids", lambda: [os.getpid()])
    assert agraph("capture --all").code == 2
    assert agraph.err.startswith("error: no other Python process of yours runs here\n")


def test_a_process_without_asyncio_is_told(monkeypatch):
    program = "import time; print('ready', flush=True); time.sleep(3600)"
    with started(sys.executable, "-S", "-c", program) as process:
        module = importlib.util.find_spec("_asyncio").origin
        assert target.look(process.pid).has_asyncio == (module in {None, "built-in"})
    with hung("idle") as process:
        assert target.look(process.pid).has_asyncio


@needs_3_14
def test_a_series_is_numbered_and_replaces_nothing(agraph, idle, tmp_path):
    Path(f"agraph-{idle.pid}.json").write_text("of old")
    assert agraph(f"capture {idle.pid} --every 50ms --count 2 --no-analyze").code == 0
    names = [f"agraph-{idle.pid}{number}.json" for number in ("", "-2", "-3")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert Path(names[0]).read_text() == "of old"
    first, second = (library.load(name) for name in names[1:])
    assert {task.wait for task in first.tasks} == {task.wait for task in second.tasks}
    assert [line.split()[-1] for line in agraph.out.splitlines()[1:]] == names[1:]


@needs_3_14
def test_an_interrupted_series_keeps_what_it_has(idle, tmp_path):
    command = command_line("capture", idle.pid, "--every", "1h", cwd=tmp_path)
    try:
        until(lambda: list(tmp_path.glob("agraph-*.json")) or command.poll() is not None)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=30)
    finally:
        command.kill()
    assert command.returncode == 130, err
    assert len(library.load(next(tmp_path.glob("*.json"))).tasks) == 3
    assert "Traceback" not in err


@needs_3_14
def test_standard_output_and_named_files(agraph, idle, monkeypatch):
    assert agraph(f"capture {idle.pid} -o -").code == 0
    assert len(library.Snapshot.from_dict(json.loads(agraph.out)).tasks) == 3
    assert agraph(f"capture {idle.pid} -o hang.json.gz --no-analyze").code == 0
    assert agraph.out == ""
    assert agraph.err.endswith("next: agraph analyze hang.json.gz\n")
    assert json.loads(gzip.decompress(Path("hang.json.gz").read_bytes()))["process"]["pid"] == idle.pid
    assert Path("hang.json.gz").stat().st_mode & 0o777 == 0o600
    assert list(Path().iterdir()) == [Path("hang.json.gz")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("4194303", "error: there is no process 4194303\n"),
        ("", "error: no process is named\nhint: give a process id, or --all\n"),
        ("0", "error: invalid value for "),
        ("--socket none.sock", "error: nobody answers on none.sock: No such file or directory\n"),
        ("1 --every soon", "error: --every 'soon' is no duration\nhint: such as 2s, 500ms or 1m\n"),
        ("1 --count 3", "error: --count says how often"),
        ("1 2 -o -", "error: several snapshots do not fit on standard output\n"),
        ("1 2 -o one.json", "error: several snapshots do not fit into one file, one.json\n"),
        ("1 -o no/such/one.json", "error: the folder no/such does not exist\n"),
        (
            "1 -o hang.txt",
            "error: hang.txt: a snapshot is called *.json or *.jsonl, alone or with .gz or .zst\n",
        ),
        ("--pid-file none.pid", "error: cannot read none.pid: No such file or directory\n"),
        ("--pid-file empty.pid", "error: empty.pid does not begin with a process id\n"),
    ],
)
def test_mistakes(agraph, line, message):
    Path("empty.pid").write_text("")
    assert agraph(f"capture {line} --color auto").code == 2
    assert agraph.err.startswith(message)
    assert agraph.out == ""
    assert [path.name for path in Path().iterdir()] == ["empty.pid"]


def test_no_python(agraph):
    with subprocess.Popen(["sleep", "60"]) as process:
        assert agraph(f"capture {process.pid}").code == 2
        process.kill()
    assert f"process {process.pid} (sleep) is not Python: it runs " in agraph.err


def test_a_process_that_has_ended(agraph):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        until(lambda: state_of(process.pid) == "Z")
        assert agraph(f"capture {process.pid}").code == 2
    assert (
        f"process {process.pid} has ended; its parent, process {os.getpid()}, has not taken notice"
        in agraph.err
    )


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["/usr/bin/python3.14", "app.py", "--port", "1"], "app.py"),
        (["python", "-X", "dev", "-u", "/srv/app.py"], "app.py"),
        (["python3", "-m", "uvicorn", "app:app"], "-m uvicorn"),
        (["python3", "-m", "agraph", "run", "--signal", "USR1", "/srv/app.py"], "app.py"),
        (["python3", "-m", "agraph", "run", "--stall-after=5", "-m", "uvicorn", "app:app"], "-m uvicorn"),
        (["python3", "-m", "agraph", "run", "--", "app.py"], "app.py"),
        (["python3", "-m", "agraph", "--version"], "-m agraph"),
        (["python3", "-c", "pass"], "-c ..."),
        (["python"], "-"),
        (["/usr/bin/uwsgi", "--ini", "x"], "uwsgi"),
        ([], ""),
    ],
)
def test_what_a_process_is_called(words, name):
    assert target.program(words) == name


def test_who_may_not_look_is_told_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(target.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(target, "owner", lambda _pid: 0)
    monkeypatch.setattr(sys, "argv", ["agraph", "capture", "1"])
    assert target.denied(1).hint == "sudo agraph capture 1"
    monkeypatch.setattr(target, "owner", lambda _pid: 1000)
    (tmp_path / "sys/kernel/yama").mkdir(parents=True)
    monkeypatch.setattr(target, "PROC", tmp_path)
    assert "CAP_SYS_PTRACE" in target.denied(1).message
    for scope, words in (("1", "kernel.yama.ptrace_scope is 1"), ("3", "nobody may look")):
        (tmp_path / "sys/kernel/yama/ptrace_scope").write_text(scope)
        assert words in target.denied(1).message
