"""Some of the nodes of a snapshot, made when they are asked for where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, overload

from agraph._internal.rows import column, set_in

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from agraph._internal.model import Node

_Row = TypeVar("_Row")

# As many rows as this are made at once.
FEW = 1_000

_NOTABLE = ("timer", "open", "exc", "detail")


class Made(Sequence[_Row]):
    """What a tuple of rows would be, each made when it is asked for."""

    __slots__ = ("_make", "_size")

    def __init__(self, make: Callable[[int], _Row], size: int) -> None:
        self._make = make
        self._size = size

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Row]: ...
    def __getitem__(self, index: int | slice) -> _Row | Sequence[_Row]:
        if isinstance(index, slice):
            return tuple(map(self._make, range(*index.indices(self._size))))
        if not -self._size <= index < self._size:
            raise IndexError(index)
        return self._make(index % self._size)

    def __iter__(self) -> Iterator[_Row]:
        return map(self._make, range(self._size))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, Made)):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{self._size} rows>"


class Picked(Made["Node"]):
    """Many nodes of a snapshot.

    Attributes:
        nodes: All of its nodes.
        positions: Where these are among them.
    """

    __slots__ = ("nodes", "positions")

    def __init__(self, nodes: Sequence[Node], positions: Sequence[int]) -> None:
        super().__init__(lambda index: nodes[positions[index]], len(positions))
        self.nodes = nodes
        self.positions = positions


def pick(nodes: Sequence[Node], positions: Sequence[int]) -> Sequence[Node]:
    """The nodes at some positions: a tuple of few, or what looks like one of many."""
    if len(positions) > FEW:
        return Picked(nodes, positions)
    return tuple(map(nodes.__getitem__, positions))


def kinds_of(members: Sequence[Node]) -> set[str]:
    """The kinds of some nodes.

    Args:
        members: Nodes, as of a deadlock.

    Returns:
        Each kind that occurs.
    """
    if isinstance(members, Picked):
        return set(map(column(members.nodes, "kind").__getitem__, members.positions))
    return {node.kind for node in members}


def only(members: Sequence[Node], kinds: Container[str]) -> Sequence[Node]:
    """Those of some nodes that are of some kinds, in order.

    Args:
        members: Nodes, as of a deadlock.
        kinds: Some of `NODE_KINDS`.

    Returns:
        The nodes; where they are many, made when they are asked for.
    """
    if not isinstance(members, Picked):
        return tuple(node for node in members if node.kind in kinds)
    kind = column(members.nodes, "kind")
    return pick(members.nodes, [position for position in members.positions if kind[position] in kinds])


def notable(members: Sequence[Node], kinds: Container[str]) -> Sequence[Node]:
    """Those of some nodes that have more to say than that they wait, at least.

    Args:
        members: Nodes, as of a deadlock.
        kinds: Kinds of which all are wanted.

    Returns:
        The nodes of these kinds, and those with a timer, an unknown party, an exception or details, in order.
    """
    if not isinstance(members, Picked):
        return members
    marked = bytearray(map(kinds.__contains__, column(members.nodes, "kind")))
    for name in _NOTABLE:
        for position in set_in(members.nodes, name):
            marked[position] = 1
    return pick(members.nodes, [position for position in members.positions if marked[position]])
