"""From snapshots to an analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import build, is_put_away, levels, verdicts
from agraph_cli.analysis.explain import explain
from agraph_cli.analysis.later import Rows, in_short
from agraph_cli.analysis.lockorder import lock_order
from agraph_cli.analysis.many import together
from agraph_cli.analysis.model import SnapshotAnalysis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agraph import Snapshot
    from agraph_cli.analysis.model import Analysis


def analyze(snapshots: Iterable[Snapshot | tuple[str, Snapshot]]) -> Analysis:
    """Decide for each task whether it can ever proceed, and explain what keeps it.

    Args:
        snapshots: Snapshots, or pairs of the path one was read from and the snapshot. Those of one process
            are compared: what moved later was not deadlocked before.

    Returns:
        The analysis.

    Raises:
        SnapshotError: An edge names a node that is not in its snapshot.
    """
    named = [pair if isinstance(pair, tuple) else ("", pair) for pair in snapshots]
    return analyze_together([analyze_one(snapshot, path) for path, snapshot in named])


def analyze_together(analyses: Sequence[SnapshotAnalysis]) -> Analysis:
    """Put the analyses of single snapshots together.

    Args:
        analyses: What `analyze_one` returned for each.

    Returns:
        The analysis. Where a later snapshot shows that tasks went on, an earlier one is analysed again, with
        these able to.
    """
    return together(analyses, analyze_one)


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
    if is_put_away(snapshot):
        return in_short(snapshot, path)
    graph = build(snapshot)
    found = levels(graph)
    deadlocks, orphans = explain(graph, found)
    order = Rows(snapshot, lock_order)
    return SnapshotAnalysis(path, graph, verdicts(snapshot, found), deadlocks, orphans, order)
