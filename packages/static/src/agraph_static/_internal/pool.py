"""Lints files in several processes when there is enough to do."""

from __future__ import annotations

import gc
import os
import threading
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from agraph_static._internal.engine import lint_bytes
from agraph_static._internal.model import FileError, Finding
from agraph_static._internal.source import without_collection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.context import BaseContext

    from agraph_static._internal.config import LintConfig

POOL_BYTES = 1_000_000
"""Below this amount of source, starting processes costs more than they save."""

_CHUNK_BYTES = 150_000
_MOST_JOBS = 16

_NEEDED = ("skeleton", "context", "bridges", "flights", "reused", "spawns", "edges", "locks", "itself")
"""Modules that the rules need, and libcst with them."""

_DIED = "leave it out with `exclude`, and report it as a bug in agraph"

Outcome = tuple[str, list[Finding] | FileError]


class Job(NamedTuple):
    """A file to lint.

    Attributes:
        file: Its path.
        size: Its length in bytes.
        may_matter: Whether its bytes passed the triage's test: then they need not take it again.
    """

    file: str
    size: int
    may_matter: bool = False


class Pool:
    """Takes files as they are found, and lints them meanwhile once they are many."""

    def __init__(self, config: LintConfig, jobs: int | None) -> None:
        """Start nothing yet.

        Args:
            config: The configuration.
            jobs: Number of processes; None chooses by the amount of work, 1 uses this process alone.
        """
        self._config = config
        self._jobs = min(os.cpu_count() or 1, _MOST_JOBS) if jobs is None else jobs
        self._least = POOL_BYTES if jobs is None else 0
        self._waiting: list[Job] = []
        self._bytes = 0
        self._executor: ProcessPoolExecutor | None = None
        self._running: list[tuple[Future[list[Outcome]], list[Job]]] = []
        self._left: list[Job] = []

    def add(self, job: Job) -> None:
        """Take a file. Big files are best given first."""
        self._waiting.append(job)
        self._bytes += job.size
        if self._jobs > 1 and self._bytes > (_CHUNK_BYTES if self._executor is not None else self._least):
            self._submit()

    def outcomes(self) -> Iterator[Outcome]:
        """Lint what is left.

        Yields:
            Each file with its findings, or with the error that kept it from being read. The order is not
            fixed.
        """
        if self._executor is None:
            for jobs in _chunks(self._waiting):
                yield from _lint_chunk(jobs, self._config)
            return
        from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - imported when first needed

        if self._waiting:
            self._submit()
        for one, jobs in self._running:
            try:
                yield from one.result()
            except BrokenExecutor:  # one process died, and with it all that was not done
                self._left.extend(jobs)
        self._executor.shutdown()
        yield from _one_by_one(self._left, self._config)

    def close(self) -> None:
        """Leave undone what has not begun, after an exception such as Ctrl-C."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self) -> None:
        from concurrent.futures import (  # noqa: PLC0415 - imported when first needed
            BrokenExecutor,
            ProcessPoolExecutor,
        )

        if self._executor is None:
            with without_collection():  # once for all processes that are forked
                for name in _NEEDED:
                    import_module(f"agraph_static._internal.{name}")
            self._executor = ProcessPoolExecutor(self._jobs, mp_context=_context(), initializer=gc.freeze)
        for jobs in _chunks(self._waiting):
            try:
                self._running.append((self._executor.submit(_lint_chunk, jobs, self._config), jobs))
            except BrokenExecutor:
                self._left.extend(jobs)
        self._waiting, self._bytes = [], 0


def lint_file(job: Job, config: LintConfig) -> Outcome:
    """Read and lint one file."""
    file = job.file
    try:
        with open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - as discover.py does
            data = opened.read()
    except OSError as error:
        return file, FileError(file, f"cannot read the file: {error.strerror or error}")
    return file, lint_bytes(data, file, config, may_matter=job.may_matter)


def _one_by_one(jobs: list[Job], config: LintConfig) -> Iterator[Outcome]:
    """Lint the files that were left when a process died. The one that kills its process is an error."""
    from concurrent.futures import (  # noqa: PLC0415 - imported when first needed
        BrokenExecutor,
        ProcessPoolExecutor,
    )

    while jobs:
        with ProcessPoolExecutor(1, mp_context=_context()) as executor:
            while jobs:
                job = jobs.pop()
                try:
                    outcome = executor.submit(lint_file, job, config).result()
                except BrokenExecutor:
                    yield job.file, FileError(job.file, "the process that linted it died", _DIED)
                    break
                yield outcome


def _lint_chunk(jobs: list[Job], config: LintConfig) -> list[Outcome]:
    with without_collection():  # what is looked at leaves no garbage behind, see Context.close
        return [lint_file(job, config) for job in jobs]


def _chunks(jobs: list[Job]) -> list[list[Job]]:
    chunks: list[list[Job]] = []
    size = _CHUNK_BYTES
    for job in jobs:
        if size >= _CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(job)
        size += job.size
    return chunks


def _context() -> BaseContext:
    """Forking is ten times faster than a fresh interpreter, and safe as long as there is one thread."""
    import multiprocessing  # noqa: PLC0415 - imported when first needed

    methods = multiprocessing.get_all_start_methods()
    if "fork" in methods and threading.active_count() == 1 and _native_threads() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _native_threads() -> int:
    """The threads of the process, those of C code with them; 1 where the system does not tell.

    From Python 3.15 on `os.fork` warns of these, too.
    """
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - a path object for each costs more
    except OSError:
        return 1
