"""The drawing of a network: boxes for its nodes, and lines between them with the shapes of what passes.

It needs no library. If Graphviz is installed, its program `dot` places the boxes and lines.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import PurePath

from modnet.engine.built import BuiltGraph
from modnet.engine.graph import GraphNode
from modnet.errors import DataError, ModnetError
from modnet.kinds.activation import Activation
from modnet.pictures.graph import Box, Edge, Placed, Sketch
from modnet.pictures.graph_svg import graph_drawing
from modnet.pictures.graphviz import by_dot, dot_source, is_installed, placed_by_dot
from modnet.pictures.layout import layered
from modnet.pictures.svg import Drawing, write_whole
from modnet.words import counted, legible, shape_text, show

MOST_BOXES = 120
"""With more boxes, each composite is one box."""

LETTERS, SMALL_LETTERS = 21, 24
"""How many characters of the first and of the second line fit into a box, before the "..." of what is cut off."""

FORMATS = (".svg", ".dot", ".png", ".pdf")
"""In which a network is written; the last two by Graphviz."""


def sketch_of(network: BuiltGraph) -> Sketch:
    """The boxes of a network and the lines between them. Activations are in the box of the node before them."""
    sketch = _Sketcher(network, whole=True).sketch()
    return sketch if len(sketch.boxes) <= MOST_BOXES else _Sketcher(network, whole=False).sketch()


def drawing_of(network: BuiltGraph) -> Drawing | None:
    """The drawing of a network for a page, the same on every machine; None for one with too many nodes."""
    sketch = sketch_of(network)
    return _drawn(network, layered(sketch)) if len(sketch.boxes) <= MOST_BOXES else None


def picture_of(network: BuiltGraph) -> Drawing:
    """The drawing of a network for a file, placed by Graphviz if it is installed."""
    sketch = sketch_of(network)
    if is_installed():
        with suppress(ModnetError):  # a picture less well placed is better than none
            return _drawn(network, placed_by_dot(sketch))
    return _drawn(network, layered(sketch))


def _drawn(network: BuiltGraph, placed: Placed) -> Drawing:
    return graph_drawing(placed, f"A network of {counted(len(network.graph.nodes), 'node')}")


def plot(network: BuiltGraph, path: str | os.PathLike[str] | None) -> Drawing:
    """The drawing of a network, which is also written to a file if there is a path.

    Raises:
        DataError, ModnetError: as `check_form`; Graphviz fails.
        OSError: the file cannot be written.
    """
    drawing = picture_of(network)
    if path is not None:
        suffix = check_form(path)
        write_whole(path, drawing.file().encode() if suffix == ".svg" else content_of(network, suffix))
    return drawing


def check_form(path: str | os.PathLike[str]) -> str:
    """The suffix of a file for the picture of a network, in small letters.

    Raises:
        DataError: a network is not written in this format.
        ModnetError: Graphviz is not installed, and only it writes this format.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in FORMATS:
        raise DataError(f"{path}: no network is drawn as {show(suffix)}; expected {', '.join(FORMATS)}")
    if suffix in FORMATS[2:] and not is_installed():
        raise ModnetError(f"{path}: the program dot of Graphviz writes {suffix}, and is not installed; .svg needs none")
    return suffix


def content_of(network: BuiltGraph, suffix: str) -> bytes:
    """The content of a file of a format that `check_form` gives."""
    if suffix == ".svg":
        return picture_of(network).file().encode()
    sketch = sketch_of(network)
    return dot_source(sketch).encode() if suffix == ".dot" else by_dot(sketch, suffix[1:])


class _Sketcher:
    """The boxes of a network, inputs first and outputs last, and between which of them there are lines.

    Args:
        whole: whether the nodes of composites are drawn, and not a box for each composite.
    """

    def __init__(self, network: BuiltGraph, whole: bool) -> None:
        self.graph, self.whole = network.graph, whole
        self.boxes: list[Box] = []
        self.nodes: list[list[GraphNode]] = []  # of each box
        self.lines: list[tuple[int, int, int]] = []  # box, box, slot
        self.box_of: dict[int, int] = {}  # slot -> box
        self.readers = Counter(slot for node in network.graph.nodes for slot in node.inputs)
        self.last: dict[str, int] = {}  # composite -> its box

    def sketch(self) -> Sketch:
        for slot, name in enumerate(self.graph.inputs):
            self.box_of[slot] = self._add(Box(legible(name, LETTERS), "", "input", f"{name} (input)"), [])
        for node in self.graph.nodes:
            self._node(node)
        for name, slot in self.graph.outputs.items():
            title = legible(name, LETTERS) if len(self.graph.outputs) > 1 else "output"
            number = self._add(Box(title, "", "output", f"{name} (output)"), [])
            self.lines.append((self.box_of[slot], number, slot))
        boxes = (box.replace(text=_second(box, nodes)) for box, nodes in zip(self.boxes, self.nodes, strict=True))
        return Sketch(tuple(boxes), tuple(self._edges()))

    def _add(self, box: Box, nodes: list[GraphNode]) -> int:
        self.boxes.append(box)
        self.nodes.append(nodes)
        return len(self.boxes) - 1

    def _node(self, node: GraphNode) -> None:
        *group, name = node.name.split(".")
        if self._joins(node):
            number = self.box_of[node.inputs[0]]
            box = self.boxes[number]
            title = box.title if node.type == "identity" else legible(f"{box.title} · {node.type}", LETTERS)
            self.boxes[number] = box.replace(title=title, whole=f"{box.whole}\n{_whole(node)}")
        elif group and not self.whole:
            number = self._composite(group[0], node)
        else:
            kind = "" if node.type in name else node.type
            number = self._add(Box(legible(name, LETTERS), kind, "node", _whole(node), tuple(group)), [])
        self.nodes[number].append(node)
        self.lines += ((self.box_of[slot], number, slot) for slot in node.inputs)
        self.box_of.update(dict.fromkeys(node.slots, number))

    def _composite(self, name: str, node: GraphNode) -> int:
        """The box of the composite that a node is in."""
        if name not in self.last:
            self.last[name] = self._add(Box(legible(name, LETTERS), "", "node", name), [])
        return self.last[name]

    def _joins(self, node: GraphNode) -> bool:
        """Whether a node is in the box of the node before it, whose output no other node reads."""
        slot = node.inputs[0]
        plain = isinstance(node.layer, Activation) and not node.parameters
        alone = self.readers[slot] == 1 and slot not in self.graph.outputs.values()
        return plain and alone and self.boxes[self.box_of[slot]].kind == "node"

    def _edges(self) -> Iterable[Edge]:
        """The lines between boxes; what several carry from the same place is written once."""
        lines = dict.fromkeys(line for line in self.lines if line[0] != line[1])
        written = set()
        for source, target, slot in lines:
            label = "" if slot in written else shape_text(self.graph.shape(slot))
            written.add(slot)
            yield Edge(source, target, label)


def _second(box: Box, nodes: Iterable[GraphNode]) -> str:
    """The second line of a box: the type, where the name does not say it, and the number of parameters."""
    own = (parameter for node in nodes if node.owner is None for parameter in node.parameters.values())
    count = sum(math.prod(parameter.shape) for parameter in own)
    parts = [box.text] if box.text else []
    return legible(", ".join([*parts, counted(count, "parameter")] if count else parts), SMALL_LETTERS)


def _whole(node: GraphNode) -> str:
    return f"{node.name} ({node.type}) {shape_text(node.shape)}"
