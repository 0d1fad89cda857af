"""`agraph lint --evidence`: findings at which tasks were seen waiting come first."""

import dataclasses
import json
from pathlib import Path

import pytest
from in_libraries import CASES, capture
from made import snapshot

from agraph import Edge, Node, Site

BRIDGE = """\
import asyncio


async def wait_{name}(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""
CALLBACK, WAIT = 6, 7


def at(name, line=WAIT, function=None):
    return Site(f"/srv/app/{name}.py", function or f"wait_{name}", line)


def of_sites(*stacks, need=1, **fields):
    """A snapshot with a task for each stack; a stack is one site or several."""
    stacks = [stack if isinstance(stack, list) else [stack] for stack in stacks]
    sites = list(dict.fromkeys(site for stack in stacks for site in stack))
    nodes = [
        Node(number, "task", f"t{number}", state="waiting", stack=number, need=need, key=1000 + number)
        for number in range(len(stacks))
    ]
    indices = tuple(tuple(sites.index(site) for site in stack) for stack in stacks)
    return snapshot(nodes, sites=tuple(sites), stacks=indices, **fields)


@pytest.fixture
def app(tmp_path):
    """A package with the same finding in three files."""
    (tmp_path / "app").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "app" / f"{name}.py").write_text(BRIDGE.format(name=name), encoding="utf-8")
    return tmp_path / "app"


def seen(agraph):
    """What a run with --format json said: each file with the number of tasks, in order."""
    findings = json.loads(agraph.out)["findings"]
    return [(Path(one["path"]).name, one["evidence"]["tasks"]) for one in findings]


# ---- real libraries


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.package)
def test_the_site_that_tasks_wait_at_in_a_library_comes_first(case, agraph, tmp_path):
    root = capture(case, tmp_path / "snapshot.json")
    folder = root / Path(case.path).parts[0]
    assert agraph(f"lint --no-cache {folder} --evidence snapshot.json --format json").code == 1
    findings = json.loads(agraph.out)["findings"]
    counts = [one["evidence"]["tasks"] for one in findings]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] >= len(case.tasks)
    first = {
        (one["path"], one["function"], one["code"])
        for one in findings
        if one["evidence"]["tasks"] >= len(case.tasks)
    }
    assert (str(root / case.path), case.function, case.code) in first
    others = [one for one in findings if (root / case.path) != Path(one["path"])]
    assert not any(one["evidence"]["tasks"] for one in others)


# ---- what counts


def test_findings_are_sorted_by_the_tasks_that_wait_there(agraph, app):
    of_sites(at("b"), at("c"), at("c"), at("elsewhere")).save("s.json")
    assert agraph("lint app --evidence s.json --format json").code == 1
    assert seen(agraph) == [("c.py", 2), ("b.py", 1), ("a.py", 0)]
    assert json.loads(agraph.out)["findings"][0]["evidence"] == {
        "tasks": 2,
        "snapshots": [{"path": "s.json", "tasks": 2}],
    }
    assert "evidence" not in agraph("lint app --format json").out


def test_a_task_waits_there_through_any_of_its_frames(agraph, app):
    of_sites([Site("/lib/asyncio/x.py", "deep", 1), at("b"), at("c"), at("c")]).save("s.json")
    agraph("lint app --evidence s.json --format json")
    assert seen(agraph) == [("b.py", 1), ("c.py", 1), ("a.py", 0)]


def test_line_and_function_have_to_agree(agraph, app):
    of_sites(at("a", line=1), at("a", function="other"), at("a", line=99)).save("s.json")
    agraph("lint app --evidence s.json --format json")
    assert seen(agraph) == [("a.py", 0), ("b.py", 0), ("c.py", 0)]
    assert agraph.err == "note: no task in 1 snapshot waits at what was found\n"


def test_who_does_not_wait_does_not_count(agraph, app):
    of_sites(at("a"), need=0).save("s.json")
    agraph("lint app --evidence s.json --format json")
    assert seen(agraph)[0] == ("a.py", 0)


def test_a_wait_for_what_a_callback_completes(agraph, app):
    """The future was returned, so no frame stands in the function of the finding."""
    callback = at("c", CALLBACK, "wait_c.<locals>.<lambda>")
    nodes = [
        Node(0, "task", "direct", need=1),
        Node(1, "task", "shielded", need=1),
        Node(2, "future", need=1, detail={"made_by": "shield"}),
        Node(3, "future", need=1, open="who completes it is inferred"),
        Node(4, "task", "inner", need=1, timer=200.0),
    ]
    edges = [
        Edge(0, 3, "await"),
        Edge(1, 2, "await"),
        Edge(2, 3, "await"),
        Edge(3, 4, "bridge", "probable", 0),
    ]
    snapshot(nodes, edges, sites=(callback,)).save("s.json")
    agraph("lint app --evidence s.json --format json")
    assert seen(agraph) == [("c.py", 2), ("a.py", 0), ("b.py", 0)]


def test_a_task_in_two_snapshots_of_a_process_counts_once(agraph, app):
    of_sites(at("b"), at("b"), at("a")).save("one.json")
    two = of_sites(at("b"))
    started = two.process.started + 0.01  # the clock was set meanwhile
    dataclasses.replace(two, process=dataclasses.replace(two.process, started=started)).save("two.json")
    agraph("lint app --evidence one.json --evidence two.json --format json")
    assert seen(agraph) == [("b.py", 2), ("a.py", 1), ("c.py", 0)]
    assert json.loads(agraph.out)["findings"][0]["evidence"]["snapshots"] == [
        {"path": "one.json", "tasks": 2},
        {"path": "two.json", "tasks": 1},
    ]


def test_tasks_of_two_processes_are_two(agraph, app):
    one = of_sites(at("b"), at("a"))
    one.save("one.json")
    dataclasses.replace(one, process=dataclasses.replace(one.process, pid=99)).save("two.json")
    agraph("lint app --evidence one.json --evidence two.json --format json")
    assert seen(agraph) == [("a.py", 2), ("b.py", 2), ("c.py", 0)]


# ---- how it is told


def test_the_full_format_says_how_many_and_where(agraph, app):
    of_sites(*[at("b")] * 214).save("snapshot.json")
    agraph("lint app --evidence snapshot.json --format full")
    assert agraph.out.startswith("AG101 ")
    assert agraph.out.splitlines()[1] == "  --> app/b.py:6:5"
    assert agraph.out.count("  = seen: ") == 1
    assert "  = seen: 214 tasks waited here in snapshot.json\n" in agraph.out


def test_many_snapshots_are_counted(agraph, app):
    for number in range(5):
        of_sites(at("a")).save(f"s{number}.json")
    agraph("lint app --evidence 's*.json' --format full")
    assert (
        "  = seen: 1 task waited here in s0.json, 1 in s1.json, 1 in s2.json, and in 2 more snapshots\n"
        in agraph.out
    )


def test_sarif_and_jsonl_have_it_too(agraph, app):
    of_sites(at("c")).save("s.json")
    wanted = {"tasks": 1, "snapshots": [{"path": "s.json", "tasks": 1}]}
    results = json.loads(agraph("lint app --evidence s.json --format sarif").out)["runs"][0]["results"]
    assert [one["properties"]["evidence"]["tasks"] for one in results] == [1, 0, 0]
    assert results[0]["properties"]["evidence"] == wanted
    first, *_ = agraph("lint app --evidence s.json --format jsonl").out.splitlines()
    assert json.loads(first)["evidence"] == wanted


def test_a_file_is_one_group(agraph, app):
    text = BRIDGE.format(name="a")
    (app / "a.py").write_text(f"{text}\n\n{text.replace('wait_a', 'later')}", encoding="utf-8")
    of_sites(at("a", WAIT + 9, "later"), at("b")).save("s.json")
    agraph("lint app --evidence s.json --format grouped")
    assert [line for line in agraph.out.splitlines() if line.endswith(":")] == [
        "app/a.py:",
        "app/b.py:",
        "app/c.py:",
    ]
    assert agraph.out.splitlines()[1].lstrip().startswith("15:5")


def test_a_baseline_is_heeded(agraph, app):
    of_sites(at("a"), at("c")).save("s.json")
    agraph("lint app --baseline known.jsonl --update-baseline")
    assert agraph("lint app --baseline known.jsonl --evidence s.json").code == 0


# ---- errors


def test_a_snapshot_that_cannot_be_read_fails_but_the_lint_is_told(agraph, app):
    Path("broken.json").write_text("{", encoding="utf-8")
    of_sites(at("c")).save("s.json")
    assert agraph("lint app --evidence s.json --evidence broken.json --format json").code == 2
    assert seen(agraph) == [("c.py", 1), ("a.py", 0), ("b.py", 0)]
    assert agraph.err.startswith("error: broken.json: ")
    assert agraph("lint app --evidence nowhere.json --exit-zero --format json").code == 2
    assert len(json.loads(agraph.out)["findings"]) == 3
    assert agraph.err.startswith("error: nowhere.json: no such file or folder\n")


def test_files_that_could_be_two_count_for_none(agraph, app):
    for name in ("old", "new"):
        (app / name / "app").mkdir(parents=True)
        (app / name / "app" / "b.py").write_text(BRIDGE.format(name="b"), encoding="utf-8")
    of_sites(at("b"), at("a")).save("s.json")
    agraph("lint app/old app/new --evidence s.json --format json")
    assert seen(agraph) == [("b.py", 0), ("b.py", 0)]
    assert agraph.err.startswith("note: /srv/app/b.py may be ")
    assert "so it counts for none\n" in agraph.err


@pytest.mark.parametrize("more", ["--fix", "--diff", "--statistics", "--baseline x --update-baseline", "-"])
def test_what_does_not_go_together(agraph, app, more):
    assert agraph(f"lint app --evidence s.json {more}").code == 2
    assert agraph.err.startswith("error: --evidence sorts what is found in files\nhint: ")
