"""A placed graph as SVG: boxes, the lines between them with what they carry, and a panel around each composite."""

from __future__ import annotations

from collections.abc import Sequence

from modnet.pictures.graph import HEIGHT, SIZE, WIDTH, Box, Edge, Placed, Point
from modnet.pictures.layout import without_label
from modnet.pictures.palette import FIRST, THIRD
from modnet.pictures.svg import Drawing, escaped, text_at
from modnet.words import legible

PANEL, STRIP, STEP = 6, 16, 4
"""How far a panel reaches beyond its boxes, the width of the strip with its name, and how much an outer one adds."""

STROKES = {"input": FIRST, "output": THIRD, "node": "currentColor"}
"""The colour of the border of each kind of box."""


def graph_drawing(placed: Placed, title: str) -> Drawing:
    """The graph as SVG."""
    panels = _panels(placed.boxes)
    left = -min([0.0, *(x for x, *_ in panels)])
    right = max([placed.width, *(x + width for x, _, width, *_ in panels)])
    above = -min([0.0, *(y for _, y, *_ in panels)])
    below = max([placed.height, *(y + height for _, y, _, height, *_ in panels)])
    parts = [*map(_panel, panels), *map(_edge, placed.edges), *map(_box, placed.boxes)]
    shift = f"translate({left + 1:.1f} {above + 1:.1f})"
    body = f'<g transform="{shift}" font-size="{SIZE}" text-anchor="middle">\n' + "\n".join(parts) + "\n</g>\n"
    return Drawing(body, left + right + 2, above + below + 2, title)


_Panel = tuple[float, float, float, float, str]


def _panels(boxes: Sequence[Box]) -> list[_Panel]:
    """(x, y, width, height, name) of the panel around each composite of several boxes; the outer ones first.

    A composite among whose boxes another one stands has none.
    """
    found: list[_Panel] = []
    levels: dict[frozenset[int], int] = {}
    for inside, name in sorted(_composites(boxes).items(), key=lambda item: len(item[0])):
        levels[inside] = 1 + max((level for inner, level in levels.items() if inner < inside), default=-1)
        panel = _around([boxes[place] for place in inside], levels[inside], name)
        if {place for place, box in enumerate(boxes) if _touches(box, panel)} == inside:
            found.append(panel)
    return found[::-1]


def _composites(boxes: Sequence[Box]) -> dict[frozenset[int], str]:
    """The positions of the boxes of a composite of several -> its name, behind those of others with the same boxes."""
    places: dict[tuple[str, ...], set[int]] = {}
    for place, box in enumerate(boxes):
        for depth in range(len(box.group)):
            places.setdefault(box.group[: depth + 1], set()).add(place)
    names: dict[frozenset[int], str] = {}
    for group in sorted(places, key=len):
        inside = frozenset(places[group])
        if len(inside) > 1:
            names[inside] = f"{names[inside]}.{group[-1]}" if inside in names else group[-1]
    return names


def _touches(box: Box, panel: _Panel) -> bool:
    x, y, width, height, _ = panel
    return x - WIDTH < box.x < x + width and y - HEIGHT < box.y < y + height


def _around(boxes: Sequence[Box], level: int, name: str) -> _Panel:
    """The panel around the boxes of a composite, within which there are so many levels of others."""
    far, strip = PANEL + STEP * level, STRIP + (STRIP + STEP) * level
    across, down = [box.x for box in boxes], [box.y for box in boxes]
    width, height = max(across) - min(across) + WIDTH + strip + far, max(down) - min(down) + HEIGHT + 2 * far
    return min(across) - strip, min(down) - far, width, height, name


def _panel(panel: _Panel) -> str:
    x, y, width, height, name = panel
    middle = y + height / 2
    across, down = x + STRIP - 6, middle
    turned = f"rotate(-90 {across:.1f} {down:.1f})"
    shown = legible(name, max(4, int(height / (0.6 * SIZE))))
    return (
        f'<g><title>{escaped(name)}</title><rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        'rx="8" fill-opacity="0.035" stroke="currentColor" stroke-opacity="0.25"/>'
        + text_at(across, down, shown, transform=turned, opacity=0.75)
        + "</g>"
    )


def _edge(edge: Edge) -> str:
    lines = "".join(map(_path, without_label(edge)))
    (x, y), (to, down) = edge.curve[-2:]
    length = ((to - x) ** 2 + (down - y) ** 2) ** 0.5 or 1.0
    across, along = (to - x) / length, (down - y) / length
    corners = [(to - 6 * across + side * 3.2 * along, down - 6 * along - side * 3.2 * across) for side in (-1, 1)]
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in ((to, down), *corners))
    label = text_at(edge.label_at[0], edge.label_at[1] + 0.35 * SIZE, edge.label, opacity=0.85) if edge.label else ""
    return f'{lines}<polygon points="{points}" fill-opacity="0.6"/>{label}'


def _path(curve: Sequence[Point]) -> str:
    (x, y), *rest = curve
    pieces = " ".join(f"{px:.1f},{py:.1f}" for px, py in rest)
    return f'<path d="M{x:.1f},{y:.1f} C{pieces}" fill="none" stroke="currentColor" stroke-opacity="0.55"/>'


def _box(box: Box) -> str:
    middle = box.x + WIDTH / 2
    border = 'rx="6" stroke-opacity="0.4"' if box.kind == "node" else f'rx="{HEIGHT / 2:.0f}" stroke-width="1.5"'
    rect = (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{WIDTH}" height="{HEIGHT}" fill-opacity="0.06" '
        f'stroke="{STROKES[box.kind]}" {border}/>'
    )
    title = text_at(middle, box.y + (17 if box.text else 24), box.title, size=12, weight=600)
    text = text_at(middle, box.y + 31, box.text, opacity=0.75) if box.text else ""
    return f"<g><title>{escaped(box.whole)}</title>{rect}{title}{text}</g>"
