"""Analyses on their way to another process, in which snapshots go as they are kept.

`pickle` and `copy` alone make plain rows of a snapshot that is put away, and of one that keeps columns.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from agraph._internal.edge_rows import Waits
from agraph._internal.packed import Packed
from agraph._internal.reduction.cycles import Hops, Steps
from agraph._internal.reduction.graph import WaitGraph
from agraph._internal.reduction.picked import Picked
from agraph._internal.rows import Edges, Nodes
from agraph._internal.shelf import Shelf, ShelvedEdges, ShelvedNodes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def carry(thing: object) -> bytes:
    """Pack what another process of the same agraph is to unpack with `carried`.

    Args:
        thing: Snapshots, and what was made of them.

    Returns:
        It as bytes. A snapshot that is put away is so there as well, and nothing of it is read again.
    """
    import copyreg  # noqa: PLC0415 - only here, as below
    import io  # noqa: PLC0415
    import pickle  # noqa: PLC0415

    into = io.BytesIO()
    pickler = pickle.Pickler(into, protocol=5)
    pickler.dispatch_table = {**copyreg.dispatch_table, **_AS_KEPT}
    pickler.dump(thing)
    return into.getvalue()


def carried(data: bytes) -> Any:  # noqa: ANN401 - whatever was packed
    """Unpack what `carry` packed.

    Args:
        data: The bytes, from a process that may run code here: they are a pickle.

    Returns:
        What was packed.
    """
    import pickle  # noqa: PLC0415 - only here

    return pickle.loads(data)  # noqa: S301 - as the docstring says


def _shelf(shelf: Shelf) -> tuple[Any, ...]:
    file = shelf._file if shelf._packed else zlib.compress(shelf._file, 1)
    return Shelf.of_packed, (file, shelf._read, shelf.words)


def _nodes(nodes: ShelvedNodes) -> tuple[Any, ...]:
    return ShelvedNodes.again, (nodes.shelf, nodes._kinds, nodes.loops, nodes._starts)


def _graph(graph: WaitGraph) -> tuple[Any, ...]:
    edges = Waits(graph.waiter, graph.awaited, graph.source, graph.spans)
    return WaitGraph, (graph.snapshot, graph.need, graph.timers, edges, graph.gates)


def _packed(column: Packed) -> tuple[Any, ...]:
    return _packed_again, (column.text, column._read, len(column), column._flat)


def _packed_again(text: bytes, read: Callable[[Any], Any], size: int, flat: bool) -> Packed:
    return Packed(text, read, size, flat=flat)


def _steps_again(graph: WaitGraph, path: Sequence[int]) -> Steps:
    return Steps(Hops.single(graph), path)


_AS_KEPT: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    Shelf: _shelf,
    ShelvedNodes: _nodes,
    ShelvedEdges: lambda edges: (ShelvedEdges.again, (edges.shelf, edges._starts)),
    Nodes: lambda nodes: (Nodes, (nodes.tables,)),
    Edges: lambda edges: (Edges, (edges.groups,)),
    Packed: _packed,
    WaitGraph: _graph,
    Picked: lambda picked: (Picked, (picked.nodes, picked.positions)),
    Steps: lambda steps: (_steps_again, (steps.graph, steps.path)),
}
