"""asyncio's call graph functions (CPython 3.14, Lib/asyncio/graph.py) on every version, for any graph.

The result is a tree of `FutureCallGraph` as asyncio's is, except that an entry may be in it more than once:

* A future that is reached by several ways has one entry, which all of them share.
* A future that is reached again from itself gets a second entry there, with its stack and an empty
  `awaited_by`, so that the structure has an end. Text calls it `(cycle)`.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events, tasks
from dataclasses import dataclass
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from agraph._internal.awaited_by import awaited_by
from agraph._internal.compat import HAS_NATIVE_AWAITED_BY
from agraph._internal.futures import coroutine_of, is_future, is_task, name_of, root_frame_of
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import TextIO

Future: TypeAlias = "asyncio.Future[Any]"

if HAS_NATIVE_AWAITED_BY and not TYPE_CHECKING:
    FrameCallGraphEntry = asyncio.FrameCallGraphEntry
    FutureCallGraph = asyncio.FutureCallGraph
else:

    @dataclass(frozen=True, slots=True)
    class FrameCallGraphEntry:
        """A frame of a call stack.

        Attributes:
            frame: The frame.
        """

        frame: FrameType

    @dataclass(frozen=True, slots=True)
    class FutureCallGraph:
        """A future, where it stands, and who waits for it.

        Attributes:
            future: The future or task.
            call_stack: Its frames, innermost first; empty for a future that is no task.
            awaited_by: The futures and tasks that wait for it.
        """

        future: Future
        call_stack: tuple[FrameCallGraphEntry, ...]
        awaited_by: tuple[FutureCallGraph, ...]


# Deeper levels are not indented any more: text of a chain would grow with the square of its length.
_MAX_INDENTED_LEVEL = 100

_GENERATORS = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_GENERATOR


@overload
def capture_call_graph(future: Future, /, *, depth: int = 1, limit: int | None = None) -> FutureCallGraph: ...
@overload
def capture_call_graph(
    future: None = None, /, *, depth: int = 1, limit: int | None = None
) -> FutureCallGraph | None: ...
def capture_call_graph(
    future: Future | None = None, /, *, depth: int = 1, limit: int | None = None
) -> FutureCallGraph | None:
    """Capture who waits for a future, and who waits for those, each with its call stack.

    Takes time linear in the size of the graph, and does not recurse. Works as `asyncio.capture_call_graph`.

    Args:
        future: The future or task; without it, the current task.
        depth: For the current task: how many frames from the top of the stack to leave out.
        limit: How many frames to keep of each stack: of a positive number the outermost, of a negative one
            the innermost, with 0 none, with None all.

    Returns:
        The graph; None when there is no current task and no future was given.

    Raises:
        RuntimeError: No future was given, and no loop runs in this thread.
        TypeError: `future` is not an asyncio future.
    """
    loop = events._get_running_loop()
    current: Future | None = tasks.current_task(loop) if loop is not None else None
    if future is None:
        if loop is None:
            raise RuntimeError(
                "capture_call_graph() is called outside of a running "
                "event loop and no *future* to introspect was provided"
            )
        if current is None:
            return None
        future = current
    if not is_future(future):
        raise TypeError(f"{future!r} object does not appear to be compatible with asyncio.Future")
    if future is current:
        frame = sys._getframe(depth) if limit != 0 else None
        return _graph(future, limit, _cut(list(_running_stack(future, frame))[::-1], limit))
    return _graph(future, limit, _suspended_stack(future, limit))


def format_call_graph(future: Future | None = None, /, *, depth: int = 1, limit: int | None = None) -> str:
    """The call graph of a future as text, as `asyncio.format_call_graph` writes it.

    A future that is reached again on the path from the first one is marked `(cycle)`, one whose entry is
    written already `(see above)`. From 100 levels on, lines start with the level instead of an indentation.

    Args:
        future: The future or task; without it, the current task.
        depth: For the current task: how many frames from the top of the stack to leave out.
        limit: How many frames to keep of each stack, see `capture_call_graph`.

    Returns:
        The text without a newline at its end; empty when there is no current task.

    Raises:
        RuntimeError: No future was given, and no loop runs in this thread.
        TypeError: `future` is not an asyncio future.
    """
    graph = capture_call_graph(future, depth=depth + 1, limit=limit)
    return "\n".join(_lines(graph)) if graph is not None else ""


def print_call_graph(
    future: Future | None = None,
    /,
    *,
    file: TextIO | None = None,
    depth: int = 1,
    limit: int | None = None,
) -> None:
    """Print the call graph of a future, as `asyncio.print_call_graph` does.

    As in asyncio, the first frame shown of the current task is that of this function; `depth=2` leaves it
    out.

    Args:
        future: The future or task; without it, the current task.
        file: Where to; `sys.stdout` without it.
        depth: For the current task: how many frames from the top of the stack to leave out.
        limit: How many frames to keep of each stack, see `capture_call_graph`.

    Raises:
        RuntimeError: No future was given, and no loop runs in this thread.
        TypeError: `future` is not an asyncio future.
    """
    print(format_call_graph(future, depth=depth, limit=limit), file=file)


# ---- capture


class _Open:
    """A future whose waiters are being visited."""

    __slots__ = ("entries", "future", "stack", "waiters")

    def __init__(self, future: Future, stack: tuple[FrameCallGraphEntry, ...]) -> None:
        self.future = future
        self.stack = stack
        self.waiters = iter(awaited_by(future))
        self.entries: list[FutureCallGraph] = []


def _graph(future: Future, limit: int | None, stack: tuple[FrameCallGraphEntry, ...]) -> FutureCallGraph:
    """Depth first, with an explicit path. Futures are known by identity: they may define `__eq__`."""
    closed: dict[int, FutureCallGraph] = {}
    opened = {id(future): _Open(future, stack)}
    path = list(opened.values())
    while True:
        current = path[-1]
        for waiter in current.waiters:
            key = id(waiter)
            if key in closed:
                current.entries.append(closed[key])
            elif key in opened:
                current.entries.append(FutureCallGraph(waiter, opened[key].stack, ()))
            else:
                opened[key] = _Open(waiter, _suspended_stack(waiter, limit))
                path.append(opened[key])
                break
        else:
            path.pop()
            entry = FutureCallGraph(current.future, current.stack, tuple(current.entries))
            if not path:
                return entry
            closed[id(current.future)] = entry
            path[-1].entries.append(entry)


def _suspended_stack(future: Future, limit: int | None) -> tuple[FrameCallGraphEntry, ...]:
    if limit == 0:
        return ()
    coroutine = coroutine_of(future)
    if coroutine is None:
        return ()
    return _cut([frame for _, frame in chain(coroutine) if frame is not None], limit)


def _running_stack(task: Future, frame: FrameType | None) -> Iterator[FrameType]:
    """The frames from this one to the coroutine that the task runs, innermost first."""
    outermost = root_frame_of(task)
    while frame is not None:
        yield frame
        outer = frame.f_back
        # A coroutine that a plain function calls is the task's own, or one that somebody drives by hand.
        # asyncio ends at either; at the task's own also when C code lies between (an eager start).
        driven = outer is not None and not outer.f_code.co_flags & _GENERATORS
        if frame is outermost or (driven and frame.f_code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)):
            return
        frame = outer


def _cut(frames: list[FrameType], limit: int | None) -> tuple[FrameCallGraphEntry, ...]:
    """The entries of frames that are given outermost first; entries are innermost first."""
    if limit is not None:
        frames = frames[:limit] if limit > 0 else frames[limit:] if limit < 0 else []
    return tuple([FrameCallGraphEntry(frame) for frame in frames[::-1]])


# ---- text


def _lines(graph: FutureCallGraph) -> Iterator[str]:
    """The lines of a graph. Depth first, with an explicit path."""
    written: set[int] = set()
    on_path: set[int] = set()
    ahead: list[tuple[int, FutureCallGraph | None, int]] = [(0, graph, id(graph.future))]
    while ahead:
        level, entry, key = ahead.pop()
        if entry is None:  # everything above `key` is written
            on_path.discard(key)
            continue
        mark = " (cycle)" if key in on_path else " (see above)" if key in written else ""
        indent = level * "    " if level <= _MAX_INDENTED_LEVEL else f"[{level}] "
        yield f"{indent}* {_title(entry.future)}{mark}"
        if mark:
            continue
        written.add(key)
        on_path.add(key)
        if entry.call_stack:
            yield f"{indent}  + Call stack:"
            for frame_entry in entry.call_stack:
                yield f"{indent}  |   {_describe(frame_entry.frame)}"
        if entry.awaited_by:
            yield f"{indent}  + Awaited by:"
        ahead.append((level, None, key))
        ahead += [(level + 1, waiter, id(waiter.future)) for waiter in reversed(entry.awaited_by)]


def _title(future: Future) -> str:
    if not is_task(future):
        return f"Future(id={id(future):#x})"
    return f"Task(name={name_of(future)!r}, id={id(future):#x})"


def _describe(frame: FrameType) -> str:
    code = frame.f_code
    tag = (
        "async "
        if code.co_flags & CO_COROUTINE
        else "async generator "
        if code.co_flags & CO_ASYNC_GENERATOR
        else "generator "
        if code.co_flags & CO_GENERATOR
        else ""
    )
    return f"File {code.co_filename!r}, line {frame.f_lineno}, in {tag}{code.co_qualname}()"
