"""An analysis as a networkx graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agraph.reduction import VERDICTS

if TYPE_CHECKING:
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
    """
    import networkx as nx

    graph: nx.DiGraph[tuple[int, int]] = nx.DiGraph()
    for number, one in enumerate(analysis.snapshots):
        _add(graph, number, one, full=full)
    return graph


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
