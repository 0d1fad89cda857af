"""`--evidence` of `agraph lint`: which findings tasks were seen waiting at."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from agraph_cli import terminal
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agraph_cli.analysis.evidence import Evidence
    from agraph_static import Finding, LintResult

EvidenceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--evidence",
        metavar="SNAPSHOT",
        help="First what most tasks of this snapshot wait at; may be given again.",
        rich_help_panel="Output",
    ),
]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Findings with what snapshots show of them.

    Attributes:
        result: The run; its findings are sorted by the number of tasks, then as before.
        evidence: For each finding that tasks were seen at; None when nobody asked.
        failed: Whether a snapshot could not be read.
    """

    result: LintResult
    evidence: Mapping[Finding, Evidence] | None = None
    failed: bool = field(default=False)


def ranked(result: LintResult, snapshots: Sequence[str], paths: Sequence[str]) -> Ranked:
    """Count the tasks that wait at findings.

    Args:
        result: The run.
        snapshots: The option: files, folders and patterns as `agraph analyze` takes them; empty without it.
        paths: What was linted.

    Returns:
        The run in order of the evidence. What could not be read is told on standard error.
    """
    if not snapshots:
        return Ranked(result)
    from agraph import SnapshotError
    from agraph_cli.analysis.evidence import Collector
    from agraph_cli.analysis.names import listed, plural
    from agraph_cli.analysis.source_tree import SourceTree
    from agraph_cli.commands.reading import failure, read

    tree = SourceTree(paths)
    collector = Collector(result.findings, tree)
    found = read(snapshots)
    for path, snapshot in found.snapshots:
        try:
            collector.add(path, snapshot)
        except SnapshotError as wrong:
            found.errors.append(failure(path, str(wrong), wrong.help))
    for error in found.errors:
        terminal.complain(f"{error['path']}: {error['message']}", error["help"])
    for file, fitting in tree.ambiguous.items():
        which = listed(fitting, joint="or")
        terminal.say(f"note: {clean(file)} may be {clean(which)}, so it counts for none")
    evidence = collector.evidence()
    if result.findings and found.snapshots and not evidence:
        where = plural(len(found.snapshots), "snapshot")
        terminal.say(f"note: no task in {where} waits at what was found")
    tasks = {finding: one.tasks for finding, one in evidence.items()}
    findings = tuple(sorted(result.findings, key=lambda finding: -tasks.get(finding, 0)))
    return Ranked(dataclasses.replace(result, findings=findings), evidence, bool(found.errors))
