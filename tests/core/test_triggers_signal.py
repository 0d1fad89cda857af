"""A signal asks for a snapshot, and others get it too."""

import asyncio
import importlib.util
import os
import signal
import threading

import pytest
from blocked import until
from victims import HAS_UNIX, PROGRAMS, snapshot_at_signal, snapshots_in, victim

import agraph

pytestmark = pytest.mark.skipif(not HAS_UNIX, reason="no such signals here")
HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
LOOPS = ["asyncio", pytest.param("uvloop", marks=pytest.mark.skipif(not HAS_UVLOOP, reason="no uvloop"))]


@pytest.fixture
def installed(tmp_path):
    """Installs the signal alone; takes it back at the end."""
    before = signal.getsignal(signal.SIGUSR2)

    def install(**options):
        agraph.install(signal="USR2", directory=tmp_path, **options)

    yield install
    agraph.uninstall()
    signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("state", ["idle", "sleeping", "busy", "deadlocked_elsewhere"])
def test_whatever_the_process_does(tmp_path, state, loop):
    with victim(tmp_path, PROGRAMS / "waiting.py", state, VICTIM_LOOP=loop, AGRAPH_SIGNAL="USR2") as one:
        snapshot = snapshot_at_signal(one)
        assert snapshot.process.pid == one.pid
        assert snapshot.capture.where == "thread"
        if state == "deadlocked_elsewhere":
            assert {"one", "two", "three"} <= {task.name for task in snapshot.tasks}
        count = len(snapshot.tasks)
        plural = "" if count == 1 else "s"
        assert one.err() == f"agraph: {count} task{plural}: agraph analyze {one.files()[0]}\n"
        assert one.process.poll() is None


def test_many_signals_are_survived(tmp_path):
    with victim(tmp_path, PROGRAMS / "waiting.py", "moving", AGRAPH_SIGNAL="USR2") as one:
        for _ in range(200):
            os.kill(one.pid, signal.SIGUSR2)
        snapshot_at_signal(one)
        assert one.process.poll() is None
        assert len(one.files()) <= 50


def test_a_handler_that_was_there_is_called_after_ours(installed, tmp_path):
    seen = []

    def handler(number, frame):
        seen.append(number)

    signal.signal(signal.SIGUSR2, handler)
    installed()
    os.kill(os.getpid(), signal.SIGUSR2)
    until(lambda: seen and snapshots_in(tmp_path))
    assert seen == [signal.SIGUSR2]
    agraph.uninstall()
    assert signal.getsignal(signal.SIGUSR2) is handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_no_handler_that_was_there_is_put_back(installed, tmp_path, handler):
    signal.signal(signal.SIGUSR2, handler)
    installed()
    os.kill(os.getpid(), signal.SIGUSR2)
    until(lambda: snapshots_in(tmp_path))
    agraph.uninstall()
    agraph.uninstall()
    assert signal.getsignal(signal.SIGUSR2) == handler


@pytest.mark.parametrize("ours_first", [False, True])
def test_the_handler_of_a_loop_is_called_too(installed, tmp_path, ours_first):
    """A loop that sets its handler later replaces ours: we come back, and pass on to that one."""

    async def main():
        called = asyncio.Event()
        if ours_first:
            installed()
            ours = signal.getsignal(signal.SIGUSR2)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, called.set)
        if ours_first:
            async with asyncio.timeout(60):
                while signal.getsignal(signal.SIGUSR2) != ours:
                    await asyncio.sleep(0.01)
        else:
            installed()
        os.kill(os.getpid(), signal.SIGUSR2)
        async with asyncio.timeout(60):
            await called.wait()
            while not snapshots_in(tmp_path):
                await asyncio.sleep(0.01)

    asyncio.run(main())


def test_two_that_pass_on_to_each_other_end(installed, tmp_path):
    seen = []
    signal.signal(signal.SIGUSR2, lambda number, frame: seen.append("first"))
    installed()
    ours = signal.getsignal(signal.SIGUSR2)

    def other(number, frame):
        seen.append("other")
        ours(number, frame)

    async def main():
        signal.signal(signal.SIGUSR2, other)
        async with asyncio.timeout(60):
            while signal.getsignal(signal.SIGUSR2) != ours:
                await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR2)

    asyncio.run(main())
    until(lambda: snapshots_in(tmp_path))
    assert seen == ["other", "first"]


def test_a_second_install_replaces_the_first(installed, tmp_path):
    before = signal.getsignal(signal.SIGUSR1)
    installed()
    agraph.install(signal="USR1", directory=tmp_path / "made")
    try:
        assert signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL
        assert sum(thread.name == "agraph-signal" for thread in threading.enumerate()) == 1
        os.kill(os.getpid(), signal.SIGUSR1)
        until(lambda: snapshots_in(tmp_path / "made"))
    finally:
        agraph.uninstall()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_nothing_is_left_of_what_was_taken_back(installed):
    before = set(threading.enumerate())
    installed(stall_after=5)
    assert {thread.name for thread in set(threading.enumerate()) - before} == {
        "agraph-signal",
        "agraph-watchdog",
    }
    agraph.uninstall()
    assert set(threading.enumerate()) <= before


def in_another_thread(function):
    raised = []

    def target():
        try:
            function()
        except agraph.AgraphError as error:
            raised.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    return raised


def test_a_signal_can_only_be_asked_for_in_the_main_thread(installed, tmp_path, monkeypatch, capfd):
    (error,) = in_another_thread(installed)
    assert isinstance(error, agraph.AgraphError)
    assert "main thread" in error.help
    # The environment cannot end a program: the rest is installed.
    monkeypatch.setenv("AGRAPH_SIGNAL", "USR2")
    assert in_another_thread(lambda: agraph.install(directory=tmp_path, stall_after=100)) == []
    assert "main thread" in capfd.readouterr().err
    assert any(thread.name == "agraph-watchdog" for thread in threading.enumerate())
    assert signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL


def test_a_wrong_variable_is_said_and_ends_nothing(tmp_path, monkeypatch, capfd, installed):
    monkeypatch.setenv("AGRAPH_STALL_AFTER", "soon")
    installed()
    assert "AGRAPH_STALL_AFTER is 'soon': expected seconds" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGUSR2) != signal.SIG_DFL


def test_a_wrong_argument_leaves_what_is_installed(installed):
    installed()
    ours = signal.getsignal(signal.SIGUSR2)
    with pytest.raises(agraph.AgraphError):
        agraph.install(signal="USR9")
    assert signal.getsignal(signal.SIGUSR2) == ours
