"""`agraph analyze --scheduler`: what the workers of a Dask cluster say is what this process would say."""

import dataclasses
import json
import subprocess
import sys
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from made import PROCESS, bank, snapshot

from agraph import Edge, Node
from agraph_cli.commands import answers, batches, scheduler_option
from agraph_cli.commands.reading import Place
from agraph_cli.errors import CommandError

PROGRAM = Path(__file__).parent / "helpers" / "cluster.py"


@pytest.fixture(scope="module")
def cluster():
    """The address of a scheduler with two workers."""
    pytest.importorskip(
        "distributed", reason="Dask is not installed: the group `libraries` has it on Python 3.13"
    )
    command = [sys.executable, str(PROGRAM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def at(moment, pid=4711, waits=0):
    """The bank at a moment; with other `waits` its tasks went on in between."""
    one = bank(start_monotonic=moment, end_monotonic=moment + 0.1, start=1790000000.0 + moment)
    nodes = [
        node._replace(key=100 + node.id, wait=node.wait + waits if node.wait else None) for node in one.nodes
    ]
    return dataclasses.replace(one, process=dataclasses.replace(PROCESS, pid=pid), nodes=tuple(nodes))


def ring(size):
    """So many tasks that their cycle is told step by step."""
    nodes = [Node(n, "task", f"Task-{n}", "hop", "waiting", key=n, wait=n, need=1) for n in range(size)]
    return snapshot(nodes, [Edge(number, (number + 1) % size, "await") for number in range(size)])


@pytest.fixture
def folder(agraph):
    """Snapshots of several processes over time, short and long ones, and some that cannot be read."""
    Path("snaps/deep").mkdir(parents=True)
    for moment in range(6):
        at(100.0 + moment).save(f"snaps/same-{moment}.json")
        at(200.0 + moment, pid=17, waits=moment // 5).save(f"snaps/deep/moved-{moment}.json.gz")
    bank().save("snaps/lines.jsonl")
    ring(4000).save("snaps/ring.json")
    Path("snaps/broken.json").write_text('{"format": "agraph-snapshot"')
    Path("snaps/alien.json").write_text("[]")
    wrong = bank().to_dict()
    wrong["edges"][0]["awaited"] = [99]
    Path("snaps/wrong.json").write_text(json.dumps(wrong))
    return "none.json snaps 'snaps/*.none'"


@pytest.mark.parametrize("options", ["", "--format json", "--format html --all", "--format table --limit 3"])
def test_the_report_is_the_same(agraph, cluster, folder, options):
    here = agraph(f"analyze {folder} {options}").transcript()
    line = agraph.line
    there = agraph(f"analyze {folder} {options} --scheduler {cluster}")
    there.line = line
    assert there.transcript() == here
    assert agraph.code == 2
    assert agraph.err.count("error: ") == 5


def test_exit_codes(agraph, cluster):
    bank().save("a.json")
    at(300.0, waits=1).save("b.json")
    snapshot([Node(0, "task", "free", state="ready")]).save("free.json")
    assert agraph(f"analyze a.json --scheduler {cluster}").code == 1
    assert agraph(f"analyze a.json --fail-on never --scheduler {cluster}").code == 0
    assert agraph(f"analyze free.json --scheduler {cluster}").code == 0
    assert agraph.err == ""


def test_what_only_this_process_can_read_is_read_here(agraph, cluster, tmp_path):
    bank().save("a.json")
    content = Path("a.json").read_bytes()
    agraph(f"analyze a.json - file://{tmp_path}/a.json --format json --scheduler {cluster}", stdin=content)
    names = [row["path"] for row in json.loads(agraph.out)["snapshots"]]
    assert names == ["a.json", "-", f"file://{tmp_path}/a.json"]
    assert agraph(f"analyze - --scheduler {cluster}", stdin=content).code == 1


def test_the_source_is_joined_here(agraph, cluster):
    Path("src").mkdir()
    Path("src/bank.py").write_text("import asyncio\n")
    bank().save("a.json")
    here = agraph("analyze a.json --source src").out
    assert agraph(f"analyze a.json --source src --scheduler {cluster}").out == here


def test_workers_that_are_lost(agraph, cluster):
    bank().save("once.json")
    assert agraph(f"analyze once.json --scheduler {cluster}").code == 1
    assert Path("once.json.met").exists()
    assert agraph.err == ""
    bank().save("poison.json")
    content = Path("once.json").read_bytes()
    assert agraph(f"analyze poison.json - --scheduler {cluster}", stdin=content).code == 2
    assert agraph.out.startswith("Deadlock: transfer-1 and transfer-2")
    assert agraph.err == (
        "error: poison.json: each worker that began on it was lost, perhaps for want of memory\n"
        "hint: give the workers more memory, or analyze these files without --scheduler\n"
    )


def test_files_that_the_workers_do_not_have(agraph, cluster, monkeypatch):
    for name in ("a", "b", "c"):
        bank().save(f"{name}.json")
    monkeypatch.setattr(batches, "_absolute", lambda place: place._replace(at=f"/nowhere/{place.path}"))
    assert agraph(f"analyze a.json b.json c.json --scheduler {cluster}").code == 2
    assert " has no such file; not read: 3 files, to c.json\n" in agraph.err
    assert agraph.err.count("error: ") == 1
    assert "hint: name a folder that the workers have under the same path" in agraph.err


def test_another_version(agraph, cluster, monkeypatch):
    bank().save("a.json")
    monkeypatch.setattr(answers, "__version__", "99.0")
    agraph(f"analyze a.json --scheduler {cluster}")
    assert (agraph.code, agraph.out) == (2, "")
    assert agraph.err.startswith("error: --scheduler: the worker tcp://")
    assert "and this is agraph-cli 99.0" in agraph.err
    assert "hint: pip install agraph-cli==" in agraph.err
    monkeypatch.setattr(scheduler_option, "_compare_versions", lambda client: None)  # one that joins later
    assert agraph(f"analyze a.json --scheduler {cluster}").code == 2
    assert agraph.err.startswith("error: a.json: a worker cannot do it: ")
    assert "hint: pip install agraph-cli==" in agraph.err


@pytest.fixture
def no_loop_left():
    """A client that did not get through leaves its loop running, with a task that tests of captures would see."""
    utils = pytest.importorskip(
        "distributed.utils", reason="Dask is not installed: the group `libraries` has it on Python 3.13"
    )
    yield
    for _, runner in list(utils.LoopRunner._all_loops.values()):
        if runner is not None:
            runner.stop()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:9", "cannot reach a Dask scheduler at tcp://127.0.0.1:9: no answer in 0.3 seconds"),
        ("nonsense", "cannot reach a Dask scheduler at nonsense: "),
        ("''", "the address is empty"),
    ],
)
@pytest.mark.usefixtures("no_loop_left")
def test_no_scheduler(agraph, monkeypatch, address, words):
    monkeypatch.setattr(scheduler_option, "_CONNECT_SECONDS", 0.3)
    bank().save("a.json")
    agraph(f"analyze a.json --scheduler {address}")
    assert (agraph.code, agraph.out) == (2, "")
    assert agraph.err.startswith(f"error: --scheduler: {words}")
    assert agraph.err.count("\n") == 2


def test_without_the_extra(agraph, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    bank().save("a.json")
    assert agraph("analyze a.json --scheduler tcp://127.0.0.1:9").code == 2
    assert agraph.err == ("error: --scheduler: Dask is not installed\nhint: pip install 'agraph-cli[dask]'\n")


class Client:
    """A client whose scheduler has no workers, or goes away, or loses a result with the worker that had it."""

    key = "only"
    status = "running"

    def __init__(self, *results, workers=0):
        self.results = list(results)
        self.workers = workers

    def nthreads(self):
        return {str(number): 1 for number in range(self.workers)}

    def map(self, function, sources, calls, **options):
        self.call = sources[0], calls[0]
        return [self]

    def add_done_callback(self, call):
        if self.results:
            call(self)

    def result(self, timeout):
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return eval(self.call[0], dict(self.call[1]))

    def release(self):
        pass


def test_workers_without_agraph():
    missing = ModuleNotFoundError("No module named 'agraph_cli'")
    client = Client()
    client.run = lambda *call, on_error: {"tcp://a:1": missing, "tcp://b:2": missing}
    with pytest.raises(CommandError) as caught:
        scheduler_option._compare_versions(client)
    assert caught.value.message.startswith(
        "--scheduler: the worker tcp://a:1 has no agraph-cli like this one (No module named 'agraph_cli'), and "
    )
    assert caught.value.message.endswith("; 2 of 2 workers cannot be used")
    assert caught.value.hint == answers.HOW_TO_AGREE


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (Client(), "the scheduler had no worker for 0 seconds"),
        (Client(CancelledError()), "the scheduler is gone, or the work was cancelled there"),
        (Client(ZeroDivisionError("no"), workers=1), "a worker failed with ZeroDivisionError: no"),
    ],
)
def test_a_cluster_that_gives_up(client, words, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(batches, "_WORKER_SECONDS", 0.0)
    bank().save(tmp_path / "a.json")
    places = [Place(name, str(tmp_path / "a.json")) for name in ("a.json", "b.json")]
    monkeypatch.setattr(batches, "_ROUNDS", 1)
    ((number, error),) = batches.Batches(client, places).answers()
    assert number == 0
    assert error["path"] == "a.json"
    assert error["message"] == f"{words}; not read: 2 files, to b.json"
    assert error["help"]
    assert ("no worker yet" in capsys.readouterr().err) == (not client.workers)


def test_a_result_that_was_lost_is_made_again(tmp_path):
    bank().save(tmp_path / "a.json")
    client = Client(TimeoutError(), "whole", workers=1)
    ((number, one),) = batches.Batches(client, [Place("a.json", str(tmp_path / "a.json"))]).answers()
    assert (number, one.path, one.verdict) == (0, "a.json", "certain")
