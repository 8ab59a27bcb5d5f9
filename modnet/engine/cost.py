"""The cost of sending samples through a network: memory and work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from modnet.arrays import Shape
from modnet.engine.graph import GraphNode
from modnet.errors import ShapeError, TooLarge
from modnet.memory import limit, require
from modnet.records import Record

WORK_LIMIT, WORK_OF_A_NUMBER = 10**14, 100
"""The most work for one sample, in multiply-adds, and the work that counts for each number that a node outputs, which
is written to memory and read again. The limit is a quarter of an hour on a fast processor; a few bytes in a file (an
image that is enlarged by every node) can ask for years.
"""


class Cost(Record):
    """The minimum cost of sending samples of one shape through a network.

    Attributes:
        row: bytes for each sample: inputs and outputs of the node with the most.
        once: additional bytes, independent of the number of samples.
        work: multiply-adds for a sample, with WORK_OF_A_NUMBER for each number that a node outputs.
        label: of the node that needs the most memory.
    """

    row: int
    once: int
    work: int
    label: str

    def rows_that_fit(self, most: int) -> int:
        """The number of samples that fit into memory: at least 1, at most `most`."""
        available = limit()
        return most if available is None else max(1, min(most, (available - self.once) // max(self.row, 1)))

    def require(self, rows: int) -> None:
        """Raises TooLarge if `rows` samples at a time need more memory than there is."""
        hint = "use a smaller batch_size" if rows > 1 else ""
        require(rows * self.row + self.once, f"{self.label} for {rows} sample{'s' * (rows != 1)}", hint)


def cost_of(nodes: Iterable[GraphNode], inputs: Sequence[Shape], itemsize: int) -> Cost:
    """The cost of sending samples through nodes.

    Args:
        nodes: in order.
        inputs: the shapes of one sample of the network's inputs, without variable axes.
        itemsize: bytes of a number.

    Raises:
        TooLarge: more work than anyone would wait for.
    """
    shapes: dict[int, Shape] = dict(enumerate(inputs))
    most = (0, 0, "the input")
    work = 0
    for node in nodes:
        given = [shapes[source] for source in node.inputs if source in shapes]
        if len(given) < len(node.inputs):
            continue
        made = _made(node, given)
        if made is None:
            continue
        layer = node.layer
        shapes.update(zip(node.slots, made, strict=True))
        numbers = sum(map(_numbers, made))
        row = (numbers + sum(_numbers(shapes[source]) for source in set(node.inputs))) * itemsize
        most = max(most, (row, layer.scratch_size(*given) * itemsize, node.label()), key=lambda item: sum(item[:2]))
        work += layer.multiply_adds(*given) + WORK_OF_A_NUMBER * numbers
    if work > WORK_LIMIT:
        count = f"{work:.2g}" if work < 10**300 else "10^300"
        raise TooLarge(f"one sample takes {count} multiply-adds, the limit is {WORK_LIMIT:.0e}")
    return Cost(*most[:2], work, most[2])


def _made(node: GraphNode, given: Sequence[Shape]) -> tuple[Shape, ...] | None:
    """The shapes of a node's outputs for inputs of these shapes; None if it does not accept them."""
    if not any(None in known for known in node.input_shapes):
        return node.shapes
    try:
        return node.layer.output_shapes(*given)
    except ShapeError:  # a sequence that is too short, for example; the layer itself will raise a better error
        return None


def _numbers(shape: Shape) -> int:
    return math.prod(axis or 1 for axis in shape)
