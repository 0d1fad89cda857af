"""Waits of which the snapshot does not know the end, joined with the source lines that hide it.

A task waits for a future that no record says the producer of. The static rules are run on the function that
waits, on the done-callback that completes the future and on the functions of the tasks that probably do; what
they find there is the line that should have called `future_add_to_awaited_by`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from agraph.reduction import VERDICTS
from agraph_cli.analysis.model import Orphan
from agraph_cli.analysis.names import is_machinery
from agraph_cli.analysis.source_file import places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Node, Site
    from agraph.reduction import WaitGraph
    from agraph_cli.analysis.linting import Linter
    from agraph_cli.analysis.model import SnapshotAnalysis
    from agraph_cli.analysis.source_file import SourceFile
    from agraph_static import Finding

# Of other kinds it is known what completes them. Of these, only a future is made for one wait.
_KINDS = {"future", "event", "condition", "queue", "semaphore", "barrier"}
BY_TASK = {"AG108", "AG109", "AG110"}
"""Rules about a future that a task completes, not a callback."""

# The owner of a future waits for something else on this line (the label is rule AG108's).
_NOT_FOR_IT = "the owner waits here meanwhile"
_SUREST_FIRST = ("certain", "likely", "possible")
_MANY = 10_000  # futures between a future and the tasks that wait for it


def link(one: SnapshotAnalysis, linter: Linter) -> SnapshotAnalysis:
    """Join the waits of a snapshot that nobody is known to end with findings of the static rules.

    Args:
        one: The analysis of the snapshot.
        linter: What lints the files.

    Returns:
        The same analysis; its orphans have findings, and also are those futures whose producer is only
        inferred, where there is a finding. Those with findings come first, of them one for each finding.
    """
    linker = _Linker(one, linter)
    known = {orphan.node.id: orphan for orphan in one.orphans}
    linked: list[Orphan] = []
    for position, node in enumerate(one.snapshot.nodes):
        if not node.open or node.kind not in _KINDS:
            continue
        waiters = tuple(one.graph.node(task) for task in waiting_tasks(one.graph, position))
        findings = linker.findings(position, waiters)
        if not findings:
            continue
        orphan = known.pop(node.id, None) or _orphan(one, position, waiters)
        waiters = orphan.waiters or waiters
        linked.append(dataclasses.replace(orphan, waiters=waiters, findings=findings))
    linked.sort(key=lambda orphan: (-orphan.behind, -len(orphan.waiters), orphan.node.id))
    first = {id(orphan.findings): orphan for orphan in reversed(linked)}
    linked.sort(key=lambda orphan: first[id(orphan.findings)] is not orphan)
    return dataclasses.replace(one, orphans=(*linked, *known.values()))


def waiting_tasks(graph: WaitGraph, position: int) -> list[int]:
    """The tasks that wait for a node, directly or through a `shield`, a `gather` and the like.

    Args:
        graph: The wait graph.
        position: The position of the node.

    Returns:
        The positions of the tasks.
    """
    found: dict[int, None] = {}
    seen = {position}
    ahead = [position]
    for current in ahead:
        for by in graph.waiters_of(current):
            node = graph.node(by)
            if node.kind == "task":
                found[by] = None
            elif by not in seen and not node.open and len(seen) < _MANY:
                seen.add(by)
                ahead.append(by)
    return list(found)


def _orphan(one: SnapshotAnalysis, position: int, waiters: tuple[Node, ...]) -> Orphan:
    """An orphan of a future that the analysis took for one with a producer, as one was inferred."""
    level = one.levels[position]
    return Orphan(one.snapshot.nodes[position], VERDICTS[level], waiters, len(waiters) if level else 0)


class _Evidence(NamedTuple):
    """Where a wait can be seen in the source.

    Attributes:
        plain: Whether it is one for a future.
        waits: For each waiting task the frame that waits.
        callbacks: What probably completes it, when something else is done.
        producers: The frames of the tasks that probably complete it.
    """

    plain: bool
    waits: frozenset[Site]
    callbacks: frozenset[Site]
    producers: frozenset[Site]


class _Linker:
    """Finds what belongs to a wait. Many tasks wait at the same place, so answers are kept."""

    def __init__(self, one: SnapshotAnalysis, linter: Linter) -> None:
        self.one = one
        self.linter = linter
        self.positions = {node.id: position for position, node in enumerate(one.snapshot.nodes)}
        self.standing = {(site.file, site.line) for site in one.snapshot.sites}
        self._known: dict[_Evidence, tuple[Finding, ...]] = {}
        self._same: dict[tuple[Finding, ...], tuple[Finding, ...]] = {}
        self._sites: dict[int | None, tuple[Site, ...]] = {}
        self._edges = self._producers()

    def _producers(self) -> dict[int, list[tuple[int, int | None]]]:
        found: dict[int, list[tuple[int, int | None]]] = {}
        for edge in self.one.snapshot.edges:
            if edge.confidence == "probable" and edge.kind in {"bridge", "any_of"}:
                found.setdefault(edge.waiter, []).append((edge.awaited, edge.site))
        return found

    def findings(self, position: int, waiters: Sequence[Node]) -> tuple[Finding, ...]:
        """What the rules say about a wait, equal answers as one object; nothing when nobody waits."""
        if not waiters:
            return ()
        evidence = self._evidence(self.one.snapshot.nodes[position], waiters)
        if evidence not in self._known:
            found = self._judge(evidence)
            self._known[evidence] = self._same.setdefault(found, found)
        return self._known[evidence]

    def _evidence(self, node: Node, waiters: Sequence[Node]) -> _Evidence:
        snapshot = self.one.snapshot
        waits = {sites[0] for task in waiters if (sites := self._user_sites(task))}
        callbacks: set[Site] = set()
        producers: set[Site] = set()
        for number, site in self._edges.get(node.id, ()):
            if site is not None:
                callbacks.add(snapshot.sites[site])
            else:
                producers.update(self._user_sites(snapshot.nodes[self.positions[number]]))
        return _Evidence(
            node.kind == "future",
            frozenset(waits),
            frozenset(callbacks),
            frozenset(producers),
        )

    def _user_sites(self, node: Node) -> tuple[Site, ...]:
        """The frames of a task without those of asyncio, innermost first."""
        if node.stack not in self._sites:
            stack = self.one.snapshot.stack_of(node)
            self._sites[node.stack] = tuple(site for site in stack if not is_machinery(site))
        return self._sites[node.stack]

    def _judge(self, evidence: _Evidence) -> tuple[Finding, ...]:
        """The findings that fit best, those first on whose places most tasks stand."""
        best = dict(self._exact(evidence))
        if not best and evidence.plain:
            best = dict(self._near(evidence))
        return tuple(sorted(best, key=lambda one: (-self._seen(best[one], one), *_rank(one))))

    def _exact(self, evidence: _Evidence) -> Iterator[tuple[Finding, Site]]:
        """What is found where a task waits, or in the callback that completes what it waits for."""
        for site, file in self._files(evidence.waits):
            for finding in file.findings:
                if file.stands_on(site, finding, but=_NOT_FOR_IT):
                    yield finding, site
        for site, file in self._files(evidence.callbacks):
            for finding in file.findings:
                if finding.code not in BY_TASK and file.completes(site, finding):
                    yield finding, site

    def _near(self, evidence: _Evidence) -> Iterator[tuple[Finding, Site]]:
        """What is found in the functions of those who wait, and of those who may complete it."""
        for site, file in self._files(evidence.waits):
            yield from ((finding, site) for finding in file.findings if file.is_in(site, finding))
        for site, file in self._files(evidence.producers):
            for finding in file.findings:
                if finding.code in BY_TASK and file.runs_through(site, finding):
                    yield finding, site

    def _files(self, sites: frozenset[Site]) -> Iterator[tuple[Site, SourceFile]]:
        for site in sorted(sites):
            file = self.linter.file_of(site)
            if file is not None:
                yield site, file

    def _seen(self, site: Site, finding: Finding) -> int:
        """On how many places of a finding some task of the snapshot stands."""
        return sum(
            any((site.file, line) in self.standing for line in range(span.line, span.end_line + 1))
            for span in places(finding)
        )


def _rank(finding: Finding) -> tuple[int, str, int, str]:
    return _SUREST_FIRST.index(finding.confidence), finding.path, finding.span.line, finding.code
