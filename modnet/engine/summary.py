"""A summary of a network, as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from modnet.arrays import Shape
from modnet.engine.built import BuiltGraph
from modnet.screen import fitted
from modnet.words import readable_bytes, shape_text


class NodeSummary(NamedTuple):
    """One node.

    Attributes:
        name, type: of the node and of its layer.
        shapes: of one sample of each output.
        outputs: the names of the outputs, if there are several.
        parameters: the number of elements.
        frozen: how many of them are not trained.
        multiply_adds: for one sample.
        trainable: whether the node's parameters are trained, except those that its layer never trains.
    """

    name: str
    type: str
    shapes: tuple[Shape, ...]
    outputs: tuple[str, ...]
    parameters: int
    frozen: int
    multiply_adds: int
    trainable: bool

    @property
    def shape(self) -> Shape:
        """Of one sample of the first output."""
        return self.shapes[0]

    def cells(self) -> Iterator[tuple[str, str, str, str, str]]:
        """The lines of a table: one for the node, and one for each further output."""
        count = f"{self.parameters:,}"
        if self.frozen:
            count += " frozen" if self.frozen == self.parameters else f" ({self.frozen:,} frozen)"
        yield self.name, self.type, shape_text(self.shape), count, f"{self.multiply_adds:,}"
        for name, shape in zip(self.outputs[1:], self.shapes[1:], strict=True):
            yield f"{self.name}.{name}", "", shape_text(shape), "", ""


class Summary(NamedTuple):
    """The nodes of a network; prints as a table.

    Attributes:
        inputs: input name -> shape of one sample.
        rows: the nodes, in order.
        dtype: of the parameters.
        bytes: the memory that the parameters take.
    """

    inputs: dict[str, Shape]
    rows: tuple[NodeSummary, ...]
    dtype: str
    bytes: int

    @classmethod
    def of(cls, network: BuiltGraph) -> Summary:
        rows = []
        for node in network.graph.nodes:
            own = {} if node.owner is not None else node.parameters
            sizes = {name: math.prod(parameter.shape) for name, parameter in own.items()}
            frozen = sum(size for name, size in sizes.items() if not (node.trainable and own[name].trainable))
            work = node.layer.multiply_adds(*node.input_shapes)
            outputs, count = node.layer.outputs, sum(sizes.values())
            rows.append(NodeSummary(node.name, node.type, node.shapes, outputs, count, frozen, work, node.trainable))
        return cls(
            network.inputs, tuple(rows), str(network.dtype), network.layout.parameter_count * network.dtype.itemsize
        )

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    def size(self) -> str:
        """The remark in the last line: the memory that the parameters take."""
        return f"{readable_bytes(self.bytes)} in {self.dtype}"

    def cells(self) -> list[tuple[str, str, str, str, str]]:
        """The table as text, without its heading and its total."""
        cells = [(name, "", shape_text(shape), "", "") for name, shape in self.inputs.items()]
        for row in self.rows:
            cells += row.cells()
        return cells

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        head = ("node", "type", "output", "parameters", "multiply-adds")
        total = ("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}")
        rows = [head, *self.cells(), total]
        return "\n".join(fitted(rows, 3, width, [""] * (len(rows) - 1) + [self.size()]))
