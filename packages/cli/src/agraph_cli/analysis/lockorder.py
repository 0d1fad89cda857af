"""Which locks were held while which others were waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from agraph.reduction import cells_at, edges_of_kind, positions_of, rows_at, site_of_stack
from agraph_cli.analysis.model import LockPair

if TYPE_CHECKING:
    from agraph import Edge, Site, Snapshot

_LOCKS = {"lock", "semaphore"}


class PairAt(NamedTuple):
    """A pair of locks, as positions in the nodes of the snapshot."""

    task: int
    held: int
    wanted: int
    held_site: Site | None
    wanted_site: Site | None
    confidence: Literal["exact", "probable"]


def lock_pairs(snapshot: Snapshot) -> list[PairAt]:
    """Pairs of locks, held -> wanted, without making their nodes.

    Args:
        snapshot: The snapshot.

    Returns:
        One pair for each lock that a task holds while it waits for another, by the ids of task and locks.
    """
    at, nodes = positions_of(snapshot.nodes), snapshot.nodes
    held_by = list(edges_of_kind(snapshot.edges, "held_by"))
    holders = {holding.awaited for holding in held_by}
    waiting: dict[int, list[Edge]] = {}
    for edge in edges_of_kind(snapshot.edges, "lock") if holders else ():
        if edge.waiter in holders:
            waiting.setdefault(edge.waiter, []).append(edge)
    found = [(holding, edge) for holding in held_by for edge in waiting.get(holding.awaited, ())]
    if not found:
        return []
    found.sort(key=lambda pair: (pair[1].waiter, pair[0].waiter, pair[1].awaited))
    held = cells_at(nodes, [at[holding.waiter] for holding, _ in found], "kind")
    tasks = cells_at(nodes, [at[edge.waiter] for _, edge in found], "kind", "stack")
    return [
        PairAt(
            at[edge.waiter],
            at[holding.waiter],
            at[edge.awaited],
            None if holding.site is None else snapshot.sites[holding.site],
            site_of_stack(snapshot, stack),
            holding.confidence,
        )
        for (holding, edge), (kind,), (who, stack) in zip(found, held, tasks, strict=True)
        if kind in _LOCKS and who == "task"
    ]


def lock_order(snapshot: Snapshot) -> tuple[LockPair, ...]:
    """Pairs of locks, held -> wanted.

    Args:
        snapshot: The snapshot.

    Returns:
        One pair for each lock that a task holds while it waits for another, by task and lock. Two pairs the
        other way round for the same locks are a deadlock that may not have happened yet.
    """
    pairs = lock_pairs(snapshot)
    nodes = rows_at(snapshot.nodes, (end for pair in pairs for end in pair[:3]))
    return tuple(
        LockPair(nodes[pair.task], nodes[pair.held], nodes[pair.wanted], *pair[3:]) for pair in pairs
    )
