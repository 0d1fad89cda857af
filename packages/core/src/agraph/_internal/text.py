"""A snapshot as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph._internal.model import Edge, Node, Snapshot


def format_snapshot(snapshot: Snapshot) -> Iterator[str]:
    """Each task: its state, what it waits for and who holds that, and its stack."""
    nodes = {node.id: node for node in snapshot.nodes}
    edges: dict[int, list[Edge]] = {}
    for edge in snapshot.edges:
        if edge.kind != "structural":
            edges.setdefault(edge.waiter, []).append(edge)
    tasks = snapshot.tasks
    yield f"{len(tasks)} tasks in process {snapshot.process.pid} ({plain(snapshot.process.argv0)})"
    for task in tasks:
        yield ""
        yield f"task {plain(task.name)}: {task.state}"
        for edge in edges.get(task.id, ()):
            yield f"  waits for {_describe(nodes[edge.awaited])}"
            for further in edges.get(edge.awaited, ()):
                verb = "held by" if further.kind == "held_by" else "which waits for"
                yield f"    {verb} {_describe(nodes[further.awaited])}"
        for site in snapshot.stack_of(task):
            yield f"  {plain(site.file)}:{site.line} in {plain(site.function)}"


def _describe(node: Node) -> str:
    kind = node.kind.replace("_", " ")
    return f"{kind} {plain(node.name)}" if node.name else kind


def plain(text: str) -> str:
    """The text with control characters escaped: names come from a process that nobody vouches for."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
