"""From columns whose values have the right types to a snapshot: what is left to check is that they fit.

This is the way of short files, of which there may be ten thousand, through a reader that knows the types.
What does not fit is read again by the codec, which says what is wrong.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from agraph._internal.codec import FORMAT, VERSION
from agraph._internal.model import CONFIDENCES, EDGE_KINDS, NODE_KINDS, Snapshot
from agraph._internal.shelf import Shelf, ShelvedEdges, ShelvedNodes, columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.rows import EdgeGroup, NodeTable
    from agraph._internal.shelf import Columns, Typed


def snapshot(data: bytes, read: Callable[[bytes], Typed]) -> Snapshot | None:
    """Read a short snapshot.

    Args:
        data: JSON.
        read: Reads it, and raises anything where a value has another type than the format says.

    Returns:
        The snapshot, whose columns are put away; None when something does not fit.
    """
    document = read(data)
    found = columns(document)
    if not (_is_version(document) and _are_fine(document, found)):
        return None
    shelf = Shelf(data, read, found)
    return Snapshot(
        document.process,
        document.capture,
        document.sites,
        document.stacks,
        ShelvedNodes(shelf),
        ShelvedEdges(shelf),
        document.agraph,
    )


_KINDS, _EDGE_KINDS = frozenset(NODE_KINDS), frozenset(EDGE_KINDS)


def _is_version(document: Typed) -> bool:
    return document.format == FORMAT and document.version == VERSION


def _are_fine(document: Typed, found: Columns) -> bool:
    size = sum(table.size for table in found.tables)
    ids = list(chain.from_iterable(table.columns["id"] for table in found.tables))
    known: set[int] = set(ids)
    if len(known) < size:
        return False
    stacks, sites = len(document.stacks), len(document.sites)
    return (
        all(_fits(table, known, stacks) for table in found.tables)
        and all(_is_linked(group, known, sites) for group in found.groups)
        and all(max(stack, default=0) < sites for stack in document.stacks)
    )


def _fits(table: NodeTable, known: set[int], stacks: int) -> bool:
    size, columns = table.size, table.columns
    if table.kind not in _KINDS:
        return False
    if set(map(len, columns.values())) != {size}:
        return False
    loops, stack = columns.get("loop"), columns.get("stack")
    if loops is not None and not (different := set(loops)) <= known and not different <= {*known, None}:
        return False
    if stack is not None:
        different = set(stack)
        different.discard(None)
        return not different or max(different) < stacks
    return True


def _is_linked(group: EdgeGroup, known: set[int], sites: int) -> bool:
    size, site = len(group.waiter), group.site
    if group.kind not in _EDGE_KINDS or group.confidence not in CONFIDENCES:
        return False
    if len(group.awaited) != size or not (known.issuperset(group.waiter) and known.issuperset(group.awaited)):
        return False
    if site is None:
        return True
    return len(site) == size and all(index is None or index < sites for index in site)
