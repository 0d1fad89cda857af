"""`agraph analyze --format mermaid`: a picture that Markdown shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agraph_cli.report.picture import picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.analysis.model import Analysis
    from agraph_cli.report.picture import Arrow, Box
    from agraph_cli.report.style import Style

_LOOKS = {
    "certain": "fill:#fbd5d5,stroke:#a11212,stroke-width:2px,color:#000",
    "possible": "fill:#fdeccb,stroke:#8a5a00,stroke-dasharray:6 3,color:#000",
    "stalled": "fill:#e5e0f7,stroke:#4f3a9c,stroke-dasharray:2 2,color:#000",
    "live": "fill:#e3f1e3,stroke:#2c6b2f,color:#000",
}
# Mermaid finds its own syntax, Markdown and HTML in labels: all but these becomes a character code.
_PLAIN = re.compile(r"[^\w .,:/()\[\]@=+-]")


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """The picture as a Mermaid flowchart.

    Args:
        analysis: The analysis of one or more snapshots.
        style: How text looks; its `limit` is the number of boxes.

    Yields:
        Lines without line ends.
    """
    shown = picture(analysis, style)
    yield "flowchart LR"
    yield f"  accTitle: {_coded(shown.title.replace(';', ','))}"
    if not shown.boxes or shown.left_out:
        yield f'  note["{_coded(shown.left_out or shown.title)}"]'
    for box in shown.boxes:
        yield f"  {box.key}{_box(box)}:::{box.verdict}"
    for arrow in shown.arrows:
        yield f"  {arrow.waiter} {_arrow(arrow)} {arrow.awaited}"
    for verdict in dict.fromkeys(box.verdict for box in shown.boxes):
        yield f"  classDef {verdict} {_LOOKS[verdict]}"


def _box(box: Box) -> str:
    label = "<br/>".join(filter(None, (_coded(box.label), _coded(box.place))))
    return f'["{label}"]' if box.kind == "task" else f'(["{label}"])'


def _arrow(arrow: Arrow) -> str:
    line = "-.->" if arrow.inferred else "==>" if arrow.core else "-->"
    return f"{line}|{arrow.kind.replace('_', ' ')}|"


def _coded(text: str) -> str:
    return _PLAIN.sub(lambda match: f"#{ord(match[0])};", text)
