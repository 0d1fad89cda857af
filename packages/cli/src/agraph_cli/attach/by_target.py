"""What runs on an interpreter of the target's version: `python -I -S - ACTION PID [...] < by_target.py`.

`sys.remote_exec` and the unwinder only work between interpreters of one version. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(arguments: list[str]) -> dict[str, Any]:
    """Do one thing.

    Args:
        arguments: `exec PID SCRIPT [PACKAGE]`, `cancel PID` or `unwind PID`.

    Returns:
        What to print.
    """
    action, pid, *rest = arguments
    try:
        if action == "exec":
            return execute(int(pid), *rest)
        if action == "cancel":
            # A request cannot be taken back, but it can be replaced by one that does nothing.
            sys.remote_exec(int(pid), "/dev/null")  # type: ignore[attr-defined]
            return {}
        return unwind(int(pid))
    except Exception as error:  # noqa: BLE001 - told to who asked
        return {"error": str(error), "type": type(error).__name__}


def execute(pid: int, script: str, package: str = "") -> dict[str, Any]:
    """Have a process run a script, once it comes to it.

    Args:
        pid: The process.
        script: The script, where the process finds it.
        package: The folder of the package that the script imports, to be compiled here and not there.
    """
    if package:
        import compileall

        compileall.compile_dir(package, quiet=2)
    sys.remote_exec(pid, script)  # type: ignore[attr-defined]
    return {}


def unwind(pid: int) -> dict[str, Any]:
    """Read tasks and stacks out of the memory of a process; the process does nothing for it.

    The names are those of Modules/_remote_debugging_module.c of 3.14 and Modules/_remote_debugging of 3.15.
    """
    from _remote_debugging import RemoteUnwinder  # type: ignore[import-not-found]

    unwinder = RemoteUnwinder(pid, all_threads=True)
    found: dict[str, Any] = {"threads": [], "tasks": [], "errors": []}
    try:
        found["threads"] = _threads(_patiently(unwinder.get_stack_trace))
    except Exception as error:  # noqa: BLE001 - the tasks may be readable all the same
        found["errors"].append(f"the stacks of the threads: {_said(error)}")
    try:
        found["tasks"] = _tasks(_patiently(unwinder.get_all_awaited_by))
    except Exception as error:  # noqa: BLE001
        found["errors"].append(f"the tasks: {_said(error)}")
    return found


def _patiently(read: Any) -> Any:  # noqa: ANN401 - a method of a foreign type
    """Read until it succeeds: the process runs meanwhile, and what is read may change under our hands."""
    for _ in range(20):
        try:
            return read()
        except (RuntimeError, OSError, MemoryError, UnicodeDecodeError):
            continue
    return read()


def _said(error: BaseException) -> str:
    """What an error and those that led to it say: the last one alone only says that something failed."""
    sentences: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(sentences) < 3:
        sentences.append(str(cause) or type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return ": ".join(sentences)


def _threads(answer: list[Any]) -> list[dict[str, Any]]:
    # Since 3.15 the threads are grouped by interpreter.
    threads = [thread for one in answer for thread in getattr(one, "threads", [one])]
    return [{"id": one.thread_id, "stack": _stack(one.frame_info)} for one in threads]


def _tasks(answer: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "thread": group.thread_id,
            "id": task.task_id,
            "name": task.task_name,
            "stack": [site for part in task.coroutine_stack for site in _stack(part.call_stack)],
            "awaited_by": [waiter.task_name for waiter in task.awaited_by],
        }
        for group in answer
        for task in group.awaited_by
    ]


def _stack(frames: list[Any]) -> list[list[Any]]:
    return [[one.filename, one.funcname, _line(one)] for one in frames]


def _line(frame: Any) -> int:  # noqa: ANN401
    place = getattr(frame, "location", frame)  # `lineno` moved there in 3.15
    return max(int(getattr(place, "lineno", 0) or 0), 0)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1:])))
