"""What `agraph lint` is asked to lint, and the run itself."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from agraph_static import Finding, LintConfig, LintResult


@dataclass(frozen=True, slots=True)
class Job:
    """What to lint.

    Attributes:
        paths: Files and folders.
        config: The configuration, with the options of the command line on top.
        name: What to call standard input.
        text: Standard input; None when it is not linted.
        jobs: Number of processes; None chooses by the amount of work.
        cache: Where findings are remembered; None for not at all.
    """

    paths: tuple[str, ...]
    config: LintConfig
    name: str = "<stdin>"
    text: bytes | None = None
    jobs: int | None = None
    cache: Path | None = None

    def named(self) -> tuple[str, ...]:
        """All that is linted, standard input by its name."""
        return self.paths if self.text is None else (*self.paths, self.name)


def run(job: Job) -> LintResult:
    """Lint.

    Args:
        job: What to lint.

    Returns:
        What was found.
    """
    from agraph_static import LintResult, lint_paths, lint_source

    result = LintResult((), 0, 0, 0)
    if job.paths:
        result = lint_paths(job.paths, job.config, jobs=job.jobs, cache_dir=job.cache)
    if job.text is None:
        return result
    findings = lint_source(job.text, job.name, config_for(job.config, job.name))
    return dataclasses.replace(
        result, findings=in_order([*findings, *result.findings]), checked=result.checked + 1
    )


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Findings by path, place and code."""
    return tuple(sorted(findings, key=lambda one: (one.path, one.span.line, one.span.column, one.code)))


def config_for(config: LintConfig, path: str) -> LintConfig:
    """The configuration of a text that is linted under a name, rather than as a file.

    Args:
        config: The configuration of the project.
        path: The name.

    Returns:
        The same, which ignores what the project's `per-file-ignores` say about the name.
    """
    if not config.per_file_ignores:
        return config
    from pathspec import GitIgnoreSpec

    root = os.path.realpath(config.root or ".")
    relative = os.path.relpath(os.path.realpath(path), root).replace(os.sep, "/")
    ignored = [
        code
        for pattern, codes in config.per_file_ignores
        if GitIgnoreSpec.from_lines([pattern]).match_file(relative)
        for code in codes
    ]
    return dataclasses.replace(config, ignore=(*config.ignore, *ignored))
