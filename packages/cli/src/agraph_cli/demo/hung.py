"""Start the bank in a process of its own and capture it once it hangs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import agraph
from agraph_cli.analysis.judge import analyze_one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.analysis.model import SnapshotAnalysis

RUNNER = "agraph_cli.demo.runner"
PROGRAM = Path(__file__).with_name("bank.py")
_SECONDS = 12.0
_PAUSE_SECONDS = 0.05


class DemoError(Exception):
    """The program did not do what it is made for. The message says what it did instead."""


@contextmanager
def hung_program() -> Iterator[tuple[int, SnapshotAnalysis]]:
    """Run the bank until it hangs.

    Yields:
        Its process id, and the analysis of a snapshot that shows the deadlock. The process ends with the
        block.

    Raises:
        DemoError: It ended, or did not hang in time.
    """
    command = [sys.executable, "-P", "-m", RUNNER]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory(prefix="agraph-demo-") as folder,
        subprocess.Popen(  # noqa: S603 - this Python, with our own module
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        ) as process,
    ):
        limit = threading.Timer(_SECONDS, process.kill)
        limit.start()
        try:
            yield process.pid, _capture(process, Path(folder, "snapshot.json"))
        finally:
            limit.cancel()
            process.kill()
            with suppress(BrokenPipeError):  # a request that it did not live to read
                process.stdin.close()  # type: ignore[union-attr]


def _capture(process: subprocess.Popen[str], path: Path) -> SnapshotAnalysis:
    before = None
    while True:
        one = analyze_one(_snapshot(process, path))
        if one.verdict == "certain" and one.tally == before:
            return one
        before = one.tally
        time.sleep(_PAUSE_SECONDS)  # it has only just begun, and others may come to wait behind the deadlock


def _snapshot(process: subprocess.Popen[str], path: Path) -> agraph.Snapshot:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise DemoError("the program has no pipes")
    try:
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if answer != "saved\n":
        process.kill()
        said = process.stderr.read().strip()[-2000:] or f"it did not hang within {_SECONDS:.0f} s"
        raise DemoError(f"the program was ended: {said}")
    return agraph.load(path)
