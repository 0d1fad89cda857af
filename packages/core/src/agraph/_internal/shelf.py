"""Short snapshots that were read, put away: each keeps its file, and its columns for a moment only.

Ten thousand snapshots of a hundred tasks take 57 kB each as columns, and 10 kB or, compressed, 4 like this.
Whoever goes through them one after the other, as an analysis and a report do, has the columns of each read
again once or twice.
"""

from __future__ import annotations

import zlib
from itertools import chain, repeat, starmap
from operator import is_, is_not
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from agraph._internal.model import Edge, Node
from agraph._internal.rows import EdgeGroup, Edges, Nodes, NodeTable, cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agraph._internal.model import Capture, NodeKind, Process, Site

# A time series is gone through in pairs of one snapshot and the next.
_MOST_AT_HAND = 4

# So many bytes of files are kept as they are, since compressing one takes half the time of reading it.
_MOST_PLAIN = 100_000_000
_kept_plain = 0


# What is looked for in the details of nodes: few snapshots have any of it.
_WORDS = frozenset({"trace_id", "parent", "TaskGroup"})
_KEPT_WORDS: dict[frozenset[str], frozenset[str]] = {}


class Columns(NamedTuple):
    """The columns of a snapshot.

    Attributes:
        tables: Of its nodes.
        groups: Of its edges.
        notes: What others found out about it, by name; it is gone when the columns are.
    """

    tables: list[NodeTable]
    groups: list[EdgeGroup]
    notes: dict[str, Any]


class Typed(Protocol):
    """A document as a reader that knows the types of the format returns it.

    Its parts may be those of other documents too. Seconds are within the range that `checks` allows.
    """

    @property
    def format(self) -> str:
        """The word in the document."""

    @property
    def version(self) -> int:
        """The number in it."""

    @property
    def agraph(self) -> str:
        """Who wrote it."""

    @property
    def process(self) -> Process:
        """The record."""

    @property
    def capture(self) -> Capture:
        """The record."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """The places."""

    @property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        """Lists of indices that are 0 or more."""

    @property
    def nodes(self) -> Mapping[Any, dict[str, list[Any]]]:
        """For each kind the columns, of which `id` is always there."""

    @property
    def edges(self) -> Sequence[tuple[Any, Any, list[int], list[int], list[int | None] | None]]:
        """For each group kind, confidence, waiters, awaited, and sites or None."""


# The columns that say who can go on. Of timers, it only counts who has one.
_DECIDING = ("id", "need", "loop", "open", "exc", "detail")


def have_one_graph(one: Columns, other: Columns) -> bool:
    """Whether two snapshots differ in nothing that decides who can go on; False is not sure.

    Most of a process that hangs do: what differs is when waits began and end, or which waits these are.
    Columns count as the same where they are one object, because they were read once for both.
    """
    if len(one.tables) != len(other.tables) or len(one.groups) != len(other.groups):
        return False
    tables, groups = zip(one.tables, other.tables, strict=True), zip(one.groups, other.groups, strict=True)
    return all(_wait_alike(*pair) for pair in tables) and all(
        group[:2] == there[:2] and all(map(is_, group[2:], there[2:])) for group, there in groups
    )


def _wait_alike(one: NodeTable, other: NodeTable) -> bool:
    mine, theirs = one.columns, other.columns
    if one.kind != other.kind or not all(map(is_, map(mine.get, _DECIDING), map(theirs.get, _DECIDING))):
        return False
    timers, timers_there = mine.get("timer", ()), theirs.get("timer", ())
    return timers is timers_there or _are_set(timers) == _are_set(timers_there)


def _are_set(values: Sequence[object]) -> list[bool]:
    return list(map(is_not, values, repeat(None)))


def columns(document: Typed) -> Columns:
    """The columns of a document, as rows take them."""
    tables = [NodeTable(kind, len(table["id"]), table) for kind, table in document.nodes.items()]
    return Columns(tables, list(starmap(EdgeGroup, document.edges)), {})


def _words(found: Columns) -> Iterator[str]:
    for table in found.tables:
        details = [detail for detail in table.columns.get("detail", ()) if detail]
        for fact in set(chain.from_iterable(details)):
            if fact == "made_by":
                yield from _WORDS.intersection([detail.get("made_by") for detail in details])
            elif fact in _WORDS:
                yield fact


class Shelf:
    """One snapshot that is put away.

    Attributes:
        words: Those of `_WORDS` that can be in it.
    """

    __slots__ = ("_file", "_packed", "_read", "words")

    def __init__(self, file: bytes, read: Callable[[bytes], Typed], found: Columns) -> None:
        """Put it away.

        Args:
            file: The JSON.
            read: Reads it.
            found: The columns of what it returned.
        """
        global _kept_plain  # noqa: PLW0603 - one number for all of them
        words = frozenset(_words(found))
        self.words: frozenset[str] = _KEPT_WORDS.setdefault(words, words)
        self._file, self._packed = file, _kept_plain >= _MOST_PLAIN
        if self._packed:
            self._file = zlib.compress(file, 1)
        else:
            _kept_plain += len(file)
        self._read = read
        _keep(self, found)

    @classmethod
    def of_packed(cls, file: bytes, read: Callable[[bytes], Typed], words: frozenset[str]) -> Shelf:
        """One that another process put away: its compressed file, and what it found there."""
        self = cls.__new__(cls)
        self._file, self._packed, self._read = file, True, read
        self.words = _KEPT_WORDS.setdefault(words, words)
        return self

    def columns(self) -> Columns:
        """The columns; read again unless they are at hand."""
        found = _AT_HAND.get(self)
        if found is None:
            found = columns(self._read(zlib.decompress(self._file) if self._packed else self._file))
            _keep(self, found)
        return found

    def alike(self, name: str) -> Any:  # noqa: ANN401 - what somebody made
        """What was noted about one at hand that has the same graph; None without such a note."""
        mine = self.columns()
        for found in _AT_HAND.values():
            if name in found.notes and have_one_graph(mine, found):
                return found.notes[name]
        return None


class _Freed(Shelf):
    """One of which some nodes are in need of nothing."""

    __slots__ = ("_base", "_ids")

    def __init__(self, base: Shelf, ids: frozenset[int]) -> None:
        self._base = base
        self._ids = ids
        self.words = base.words

    def columns(self) -> Columns:
        found = _AT_HAND.get(self)
        if found is None:
            tables, groups, _ = self._base.columns()
            found = Columns([table.free(self._ids) for table in tables], groups, {})
            _keep(self, found)
        return found


_AT_HAND: dict[Shelf, Columns] = {}


def _keep(shelf: Shelf, found: Columns) -> None:
    while len(_AT_HAND) >= _MOST_AT_HAND:
        del _AT_HAND[next(iter(_AT_HAND))]
    _AT_HAND[shelf] = found


_LOOPS: dict[frozenset[Any], frozenset[Any]] = {}


class ShelvedNodes(Nodes):
    """The nodes of a snapshot that is put away.

    Attributes:
        shelf: Where they are.
        loops: Key, name and type of each loop that has a key.
    """

    __slots__ = ("_kinds", "loops", "shelf")

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        loops = frozenset(row for row in cells(self, "loop", "key", "name", "type") if row[0] is not None)
        self.loops = _LOOPS.setdefault(loops, loops)  # the same in all snapshots of a process
        self._kinds = tuple(table.kind for table in self.tables)
        self._start(Node, [table.size for table in self.tables])

    @classmethod
    def again(
        cls, shelf: Shelf, kinds: tuple[NodeKind, ...], loops: frozenset[Any], starts: list[int]
    ) -> ShelvedNodes:
        """The nodes on a shelf that another process has looked through."""
        self = cls.__new__(cls)
        self.shelf, self._kinds = shelf, kinds
        self.loops = _LOOPS.setdefault(loops, loops)
        self._kind, self._starts = Node, starts
        return self

    def kinds(self) -> Sequence[str]:
        return self._kinds

    def values_in(self, name: str, word: str) -> list[tuple[int, Any]]:
        if word in _WORDS and word not in self.shelf.words:
            return []
        notes = self.shelf.columns().notes
        if name not in notes:
            notes[name] = super().values_in(name, "")
        found: list[tuple[int, Any]] = notes[name]
        return found

    def free(self, freed: frozenset[int]) -> Nodes:
        return ShelvedNodes(_Freed(self.shelf, freed))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)

    @property
    def tables(self) -> list[NodeTable]:  # type: ignore[override]
        return (_AT_HAND.get(self.shelf) or self.shelf.columns()).tables

    @property
    def _known(self) -> dict[int, list[Any]]:  # type: ignore[override]
        known: dict[int, list[Any]] = self.shelf.columns().notes.setdefault("nodes", {})
        return known

    def positions(self) -> Mapping[int, int]:
        notes = self.shelf.columns().notes
        if "positions" not in notes:
            ids = chain.from_iterable([table.columns["id"] for table in self.tables])
            notes["positions"] = dict(zip(ids, range(len(self)), strict=True))
        found: Mapping[int, int] = notes["positions"]
        return found


class ShelvedEdges(Edges):
    """The edges of a snapshot that is put away."""

    __slots__ = ("shelf",)

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._start(Edge, [len(group.waiter) for group in self.groups])

    @classmethod
    def again(cls, shelf: Shelf, starts: list[int]) -> ShelvedEdges:
        """The edges on a shelf that another process has looked through."""
        self = cls.__new__(cls)
        self.shelf, self._kind, self._starts = shelf, Edge, starts
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)

    @property
    def groups(self) -> list[EdgeGroup]:  # type: ignore[override]
        return self.shelf.columns().groups

    @property
    def _known(self) -> dict[int, list[Any]]:  # type: ignore[override]
        known: dict[int, list[Any]] = self.shelf.columns().notes.setdefault("edges", {})
        return known
