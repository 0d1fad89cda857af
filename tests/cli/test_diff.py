"""`agraph diff`: exit code, output and errors together."""

import dataclasses
import json
from pathlib import Path

import pytest
from made import CAPTURE, PROCESS, SITES, bank, snapshot

from agraph import Edge, Node


def service(moment, *tasks, shift=0, **process):
    """A service: tasks as (name, wait id, whom it waits for); a task with wait id 0 is ready."""
    clock = {"start": 1790000000.0 + moment, "end": 1790000000.0 + moment + 0.1}
    times = {"start_monotonic": moment, "end_monotonic": moment + 0.1}
    ids = {name: number for number, (name, _, _) in enumerate(tasks)}
    nodes = [
        Node(number, "task", name, name.rstrip("0123456789"), "waiting" if wait else "ready", 0 if wait else None, 99,
             None, wait or None, 100 + sum(map(ord, name)) + shift, int(bool(wait)), None, "", False)
        for name, wait, _ in tasks
        for number in [ids[name]]
    ]  # fmt: skip
    nodes.append(Node(98, "event", "ready", "Event", need=1, open="anybody may set it"))
    nodes.append(Node(99, "loop", "main", "Loop", "idle", key=900 + shift))
    edges = [
        Edge(ids[name], 98 if other == "event" else ids[other], "await") for name, _, other in tasks if other
    ]
    made = snapshot(
        nodes, edges, sites=SITES, stacks=((1,),), capture=dataclasses.replace(CAPTURE, **clock, **times)
    )
    return dataclasses.replace(made, process=dataclasses.replace(PROCESS, **process))


A = ("a", 11, "b"), ("b", 12, "a")
BEFORE = service(1.0, *A, ("c", 13, "event"), ("d", 14, "event"), ("e", 0, ""), ("f", 0, ""))
AFTER = service(
    61.0, *A, ("c", 15, "event"), ("e", 16, "f"), ("f", 17, "e"), ("g", 18, "event"), ("h", 19, "event")
)


def save(before, after):
    before.save("a.json")
    after.save("b.json")


def test_the_report(agraph):
    save(BEFORE, AFTER)
    agraph("diff a.json b.json").is_golden("diff/full")
    assert agraph.code == 1


def test_json(agraph):
    save(BEFORE, AFTER)
    agraph("diff a.json b.json --format json").is_golden("diff/json")
    found = json.loads(agraph.out)
    assert found["schema"] == "agraph.diff/1"
    names = {
        kind: [(row["after"] or row["before"])["name"] for row in found[kind]]
        for kind in ("stuck", "new", "moved", "gone")
    }
    assert names == {"stuck": ["a", "b"], "new": ["e", "f", "g", "h"], "moved": ["c"], "gone": ["d"]}
    assert [[task["name"] for task in one["tasks"]] for one in found["new_deadlocks"]] == [["e", "f"]]


def test_nothing_new(agraph):
    save(BEFORE, dataclasses.replace(BEFORE, capture=AFTER.capture))
    agraph("diff a.json b.json").is_golden("diff/nothing_new")
    assert agraph.code == 0


def test_nothing_stuck(agraph):
    save(service(1.0, ("e", 0, "")), service(2.0, ("e", 0, "")))
    assert agraph("diff a.json b.json").out.startswith(
        "No new deadlock, 0.9 s later. Nothing is stuck in either."
    )


def test_what_went_on_was_not_certain(agraph):
    save(service(1.0, *A, ("c", 13, "a")), service(9.0, ("a", 0, ""), ("c", 13, "a")))
    agraph("diff a.json b.json").is_golden("diff/refuted")
    assert agraph.code == 0
    assert '"certain"' not in agraph("diff a.json b.json --format json").out


def test_a_deadlock_of_the_same_tasks_that_met_again_is_new(agraph):
    save(service(1.0, *A), service(9.0, ("a", 21, "b"), ("b", 22, "a")))
    assert agraph("diff a.json b.json").code == 1
    assert "2 moved" in agraph.out


@pytest.mark.parametrize(("fail_on", "code"), [("certain", 0), ("possible", 1), ("never", 0)])
def test_fail_on(agraph, fail_on, code):
    possible = service(9.0, *A)
    edges = tuple(edge._replace(confidence="probable") for edge in possible.edges)
    save(service(1.0, ("a", 0, "")), dataclasses.replace(possible, edges=edges))
    assert agraph(f"diff a.json b.json --fail-on {fail_on}").code == code


def test_two_processes_are_compared_by_name(agraph):
    save(BEFORE, dataclasses.replace(AFTER, process=dataclasses.replace(PROCESS, pid=9)))
    agraph("diff a.json b.json").is_golden("diff/processes")
    found = json.loads(agraph("diff a.json b.json --format json").out)
    assert found["compared_by"] == "name"
    assert [row["after"]["name"] for row in found["stuck"]] == ["a", "b", "c"]


def test_captures_by_two_copies_of_agraph(agraph):
    save(BEFORE, service(61.0, *A, shift=5))
    assert agraph("diff a.json b.json").code == 0
    assert "do not identify tasks in the same way" in agraph.out


def test_the_wrong_order_is_noted(agraph):
    save(AFTER, BEFORE)
    assert "are they in the right order?" in agraph("diff a.json b.json").out


def test_long_lists(agraph):
    many = [(f"w{number}", 30 + number, "event") for number in range(30)]
    save(service(1.0), service(2.0, *many))
    assert "and 20 more (--all lists them)" in agraph("diff a.json b.json").out
    assert "more" not in agraph("diff a.json b.json --all").out


def test_names_are_made_harmless(agraph):
    name = "\x1b[31mx\nNo new deadlock"
    save(service(1.0), service(2.0, (name, 30, "event")))
    text = agraph("diff a.json b.json").transcript()
    assert "\x1b" not in text
    assert "\nNo new deadlock\n" not in text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("missing", "diff a.json c.json"),
        ("one", "diff a.json"),
        ("both_stdin", "diff - -"),
        ("folder", "diff . a.json"),
        ("bad", "diff bad.json a.json"),
    ],
)
def test_errors(agraph, name, line):
    save(bank(), bank())
    if name == "bad":
        Path("bad.json").write_text('{"format": "agraph-snapshot", "version": 1}')
    agraph(line).is_golden(f"diff/error_{name}")
    assert agraph.code == 2
    assert agraph.out == ""


def test_standard_input_and_a_file(agraph):
    save(BEFORE, AFTER)
    assert agraph("diff a.json - -o report.txt", stdin=Path("b.json").read_bytes()).code == 1
    assert agraph.out == ""
    assert Path("report.txt").read_text().startswith("1 new deadlock")
