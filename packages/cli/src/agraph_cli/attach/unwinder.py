"""Python 3.14 and later: tasks and stacks read out of the memory of a process that does nothing for it.

What the interpreter records is who called `gather`, `TaskGroup` and so on, not who waits, and no lock. So a
wait is made of such an edge only where the stack of the waiter agrees, as `probable`, and all else is open:
nothing in such a snapshot can be certain.
"""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agraph
from agraph_cli.attach.interpreters import ask
from agraph_cli.attach.model import AttachError, Shot, left_out

if TYPE_CHECKING:
    from agraph_cli.attach.model import Request
    from agraph_cli.attach.target import Target

FIRST_PYTHON = (3, 14)
_SECONDS = 30.0
_MAX_FRAMES = 200

# How functions of asyncio wait for what they have made: for any of it, or for all.
_ANY = {"_wait", "wait", "as_completed", "_AsCompletedIterator._wait_for_one"}
_ALL = {"TaskGroup.__aexit__", "TaskGroup._aexit", "wait_for", "timeout"}
_SLEEPS = {"sleep", "__sleep0"}


def capture(target: Target, request: Request, reason: str = "") -> Shot:
    """Read a process.

    Args:
        target: The process.
        request: How to capture.
        reason: Why nothing better could be had; empty when this is what was asked for.

    Returns:
        A snapshot with tasks, stacks and probable edges.

    Raises:
        AttachError: It cannot be read.
    """
    if target.python is None or target.python < FIRST_PYTHON:
        raise AttachError(f"process {target.pid} runs {target.version}: this way needs Python 3.14 or later")
    start, start_monotonic = time.time(), time.monotonic()
    found = ask(target, "unwind", seconds=_SECONDS)
    if not found["threads"] and not found["tasks"]:
        raise AttachError(
            f"process {target.pid} cannot be read: {'; '.join(found['errors']) or 'it has no threads'}"
        )
    made = _Made()
    cut = made.fill(found, target, request.max_tasks)
    cut.append(
        "locks, futures and who holds them: only its memory was read"
        + (f", since {reason}" if reason else "")
    )
    taken = agraph.Capture(
        start=start,
        end=time.time(),
        start_monotonic=start_monotonic,
        end_monotonic=time.monotonic(),
        where="thread",
        thread="another process",
        consistent=False,
        complete=False,
        cut=tuple(cut),
        errors=tuple(_errors(found["errors"])),
        unknown=("holders", "resources"),
    )
    snapshot = agraph.Snapshot(
        process=_process(target),
        capture=taken,
        sites=tuple(made.sites),
        stacks=tuple(made.stacks),
        nodes=tuple(made.nodes),
        edges=tuple(made.edges),
        agraph=agraph.__version__,
    )
    shot = Shot(snapshot, "by reading its memory: tasks, stacks and probable edges, no locks")
    main = next((one["stack"] for one in found["threads"] if one["id"] == target.inner_pid), None)
    if main:
        file, function, line = main[0]
        shot.notes.append(f"its main thread is at {file}:{line} in {function}")
    shot.notes += left_out(request)
    return shot


def _errors(errors: list[str]) -> list[str]:
    # Tasks are found through a table of the extension module _asyncio: without it there are none.
    return [error for error in errors if "AsyncioDebug" not in error]


class _Made:
    """The tables of a snapshot in the making."""

    def __init__(self) -> None:
        self.sites: list[agraph.Site] = []
        self.stacks: list[tuple[int, ...]] = []
        self.nodes: list[agraph.Node] = []
        self.edges: list[agraph.Edge] = []
        self._numbers: dict[Any, int] = {}

    def fill(self, found: dict[str, Any], target: Target, max_tasks: int | None) -> list[str]:
        """Make the rows; returns what was left out."""
        loops: dict[int, int] = {}
        tasks = {task["id"]: task for task in found["tasks"]}
        kept = list(tasks.values())[:max_tasks]
        stacks = {thread["id"]: thread["stack"] for thread in found["threads"]}
        for ident in dict.fromkeys([*stacks, *(task["thread"] for task in kept)]):
            thread = self._node(
                "thread",
                name="MainThread" if ident == target.inner_pid else f"thread {ident}",
                state="running",
                stack=self._stack(stacks.get(ident, [])),
            )
            if any(task["thread"] == ident for task in kept) or _runs_a_loop(stacks.get(ident, [])):
                loops[ident] = self._node("loop", name=self.nodes[thread].name, state="running")
        numbers = {task["id"]: len(self.nodes) + position for position, task in enumerate(kept)}
        awaited: dict[int, list[int]] = {}
        for task in kept:
            for waiter in dict.fromkeys(task["awaited_by"]):
                if waiter in numbers:
                    awaited.setdefault(waiter, []).append(numbers[task["id"]])
        running = _running(kept, stacks)
        for task in kept:
            others = None if task["id"] in running else awaited.get(task["id"], [])
            self._task(task, loops.get(task["thread"]), others)
        for ident in loops.keys() - {task["thread"] for task in tasks.values()}:
            self._unread(loops[ident])
        left_out = len(tasks) - len(kept)
        return [f"{left_out:,} of {len(tasks):,} tasks: max_tasks is {max_tasks:,}"] if left_out else []

    def _task(self, task: dict[str, Any], loop: int | None, awaited: list[int] | None) -> None:
        """Make the row of a task; it waits for nothing where `awaited` is None."""
        stack = task["stack"]
        waits, need, why = ("", 0, "") if awaited is None else _wait_of(stack, len(awaited))
        state = "running" if awaited is None else "waiting" if stack else "unknown"
        number = self._node(
            "task",
            name=task["name"],
            type=stack[-1][1] if stack else "",
            state=state,
            stack=self._stack(stack),
            loop=loop,
            need=need,
            open=why,
        )
        kind = {"any": "any_of", "all": "all_of"}.get(waits, "structural")
        for other in awaited or ():
            self.edges.append(agraph.Edge(number, other, kind, "probable"))  # type: ignore[arg-type]

    def _unread(self, loop: int) -> None:
        """A loop of which no task is seen may have some: 3.14 shows those of the main thread (gh-149230)."""
        name = f"tasks of {self.nodes[loop].name}"
        why = "none could be read from outside, though their loop runs"
        self._node("task", name=name, state="unknown", loop=loop, need=1, open=why)

    def _node(self, kind: str, **fields: Any) -> int:  # noqa: ANN401 - fields of Node
        number = len(self.nodes)
        self.nodes.append(agraph.Node(number, kind, **fields))  # type: ignore[arg-type]
        return number

    def _stack(self, frames: list[list[Any]]) -> int | None:
        if not frames:
            return None
        row = tuple(self._number(self.sites, agraph.Site(*frame)) for frame in frames[:_MAX_FRAMES])
        return self._number(self.stacks, row)

    def _number(self, table: list[Any], row: Any) -> int:  # noqa: ANN401
        number = self._numbers.setdefault(row, len(table))
        if number == len(table):
            table.append(row)
        return number


def _running(tasks: list[dict[str, Any]], stacks: dict[int, list[list[Any]]]) -> set[int]:
    """The tasks whose coroutines a thread runs right now, at most one a thread: the loop is in its hands.

    Stacks and tasks are read one after the other, so the innermost frame may have moved on in between. That
    is only allowed for where no other task could be meant.
    """
    found: set[int] = set()
    for thread, stack in stacks.items():
        own = [task for task in tasks if task["thread"] == thread and task["stack"]]
        exact = [task["id"] for task in own if _is_on(task["stack"], stack)]
        moved = [task["id"] for task in own if _is_on(task["stack"], stack, moved=True)]
        if len(exact) == 1 or (not exact and len(moved) == 1):
            found.update(exact or moved)
    return found


def _is_on(inner: list[list[Any]], stack: list[list[Any]], *, moved: bool = False) -> bool:
    """Whether the frames of a task are on the stack of a thread, one below the other."""
    head = [tuple(frame[:2] if moved else frame) for frame in inner[:1]]
    wanted = head + [tuple(frame) for frame in inner[1:]]
    for start in range(len(stack) - len(inner) + 1):
        part = stack[start : start + len(inner)]
        if [tuple(part[0][:2] if moved else part[0]), *map(tuple, part[1:])] == wanted:
            return True
    return False


def _is_asyncio(frame: list[Any]) -> bool:
    return "asyncio" in Path(str(frame[0])).parts[-2:-1]


def _runs_a_loop(stack: list[list[Any]]) -> bool:
    return any(_is_asyncio(frame) and frame[1].endswith("._run_once") for frame in stack)


def _wait_of(stack: list[list[Any]], awaited: int) -> tuple[str, int, str]:
    """How a task waits for what it is recorded to be awaiting.

    Returns:
        `any` or `all` of it, or neither; `need`; and why it is open.
    """
    function = stack[0][1] if stack else ""
    ours = bool(stack) and not _is_asyncio(stack[0])
    if not stack or (function in _SLEEPS and not ours):
        return "", 0, ""  # without a stack it runs, or has not begun
    if awaited and (ours or function in _ALL):
        return "all", awaited, ""
    if awaited and function in _ANY:
        return "any", 1, ""
    return "", 1, f"whom it waits for in {function} cannot be read from outside"


def _process(target: Target) -> agraph.Process:
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return agraph.Process(
        host=platform.node(),
        boot_id=boot,
        pid=target.inner_pid,
        started=_started(target),
        argv0=target.name,
        python="" if target.python is None else ".".join(map(str, target.python)),
        implementation="CPython",
    )


def _started(target: Target) -> float | None:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return boot + target.started / os.sysconf("SC_CLK_TCK")
    return None
