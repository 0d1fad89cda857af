"""`agraph analyze --format speedscope`: where tasks stand, as a flame graph weighted by their number."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from agraph.reduction import VERDICTS
from agraph_cli import __version__
from agraph_cli.analysis.names import plural
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agraph import Site
    from agraph.reduction import Verdict
    from agraph_cli.analysis.model import Analysis, SnapshotAnalysis
    from agraph_cli.report.style import Style

# The viewer knows its files by this word.
_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """A file for speedscope: for each snapshot and verdict one profile, the most firmly stuck first.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How text looks; nothing is left out.

    Yields:
        The file, as one text.
    """
    frames = _Frames(style)
    several = len(analysis.snapshots) > 1
    profiles = [
        _profile(f"{clean(one.path or one.process)}: {verdict}" if several else verdict, stacks, one, frames)
        for one in analysis.snapshots
        for verdict, stacks in _by_verdict(one).items()
    ]
    name = ", ".join(clean(one.path or one.process) for one in analysis.snapshots[:3])
    document = {
        "$schema": _SCHEMA,
        "name": f"Tasks of {name}" if name else "No tasks",
        "exporter": f"agraph {__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": frames.rows},
        "profiles": profiles,
    }
    yield json.dumps(document, separators=(",", ":"), allow_nan=False)


def _by_verdict(one: SnapshotAnalysis) -> dict[Verdict, Counter[int | None]]:
    """How many tasks stand at each stack, by verdict, the worst first."""
    counts = Counter((verdict, node.stack) for node, verdict in one.tasks())
    found: dict[Verdict, Counter[int | None]] = {}
    for word in reversed(VERDICTS):
        stacks = Counter({stack: count for (verdict, stack), count in counts.items() if verdict == word})
        if stacks:
            found[word] = stacks
    return found


def _profile(
    name: str, stacks: Mapping[int | None, int], one: SnapshotAnalysis, frames: _Frames
) -> dict[str, Any]:
    snapshot = one.snapshot
    samples: list[list[int]] = []
    weights: list[int] = []
    for stack, count in sorted(stacks.items(), key=_most_first):
        sites = [] if stack is None else [snapshot.sites[index] for index in snapshot.stacks[stack]]
        samples.append(frames.of(sites))
        weights.append(count)
    total = sum(weights)
    return {
        "type": "sampled",
        "name": f"{name} ({plural(total, 'task')})",
        "unit": "none",
        "startValue": 0,
        "endValue": total,
        "samples": samples,
        "weights": weights,
    }


def _most_first(pair: tuple[int | None, int]) -> tuple[int, int]:
    stack, count = pair
    return -count, -1 if stack is None else stack


class _Frames:
    """The frames of all profiles, each once."""

    def __init__(self, style: Style) -> None:
        self.rows: list[dict[str, Any]] = []
        self._style = style
        self._numbers: dict[Site | None, int] = {}

    def of(self, sites: list[Site]) -> list[int]:
        """The numbers of the frames of a stack, outermost first, as speedscope wants them."""
        return [self._number(site) for site in reversed(sites)] or [self._number(None)]

    def _number(self, site: Site | None) -> int:
        number = self._numbers.setdefault(site, len(self.rows))
        if number == len(self.rows):
            self.rows.append({"name": "(no stack)"} if site is None else self._row(site))
        return number

    def _row(self, site: Site) -> dict[str, Any]:
        row: dict[str, Any] = {"name": clean(site.function) or "?", "file": self._style.file(site.file)}
        if site.line:
            row["line"] = site.line
        return row
