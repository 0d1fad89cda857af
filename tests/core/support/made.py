"""Snapshots made by hand."""

from collections.abc import Iterable, Mapping
from typing import Any

from agraph import Capture, Edge, Node, Process, Site, Snapshot
from agraph.reduction import build, certainty, levels

PROCESS = Process(
    host="web-3", pid=4711, started=1790000000.0, argv0="app.py", python="3.14.2", implementation="CPython"
)
CAPTURE = Capture(
    start=1790000100.0, end=1790000100.02, start_monotonic=100.0, end_monotonic=100.02, pause_ms=20.0
)
LIBRARY = "/usr/lib/python3.14/asyncio/"


def snapshot(nodes: Iterable[Node], edges: Iterable[Edge] = (), **fields: Any) -> Snapshot:
    """A snapshot of some nodes and edges."""
    capture = fields.pop("capture", CAPTURE)
    return Snapshot(PROCESS, capture, nodes=tuple(nodes), edges=tuple(edges), agraph="0.1.0", **fields)


def of_model(model: Mapping[str, Mapping[str, Any]], *, proved: bool = False) -> Snapshot:
    """A snapshot of a model as in the scenarios' expected.json: name -> waits, need, exc, timer, open."""
    ids = {name: number for number, name in enumerate(model)}
    nodes = []
    edges = []
    for name, facts in model.items():
        closed = proved and facts.get("closed_by_heap")
        nodes.append(
            Node(
                ids[name],
                kind_of(name),
                name=name.partition(":")[2] or name,
                need=facts["need"],
                exc=facts.get("exc", False),
                timer=101.0 if facts.get("timer") else None,
                open="anybody may free it" if facts.get("open") and not closed else "",
            )
        )
        edges += [Edge(ids[name], ids[to], edge_kind(name, to, facts)) for to in facts["waits"]]
    return snapshot(nodes, edges)


def kind_of(name: str) -> Any:
    """The kind of a model's node, which its name tells."""
    if ":" in name:
        return name.partition(":")[0]
    if name.startswith("q"):
        return "queue"
    return {"cfuture": "future", "inner": "work_item", "loop": "loop"}.get(name, "task")


def edge_kind(waiter: str, awaited: str, facts: Mapping[str, Any]) -> Any:
    """The kind of an edge between two of a model's nodes."""
    if kind_of(awaited) == "lock":
        return "lock"
    if kind_of(waiter) == "lock":
        return "held_by"
    if len(facts["waits"]) > 1:
        return "any_of" if facts["need"] == 1 else "all_of"
    return "await"


def verdicts_of(made: Snapshot) -> dict[str, str]:
    """The verdict of each task, by its name."""
    found = zip(made.nodes, levels(build(made)).level, strict=True)
    return {node.name: certainty(made, level) for node, level in found if node.kind == "task"}


def tasks(*names: str, **fields: Any) -> list[Node]:
    """Waiting tasks with ids from 0 and these names."""
    return [
        Node(number, "task", name=name, state="waiting", need=1)._replace(**fields)
        for number, name in enumerate(names)
    ]


SITES = (
    Site("/srv/app/bank.py", "transfer", 12),
    Site("/srv/app/bank.py", "transfer", 13),
    Site("/srv/app/bank.py", "main", 30),
    Site(LIBRARY + "locks.py", "Lock.acquire", 114),
    Site("/srv/app/bank.py", "ticker", 20),
    Site(LIBRARY + "tasks.py", "sleep", 700),
)


def bank(**capture: Any) -> Snapshot:
    """Two transfers that take two locks in opposite order, main behind them, a ticker beside them."""
    nodes = [
        Node(0, "task", "transfer-1", "transfer", "waiting", 0, 6, 58.8, 5151, None, 1),
        Node(1, "task", "transfer-2", "transfer", "waiting", 0, 6, 59.0, 5152, None, 1),
        Node(2, "lock", "accounts[0]", "asyncio.locks.Lock", "locked", need=1),
        Node(3, "lock", "accounts[1]", "asyncio.locks.Lock", "locked", need=1),
        Node(4, "task", "main", "main", "waiting", 1, 6, 50.0, 5153, None, 1),
        Node(
            5,
            "future",
            "",
            "asyncio.tasks._GatheringFuture",
            "pending",
            need=2,
            exc=True,
            detail={"made_by": "gather"},
        ),
        Node(6, "loop", "", state="idle"),
        Node(7, "task", "ticker", "ticker", "waiting", 2, 6, 99.9, 5154, need=1, timer=100.4),
    ]
    edges = [
        Edge(0, 3, "lock"),
        Edge(1, 2, "lock"),
        Edge(2, 0, "held_by", site=0),
        Edge(3, 1, "held_by", site=0),
        Edge(4, 5, "await"),
        Edge(5, 0, "all_of"),
        Edge(5, 1, "all_of"),
        Edge(0, 4, "structural"),
    ]
    import dataclasses

    return snapshot(
        nodes,
        edges,
        sites=SITES,
        stacks=((3, 1), (2,), (5, 4)),
        capture=dataclasses.replace(CAPTURE, **capture),
    )
