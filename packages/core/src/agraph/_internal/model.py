"""What a snapshot is made of: plain frozen rows of ids and strings, no live object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NodeKind = Literal[
    "task",
    "future",
    "lock",
    "semaphore",
    "condition",
    "event",
    "queue",
    "barrier",
    "loop",
    "thread",
    "work_item",
    "timer",
    "io",
    "resource",
]
EdgeKind = Literal[
    "await",
    "all_of",
    "any_of",
    "lock",
    "held_by",
    "thread",
    "cross_loop",
    "bridge",
    "structural",
]
Confidence = Literal["exact", "probable"]

NODE_KINDS: tuple[NodeKind, ...] = NodeKind.__args__  # type: ignore[attr-defined]
EDGE_KINDS: tuple[EdgeKind, ...] = EdgeKind.__args__  # type: ignore[attr-defined]
CONFIDENCES: tuple[Confidence, ...] = Confidence.__args__  # type: ignore[attr-defined]


class Site(NamedTuple):
    """A place in source code.

    Attributes:
        file: The file name as the interpreter knows it (`co_filename`).
        function: The qualified name of the function.
        line: The line, counted from 1; 0 when it is not known.
    """

    file: str
    function: str
    line: int


class Node(NamedTuple):
    """Anything that waits, or that something waits for.

    A node can proceed when `need` of the nodes it has wait edges to can proceed. One with `need` 0 waits
    for nothing that the snapshot knows of (it runs, is ready to run, or waits for the outside world).

    Attributes:
        id: Number of the node in its snapshot.
        kind: One of `NODE_KINDS`.
        name: The name a person would call it by: a task's name, `accounts[2]` or `self._lock` of a lock.
        type: The qualified class of a resource or future; the coroutine function of a task.
        state: One word. Task: `waiting`, `ready`, `running`, `created`. Thread: `running`, `blocked`.
            Loop: `running`, `idle`, `blocked`, `stopped`. Lock and semaphore: `locked`, `unlocked`,
            `handoff`. Others: `pending` or `done`.
        stack: Index into `Snapshot.stacks`, innermost frame first; None when there is none.
        loop: Id of the loop a task runs on (it also needs that loop to turn); None elsewhere.
        since: Since when it waits, in seconds on the process's monotonic clock; None when not known.
        wait: Identity of this very wait: equal in two snapshots of one process only if the task never
            proceeded between them. None for what does not wait.
        key: Identity of the object in its process, to find it again in another snapshot.
        need: How many of its awaited nodes have to proceed before it can.
        timer: When it is freed by a timer, in seconds on the process's monotonic clock; None without.
        open: Why parties that the snapshot does not know could free it; empty when all are known.
        exc: Whether an exception in one awaited node would free it at once.
        detail: Facts for people, by name: fd, peer, size, maxsize, value, bound ...
    """

    id: int
    kind: NodeKind
    name: str = ""
    type: str = ""
    state: str = ""
    stack: int | None = None
    loop: int | None = None
    since: float | None = None
    wait: int | None = None
    key: int | None = None
    need: int = 0
    timer: float | None = None
    open: str = ""
    exc: bool = False
    detail: Mapping[str, str | int | float | None] | None = None


class Edge(NamedTuple):
    """`waiter` cannot proceed before `awaited`, or for `structural`: is only related to it.

    Attributes:
        waiter: Id of the node that waits.
        awaited: Id of the node it waits for.
        kind: One of `EDGE_KINDS`. `structural` is no wait: the interpreter's own record of who made what.
        confidence: `exact` when read from the interpreter, `probable` when inferred.
        site: Index into `Snapshot.sites` where it came about (the `async with` of a holder, the done-callback
            that completes a future, by its first line); None where the stack of the waiter says it.
    """

    waiter: int
    awaited: int
    kind: EdgeKind
    confidence: Confidence = "exact"
    site: int | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """The process a snapshot was taken of.

    Attributes:
        host: Host name.
        boot_id: Identity of this boot of the host; empty where the system has none.
        pid: Process id.
        started: Start of the process, seconds since the Unix epoch; None when not known.
        argv0: The program, `sys.argv[0]`.
        python: Exact version, such as `3.14.10`.
        implementation: Such as `CPython`.
    """

    host: str = ""
    boot_id: str = ""
    pid: int = 0
    started: float | None = None
    argv0: str = ""
    python: str = ""
    implementation: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    """How and when a snapshot was taken, and how far it can be trusted.

    Attributes:
        start: Start, seconds since the Unix epoch.
        end: End, likewise.
        start_monotonic: Start, seconds on the process's monotonic clock.
        end_monotonic: End, likewise.
        pause_ms: For how long the thread that captured was kept busy, in milliseconds.
        where: `loop` when taken by the thread of the (only) loop, so nothing ran meanwhile; `thread` else;
            `processes` for several snapshots that were made one.
        thread: Name of the thread that captured.
        consistent: Whether all that waits in it waited at one instant. What was seen to move while the
            snapshot was taken is shown as able to proceed.
        moved: How many tasks and threads were seen to move.
        complete: Whether nothing was left out but names.
        cut: What was left out and why, a sentence each.
        errors: What could not be read, a sentence each.
        unknown: Facts that this interpreter does not let us read (a self-test failed), one word each.
    """

    start: float = 0.0
    end: float = 0.0
    start_monotonic: float = 0.0
    end_monotonic: float = 0.0
    pause_ms: float = 0.0
    where: str = "loop"
    thread: str = ""
    consistent: bool = True
    moved: int = 0
    complete: bool = True
    cut: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What every task of a process waits for, at one moment. Plain data: ids and strings.

    Attributes:
        process: The process.
        capture: How it was taken.
        sites: Places in source code, referred to by index.
        stacks: Lists of indices into `sites`, innermost frame first, referred to by index.
        nodes: Everything that waits or is waited for. Ids are unique. What was read from a file keeps columns
            and makes each node when it is asked for; it is equal to the tuple of the same nodes.
        edges: Who waits for whom; likewise.
        agraph: The version of agraph that took it.
    """

    process: Process
    capture: Capture
    sites: tuple[Site, ...] = ()
    stacks: tuple[tuple[int, ...], ...] = ()
    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()
    agraph: str = ""

    @property
    def tasks(self) -> tuple[Node, ...]:
        """The nodes that are tasks."""
        return tuple(node for node in self.nodes if node.kind == "task")

    def stack_of(self, node: Node) -> tuple[Site, ...]:
        """The stack of a node.

        Args:
            node: A node of this snapshot.

        Returns:
            Its sites, innermost frame first; empty when it has none.
        """
        if node.stack is None:
            return ()
        return tuple(self.sites[index] for index in self.stacks[node.stack])

    def to_dict(self) -> dict[str, Any]:
        """This snapshot as the JSON object of format `agraph-snapshot`, version 1."""
        from agraph._internal.codec import to_dict  # noqa: PLC0415 - capture alone needs no codec

        return to_dict(self)

    @classmethod
    def from_dict(cls, data: object) -> Snapshot:
        """Read a snapshot from the JSON object of format `agraph-snapshot`.

        Args:
            data: What `json.load` returned.

        Returns:
            The snapshot.

        Raises:
            SnapshotError: The object is no snapshot; the message names the JSON path.
        """
        from agraph._internal.codec import from_dict  # noqa: PLC0415

        return from_dict(data)

    def save(self, path: str | Path) -> None:
        """Write this snapshot to a file, whole or not at all. A link stays one; what it points to is written.

        Args:
            path: `*.json`, or `*.jsonl` for lines of JSON; `.gz` or `.zst` (Python 3.14+) behind it compress.

        Raises:
            SnapshotError: The suffix is not one of these.
            OSError: The file cannot be written.
        """
        from agraph._internal.files import save  # noqa: PLC0415

        save(self, path)

    def format(self, *, limit: int | None = 50) -> str:
        """This snapshot as text for people: the verdict, the deadlocks, then what each task waits for.

        Args:
            limit: How many tasks, and how many deadlocks, to tell of; the stuck ones come first, and what is
                left out is counted. None for all.

        Returns:
            Lines of plain text, with control characters escaped.

        Raises:
            SnapshotError: An edge names a node that is not in the snapshot.
        """
        from agraph._internal.text import format_snapshot  # noqa: PLC0415

        return "\n".join(format_snapshot(self, limit))
