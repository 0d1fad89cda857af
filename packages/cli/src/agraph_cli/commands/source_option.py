"""`--source` of `agraph analyze`: join a snapshot with the source of its program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agraph_cli import terminal
from agraph_cli.errors import CommandError
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph import Snapshot
    from agraph_cli.analysis.linting import Linter
    from agraph_cli.analysis.model import SnapshotAnalysis
    from agraph_cli.analysis.source_tree import SourceTree

SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="DIR",
        help="The program's source: says which line hides what an unexplained wait is for.",
        rich_help_panel="What to report",
    ),
]


class Joined:
    """Analyses snapshots, and with the option runs the static rules on the files of unexplained waits."""

    def __init__(self, source: str | None) -> None:
        """Nothing is read yet.

        Args:
            source: The option: a folder, or one file; None without it.

        Raises:
            CommandError: There is no such folder or file.
        """
        self._source = source
        self._linter: Linter | None = None
        if source is not None and not Path(source).exists():
            raise CommandError(
                f"--source: no such folder: {source}", hint="name the folder that the program's files are in"
            )

    def join(self, one: SnapshotAnalysis) -> SnapshotAnalysis:
        """Add to an analysis what the source says.

        Args:
            one: The analysis of a snapshot.

        Returns:
            The same without the option; with it, with findings at its orphans.
        """
        if self._source is None:
            return one
        from agraph_cli.analysis.hybrid import link
        from agraph_cli.analysis.linting import Linter
        from agraph_cli.analysis.source_tree import SourceTree

        if self._linter is None:
            self._linter = Linter(SourceTree([self._source]), self._source)
        return link(one, self._linter)

    def analyze(self, snapshot: Snapshot, path: str) -> SnapshotAnalysis:
        """Analyse one snapshot.

        Args:
            snapshot: The snapshot.
            path: Where it was read from.

        Returns:
            The analysis; with the option, with findings at its orphans.

        Raises:
            SnapshotError: An edge names a node that is not in the snapshot.
        """
        from agraph_cli.analysis.judge import analyze_one

        return self.join(analyze_one(snapshot, path))

    def tell(self) -> None:
        """Say on standard error which files could not be used, each once."""
        if self._linter is None:
            return
        for note in (*self._linter.errors, *_not_found(self._linter.tree, self._source or "")):
            terminal.say(f"note: {clean(note)}")


def _not_found(tree: SourceTree, source: str) -> Iterator[str]:
    from agraph_cli.analysis.names import listed, plural

    if tree.missing:
        are = "is" if len(tree.missing) == 1 else "are"
        files = plural(len(tree.missing), "file")
        yield f"{files} that tasks wait in {are} not below {source}: {listed(tree.missing, limit=3)}"
    for file, fitting in tree.ambiguous.items():
        yield f"{file} may be {listed(fitting, joint='or')}: name a folder that has only one of them"
