"""Find the cores: nodes that stay stuck even if everything outside of them proceeds.

A core is a strongly connected component of the stuck nodes, or a node that needs more than it has edges, so
all are found in linear time; listing simple cycles instead would be exponential.
"""

from __future__ import annotations

from collections import deque
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.components import components

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agraph._internal.reduction.graph import WaitGraph
    from agraph._internal.reduction.reduce import Levels


class Core(NamedTuple):
    """Members of a core by position, sorted; whether they form a cycle; and how firmly they are stuck."""

    level: int
    members: tuple[int, ...]
    cyclic: bool


class Residue(NamedTuple):
    """What the reduction left, level by level.

    Attributes:
        successors: For each stuck node, the nodes of its own level that it waits for, its loop included.
        loop_of: For each stuck task whose loop is stuck at the same level, that loop.
    """

    successors: Mapping[int, Sequence[int]]
    loop_of: Mapping[int, int]


def residue(graph: WaitGraph, levels: Levels) -> Residue:
    """Keep the edges between nodes that are stuck for reasons of the same level.

    Args:
        graph: The wait graph.
        levels: How firmly each node is stuck.

    Returns:
        The residue; a node that is stuck only because of a firmer one is not in it.
    """
    own = levels.own
    successors: dict[int, list[int]] = {node: [] for node in compress(range(len(own)), own)}
    loop_of: dict[int, int] = {}
    if not successors:
        return Residue(successors, loop_of)
    # What is stuck waits on edges that were never settled.
    for by, node in zip(graph.settled.waiter, graph.settled.awaited, strict=True):
        if own[by] and own[by] == own[node]:
            successors[by].append(node)
    for loop, tasks in graph.gates.items():
        for task in tasks:
            if own[task] and own[task] == own[loop]:
                successors[task].append(loop)
                loop_of[task] = loop
    return Residue(successors, loop_of)


def cores(levels: Levels, rest: Residue) -> list[Core]:
    """The cores of a residue.

    Args:
        levels: How firmly each node is stuck.
        rest: The residue.

    Returns:
        The cores, firmest first, then by position.
    """
    found: list[Core] = []
    for component in components(rest.successors):
        stuck = _stuck_alone(levels, rest, component)
        level = levels.own[component[0]]
        found += [Core(level, part, cyclic) for part, cyclic in _innermost(rest, component, stuck)]
    return sorted(found, key=lambda core: (-core.level, core.members))


def _innermost(
    rest: Residue, component: list[int], stuck: set[int]
) -> Iterator[tuple[tuple[int, ...], bool]]:
    if len(stuck) == len(component):
        yield tuple(component), _is_cyclic(component, rest.successors)
        return
    inner = {node: [to for to in rest.successors[node] if to in stuck] for node in sorted(stuck)}
    for part in components(inner):
        inside = set(part)
        if all(to in inside for node in part for to in inner[node]):
            yield tuple(part), _is_cyclic(part, inner)


def _is_cyclic(part: Sequence[int], successors: Mapping[int, Sequence[int]]) -> bool:
    return len(part) > 1 or part[0] in successors[part[0]]


def _stuck_alone(levels: Levels, rest: Residue, component: list[int]) -> set[int]:
    """Those of a component that stay stuck when all nodes outside of it proceed."""
    left_before = levels.states[levels.own[component[0]]].left
    if len(component) == 1 and component[0] not in rest.successors[component[0]]:
        (node,) = component  # nearly all components are these: no need to walk
        outside = len(rest.successors[node]) - (node in rest.loop_of)
        return set() if left_before[node] <= outside else {node}
    inside = set(component)
    left: dict[int, int] = {}
    gated: dict[int, int] = {}
    waiters: dict[int, list[int]] = {node: [] for node in component}
    for node in component:
        awaited = list(rest.successors[node])
        loop = rest.loop_of.get(node)
        if loop is not None:
            awaited.remove(loop)
            gated[node] = loop
        left[node] = left_before[node] - sum(to not in inside for to in awaited)
        for to in awaited:
            if to in inside:
                waiters[to].append(node)
    gated = {node: loop for node, loop in gated.items() if loop in inside}
    return inside - _grow(left, gated, waiters)


def _grow(left: dict[int, int], gated: dict[int, int], waiters: Mapping[int, Sequence[int]]) -> set[int]:
    tasks_of: dict[int, list[int]] = {}
    for node, loop in gated.items():
        tasks_of.setdefault(loop, []).append(node)
    free = {node for node, need in left.items() if need <= 0 and node not in gated}
    work = list(free)
    while work:
        node = work.pop()
        for by in waiters[node]:
            left[by] -= 1
        opened = tasks_of.pop(node, [])
        for task in opened:
            del gated[task]
        for by in (*waiters[node], *opened):
            if by not in free and left[by] <= 0 and by not in gated:
                free.add(by)
                work.append(by)
    return free


def blocked_behind(graph: WaitGraph, levels: Levels, found: Sequence[Core]) -> list[list[int]]:
    """The tasks that are stuck because of each core.

    Args:
        graph: The wait graph.
        levels: How firmly each node is stuck.
        found: The cores.

    Returns:
        For each core the positions of tasks outside of it, nearest first; one behind two cores counts for the
        firmer.
    """
    taken = {node for core in found for node in core.members}
    behind: list[list[int]] = [[] for _ in found]
    for level in (3, 2, 1):
        queue = deque(
            (node, number)
            for number, core in enumerate(found)
            if core.level == level
            for node in core.members
        )
        while queue:
            node, number = queue.popleft()
            for by in graph.waiters_of(node):
                if levels.level[by] and by not in taken:
                    taken.add(by)
                    queue.append((by, number))
                    if graph.is_task[by]:
                        behind[number].append(by)
    return behind
