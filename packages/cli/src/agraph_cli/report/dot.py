"""`agraph analyze --format dot`: a picture for Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.report.picture import picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.analysis.model import Analysis
    from agraph_cli.report.picture import Arrow, Box
    from agraph_cli.report.style import Style

# Fill and border. The border's style tells verdicts apart without colour.
_LOOKS = {
    "certain": 'fillcolor="#fbd5d5", color="#a11212", penwidth=2',
    "possible": 'fillcolor="#fdeccb", color="#8a5a00", style="filled,dashed"',
    "stalled": 'fillcolor="#e5e0f7", color="#4f3a9c", style="filled,dotted"',
    "live": 'fillcolor="#e3f1e3", color="#2c6b2f"',
}


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """The picture as a graph in the DOT language.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How text looks; its `limit` is the number of boxes.

    Yields:
        Lines without line ends.
    """
    shown = picture(analysis, style)
    title = "\\n".join(filter(None, (_quoted(shown.title), _quoted(shown.left_out))))
    yield "digraph agraph {"
    yield f'  graph [label="{title}", labelloc=t, rankdir=LR, fontname="sans-serif"];'
    yield '  node [shape=box, style=filled, fontname="sans-serif", fontsize=11];'
    yield '  edge [fontname="sans-serif", fontsize=9, color="#555555"];'
    for box in shown.boxes:
        yield f"  {box.key} [{_box(box)}];"
    for arrow in shown.arrows:
        yield f"  {arrow.waiter} -> {arrow.awaited} [{_arrow(arrow)}];"
    yield "}"


def _box(box: Box) -> str:
    label = "\\n".join(filter(None, (_quoted(box.label), _quoted(box.place))))
    shape = "" if box.kind == "task" else ", shape=ellipse"
    return f'label="{label}", tooltip="{box.verdict}", {_LOOKS[box.verdict]}{shape}'


def _arrow(arrow: Arrow) -> str:
    looks = ', color="#a11212", penwidth=2' if arrow.core else ""
    guessed = ", style=dashed" if arrow.inferred else ""
    return f'label="{arrow.kind.replace("_", " ")}"{looks}{guessed}'


def _quoted(text: str) -> str:
    # Inside double quotes only these two have a meaning (`\N` and the like are escapes of labels).
    return text.replace("\\", "\\\\").replace('"', '\\"')
