"""What `agraph lint` is asked to lint, and the run itself."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agraph_static import Finding, LintConfig, LintResult


@dataclass(frozen=True, slots=True)
class Job:
    """What to lint.

    Attributes:
        paths: Files and folders.
        groups: The configurations, with the options of the command line on top, and the paths that each
            holds for; the name of standard input is one of them.
        name: What to call standard input.
        text: Standard input; None when it is not linted.
        jobs: Number of processes; None chooses by the amount of work.
        cache: Where findings are remembered; None for not at all.
    """

    paths: tuple[str, ...]
    groups: tuple[tuple[LintConfig, tuple[str, ...]], ...]
    name: str = "<stdin>"
    text: bytes | None = None
    jobs: int | None = None
    cache: Path | None = None

    def named(self) -> tuple[str, ...]:
        """All that is linted, standard input by its name."""
        return self.paths if self.text is None else (*self.paths, self.name)

    def config_of(self, path: str) -> LintConfig:
        """The configuration that holds for a file.

        Args:
            path: The file, as its findings name it.

        Returns:
            That of the given path that it lies in.
        """
        if len(self.groups) > 1:
            file = Path(os.path.abspath(path))  # noqa: PTH100 - it takes `..` out
            around = {str(one) for one in (file, *file.parents)}
            for config, held in self.groups:
                if any(os.path.abspath(one) in around for one in held):  # noqa: PTH100
                    return config
        return self.groups[0][0]


def run(job: Job) -> LintResult:
    """Lint.

    Args:
        job: What to lint.

    Returns:
        What was found.
    """
    from agraph_static import LintResult, lint_paths, lint_source

    result = LintResult((), 0, 0, 0)
    given = set(job.paths)
    for config, held in job.groups:
        paths = [one for one in held if one in given]
        if paths:
            result = _together(result, lint_paths(paths, config, jobs=job.jobs, cache_dir=job.cache))
    if job.text is None:
        return result
    if job.name.endswith(".ipynb"):
        note = f"{job.name} is a notebook: skipped, agraph lints Python source files"
        return dataclasses.replace(result, skipped=result.skipped + 1, notes=(*result.notes, note))
    findings = lint_source(job.text, job.name, config_for(job.config_of(job.name), job.name))
    return dataclasses.replace(
        result, findings=in_order([*findings, *result.findings]), checked=result.checked + 1
    )


def _together(one: LintResult, other: LintResult) -> LintResult:
    """Two runs as one."""
    from agraph_static import LintResult

    return LintResult(
        in_order([*one.findings, *other.findings]),
        one.checked + other.checked,
        one.skipped + other.skipped,
        one.failed + other.failed,
        (*one.errors, *other.errors),
        (*one.notes, *other.notes),
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
