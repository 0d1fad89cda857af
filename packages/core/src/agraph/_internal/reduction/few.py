"""Settles a short graph: with few edges, walking along them costs less than passes over all of them."""

from __future__ import annotations

from copy import copy
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, MutableSequence, Sequence

# Graphs with more edges than this are settled in passes.
FEW_EDGES = 2_000
_OTHERS = bytes([1, 0]) + bytes(254)


def settle_few(
    need: MutableSequence[int], waiter: Sequence[int], awaited: Sequence[int], shut: Collection[int]
) -> tuple[bytearray, MutableSequence[int], list[int], list[int], list[int]]:
    """All that can proceed.

    Args:
        need: For each node, how many of its awaited nodes have to proceed before it can.
        waiter: For each edge, the node that waits.
        awaited: For each edge, the node it waits for.
        shut: Tasks whose loop is not known to turn.

    Returns:
        The fields of `Settled`; no live node has edges that were not looked at.
    """
    live, left = bytearray(map((0).__ge__, need)), copy(need)
    for task in shut:
        live[task] = 0
    waiters: dict[int, list[int]] = {}
    for by, node in zip(waiter, awaited, strict=True):
        if node in waiters:
            waiters[node].append(by)
        else:
            waiters[node] = [by]
    work = [node for node in waiters if live[node]]
    while work:
        for by in waiters[work.pop()]:
            more = left[by]
            if more > 0:
                left[by] = more - 1
                if more == 1 and by not in shut:
                    live[by] = 1
                    if by in waiters:
                        work.append(by)
    stuck = bytes(map(live.__getitem__, awaited)).translate(_OTHERS)
    return live, left, list(compress(waiter, stuck)), list(compress(awaited, stuck)), []
