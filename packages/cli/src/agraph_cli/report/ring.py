"""A cycle of waits as a drawing (SVG): boxes around an ellipse, an arrow for each wait."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from agraph_cli.report.picture import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Boxes in pixels, and how many fit around one ellipse.
_WIDTH, _HEIGHT = 240, 44
MOST = 16
# Of a name, in letters of 13 pixels; of a place, whose letters of 11 pixels are 6.7 wide (`.place` in
# html_parts.py), so many fit between the round ends of a box.
_LETTERS, _LETTERS_OF_PLACE = 26, 32


class Bead(NamedTuple):
    """One node of a cycle and the wait that leads on from it; texts are safe to print, not yet escaped."""

    label: str
    place: str
    kind: str
    edge: str
    inferred: bool


def ring(beads: Sequence[Bead], title: str, more: int = 0) -> Iterator[str]:
    """Draw a cycle.

    Args:
        beads: Its nodes in order, each waiting for the next, the last for the first; of a cycle of more than
            `MOST`, only the first ones and the last. A box then says how many there are more than fit.
        title: What the drawing says, for those who cannot see it.
        more: How many nodes of the cycle are not among the beads.

    Yields:
        Lines of an `svg` element.
    """
    left_out = len(beads) + more - MOST + 1 if len(beads) + more > MOST else 0
    if left_out:
        beads = [*beads[: MOST - 1], Bead(f"... {left_out} more", "", "task", beads[-1].edge, False)]
    count = len(beads)
    radius_x = 160 + 34 * count
    radius_y = 55 + 16 * count
    width, height = 2 * radius_x + _WIDTH + 20, 2 * radius_y + _HEIGHT + 40
    places = [
        _place(number / count, (radius_x, radius_y), (width, height), alone=count == 1)
        for number in range(count)
    ]
    yield (
        f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<title>{escape(title)}</title>"
    )
    for number, bead in enumerate(beads):
        yield from _arrow(places[number], places[(number + 1) % count], bead, alone=count == 1)
    for bead, (x, y) in zip(beads, places, strict=True):
        yield from _box(bead, x, y)
    yield "</svg>"


def _place(part: float, radius: tuple[int, int], size: tuple[int, int], *, alone: bool) -> tuple[int, int]:
    """The middle of the box at some part of the way around; the first is on the left, then clockwise."""
    if alone:
        return round(size[0] / 2), round(size[1] / 2)
    angle = math.pi + 2 * math.pi * part
    return round(size[0] / 2 + radius[0] * math.cos(angle)), round(size[1] / 2 + radius[1] * math.sin(angle))


def _box(bead: Bead, x: int, y: int) -> Iterator[str]:
    round_corners = 4 if bead.kind == "task" else 22
    yield (
        f'<g class="box"><title>{escape(bead.label)} {escape(bead.place)}</title>'
        f'<rect x="{x - _WIDTH // 2}" y="{y - _HEIGHT // 2}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'rx="{round_corners}"/>'
    )
    above = 4 if bead.place else -5
    yield f'<text x="{x}" y="{y - above}" class="name">{escape(shortened(bead.label, _LETTERS))}</text>'
    if bead.place:
        yield f'<text x="{x}" y="{y + 14}" class="place">{escape(_end(bead.place))}</text>'
    yield "</g>"


def _end(place: str) -> str:
    """Of a long place the end: the file's own name and the line are there."""
    return place if len(place) <= _LETTERS_OF_PLACE else f"...{place[3 - _LETTERS_OF_PLACE :]}"


def _arrow(start: tuple[int, int], end: tuple[int, int], bead: Bead, *, alone: bool) -> Iterator[str]:
    look = ' class="inferred"' if bead.inferred else ""
    if alone:
        x, y = start[0] + _WIDTH // 2, start[1]
        yield f'<path{look} d="M {x} {y - 10} c 60 -30 60 50 0 20" marker-end="url(#tip)"/>'
        yield f'<text x="{x + 20}" y="{y - 28}" class="edge">{escape(bead.edge)}</text>'
        return
    from_x, from_y = _border(start, end)
    to_x, to_y = _border(end, start)
    # Bent outwards a little, so that two boxes that wait for each other have two arrows.
    middle_x, middle_y = (from_x + to_x) / 2, (from_y + to_y) / 2
    bend_x, bend_y = (to_y - from_y) * 0.18, (from_x - to_x) * 0.18
    yield (
        f'<path{look} d="M {from_x} {from_y} Q {middle_x + bend_x:.0f} {middle_y + bend_y:.0f} '
        f'{to_x} {to_y}" marker-end="url(#tip)"/>'
    )
    yield (
        f'<text x="{middle_x + bend_x * 0.75:.0f}" y="{middle_y + bend_y * 0.75:.0f}" class="edge">'
        f"{escape(bead.edge)}</text>"
    )


def _border(inside: tuple[int, int], towards: tuple[int, int]) -> tuple[int, int]:
    """Where the line between two boxes leaves the first."""
    dx, dy = towards[0] - inside[0], towards[1] - inside[1]
    scale = min(
        (_WIDTH / 2 + 4) / abs(dx) if dx else math.inf, (_HEIGHT / 2 + 4) / abs(dy) if dy else math.inf
    )
    scale = min(scale, 1.0)
    return round(inside[0] + dx * scale), round(inside[1] + dy * scale)
