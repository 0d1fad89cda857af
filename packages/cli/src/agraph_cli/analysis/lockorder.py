"""Which locks were held while which others were waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import edges_of_kind, positions_of
from agraph_cli.analysis.model import LockPair
from agraph_cli.analysis.names import user_site

if TYPE_CHECKING:
    from agraph import Edge, Snapshot

_LOCKS = {"lock", "semaphore"}


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
    held: dict[int, list[Edge]] = {}
    for edge in edges_of_kind(snapshot.edges, "held_by"):
        if edge.awaited in waiting and nodes[at[edge.waiter]].kind in _LOCKS:
            held.setdefault(edge.awaited, []).append(edge)
    pairs = []
    for edge in edges_of_kind(snapshot.edges, "lock") if held else ():
        holdings = held.get(edge.waiter)
        task = nodes[at[edge.waiter]] if holdings else None
        if holdings and task is not None and task.kind == "task":
            for holding in holdings:
                held_at = None if holding.site is None else snapshot.sites[holding.site]
                pairs.append(
                    LockPair(
                        task,
                        nodes[at[holding.waiter]],
                        nodes[at[edge.awaited]],
                        held_at,
                        user_site(snapshot, task),
                        holding.confidence,
                    )
                )
    return tuple(sorted(pairs, key=lambda pair: (pair.task.id, pair.held.id, pair.wanted.id)))
