"""Any version, when asked for: gdb stops the process and has it start a thread that captures.

gdb calls functions of the interpreter in a process that did not expect it, so this is never done unasked.
It is done where the interpreter can take it: with the main thread in a system call, which Python enters
without its global lock; or, when it has that, at the next point where it looks for pending calls itself.

A call that is broken off on the way leaves the global lock taken for ever, or frames of Python without those
of C below them; and gdb passes Ctrl-C on to the process. So gdb is never interrupted. A file with the calls
goes to gdb or comes back to us, whoever renames it first: without it gdb detaches at once, and with it it is
left to end by itself, however long that takes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.attach.interrupts import uninterrupted
from agraph_cli.attach.model import AttachError, Deadline, Shot
from agraph_cli.attach.reading import parse, read_answer
from agraph_cli.attach.remote import payload, stopped
from agraph_cli.attach.target import DELETED, denied, tracer

if TYPE_CHECKING:
    from agraph_cli.attach.model import Request
    from agraph_cli.attach.room import Room
    from agraph_cli.attach.target import Target

_LOOK_SECONDS = 0.01
_END_SECONDS = 5.0

# Functions by name, without types: the executables that distributions ship have no debugging information.
_CHECK = "((int (*)(void)) PyGILState_Check)()"
_ENSURE = "set $state = ((int (*)(void)) PyGILState_Ensure)()"
_RUN = "call ((int (*)(const char *)) PyRun_SimpleString)($page)"
_RELEASE = "call ((void (*)(int)) PyGILState_Release)($state)"
_PENDING = "call ((int (*)(void *, long)) Py_AddPendingCall)((void *) PyRun_SimpleString, $page)"
# Not of `malloc`, which the process may be in the middle of. 3 is PROT_READ|PROT_WRITE, 0x22 is
# MAP_PRIVATE|MAP_ANONYMOUS.
_MAP = "((long (*)(long, long, int, int, int, long)) mmap)(0, {size}, 3, 0x22, -1, 0)"
_UNMAP = "call ((int (*)(long, long)) munmap)($page, {size})"
_PAGE_BYTES = 4096

# Whoever waited may be gone by the time this runs, and the folder with them. A pending call must not fail.
_CODE = """\
try:
    exec(compile(open({script!a}).read(), {script!a}, 'exec'), {{}})
except BaseException:
    pass
"""
# The line before the last ends the script where gdb may not go on.
_SCRIPT = f"""\
set pagination off
set confirm off
set unwindonsignal on
set $asleep = {{asleep}}
if $asleep
set $asleep = ! {_CHECK}
end
set $page = {_MAP}
restore code binary $page
shell mv calls taken
source taken
"""
# A signal that comes to the process during a call would break it off too. It is passed on instead, all but
# those that say that the call itself has failed.
_CALLS = f"""\
handle all nostop noprint pass
handle SIGINT nostop noprint pass
handle SIGSEGV SIGBUS SIGILL SIGFPE SIGABRT stop print pass
if $asleep
{_ENSURE}
{_RUN}
{_RELEASE}
{_UNMAP}
else
{_PENDING}
end
"""


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
    if target.state == "T":
        raise stopped(target)
    code = _CODE.format(script=payload(room, request, "run_in_thread"))
    said = _run(gdb, target, request, code)
    _wait(target, room, request, said)
    return Shot(parse(target, read_answer(target, room)), "by a thread that gdb had it start")


def _run(gdb: str, target: Target, request: Request, code: str) -> str:
    """Run gdb; returns what it said."""
    data = code.encode("ascii") + b"\0"
    size = -(-len(data) // _PAGE_BYTES) * _PAGE_BYTES
    with tempfile.TemporaryDirectory(prefix="agraph-gdb-") as name:
        folder = Path(name)
        asleep = int(target.state == "S")
        folder.joinpath("code").write_bytes(data)
        folder.joinpath("script").write_text(_SCRIPT.format(asleep=asleep, size=size), encoding="ascii")
        folder.joinpath("calls").write_text(_CALLS.format(size=size), encoding="ascii")
        with folder.joinpath("log").open("w+", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen(  # noqa: S603 - the gdb on PATH
                _command(gdb, target),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, "SHELL": "/bin/sh"},
                start_new_session=True,
            )
            why = ""
            try:
                process.wait(request.timeout)
            except subprocess.TimeoutExpired:
                pass
            finally:
                why = _end(process, folder, target)
            if why:
                raise AttachError(
                    f"gdb (process {process.pid}) {why}; it must not be killed, and ends by itself"
                )
            log.seek(0)
            said = log.read()
            if not folder.joinpath("taken").exists():
                raise _failure(target, said)
            return said


def _command(gdb: str, target: Target) -> list[str]:
    settings = ["-iex", "set auto-load off", "-iex", "set debuginfod enabled off"]
    # What was deleted, by an update say, can still be read there.
    program = [f"/proc/{target.pid}/exe"] if target.exe.endswith(DELETED) else []
    return [gdb, "-q", "-nx", "-batch", *settings, "-p", str(target.pid), "-x", "script", *program]


def _end(process: subprocess.Popen[bytes], folder: Path, target: Target) -> str:
    """Give gdb no calls any more, and time to end; returns why it has not ended."""
    with uninterrupted():
        why = f"has not come to look into process {target.pid} yet"
        try:
            folder.joinpath("calls").rename(folder / "taken back")
        except FileNotFoundError:
            why = f"waits for the global lock of process {target.pid}, which another thread keeps"
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        if process.poll() is not None:
            return ""
        process.returncode = 0  # nobody waits for it any more, and Popen is to know
        return why


def _wait(target: Target, room: Room, request: Request, said: str) -> None:
    end = Deadline(max(request.timeout, _END_SECONDS))
    has_begun = False
    while not room.has("snapshot.json") and not room.has("error"):
        if not has_begun and room.has("started"):
            has_begun, end = True, Deadline(request.seconds_to_finish())
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
