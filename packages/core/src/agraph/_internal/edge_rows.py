"""The edges of a snapshot as columns: which of them are waits, and of which kind they are."""

from __future__ import annotations

from array import array
from itertools import accumulate, chain
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.rows import Edges

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph._internal.model import Edge, EdgeKind


class Waits(NamedTuple):
    """The edges of a snapshot but the structural ones, as columns; `source` is where each is in the edges."""

    waiter: Sequence[int]
    awaited: Sequence[int]
    source: Sequence[int]


def waits(edges: Sequence[Edge]) -> Waits:
    """The edges that are waits.

    Args:
        edges: The edges of a snapshot.

    Returns:
        Columns of ids, not of positions.
    """
    if not isinstance(edges, Edges):
        kept = [(at, edge) for at, edge in enumerate(edges) if edge.kind != "structural"]
        return Waits(
            [edge.waiter for _, edge in kept], [edge.awaited for _, edge in kept], [at for at, _ in kept]
        )
    waiter, awaited, ranges = array("q"), array("q"), []
    start = 0
    for group in edges.groups:
        end = start + len(group.waiter)
        if group.kind != "structural":
            waiter.extend(group.waiter)
            awaited.extend(group.awaited)
            ranges.append(range(start, end))
        start = end
    in_front = [one.start for one in ranges] == [0, *accumulate(map(len, ranges))][:-1]
    return Waits(waiter, awaited, range(len(waiter)) if in_front else list(chain.from_iterable(ranges)))


def edge_column(edges: Sequence[Edge], name: str, source: Sequence[int]) -> list[str]:
    """The kind or the confidence of some edges.

    Args:
        edges: The edges of a snapshot.
        name: `kind` or `confidence`.
        source: Positions of edges.

    Returns:
        A word for each.
    """
    if not isinstance(edges, Edges):
        return [getattr(edges[at], name) for at in source]
    words: list[str] = []
    for group in edges.groups:
        words += [getattr(group, name)] * len(group.waiter)
    return words if source == range(len(words)) else list(map(words.__getitem__, source))


def has_inferred(edges: Sequence[Edge]) -> bool:
    """Whether an edge was inferred rather than read."""
    if isinstance(edges, Edges):
        return any(group.confidence == "probable" for group in edges.groups)
    return any(edge.confidence == "probable" for edge in edges)


def edges_of_kind(edges: Sequence[Edge], kind: EdgeKind) -> Iterator[Edge]:
    """The edges of a kind, in order.

    Args:
        edges: The edges of a snapshot.
        kind: One of `EDGE_KINDS`.

    Returns:
        The edges, made as they are asked for.
    """
    if not isinstance(edges, Edges):
        return (edge for edge in edges if edge.kind == kind)
    return chain.from_iterable(edges.part(at) for at, group in enumerate(edges.groups) if group.kind == kind)
