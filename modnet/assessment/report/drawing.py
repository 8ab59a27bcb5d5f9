"""The drawing of a network: boxes for its nodes, from the inputs at the top to the outputs at the bottom."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.kinds.activation import Activation
from modnet.records import Record, fresh
from modnet.words import legible, shape_text

WIDTH, HEIGHT, LANE, ACROSS, DOWN = 188, 40, 18, 18, 26
"""Of a box, the width of a line that passes boxes by, and the space between boxes, in pixels."""

SWEEPS = 8
"""How often the order and the places of boxes are improved."""

MOST_BOXES = 120
"""A network with more boxes is not drawn."""

LETTERS = 25
"""How many characters of a line of text fit into a box."""


class Box(Record, eq=False):
    """A box of the drawing.

    Attributes:
        title, text: its two lines.
        kind: "input", "node" or "output".
        whole: the names and shapes of its nodes, uncut.
        x, y: its upper left corner.
    """

    title: str
    text: str
    kind: str
    whole: str
    x: float = 0.0
    y: float = 0.0


class Drawing(Record, eq=False):
    """A drawing of a network, in pixels.

    Attributes:
        boxes: of the nodes.
        lines: the paths between them, in the notation of SVG.
        width, height: of all of it.
    """

    boxes: tuple[Box, ...]
    lines: tuple[str, ...]
    width: float
    height: float


class _Place(Record, frozen=False, eq=False):
    """A box, or a point of a line that passes by the boxes of a rank."""

    number: int
    rank: int
    width: int
    box: Box | None = None
    above: list[_Place] = fresh(factory=list)
    below: list[_Place] = fresh(factory=list)
    centre: float = 0.0


def drawing_of(network: Network) -> Drawing | None:
    """The drawing of a network in layers; None for one with too many nodes.

    Activations stand in the box of the node before them. The order within a rank is that of the mean places of their
    neighbours: Sugiyama, Tagawa and Toda 1981, "Methods for Visual Understanding of Hierarchical System Structures".
    """
    sketch = _Sketch(network)
    if len(sketch.boxes) > MOST_BOXES:
        return None
    places = _places(sketch.boxes, sketch.edges)
    ranks: list[list[_Place]] = [[] for _ in range(1 + max(place.rank for place in places))]
    for place in places:
        ranks[place.rank].append(place)
    _arrange(ranks)
    left = min(place.centre - place.width / 2 for place in places)
    for place in places:
        place.centre -= left
    width = max(place.centre + place.width / 2 for place in places)
    lines = tuple(_line(place, below) for place in places for below in place.below)
    return Drawing(tuple(_boxes_at(places)), lines, width, len(ranks) * (HEIGHT + DOWN) - DOWN)


class _Sketch:
    """The boxes of a network, inputs first, and between which of them there are lines."""

    def __init__(self, network: Network) -> None:
        self.boxes = [
            Box(legible(name, LETTERS), shape_text(shape), "input", f"{name} {shape_text(shape)}")
            for name, shape in network.inputs.items()
        ]
        self.edges: list[tuple[int, int]] = []
        self._of_slot = dict(enumerate(range(len(self.boxes))))
        self._readers = Counter(slot for node in network.graph.nodes for slot in node.inputs)
        self._outputs = set(network.graph.outputs.values())
        for node in network.graph.nodes:
            self._add(node)
        for name, slot in network.graph.outputs.items():
            number = self._of_slot[slot]
            box = self.boxes[number]
            text = box.text if len(self._outputs) == 1 else legible(f"{box.text} → {name}", LETTERS + 6)
            self.boxes[number] = box.replace(kind="output", text=text)

    def _add(self, node: GraphNode) -> None:
        number = self._of_slot[node.inputs[0]]
        if self._joins(node):
            box = self.boxes[number]
            title = legible(f"{box.title} · {node.layer.type}", LETTERS)
            self.boxes[number] = box.replace(title=title, whole=f"{box.whole}\n{_whole(node)}")
        else:
            sources = dict.fromkeys(self._of_slot[slot] for slot in node.inputs)
            number = len(self.boxes)
            self.boxes.append(Box(_title(node), _text(node), "node", _whole(node)))
            self.edges += [(source, number) for source in sources]
        self._of_slot.update(dict.fromkeys(node.slots, number))

    def _joins(self, node: GraphNode) -> bool:
        """Whether a node stands in the box of the node before it, of which nobody else reads."""
        slot = node.inputs[0]
        plain = isinstance(node.layer, Activation) and not node.parameters
        alone = self._readers[slot] == 1 and slot not in self._outputs
        return plain and alone and self.boxes[self._of_slot[slot]].kind == "node"


def _title(node: GraphNode) -> str:
    """The name of a node, and its type where the name does not say it."""
    name = node.name if node.layer.type in node.name else f"{node.name}: {node.layer.type}"
    return name if len(name) <= LETTERS else f"...{name[3 - LETTERS :]}"


def _text(node: GraphNode) -> str:
    own = () if node.owner is not None else node.parameters.values()
    count = sum(math.prod(parameter.shape) for parameter in own)
    shape = shape_text(node.shape)
    return legible(f"{shape}  {count:,} parameters", LETTERS + 6) if count else shape


def _whole(node: GraphNode) -> str:
    return f"{node.name} ({node.layer.type}) {shape_text(node.shape)}"


def _places(boxes: Sequence[Box], edges: Sequence[tuple[int, int]]) -> list[_Place]:
    """The boxes in their ranks, and points where a line passes ranks by."""
    ranks = [0] * len(boxes)
    for source, target in edges:  # in order, so that a source has its rank
        ranks[target] = max(ranks[target], ranks[source] + 1)
    places = [_Place(number, ranks[number], WIDTH, box) for number, box in enumerate(boxes)]
    for source, target in edges:
        before = places[source]
        for rank in range(ranks[source] + 1, ranks[target]):
            point = _Place(len(places), rank, LANE)
            places.append(point)
            _join(before, point)
            before = point
        _join(before, places[target])
    return places


def _join(above: _Place, below: _Place) -> None:
    above.below.append(below)
    below.above.append(above)


def _arrange(ranks: Sequence[list[_Place]]) -> None:
    """Sorts each rank by the places of its neighbours, and puts all where these would have them."""
    for rank in ranks:
        _spread(rank, {})
    for sweep in range(SWEEPS):
        for rank in ranks if sweep % 2 == 0 else ranks[::-1]:
            wanted = {place.number: _wanted(place, sweep % 2 == 0) for place in rank}
            rank.sort(key=partial(_rank_order, wanted))
            _spread(rank, wanted)


def _rank_order(wanted: Mapping[int, float], place: _Place) -> tuple[float, bool]:
    return wanted[place.number], place.box is None


def _wanted(place: _Place, downward: bool) -> float:
    """Where the neighbours above it, or those below it, would have a place."""
    near = place.above if downward else place.below
    near = near or place.below or place.above
    return sum(other.centre for other in near) / len(near) if near else place.centre


def _spread(rank: Sequence[_Place], wanted: Mapping[int, float]) -> None:
    """Puts the places of a rank side by side, as near as possible to where they are wanted."""
    end = None
    for place in rank:
        centre = wanted.get(place.number, place.centre)
        place.centre = centre if end is None else max(centre, end + ACROSS + place.width / 2)
        end = place.centre + place.width / 2
    off = sum(place.centre - wanted.get(place.number, 0.0) for place in rank) / max(len(rank), 1)
    for place in rank:
        place.centre -= off


def _top(place: _Place) -> float:
    return place.rank * (HEIGHT + DOWN)


def _boxes_at(places: Sequence[_Place]) -> Iterator[Box]:
    for place in places:
        if place.box is not None:
            yield place.box.replace(x=place.centre - WIDTH / 2, y=_top(place))


def _line(above: _Place, below: _Place) -> str:
    """A curve from the bottom of a box, or of a point, to the top of the next; straight past a point's own rank."""
    x, y, end, to = above.centre, _top(above) + HEIGHT, below.centre, _top(below)
    past = f" V{to + HEIGHT:.1f}" if below.box is None else ""
    middle = (y + to) / 2
    return f"M{x:.1f},{y:.1f} C{x:.1f},{middle:.1f} {end:.1f},{middle:.1f} {end:.1f},{to:.1f}{past}"
