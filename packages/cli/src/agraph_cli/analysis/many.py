"""Several snapshots: what stood still, which alarms a later snapshot refutes, which deadlocks are the same.

A deadlock never goes away, so a task that went on was in none (Chandy, Misra and Haas 1983: deadlock is a
stable property). That only ever takes alarms back: waits are known by addresses, which are used again, so
that a task waits in the same way twice does not prove that it never moved in between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from agraph.reduction import (
    Standing,
    can_be_found_again,
    cells,
    cells_at,
    column,
    comparable,
    free,
    positions_of,
    rank,
    same_process,
    went_on,
)
from agraph_cli.analysis.model import Analysis, History, Lifted
from agraph_cli.analysis.predict import predict
from agraph_cli.analysis.processes import across, raised

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence

    from agraph import Node, Snapshot
    from agraph.reduction import How, Verdict
    from agraph_cli.analysis.model import Deadlock, SnapshotAnalysis

    Reanalyze = Callable[[Snapshot, str], SnapshotAnalysis]

# So many copies of agraph in one process, whose numbers for tasks do not agree, are told apart.
_MAX_CHAINS = 8
_ACTORS: tuple[Literal["task", "thread"], ...] = ("task", "thread")
_TELLING = ("kind", "key", "wait", "name", "type", "stack")
_POSSIBLE = rank("possible")


def together(analyses: Sequence[SnapshotAnalysis], reanalyze: Reanalyze) -> Analysis:
    """Put the analyses of single snapshots together.

    Args:
        analyses: One for each snapshot.
        reanalyze: Analyses a snapshot, given it and its path.

    Returns:
        The analysis of all of them.
    """
    done = list(analyses)
    groups = _by_process(done)
    chained = [_chains(done, group) for group in groups]
    lifted: list[Lifted] = []
    histories: list[History] = []
    again: list[Deadlock] = []
    for chain in (chain for chains in chained for chain in chains):
        story = _Story(done, chain)
        alarms = list(story.tell(reanalyze))
        lifted += sorted(alarms, key=lambda alarm: alarm.one.snapshot.capture.start_monotonic)
        members = tuple(done[position] for position in chain)
        sightings, repeated = story.same_deadlocks()
        again += repeated
        histories.append(History(members, _seconds(members), story.still(), sightings))
    pairs = zip(groups, chained, strict=True)
    notes = tuple(note for group, chains in pairs for note in _left_out(done, group, chains))
    joint = across(done, reanalyze)
    predicted = predict(done)
    if joint is not None:
        done = [raised(one, joint) for one in done]
        by_graph = {id(one.graph): one for one in done}
        histories = [
            replace(one, snapshots=tuple(by_graph[id(member.graph)] for member in one.snapshots))
            for one in histories
        ]
    return Analysis(tuple(done), tuple(histories), tuple(lifted), predicted, tuple(again), notes, joint)


def _by_process(done: Sequence[SnapshotAnalysis]) -> list[list[int]]:
    """Positions of snapshots, those of one process together and by time."""
    hosts: dict[Hashable, list[int]] = {}
    for position, one in enumerate(done):
        process = one.snapshot.process
        hosts.setdefault((process.host, process.boot_id, process.pid), []).append(position)
    groups: list[list[int]] = []
    for same_id in hosts.values():
        same_id.sort(key=lambda position: done[position].snapshot.process.started or 0.0)
        group: list[int] = []
        for position in same_id:
            if group and not same_process(done[group[0]].snapshot.process, done[position].snapshot.process):
                groups.append(group)
                group = []
            group.append(position)
        groups.append(group)
    for group in groups:
        group.sort(key=lambda position: done[position].snapshot.capture.start_monotonic)
    return [group for group in groups if len(group) > 1]


def _chains(done: Sequence[SnapshotAnalysis], group: Sequence[int]) -> list[list[int]]:
    """Snapshots whose tasks can be compared, each begun after the one before was done; two or more."""
    chains: list[list[int]] = []
    for position in group:
        snapshot = done[position].snapshot
        if not can_be_found_again(snapshot):
            continue
        for chain in chains:
            last = done[chain[-1]].snapshot
            if comparable(last, snapshot):
                if snapshot.capture.start_monotonic > last.capture.end_monotonic:
                    chain.append(position)
                break
        else:
            if len(chains) < _MAX_CHAINS:
                chains.append([position])
    return [chain for chain in chains if len(chain) > 1]


def _left_out(
    done: Sequence[SnapshotAnalysis], group: Sequence[int], chains: Sequence[Sequence[int]]
) -> Iterator[str]:
    """What to say of snapshots of one process that could not be compared."""
    moments = {position: done[position].snapshot.capture.start_monotonic for position in group}
    compared = {moments[position] for chain in chains for position in chain}
    rest = set(moments.values()) - compared
    number = len(set(moments.values()))
    if rest and number > 1:
        process = done[group[0]].process
        yield (
            f"{len(rest)} of {number} snapshots of {process} cannot be compared with others: "
            "they were taken at the same time, by another copy of agraph, or from outside"
        )


def _seconds(members: Sequence[SnapshotAnalysis]) -> float:
    first, last = members[0].snapshot.capture, members[-1].snapshot.capture
    return last.start_monotonic - first.end_monotonic


class _Story:
    """Goes through comparable snapshots from the last to the first: what moved did so further back as well.

    All that takes the tasks of a snapshot is done while they are at hand.
    """

    def __init__(self, done: list[SnapshotAnalysis], chain: Sequence[int]) -> None:
        self._done = done
        self._chain = chain
        self._standing = Standing(done[chain[-1]].snapshot)
        self._identities: dict[int, list[tuple[Hashable, Deadlock]]] = {}
        self._met: dict[Hashable, Hashable] = {}

    def tell(self, reanalyze: Reanalyze) -> Iterator[Lifted]:
        """Analyse again what a later snapshot refutes."""
        done, chain = self._done, self._chain
        self._look_at(chain[-1])
        later: dict[int, tuple[How, str]] = {}
        alarms = sum(_is_alarm(done[position]) for position in chain[:-1])
        for position, following in zip(chain[-2::-1], chain[:0:-1], strict=True):
            one, after = done[position], done[following]
            if alarms:  # here or further back; else it does not matter who moved
                alarms -= _is_alarm(one)
                later = _moved(one, after, later)
                refuted = _refuted(one, later)
                if refuted:
                    done[position] = reanalyze(free(one.snapshot, refuted), one.path)
                    yield from _lifted(one, done[position], later)
            self._standing.keep(one.snapshot)
            self._look_at(position)

    def _look_at(self, position: int) -> None:
        one = self._done[position]
        found = [(identity_of(one.snapshot, deadlock), deadlock) for deadlock in one.deadlocks]
        self._identities[position] = [
            (self._met.setdefault(identity, identity), deadlock) for identity, deadlock in found if identity
        ]

    def still(self) -> tuple[tuple[Node, Verdict], ...]:
        """The tasks that waited in the same way all the time."""
        still = self._standing.ids()
        if not still:
            return ()
        rows = [(node, verdict) for node, verdict in self._done[self._chain[-1]].tasks() if node.id in still]
        return tuple(sorted(rows, key=lambda row: (-rank(row[1]), row[0].id)))

    def same_deadlocks(self) -> tuple[tuple[tuple[Deadlock, int], ...], list[Deadlock]]:
        """Deadlocks of which there are several pictures: the best of each with their number, and the rest."""
        pictures: dict[Hashable, list[Deadlock]] = {}
        for position in self._chain:
            for identity, deadlock in self._identities[position]:
                pictures.setdefault(identity, []).append(deadlock)
        sightings = []
        repeated = []
        for same in pictures.values():
            if len(same) > 1:
                best = max(
                    reversed(same), key=lambda deadlock: rank(deadlock.certainty)
                )  # of equals the last
                sightings.append((best, len(same)))
                repeated += [deadlock for deadlock in same if deadlock is not best]
        return tuple(sightings), repeated


def _is_alarm(one: SnapshotAnalysis) -> bool:
    """Whether a later snapshot may have something to take back."""
    return max(one.levels, default=0) >= _POSSIBLE


def _moved(
    one: SnapshotAnalysis, after: SnapshotAnalysis, later: Mapping[int, tuple[How, str]]
) -> dict[int, tuple[How, str]]:
    """Who went on after a snapshot, and in which one that is seen, given the same for the next one."""
    seen: dict[How, tuple[How, str]] = {"moved": ("moved", after.path), "gone": ("gone", after.path)}
    moved = {number: seen[how] for number, how in went_on(one.snapshot, after.snapshot).items()}
    for kind in _ACTORS if later else ():
        rows = cells(after.snapshot.nodes, kind, "key", "id")
        by_key = {key: later[number] for key, number in rows if number in later}
        for key, number in cells(one.snapshot.nodes, kind, "key", "id") if by_key else ():
            if key in by_key and number not in moved:
                moved[number] = by_key[key]
    return moved


def _refuted(one: SnapshotAnalysis, moved: Container[int]) -> list[int]:
    if not _is_alarm(one):
        return []
    rows = zip(column(one.snapshot.nodes, "id"), one.levels, strict=True)
    return [number for number, level in rows if level >= _POSSIBLE and number in moved]


def _lifted(
    one: SnapshotAnalysis, now: SnapshotAnalysis, moved: dict[int, tuple[How, str]]
) -> Iterator[Lifted]:
    for deadlock in one.deadlocks:
        if rank(deadlock.certainty) < _POSSIBLE or deadlock.ids.isdisjoint(moved):
            continue
        gone = [node for node in deadlock.members if node.id in moved]
        how = tuple((node, moved[node.id][0]) for node in gone)
        yield Lifted(now, deadlock, how, moved[gone[0].id][1])


def identity_of(snapshot: Snapshot, deadlock: Deadlock) -> Hashable:
    """What is the same for two pictures of one deadlock.

    Args:
        snapshot: One of the snapshots.
        deadlock: A deadlock in it.

    Returns:
        Something to compare; None when its members cannot be told from others.
    """
    at = positions_of(snapshot.nodes)
    found: list[Hashable] = []
    for kind, key, wait, *row, stack in cells_at(
        snapshot.nodes, map(at.__getitem__, deadlock.ids), *_TELLING
    ):
        if kind in _ACTORS:
            if key is None:
                return None
            sites = () if stack is None else tuple([snapshot.sites[site] for site in snapshot.stacks[stack]])
            found.append((kind, key, sites) if wait is None else (key, wait, *row, sites))
    return frozenset(found) or None
