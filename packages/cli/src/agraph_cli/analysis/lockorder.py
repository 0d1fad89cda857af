"""Which locks were held while which others were waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    nodes = {node.id: node for node in snapshot.nodes}
    held: dict[int, list[Edge]] = {}
    for edge in snapshot.edges:
        if edge.kind == "held_by" and nodes[edge.waiter].kind in _LOCKS:
            held.setdefault(edge.awaited, []).append(edge)
    pairs = []
    for edge in snapshot.edges:
        if edge.kind == "lock" and nodes[edge.waiter].kind == "task":
            task = nodes[edge.waiter]
            for holding in held.get(edge.waiter, ()):
                held_at = None if holding.site is None else snapshot.sites[holding.site]
                pairs.append(
                    LockPair(
                        task,
                        nodes[holding.waiter],
                        nodes[edge.awaited],
                        held_at,
                        user_site(snapshot, task),
                        holding.confidence,
                    )
                )
    return tuple(sorted(pairs, key=lambda pair: (pair.task.id, pair.held.id, pair.wanted.id)))
