"""The edges of a snapshot as columns: which of them are waits, and of which kind they are."""

from __future__ import annotations

from array import array
from itertools import accumulate, chain
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.rows import Edges, Places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agraph._internal.model import Edge, EdgeKind


# Who waits for a lock waits for its holder, who waits for something else: so they are looked at last.
_LATE = {"held_by": 1, "lock": 2}


class Waits(NamedTuple):
    """The edges of a snapshot but the structural ones, as columns.

    Attributes:
        waiter: Who waits.
        awaited: For whom.
        source: Where each is in the edges of the snapshot.
        spans: Which of them are of one kind, those last that most others lead to.
    """

    waiter: Sequence[int]
    awaited: Sequence[int]
    source: Sequence[int]
    spans: Sequence[range]


def waits(edges: Sequence[Edge], index: Mapping[int, int] | Sequence[int] | None = None) -> Waits:
    """The edges that are waits.

    Args:
        edges: The edges of a snapshot.
        index: Where the node with an id is.

    Returns:
        Columns of positions; of ids without an index.

    Raises:
        KeyError: An id is not in the index.
    """
    if not isinstance(edges, Edges):
        kept = [(at, edge) for at, edge in enumerate(edges) if edge.kind != "structural"]
        ends = [edge.waiter for _, edge in kept], [edge.awaited for _, edge in kept]
        waiter, awaited = (placed(one, index) for one in ends)
        return Waits(waiter, awaited, [at for at, _ in kept], [range(len(kept))])
    waiter, awaited, ranges = array("q"), array("q"), []
    spans: list[tuple[int, range]] = []
    start = 0
    for group in edges.groups:
        end = start + len(group.waiter)
        if group.kind != "structural":
            most = group.largest or (None, None)
            waiter.extend(placed(group.waiter, index, most[0]))
            awaited.extend(placed(group.awaited, index, most[1]))
            ranges.append(range(start, end))
            spans.append((_LATE.get(group.kind, 0), range(len(waiter) - (end - start), len(waiter))))
        start = end
    in_front = [one.start for one in ranges] == [0, *accumulate(map(len, ranges))][:-1]
    source = range(len(waiter)) if in_front else list(chain.from_iterable(ranges))
    spans.sort(key=itemgetter(0))
    return Waits(waiter, awaited, source, [span for _, span in spans])


def placed(
    ids: Sequence[int], index: Mapping[int, int] | Sequence[int] | None, largest: int | None = None
) -> Sequence[int]:
    """Where some nodes are.

    Args:
        ids: Their ids.
        index: Where the node with an id is; None and `range` leave the ids as they are.
        largest: The largest of the ids, where it is known.

    Returns:
        A position for each.
    """
    if index is None or type(index) is range:
        return ids
    if isinstance(index, Places):
        return ids if largest is not None and largest < index.start else index.of(ids)
    return array("q", map(index.__getitem__, ids))


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
