"""Several snapshots of one process: which waits are the same in all of them, and who went on in between."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from agraph._internal.errors import SnapshotError
from agraph._internal.rows import Nodes, cells, column
from agraph._internal.shelf import ShelvedNodes

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from agraph._internal.model import Node, NodeKind, Process, Site, Snapshot

How = Literal["moved", "gone"]

# The start of a process is reckoned from that of the host, which shifts when the clock of the host is set.
_SLACK_SECONDS = 2.0


def same_process(one: Process, other: Process) -> bool:
    """Whether two snapshots are of one process.

    Args:
        one: The process of one snapshot.
        other: The process of another.

    Returns:
        Whether host, boot, process id and start agree.
    """
    if (one.host, one.boot_id, one.pid) != (other.host, other.boot_id, other.pid):
        return False
    if one.started is None or other.started is None:
        return one.started == other.started
    return abs(one.started - other.started) <= _SLACK_SECONDS


def wait_key(snapshot: Snapshot, node: Node) -> Hashable:
    """What tells the wait of a task from every other one of its process.

    It is made of addresses, which are used again: a task that waits for the same thing in a loop can have
    one key twice. So equal keys say that it was seen to stand still, and different ones that it moved.

    Args:
        snapshot: The snapshot.
        node: One of its tasks.

    Returns:
        A key to compare with those of later snapshots; None for what does not wait, or when not known.
    """
    if node.key is None or node.wait is None:
        return None
    return node.key, node.wait, node.name, node.type, snapshot.stack_of(node)


def comparable(one: Snapshot, other: Snapshot) -> bool:
    """Whether the tasks of one snapshot can be found again in another.

    Two snapshots of one process may have been taken by two copies of agraph, or from outside: then the
    numbers that stand for its objects are not the same.

    Args:
        one: A snapshot.
        other: Another snapshot.

    Returns:
        Whether both are of one process, and an event loop or a task of one is in the other.
    """
    if not same_process(one.process, other.process):
        return False
    loops = _identities(other, "loop")
    if any(loop in loops for loop in _identities(one, "loop")):
        return True
    tasks = _identities(other, "task")
    return any(task in tasks for task in _identities(one, "task"))


def _identities(snapshot: Snapshot, kind: NodeKind) -> Collection[Hashable]:
    if kind == "loop" and isinstance(snapshot.nodes, ShelvedNodes):
        return snapshot.nodes.loops
    return frozenset(row for row in cells(snapshot.nodes, kind, "key", "name", "type") if row[0] is not None)


def can_be_found_again(snapshot: Snapshot) -> bool:
    """Whether a snapshot has a loop or a task by which it could be `comparable` to another one."""
    return bool(_identities(snapshot, "loop") or _identities(snapshot, "task"))


def went_on(earlier: Snapshot, later: Snapshot) -> dict[int, How]:
    """Which tasks and threads cannot have been deadlocked in a snapshot, because of what a later one shows.

    Args:
        earlier: A snapshot.
        later: One of the same process that was begun after the other was done.

    Returns:
        For each task that waited and each thread that was blocked, by id in `earlier`: `moved` when it waits
        for something else now or waits no more, `gone` when it is no longer there. What the later snapshot
        may only have left out is not in it.
    """
    if not comparable(earlier, later):
        return {}
    loops = {key for (key,) in cells(later.nodes, "loop", "key")} - {None}
    loop_keys = dict(cells(earlier.nodes, "loop", "id", "key"))
    same_stack = _SameStack(earlier, later)
    found: dict[int, How] = {}
    for kind in _ACTORS:
        now = {row[0]: row for row in cells(later.nodes, kind, *_LOOKED_AT)}
        numbers = cells(earlier.nodes, kind, "id", "need", "loop")
        for row, (node, need, on) in zip(cells(earlier.nodes, kind, *_LOOKED_AT), numbers, strict=True):
            key, type_, wait, stack, _ = row
            if key is None or (wait is None if kind == "task" else need <= 0):
                continue  # it did not wait
            other = now.get(key)
            if same_stack.alike and other == row:
                continue
            if other is None or other[1] != type_:  # nobody, or somebody else at the same address
                loop = None if on is None else loop_keys.get(on)
                if later.capture.complete and (kind == "thread" or loop in loops):
                    found[node] = "gone"
            elif other[4] != "unknown" and (wait != other[2] or not same_stack(stack, other[3])):
                found[node] = "moved"
    return found


_ACTORS: tuple[NodeKind, ...] = ("task", "thread")
_LOOKED_AT = ("key", "type", "wait", "stack", "state")


class _SameStack:
    """Tells whether two nodes, each of another snapshot, have the same stack."""

    def __init__(self, one: Snapshot, other: Snapshot) -> None:
        self._one = one
        self._other = other
        self.alike = one.stacks is other.stacks and one.sites is other.sites
        self._known: dict[tuple[int | None, int | None], bool] = {}

    def __call__(self, stack: int | None, other: int | None) -> bool:
        if self.alike and stack == other:
            return True
        found = self._known.get((stack, other))
        if found is None:
            found = _sites(self._one, stack) == _sites(self._other, other)
            self._known[stack, other] = found
        return found


def _sites(snapshot: Snapshot, stack: int | None) -> tuple[Site, ...]:
    return () if stack is None else tuple([snapshot.sites[index] for index in snapshot.stacks[stack]])


def free(snapshot: Snapshot, ids: Iterable[int]) -> Snapshot:
    """A snapshot in which some nodes can proceed.

    Args:
        snapshot: The snapshot.
        ids: Ids of tasks and threads.

    Returns:
        The snapshot with these, and with the loops that they run on, as a capture shows what it saw move:
        in need of nothing.
    """
    chosen = set(ids)
    if not chosen:
        return snapshot
    nodes: Sequence[Node] = snapshot.nodes
    turned = {
        loop
        for number, loop in zip(column(nodes, "id"), column(nodes, "loop"), strict=True)
        if number in chosen
    }
    freed = frozenset(chosen | turned)
    if isinstance(nodes, Nodes):
        nodes = nodes.free(freed)
    else:
        nodes = tuple(
            node._replace(state="ready" if node.kind == "task" else "running", need=0)
            if node.id in freed
            else node
            for node in nodes
        )
    capture = replace(snapshot.capture, moved=snapshot.capture.moved + len(chosen))
    return replace(snapshot, nodes=nodes, capture=capture)


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Make one snapshot of several of one process: what stood still in all of them.

    A snapshot has one process, so those of several processes do not merge; `agraph analyze` takes them side
    by side. The result is the latest snapshot that is consistent, or the latest where none is, in which each
    task that did not wait in the same way in all of them is able to proceed. So a cycle that was put together
    from waits at different moments falls apart. Nothing becomes `certain` by it: what is not in one
    consistent snapshot was never seen at one moment, because waits are known by addresses, which are used
    again.

    Args:
        snapshots: One or more snapshots of one process, in any order.

    Returns:
        The merged snapshot; `capture.moved` counts the tasks that did not stand still.

    Raises:
        SnapshotError: There is none, they are of several processes, or their tasks cannot be compared.
    """
    ordered = sorted(snapshots, key=lambda one: one.capture.start_monotonic)
    if not ordered:
        raise SnapshotError("there is no snapshot to merge", help="pass one at least")
    base = max(ordered, key=lambda one: (one.capture.consistent, one.capture.start_monotonic))
    for one in ordered:
        _check(one, base)
    return free(base, moving(base, ordered))


def moving(base: Snapshot, others: Iterable[Snapshot]) -> list[int]:
    """The tasks of a snapshot that do not wait in the same way in others.

    Args:
        base: The snapshot.
        others: Comparable ones, or `base` itself.

    Returns:
        Ids in `base`, only of tasks that wait.
    """
    keys = {node.id: wait_key(base, node) for node in base.nodes if node.kind == "task" and node.need > 0}
    still = set(keys.values()) - {None}
    for one in others:
        if one is not base:
            still &= {wait_key(one, node) for node in one.nodes if node.kind == "task"}
    return [number for number, key in keys.items() if key not in still]


def _check(one: Snapshot, base: Snapshot) -> None:
    if not same_process(one.process, base.process):
        raise SnapshotError(
            f"these are snapshots of two processes, {_name(one.process)} and {_name(base.process)}",
            help="merge those of each process by themselves; `agraph analyze` takes all of them side by side",
        )
    if one is not base and not comparable(one, base):
        raise SnapshotError(
            f"two snapshots of {_name(base.process)} have no task and no event loop in common",
            help="take them in the same way: those taken from outside do not tell tasks apart",
        )


def _name(process: Process) -> str:
    return f"{process.host}:{process.pid}"


class Standing:
    """Those tasks of a snapshot that wait in the same way in others."""

    def __init__(self, snapshot: Snapshot) -> None:
        """All that wait.

        Args:
            snapshot: The snapshot.
        """
        self._stacks: dict[tuple[Site, ...], int] = {}
        self._of: tuple[object, object] = (None, None)
        self._numbers: dict[int | None, int] = {}
        self._found: dict[tuple[tuple[Any, ...], int], int] = {}
        numbers = cells(snapshot.nodes, "task", "id")
        for (number,), wait in zip(numbers, self._waits(snapshot), strict=True):
            (key, which, *_), _ = wait
            if key is not None and which is not None:
                self._found[wait] = number

    def _waits(self, snapshot: Snapshot) -> Iterator[tuple[tuple[Any, ...], int]]:
        """What tells the wait of each task, as `wait_key`."""
        if self._of != (snapshot.stacks, snapshot.sites):
            self._of = snapshot.stacks, snapshot.sites
            known = self._stacks  # a stack as a number: comparing all its places takes long
            numbers = [
                known.setdefault(_sites(snapshot, at), len(known)) for at in range(len(snapshot.stacks))
            ]
            self._numbers = {**dict(enumerate(numbers)), None: known.setdefault((), len(known))}
        rows = cells(snapshot.nodes, "task", "key", "wait", "name", "type")
        stacks = chain.from_iterable(cells(snapshot.nodes, "task", "stack"))
        return zip(rows, map(self._numbers.__getitem__, stacks), strict=True)

    def keep(self, other: Snapshot) -> None:
        """Keep those that wait in the same way in another snapshot of the process.

        Args:
            other: The snapshot.
        """
        if self._found:
            there = set(self._waits(other))
            self._found = {wait: number for wait, number in self._found.items() if wait in there}

    def ids(self) -> set[int]:
        """The ids of those that are left."""
        return set(self._found.values())


def waits_of(snapshot: Snapshot) -> Mapping[Hashable, Node]:
    """The tasks of a snapshot that wait.

    Args:
        snapshot: The snapshot.

    Returns:
        The tasks by `wait_key`; those without one are left out.
    """
    found = {wait_key(snapshot, node): node for node in snapshot.nodes if node.kind == "task"}
    found.pop(None, None)
    return found
