"""The nodes and constants of an ONNX graph, as they are added one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from onnx import NodeProto, TensorProto, helper, numpy_helper

from modnet.arrays import Array
from modnet.words import free_name

ML = "ai.onnx.ml"
"""The domain of operators for tables."""


class Builder:
    """A graph that is being written.

    Args:
        opset: the version of the operators.
        dtype: of the network's numbers in the graph.

    Attributes:
        nodes: in order.
        constants: name -> tensor.
        dtypes: the dtypes of values that do not have the network's, as far as they are known.
        uses_tables: whether there are operators of the domain for tables.
    """

    def __init__(self, opset: int, dtype: DTypeLike) -> None:
        self.opset, self.dtype = opset, np.dtype(dtype)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.dtypes: dict[str, np.dtype[Any]] = {}
        self.uses_tables = False
        self._taken: set[str] = set()

    def name(self, wanted: str) -> str:
        """A name that no other value has: the wanted one, or that with a number."""
        found = free_name(wanted, self._taken)
        self._taken.add(found)
        return found

    def has_dtype(self, value: str, dtype: np.dtype[Any]) -> bool:
        """Whether a value is known to have a dtype; None, which stands for float64 to numpy, would be equal to that."""
        return value in self.dtypes and self.dtypes[value] == dtype

    def constant(self, array: Array, name: str) -> str:
        """The name of a constant with this content."""
        found = self.name(name)
        if array.dtype == object:
            self.constants[found] = helper.make_tensor(
                found, TensorProto.STRING, array.shape, [text.encode() for text in array.reshape(-1)]
            )
        else:
            self.constants[found] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), found)
        self.dtypes[found] = array.dtype
        return found

    def node(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any
    ) -> None:
        """Adds an operator."""
        given = {name: value for name, value in attributes.items() if value is not None}
        self.uses_tables |= domain == ML
        made = helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain or None, **given)
        self.nodes.append(made)
