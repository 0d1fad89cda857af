"""Rows that are kept as columns: a snapshot of a million tasks is judged without an object for each.

A table looks like the tuple of its rows, which are made when they are asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, chain, compress, repeat
from operator import is_not, ne
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, TypeVar, overload

from agraph._internal.model import Edge, Node
from agraph._internal.packed import Packed

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from agraph._internal.model import Confidence, EdgeKind, NodeKind

_Row = TypeVar("_Row", bound=tuple[Any, ...])
_DEFAULTS = Node._field_defaults
_NUMBERS = {int: "q", float: "d"}


class NodeTable(NamedTuple):
    """The nodes of one kind: a column for each field that has other values than its default."""

    kind: NodeKind
    size: int
    columns: Mapping[str, Sequence[Any]]

    def free(self, freed: Container[int]) -> NodeTable:
        """The same table with some nodes, by id, in need of nothing."""
        marks = list(map(freed.__contains__, self.columns["id"]))
        if not any(marks):
            return self
        state, changed = "ready" if self.kind == "task" else "running", dict(self.columns)
        for name, value in (("state", state), ("need", 0)):
            before = self.columns.get(name) or repeat(_DEFAULTS[name])
            changed[name] = [value if mark else one for mark, one in zip(marks, before, strict=False)]
        return self._replace(columns=changed)


class EdgeGroup(NamedTuple):
    """The edges of one kind and confidence, as columns.

    `site` is None where no edge has one; `largest` are the largest ids in `waiter` and in `awaited`.
    """

    kind: EdgeKind
    confidence: Confidence
    waiter: Sequence[int]
    awaited: Sequence[int]
    site: Sequence[int | None] | None
    largest: tuple[int, int] | None = None


def compact(values: list[Any], kinds: set[type]) -> Sequence[Any]:
    """The same values in less memory, where all are whole numbers or all are not whole."""
    code = _NUMBERS.get(next(iter(kinds))) if len(kinds) == 1 else None
    if code is None:
        return values
    try:
        return array(code, values)
    except OverflowError:
        return values


# The rows of short parts that were asked for last: kept for a moment, since a thousand snapshots of a hundred
# tasks would take several times the memory of their columns.
_LATEST: dict[tuple[int, int], tuple[Any, list[Any]]] = {}
_SHORT, _MOST_LATEST = 500, 16


class _Rows(Sequence[_Row]):
    """What a tuple of the rows would be: parts one after the other, each of columns."""

    __slots__ = ("_kind", "_known", "_starts")

    def __init__(self, kind: type[_Row], sizes: list[int]) -> None:
        self._start(kind, sizes)
        self._known: dict[int, list[Any]] = {}

    def _start(self, kind: type[_Row], sizes: list[int]) -> None:
        self._kind = kind
        self._starts = [0, *accumulate(sizes)]

    def _columns(self, part: int) -> list[Any]:
        """For each field of a row the column, or `repeat` of the one value."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Row]: ...
    def __getitem__(self, index: int | slice) -> _Row | Sequence[_Row]:
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(len(self))))
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = bisect_right(self._starts, index) - 1
        at = index - self._starts[part]
        if self._starts[part + 1] - self._starts[part] <= _SHORT:
            return self._made(part)[at]
        if part not in self._known:
            self._known[part] = self._columns(part)
        cells = [next(one) if type(one) is repeat else one[at] for one in self._known[part]]
        return tuple.__new__(self._kind, cells)

    def __iter__(self) -> Iterator[_Row]:
        return chain.from_iterable(map(self.part, range(len(self._starts) - 1)))

    def _made(self, part: int) -> list[_Row]:
        """All rows of a short part: making them at once takes as long as making five of them one by one."""
        key = (id(self), part)
        made = _LATEST.get(key)
        if made is None or made[0] is not self:
            if len(_LATEST) >= _MOST_LATEST:
                _LATEST.clear()
            made = _LATEST[key] = (self, list(self.part(part)))
        rows: list[_Row] = made[1]
        return rows

    def part(self, part: int) -> Iterator[_Row]:
        """The rows of one part."""
        if self._starts[part + 1] == self._starts[part]:
            return iter(())
        # One column at least is no endless `repeat`: the ids of nodes, the ends of edges.
        return map(tuple.__new__, repeat(self._kind), zip(*self._columns(part), strict=False))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, _Rows)):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


class Nodes(_Rows[Node]):
    """The nodes of a snapshot that was read."""

    __slots__ = ("_positions", "tables")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _TABLES.add(cls)

    def __init__(self, tables: list[NodeTable]) -> None:
        super().__init__(Node, [table.size for table in tables])
        self.tables = tables
        self._positions: Mapping[int, int] | Sequence[int] | None = None

    def positions(self) -> Mapping[int, int] | Sequence[int]:
        """See `positions_of`."""
        if self._positions is None:
            self._positions = _positions([table.columns["id"] for table in self.tables], len(self))
        return self._positions

    def free(self, freed: frozenset[int]) -> Nodes:
        """The same nodes, some of them, by id, in need of nothing."""
        return Nodes([table.free(freed) for table in self.tables])

    def cells_at(self, position: int, names: Iterable[str]) -> tuple[Any, ...]:
        """See `cells_at`."""
        part = bisect_right(self._starts, position) - 1
        at, (kind, _, columns) = position - self._starts[part], self.tables[part]
        return tuple(
            [
                columns[name][at] if name in columns else kind if name == "kind" else _DEFAULTS[name]
                for name in names
            ]
        )

    def values_in(self, name: str, word: str) -> list[tuple[int, Any]]:
        """See `values_in`."""
        found: list[tuple[int, Any]] = []
        for start, values in self._given(name):
            if not (word and isinstance(values, Packed) and not values.mentions(word)):
                read = list(values)
                found += compress(enumerate(read, start), _differ(name, read))
        return found

    def set_in(self, name: str) -> list[int]:
        """See `set_in`."""
        found: list[int] = []
        for start, values in self._given(name):
            found += compress(range(start, start + len(values)), _differ(name, values))
        return found

    def _given(self, name: str) -> Iterator[tuple[int, Sequence[Any]]]:
        """The columns of a field, each with the position of its first node."""
        for start, table in zip(self._starts, self.tables, strict=False):
            if name in table.columns:
                yield start, table.columns[name]

    def kinds(self) -> Sequence[str]:
        """The kind of each part."""
        return [table.kind for table in self.tables]

    def spans(self, kind: str) -> list[range]:
        """See `spans_of`."""
        starts = self._starts
        found = [range(*starts[at : at + 2]) for at, one in enumerate(self.kinds()) if one == kind]
        return list(filter(None, found))

    def _columns(self, part: int) -> list[Any]:
        kind, _, columns = self.tables[part]
        values = {"kind": repeat(kind), **columns}
        return [values.get(name) or repeat(_DEFAULTS.get(name)) for name in Node._fields]

    def count_names(self, kind: str, name: str) -> int:
        """How many nodes of a kind have a name."""
        return sum(
            table.columns["name"].count(name)
            for table in self.tables
            if table.kind == kind and "name" in table.columns
        )


_TABLES: set[type] = {Nodes}


def in_columns(nodes: Sequence[Node]) -> TypeGuard[Nodes]:
    """Whether nodes are columns. `isinstance` takes ten times as long, as the class is an abstract one."""
    return type(nodes) in _TABLES


class Edges(_Rows[Edge]):
    """The edges of a snapshot that was read."""

    __slots__ = ("groups",)

    def __init__(self, groups: list[EdgeGroup]) -> None:
        super().__init__(Edge, [len(group.waiter) for group in groups])
        self.groups = groups

    def _columns(self, part: int) -> list[Any]:
        group = self.groups[part]
        site = repeat(None) if group.site is None else group.site
        return [group.waiter, group.awaited, repeat(group.kind), repeat(group.confidence), site]


def rows_at(nodes: Sequence[Node], positions: Iterable[int]) -> dict[int, Node]:
    """Some nodes, made together: what is read of their columns is not kept.

    Args:
        nodes: The nodes of a snapshot.
        positions: Which of them.

    Returns:
        The nodes by position.
    """
    wanted = sorted(set(positions))
    if not isinstance(nodes, Nodes):
        return {position: nodes[position] for position in wanted}
    found: dict[int, Node] = {}
    start = at = 0
    for part, table in enumerate(nodes.tables):
        end = bisect_left(wanted, start + table.size, at)
        inside, at = wanted[at:end], end
        if inside:
            offsets = [position - start for position in inside]
            cells = [one if type(one) is repeat else _values_at(one, offsets) for one in nodes._columns(part)]
            found.update(
                zip(inside, map(tuple.__new__, repeat(Node), zip(*cells, strict=False)), strict=True)
            )
        start += table.size
    return found


def _values_at(values: Sequence[Any], offsets: list[int]) -> list[Any]:
    if isinstance(values, Packed):
        return values.some(offsets)
    return [values[offset] for offset in offsets]


def column(nodes: Sequence[Node], name: str) -> list[Any]:
    """One field of all nodes, without making the nodes.

    Args:
        nodes: The nodes of a snapshot.
        name: A field of `Node`.

    Returns:
        A new list, in the order of the nodes.
    """
    if not in_columns(nodes):
        field = Node._fields.index(name)
        return [node[field] for node in nodes]
    found: list[Any] = []
    for table in nodes.tables:
        if name == "kind":
            found += [table.kind] * table.size
        elif name in table.columns:
            found += table.columns[name]
        else:
            found += [_DEFAULTS[name]] * table.size
    return found


def values_in(nodes: Sequence[Node], name: str, word: str = "") -> list[tuple[int, Any]]:
    """The nodes with something other than the default in a field.

    Args:
        nodes: The nodes of a snapshot.
        name: A field of `Node` that has a default.
        word: Values without this word may be left out.

    Returns:
        Pairs of the position and the value, in order.
    """
    if not in_columns(nodes):
        field, default = Node._fields.index(name), _DEFAULTS[name]
        return [(position, node[field]) for position, node in enumerate(nodes) if node[field] != default]
    return nodes.values_in(name, word)


def set_in(nodes: Sequence[Node], name: str) -> list[int]:
    """The positions of the nodes with something other than the default in a field, in order."""
    if not in_columns(nodes):
        return [position for position, _ in values_in(nodes, name)]
    return nodes.set_in(name)


def _differ(name: str, values: Iterable[Any]) -> Iterator[bool]:
    """For each value of a field, whether it is something other than the default."""
    default = _DEFAULTS[name]
    return map(is_not if default is None else ne, values, repeat(default))


def of_kind(nodes: Sequence[Node], kind: NodeKind) -> list[int]:
    """The positions of the nodes of a kind.

    Args:
        nodes: The nodes of a snapshot.
        kind: One of `NODE_KINDS`.

    Returns:
        The positions, in order.
    """
    if not in_columns(nodes):
        return [position for position, node in enumerate(nodes) if node.kind == kind]
    return list(chain.from_iterable(spans_of(nodes, kind)))


def spans_of(nodes: Sequence[Node], kind: NodeKind) -> list[range]:
    """Where the nodes of a kind are.

    Args:
        nodes: The nodes of a snapshot.
        kind: One of `NODE_KINDS`.

    Returns:
        Ranges of positions, in order, none of them empty.
    """
    if not in_columns(nodes):
        return [range(position, position + 1) for position in of_kind(nodes, kind)]
    return nodes.spans(kind)


def cells(nodes: Sequence[Node], kind: NodeKind, *names: str) -> Iterator[tuple[Any, ...]]:
    """Some fields of the nodes of a kind, without making the nodes.

    Args:
        nodes: The nodes of a snapshot.
        kind: One of `NODE_KINDS`.
        names: Fields of `Node`.

    Returns:
        A tuple of these fields for each node, in order.
    """
    if not in_columns(nodes):
        fields = list(map(Node._fields.index, names))
        return (tuple([node[field] for field in fields]) for node in nodes if node.kind == kind)
    tables = [table for table in nodes.tables if table.kind == kind and table.size]
    return chain.from_iterable(
        zip(
            *[table.columns.get(name) or repeat(_DEFAULTS.get(name), table.size) for name in names],
            strict=True,
        )
        for table in tables
    )


def cells_at(nodes: Sequence[Node], positions: Iterable[int], *names: str) -> Iterator[tuple[Any, ...]]:
    """Some fields of some nodes, without making the nodes where their columns are there.

    Args:
        nodes: The nodes of a snapshot.
        positions: Which of them.
        names: Fields of `Node`.

    Returns:
        A tuple of these fields for each position.
    """
    if not in_columns(nodes):
        fields = list(map(Node._fields.index, names))
        return (tuple([nodes[position][field] for field in fields]) for position in positions)
    return (nodes.cells_at(position, names) for position in positions)


def positions_of(nodes: Sequence[Node]) -> Mapping[int, int] | Sequence[int]:
    """Where the node with an id is.

    Args:
        nodes: The nodes of a snapshot.

    Returns:
        Positions by id: a mapping, or a sequence where the ids of a file count from 0 without a gap.
    """
    if in_columns(nodes):
        return nodes.positions()
    return {node.id: position for position, node in enumerate(nodes)}


class Places(Sequence[int]):
    """Where the node with an id is, for ids that are 0 to their number less one in any order.

    Attributes:
        start: Ids below this are positions themselves.
    """

    __slots__ = ("_rest", "start")

    def __init__(self, start: int, rest: Sequence[int]) -> None:
        """Take the positions of the ids from `start` on."""
        self.start = start
        self._rest = rest

    def __len__(self) -> int:
        return self.start + len(self._rest)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return self.of(range(len(self))[index])
        return index if index < self.start else self._rest[index - self.start]

    def of(self, ids: Sequence[int]) -> array[int]:
        """The positions of some ids."""
        start, rest = self.start, self._rest
        return array("q", [number if number < start else rest[number - start] for number in ids])


_NOWHERE = b"\xff" * 8  # as a position: -1


def _positions(ids: list[Sequence[int]], size: int) -> Mapping[int, int] | Sequence[int]:
    in_place = start = 0  # how many of the first columns count from 0 on, and how far they come
    for one in ids:
        if type(one) is not range or one.start != start:
            break
        in_place, start = in_place + 1, one.stop
    others = ids[in_place:]
    if not others:
        return range(size)
    if all(map(partial(_is_between, start, size), others)):
        rest = array("q", _NOWHERE * (size - start))
        first = start
        for one in others:
            for position, number in enumerate(one, first):
                rest[number - start] = position
            first += len(one)
        # No position has that many bits, so the bytes of two of them never look like this.
        if _NOWHERE not in rest.tobytes():
            return Places(start, rest)
    return {number: position for position, number in enumerate(chain.from_iterable(ids))}


def _is_between(least: int, end: int, ids: Sequence[int]) -> bool:
    if type(ids) is range:
        return least <= ids.start and ids.stop <= end
    return min(ids, default=least) >= least and max(ids, default=0) < end
