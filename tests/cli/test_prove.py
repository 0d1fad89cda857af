"""`agraph capture --prove`, by each way that can, on the hanging programs of the scenarios and on one of our own."""

import json
import sys
import time
from pathlib import Path

import pytest
from running import needs_3_14, needs_proc, started, until

import agraph as library
from agraph_cli.analysis.judge import analyze_one

pytestmark = needs_proc
SCENARIOS = Path(__file__).resolve().parents[3] / "shared" / "scenarios"
PROGRAMS = sorted(SCENARIOS.glob("*.py"))
SECONDS = 30
LOST = """
import asyncio, os

async def works(queue):
    while True:
        await queue.get()  # and no task_done

async def beats():
    while True:
        await asyncio.sleep(0.01)

async def main():
    beat = asyncio.create_task(beats(), name="beat")
    asyncio.current_task().set_name("main")
    queue = asyncio.Queue()
    queue.put_nowait(1)
    worker = asyncio.create_task(works(queue), name="worker")
    while not queue.empty():
        await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.05, os.write, 1, b"ready\\n")
    await queue.join()

asyncio.run(main())
"""


@pytest.fixture(params=PROGRAMS or [None], ids=[path.stem for path in PROGRAMS] or ["none"])
def scenario(request):
    """The path of a scenario."""
    if request.param is None:
        pytest.skip("no folder `shared` beside the repository")
    return request.param


@pytest.fixture
def lost(tmp_path):
    """A program that lost the last word about its queue."""
    path = tmp_path / "lost.py"
    path.write_text(LOST)
    return path


def verdicts_of(path):
    snapshot = library.load(path)
    assert snapshot.capture.errors == ()
    return {node.name: verdict for node, verdict in analyze_one(snapshot).tasks()}


def test_scenarios(agraph, scenario, tmp_path):
    expected = json.loads((SCENARIOS / "expected.json").read_text())[scenario.stem]["verdict_with_heap_proof"]
    own = tmp_path / "its.sock"
    found = None
    # It says nothing itself: this does, once it stands.
    starter = tmp_path / "starter.py"
    starter.write_text(
        f"import runpy; print('ready'); runpy.run_path({str(scenario)!r}, run_name='__main__')"
    )
    command = [sys.executable, "-m", "agraph", "run", starter]
    with started(*command, env={"AGRAPH_SOCKET": str(own)}) as process:
        until(own.exists)
        end = time.monotonic() + SECONDS
        while found != expected and time.monotonic() < end and process.poll() is None:
            place = tmp_path / "s.json"
            if agraph(f"capture {process.pid} --prove --no-analyze -o {place}").code:
                break  # it has ended meanwhile
            verdicts = verdicts_of(place)
            place.unlink()
            alarms = {name for name, verdict in verdicts.items() if verdict == "certain"}
            assert alarms <= {name for name, verdict in expected.items() if verdict == "certain"}
            found = {name: verdicts.get(name) for name in expected}
    assert found == expected


def test_over_the_socket(agraph, lost, tmp_path):
    own = tmp_path / "its.sock"
    command = [sys.executable, "-m", "agraph", "run", lost]
    with started(*command, env={"AGRAPH_SOCKET": str(own)}) as process:
        assert agraph(f"capture {process.pid} --via socket --prove").code == 0
    assert "proved" in agraph.out
    assert "certain" in agraph.out


@needs_3_14
def test_by_remote_execution(agraph, lost):
    with started(sys.executable, lost) as process:
        code = agraph(f"capture {process.pid} --via remote --prove").code
        if code and "not" in agraph.err and "allowed" in agraph.err:
            pytest.skip("processes may not be looked into here")
        assert code == 0, agraph.err
    assert "proved" in agraph.out
    assert "certain" in agraph.out


def test_a_signal_cannot_ask_for_it(agraph, lost, tmp_path):
    env = {"AGRAPH_SIGNAL": "USR1", "AGRAPH_DIRECTORY": str(tmp_path / "its")}
    with started(sys.executable, "-m", "agraph", "run", lost, env=env) as process:
        assert agraph(f"capture {process.pid} --via signal --prove").code == 0
    assert "nothing was proved: that takes --via socket, remote or gdb" in agraph.err
