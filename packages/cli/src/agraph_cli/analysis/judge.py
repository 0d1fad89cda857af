"""From snapshots to an analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import build, levels, verdicts
from agraph_cli.analysis.explain import explain
from agraph_cli.analysis.lockorder import lock_order
from agraph_cli.analysis.model import Analysis, SnapshotAnalysis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph import Snapshot


def analyze(snapshots: Iterable[Snapshot | tuple[str, Snapshot]]) -> Analysis:
    """Decide for each task whether it can ever proceed, and explain what keeps it.

    Args:
        snapshots: Snapshots, or pairs of the path one was read from and the snapshot. Each is analysed by
            itself.

    Returns:
        The analysis.

    Raises:
        SnapshotError: An edge names a node that is not in its snapshot.
    """
    named = [pair if isinstance(pair, tuple) else ("", pair) for pair in snapshots]
    return Analysis(tuple(analyze_one(snapshot, path) for path, snapshot in named))


def analyze_one(snapshot: Snapshot, path: str = "") -> SnapshotAnalysis:
    """Analyse one snapshot.

    Args:
        snapshot: The snapshot.
        path: Where it was read from.

    Returns:
        Its analysis.

    Raises:
        SnapshotError: An edge names a node that is not in the snapshot.
    """
    graph = build(snapshot)
    found = levels(graph)
    deadlocks, orphans = explain(graph, found)
    return SnapshotAnalysis(path, graph, verdicts(snapshot, found), deadlocks, orphans, lock_order(snapshot))
