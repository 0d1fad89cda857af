"""A run over many files. A file that cannot be read is recorded, never an exception."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agraph_static._internal.config import LintConfig
from agraph_static._internal.discover import discover
from agraph_static._internal.engine import lint_source, sort_key
from agraph_static._internal.model import FileError, Finding, LintResult

if TYPE_CHECKING:
    from collections.abc import Iterable


def lint_paths(paths: Iterable[str | os.PathLike[str]], config: LintConfig | None = None) -> LintResult:
    """Lint files and folders.

    Args:
        paths: Files, which are always linted unless `config.force_exclude` is set, and folders, which are
            walked.
        config: What to lint and report; the defaults when None. See `load_config`.

    Returns:
        The findings and how many files were checked, skipped and failed. Paths that cannot be read are among
        `errors`; the other files are linted all the same.
    """
    config = config or LintConfig()
    found = discover(paths, config)
    findings: list[Finding] = []
    errors = list(found.errors)
    checked = 0
    ignores = _PerFileIgnores(config)
    for file in found.files:
        try:
            with open(file, "rb") as opened:  # noqa: PTH123 - as discover.py does
                data = opened.read()
        except OSError as error:
            errors.append(FileError(file, f"cannot read the file: {error.strerror or error}"))
            continue
        checked += 1
        findings.extend(ignores.keep(file, lint_source(data, file, config)))
    findings.sort(key=sort_key)
    return LintResult(tuple(findings), checked, found.skipped, len(errors), tuple(errors), found.notes)


class _PerFileIgnores:
    """The configured `per-file-ignores`."""

    def __init__(self, config: LintConfig) -> None:
        self.root = os.path.realpath(config.root or ".")
        self.rules = []
        if config.per_file_ignores:
            from pathspec import GitIgnoreSpec  # noqa: PLC0415 - imported when first needed

            self.rules = [
                (GitIgnoreSpec.from_lines([pattern]), codes) for pattern, codes in config.per_file_ignores
            ]

    def keep(self, path: str, findings: list[Finding]) -> list[Finding]:
        """The findings that are not ignored in this file."""
        if not findings or not self.rules:
            return findings
        relative = os.path.relpath(os.path.realpath(path), self.root).replace(os.sep, "/")
        ignored = tuple(code for spec, codes in self.rules if spec.match_file(relative) for code in codes)
        return [
            one for one in findings if not any(one.code.startswith(code) or code == "ALL" for code in ignored)
        ]
