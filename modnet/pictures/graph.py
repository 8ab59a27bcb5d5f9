"""A graph to be drawn: boxes and lines, first without places, then with them."""

from __future__ import annotations

from modnet.records import Record

WIDTH, HEIGHT = 176, 40
"""Of a box, in pixels."""

SIZE = 11
"""Of the texts on lines and of second lines, in pixels; a character is about 0.58 times as wide."""

Point = tuple[float, float]


class Box(Record, eq=False):
    """A box.

    Attributes:
        title, text: its two lines; the second may be empty.
        kind: "input", "node" or "output".
        whole: what it stands for, uncut.
        group: the names of the composites around it, outermost first.
        x, y: its upper left corner.
    """

    title: str
    text: str
    kind: str
    whole: str
    group: tuple[str, ...] = ()
    x: float = 0.0
    y: float = 0.0


class Edge(Record, eq=False):
    """A line from a box to a later one.

    Attributes:
        source, target: the positions of the boxes.
        label: is written on it; may be empty.
        curve: its points: a start, and then three for each piece of a cubic Bezier curve.
        label_at: the middle of the label.
    """

    source: int
    target: int
    label: str
    curve: tuple[Point, ...] = ()
    label_at: Point = (0.0, 0.0)


class Sketch(Record, eq=False):
    """The boxes, of which each comes after those that lead to it, and the lines between them."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


class Placed(Record, eq=False):
    """A sketch in which boxes and lines have their places; in pixels."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def label_width(label: str) -> float:
    """About how wide a label is, in pixels."""
    return 0.58 * SIZE * len(label)
