"""The full report as one text, for programs: the pytest plugin of core asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.analysis.judge import analyze
from agraph_cli.report.full import full
from agraph_cli.report.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph import Snapshot


def full_report(snapshots: Iterable[Snapshot | tuple[str, Snapshot]], *, limit: int | None = 10) -> str:
    """What `agraph analyze` prints about snapshots, without colour, in ASCII.

    Args:
        snapshots: Snapshots, or pairs of the path one was read from and the snapshot.
        limit: How many rows of a list to show before the rest is counted; None for all.

    Returns:
        Lines of text, the verdict first. Files below the current folder are named relative to it.

    Raises:
        SnapshotError: An edge names a node that is not in its snapshot.
    """
    try:
        root = str(Path.cwd())
    except OSError:  # it was removed
        root = ""
    return "\n".join(full(analyze(snapshots), Style(ascii=True, limit=limit, root=root)))
