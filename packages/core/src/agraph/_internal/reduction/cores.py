"""Find the cores: nodes that stay stuck even if everything outside of them proceeds.

A core is a strongly connected component of the stuck nodes, or a node that needs more than it has edges, so
all are found in linear time; listing simple cycles instead would be exponential.
"""

from __future__ import annotations

from array import array
from itertools import compress, repeat
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.reduction.components import components, connected
from agraph._internal.reduction.graph import IS_SET
from agraph._internal.reduction.residue import without_mere_waiters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from agraph._internal.reduction.components import Parts
    from agraph._internal.reduction.graph import WaitGraph
    from agraph._internal.reduction.reduce import Levels
    from agraph._internal.reduction.residue import Residue, Successors


class Core(NamedTuple):
    """Members of a core by position, sorted; whether they form a cycle; and how firmly they are stuck."""

    level: int
    members: tuple[int, ...]
    cyclic: bool


def cores(levels: Levels, rest: Residue) -> list[Core]:
    """The cores of a residue.

    Args:
        levels: How firmly each node is stuck.
        rest: The residue.

    Returns:
        The cores, firmest first, then by position.
    """
    every, (rest, behind) = rest, without_mere_waiters(rest)
    alone = (every.successors.nodes[index] for index in behind if not _waits_elsewhere(levels, every, index))
    found = [Core(levels.own[node], (node,), cyclic=False) for node in alone]
    nodes = rest.successors.nodes
    if not rest.successors.branching:  # each waits for one of them, and one for it: they are rings
        found += [Core(levels.own[ring[0]], ring, cyclic=True) for ring in _rings(rest.successors)]
        return sorted(found, key=_firmest_first)
    parts = connected(rest.successors.start, rest.successors.to)
    leaves = _leaves(rest.successors, parts)
    for number, members in _candidates(levels, rest, parts).items():
        component = [nodes[index] for index in members]
        # Where nothing leads out of it, nothing outside of it could free one of them.
        stuck = _stuck_alone(levels, rest, component) if leaves[number] else component
        level = levels.own[component[0]]
        found += [Core(level, part, cyclic) for part, cyclic in _innermost(rest, component, stuck)]
    return sorted(found, key=_firmest_first)


def _firmest_first(core: Core) -> tuple[int, int]:
    return -core.level, core.members[0]


def _rings(successors: Successors) -> Iterator[tuple[int, ...]]:
    nodes, to = successors.nodes, successors.to  # one edge for each node, in the order of the nodes
    met = bytearray(len(nodes))
    for first in range(len(nodes)):
        ring = array("q")
        index = first
        while not met[index]:
            met[index] = 1
            ring.append(nodes[index])
            index = to[index]
        if ring:
            yield tuple(sorted(ring))


def _candidates(levels: Levels, rest: Residue, parts: Parts) -> dict[int, array[int]]:
    """The components as places in `rest.successors.nodes`, but for nodes that only wait for other ones."""
    size = array("q", bytes(8 * parts.total))
    for number in parts.number:
        size[number] += 1
    found: dict[int, array[int]] = {}
    for index, number in enumerate(parts.number):
        if size[number] > 1:
            found.setdefault(number, array("q")).append(index)
        elif not _waits_elsewhere(levels, rest, index):
            found[number] = array("q", [index])
    return found


def _waits_elsewhere(levels: Levels, rest: Residue, index: int) -> bool:
    """Whether a node would proceed if all others did."""
    nodes, start, to = rest.successors.nodes, rest.successors.start, rest.successors.to
    node, first, end = nodes[index], start[index], start[index + 1]
    outside = end - first - (node in rest.loop_of) - to[first:end].count(index)
    return levels.states[levels.own[node]].left[node] <= outside


def _leaves(successors: Successors, parts: Parts) -> bytearray:
    """For each component, 1 if an edge leads out of it."""
    found = bytearray(parts.total)
    number, to, start = parts.number, successors.to, successors.start
    for index, part in enumerate(number):
        if not found[part]:
            for edge in range(start[index], start[index + 1]):
                if number[to[edge]] != part:
                    found[part] = 1
                    break
    return found


def _innermost(
    rest: Residue, component: list[int], stuck: Collection[int]
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
    behind: list[list[int]] = [[] for _ in found]
    stuck = bytearray(levels.level.translate(IS_SET))  # of those that are not counted yet
    is_task = graph.is_task
    for core in found:
        for node in core.members:
            stuck[node] = 0
    if not stuck.count(1):
        return behind
    waiters_of, gates = graph.unsettled_waiters, graph.gates
    for wanted in (3, 2, 1):
        ahead, owner = array("q"), array("q")
        for number, core in enumerate(found):
            if core.level == wanted:
                ahead.extend(core.members)
                owner.extend(repeat(number, len(core.members)))
        for node, number in zip(ahead, owner, strict=True):  # both grow meanwhile
            waiters = (*waiters_of(node), *gates[node]) if node in gates else waiters_of(node)
            more = [by for by in waiters if stuck[by]]
            if not more:
                continue
            more = list(dict.fromkeys(more))
            for by in more:
                stuck[by] = 0
            ahead.extend(more)
            owner.extend(repeat(number, len(more)))
            behind[number] += compress(more, map(is_task.__getitem__, more))
    return behind


def until_timeout(levels: Levels, core: Core, behind: Sequence[int]) -> list[int]:
    """Those of the tasks behind a core that a timeout frees, although it does not free the core.

    Args:
        levels: How firmly each node is stuck.
        core: The core.
        behind: Its tasks, as `blocked_behind` returns them.

    Returns:
        Their positions, in order.
    """
    return [task for task in behind if levels.level[task] == 1] if core.level > 1 else []
