"""What a network consists of, as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modnet.arrays import Shape
from modnet.engine.built import BuiltGraph
from modnet.words import in_columns, readable_bytes, shape_text


@dataclass(frozen=True)
class Row:
    """One node: its name, type, shape of one sample, numbers of parameters and of multiply-adds for one sample."""

    name: str
    type: str
    shape: Shape
    parameters: int
    multiply_adds: int
    trainable: bool


@dataclass(frozen=True)
class Summary:
    """The nodes of a network; prints as a table.

    Attributes:
        inputs: input name -> shape of one sample.
        rows: the nodes, in order.
        dtype: of the parameters.
        bytes: that the parameters take.
    """

    inputs: dict[str, Shape]
    rows: tuple[Row, ...]
    dtype: str
    bytes: int

    @classmethod
    def of(cls, network: BuiltGraph) -> Summary:
        rows = []
        for node in network.graph.nodes:
            own = () if node.owner is not None else node.parameters.values()
            count = sum(math.prod(parameter.shape) for parameter in own)
            work = node.layer.multiply_adds(*node.input_shapes)
            rows.append(Row(node.name, node.layer.type, node.shape, count, work, node.trainable))
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
        """The last line's remark: what the parameters take in memory."""
        return f"{readable_bytes(self.bytes)} in {self.dtype}"

    def cells(self) -> list[tuple[str, str, str, str, str]]:
        """The table as text, without its heading and its total."""
        cells = [(name, "", shape_text(shape), "", "") for name, shape in self.inputs.items()]
        for row in self.rows:
            count = f"{row.parameters:,}" + ("" if row.trainable or not row.parameters else " frozen")
            cells.append((row.name, row.type, shape_text(row.shape), count, f"{row.multiply_adds:,}"))
        return cells

    def __str__(self) -> str:
        head = ("node", "type", "output", "parameters", "multiply-adds")
        total = ("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}")
        return "\n".join(in_columns([head, *self.cells(), total], left=3)) + f"   {self.size()}"
