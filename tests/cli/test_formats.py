"""The formats of `agraph analyze`, on a deadlock and on a live process, both captured for real.

`tests/golden/cli/formats/abba.json` and `serving.json` are the captures of two tasks that take two locks in opposite
order, and of tests/programs/serving.py; host and paths were replaced.
"""

import base64
import hashlib
import html
import json
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import networkx as nx
import pytest
from golden import FOLDER
from made import bank, snapshot, tasks
from running import PROGRAMS, line_of, started

import agraph as core
from agraph import Edge, Node, Site
from agraph_cli import analyze, to_networkx
from agraph_cli.report.formats import FORMATS

NEW = ["tree", "table", "sarif", "dot", "mermaid", "html", "graphml", "speedscope"]
CAPTURES = FOLDER / "formats"
SARIF_SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "sarif-2.1.0.json"
WATCHED = Path(__file__).parent / "helpers" / "watched.py"


@pytest.fixture
def captures(agraph):
    """The captures, in the folder that the command runs in."""
    for name in ("abba.json", "serving.json"):
        shutil.copy(CAPTURES / name, name)
    return agraph


@pytest.mark.parametrize("form", NEW)
@pytest.mark.parametrize(("name", "code"), [("abba", 1), ("serving", 0)])
def test_report(captures, name, code, form):
    captures(f"analyze {name}.json --format {form}").is_golden(f"formats/{name}_{form}")
    assert captures.code == code


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_written_whole(captures, form):
    assert captures(f"analyze abba.json --format {form}").code == 1
    printed = captures.out
    Path("report").write_text("older")
    assert captures(f"analyze abba.json --format {form} -o report").code == 1
    assert captures.out == ""
    assert Path("report").read_text(encoding="utf-8") == printed
    assert sorted(path.name for path in Path().iterdir()) == ["abba.json", "report", "serving.json"]


@pytest.mark.parametrize("form", NEW)
def test_several_snapshots_and_one_that_cannot_be_read(captures, form):
    Path("bad.json").write_text("{")
    assert captures(f"analyze bad.json abba.json serving.json --format {form} --all").code == 2
    assert "bad.json" in captures.err
    assert "t1" in captures.out or "grab" in captures.out
    checked(form, captures.out)
    assert captures(f"analyze bad.json --format {form}").code == 2
    assert (captures.out == "") == (form != "sarif")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("made", ["empty", "one", "loop"])
def test_little_to_tell(agraph, form, made):
    nodes = {"empty": [], "one": [Node(0, "task")], "loop": [Node(0, "loop")]}[made]
    snapshot(nodes).save("s.json")
    assert agraph(f"analyze s.json --format {form}").code == 0
    checked(form, agraph.out)


NASTY = [
    '"];evil->x[label="', "</script><script>alert(1)</script>", "]]>", "<b>&amp;", "a\x1b[31m\nb\r\x00", "`end`",
    "\\", "\\N", "#35;", "\u202e\u2028", "\ud800", "\uffff", "--> |x|", "%%{init}%%", "'\"><img src=x onerror=1>", "",
]  # fmt: skip


def nasty():
    """A ring of tasks with these names, types and places, and a lock with each."""
    size = len(NASTY)
    sites = tuple(Site(text, text, 1) for text in NASTY)
    nodes = [
        Node(number, "task", text, text, text, number, need=1, open=text, detail={text: text})
        for number, text in enumerate(NASTY)
    ]
    nodes += [Node(size + number, "lock", text, text, need=1) for number, text in enumerate(NASTY)]
    edges = [Edge(number, (number + 1) % size, "await", site=number) for number in range(size)]
    edges += [Edge(number, size + number, "lock") for number in range(size)]
    return snapshot(nodes, edges, sites=sites, stacks=tuple((number,) for number in range(size)))


@pytest.mark.parametrize("form", NEW)
def test_foreign_text_stays_text(agraph, form):
    nasty().save("s.json")
    for more in ("", "--all"):
        agraph(f"analyze s.json --format {form} {more}")
        assert not set(agraph.out) & {"\x1b", "\r", "\x00", "\u202e", "\u2028", "\ud800"}
        checked(form, agraph.out)
    assert form != "html" or "<img" not in agraph.out


def checked(form, text):
    """Read a report back, as far as there is something here that can."""
    if form in {"json", "sarif", "speedscope"}:
        document = json.loads(text)
        if form == "speedscope":
            check_speedscope(document)
    elif form == "graphml":
        nx.parse_graphml(text)
    elif form == "html":
        check_html(text)
    elif form == "dot":
        check_dot(text)
    elif form == "mermaid":
        check_mermaid(text)
    else:
        assert text.strip() or not text


def check_speedscope(document):
    frames = document["shared"]["frames"]
    assert all(frame["name"] for frame in frames)
    for profile in document["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] == sum(profile["weights"]) > 0
        assert all(0 <= index < len(frames) for sample in profile["samples"] for index in sample)


STRING = r'"(?:[^"\\]|\\.)*"'
ATTRIBUTES = rf"\[\w+=(?:{STRING}|\w+)(?:, \w+=(?:{STRING}|\w+))*\]"
DOT = re.compile(rf"  (?:graph|node|edge|\w+|\w+ -> \w+) {ATTRIBUTES};")


def check_dot(text):
    first, *inner, last = text.splitlines()
    assert (first, last) == ("digraph agraph {", "}")
    assert [line for line in inner if not DOT.fullmatch(line)] == []


LABEL = r'"[\w .,:/()\[\]@=+\-#;<>]*"'
MERMAID = re.compile(
    rf"  (?:accTitle: [\w .,:/()\[\]@=+\-#;]*|note\[{LABEL}\]|n\d+_\d+(?:\[{LABEL}\]|\(\[{LABEL}\]\)):::\w+"
    r"|n\d+_\d+ (?:-->|==>|-\.->)\|[a-z ]+\| n\d+_\d+|classDef \w+ [\w:#,\- ]+)"
)


def check_mermaid(text):
    first, *inner = text.splitlines()
    assert first == "flowchart LR"
    assert [line for line in inner if not MERMAID.fullmatch(line)] == []
    assert set(re.findall(r"<[^>]*>", text)) <= {"<br/>"}


class Reader(HTMLParser):
    """Knows which elements are open, and what scripts and styles the page has."""

    VOID = frozenset({"meta", "input", "path", "rect"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], Counter(), {}, []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def check_html(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert reader.tags["script"] == reader.tags["style"] == reader.tags["h1"] == 1
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name in {"src", "href"}]
    policy = next(value for _, value in reader.attributes if value and value.startswith("default-src 'none'"))
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(reader.texts[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "http://" not in text
    assert "https://" not in text
    return reader


def test_the_page_has_a_row_for_each_task_and_a_drawing_of_the_cycle(captures):
    captures("analyze abba.json --format html")
    reader = check_html(captures.out)
    assert reader.tags["tr"] == 5
    assert {"t1", "t2", "main", "ticker"} <= set(re.findall(r"<td>(.*?)</td>", captures.out))
    assert captures.out.count('<g class="box">') == 4
    assert captures.out.count('marker-end="url(#tip)"') == 4


def test_a_long_place_stays_in_its_box(agraph):
    sites = (
        Site("/srv/a/very/long/way/to/the/file/that/takes/the_lock.py", "Class.method.<locals>.f", 1234),
    )
    nodes = [
        *(node._replace(stack=0) for node in tasks("t1", "t2")),
        *(Node(number, "lock", f"L{number}", need=1) for number in (2, 3)),
    ]
    edges = [Edge(0, 2, "lock"), Edge(2, 1, "held_by", site=0), Edge(1, 3, "lock"), Edge(3, 0, "held_by")]
    snapshot(nodes, edges, sites=sites, stacks=((0,),)).save("s.json")
    agraph("analyze s.json --format html")
    (width,) = {int(width) for width in re.findall(r'<rect [^>]*width="(\d+)"', agraph.out)}
    places = re.findall(r'class="place">([^<]*)<', agraph.out)
    assert len(places) == 3
    for place in places:
        assert html.unescape(place).endswith("method.<locals>.f")
        assert len(html.unescape(place)) * 6.7 < width - 20  # letters of a monospaced font of 11 pixels


def test_the_title_tells_possible_deadlocks_from_certain_ones(agraph):
    nodes = tasks(*"abcdefgh")
    nodes[2:4] = [node._replace(open="who knows") for node in nodes[2:4]]
    nodes[6:8] = [node._replace(timer=130.0) for node in nodes[6:8]]
    edges = [Edge(one, one ^ 1, "await") for one in range(8)]
    snapshot(nodes, edges).save("s.json")
    title = "Deadlock: a and b wait for each other. And 1 more deadlock, 1 more possible deadlock and 1 more stall."
    for form in ("html", "table", "tree"):
        assert title in agraph(f"analyze s.json --format {form}").out


def test_what_is_left_out_is_said(agraph):
    size = 300
    nodes = [
        *tasks(*(f"http-{number}" for number in range(size)), type="handle"),
        Node(size, "lock", "L", need=1),
    ]
    edges = [*(Edge(number, size, "lock") for number in range(size)), Edge(size, 0, "held_by")]
    snapshot(nodes, edges).save("s.json")
    assert agraph("analyze s.json --format dot").out.count("[label=") == 1 + 60 + 60
    assert "241 more nodes not shown (--all shows everything)" in agraph.out
    assert "271 more nodes not shown" in re.sub(r"#\d+;", "?", agraph("analyze s.json --format mermaid").out)
    assert "and 298 more like it" in agraph("analyze s.json --format tree").out
    assert "and 250 more tasks" in agraph("analyze s.json --format table").out
    assert "and 297 more tasks" in agraph("analyze s.json --format table --limit 3").out
    assert "290 tasks are not in this table" in agraph("analyze s.json --format html --limit 10").out
    for form in ("dot", "mermaid", "table", "html"):
        assert "http-299" in agraph(f"analyze s.json --format {form} --all").out
        assert "more nodes" not in agraph.out


@pytest.mark.parametrize("form", [form for form in NEW if form != "graphml"])
def test_a_long_ring_is_told_in_a_few_lines(agraph, form):
    size = 5_000
    nodes = tasks(*(str(number) for number in range(size)))
    snapshot(nodes, [Edge(number, (number + 1) % size, "await") for number in range(size)]).save("s.json")
    assert agraph(f"analyze s.json --format {form}").code == 1
    assert len(agraph.out) < 500_000
    checked(form, agraph.out)


@pytest.mark.parametrize("name", ["abba", "serving"])
def test_sarif_is_valid_by_its_schema(captures, name):
    schema = json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))
    document = json.loads(captures(f"analyze {name}.json --format sarif").out)
    assert [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(document)] == []


def test_sarif_tells_the_cycle_step_by_step(captures):
    captures("analyze abba.json --format sarif")
    [run] = json.loads(captures.out)["runs"]
    [result] = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "deadlock/certain"
    [flow] = result["codeFlows"]
    told = [
        [step["location"]["message"]["text"] for step in thread["locations"]]
        for thread in flow["threadFlows"]
    ]
    assert told == [
        ["t1 takes lock a", "t1 waits for lock b"],
        ["t2 takes lock b", "t2 waits for lock a"],
    ]
    addresses = set(re.findall(r'"uri": "(.*?)"', captures.out))
    assert addresses == {"abba.py"}


def test_the_same_deadlock_has_the_same_fingerprint(agraph):
    prints = set()
    for pid in (1, 2):
        made = bank()
        renamed = [
            node._replace(name=f"{node.name}-{pid}") if node.kind == "task" else node for node in made.nodes
        ]
        snapshot(renamed, made.edges, sites=made.sites, stacks=made.stacks).save("s.json")
        [result] = json.loads(agraph("analyze s.json --format sarif").out)["runs"][0]["results"]
        prints.add(result["partialFingerprints"]["agraphCycle/v1"])
    assert len(prints) == 1


def test_speedscope_weighs_tasks(captures):
    document = json.loads(captures("analyze serving.json --format speedscope").out)
    [profile] = document["profiles"]
    assert profile["name"] == "live (8 tasks)"
    assert profile["endValue"] == 8
    tops = {document["shared"]["frames"][sample[0]]["name"] for sample in profile["samples"]}
    assert {"work", "serve", "tick", "produce", "consume", "main"} <= tops


def test_graphml_is_the_graph_of_networkx(captures):
    analysis = analyze([core.load("abba.json")])
    for more, full in (("", False), ("--all", True)):
        again = nx.parse_graphml(captures(f"analyze abba.json --format graphml {more}").out)
        graph = to_networkx(analysis, full=full)
        assert set(again.edges) == {(f"0:{one[1]}", f"0:{other[1]}") for one, other in graph.edges}
        assert {name: facts["verdict"] for name, facts in again.nodes.items()} == {
            f"0:{number}": facts["verdict"] for (_, number), facts in graph.nodes.items()
        }
    assert ET.fromstring(captures.out).tag.endswith("graphml")


def test_networkx_holds_a_real_capture(captures):
    analysis = analyze([core.load("abba.json"), core.load("serving.json")])
    stuck = to_networkx(analysis)
    assert type(stuck) is nx.DiGraph
    names = {facts["name"] for _, facts in stuck.nodes(data=True) if facts["kind"] == "task"}
    assert names == {"t1", "t2", "main"}
    [ring] = nx.simple_cycles(stuck)
    assert sorted(stuck.nodes[node]["name"] for node in ring) == ["a", "b", "t1", "t2"]
    full = to_networkx(analysis, full=True)
    assert len(full) == sum(len(one.snapshot.nodes) for one in analysis.snapshots)
    t1 = next(node for node, facts in full.nodes(data=True) if facts["name"] == "t1")
    assert full.nodes[t1]["verdict"] == "certain"
    assert full.nodes[t1]["stack"][-1] == "abba.py:9 grab"
    [(_, lock, facts)] = full.out_edges(t1, data=True)
    assert (facts["kind"], facts["confidence"], facts["kinds"]) == ("lock", "exact", ["lock"])
    assert full.nodes[lock]["name"] == "b"


def test_every_format_tells_of_a_live_process(agraph):
    with started(sys.executable, WATCHED, PROGRAMS / "serving.py") as process:
        process.stdin.write(b"live.json\n")
        process.stdin.flush()
        assert line_of(process) == "saved"
    names = {"ticker", "producer", "consumer", "worker-1", "worker-2", "client"}
    assert names <= {node.name for node in core.load("live.json").tasks}
    for form in FORMATS:
        assert agraph(f"analyze live.json --format {form} --all").code == 0
        checked(form, agraph.out)
        if form in {"json", "tree", "table", "dot", "mermaid", "html", "graphml"}:
            assert names <= set(re.findall(r"[a-z]+-\d|[a-z]+", agraph.out))
