"""Graphs drawn by hypothesis."""

from hypothesis import strategies as st
from made import snapshot

from agraph import Edge, Node


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, list[int], dict[str, object]]]:
    """For each node: need, the nodes it waits for, escapes."""
    size = draw(st.integers(1, 9))
    rows = []
    for _ in range(size):
        waits = draw(st.lists(st.integers(0, size - 1), max_size=4))
        need = draw(st.integers(0, len(waits) + 1))
        escapes = draw(
            st.fixed_dictionaries(
                {
                    "timer": st.sampled_from([None, None, None, 101.0]),
                    "open": st.sampled_from(["", "", "", "anybody"]),
                    "exc": st.sampled_from([False, False, True]),
                    "on_loop": st.sampled_from([False, False, True]),
                    "probable": st.sampled_from([False, False, False, True]),
                }
            )
        )
        rows.append((need, waits, escapes))
    return rows


def to_snapshot(rows):
    """Node 0 is a loop; the rest are tasks, on that loop where the row says so."""
    nodes, edges = [], []
    for number, (need, waits, escapes) in enumerate(rows):
        kind = "task" if number else "loop"
        loop = 0 if number and escapes["on_loop"] else None
        facts = {key: escapes[key] for key in ("timer", "open", "exc")}
        nodes.append(Node(number, kind, name=f"t{number}", need=need, loop=loop, **facts))
        confidence = "probable" if escapes["probable"] else "exact"
        edges += [Edge(number, to, "await", confidence) for to in waits]
    return snapshot(nodes, edges)
