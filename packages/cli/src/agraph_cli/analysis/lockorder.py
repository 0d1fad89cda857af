"""Which locks were held while which others were waited for."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from agraph.reduction import edges_of_kind, of_kind, positions_of, rows_at
from agraph_cli.analysis.model import LockPair
from agraph_cli.analysis.names import user_site

if TYPE_CHECKING:
    from agraph import Edge, Snapshot


def lock_order(snapshot: Snapshot) -> tuple[LockPair, ...]:
    """Pairs of locks, held -> wanted.

    Args:
        snapshot: The snapshot.

    Returns:
        One pair for each lock that a task holds while it waits for another, by task and lock. Two pairs the
        other way round for the same locks are a deadlock that may not have happened yet.
    """
    at, nodes = positions_of(snapshot.nodes), snapshot.nodes
    waiting = {edge.waiter for edge in edges_of_kind(snapshot.edges, "lock")}
    holdings_of = [edge for edge in edges_of_kind(snapshot.edges, "held_by") if edge.awaited in waiting]
    locks = {*of_kind(nodes, "lock"), *of_kind(nodes, "semaphore")} if holdings_of else set()
    held: dict[int, list[Edge]] = {}
    for edge in holdings_of:
        if at[edge.waiter] in locks:
            held.setdefault(edge.awaited, []).append(edge)
    wants = [edge for edge in edges_of_kind(snapshot.edges, "lock") if edge.waiter in held] if held else []
    ends = {end for edge in (*wants, *chain.from_iterable(held.values())) for end in edge[:2]}
    node = {one.id: one for one in rows_at(nodes, map(at.__getitem__, ends)).values()}
    pairs = [
        LockPair(
            node[edge.waiter],
            node[holding.waiter],
            node[edge.awaited],
            None if holding.site is None else snapshot.sites[holding.site],
            user_site(snapshot, node[edge.waiter]),
            holding.confidence,
        )
        for edge in wants
        if node[edge.waiter].kind == "task"
        for holding in held[edge.waiter]
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.task.id, pair.held.id, pair.wanted.id)))
