"""Lints files in several processes when there is enough to do."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from agraph_static._internal.engine import lint_source
from agraph_static._internal.model import FileError, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import BaseContext

    from agraph_static._internal.config import LintConfig

POOL_BYTES = 1_000_000
"""Below this amount of source, starting processes costs more than they save."""

_CHUNK_BYTES = 150_000
_MOST_JOBS = 16

Outcome = tuple[str, list[Finding] | FileError]


def lint_files(files: list[tuple[str, int]], config: LintConfig, jobs: int | None) -> Iterator[Outcome]:
    """Lint files, the big ones first.

    Args:
        files: Paths and sizes in bytes.
        config: The configuration.
        jobs: Number of processes; None chooses by the amount of work.

    Yields:
        Each file with its findings, or with the error that kept it from being read. The order is not fixed.
    """
    size = sum(one for _, one in files)
    if jobs is None:
        jobs = min(os.cpu_count() or 1, _MOST_JOBS) if size > POOL_BYTES else 1
    if jobs <= 1 or len(files) < 2:
        for file, _ in files:
            yield lint_file(file, config)
        return
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - imported when first needed

    chunks = _chunks(sorted(files, key=lambda one: -one[1]))
    with ProcessPoolExecutor(jobs, mp_context=_context()) as pool:
        try:
            for outcomes in pool.map(_lint_chunk, chunks, [config] * len(chunks)):
                yield from outcomes
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def lint_file(file: str, config: LintConfig) -> Outcome:
    """Read and lint one file."""
    try:
        with open(file, "rb") as opened:  # noqa: PTH123 - as discover.py does
            data = opened.read()
    except OSError as error:
        return file, FileError(file, f"cannot read the file: {error.strerror or error}")
    return file, lint_source(data, file, config)


def _lint_chunk(files: list[str], config: LintConfig) -> list[Outcome]:
    return [lint_file(file, config) for file in files]


def _chunks(files: list[tuple[str, int]]) -> list[list[str]]:
    chunks: list[list[str]] = []
    size = _CHUNK_BYTES
    for file, length in files:
        if size >= _CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(file)
        size += length
    return chunks


def _context() -> BaseContext:
    """Forking is ten times faster than a fresh interpreter, and safe as long as there is one thread."""
    import multiprocessing  # noqa: PLC0415 - imported when first needed

    # On macOS libraries of the system run threads of their own: there forking is never safe.
    return multiprocessing.get_context(
        "fork" if sys.platform == "linux" and _is_single_threaded() else "spawn"
    )


def _is_single_threaded() -> bool:
    if threading.active_count() > 1:
        return False
    try:
        # Threads that C code started count as well: `faulthandler.dump_traceback_later` starts one.
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - as discover.py does
    except OSError:
        return False
