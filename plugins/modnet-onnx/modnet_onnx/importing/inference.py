"""Types and shapes of what a node of an ONNX graph gives, and its elements where all that it reads is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
        shape: None if not even the number of axes is known.
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
        try:
            found = onnx.shape_inference.infer_shapes(self.model(graph), data_prop=True)
        except onnx.shape_inference.InferenceError:
            found = self.model(graph)  # sizes that fit only for the file's own number of samples
        known = {given.name: given.type for given in found.graph.output}
        if not all(_is_clear(known[name]) for name in node.output if name):
            tried = self._tried(node, [values[name] for name in dict.fromkeys(filter(None, node.input))])
            if tried is not None:
                return tried
        return [self.kind_of(known[name]) if name else Kind(0, None) for name in node.output]

    def _tried(self, node: onnx.NodeProto, values: Sequence[Value]) -> list[Kind] | None:
        """What a node gives for a few numbers, where ONNX's inference does not know; None where it gives no tensors.

        It is run for two and for three samples: an axis that grows with them is the batch; and for other numbers: an
        axis that changes with them is open.
        """
        found = []
        try:
            for rows, number in ((2, 0), (3, 0), (2, 1)):
                given = [
                    value.replace(constant=np.full([_small(size, rows) for size in value.shape], number, _dtype(value)))
                    if value.constant is None
                    else value
                    for value in values
                ]
                found.append(self.computed(node, given))
        except Exception:
            return None  # onnx's errors are of any kind; what it cannot run is reported where it is needed
        if None in found or any(array.dtype.kind not in "biuf" for array in found[0] or ()):
            return None
        if any(len({array.ndim for array in arrays}) > 1 for arrays in zip(*found, strict=True)):
            return None
        kinds = iter(
            Kind(onnx.helper.np_dtype_to_tensor_dtype(two.dtype), self._grown(two.shape, three.shape, other.shape))
            for two, three, other in zip(*found, strict=True)
        )
        return [next(kinds) if name else Kind(0, None) for name in node.output]

    def _grown(self, two: Sequence[int], three: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
        """The shape for any number of samples, from those for two and for three, and for two with other numbers."""
        return tuple(
            self.new_size() if a != c else a if a == b else OPEN[0] * (b - a)
            for a, b, c in zip(two, three, other, strict=True)
        )

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
        if not all(isinstance(array, np.ndarray | np.generic) for array in found):
            return None  # sequences and maps
        return [np.asarray(array) for array in found]


def _is_clear(given: onnx.TypeProto) -> bool:
    """Whether the type and the number of axes of a tensor are known, or that it is none."""
    which = given.WhichOneof("value")
    return which not in (None, "tensor_type") or (which is not None and given.tensor_type.HasField("shape"))


def _small(size: int, rows: int) -> int:
    """A size with so many samples, and five for other open sizes."""
    if size % OPEN[0] == 0:
        return size // OPEN[0] * rows
    return 5 if is_open(size) else size


def _dtype(value: Value) -> np.dtype[Any]:
    return onnx.helper.tensor_dtype_to_np_dtype(value.dtype)


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
