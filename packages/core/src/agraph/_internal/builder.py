"""A snapshot in the making: ids for objects, rows for nodes and edges, and a list of what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agraph._internal.model import Edge, Node
from agraph._internal.sites import Sites

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from agraph._internal.model import Confidence, EdgeKind, NodeKind

# A tuple's own constructor, for rows made by the hundred thousand: half the time of what NamedTuple writes.
new_row: Any = tuple.__new__

# Enough to see what goes wrong; a thousand times the same sentence helps nobody.
_MAX_ERRORS = 20


class Builder:
    """Gives every object of the application one id, and keeps it alive only while the capture runs.

    Attributes:
        sites: The tables of places and stacks.
        nodes: The rows so far, by id; None where an id is given but the row is not made yet.
        edges: The rows so far.
        waiters: By the id of a node, the nodes with an edge to it. Whoever adds to `edges` adds here too.
        leading: The ids of the nodes other than tasks with an edge to another one; of some tasks too.
        holders: By the id of a lock, semaphore or resource, the nodes that hold it.
        errors: What could not be read.
    """

    def __init__(self) -> None:
        self.sites = Sites()
        self.nodes: list[Node | None] = []
        self.edges: list[Edge] = []
        self.waiters: dict[int, list[int]] = {}
        self.holders: dict[int, list[int]] = {}
        self.leading: set[int] = set()
        self.errors: list[str] = []
        self.ids: dict[Hashable, int] = {}
        self._kept: list[object] = []

    def known(self, thing: object, part: str = "") -> int | None:
        """The id of an object, or of one part of it; None when it has none."""
        return self.ids.get((id(thing), part) if part else id(thing))

    def reserve(self, thing: object, part: str = "") -> int:
        """The id of an object; a new one if it has none, whose row is to be made with `put`."""
        key = (id(thing), part) if part else id(thing)
        number = self.ids.setdefault(key, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(None)
            self._kept.append(thing)
        return number

    def reserve_all(self, things: list[Any]) -> list[int]:
        """New ids for objects that have none yet, each once."""
        first = len(self.nodes)
        numbers = list(range(first, first + len(things)))
        self.ids.update(zip(map(id, things), numbers, strict=True))
        self.nodes += [None] * len(things)
        self._kept += things
        return numbers

    def put(self, number: int, kind: NodeKind, **fields: Any) -> None:  # noqa: ANN401 - fields of Node
        """Make the row of an id."""
        self.nodes[number] = Node(number, kind, **fields)

    def change(self, number: int, **fields: Any) -> None:  # noqa: ANN401 - fields of Node
        """Change some fields of a row."""
        node = self.nodes[number]
        if node is not None:
            self.nodes[number] = node._replace(**fields)

    def open(self, number: int, reason: str) -> None:
        """Take it for possible that somebody unknown frees a node; the first reason stays."""
        node = self.nodes[number]
        if node is not None and not node.open:
            self.nodes[number] = node._replace(open=reason)

    def open_all(self, reason: str) -> None:
        """Take it for possible that somebody unknown frees any of the tasks and threads that wait.

        Those with a deadline are freed anyway.
        """
        for number, node in enumerate(self.nodes):
            if node is not None and node.need and node.timer is None and node.kind in ("task", "thread"):
                self.open(number, reason)

    def edge(
        self,
        waiter: int,
        awaited: int,
        kind: EdgeKind,
        confidence: Confidence = "exact",
        site: int | None = None,
    ) -> None:
        """Add an edge."""
        self.edges.append(new_row(Edge, (waiter, awaited, kind, confidence, site)))
        self.waiters.setdefault(awaited, []).append(waiter)
        self.leading.add(waiter)
        if kind == "held_by":
            self.holders.setdefault(waiter, []).append(awaited)

    def drop_holders(self, numbers: Collection[int]) -> None:
        """Take back who holds some locks, semaphores or resources."""
        self.edges[:] = [edge for edge in self.edges if edge.kind != "held_by" or edge.waiter not in numbers]
        for number in numbers:
            for holder in self.holders.pop(number, ()):
                self.waiters[holder].remove(number)
            self.leading.discard(number)

    def error(self, sentence: str) -> None:
        """Note what could not be read; beyond a bound only that there is more."""
        if len(self.errors) < _MAX_ERRORS:
            self.errors.append(sentence)
        elif len(self.errors) == _MAX_ERRORS:
            self.errors.append("more errors of this kind are left out")
