"""Which processes to capture, how often, and what became of each."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agraph_cli import terminal
from agraph_cli.attach import target as processes_
from agraph_cli.attach.model import AttachError
from agraph_cli.attach.prepared import process_behind
from agraph_cli.attach.ways import capture
from agraph_cli.errors import CommandError
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from agraph import Snapshot
    from agraph_cli.analysis.model import SnapshotAnalysis
    from agraph_cli.attach.model import Request, Shot
    from agraph_cli.attach.target import Target
    from agraph_cli.commands.snapshot_files import Place
    from agraph_cli.report.style import Style

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|min|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, None: 1.0}
_DEFAULT_COUNT = 10


class Row(NamedTuple):
    """What became of one process, for the table.

    Attributes:
        pid: Its process id.
        program: What it runs.
        python: Its version.
        tasks: How many tasks it has; empty when it could not be captured.
        verdict: The verdict; empty likewise.
        outcome: The file, or why there is none.
    """

    pid: str
    program: str
    python: str
    tasks: str
    verdict: str
    outcome: str


def named(pids: Iterable[int], files: Iterable[str], socket: str | None = None) -> list[int]:
    """The processes that a command line names.

    Args:
        pids: Those given.
        files: Files that hold one each.
        socket: The socket of one. Where no process is given, it is the one that listens there.

    Returns:
        Process ids, each once.

    Raises:
        CommandError: A file holds none, or nobody listens on the socket.
    """
    found = list(dict.fromkeys([*pids, *(_pid_in(Path(file)) for file in files)]))
    if found or socket is None:
        return found
    try:
        return [process_behind(socket)]
    except AttachError as error:
        raise CommandError(error.message, hint=error.hint) from None


def processes(named: Sequence[int], *, children: bool, everything: bool, needed: bool = True) -> list[int]:
    """The processes to capture.

    Args:
        named: Those that the command line names.
        children: Whether what they have started counts too.
        everything: Whether every Python process of this user does.
        needed: Whether there has to be one.

    Returns:
        Process ids, each once.

    Raises:
        CommandError: There is none.
    """
    found = list(named)
    if children:
        found = [each for pid in found for each in (pid, *_python_among(processes_.descendants(pid)))]
    if everything:
        own = [pid for pid in processes_.pids() if processes_.owner(pid) == os.geteuid()]
        found += [pid for pid in _python_among(own) if pid != os.getpid()]
        if not found and needed:
            raise CommandError(
                "no other Python process of yours runs here", hint="as root, those of root are looked for"
            )
    elif not found and needed:
        raise CommandError("no process is named", hint="give a process id, or --all")
    return list(dict.fromkeys(found))


def _python_among(pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if processes_.is_python(pid)]


def _pid_in(path: Path) -> int:
    try:
        words = path.read_text(encoding="ascii", errors="replace").split()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    if not words or not words[0].isdecimal():
        raise CommandError(f"{path} does not begin with a process id")
    return int(words[0])


def rounds(every: str | None, count: int | None) -> list[float]:
    """When to capture.

    Args:
        every: A duration such as `2s`; None for at once.
        count: How often; None for once, or a default with `every`.

    Returns:
        Seconds from the first time on.

    Raises:
        CommandError: That is no duration.
    """
    if every is None:
        if count not in {None, 1}:
            raise CommandError("--count says how often, --every how long in between", hint="add --every 2s")
        return [0.0]
    match = _TIME.fullmatch(every.strip())
    if match is None:
        raise CommandError(f"--every {every!r} is no duration", hint="such as 2s, 500ms or 1m")
    step = float(match[1]) * _UNITS[match[2]]
    return [step * number for number in range(count or _DEFAULT_COUNT)]


class Shots:
    """Takes snapshots and writes each at once; one that fails does not keep the rest.

    Attributes:
        rows: What became of each.
        written: The files.
        failed: Whether one could not be captured.
        last_round: The analyses of what was captured last.
    """

    def __init__(self, request: Request, place: Place, named: Collection[int]) -> None:
        """Prepare.

        Args:
            request: How to capture.
            place: Where to write.
            named: The processes that the command line names; others are left out if they do not use asyncio.
        """
        self._request = request
        self._place = place
        self._named = named
        self.rows: list[Row] = []
        self.written: list[str] = []
        self.failed = False
        self.last_round: list[SnapshotAnalysis] = []

    def take(
        self, pids: Sequence[int], times: Sequence[float], again: Callable[[], Sequence[int]] | None = None
    ) -> None:
        """Capture.

        Args:
            pids: The processes.
            times: When, in seconds from now.
            again: Finds the processes for each time after the first; None for the same.
        """
        begin = time.monotonic()
        for number, moment in enumerate(times):
            time.sleep(max(begin + moment - time.monotonic(), 0.0))
            self.last_round = []
            for pid in again() if number and again else pids:
                self._take_one(pid)

    def _take_one(self, pid: int) -> None:
        target = None
        try:
            target = processes_.look(pid)
            if pid not in self._named and not target.has_asyncio:
                self.rows.append(_row(target, outcome="not captured: it does not use asyncio"))
                return
            shot = capture(target, self._request)
        except AttachError as error:
            self._fail(pid, target, error)
        except OSError as error:
            self._fail(pid, target, AttachError(f"process {pid} could not be captured: {error}"))
        else:
            self._keep(target, shot)

    def _fail(self, pid: int, target: Target | None, error: AttachError) -> None:
        if pid not in self._named and not processes_.is_alive(pid):
            return  # it was there when they were listed
        self.failed = True
        terminal.complain(error.message, error.hint)
        self.rows.append(_row(target, pid, outcome=clean(error.message)))

    def _keep(self, target: Target, shot: Shot) -> None:
        from agraph_cli.analysis.judge import analyze_one

        path = self._place.write(shot.snapshot, target.pid)
        _tell(target, shot, path)
        if path:
            self.written.append(path)
        analysis = analyze_one(shot.snapshot, path)
        self.last_round.append(analysis)
        tasks = str(len(shot.snapshot.tasks))
        self.rows.append(_row(target, tasks=tasks, verdict=analysis.verdict, outcome=path))


def _tell(target: Target, shot: Shot, path: str) -> None:
    terminal.say(f"captured process {target.pid} ({clean(target.name)}, {target.version}) {clean(shot.how)}")
    notes = [*shot.notes, *_without_loop(shot.snapshot), *([f"written to {path}"] if path else [])]
    for note in notes:
        terminal.say(f"  {clean(note)}")


def _without_loop(snapshot: Snapshot) -> list[str]:
    loops = any(node.kind == "loop" for node in snapshot.nodes)
    return [] if loops else ["no event loop runs in it"]


def _row(
    target: Target | None, pid: int = 0, *, tasks: str = "", verdict: str = "", outcome: str = ""
) -> Row:
    if target is None:
        return Row(str(pid), "", "", tasks, verdict, outcome)
    version = "" if target.python is None else ".".join(map(str, target.python))
    return Row(str(target.pid), clean(target.name), version, tasks, verdict, outcome)


def table(rows: Sequence[Row], style: Style) -> Iterator[str]:
    """What became of each process.

    Args:
        rows: The rows.
        style: How it looks.

    Yields:
        Lines without line ends.
    """
    titles = Row("pid", "program", "python", "tasks", "verdict", "snapshot")
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)][:-1]
    for row in (titles, *rows):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        line = "  ".join([*cells, row.outcome]).rstrip()
        yield style.paint(line, "strong") if row is titles else line
