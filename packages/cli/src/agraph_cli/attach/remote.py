"""Python 3.14 and later: the process itself captures, asked by `sys.remote_exec`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.attach.interpreters import ask
from agraph_cli.attach.interrupts import uninterrupted
from agraph_cli.attach.model import AttachError, Deadline, NotAnsweredError, RefusedError, Shot
from agraph_cli.attach.nudge import nudge
from agraph_cli.attach.reading import OUR_FILE, parse, read_answer, without_our_frames
from agraph_cli.attach.target import open_files, tracer, waits_in

if TYPE_CHECKING:
    from agraph_cli.attach.model import Request
    from agraph_cli.attach.room import Room
    from agraph_cli.attach.target import Target

IN_TARGET = Path(__file__).with_name("in_target.py")
FIRST_PYTHON = (3, 14)
_ASK_SECONDS = 20.0
_LOOK_SECONDS = 0.005
_FIRST_NUDGE_SECONDS = 0.3


def payload(room: Room, request: Request, function: str = "run") -> str:
    """Put the script into the room.

    Args:
        room: The room.
        request: How to capture.
        function: Which function of `in_target` to call.

    Returns:
        Where the target sees the script.
    """
    switches = {"prove": request.prove, "locals": request.with_locals}
    wishes = [name for name, wanted in switches.items() if wanted]
    arguments = [room.inside, room.digest, request.max_tasks, request.max_seconds, *wishes]
    call = f"{function}({', '.join(map(repr, arguments))})"
    text = f"{IN_TARGET.read_text(encoding='utf-8')}\n\n{call}\n"
    return room.put("payload.py", f"exec(compile({text!r}, {OUR_FILE!r}, 'exec'), {{}})\n")


def check(target: Target) -> None:
    """Look whether a process can be asked at all.

    Args:
        target: The process.

    Raises:
        AttachError: Its Python is too old.
        RefusedError: It could not read what it is to run.
    """
    if target.python is None or target.python < FIRST_PYTHON:
        raise AttachError(f"process {target.pid} runs {target.version}: this way needs Python 3.14 or later")
    used, allowed = open_files(target.pid)
    if used >= allowed:
        # Otherwise it would say so itself, on its own standard error (run_remote_debugger_script of
        # Python/ceval_gil.c, 3.14).
        raise RefusedError(
            f"it has no file descriptor left ({used:,} of {allowed:,} are open), so it can read no script",
            f"raise its limit: prlimit --pid {target.pid} --nofile={allowed * 2}",
        )


def stopped(target: Target) -> NotAnsweredError:
    """Say that a process is stopped.

    Args:
        target: The process.
    """
    return NotAnsweredError("it is stopped (SIGSTOP or Ctrl-Z), and was left so", f"kill -CONT {target.pid}")


def capture(target: Target, request: Request, room: Room) -> Shot:
    """Have the process capture itself.

    Args:
        target: The process.
        request: How to capture.
        room: Its folder.

    Returns:
        The snapshot.

    Raises:
        NotAnsweredError: Its main thread did not come to it in time, or is not allowed to.
        AttachError: It cannot be done.
    """
    script = payload(room, request)
    notes: list[str] = []
    try:
        # Root writes no files where somebody else could have put links by now.
        package = [] if room.is_for_another else [f"{room.inside}/agraph"]
        ask(target, "exec", script, *package, seconds=_ASK_SECONDS)
        _wait(target, request, room, notes)
    finally:
        with uninterrupted():
            if not room.has("started") and target.is_alive:
                _take_back(target)
    snapshot = without_our_frames(parse(target, read_answer(target, room)))
    held = f"; that held its main thread for {float(room.read('held_ms')):.0f} ms"
    return Shot(snapshot, f"by its own main thread{held}", notes)


def _wait(target: Target, request: Request, room: Room, notes: list[str]) -> None:
    """Until there is an answer, or no hope for one."""
    if target.state == "T":
        raise stopped(target)
    begin = Deadline(request.timeout)
    pause = _FIRST_NUDGE_SECONDS
    next_nudge = Deadline(pause)
    while not room.has("started"):
        if not target.is_alive:
            raise AttachError(f"process {target.pid} ended before it could be captured")
        if not begin.left:
            raise NotAnsweredError(*_why_not(target, request, notes))
        if request.nudge and not next_nudge.left and target.state == "S":
            _nudge(target, notes)
            pause *= 2
            next_nudge = Deadline(pause)
        time.sleep(_LOOK_SECONDS)
    end = Deadline(request.seconds_to_finish())
    while not room.has("snapshot.json") and not room.has("error"):
        if not target.is_alive:
            raise AttachError(f"process {target.pid} ended while it was captured")
        if not end.left:
            raise AttachError(
                f"process {target.pid} began to capture itself and did not end", "use --max-tasks"
            )
        time.sleep(_LOOK_SECONDS)


def _nudge(target: Target, notes: list[str]) -> None:
    where = waits_in(target.pid)
    failure = nudge(target.pid)
    if failure:
        other = tracer(target.pid)
        by = f", process {other} traces it" if other else ""
        note = f"it could not be woken: {failure}{by}"
    else:
        place = f" in {where}" if where else ""
        note = f"it slept{place} and was woken: stopped and continued (--no-nudge leaves it alone)"
    if note not in notes:
        notes.append(note)


def _why_not(target: Target, request: Request, notes: list[str]) -> tuple[str, str]:
    notes.clear()
    after = f"within {request.timeout:g} s its main thread did not come to run anything"
    where = waits_in(target.pid)
    if target.state == "S" and not request.nudge:
        return f"{after}: it sleeps{f' in {where}' if where else ''}", "try again without --no-nudge"
    if target.state == "S":
        return f"{after}: it waits in a system call{f' ({where})' if where else ''}", "try --via gdb"
    return f"{after}: it is inside C code", "try again with a longer --timeout"


def _take_back(target: Target) -> None:
    """See to it that a request nobody waits for any more does nothing, and finds no file missing."""
    try:
        ask(target, "cancel", seconds=_ASK_SECONDS)
    except AttachError:
        return  # switched off, not permitted, or gone: then there is no request
