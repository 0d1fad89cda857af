"""Waits that cross processes: in real services that call each other, and in snapshots made by hand."""

import contextlib
import dataclasses
import json
import re
import socket
import sys

import networkx as nx
import pytest
from made import PROCESS, snapshot
from running import PROGRAMS, started, until

from agraph import Edge, Node
from agraph_cli import to_networkx
from agraph_cli.analysis.judge import analyze

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def free_ports(number):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [server.getsockname()[1] for server in servers]


@pytest.fixture
def ledgers(folder):
    """Two services; each holds its own lock and is about to ask the other one for its."""
    for library in ("httpx", "opentelemetry.sdk", "starlette", "uvicorn"):
        pytest.importorskip(library)
    one, two = free_ports(2)
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                started(
                    *(sys.executable, "-m", "agraph", "run", "--socket", f"{folder}/{ports[0]}.sock"),
                    *(PROGRAMS / "ledgers.py", *ports),
                )
            )
            for ports in ((one, two), (two, one))
        ]


def capture(agraph, processes):
    for number, process in enumerate(processes):
        path = process.args[process.args.index("--socket") + 1]
        line = f"capture {process.pid} --via socket --socket {path} -o {number}.json"
        assert agraph(line).code == 0, agraph.err


def test_two_services_that_wait_for_each_other(agraph, ledgers):
    capture(agraph, ledgers)
    assert agraph("analyze 0.json 1.json --fail-on possible").code == 0
    for process in ledgers:
        process.stdin.write(b"go on\n")
        process.stdin.flush()

    def deadlocked():
        capture(agraph, ledgers)
        code = agraph("analyze 0.json 1.json --fail-on possible").code
        assert code in (0, 1), agraph.err
        return code == 1

    until(deadlocked)
    one, two = (f"pid {process.pid}" for process in ledgers)
    assert "Possible deadlock: 4 tasks wait for each other; 2 more tasks wait behind them.\n" in agraph.out
    assert f"waits for lock ledger of {one} " in agraph.out
    assert f"held by transfer of {two}, taken at " in agraph.out
    assert re.search(rf"I/O #\d+ is answered by Task-\d+ of {two} \(inferred\)\n", agraph.out)
    assert "does not tell" not in agraph.out
    assert "although the processes were captured one after the other\n" in agraph.out
    assert "send the request before they are" in " ".join(agraph.out.split())
    for alone in ("0.json", "1.json"):
        assert agraph(f"analyze {alone} --fail-on possible").code == 0
    assert agraph("analyze 0.json 1.json --format json").code == 0
    (deadlock,) = json.loads(agraph.out)["deadlocks"]
    host = json.loads(agraph.out)["snapshots"][0]["process"].partition(":")[0]
    names = [(task["process"], task["name"]) for task in deadlock["tasks"]]
    assert {process for process, _ in names} == {f"{host}:{process.pid}" for process in ledgers}
    assert [name for _, name in names].count("transfer") == 2
    assert deadlock["certainty"] == "possible"
    for form in ("html", "sarif", "tree", "table", "dot", "mermaid"):
        assert agraph(f"analyze 0.json 1.json --format {form}").code == 0, agraph.err


# ---- made by hand


def process(pid, *, answers, asks, timer=None, host="web-3", waits_for_io=True):
    """A task that answers a request waits for a lock, whose holder waits for an answer."""
    nodes = [
        Node(10, "task", "answers", need=1, detail={"trace_id": TRACE, "span_id": f"{pid:016x}", **answers}),
        Node(11, "task", "asks", need=1, timer=timer, detail={"trace_id": TRACE, **asks}),
        Node(12, "lock", "ledger", need=1),
        Node(13, "io", "", need=0) if waits_for_io else Node(13, "event", "closed", need=1),
    ]
    edges = [Edge(10, 12, "lock"), Edge(12, 11, "held_by"), Edge(11, 13, "await")]
    made = snapshot(nodes, edges)
    return dataclasses.replace(made, process=dataclasses.replace(PROCESS, pid=pid, host=host))


def both(**fields):
    one = process(1, answers={"remote_parent_id": "b" * 16}, asks={"span_id": "a" * 16})
    two = process(2, answers={"remote_parent_id": "a" * 16}, asks={"span_id": "b" * 16}, **fields)
    return analyze([one, two])


def verdicts(analysis):
    return {(one.process, node.name): verdict for one in analysis.snapshots for node, verdict in one.tasks()}


def test_a_circle_of_requests_is_possible_at_most():
    analysis = both()
    assert analysis.verdict == "possible"
    assert set(verdicts(analysis).values()) == {"possible"}
    ((_, deadlock),) = analysis.deadlocks
    assert [node.name for node in deadlock.tasks] == [
        "answers of pid 1",
        "answers of pid 2",
        "asks of pid 1",
        "asks of pid 2",
    ]
    assert "asks of pid 1 and asks of pid 2 wait for an answer" in deadlock.help


def saved():
    process(1, answers={"remote_parent_id": "b" * 16}, asks={"span_id": "a" * 16}).save("1.json")
    process(2, answers={"remote_parent_id": "a" * 16}, asks={"span_id": "b" * 16}).save("2.json")


def test_every_picture_shows_the_way_round(agraph):
    saved()
    graph = to_networkx(both())
    assert graph.edges[(0, 13), (1, 10)] == {
        "kind": "bridge", "confidence": "probable", "site": None, "kinds": ["bridge"],
    }  # fmt: skip
    assert len(nx.find_cycle(graph, (0, 11))) == 8
    for form, there, back in (
        ("dot", "n0_13 -> n1_10 [", "n1_13 -> n0_10 ["),
        ("mermaid", "n0_13 -.->|bridge| n1_10", "n1_13 -.->|bridge| n0_10"),
        ("graphml", 'source="0:13" target="1:10"', 'source="1:13" target="0:10"'),
        ("tree", "answered by answers of web-3:2 (inferred)", "answered by answers of web-3:1 (inferred)"),
    ):
        assert agraph(f"analyze 1.json 2.json --format {form}").code == 0, agraph.err
        assert there in agraph.out
        assert back in agraph.out


def test_one_task_is_followed_into_the_other_process(agraph):
    saved()
    assert agraph("analyze 1.json 2.json --task asks --all").code == 0
    assert "is answered by answers of pid 2 (inferred)" in agraph.out
    assert "held by asks of pid 2" in agraph.out
    assert "back to asks of pid 1" in agraph.out
    assert "See Possible deadlock: 4 tasks wait for each other." in agraph.out


def test_a_timeout_of_one_request_ends_it():
    assert both(timer=130.0).verdict == "stalled"


def test_processes_of_several_hosts_are_told_apart():
    ((_, deadlock),) = both(host="web-4").deadlocks
    assert [node.name for node in deadlock.tasks][:2] == ["answers of web-3:1", "answers of web-4:2"]


def test_who_waits_for_something_else_waits_for_no_answer():
    analysis = both(waits_for_io=False)
    assert {one.process for one, _ in analysis.deadlocks} == {"web-3:2"}


@pytest.mark.parametrize(
    ("answers", "asks"),
    [
        ({"remote_parent_id": "c" * 16}, {"span_id": "b" * 16}),
        ({}, {"span_id": "b" * 16}),
        ({"remote_parent_id": "a" * 16}, {}),
        ({"remote_parent_id": "a" * 16, "trace_id": "f" * 32}, {"span_id": "b" * 16}),
    ],
    ids=["another span", "no caller", "no span", "another trace"],
)
def test_only_the_same_span_of_the_same_trace_counts(answers, asks):
    one = process(1, answers={"remote_parent_id": "b" * 16}, asks={"span_id": "a" * 16})
    assert analyze([one, process(2, answers=answers, asks=asks)]).verdict == "live"


def test_a_process_does_not_wait_for_itself():
    one = process(1, answers={"remote_parent_id": "a" * 16}, asks={"span_id": "a" * 16})
    assert analyze([one]).across is None
    assert analyze([one, one]).across is None


def test_the_latest_snapshot_of_each_process_counts():
    one = process(1, answers={"remote_parent_id": "b" * 16}, asks={"span_id": "a" * 16})
    two = process(2, answers={"remote_parent_id": "a" * 16}, asks={"span_id": "b" * 16})
    later = dataclasses.replace(one.capture, start=1790000200.0, end=1790000200.1)
    idle = dataclasses.replace(snapshot([Node(1, "task", "idle")]), process=one.process, capture=later)
    assert analyze([one, two, idle]).across is None
