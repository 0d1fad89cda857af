"""How many tasks were seen waiting at the places that the static rules object to."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from agraph.reduction import build
from agraph_cli.analysis.hybrid import BY_TASK, waiting_tasks
from agraph_cli.analysis.identity import Processes
from agraph_cli.analysis.source_file import SourceFile, functions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph import Site, Snapshot
    from agraph_cli.analysis.source_tree import SourceTree
    from agraph_static import Finding


class Seen(NamedTuple):
    """How many tasks of one snapshot wait at a finding."""

    path: str
    tasks: int


@dataclass(slots=True)
class Evidence:
    """What snapshots show of one finding.

    Attributes:
        tasks: How many tasks wait there; one that several snapshots of a process show counts once.
        snapshots: The snapshots that show any, in the order given.
    """

    tasks: int = 0
    snapshots: list[Seen] = field(default_factory=list)


class Collector:
    """Counts, snapshot by snapshot."""

    def __init__(self, findings: Iterable[Finding], tree: SourceTree) -> None:
        """Nothing is read yet.

        Args:
            findings: The findings to look for.
            tree: Where their files are.
        """
        self._tree = tree
        self._of_path: dict[str, list[Finding]] = {}
        for finding in findings:
            self._of_path.setdefault(os.path.abspath(finding.path), []).append(finding)  # noqa: PTH100
        self._files: dict[str, SourceFile | None] = {}
        self._tasks: dict[Finding, set[tuple[object, ...]]] = {}
        self._seen: dict[Finding, list[Seen]] = {}
        self._processes = Processes()

    def add(self, path: str, snapshot: Snapshot) -> None:
        """Look for tasks of a snapshot that wait at the findings.

        A task does if a frame of it stands on a line of the finding or of a place related to it, in the same
        function. It also does if it waits for a future that the finding is about by who probably completes
        it: a done-callback, or a task that stands in the function which does so.

        Args:
            path: What to call the snapshot.
            snapshot: It.

        Raises:
            SnapshotError: An edge names a node that is not in the snapshot.
        """
        found: dict[Finding, set[int]] = {}
        for finding, position in self._waiting(snapshot):
            found.setdefault(finding, set()).add(position)
        whose = self._processes.number(snapshot.process)
        for finding, positions in found.items():
            self._seen.setdefault(finding, []).append(Seen(path, len(positions)))
            nodes = (snapshot.nodes[position] for position in positions)
            self._tasks.setdefault(finding, set()).update(
                (whose, node.key) if node.key is not None else (path, node.id) for node in nodes
            )

    def evidence(self) -> dict[Finding, Evidence]:
        """What was seen, for the findings at which any task waits."""
        return {one: Evidence(len(self._tasks[one]), seen) for one, seen in self._seen.items()}

    def _waiting(self, snapshot: Snapshot) -> Iterator[tuple[Finding, int]]:
        """Findings with the positions of tasks that wait at them."""
        at_site = [tuple(self._standing(site)) for site in snapshot.sites]
        if any(at_site):
            of_stack = [_united([at_site[index] for index in stack]) for stack in snapshot.stacks]
            for position, node in enumerate(snapshot.nodes):
                if node.kind == "task" and node.need and node.stack is not None:
                    for finding in of_stack[node.stack]:
                        yield finding, position
        yield from self._behind_others(snapshot)

    def _standing(self, site: Site) -> Iterator[Finding]:
        file = self._file(site)
        if file is not None:
            yield from (finding for finding in file.findings if file.stands_on(site, finding))

    def _behind_others(self, snapshot: Snapshot) -> Iterator[tuple[Finding, int]]:
        futures = self._futures(snapshot)
        if not futures:
            return
        graph = build(snapshot)
        for position, node in enumerate(snapshot.nodes):
            if node.id in futures:
                for task in waiting_tasks(graph, position):
                    yield from ((finding, task) for finding in futures[node.id])

    def _futures(self, snapshot: Snapshot) -> dict[int, set[Finding]]:
        """The ids of futures that findings are about, by who probably completes them."""
        stacks = {node.id: node.stack for node in snapshot.nodes if node.kind == "task"}
        callbacks: dict[int, tuple[Finding, ...]] = {}
        producers: dict[int, tuple[Finding, ...]] = {}
        found: dict[int, set[Finding]] = {}
        for edge in snapshot.edges:
            if edge.confidence != "probable" or edge.kind not in {"bridge", "any_of"}:
                continue
            stack = stacks.get(edge.awaited)
            if edge.site is not None:
                if edge.site not in callbacks:
                    callbacks[edge.site] = tuple(self._completed(snapshot.sites[edge.site]))
                found.setdefault(edge.waiter, set()).update(callbacks[edge.site])
            elif stack is not None and edge.kind == "bridge":
                if stack not in producers:
                    sites = (snapshot.sites[index] for index in snapshot.stacks[stack])
                    producers[stack] = _united([tuple(self._run_through(site)) for site in sites])
                found.setdefault(edge.waiter, set()).update(producers[stack])
        return {number: findings for number, findings in found.items() if findings}

    def _completed(self, callback: Site) -> Iterator[Finding]:
        file = self._file(callback)
        if file is not None:
            for finding in file.findings:
                if finding.code not in BY_TASK and file.completes(callback, finding):
                    yield finding

    def _run_through(self, site: Site) -> Iterator[Finding]:
        file = self._file(site)
        if file is not None:
            for finding in file.findings:
                if finding.code in BY_TASK and file.runs_through(site, finding):
                    yield finding

    def _file(self, site: Site) -> SourceFile | None:
        """The file of a frame, if there are findings in it."""
        if site.file not in self._files:
            path = self._tree.find(site.file)
            findings = self._of_path.get(os.path.abspath(path)) if path is not None else None  # noqa: PTH100
            self._files[site.file] = None
            if path is not None and findings:
                self._files[site.file] = SourceFile(tuple(findings), functions_of(path))
        return self._files[site.file]


def _united(groups: Iterable[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(finding for group in groups for finding in group))
