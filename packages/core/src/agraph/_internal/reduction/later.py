"""What is made of a snapshot that is put away: made again when somebody asks, so that little is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from agraph._internal.reduction.graph import WaitGraph, build
from agraph._internal.shelf import ShelvedNodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.model import Snapshot

_Made = TypeVar("_Made")


def is_put_away(snapshot: Snapshot) -> bool:
    """Whether a snapshot was read from a short file, and has its columns at hand for a moment only."""
    return type(snapshot.nodes) is ShelvedNodes


def at_hand(
    snapshot: Snapshot, name: str, make: Callable[[], _Made], again: Callable[[_Made], _Made] | None = None
) -> _Made:
    """What is made of a snapshot, kept as long as its columns are.

    Args:
        snapshot: One that is put away; of another one nothing is kept.
        name: What it is called.
        make: Makes it.
        again: Makes it of that of another snapshot, which shows the same graph.

    Returns:
        It; the one made before if that is at hand.
    """
    nodes = snapshot.nodes
    if type(nodes) is not ShelvedNodes:
        return make()
    notes = nodes.shelf.columns().notes
    if name not in notes:
        other: _Made | None = nodes.shelf.alike(name) if again else None
        notes[name] = make() if again is None or other is None else again(other)
    found: _Made = notes[name]
    return found


def later(graph: WaitGraph) -> WaitGraph:
    """A graph to keep.

    Args:
        graph: The graph of a snapshot.

    Returns:
        The same; of a snapshot that is put away, one that is built again where it is asked for.
    """
    if not is_put_away(graph.snapshot):
        return graph
    at_hand(graph.snapshot, "graph", lambda: graph)
    return cast("WaitGraph", _Later(graph.snapshot))


class _Later:
    """Has what the graph of a snapshot has."""

    __slots__ = ("snapshot",)

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - an attribute of the graph
        if name.startswith("__"):  # a copier asks for these before there is a snapshot
            raise AttributeError(name)
        snapshot = self.snapshot
        return getattr(at_hand(snapshot, "graph", lambda: build(snapshot)), name)
