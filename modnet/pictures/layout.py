"""Places for the boxes of a graph: in ranks, from the top to the bottom, with lines that pass boxes by.

The order within a rank is that of the mean places of their neighbours: Sugiyama, Tagawa and Toda 1981, "Methods for
Visual Understanding of Hierarchical System Structures". What stands side by side is then moved as little as possible
from where its neighbours would have it, by isotonic regression: Barlow, Bartholomew, Bremner and Brunk 1972.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

from modnet.pictures.graph import HEIGHT, SIZE, WIDTH, Box, Edge, Placed, Point, Sketch, label_width
from modnet.records import Record, fresh

LANE, ACROSS, BESIDE, DOWN = 14, 30, 20, 42
"""In pixels: the width of a line that passes boxes by; the space between boxes, beside such a line, between ranks."""

SWEEPS = 12
"""How often the order and the places of boxes are improved."""

STAYING = 1000.0
"""The weight of the distance of a box from where it is wanted; that of a line that passes by is 1."""

CUTS = 48
"""In how many pieces a curve is looked at, to find where it leaves its label."""


class _Place(Record, frozen=False, eq=False):
    """A box, or a point of a line that passes by the boxes of a rank."""

    number: int
    rank: int
    width: float
    box: Box | None = None
    above: list[_Place] = fresh(factory=list)
    below: list[_Place] = fresh(factory=list)
    centre: float = 0.0

    @property
    def top(self) -> float:
        return self.rank * (HEIGHT + DOWN)


def layered(sketch: Sketch) -> Placed:
    """The sketch with places."""
    places, ways = _places(sketch)
    ranks: list[list[_Place]] = [[] for _ in range(1 + max(place.rank for place in places))]
    for place in places:
        ranks[place.rank].append(place)
    _arrange(ranks)
    left = min(place.centre - place.width / 2 for place in places)
    for place in places:
        place.centre -= left
    boxes = tuple(p.box.replace(x=p.centre - WIDTH / 2, y=p.top) for p in places if p.box is not None)
    edges = tuple(_placed(edge, way) for edge, way in zip(sketch.edges, ways, strict=True))
    return Placed(boxes, edges, _right_end(places, edges), len(ranks) * (HEIGHT + DOWN) - DOWN)


def _right_end(places: Sequence[_Place], edges: Sequence[Edge]) -> float:
    ends = [place.centre + place.width / 2 for place in places]
    return max(*ends, *(edge.label_at[0] + label_width(edge.label) / 2 for edge in edges))


def _places(sketch: Sketch) -> tuple[list[_Place], list[list[_Place]]]:
    """The boxes in their ranks and the points where a line passes ranks by; and for each line the places on its way."""
    ranks = [0] * len(sketch.boxes)
    for edge in sketch.edges:  # in order, so that a source has its rank
        ranks[edge.target] = max(ranks[edge.target], ranks[edge.source] + 1)
    places = [_Place(number, ranks[number], WIDTH, box) for number, box in enumerate(sketch.boxes)]
    ways = []
    for edge in sketch.edges:
        way = [places[edge.source]]
        for rank in range(ranks[edge.source] + 1, ranks[edge.target]):
            way.append(_Place(len(places), rank, LANE))
            places.append(way[-1])
        way.append(places[edge.target])
        for above, below in pairwise(way):
            above.below.append(below)
            below.above.append(above)
        ways.append(way)
    return places, ways


def _arrange(ranks: Sequence[list[_Place]]) -> None:
    """Sorts each rank by the places of its neighbours, and puts all where these would have them."""
    for rank in ranks:
        _spread(rank, dict.fromkeys((place.number for place in rank), 0.0))
    for sweep in range(SWEEPS):
        for rank in ranks if sweep % 2 == 0 else ranks[::-1]:
            wanted = {place.number: _wanted(place, sweep % 2 == 0) for place in rank}
            rank.sort(key=partial(_rank_order, wanted))
            _spread(rank, wanted)


def _rank_order(wanted: Mapping[int, float], place: _Place) -> tuple[float, bool]:
    return round(wanted[place.number], 3), place.box is None


def _wanted(place: _Place, downward: bool) -> float:
    """Where the neighbours above it, or those below it, would have a place.

    Those of its own sort count first, so that a chain of boxes is straight, and so is a line that passes them by.
    """
    near = place.above if downward else place.below
    near = near or place.below or place.above
    alike = [other for other in near if (other.box is None) == (place.box is None)] or near
    return sum(other.centre for other in alike) / len(alike) if alike else place.centre


def _spread(rank: Sequence[_Place], wanted: Mapping[int, float]) -> None:
    """Puts the places of a rank side by side, with the least squares of the distances from where they are wanted."""
    offsets, end = [], 0.0
    for before, place in zip([None, *rank], rank, strict=False):
        end += 0.0 if before is None else (before.width + place.width) / 2 + _between(before, place)
        offsets.append(end)
    blocks: list[tuple[float, float, int]] = []  # (mean, weight, count): without free space between those of a block
    for place, offset in zip(rank, offsets, strict=True):
        mean, weight, count = wanted[place.number] - offset, 1.0 if place.box is None else STAYING, 1
        while blocks and blocks[-1][0] > mean:
            other, heavy, others = blocks.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + others
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    for place, offset, mean in zip(rank, offsets, means, strict=True):
        place.centre = mean + offset


def _between(left: _Place, right: _Place) -> float:
    if left.box is None and right.box is None:
        return 0.0
    return BESIDE if left.box is None or right.box is None else ACROSS


def _placed(edge: Edge, way: Sequence[_Place]) -> Edge:
    """A line along its way: from the bottom of a box to the top of the next, straight past the ranks between."""
    points: list[Point] = []
    for above, below in pairwise(way):
        start, end = (above.centre, above.top + HEIGHT), (below.centre, below.top)
        if points:
            points += _straight(points[-1], start)
        else:
            points.append(start)
        middle = (start[1] + end[1]) / 2
        points += [(start[0], middle), (end[0], middle), end]
    first, second = way[:2]
    at = ((first.centre + second.centre) / 2, first.top + HEIGHT + DOWN / 2)
    return edge.replace(curve=tuple(points), label_at=at)


def _straight(start: Point, end: Point) -> list[Point]:
    (x, y), (to, down) = start, end
    return [(x + (to - x) / 3, y + (down - y) / 3), (x + 2 * (to - x) / 3, y + 2 * (down - y) / 3), end]


def without_label(edge: Edge) -> list[tuple[Point, ...]]:
    """The curve of an edge with a gap where its label stands: its pieces, each a curve as that of an edge."""
    if not edge.label:
        return [edge.curve]
    first, rest = edge.curve[:4], edge.curve[4:]
    wide, high = label_width(edge.label) / 2 + 4, SIZE / 2 + 3
    inside = [
        place / CUTS
        for place in range(CUTS + 1)
        if abs(_at(first, place / CUTS)[0] - edge.label_at[0]) < wide
        and abs(_at(first, place / CUTS)[1] - edge.label_at[1]) < high
    ]
    if not inside:
        return [edge.curve]
    before, _ = _cut(first, inside[0])
    _, after = _cut(first, inside[-1])
    return [before, (*after, *rest)]


def _at(curve: Sequence[Point], part: float) -> Point:
    return _cut(curve, part)[0][-1]


def _cut(curve: Sequence[Point], part: float) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """A piece of a curve before a part of it and that behind, by the algorithm of de Casteljau."""
    a, b, c, d = curve
    ab, bc, cd = _mix(a, b, part), _mix(b, c, part), _mix(c, d, part)
    abc, bcd = _mix(ab, bc, part), _mix(bc, cd, part)
    middle = _mix(abc, bcd, part)
    return (a, ab, abc, middle), (middle, bcd, cd, d)


def _mix(one: Point, other: Point, part: float) -> Point:
    return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part
