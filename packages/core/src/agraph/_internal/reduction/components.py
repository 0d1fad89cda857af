"""Strongly connected components and shortest cycles, iterative: users' graphs are deeper than any stack."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

# In one component, searches look at no more edges than this before they settle for what they have.
_SEARCH_EDGES = 200_000


def components(successors: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Strongly connected components (Tarjan 1972), without recursion.

    Args:
        successors: For each node, the nodes its edges lead to; each of these is a key as well.

    Returns:
        The components, each sorted; a component comes after those that it leads to.
    """
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    found: list[list[int]] = []
    for root in successors:
        if root in order:
            continue
        path = [(root, iter(successors[root]))]
        while path:
            node, rest = path[-1]
            if node not in order:
                order[node] = low[node] = len(order)
                stack.append(node)
                on_stack.add(node)
            step = _descend(node, rest, order, low, on_stack)
            if step is not None:
                path.append((step, iter(successors[step])))
                continue
            path.pop()
            if path:
                above = path[-1][0]
                low[above] = min(low[above], low[node])
            if low[node] == order[node]:
                found.append(_cut_off(node, stack, on_stack))
    return found


def _descend(
    node: int, rest: Iterable[int], order: dict[int, int], low: dict[int, int], on_stack: set[int]
) -> int | None:
    for successor in rest:
        if successor not in order:
            return successor
        if successor in on_stack:
            low[node] = min(low[node], order[successor])
    return None


def _cut_off(root: int, stack: list[int], on_stack: set[int]) -> list[int]:
    component = []
    while True:
        node = stack.pop()
        on_stack.discard(node)
        component.append(node)
        if node == root:
            return sorted(component)


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
    depth = {start: 1}
    looked_at = 0
    queue = deque([start])
    while queue:
        node = queue.popleft()
        if shorter_than and depth[node] >= shorter_than:
            break
        for successor in successors[node]:
            looked_at += 1
            if successor == start:
                return _path_to(node, start, parent), looked_at
            if successor in inside and successor not in parent:
                parent[successor] = node
                depth[successor] = depth[node] + 1
                queue.append(successor)
    return [], looked_at


def _path_to(node: int, start: int, parent: Mapping[int, int]) -> list[int]:
    path = [node]
    while node != start:
        node = parent[node]
        path.append(node)
    path.reverse()
    return path
