"""Types and shapes of what a node of an ONNX graph gives, and its elements where all that it reads is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from modnet.arrays import Array
from modnet.records import Record
from modnet_onnx.importing.values import OPEN, Value, elements, is_open

MOST_ELEMENTS = 1 << 24
"""How large a tensor may be that is computed while a graph is read."""

SMALL = 256
"""How many elements of a constant the inference is shown: what it needs are shapes and axes."""

RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")
"""The operators that give other numbers each time."""


class Kind(Record):
    """What is known of a tensor before it is computed.

    Attributes:
        dtype: a number of `onnx.TensorProto`; 0 for what is no tensor.
        shape: None where not even the number of axes is known.
    """

    dtype: int
    shape: tuple[int, ...] | None


class Inference:
    """What the nodes of one graph give.

    Args:
        opsets: domain -> version.
    """

    def __init__(self, opsets: Mapping[str, int], ir_version: int) -> None:
        self.opsets = dict(opsets)
        self.ir_version = ir_version
        self._open = list(OPEN[:0:-1])

    def new_size(self) -> int:
        """A number that stands for a further open size.

        Raises:
            ValueError: there are too many of them.
        """
        if not self._open:
            raise ValueError(f"more than {len(OPEN) - 1} axes of variable size")
        return self._open.pop()

    def model(self, graph: onnx.GraphProto) -> onnx.ModelProto:
        imports = [onnx.helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]
        return onnx.helper.make_model(graph, opset_imports=imports, ir_version=self.ir_version)

    def kinds(self, node: onnx.NodeProto, values: Mapping[str, Value]) -> list[Kind]:
        """What a node gives, output by output, from what it reads."""
        inputs, constants = [], []
        for name in dict.fromkeys(filter(None, node.input)):
            value = values[name]
            inputs.append(onnx.helper.make_tensor_value_info(name, value.dtype, value.shape))
            if value.constant is not None and value.constant.size <= SMALL and not value.is_compact:
                constants.append(onnx.numpy_helper.from_array(value.constant, name))
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "node", inputs, outputs, constants)
        found = onnx.shape_inference.infer_shapes(self.model(graph), data_prop=True)
        known = {given.name: given for given in found.graph.output}
        return [self._kind(known[name]) if name else Kind(0, None) for name in node.output]

    def _kind(self, given: onnx.ValueInfoProto) -> Kind:
        return self.kind_of(given.type)

    def kind_of(self, given: onnx.TypeProto) -> Kind:
        """The kind of a declared type; an axis without a size is open."""
        if given.WhichOneof("value") not in (None, "tensor_type"):
            return Kind(0, None)
        tensor = given.tensor_type
        if not tensor.HasField("shape"):
            return Kind(tensor.elem_type, None)
        sizes = (axis.dim_value if axis.HasField("dim_value") else self.new_size() for axis in tensor.shape.dim)
        return Kind(tensor.elem_type, tuple(sizes))

    def computed(self, node: onnx.NodeProto, values: Sequence[Value]) -> list[Array] | None:
        """What a node gives, where all that it reads is known; None where it cannot be computed beforehand."""
        if node.op_type in RANDOM or any(value.constant is None for value in values):
            return None
        inputs = [onnx.ValueInfoProto(name=name) for name in dict.fromkeys(filter(None, node.input))]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "node", inputs, outputs)
        feeds = {value.name: value.constant for value in values}
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(self.model(graph)).run(None, feeds)
        return [np.asarray(array) for array in found]


def too_large(kinds: Sequence[Kind]) -> bool:
    """Whether computing these beforehand would take too much memory, as for an open size."""
    return any(kind.shape is None or elements(kind.shape) > MOST_ELEMENTS for kind in kinds)


def has_open_sizes(array: Array) -> bool:
    """Whether a constant that was made of shapes still has open sizes in it, or what has become of them."""
    if array.dtype.kind == "b":
        return False
    if array.dtype.kind not in "iu":
        return True
    return bool(array.size) and any(is_open(2 * abs(int(number))) for number in array.reshape(-1))
