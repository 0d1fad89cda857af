"""`agraph capture` on Python 3.14 and later: processes that nobody prepared."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from running import HUNG, command_line, hung, line_of, needs_3_14, needs_proc, started, state_of, until

import agraph as library
from agraph_cli.attach.nudge import nudge
from agraph_cli.attach.target import descendants

pytestmark = [needs_3_14, needs_proc]


@pytest.fixture(scope="module", autouse=True)
def may_attach():
    """Skip where the machine lets nobody look into processes."""
    with hung("idle") as process:
        failure = nudge(process.pid)
        if failure:
            pytest.skip(f"processes may not be looked into here: {failure}")
        yield


def snapshot_of(process):
    return library.load(f"agraph-{process.pid}.json")


@pytest.mark.parametrize("kind", ["idle", "busy", "regex", "tick"])
def test_one_command_gives_the_verdict(agraph, kind):
    with hung(kind) as process:
        assert agraph(f"capture {process.pid}").code == 0
        assert process.poll() is None
        assert state_of(process.pid) in "SR"
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out
    assert "How sure: certain." in agraph.out
    assert agraph.err.startswith(f"captured process {process.pid} (hung.py, Python 3.")
    assert "by its own main thread; that held its main thread for" in agraph.err
    assert (" and was woken: " in agraph.err) == (kind == "idle")
    assert f"written to agraph-{process.pid}.json" in agraph.err
    assert snapshot_of(process).process.pid == process.pid


@pytest.mark.parametrize("kind", ["sleep", "sum"])
def test_where_the_main_thread_runs_nothing_its_memory_is_read(agraph, kind):
    with hung(kind) as process:
        assert agraph(f"capture {process.pid} --timeout 1").code == 0
    snapshot = snapshot_of(process)
    assert {task.name for task in snapshot.tasks} >= {"t1", "t2"}
    assert not snapshot.capture.complete
    assert not snapshot.capture.consistent
    assert "Deadlock:" not in agraph.out
    assert (
        "left out: locks, futures and who holds them: only its memory was read, since within 1 s"
        in agraph.out
    )
    assert f"its main thread is at {Path(__file__).parents[1] / 'programs' / 'hung.py'}:" in agraph.err
    assert f" in {'sleeps' if kind == 'sleep' else 'sums'}\n" in agraph.err


def test_without_a_nudge_it_is_not_woken(agraph):
    with hung("idle") as process:
        assert agraph(f"capture {process.pid} --no-nudge --timeout 0.5").code == 0
    assert "was woken" not in agraph.err
    assert "for the locks: try again without --no-nudge" in agraph.err
    assert agraph("analyze " + f"agraph-{process.pid}.json --format json").code == 0
    assert json.loads(agraph.out)["verdict"] == "possible"


def test_where_remote_debugging_is_switched_off(agraph):
    with hung("idle", env={"PYTHON_DISABLE_REMOTE_DEBUG": "1"}) as process:
        assert agraph(f"capture {process.pid}").code == 0
        assert "remote debugging is switched off in it" in agraph.err
        assert agraph(f"capture {process.pid} --via remote").code == 2
        assert agraph.err.startswith("error: remote debugging is switched off in it")


def test_loops_in_several_threads(agraph):
    with hung("threads") as process:
        assert agraph(f"capture {process.pid}").code == 0
    assert len([node for node in snapshot_of(process).nodes if node.kind == "loop"]) == 3
    assert "3 deadlocks" in agraph.out


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("joined", "its main thread did not come to run anything: it waits in a system call"),
        ("ended", "its main thread has ended its part and waits for the other threads"),
    ],
)
def test_a_main_thread_that_waits_for_others_is_no_sign_of_life(agraph, kind, why):
    with hung(kind) as process:
        assert agraph(f"capture {process.pid} --timeout 0.5").code == 0
    assert "No deadlock is certain" in agraph.out
    assert why in agraph.err
    assert "for the locks: try --via gdb" in agraph.err


def test_a_forked_worker(agraph):
    with hung("fork") as process:
        assert agraph(f"capture {process.pid} --children --timeout 0.5").code == 0
    assert "t1 and t2 wait for each other" in agraph.out
    rows = agraph.out.splitlines()[-2:]
    assert rows[0].split()[:4] == [str(process.pid), "hung.py", rows[0].split()[2], "0"]
    assert rows[1].split()[4] == "certain"


def test_uvloop(agraph):
    pytest.importorskip("uvloop")
    with hung("uvloop") as process:
        assert agraph(f"capture {process.pid}").code == 0
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out


def test_a_stopped_process_is_left_as_it_was(agraph):
    with hung("idle") as process:
        os.kill(process.pid, signal.SIGSTOP)
        until(lambda: state_of(process.pid) == "T")
        assert agraph(f"capture {process.pid}").code == 0
        assert state_of(process.pid) == "T"
        assert f"for the locks: kill -CONT {process.pid}" in agraph.err


def test_a_program_without_asyncio(agraph):
    with hung("bare") as process:
        assert agraph(f"capture {process.pid} --via remote").code == 0
    assert "no event loop runs in it" in agraph.err
    assert "No deadlock: there are no tasks." in agraph.out


def asked(process):
    process.stdin.write(b"\n")
    process.stdin.flush()
    return json.loads(line_of(process))


def test_nothing_is_left_in_the_process(agraph, tmp_path):
    place = tmp_path / "temporary"
    place.mkdir()
    with hung("commands", env={"TMPDIR": str(place)}) as process:
        before = asked(process)
        for _ in range(2):
            assert agraph(f"capture {process.pid} --via remote").code == 0
        assert asked(process) == before
        assert "error" not in agraph.err
    assert list(place.iterdir()) == []
    assert [path.name for path in Path().glob("*.json")] != []


def test_a_foreign_package_of_our_name_stays(agraph, tmp_path):
    (tmp_path / "agraph.py").write_text("")
    with hung("commands", tmp_path) as process:
        before = asked(process)
        assert agraph(f"capture {process.pid} --via remote").code == 0
        assert asked(process) == before
    assert before["agraph"] == ["agraph"]
    assert snapshot_of(process).agraph == library.__version__


def test_a_request_that_nobody_waits_for_any_more_does_nothing(agraph, tmp_path):
    with hung("input", env={"TMPDIR": str(tmp_path)}) as process:
        assert agraph(f"capture {process.pid} --timeout 0.5").code == 0
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
        process.stdin.write(b"x\n")
        process.stdin.flush()
        assert line_of(process) == "read b'x\\n'"
        assert line_of(process) == "went on"
        process.stdin.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_capture_leaves_the_process_running(tmp_path, how):
    place = tmp_path / "temporary"
    place.mkdir()
    with hung("input", env={"TMPDIR": str(place)}) as process:
        command = command_line("capture", process.pid, "--timeout", "60", cwd=tmp_path)
        try:
            until(lambda: list(place.glob("agraph-*/payload.py")) or command.poll() is not None)
            command.send_signal(how)
            out, err = command.communicate(timeout=30)
        finally:
            command.kill()
        assert command.returncode == (-9 if how == signal.SIGKILL else 130), err
        assert out == ""
        assert list(tmp_path.glob("agraph-*")) == []
        if how != signal.SIGKILL:
            assert list(place.iterdir()) == []
        process.stdin.write(b"x\n")
        process.stdin.flush()
        assert line_of(process) == "read b'x\\n'"
        assert line_of(process) == "went on"


def other_python():
    for version in ("3.15", "3.14"):
        found = shutil.which(f"python{version}")
        if found and version != ".".join(map(str, sys.version_info[:2])):
            works = subprocess.run([found, "-c", "import asyncio"], capture_output=True, check=False)
            if works.returncode == 0:
                return found
    return None


def test_a_process_of_another_python(agraph):
    python = other_python()
    if python is None:
        pytest.skip("there is no second Python since 3.14 here")
    with hung("idle", python=python) as process:
        assert agraph(f"capture {process.pid}").code == 0
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out
    assert snapshot_of(process).process.python[:4] != ".".join(map(str, sys.version_info[:2]))


def test_a_process_in_a_mount_namespace_of_its_own(agraph, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    script = f'mount -t tmpfs none "{inside}" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("mount namespaces cannot be made here: that needs root")
    program = Path(__file__).parents[1] / "programs" / "hung.py"
    with started(*command, sys.executable, program, "idle", env={"TMPDIR": str(inside)}) as process:
        assert agraph(f"capture {process.pid}").code == 0
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out
    assert "by its own main thread" in agraph.err
    assert list(inside.iterdir()) == []


def test_a_process_in_a_process_namespace_of_its_own(agraph):
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("process namespaces cannot be made here: that needs root")
    with started(*command, sys.executable, HUNG, "idle") as process:
        [pid] = descendants(process.pid)
        assert agraph(f"capture {pid}").code == 0
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out
    assert library.load(f"agraph-{pid}.json").process.pid == 1


def test_root_captures_a_process_of_another_user(agraph, tmp_path):
    nobody = 65534
    if os.geteuid() != 0:
        pytest.skip("only root runs programs as somebody else")
    try:
        subprocess.run([sys.executable, HUNG, "exit"], user=nobody, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("another user cannot run this Python or read this test")
    place = tmp_path / "his"
    place.mkdir()
    os.chown(place, nobody, nobody)
    with hung("idle", user=nobody, group=nobody, extra_groups=[], env={"TMPDIR": str(place)}) as process:
        assert agraph(f"capture {process.pid}").code == 0
    assert "Deadlock: t1 and t2 wait for each other" in agraph.out
    # He could replace what lies in his own folder: the one that is shared is taken, and left as it was.
    assert list(place.iterdir()) == []
    until(lambda: not _folders_of(nobody))  # another run of this test may have one for a moment


def _folders_of(user):
    found = []
    for path in Path(tempfile.gettempdir()).glob("agraph-*"):
        with suppress(FileNotFoundError):  # that of another run
            found += [path] if path.stat().st_uid == user else []
    return found
