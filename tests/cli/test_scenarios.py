"""The hanging programs of the scenarios, really run, captured from a thread, and judged.

Each is captured again and again until all its tasks are there and the verdicts are as expected. In no capture before
that may a task be called `certain` that is not so in the end: deadlock is stable, so that would be a false alarm.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import agraph
from agraph_cli.analysis.judge import analyze_one

WATCHED = Path(__file__).parent / "helpers" / "watched.py"
SCENARIOS = Path(__file__).resolve().parents[3] / "shared" / "scenarios"
PROGRAMS = sorted(SCENARIOS.glob("*.py"))
SECONDS = 30


@pytest.fixture(params=PROGRAMS or [None], ids=[path.stem for path in PROGRAMS] or ["none"])
def program(request):
    """The path of a scenario."""
    if request.param is None:
        pytest.skip("no folder `shared` beside the repository")
    return request.param


@pytest.fixture
def captured(program, tmp_path):
    """A function that captures the running scenario; None once it has ended."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, str(WATCHED), str(program)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:

        def capture():
            try:
                process.stdin.write(f"{tmp_path / 's.json'}\n")
                process.stdin.flush()
            except BrokenPipeError:
                return None
            if process.stdout.readline() != "saved\n":
                assert process.wait() == 0, process.stderr.read()
                return None
            return agraph.load(tmp_path / "s.json")

        yield capture
        process.kill()


def test_verdicts_of_the_running_program(program, captured):
    expected = json.loads((SCENARIOS / "expected.json").read_text())[program.stem]["verdict"]
    end = time.monotonic() + SECONDS
    found = None
    while time.monotonic() < end:
        snapshot = captured()
        if snapshot is None:
            break
        verdicts = {node.name: verdict for node, verdict in analyze_one(snapshot).tasks()}
        alarms = {name for name, verdict in verdicts.items() if verdict == "certain"}
        assert alarms <= {name for name, verdict in expected.items() if verdict == "certain"}
        found = {name: verdicts.get(name) for name in expected}
        if found == expected:
            return
    assert found == expected
