"""`agraph analyze` on made snapshots: exit code, output and errors together."""

import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from made import LIBRARY, bank, of_model, snapshot, tasks

from agraph import Edge, Node, Process, Site


def lock(number, name="", **fields):
    return Node(number, "lock", name, need=1, **fields)


def knot():
    nodes = [*tasks("racer", "x", "y", "main")]
    edges = [
        Edge(0, 1, "any_of"),
        Edge(0, 2, "any_of"),
        Edge(1, 0, "await"),
        Edge(2, 0, "await"),
        Edge(3, 0, "await"),
    ]
    return snapshot(nodes, edges)


def self_lock():
    return snapshot([*tasks("main"), lock(1, "cache")], [Edge(0, 1, "lock"), Edge(1, 0, "held_by")])


def semaphore():
    """Each holder waits for a child that needs the same semaphore, under a shared name for both children."""
    nodes = [*tasks("p0", "p1", "child", "child"), Node(4, "semaphore", "slots", need=1)]
    edges = [Edge(0, 2, "await"), Edge(1, 3, "await"), Edge(2, 4, "lock"), Edge(3, 4, "lock")]
    return snapshot(nodes, [*edges, Edge(4, 0, "held_by"), Edge(4, 1, "held_by")])


def blocked_loop():
    nodes = [
        Node(0, "task", "main", "main", "running", 0, loop=3),
        Node(1, "task", "bystander", loop=3, need=1, timer=100.5),
        Node(2, "thread", "MainThread", state="blocked", need=1),
        Node(3, "loop", "", need=1, state="blocked"),
        Node(4, "work_item", "inner", need=1),
    ]
    edges = [Edge(3, 2, "thread"), Edge(2, 4, "cross_loop"), Edge(4, 3, "cross_loop")]
    sites = (
        Site("app.py", "main", 7),
        Site("/usr/lib/python3.14/concurrent/futures/_base.py", "Future.result", 451),
    )
    return snapshot(nodes, edges, sites=sites, stacks=((1, 0),))


def stalled():
    nodes = [*tasks("a", "b"), lock(2, "L"), lock(3, "M")]
    nodes[0] = nodes[0]._replace(timer=101.5)
    edges = [Edge(0, 2, "lock"), Edge(2, 1, "held_by"), Edge(1, 3, "lock"), Edge(3, 0, "held_by")]
    return snapshot(nodes, edges)


def live():
    nodes = [
        Node(0, "task", "server", "serve", "waiting", 0, need=1, since=40.0),
        Node(1, "io", "", state="pending", detail={"fd": 7, "peer": "10.0.0.1:5432"}),
        Node(2, "task", "cleaner", "clean", "waiting", 1, need=1, since=99.0, timer=130.0),
        Node(3, "task", "report", state="running"),
        Node(4, "task", "client-1", need=1, since=70.0),
        Node(5, "task", "client-2", need=1, since=71.0),
    ]
    edges = [Edge(0, 1, "await"), Edge(4, 0, "await"), Edge(5, 0, "await")]
    sites = (Site("app.py", "serve", 10), Site("app.py", "clean", 20))
    return snapshot(nodes, edges, sites=sites, stacks=((0,), (1,)))


def event():
    nodes = [
        *tasks("consumer", "main"),
        Node(2, "event", "ready", need=1, open="anybody may set it"),
        Node(3, "task", "client", need=1),
        Node(4, "future", need=0, open="no producer known"),
    ]
    return snapshot(nodes, [Edge(0, 2, "await"), Edge(1, 0, "await"), Edge(3, 4, "await")])


def timeout():
    """A wait for an event that a timeout ends."""
    nodes = [
        Node(0, "task", "poller", need=1, timer=103.0),
        Node(1, "event", "wake", need=1, open="anybody may set it"),
        Node(2, "task", "clock", need=1, timer=101.0),
    ]
    return snapshot(nodes, [Edge(0, 1, "await")])


def crowd():
    nodes = [*tasks("a", *(f"http-{number}" for number in range(1, 31))), lock(31, "L")]
    return snapshot(
        nodes, [*(Edge(number, 31, "lock") for number in range(31)), Edge(31, 0, "held_by", "probable")]
    )


def hostile():
    """Names that would set colours, forge lines and turn text around."""
    nodes = [*tasks("\x1b[31mred\nDeadlock: none", "b\u202eda"), lock(2, "L\x07"), lock(3, "M\u2028")]
    edges = [
        Edge(0, 2, "lock"),
        Edge(2, 1, "held_by", site=0),
        Edge(1, 3, "lock"),
        Edge(3, 0, "held_by", site=0),
    ]
    return snapshot(nodes, edges, sites=(Site("a\x1b]0;x\x07.py", "f\r", 3),))


def deep():
    """A stack of more frames than are shown, the innermost ones asyncio's."""
    sites = (
        Site(LIBRARY + "locks.py", "Lock.acquire", 114),
        *(Site("app.py", f"f{n}", n) for n in range(1, 15)),
    )
    nodes = [Node(0, "task", "main", need=1, stack=0), lock(1, "L")]
    edges = [Edge(0, 1, "lock"), Edge(1, 0, "held_by")]
    return snapshot(nodes, edges, sites=sites, stacks=(tuple(range(15)),))


MADE = {
    "bank": (bank, 1),
    "knot": (knot, 1),
    "self_lock": (self_lock, 1),
    "semaphore": (semaphore, 1),
    "blocked_loop": (blocked_loop, 1),
    "stalled": (stalled, 0),
    "live": (live, 0),
    "event": (event, 0),
    "crowd": (crowd, 0),
    "timeout": (timeout, 0),
    "hostile": (hostile, 1),
    "deep": (deep, 1),
    "empty": (lambda: snapshot([]), 0),
    "inconsistent": (
        lambda: bank(
            consistent=False, complete=False, where="thread", thread="watch", cut=("2 tasks: limit",)
        ),
        0,
    ),
    "notes": (lambda: bank(errors=("task #9: gone",), unknown=("condition_waiters",)), 1),
}


@pytest.mark.parametrize("name", MADE)
def test_report(agraph, name):
    make, code = MADE[name]
    make().save("snap.json")
    agraph("analyze snap.json").is_golden(f"analyze/{name}")
    assert agraph.code == code


def test_no_output_has_a_control_character(agraph):
    hostile().save("snap.json")
    for line in ("snap.json", "snap.json --all", "snap.json --format json", "snap.json --task '#1'"):
        text = agraph(f"analyze {line}").transcript()
        assert not set(text) & set("\x1b\x07\r\u202e\u2028")
        assert "\nDeadlock: none" not in text


def test_json(agraph):
    bank().save("snap.json")
    agraph("analyze snap.json --format json").is_golden("analyze/json_bank")
    document = json.loads(agraph.out)
    assert document["verdict"] == "certain"
    assert list(document) == [
        "schema", "verdict", "deadlocks", "tasks", "lock_order", "predicted", "stuck", "lifted", "orphans",
        "snapshots", "notes", "errors",
    ]  # fmt: skip


def test_json_of_an_orphan(agraph):
    event().save("snap.json")
    agraph("analyze snap.json --format json").is_golden("analyze/json_event")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("task_victim", "snap.json --task main"),
        ("task_core", "snap.json --task transfer-2 --all"),
        ("task_live", "snap.json --task ticker"),
        ("task_by_id", "snap.json --task 7"),
        ("task_unknown", "snap.json --task tickr"),
        ("task_nothing_near", "snap.json --task zzzzzz"),
        ("task_json", "snap.json --task main --format json"),
    ],
)
def test_one_task(agraph, name, line):
    bank().save("snap.json")
    agraph(f"analyze {line}").is_golden(f"analyze/{name}")


@pytest.mark.parametrize(
    ("make", "fail_on", "code"),
    [
        (bank, "certain", 1),
        (bank, "possible", 1),
        (bank, "never", 0),
        (event, "certain", 0),
        (event, "possible", 1),
        (stalled, "possible", 0),
        (live, "possible", 0),
    ],
)
def test_fail_on(agraph, make, fail_on, code):
    make().save("snap.json")
    assert agraph(f"analyze snap.json --fail-on {fail_on}").code == code


def test_all_lists_everything(agraph):
    crowd().save("snap.json")
    assert "http-30" not in agraph("analyze snap.json").out
    assert "(--all lists them)" in agraph.out
    assert "http-30" in agraph("analyze snap.json --all").out
    assert "--all" not in agraph.out


def test_many_deadlocks_are_counted(agraph):
    nodes, edges = [], []
    for number in range(12):
        nodes += [Node(2 * number, "task", f"t{number}", need=1), lock(2 * number + 1, f"L{number}")]
        edges += [Edge(2 * number, 2 * number + 1, "lock"), Edge(2 * number + 1, 2 * number, "held_by")]
    snapshot(nodes, edges).save("snap.json")
    agraph("analyze snap.json").is_golden("analyze/many")


def test_several_snapshots(agraph):
    Path("snaps").mkdir()
    live().save("snaps/a.json")
    bank().save("snaps/b.json.gz")
    stalled().save("snaps/c.json")
    Path("snaps/notes.txt").write_text("not looked at")
    agraph("analyze snaps").is_golden("analyze/folder")
    assert agraph("analyze 'snaps/*.json*' snaps/a.json --format json").code == 1
    assert [one["path"] for one in json.loads(agraph.out)["snapshots"]] == [
        "snaps/a.json", "snaps/b.json.gz", "snaps/c.json",
    ]  # fmt: skip


def test_many_snapshots(agraph):
    Path("snaps").mkdir()
    for number in range(12):
        event().save(f"snaps/{number:02}.json")
    agraph("analyze snaps").is_golden("analyze/many_snapshots")
    assert "more" not in agraph("analyze snaps --all").out


def test_standard_input(agraph):
    bank().save("snap.json.gz")
    agraph("analyze -", stdin=Path("snap.json.gz").read_bytes()).is_golden("analyze/stdin")


def test_output_is_written_whole(agraph):
    bank().save("snap.json")
    Path("report.txt").write_text("older")
    assert agraph("analyze snap.json -o report.txt").code == 1
    assert agraph.out == ""
    assert (
        Path("report.txt").read_text().startswith("Deadlock: transfer-1 and transfer-2 wait for each other")
    )
    assert sorted(path.name for path in Path().iterdir()) == ["report.txt", "snap.json"]
    agraph("analyze snap.json -o nowhere/report.txt").is_golden("analyze/output_nowhere")


def test_output_through_a_link_is_written_where_it_leads(agraph):
    bank().save("snap.json")
    Path("folder").mkdir()
    Path("folder/report.txt").write_text("older")
    Path("link.txt").symlink_to("folder/report.txt")
    assert agraph("analyze snap.json -o link.txt").code == 1
    assert Path("link.txt").is_symlink()
    assert Path("folder/report.txt").read_text().startswith("Deadlock: ")
    Path("nowhere.txt").symlink_to("folder/new.txt")
    assert agraph("analyze snap.json -o nowhere.txt").code == 1
    assert Path("folder/new.txt").read_text().startswith("Deadlock: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_output_into_a_pipe_leaves_the_pipe(agraph):
    bank().save("snap.json")
    os.mkfifo("pipe")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(Path("pipe").read_text)
        assert agraph("analyze snap.json -o pipe").code == 1
        assert read.result().startswith("Deadlock: ")
    assert Path("pipe").is_fifo()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
def test_output_into_an_open_file_is_appended(agraph):
    bank().save("snap.json")
    with Path("log.txt").open("a+") as log:
        log.write("older\n")
        log.flush()
        assert agraph(f"analyze snap.json -o /dev/fd/{log.fileno()}").code == 1
        log.seek(0)
        assert log.read().startswith("older\nDeadlock: ")


def test_output_of_a_name_that_utf8_has_no_bytes_for(agraph):
    odd = replace(
        bank(), process=Process(host="h\ud800", python="3.14\x1b[31m", implementation="C\x1b]0;x\x07")
    )
    odd.save("snap.json")
    for form in ("full", "table", "tree", "json"):
        assert agraph(f"analyze snap.json --format {form} -o report").code == 1
        assert Path("report").read_text(encoding="utf-8")
    assert agraph("analyze snap.json").code == 1
    assert "\x1b" not in agraph.out
    assert r"C\x1b]0;x\x07 3.14\x1b[31m" in agraph.out
    assert agraph("diff snap.json snap.json").code == 0
    assert "\x1b" not in agraph.out


def test_colours(agraph):
    bank().save("snap.json")
    assert "\x1b[1;31mDeadlock" in agraph("analyze snap.json --color always").out
    assert "\x1b" not in agraph("analyze snap.json").out


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "0"}, False),
    ],
)
def test_colour_variables(agraph, monkeypatch, variables, coloured):
    bank().save("snap.json")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b" in agraph("analyze snap.json").out) == coloured
    assert "\x1b" not in agraph("analyze snap.json --color never").out


def document(**changes):
    made = bank().to_dict()
    made.update(changes)
    return json.dumps(made).encode()


BAD = {
    "missing": None,
    "empty": b"",
    "not_json": b"import asyncio\n",
    "not_a_snapshot": b'{"name": "package", "version": "1.0"}',
    "truncated": document()[:700],
    "newer": document(version=99),
    "not_utf8": b"\xff\xfe\x00",
    "wrong_type": document(sites=7),
    "deep": b"[" * 200_000,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(agraph, name):
    if BAD[name] is not None:
        Path("snapshot.json").write_bytes(BAD[name])
    else:
        bank().save("snapshots.json")
    agraph("analyze snapshot.json").is_golden(f"analyze/error_{name}")
    assert agraph.code == 2


def test_a_damaged_archive(agraph):
    Path("s.json.gz").write_bytes(gzip.compress(document())[:-30])
    assert agraph("analyze s.json.gz").code == 2
    assert "error: s.json.gz:" in agraph.err


def test_what_can_be_read_is_reported(agraph):
    bank().save("good.json")
    Path("bad.json").write_bytes(document()[:700])
    assert agraph("analyze bad.json good.json 'none*.json'").code == 2
    assert "Deadlock: transfer-1" in agraph.out
    assert agraph.err.count("error: ") == 2
    agraph("analyze bad.json --format json").is_golden("analyze/json_error")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("no_match", "'*.json'"),
        ("empty_folder", "."),
        ("no_folder", "snaps/x.json"),
        ("bad_option", "snap.json --fomat json"),
        ("bad_format", "snap.json --format pdf"),
        ("no_argument", ""),
    ],
)
def test_usage_errors(agraph, name, line):
    agraph(f"analyze {line}").is_golden(f"analyze/error_{name}")
    assert agraph.code == 2


def test_dangling_edge(agraph):
    made = bank().to_dict()
    made["edges"][0]["awaited"] = [99, 98]
    Path("s.json").write_text(json.dumps(made))
    assert agraph("analyze s.json").code == 2
    assert "error: s.json: at $.edges" in agraph.err


def test_scenarios_have_the_right_headline(agraph, shared):
    expected = json.loads((shared / "scenarios" / "expected.json").read_text())
    words = {
        "certain": "Deadlock: ",
        "possible": "Possible deadlock: ",
        "stalled": "Stalled: ",
        "live": "No deadlock: ",
    }
    for case in expected.values():
        of_model(case["model"]).save("s.json")
        worst = max(case["verdict"].values(), key=["live", "stalled", "possible", "certain"].index)
        assert agraph("analyze s.json").out.startswith(words[worst])
