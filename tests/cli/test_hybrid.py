"""`agraph analyze --source`: unexplained waits, joined with the lines that hide what they are for."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from in_libraries import CASES, capture
from made import snapshot

from agraph import Edge, Node, Site
from agraph_cli.analysis.source_tree import SourceTree

SHIELD = """\
import asyncio


async def receipt(payment: asyncio.Task):
    printed = asyncio.get_running_loop().create_future()
    payment.add_done_callback(lambda _: printed.set_result(None))
    return await printed


async def other(payment: asyncio.Task):
    return await payment


class Cache:
    def __init__(self):
        self.coming = None

    async def get(self):
        if self.coming is None:
            self.coming = asyncio.get_running_loop().create_future()
            value = await fetch()
            self.coming.set_result(value)
        return await self.coming
"""
LINE = {text.strip(): number for number, text in enumerate(SHIELD.splitlines(), 1)}
RECEIPT = Site("/srv/shop/till.py", "receipt", LINE["return await printed"])


def waiting(*sites, kind="future", edge_site=None, sites_of=()):
    """A task that waits for a future that nobody is known to complete, innermost frame first."""
    all_sites = (*sites, *sites_of)
    nodes = [
        Node(0, "task", "waiter", state="waiting", stack=0, need=1),
        Node(1, kind, need=1, open="who completes it is not known"),
    ]
    edges = [Edge(0, 1, "await")]
    if edge_site is not None:
        nodes.append(Node(2, "task", "producer", need=1, timer=200.0))
        edges.append(Edge(1, 2, "bridge", "probable", edge_site))
    return snapshot(nodes, edges, sites=all_sites, stacks=(tuple(range(len(sites))),))


def shop(folder, text=SHIELD):
    """A source tree with one file."""
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "till.py").write_text(text, encoding="utf-8")
    return folder


def found(agraph, line):
    """The orphans of a snapshot with the findings they have, as (code, file, line)."""
    agraph(f"analyze --format json {line}")
    orphans = json.loads(agraph.out)["orphans"]
    return [
        (orphan["kind"], [(one["code"], Path(one["path"]).name, one["line"]) for one in orphan["findings"]])
        for orphan in orphans
    ]


ADD = LINE["payment.add_done_callback(lambda _: printed.set_result(None))"]


# ---- real libraries


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.package)
def test_a_wait_in_a_library_leads_to_the_labelled_site(case, agraph, tmp_path):
    root = capture(case, tmp_path / "snapshot.json")
    agraph(f"analyze snapshot.json --source {root} --format json")
    report = json.loads(agraph.out)
    waiters = set()
    for orphan in report["orphans"]:
        said = {
            (one["code"], one["function"])
            for one in orphan["findings"]
            if Path(one["path"]) == root / case.path
        }
        if (case.code, case.function) in said:
            waiters.update(task["name"] for task in orphan["waiters"])
        else:
            assert not orphan["findings"]
    assert waiters == set(case.tasks)


def test_these_sites_are_labelled(shared):
    with (shared / "corpus" / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    required = {
        (row["package"], row["path"], row["function"]) for row in rows if row["verdict"] == "required"
    }
    assert {(one.package, one.path, one.function) for one in CASES if one.labelled} <= required
    assert {one.package for one in CASES} <= {row["package"] for row in rows}


def test_the_text_report_names_the_line_below_the_wait(agraph, tmp_path):
    case = CASES[0]
    root = capture(case, tmp_path / "snapshot.json")
    shutil.copytree(root / "aiojobs", tmp_path / "lib" / "aiojobs")  # as on another machine
    agraph("analyze snapshot.json --source lib")
    lines = [line.strip() for line in agraph.out.splitlines()]
    at = next(number for number, line in enumerate(lines) if line.startswith("AG112 "))
    assert lines[at - 1].startswith("future #")
    assert "awaited by guarded-" in lines[at - 1]
    place = lines[at].removeprefix("AG112 ")
    assert place.startswith("lib/aiojobs/_scheduler.py:")
    assert place.endswith(" in Scheduler.shield")
    assert any(line.startswith("help: use `asyncio.shield`") for line in lines[at:])
    assert agraph.out.count("help: use `asyncio.shield`") == 1
    assert agraph.out.count(f"AG112 {place}, as above") == 2
    assert agraph("analyze snapshot.json --source lib --task guarded-1").out.count(f"AG112 {place}") == 1


# ---- what belongs to a wait


def test_where_the_task_stands(agraph, tmp_path):
    waiting(RECEIPT, Site("/srv/shop/main.py", "main", 9)).save(tmp_path / "s.json")
    shop(tmp_path / "src")
    assert found(agraph, "s.json --source src") == [("future", [("AG101", "till.py", ADD)])]
    assert agraph.err == ""
    assert found(agraph, "s.json") == [("future", [])]


def test_lines_may_have_moved_since(agraph, tmp_path):
    waiting(RECEIPT._replace(line=400)).save(tmp_path / "s.json")
    shop(tmp_path / "src")
    assert found(agraph, "s.json --source src") == [("future", [("AG101", "till.py", ADD)])]


def test_an_event_is_linked_by_its_line_only(agraph, tmp_path):
    waiting(RECEIPT._replace(line=LINE["import asyncio"]), kind="event").save(tmp_path / "s.json")
    shop(tmp_path / "src")
    assert found(agraph, "s.json --source src") == [("event", [])]


def test_another_function_of_the_file_is_not_meant(agraph, tmp_path):
    waiting(Site("/srv/shop/till.py", "other", LINE["return await payment"])).save(tmp_path / "s.json")
    shop(tmp_path / "src")
    assert found(agraph, "s.json --source src") == [("future", [])]


def test_the_owner_of_a_future_waits_for_something_else(agraph, tmp_path):
    """Where it waits is a place of the finding, but about another wait."""
    owner = (
        Site("/srv/shop/till.py", "fetch", 99),
        Site("/srv/shop/till.py", "Cache.get", LINE["value = await fetch()"]),
    )
    waiting(*owner).save(tmp_path / "owner.json")
    reader = Site("/srv/shop/till.py", "Cache.get", LINE["return await self.coming"])
    waiting(reader).save(tmp_path / "reader.json")
    shop(tmp_path / "src")
    [(_, of_reader)] = found(agraph, "reader.json --source src")
    assert ("AG108", "till.py", LINE["self.coming = asyncio.get_running_loop().create_future()"]) in of_reader
    assert found(agraph, "owner.json --source src") == [("future", [])]


def test_the_callback_that_completes_it(agraph, tmp_path):
    """A function that returns a future is in no stack; its callback is known."""
    callback = Site("/srv/shop/till.py", "receipt.<locals>.<lambda>", ADD)
    seen = waiting(Site("/srv/app.py", "main", 3), edge_site=1, sites_of=(callback,))
    seen.save(tmp_path / "s.json")
    shop(tmp_path / "src")
    assert found(agraph, "s.json --source src") == [("future", [("AG101", "till.py", ADD)])]
    assert agraph.err == "note: 1 file that tasks wait in is not below src: /srv/app.py\n"


# ---- files


def test_a_file_on_windows(agraph, tmp_path):
    waiting(RECEIPT._replace(file=r"C:\work\shop\till.py")).save(tmp_path / "s.json")
    shop(tmp_path / "src")
    assert found(agraph, "s.json --source src") == [("future", [("AG101", "till.py", ADD)])]


def test_a_file_that_could_be_two(agraph, tmp_path):
    waiting(RECEIPT).save(tmp_path / "s.json")
    shop(tmp_path / "src" / "old")
    shop(tmp_path / "src" / "new")
    assert found(agraph, "s.json --source src") == [("future", [])]
    assert agraph.err == (
        "note: /srv/shop/till.py may be src/new/shop/till.py or src/old/shop/till.py: "
        "name a folder that has only one of them\n"
    )
    assert found(agraph, "s.json --source src/old") == [("future", [("AG101", "till.py", ADD)])]


def test_a_file_that_does_not_parse(agraph, tmp_path):
    waiting(RECEIPT).save(tmp_path / "s.json")
    shop(tmp_path / "src", "def (")
    assert found(agraph, "s.json --source src") == [("future", [])]
    assert agraph.err == "note: src/shop/till.py does not parse, so the rules were not run on it\n"


def test_a_folder_that_is_not_there(agraph, tmp_path):
    waiting(RECEIPT).save(tmp_path / "s.json")
    assert agraph("analyze s.json --source nowhere").code == 2
    assert agraph.err.startswith("error: --source: no such folder: nowhere\nhint: ")


def test_which_file_is_meant(tmp_path):
    for name in ("app/util.py", "app/db/util.py", "main.py", ".venv/lib/web.py", "lib/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    tree = SourceTree([str(tmp_path)])
    asked = {
        "/srv/app/util.py": "app/util.py",
        "/srv/app/db/util.py": "app/db/util.py",
        "/elsewhere/main.py": "main.py",  # it lies directly in the folder
        "/usr/other/util.py": None,  # many packages have such a file
        "/usr/lib/web.py": None,  # hidden folders are not searched
        "/usr/lib/python3/site-packages/x/__init__.py": None,
        "<string>": None,
        "": None,
    }
    got = {file: tree.find(file) for file in asked}
    assert got == {file: name and str(tmp_path / name) for file, name in asked.items()}
    assert tree.missing == [
        "/usr/other/util.py",
        "/usr/lib/web.py",
        "/usr/lib/python3/site-packages/x/__init__.py",
        "",
    ]
    assert tree.ambiguous == {}


def test_without_source_nothing_is_linted(tmp_path):
    waiting(RECEIPT).save(tmp_path / "s.json")
    program = (
        "import sys; from agraph_cli.app import run; run(sys.argv[1:]); "
        "assert not {'libcst', 'agraph_static'} & set(sys.modules), sorted(sys.modules)"
    )
    for form in ("full", "json"):
        command = [sys.executable, "-c", program, "analyze", "s.json", "--format", form]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
