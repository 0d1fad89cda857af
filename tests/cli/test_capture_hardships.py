"""`agraph capture` where something is in the way: no room, no right, no descriptor, others who do the same."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest
from running import HUNG, PROGRAMS, command_line, hung, needs_3_14, needs_proc, started, state_of, until

import agraph as library
from agraph_cli.attach import debugger, ways
from agraph_cli.attach import target as targets
from agraph_cli.attach.interrupts import uninterrupted
from agraph_cli.attach.model import AttachError, RefusedError, Request

pytestmark = needs_proc
PREPARED = PROGRAMS / "prepared.py"


def in_own_mounts(script, *command):
    """A command with mounts of its own, which `script` makes; skips where that is not possible."""
    words = ["unshare", "--mount", "sh", "-c", f'{script} && exec "$@"', "sh"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*words, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("mount namespaces cannot be made here: that needs root")
    return [*words, *command]


# ---- gdb


FAKE_GDB = """#!{python}
import os, signal, sys, time
log = {log!r}
signal.signal(signal.SIGINT, lambda *_: (open(log, "a").write("interrupted "), os._exit(0)))
if {takes}:
    os.rename("calls", "taken")
open(log, "a").write("begun ")
time.sleep(30)
"""


@pytest.fixture
def fake_gdb(tmp_path, monkeypatch):
    """Puts a gdb on PATH that hangs, with or without the calls that it was given; returns what it notes."""

    def put(*, takes):
        log = tmp_path / "log"
        path = tmp_path / "bin" / "gdb"
        path.parent.mkdir()
        path.write_text(FAKE_GDB.format(python=sys.executable, log=str(log), takes=takes))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(debugger, "_END_SECONDS", 1.0)
        return log

    return put


@pytest.mark.parametrize("takes", [True, False])
def test_gdb_is_never_interrupted(agraph, fake_gdb, takes):
    log = fake_gdb(takes=takes)
    with hung("idle") as process:
        assert agraph(f"capture {process.pid} --via gdb --timeout 2").code == 2
    assert agraph.err.startswith("error: gdb (process ")
    assert "must not be killed" in agraph.err
    pid = int(agraph.err.split("(process ")[1].split(")")[0])
    assert state_of(pid) != "Z"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert log.read_text() == "begun "
    assert ("waits for the global lock" in agraph.err) == takes


def test_no_timeout_leaves_the_process_hanging(agraph, idle, monkeypatch):
    if not shutil.which("gdb"):
        pytest.skip("there is no gdb here")
    with hung("commands") as process:
        for seconds in ("0.1", "0.3", "0.5", "0.7", "0.9"):
            agraph(f"capture {process.pid} --via gdb --no-analyze --timeout {seconds}")
            until(lambda: targets.tracer(process.pid) == 0)
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["gc"][0]


def test_a_stopped_process_is_said_to_be_stopped(agraph, idle):
    if not shutil.which("gdb"):
        pytest.skip("there is no gdb here")
    with started(sys.executable, PREPARED, env={"AGRAPH_SIGNAL": "USR1"}) as process:
        os.kill(process.pid, signal.SIGSTOP)
        until(lambda: state_of(process.pid) == "T")
        for via in ("gdb", "signal"):
            assert agraph(f"capture {process.pid} --via {via}").code == 2
            assert agraph.err.startswith("error: it is stopped (SIGSTOP or Ctrl-Z), and was left so\n")
        assert state_of(process.pid) == "T"


# ---- no room


@needs_3_14
def test_full_disks(agraph, idle):
    mounts = "for at in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o size=100k none $at; done"
    with started(*in_own_mounts(mounts, sys._base_executable, "-c", HUNG.read_text(), "idle")) as process:
        assert agraph(f"capture {process.pid} --via remote").code == 2
        assert agraph.err.count("No space left on device") == 3
        assert "has no temporary folder to write to" in agraph.err
        assert agraph(f"capture {process.pid} {idle.pid}").code == 0
    assert "by reading its memory" in agraph.err
    assert len(library.load(f"agraph-{process.pid}.json").tasks) == 3


@needs_3_14
def test_folders_that_cannot_be_written_to(agraph, idle):
    mounts = "for at in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o ro none $at; done"
    with started(*in_own_mounts(mounts, sys._base_executable, "-c", HUNG.read_text(), "idle")) as process:
        assert agraph(f"capture {process.pid}").code == 0
    assert "by reading its memory" in agraph.err
    assert "Read-only file system" in agraph.err


MANY = """
import asyncio, os
async def main():
    event = asyncio.Event()
    tasks = [asyncio.create_task(event.wait(), name=f"{number}" + "x" * 1000) for number in range(4000)]
    asyncio.get_running_loop().call_later(0.1, os.write, 1, b"ready\\n")
    await event.wait()
asyncio.run(main())
"""


@needs_3_14
def test_a_disk_that_fills_up_with_the_answer(agraph, idle):
    mounts = "for at in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o size=4500k none $at; done"
    with started(*in_own_mounts(mounts, sys._base_executable, "-c", MANY)) as process:
        assert agraph(f"capture {process.pid} --no-analyze").code == 0
    assert "could not capture itself: OSError: [Errno 28] No space left on device" in agraph.err
    assert "by reading its memory" in agraph.err
    assert len(library.load(f"agraph-{process.pid}.json").tasks) == 4001


@needs_3_14
def test_a_process_that_gave_up_the_rights_of_root(agraph, idle, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give up its rights")
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    program = f"import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n{HUNG.read_text()}"
    with started(sys.executable, "-c", program, "idle", env={"TMPDIR": str(secret)}) as process:
        assert agraph(f"capture {process.pid}").code == 0
        os.kill(process.pid, signal.SIGKILL)
        assert process.stderr.read() == b""
    assert "by its own main thread" in agraph.err
    assert list(secret.iterdir()) == []


@needs_3_14
def test_a_process_without_file_descriptors(agraph, idle):
    with hung("idle") as process:
        used, _ = targets.open_files(process.pid)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used, used))
        assert agraph(f"capture {process.pid}").code == 0
        assert f"it has no file descriptor left ({used} of {used} are open)" in agraph.err
        os.kill(process.pid, signal.SIGKILL)
        assert process.stderr.read() == b""
    assert "by reading its memory" in agraph.err


def test_an_error_of_the_machine_concerns_one_process(agraph, idle, monkeypatch):
    def fails(target, request):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("agraph_cli.commands.capturing.capture", fails)
    assert agraph(f"capture {idle.pid} {os.getpid()}").code == 2
    assert agraph.err.count("could not be captured: [Errno 5] Input/output error") == 2


# ---- other ways


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        (AttachError("may not"), "signal"),
        (RefusedError("does not"), "signal"),
    ],
)
def test_a_prepared_signal_is_taken_where_the_process_may_not_be_asked(
    agraph, monkeypatch, tmp_path, reason, way
):
    def refuse(target, request):
        raise reason

    monkeypatch.setattr(ways, "_by_itself", refuse)
    monkeypatch.setattr(ways.remote, "FIRST_PYTHON", (3, 11))
    env = {"AGRAPH_SIGNAL": "USR1", "AGRAPH_DIRECTORY": str(tmp_path / "its")}
    with started(sys.executable, PREPARED, env=env) as process:
        assert agraph(f"capture {process.pid}").code == 0
    assert "by itself, when it got SIGUSR1" in agraph.err
    assert f"\n  {reason.message}\n" in agraph.err


@needs_3_14
def test_captures_of_one_process_at_once_take_turns(idle, tmp_path):
    commands = [
        command_line("capture", idle.pid, "--no-analyze", "-o", f"{number}.json", cwd=tmp_path)
        for number in range(3)
    ]
    try:
        said = [command.communicate(timeout=60)[1] for command in commands]
    finally:
        for command in commands:
            command.kill()
    assert all("by its own main thread" in one for one in said), said


@needs_3_14
def test_who_waits_too_long_for_its_turn_reads_the_memory(agraph, idle):
    looked = targets.look(idle.pid)
    with ways.alone_with(looked, Request()):
        assert agraph(f"capture {idle.pid} --timeout 0.3").code == 0
    assert f"another capture of process {idle.pid} has not ended within 0.3 s" in agraph.err
    assert "by reading its memory" in agraph.err


DRIPPING = """
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind("its.sock")
listener.listen()
os.write(1, b"ready\\n")
client = listener.accept()[0]
while True:
    client.sendall(b"{")
    time.sleep(0.05)
"""


def test_an_answer_in_drops_is_bounded_in_time(agraph, tmp_path):
    with started(sys.executable, "-c", DRIPPING, cwd=tmp_path) as process:
        assert agraph(f"capture {process.pid} --via socket --socket its.sock --timeout 1").code == 2
    assert "does not answer on its.sock: nothing came in time" in agraph.err


# ---- what is running


@needs_3_14
@pytest.mark.parametrize("kind", ["busy", "sleep"])
def test_the_task_that_blocks_the_loop_runs(agraph, idle, kind):
    with hung(kind) as process:
        assert agraph(f"capture {process.pid} --timeout 1").code == 0
    snapshot = library.load(f"agraph-{process.pid}.json")
    [runs] = [task for task in snapshot.tasks if task.state == "running"]
    assert (runs.name, runs.need) == ("Task-1", 0)
    functions = [site.function for site in snapshot.stack_of(runs)]
    assert functions == (["spins", "deadlock"] if kind == "busy" else ["deadlock"])
    assert "<agraph capture>" not in agraph.out


# ---- processes that come and go


@needs_3_14
def test_children_are_looked_for_each_time(agraph, idle, monkeypatch):
    with hung("idle") as first, hung("idle") as second:
        children = [[first.pid], [second.pid]]
        monkeypatch.setattr(targets, "descendants", lambda _pid: children.pop(0))
        assert agraph(f"capture {idle.pid} --children --every 50ms --count 2 --no-analyze").code == 0
    pids = [line.split()[0] for line in agraph.out.splitlines()[1:]]
    assert pids == [str(pid) for pid in (idle.pid, first.pid, idle.pid, second.pid)]


@needs_3_14
def test_a_process_that_has_ended_meanwhile_is_passed_over(agraph, idle, monkeypatch):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        until(lambda: state_of(ended.pid) == "Z")
        monkeypatch.setattr(targets, "is_python", lambda pid: True)
        monkeypatch.setattr(targets, "pids", lambda: [ended.pid, idle.pid])
        assert agraph("capture --all --no-analyze").code == 0
    assert "error" not in agraph.err


@needs_3_14
@pytest.mark.parametrize("signals", [[signal.SIGHUP], [signal.SIGINT, signal.SIGINT]])
def test_an_impatient_end_leaves_nothing(tmp_path, signals):
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        pytest.skip("this runs under nohup, and so would the command")
    place = tmp_path / "temporary"
    place.mkdir()
    with hung("input", env={"TMPDIR": str(place)}) as process:
        command = command_line("capture", process.pid, "--timeout", "60", cwd=tmp_path)
        try:
            until(lambda: list(place.glob("agraph-*/payload.py")) or command.poll() is not None)
            for number in signals:
                command.send_signal(number)
            _, err = command.communicate(timeout=30)
        finally:
            command.kill()
        assert command.returncode == 130, err
        assert "Traceback" not in err
        assert list(place.iterdir()) == []


def test_interrupts_wait_until_the_block_ends():
    done = []

    def clean_up():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        clean_up()
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
