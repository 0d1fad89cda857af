"""`agraph analyze --format json`: the shape `agraph.analysis/1`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agraph.reduction import VERDICTS, edges_of
from agraph_cli.analysis.names import user_site
from agraph_cli.report.lint.json_ import row
from agraph_cli.report.many_json import lifted, lock_order, predicted, site_row, stuck

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph import Node
    from agraph.reduction import Hop
    from agraph_cli.analysis.model import Across, Analysis, Deadlock, Orphan, SnapshotAnalysis
    from agraph_cli.report.style import Style

SCHEMA = "agraph.analysis/1"


def lines(analysis: Analysis, _style: Style, errors: Iterable[dict[str, str]]) -> Iterator[str]:
    """The JSON object as text, as the table of formats asks for it."""
    yield json.dumps(to_json(analysis, errors), indent=2, allow_nan=False)


def to_json(analysis: Analysis, errors: Iterable[dict[str, str]] = ()) -> dict[str, Any]:
    """The analysis as a JSON object.

    Args:
        analysis: The analysis of one or more snapshots.
        errors: What could not be read: `path`, `message`, `help`.

    Returns:
        The object; `verdict` is None when there was nothing to analyse.
    """
    tables = [_Rows(one) for one in analysis.snapshots]
    across = analysis.across
    return {
        "schema": SCHEMA,
        "verdict": analysis.verdict if analysis.snapshots else None,
        "deadlocks": [
            _Rows(one, across if across and one is across.one else None).deadlock(found)
            for one, found in analysis.deadlocks
        ],
        "tasks": [row for table in tables for row in table.tasks()],
        "lock_order": lock_order(analysis),
        "predicted": predicted(analysis),
        "stuck": stuck(analysis),
        "lifted": lifted(analysis),
        "orphans": [row for table in tables for row in table.orphans()],
        "snapshots": [table.snapshot() for table in tables],
        "notes": list(analysis.notes),
        "errors": list(errors),
    }


def deadlock_row(one: SnapshotAnalysis, deadlock: Deadlock) -> dict[str, Any]:
    """A deadlock as in `deadlocks`.

    Args:
        one: The analysis of its snapshot.
        deadlock: The deadlock.

    Returns:
        The row.
    """
    return _Rows(one).deadlock(deadlock)


def snapshot_row(one: SnapshotAnalysis) -> dict[str, Any]:
    """A snapshot as in `snapshots`.

    Args:
        one: Its analysis.

    Returns:
        The row.
    """
    return _Rows(one).snapshot()


class _Rows:
    """The rows of one snapshot, or of several processes together."""

    def __init__(self, one: SnapshotAnalysis, across: Across | None = None) -> None:
        self.one = one
        self.across = across

    def deadlock(self, deadlock: Deadlock) -> dict[str, Any]:
        return {
            "certainty": deadlock.certainty,
            "tasks": [self._task(node, deadlock.certainty) for node in deadlock.tasks],
            "cycle": [self._hop(hop) for hop in deadlock.cycle],
            "blocked_behind": len(deadlock.behind),
            "assumptions": list(deadlock.assumptions),
            "help": deadlock.help,
        }

    def _task(self, node: Node, verdict: str) -> dict[str, Any]:
        one = self.one
        if self.across is not None:
            one, node = self.across.origin(node)
        return {"process": one.process, "id": node.id, "name": node.name, "verdict": verdict}

    def _hop(self, hop: Hop) -> dict[str, Any]:
        snapshot = self.one.snapshot
        site = user_site(snapshot, hop.waiter)
        if hop.edge is not None and hop.edge.site is not None:
            site = snapshot.sites[hop.edge.site]
        return {
            "kind": hop.waiter.kind,
            "name": hop.waiter.name,
            "waits_at": site_row(site),
            "edge": hop.edge.kind if hop.edge else "loop",
            "confidence": hop.edge.confidence if hop.edge else "exact",
        }

    def tasks(self) -> Iterable[dict[str, Any]]:
        graph = self.one.graph
        edges = edges_of(graph, range(len(self.one.levels)))
        for index, node in enumerate(self.one.snapshot.nodes):
            if node.kind == "task":
                awaited = [self._awaited(position) for position in edges.get(index, ())]
                yield {**self._task(node, VERDICTS[self.one.levels[index]]), "waits_for": awaited}

    def _awaited(self, position: int) -> dict[str, Any]:
        graph = self.one.graph
        node = graph.node(graph.awaited[position])
        edge = self.one.snapshot.edges[graph.source[position]]
        return {
            "id": node.id,
            "kind": node.kind,
            "name": node.name,
            "edge": edge.kind,
            "confidence": edge.confidence,
        }

    def orphans(self) -> Iterable[dict[str, Any]]:
        return [self._orphan(orphan) for orphan in self.one.orphans]

    def _orphan(self, orphan: Orphan) -> dict[str, Any]:
        first = orphan.waiters[0] if orphan.waiters else orphan.node
        return {
            "process": self.one.process,
            "id": orphan.node.id,
            "kind": orphan.node.kind,
            "name": orphan.node.name,
            "verdict": orphan.verdict,
            "open": orphan.node.open,
            "waiters": [{"id": node.id, "name": node.name} for node in orphan.waiters],
            "waits_at": site_row(user_site(self.one.snapshot, first)),
            "blocked_behind": orphan.behind,
            "findings": [row(finding) for finding in orphan.findings],
        }

    def snapshot(self) -> dict[str, Any]:
        process, capture = self.one.snapshot.process, self.one.snapshot.capture
        return {
            "path": self.one.path,
            "process": self.one.process,
            "argv0": process.argv0,
            "python": process.python,
            "start": capture.start,
            "end": capture.end,
            "consistent": capture.consistent,
            "complete": capture.complete,
            "verdict": self.one.verdict,
            "tasks": self.one.tally.total(),
        }
