"""`agraph capture`: a snapshot of a process that runs, prepared or not, and the verdict."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.attach.interrupts import terminated_like_interrupted
from agraph_cli.attach.model import Request
from agraph_cli.commands import capture_options as options  # noqa: TC001 - typer looks at them
from agraph_cli.commands.page import ColorOption, epilog
from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from agraph_cli.commands.capturing import Shots

SHORT = "Take a snapshot of a running process, and say why it hangs."
EPILOG = epilog(
    """
    agraph capture 4711
    agraph capture 4711 --children -o snapshots/
    agraph capture --pid-file /run/app.pid --every 2s --count 5
    agraph capture --all
    """,
    done="captured, whatever the verdict",
    failed="wrong usage, or a process that could not be captured",
)


def capture(
    pids: options.Pids = None,
    *,
    everything: options.Everything = False,
    children: options.Children = False,
    pid_file: options.PidFiles = None,
    via: options.Way = "auto",
    socket: options.Socket = None,
    timeout: options.Timeout = 10.0,
    nudge: options.Nudge = True,
    max_tasks: options.MaxTasks = None,
    max_seconds: options.MaxSeconds = 30.0,
    prove: options.Prove = False,
    with_locals: options.Locals = False,
    every: options.Every = None,
    count: options.Count = None,
    output: options.Output = None,
    analyze: options.Analyze = True,
    color: ColorOption = "auto",
) -> int:
    """Take a snapshot of a running process, and say which of its tasks can never go on.

    The process need not be prepared from Python 3.14 on. It goes on undisturbed.
    """
    from agraph_cli.commands.capturing import Shots, named, processes, rounds
    from agraph_cli.commands.snapshot_files import Place

    given = named(pids or [], pid_file or [], None if everything else socket)
    find = partial(processes, given, children=children, everything=everything)
    wanted = find()
    times = rounds(every, count)
    place = Place(output, several=len(wanted) > 1 or len(times) > 1 or everything or children)
    request = Request(via, timeout, max_tasks, max_seconds, nudge, socket, prove, with_locals)
    shots = Shots(request, place, given)
    with terminated_like_interrupted():
        try:
            shots.take(wanted, times, partial(find, needed=False))
        except KeyboardInterrupt:
            _report(shots, color, analyze=False)
            raise
        _report(shots, color, analyze=analyze and not place.is_stdout)
    return ExitCode.ERROR if shots.failed else ExitCode.OK


def _report(shots: Shots, color: terminal.Color, *, analyze: bool) -> None:
    from agraph_cli.commands.capturing import table

    style = terminal.style_for(color)
    if analyze and shots.last_round:
        from agraph_cli.analysis.model import Analysis
        from agraph_cli.report.full import full

        terminal.write(full(Analysis(tuple(shots.last_round)), style))
    if len(shots.rows) > 1:
        terminal.write(table(shots.rows, style))
    elif shots.written and not analyze:
        terminal.say(f"next: agraph analyze {shots.written[-1]}")
