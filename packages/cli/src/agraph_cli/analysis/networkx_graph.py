"""An analysis as a networkx graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agraph.reduction import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import networkx as nx

    from agraph import Site
    from agraph_cli.analysis.model import Analysis, SnapshotAnalysis


def to_networkx(analysis: Analysis, *, full: bool = False) -> nx.DiGraph[tuple[int, int]]:
    """The wait graph as a `networkx.DiGraph`.

    Args:
        analysis: The analysis of one or more snapshots.
        full: Take every node and the `structural` edges too; otherwise only what is stuck.

    Returns:
        A graph whose nodes are pairs: the position of the snapshot, and the id in it. A node carries all
        fields of its `agraph.Node`, its stack as `file:line function`, `process` and `verdict`; an edge
        carries `kind`, `confidence`, `site`, and `kinds` for all edges between these two. Edges lead from who
        waits to what is awaited; those to the loop of a task, which the snapshot only implies, are left out.
        One between two snapshots leads to the task of another process whose answer is awaited.
    """
    import networkx as nx

    graph: nx.DiGraph[tuple[int, int]] = nx.DiGraph()
    for number, one in enumerate(analysis.snapshots):
        _add(graph, number, one, full=full)
    for link in analysis.links:
        ends = tuple((end[0], analysis.snapshots[end[0]].graph.node(end[1]).id) for end in link)
        if all(end in graph for end in ends):
            graph.add_edge(*ends, kind="bridge", confidence="probable", site=None, kinds=["bridge"])
    return graph


def graphml_lines(graph: nx.DiGraph[tuple[int, int]], safe: Callable[[str], str]) -> Iterator[str]:
    """A graph of `to_networkx` in GraphML, which knows only text and numbers.

    Args:
        graph: The graph.
        safe: Makes a text fit for XML, which has no control characters.

    Yields:
        Lines without line ends. Fields without a value are left out; a stack is one text, `kinds` is too.
    """
    import networkx as nx

    plain: nx.DiGraph[str] = nx.DiGraph()
    for (number, node), attributes in graph.nodes.items():
        plain.add_node(f"{number}:{node}", **_flat(attributes, safe))
    for (waiter, awaited), attributes in graph.edges.items():
        ends = (f"{one[0]}:{one[1]}" for one in (waiter, awaited))
        plain.add_edge(*ends, **_flat(attributes, safe))
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield from nx.generate_graphml(plain)


def _flat(attributes: Mapping[str, Any], safe: Callable[[str], str]) -> dict[str, str | int | float | bool]:
    found: dict[str, str | int | float | bool] = {}
    for name, value in attributes.items():
        # The id is the name of the node already, and `id` has a meaning of its own in some readers.
        if value is None or value in ("", [], {}) or name == "id":
            continue
        if isinstance(value, Mapping):
            found.update({f"detail.{safe(str(key))}": safe(str(one)) for key, one in value.items()})
        elif isinstance(value, (list, tuple)):
            found[name] = safe(" <- ".join(value) if name == "stack" else ",".join(value))
        else:
            found[name] = safe(value) if isinstance(value, str) else value
    return found


def _add(graph: nx.DiGraph[tuple[int, int]], number: int, one: SnapshotAnalysis, *, full: bool) -> None:
    snapshot = one.snapshot
    kept = set()
    for node, level in zip(snapshot.nodes, one.levels, strict=True):
        if full or level:
            kept.add(node.id)
            attributes: dict[str, Any] = node._asdict()
            attributes["stack"] = [_place(site) for site in snapshot.stack_of(node)]
            graph.add_node((number, node.id), **attributes, process=one.process, verdict=VERDICTS[level])
    # A structural edge goes in last, so that a wait between the same two nodes gives the edge its kind.
    for edge in sorted(snapshot.edges, key=lambda edge: edge.kind == "structural"):
        if edge.waiter not in kept or edge.awaited not in kept or (edge.kind == "structural" and not full):
            continue
        ends = (number, edge.waiter), (number, edge.awaited)
        if graph.has_edge(*ends):
            graph.edges[ends]["kinds"].append(edge.kind)
            continue
        site = None if edge.site is None else _place(snapshot.sites[edge.site])
        graph.add_edge(*ends, kind=edge.kind, confidence=edge.confidence, site=site, kinds=[edge.kind])


def _place(site: Site) -> str:
    return f"{site.file}:{site.line} {site.function}"
