"""A run over many files. A file that cannot be read is recorded, never an exception."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agraph_static._internal import triage
from agraph_static._internal.config import LintConfig
from agraph_static._internal.discover import discover
from agraph_static._internal.engine import sort_key
from agraph_static._internal.model import FileError, Finding, LintResult
from agraph_static._internal.pool import Job, Pool
from agraph_static._internal.registry import selected_codes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_static._internal.cache import Cache, Version

MOST_BYTES = 3_000_000
"""A bigger file is generated as a rule, and the standard parser's tree of it takes half a gigabyte."""

PARSE_ALL_BYTES = 4_000_000
"""Up to this size, found files that cannot hold a finding are parsed too, for AG001: about a second."""


def lint_paths(
    paths: Iterable[str | os.PathLike[str]],
    config: LintConfig | None = None,
    *,
    jobs: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> LintResult:
    """Lint files and folders.

    Args:
        paths: Files, which are always linted unless `config.force_exclude` is set, and folders, which are
            walked.
        config: What to lint and report; the defaults when None. See `load_config`.
        jobs: Number of processes; None chooses by the amount of work, 1 uses this process alone.
        cache_dir: Where findings are remembered between runs; None for not at all.

    Returns:
        The findings and how many files were checked, skipped and failed. Paths that cannot be read are among
        `errors`; the other files are linted all the same. Files of more than 3 MB are skipped with a note, or
        an error if they were named. In a tree with more than 4 MB of files that cannot hold a finding, those
        are not parsed, and a note says so.
    """
    config = config or LintConfig()
    given = dict.fromkeys(os.fspath(path) for path in paths)  # in order, and fast to look into
    found = discover(given, config)
    run = _Run(config, _open_cache(cache_dir, config) if cache_dir is not None else None)
    pool = Pool(config, jobs)
    try:
        for size, file in sorted(((_size(file), file) for file in found.files), reverse=True):
            run.look(file, pool, size, named=file in given)
        run.lint(pool)
    except BaseException:
        pool.close()
        raise
    findings = sorted(_PerFileIgnores(config).keep_all(run.findings), key=sort_key)
    errors = (*found.errors, *run.errors)
    checked = len(found.files) - len(run.errors) - run.skipped
    skipped = found.skipped + run.skipped
    return LintResult(tuple(findings), checked, skipped, len(errors), errors, (*found.notes, *run.notes))


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size  # noqa: PTH116 - as discover.py does
    except OSError:
        return 0


def _open_cache(directory: str | os.PathLike[str], config: LintConfig) -> Cache:
    from agraph_static._internal.cache import Cache  # noqa: PLC0415 - imported when first needed

    return Cache(directory, config)


class _Run:
    """What is known of the files while they are linted."""

    def __init__(self, config: LintConfig, cache: Cache | None) -> None:
        self.config = config
        self.cache = cache
        self.wrappers = [name for name, _ in config.extra_wrappers]
        self.findings: list[Finding] = []
        self.errors: list[FileError] = []
        self.notes: list[str] = []
        self.skipped = 0
        self.versions: dict[str, Version] = {}
        self.others: list[tuple[str, int]] = []
        self.known_others: set[str] = set()

    def look(self, file: str, pool: Pool, size: int, *, named: bool) -> None:
        """Take a file's findings from the cache, or give it to the pool."""
        known = self.cache.unchanged(file) if self.cache is not None else None
        if known is not None:
            self.findings.extend(known)
            return
        if size > MOST_BYTES:
            self._leave_out(file, size, named=named)
            return
        version = self.cache.unparsed(file) if self.cache is not None and not named else None
        if version is not None:
            self.versions[file] = version
            self.others.append((file, size))
            self.known_others.add(file)
            return
        status = self.cache.status_of(file) if self.cache is not None else None
        data = self._read(file)
        if data is None:
            return
        if self.cache is not None:
            self.versions[file] = self.cache.version_of(status, data)
            known = self.cache.same_content(file, self.versions[file])
        if known is not None:
            self.findings.extend(known)
            return
        every_lock = "AG206" in selected_codes(self.config)
        may_matter = triage.may_matter(data, self.wrappers, every_lock=every_lock)
        if named or may_matter or b"agraph:" in data:
            pool.add(Job(file, len(data), may_matter))
        else:
            self.others.append((file, len(data)))

    def _leave_out(self, file: str, size: int, *, named: bool) -> None:
        said = f"{size / 1e6:.1f} MB are more than the {MOST_BYTES / 1e6:.0f} MB that are linted"
        if named:
            self.errors.append(FileError(file, f"too big: {said}", "split the file, or leave it out"))
        else:
            self.skipped += 1
            self.notes.append(f"skipped {file}: {said}")

    def _read(self, file: str) -> bytes | None:
        try:
            with open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - as discover.py does
                return opened.read()
        except OSError as error:
            self.errors.append(FileError(file, f"cannot read the file: {error.strerror or error}"))
            return None

    def lint(self, pool: Pool) -> None:
        """Lint what is left, and remember it."""
        others = self.others
        if sum(size for _, size in others) > PARSE_ALL_BYTES:
            self.notes.append(
                f"{len(others)} files that cannot hold a finding were not parsed; name one to have it parsed"
            )
            for file, _ in others:
                if file not in self.known_others:
                    self._remember(file, None)
            others = []
        for file, size in others:
            pool.add(Job(file, size))
        for file, result in pool.outcomes():
            if isinstance(result, FileError):
                self.errors.append(result)
                continue
            self.findings.extend(result)
            self._remember(file, result)
        if self.cache is not None:
            self.cache.save()

    def _remember(self, file: str, findings: list[Finding] | None) -> None:
        if self.cache is not None:
            self.cache.store(file, self.versions[file], findings)


class _PerFileIgnores:
    """The configured `per-file-ignores`."""

    def __init__(self, config: LintConfig) -> None:
        self.root = os.path.realpath(config.root or ".")
        self.rules = []
        if config.per_file_ignores:
            from pathspec import GitIgnoreSpec  # noqa: PLC0415 - most projects have none

            self.rules = [
                (GitIgnoreSpec.from_lines([pattern]), codes) for pattern, codes in config.per_file_ignores
            ]

    def keep_all(self, findings: list[Finding]) -> list[Finding]:
        """The findings that are not ignored in their files."""
        if not self.rules:
            return findings
        ignored = {path: self._ignored(path) for path in {one.path for one in findings}}
        return [
            one
            for one in findings
            if not any(one.code.startswith(code) or code == "ALL" for code in ignored[one.path])
        ]

    def _ignored(self, path: str) -> tuple[str, ...]:
        relative = os.path.relpath(os.path.realpath(path), self.root).replace(os.sep, "/")
        return tuple(code for spec, codes in self.rules if spec.match_file(relative) for code in codes)
