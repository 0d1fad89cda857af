"""The static rules, run on the few files that the frames of a snapshot are in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from agraph_cli.analysis.source_file import SourceFile, functions_of

if TYPE_CHECKING:
    from agraph import Site
    from agraph_cli.analysis.source_tree import SourceTree
    from agraph_static import LintConfig

_EDGES = "AG1"  # the rules about waits that no edge records


class Linter:
    """Lints the files of a tree, each when it is first asked for.

    Attributes:
        tree: Where the files are.
        errors: What could not be read, a sentence each.
    """

    def __init__(self, tree: SourceTree, folder: str) -> None:
        """Nothing is read yet.

        Args:
            tree: Where the files are.
            folder: Where to look for the settings of the lint, which name wrappers of asyncio's functions.
        """
        self.tree = tree
        self.errors: list[str] = []
        self._folder = folder
        self._config: LintConfig | None = None
        self._files: dict[str, SourceFile | None] = {}

    def file_of(self, site: Site) -> SourceFile | None:
        """The file of a frame; None when it is not in the tree."""
        path = self.tree.find(site.file)
        if path is None:
            return None
        if path not in self._files:
            self._files[path] = self._lint(path)
        return self._files[path]

    def _lint(self, path: str) -> SourceFile | None:
        from agraph_static import lint_paths

        result = lint_paths([path], self._settings(), jobs=1)
        self.errors += [f"{error.path}: {error.message}" for error in result.errors]
        if any(one.code == "AG001" for one in result.findings):
            self.errors.append(f"{path} does not parse, so the rules were not run on it")
            return None
        return SourceFile(result.findings, functions_of(path) if result.findings else ())

    def _settings(self) -> LintConfig:
        from agraph_static import ConfigError, LintConfig, load_config

        if self._config is None:
            try:
                known = load_config(self._folder)
            except ConfigError as error:
                self.errors.append(f"{error.message}; linted with the default settings")
                known = LintConfig()
            # A wait was seen there: neither the project's choice of rules nor a low confidence counts.
            self._config = dataclasses.replace(
                known,
                select=(_EDGES,),
                extend_select=(),
                ignore=(),
                per_file_ignores=(),
                min_confidence="possible",
                force_exclude=False,
            )
        return self._config
