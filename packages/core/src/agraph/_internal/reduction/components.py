"""Strongly connected components and shortest cycles, iterative: users' graphs are deeper than any stack."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

# In one component, searches look at no more edges than this before they settle for what they have.
_SEARCH_EDGES = 200_000


class Parts(NamedTuple):
    """Strongly connected components of a graph whose nodes are counted from 0.

    Attributes:
        number: For each node its component. One has a higher number than those that it leads to.
        total: How many components there are.
    """

    number: Sequence[int]
    total: int


def components(successors: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Strongly connected components, without recursion.

    Args:
        successors: For each node, the nodes its edges lead to; each of these is a key as well.

    Returns:
        The components, each sorted; a component comes after those that it leads to.
    """
    nodes = list(successors)
    at = {node: index for index, node in enumerate(nodes)}
    start = [0, *accumulate(len(successors[node]) for node in nodes)]
    parts = connected(start, [at[to] for node in nodes for to in successors[node]])
    found: list[list[int]] = [[] for _ in range(parts.total)]
    for node, number in zip(nodes, parts.number, strict=True):
        found[number].append(node)
    for part in found:
        part.sort()
    return found


def connected(start: Sequence[int], to: Sequence[int]) -> Parts:
    """Strongly connected components (Tarjan 1972) of a graph in compressed sparse rows.

    Args:
        start: The edges of node `v` are those at `start[v]` to `start[v + 1] - 1`.
        to: For each edge, the node it leads to.

    Returns:
        The components, in time and memory linear in nodes and edges, and without an object for each.
    """
    size = len(start) - 1
    done = size + 1  # lowest[v] once the component of v is known, which then counts for nobody
    order, lowest, number = (array("q", bytes(8 * size)) for _ in range(3))
    ahead, stack, met, total = array("q", start), array("q"), 0, 0
    for root in range(size):
        if order[root]:
            continue
        path = array("q", [root])
        while path:
            node = path[-1]
            if not order[node]:
                met += 1
                order[node] = lowest[node] = met
                stack.append(node)
            low, edge, end, step = lowest[node], ahead[node], start[node + 1], -1
            while edge < end:
                awaited = to[edge]
                if not order[awaited]:
                    step = awaited
                    break
                edge += 1
                low = min(low, lowest[awaited])
            ahead[node], lowest[node] = edge, low
            if step >= 0:
                path.append(step)
                continue
            path.pop()
            if low == order[node]:
                member = -1
                while member != node:
                    member = stack.pop()
                    number[member], lowest[member] = total, done
                total += 1
    return Parts(number, total)


def shortest_cycle(
    starts: Sequence[int], inside: Collection[int], successors: Mapping[int, Sequence[int]]
) -> list[int]:
    """A shortest cycle through one of some nodes, the same in every run.

    Args:
        starts: Nodes to begin at, the preferred first; each lies on a cycle.
        inside: The nodes a cycle may use.
        successors: For each node, the nodes its edges lead to.

    Returns:
        The nodes of the cycle, beginning with one of `starts`. In a component with very many edges only the
        first starts are tried.
    """
    best: list[int] = []
    budget = _SEARCH_EDGES
    for start in starts:
        cycle, looked_at = _cycle_through(start, inside, successors, len(best))
        if cycle and (not best or len(cycle) < len(best)):
            best = cycle
        budget -= looked_at
        if len(best) == 1 or (best and budget < 0):
            break
    return best


def _cycle_through(
    start: int, inside: Collection[int], successors: Mapping[int, Sequence[int]], shorter_than: int
) -> tuple[list[int], int]:
    parent = {start: start}
    looked_at = 0
    ahead, length = [start], 1
    while ahead and not (shorter_than and length >= shorter_than):
        further = []
        for node in ahead:
            for successor in successors[node]:
                looked_at += 1
                if successor == start:
                    return _path_to(node, start, parent), looked_at
                if successor in inside and successor not in parent:
                    parent[successor] = node
                    further.append(successor)
        ahead, length = further, length + 1
    return [], looked_at


def _path_to(node: int, start: int, parent: Mapping[int, int]) -> list[int]:
    path = [node]
    while node != start:
        node = parent[node]
        path.append(node)
    path.reverse()
    return path
