"""The command line as a whole: help, versions, usage errors, bugs, signals, pipes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made import bank

import agraph_cli
from agraph_cli.commands import analyze as analyze_command


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("help", "--help"),
        ("no_command", ""),
        ("analyze", "analyze --help"),
        ("lint", "lint -h"),
        ("explain", "explain --help"),
        ("version", "--version"),
        ("unknown_command", "analise"),
        ("explain_verdict", "explain possible"),
        ("explain_unknown", "explain certian"),
    ],
)
def test_pages(agraph, name, line):
    agraph(line).is_golden(f"main/{name}")


def test_explain_a_rule(agraph):
    assert agraph("explain ag101").code == 0
    assert agraph.out.startswith("AG101 ")
    assert "# error: AG101" not in agraph.out
    assert "# agraph: ignore[AG101]" in agraph.out


def test_a_bug_is_owned_up_to(agraph, monkeypatch):
    bank().save("snap.json")
    monkeypatch.setattr(analyze_command, "_analyze", lambda *given: {}["gone"])
    assert agraph("analyze snap.json").code == 2
    assert agraph.err == (
        "error: KeyError: 'gone'; this is a bug in agraph\n"
        "hint: run it again with AGRAPH_DEBUG=1 and report what it prints\n"
    )
    monkeypatch.setenv("AGRAPH_DEBUG", "1")
    assert agraph("analyze snap.json").err.startswith("Traceback (most recent call last):\n")


def test_an_interrupt(agraph, monkeypatch):
    def interrupt(*_given):
        raise KeyboardInterrupt

    bank().save("snap.json")
    monkeypatch.setattr(analyze_command, "_analyze", interrupt)
    assert agraph("analyze snap.json").code == 130


def test_public_names():
    names = {"Analysis", "ExitCode", "__version__", "analyze", "full_report", "to_networkx"}
    assert set(agraph_cli.__all__) == names
    for name in agraph_cli.__all__:
        assert getattr(agraph_cli, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        agraph_cli.nothing  # noqa: B018


def process(*arguments, **options):
    environment = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR"}}
    environment.update(options.pop("env", {}))
    command = [sys.executable, "-m", "agraph_cli", *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        **options,
    )


def test_a_real_process(tmp_path):
    bank().save(tmp_path / "snap.json")
    with process("analyze", "snap.json", cwd=tmp_path) as running:
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (1, b"")
    assert out.decode().startswith("Deadlock: transfer-1 and transfer-2 wait for each other")


def test_ascii_where_the_encoding_has_no_more(tmp_path):
    bank().save(tmp_path / "snap.json")
    with process("analyze", "snap.json", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}) as running:
        out, _ = running.communicate(timeout=60)
    assert b"`- back to transfer-1" in out


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    Path(tmp_path / "many").mkdir()
    for number in range(200):  # more than a pipe holds
        bank().save(tmp_path / "many" / f"{number}.json")
    with process("analyze", "many", "--format", "json", cwd=tmp_path) as running:
        assert running.stdout.read(1) == b"{"
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(timeout=60) == 1


def unread(pipe):
    """How many bytes the other side has not read yet."""
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently there")
def test_ctrl_c_while_it_waits_for_input(tmp_path):
    with process("analyze", "-", cwd=tmp_path) as running:
        running.stdin.write(b"{")
        running.stdin.flush()
        limit = time.monotonic() + 60
        while unread(running.stdin) and time.monotonic() < limit:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
