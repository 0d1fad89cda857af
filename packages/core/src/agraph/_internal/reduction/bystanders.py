"""Guesses that only blur a core: a party that waits itself for those whom it was guessed to free.

Who creates a barrier and hands it to some tasks that it then gathers has the barrier in a variable, and so is
taken for one who could free them. But it waits for them, and where another party is known it says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph._internal.edge_rows import edge_column, has_inferred
from agraph._internal.rows import column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agraph._internal.reduction.graph import WaitGraph

_GUESSES = frozenset({"any_of", "bridge"})
_PASSED = frozenset({"task", "future"})
# So many nodes are looked at on the ways from guessed parties.
_MOST_STEPS = 100_000


def bystanders(graph: WaitGraph, waiter: Sequence[int], awaited: Sequence[int]) -> set[tuple[int, int]]:
    """The guessed edges to parties that wait for those whom they might free, where there are others.

    Args:
        graph: The wait graph.
        waiter: Some of its edges, between stuck nodes: who waits.
        awaited: For whom.

    Returns:
        Pairs of who waits and the party.
    """
    if not waiter or not has_inferred(graph.snapshot.edges):
        return set()
    guessed = _guessed(graph)
    after: dict[int, list[int]] = {}
    for by, node in zip(waiter, awaited, strict=True):
        after.setdefault(by, []).append(node)
    several = {by: after[by] for by in guessed.keys() & after.keys() if len(after[by]) > 1}
    if not several:
        return set()
    passed = bytes(kind in _PASSED for kind in column(graph.snapshot.nodes, "kind"))
    direct: dict[int, set[int]] = {}
    for by, node in zip(waiter, awaited, strict=True):
        if node in several:
            direct.setdefault(node, set()).add(by)
    ways = _Ways(after, passed)
    found: set[tuple[int, int]] = set()
    for by in sorted(several):
        idle = {
            node
            for node in several[by]
            if node in guessed[by] and not ways.of(node).isdisjoint(direct.get(by, ()))
        }
        if not idle.issuperset(several[by]):
            found.update((by, node) for node in idle)
    return found


def _guessed(graph: WaitGraph) -> Mapping[int, set[int]]:
    """For each node that one of several parties might free, those parties that were guessed."""
    edges = graph.snapshot.edges
    confidence = edge_column(edges, "confidence", graph.source)
    kinds = edge_column(edges, "kind", graph.source)
    found: dict[int, set[int]] = {}
    for by, node, word, kind in zip(graph.waiter, graph.awaited, confidence, kinds, strict=True):
        if word == "probable" and kind in _GUESSES and graph.need[by] == 1:
            found.setdefault(by, set()).add(node)
    return found


class _Ways:
    """Which tasks and futures a task waits for, by way of such only; nothing once too many were looked at."""

    def __init__(self, after: Mapping[int, Sequence[int]], passed: bytes) -> None:
        self._after = after
        self._passed = passed
        self._found: dict[int, set[int]] = {}
        self._left = _MOST_STEPS

    def of(self, start: int) -> set[int]:
        found = self._found.get(start)
        if found is None:
            found = self._found[start] = set()
            ahead = [start] if self._passed[start] else []
            while ahead and self._left > 0:
                further = self._after.get(ahead.pop(), ())
                self._left -= len(further) + 1
                new = [node for node in further if self._passed[node] and node not in found]
                found.update(new)
                ahead += new
        return found
