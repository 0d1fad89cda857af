"""`agraph demo`: the whole product on a program that really hangs."""

import os
import re
import subprocess
import sys
import time

import pytest

from agraph_cli.demo import hung


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the demonstration prints, run as a user runs it, in a folder with nothing in it."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "agraph_cli", "demo"],
        cwd=tmp_path_factory.mktemp("empty"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begin < 15
    return done.stdout


def test_it_finds_the_deadlock(shown):
    assert "\nDeadlock: alice-to-bob and bob-to-alice wait for each other; " in shown
    assert "How sure: certain." in shown
    assert re.search(r"alice-to-bob waits for lock .* bank\.py:\d+ in transfer", shown)
    assert re.search(r"held by bob-to-alice, taken at +bank\.py:\d+ in transfer", shown)
    assert "in different orders: take" in shown


def test_it_leaves_the_healthy_tasks_alone(shown):
    [tally] = re.findall(r"^  (\d+ tasks: .*)$", shown, flags=re.MULTILINE)
    assert tally.endswith(" 4 live")


def test_it_shows_the_untracked_future(shown):
    [place] = re.findall(
        r"future printed \(who completes it is inferred\); awaited by receipt +bank\.py:\d+ in receipt\n"
        r" +AG101 bank\.py:(\d+) in receipt\n",
        shown,
    )
    assert re.search(rf"\nAG101 .*\n +--> bank\.py:{place}:", shown)
    assert "= seen: 1 task waited here in snapshot.json\n" in shown


def test_it_ends_what_it_started(shown):
    [pid] = re.findall(r"It runs as process (\d+)\.", shown)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_program_that_fails_is_told_of(agraph, monkeypatch):
    monkeypatch.setattr(hung, "RUNNER", "agraph_cli.demo.no_such_module")
    assert agraph("demo").code == 2
    assert agraph.err.startswith("error: the demonstration failed: the program was ended: ")
    assert "No module named agraph_cli.demo.no_such_module" in agraph.err


def test_a_program_that_does_not_hang_is_ended(agraph, monkeypatch):
    monkeypatch.setattr(hung, "RUNNER", "this")
    assert agraph("demo").code == 2
    assert "the demonstration failed" in agraph.err
