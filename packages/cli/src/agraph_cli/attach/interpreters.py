"""Run `by_target` on an interpreter of the target's version: ours, the target's own, or one on PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agraph_cli.attach.guest import Guest
from agraph_cli.attach.model import AttachError, NotAnsweredError, RefusedError
from agraph_cli.attach.target import DELETED, denied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.attach.target import Target

SCRIPT = Path(__file__).with_name("by_target.py")


_BY_GDB = "try --via gdb"


class DisabledError(RefusedError):
    """The process was started, or built, so that it lets nobody run anything in it."""


@dataclass(frozen=True, slots=True)
class _Interpreter:
    """A way to start a Python.

    Attributes:
        path: The executable.
        foreign: Whether it is the target's and not one that we were to run anyway.
    """

    path: str
    foreign: bool


def ask(target: Target, *arguments: str, seconds: float) -> dict[str, Any]:
    """Have `by_target` do one thing.

    Args:
        target: The process.
        arguments: The action, and what comes after the pid.
        seconds: For how long at most.

    Returns:
        What it answers.

    Raises:
        DisabledError: The target takes no scripts.
        AttachError: It cannot be done.
    """
    failures: list[str] = []
    for interpreter in _interpreters(target):
        answer = _ask_one(target, interpreter, arguments, seconds)
        if "error" not in answer:
            return answer
        _give_up_where_final(target, answer)
        failures.append(f"{interpreter.path}: {answer['error']}")
    raise AttachError(
        f"no interpreter could be started that works on process {target.pid} ({target.version}): "
        f"{'; '.join(failures) or 'none was found'}",
        f"install agraph-cli for {target.version}, or put python{_dotted(target)} on PATH",
    )


def _dotted(target: Target) -> str:
    return ".".join(map(str, target.python or (3,)))


def _interpreters(target: Target) -> Iterator[_Interpreter]:
    if not target.root:
        if sys.version_info[:2] == target.python and sys.implementation.name == "cpython":
            yield _Interpreter(sys.executable, foreign=False)
        exe = target.exe.removesuffix(DELETED)
        if os.path.isfile(exe):  # noqa: PTH113 - a path of somebody else; deleted and installed anew, it may be there again
            yield _Interpreter(exe, foreign=True)
        found = shutil.which(f"python{_dotted(target)}")
        if found and Path(found).resolve() != Path(exe):
            yield _Interpreter(found, foreign=False)
    elif not target.exe.endswith(DELETED):
        yield _Interpreter(target.exe, foreign=True)


def _ask_one(
    target: Target, interpreter: _Interpreter, arguments: tuple[str, ...], seconds: float
) -> dict[str, Any]:
    action, *rest = arguments
    pid = target.inner_pid if target.root else target.pid
    command = [interpreter.path, "-I", "-S", "-", action, str(pid), *rest]
    try:
        with SCRIPT.open("rb") as script, Guest(target, foreign=interpreter.foreign) as guest:
            done = subprocess.run(  # noqa: S603 - Guest sees to what root must not run
                command,
                stdin=script,  # no path, where somebody could put another file
                capture_output=True,
                timeout=seconds,
                check=False,
                env=_environment(target, interpreter),
                cwd="/",
                start_new_session=True,
                preexec_fn=guest.enter if guest.is_needed else None,
            )
    except subprocess.TimeoutExpired:
        return {"error": f"did not end within {seconds:.0f} s", "type": "TimeoutError"}
    except (OSError, subprocess.SubprocessError) as error:
        return {"error": _why(target, error), "type": "OSError"}
    with suppress(ValueError):
        answer = json.loads(done.stdout)
        if isinstance(answer, dict):
            return answer
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
    return {"error": said[-1], "type": "OSError"}


def _why(target: Target, error: Exception) -> str:
    if target.root and os.geteuid() != 0:
        return "it runs in a file system of its own, which only root can enter: use sudo"
    return str(error)


def _environment(target: Target, interpreter: _Interpreter) -> dict[str, str]:
    """What the target's interpreter needs to start; not as root, what others could have put there."""
    own = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    if not interpreter.foreign:
        return own
    if os.geteuid() == 0 and target.uid != 0:
        return {}
    return {name: target.environ[name] for name in ("LD_LIBRARY_PATH",) if name in target.environ}


def _give_up_where_final(target: Target, answer: dict[str, Any]) -> None:
    """Raise where no other interpreter would fare better."""
    text, kind = str(answer["error"]), answer.get("type")
    if not target.is_alive:
        raise AttachError(f"process {target.pid} ended before it could be captured")
    if kind == "PermissionError" or "Operation not permitted" in text:
        raise denied(target.pid)
    if "find the main thread" in text:
        raise NotAnsweredError("its main thread has ended its part and waits for the other threads", _BY_GDB)
    if "not enabled in the remote process" in text:
        raise DisabledError(
            "remote debugging is switched off in it (PYTHON_DISABLE_REMOTE_DEBUG, or how it was built)",
            f"start it without that; or {_BY_GDB}",
        )
