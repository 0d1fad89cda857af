"""Any version, when asked for: gdb stops the process and has it start a thread that captures.

gdb calls functions of the interpreter in a process that did not expect it, so this is never done unasked.
It is done where the interpreter can take it: with the main thread in a system call, which Python enters
without its global lock; or, when it runs, at the next point where the interpreter looks for signals itself.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from agraph_cli.attach.model import AttachError, Deadline, Shot
from agraph_cli.attach.reading import parse, read_answer
from agraph_cli.attach.remote import payload
from agraph_cli.attach.target import denied, tracer

if TYPE_CHECKING:
    from agraph_cli.attach.model import Request
    from agraph_cli.attach.room import Room
    from agraph_cli.attach.target import Target

_LOOK_SECONDS = 0.01
_END_SECONDS = 5.0

# Names without types: the executables that distributions ship have no debugging information.
_ENSURE = "set $state = ((int (*)(void)) PyGILState_Ensure)()"
_RUN = "call ((int (*)(const char *)) PyRun_SimpleString)({code})"
_RELEASE = "call ((void (*)(int)) PyGILState_Release)($state)"
_PENDING = "call ((int (*)(int (*)(void), void *)) Py_AddPendingCall)((int (*)(void)) PyErr_CheckSignals, 0)"


def capture(target: Target, request: Request, room: Room) -> Shot:
    """Have gdb make the process capture itself.

    Args:
        target: The process.
        request: How to capture.
        room: Its folder.

    Returns:
        The snapshot.

    Raises:
        AttachError: There is no gdb, it may not, or it does not come to a point where it can.
    """
    gdb = shutil.which("gdb")
    if gdb is None:
        raise AttachError("there is no gdb on PATH", "install it: it is a package of that name everywhere")
    if tracer(target.pid):
        raise AttachError(f"process {tracer(target.pid)} already traces process {target.pid}")
    script = payload(room, request, "run_in_thread")
    code = f"exec(compile(open({script!r}).read(), 'agraph', 'exec'), {{'__name__': 'agraph_attached'}})"
    said = _run(gdb, target, request, _commands(target, code))
    _wait(target, room, request, said)
    return Shot(parse(target, read_answer(target, room)), "by a thread that gdb had it start")


def _commands(target: Target, code: str) -> list[str]:
    quoted = '"' + code.replace("\\", "\\\\").replace('"', '\\"') + '"'
    run = _RUN.format(code=quoted)
    if target.state == "S":
        calls = [_ENSURE, run, _RELEASE]
    else:
        calls = [_PENDING, "tbreak PyErr_CheckSignals", "continue", run]
    settings = ["pagination off", "confirm off", "unwindonsignal on", "breakpoint pending off"]
    return [*(f"set {one}" for one in settings), *calls, "detach", "quit"]


def _run(gdb: str, target: Target, request: Request, commands: list[str]) -> str:
    """Run gdb; returns what it said. It is asked to end, not killed: it has the process in its hands."""
    arguments = [
        gdb,
        "-q",
        "-nx",
        "-batch",
        "-iex",
        "set auto-load off",
        "-iex",
        "set debuginfod enabled off",
    ]
    arguments += ["-p", str(target.pid)]
    for command in commands:
        arguments += ["-ex", command]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
        subprocess.Popen(  # noqa: S603 - the gdb on PATH
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            process.wait(request.timeout)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
        log.seek(0)
        return log.read()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt gdb, which takes back what it began and detaches; once for each command that is left."""
    end = Deadline(_END_SECONDS)
    while process.poll() is None and end.left:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    if process.poll() is None:
        process.terminate()


def _wait(target: Target, room: Room, request: Request, said: str) -> None:
    end = Deadline(_END_SECONDS)
    while not room.has("snapshot.json") and not room.has("error"):
        if room.has("started") and end.left == 0:
            end = Deadline(request.seconds_to_finish())
        if not target.is_alive:
            raise AttachError(f"process {target.pid} ended while it was captured")
        if not end.left:
            raise _failure(target, said)
        time.sleep(_LOOK_SECONDS)


def _failure(target: Target, said: str) -> AttachError:
    if "ptrace: Operation not permitted" in said:
        return denied(target.pid)
    if "No symbol" in said:
        return AttachError(
            f"gdb finds no functions of Python in process {target.pid}: its executable is stripped of them",
            "run the program with a Python that has them",
        )
    if target.state == "R":
        return AttachError(
            f"the main thread of process {target.pid} is inside C code, where gdb cannot help",
            "try again with a longer --timeout, or --via unwinder from Python 3.14 on",
        )
    last = [line for line in said.splitlines() if line.strip()][-1:] or ["nothing"]
    return AttachError(
        f"gdb could not have process {target.pid} capture itself in time; it said last: {last[0][:300]}",
        "try again with a longer --timeout",
    )
