"""From an ONNX graph to the nodes of a network, one operator after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx

from modnet.activations.rectified import Identity
from modnet.arrays import Array
from modnet_onnx.importing.building import Builder, as_name, plain_axes, plain_groups
from modnet_onnx.importing.functions import body_of
from modnet_onnx.importing.inference import Inference, Kind, has_open_sizes, too_large
from modnet_onnx.importing.layers.delegate import VARIABLE, WHOLE, ONNXGraph, encoded
from modnet_onnx.importing.laying import laid, seen_as, without_batch
from modnet_onnx.importing.step import CONVERTERS, NeedsConstant, Step
from modnet_onnx.importing.values import BATCH, NotNative, Value, is_open

MOST_LEARNED = 1
"""Constants of so many elements are factors and the like, and are not trained."""


REPEATING = ("Expand", "ConstantOfShape")
"""The operators that give the same numbers again and again."""

MOVING = ("Cast", "Identity", "Slice", "Transpose", "Unsqueeze", "Squeeze")
"""The operators that only look at numbers in another way."""

BY_NUMBER = ("Not", "Equal", "Less", "Greater", "And", "Or", "Add", "Sub", "Mul", "Div", "Neg", "Where")
"""The operators that can be computed with such numbers kept once."""


class NotImportable(Exception):
    """What of a graph no layer can do, nor the reference implementation within a network; the text says which.

    Attributes:
        needed: names of inputs whose elements would have let an operator become a layer.
    """

    def __init__(self, message: str, needed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.needed = list(needed)


class Reading:
    """One reading of a graph, by one choice of the axes that are the batch.

    Args:
        model: with all functions of its own put in place.
        batch: input name -> the axis that is the batch; None if each input is a single sample.
        constants: input name -> its elements, for inputs that are weights, axes and the like.

    Attributes:
        builder: the network so far.
        values: name -> tensor.
        given: the inputs.
        native, delegated: the operators that have become layers, and those that onnx runs.
        reasons: for each of the latter why.
        needed: names of inputs whose elements would have let an operator become a layer.
    """

    def __init__(
        self, model: onnx.ModelProto, batch: Mapping[str, int] | None, constants: Mapping[str, Array] | None = None
    ) -> None:
        self.graph = model.graph
        self.batch = batch
        self.builder = Builder()
        opsets = {entry.domain if entry.domain != "ai.onnx" else "": entry.version for entry in model.opset_import}
        self.inference = Inference(opsets, model.ir_version)
        self.values: dict[str, Value] = {}
        self.given: list[Value] = []
        self.native: list[str] = []
        self.delegated: list[onnx.NodeProto] = []
        self.reasons: list[str] = []
        self.needed: list[str] = []
        self.rows = 0
        self._pending: dict[str, onnx.NodeProto] = {}
        self._shapeless: set[str] = set()
        self._skipped: set[str] = set()
        self._outputs = {given.name for given in self.graph.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._read_inputs(constants or {})

    def _read_inputs(self, constants: Mapping[str, Array]) -> None:
        arrays = {given.name: onnx.numpy_helper.to_array(given) for given in self.graph.initializer}
        for given in self.graph.input:
            if given.name in constants:
                self._put_constant(given.name, np.asarray(constants[given.name]), learned=True)
            elif given.name not in arrays:
                self._put_input(given)
        for name, array in arrays.items():
            self._put_constant(name, array, learned=True)

    def _put_constant(self, name: str, array: Array, learned: bool, shape_of_batch: bool = False) -> None:
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        weights = learned and array.dtype.kind == "f" and array.size > MOST_LEARNED and bool(np.isfinite(array).all())
        self.values[name] = Value(name, kind, array.shape, array, weights, shape_of_batch)

    def _put_input(self, given: onnx.ValueInfoProto) -> None:
        kind = self.inference.kind_of(given.type)
        if kind.shape is None or not is_number(kind.dtype):
            raise NotImportable(f"the input {given.name} {described(given.type)}")
        source = self.builder.reserve(as_name(given.name))
        self.builder.first_input = self.builder.first_input or source
        shape, axis = list(kind.shape), None if self.batch is None else self.batch[given.name]
        if axis is not None:
            self.rows = shape[axis] if not is_open(shape[axis]) else self.rows
            shape[axis] = BATCH
        others = [at for at in range(len(shape)) if at != axis]
        sizes = (1 if axis is None else BATCH, *(shape[at] for at in others))
        value = Value(given.name, kind.dtype, tuple(shape), source=source, sizes=sizes)
        self.given.append(seen_as(value, plain_axes(len(shape), axis, others)))
        self.values[given.name] = self.given[-1]

    def run(self) -> dict[str, str]:
        """Reads all nodes.

        Returns:
            Output name -> the node of modnet that gives it.

        Raises:
            NotImportable: something cannot be done.
        """
        if not self.builder.first_input:
            raise NotImportable("the graph has no inputs: modnet computes something from data")
        for node in self.graph.node:
            if node.output[0] not in self._skipped:
                self._take(node)
        return {given.name: self._finished(given.name) for given in self.graph.output}

    def is_read(self, name: str) -> bool:
        return name in self._readers or name in self._outputs

    def lone_reader(self, name: str) -> onnx.NodeProto | None:
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self._outputs else None

    def skip(self, node: onnx.NodeProto) -> None:
        """A node has been taken together with an earlier one."""
        self._skipped.add(node.output[0])

    def version(self, node: onnx.NodeProto) -> int:
        return self.inference.opsets.get(node.domain if node.domain != "ai.onnx" else "", 1)

    def _take(self, node: onnx.NodeProto) -> None:
        read = [self.values[name] for name in dict.fromkeys(filter(None, node.input))]
        kinds = self.inference.kinds(node, self.values)
        if self._folded(node, read, kinds):
            return
        go_back = self._marked()
        try:
            self._convert(node, kinds)
            self.native.append(node.op_type)
            return
        except NotNative as error:
            go_back()
            if isinstance(error, NeedsConstant):
                self.needed.append(error.name)
            self.reasons.append(f"{node.op_type}: {error}")
        for name, kind in zip(node.output, kinds, strict=True):
            if name:
                self._pending[name] = node
                self.values[name] = Value(name, kind.dtype, kind.shape or ())
                if kind.shape is None:
                    self._shapeless.add(name)

    def _marked(self) -> Callable[[], None]:
        """What takes back all that is done to the network from here on."""
        mark, values, skipped, delegated = self.builder.mark(), self.values, self._skipped, len(self.delegated)
        self.values, self._skipped = dict(values), set(skipped)

        def go_back() -> None:
            self.builder.go_back(mark)
            self.values, self._skipped = values, skipped
            del self.delegated[delegated:]

        return go_back

    def _folded(self, node: onnx.NodeProto, read: Sequence[Value], kinds: Sequence[Kind]) -> bool:
        """Computes a node of constants, and those that ask for shapes."""
        if node.op_type in ("Shape", "Size") and not node.domain and read[0].name not in self._shapeless:
            return self._fold_shape(node, read[0])
        if node.op_type == "Slice" and self._cut(node, read):
            return True
        if any(value.constant is None for value in read):
            return False
        if node.op_type in REPEATING and not node.domain and self._fold_repeated(node, read):
            return True
        if any(value.is_compact for value in read):
            return node.op_type in (*MOVING, *BY_NUMBER) and self._fold_compact(node, read, kinds[0])
        found = None if node.input and too_large(kinds) else self._computed(node, read)
        if found is None:
            return False
        for name, array in zip(filter(None, node.output), found, strict=True):
            unknown = _depends_on_sizes(node, read) or (
                any(value.shape_of_batch for value in read) and has_open_sizes(array)
            )
            self._put_constant(name, array, self._stays_learned(node, read), unknown)
            if unknown:
                self._pending[name] = node
        return True

    @staticmethod
    def _stays_learned(node: onnx.NodeProto, read: Sequence[Value]) -> bool:
        """Whether what a node makes of weights is still the same weights."""
        return node.op_type in ("Reshape", "Flatten", "Concat", *MOVING) and any(value.learned for value in read)

    def _computed(self, node: onnx.NodeProto, read: Sequence[Value]) -> list[Array] | None:
        """The numbers that a node gives; None where it is left to the network."""
        try:
            found = self.inference.computed(node, read)
        except Exception:
            return None  # onnx cannot; it is then a part of the graph like any other, and may not be needed
        return None if found is None or any(array.dtype.kind not in "biuf" for array in found) else found

    def _cut(self, node: onnx.NodeProto, read: Sequence[Value]) -> bool:
        """The first part of a constant, as long as an open size: a causal mask, positions."""
        if read[0].source or read[0].shape_of_batch or any(value.constant is None for value in read[1:]):
            return False
        if not any(value.shape_of_batch for value in read[1:]):
            return False
        if len(node.input) < 4:
            return False
        starts, ends, axes, *strides = ([int(n) for n in self._array(name).reshape(-1)] for name in node.input[1:])
        shape = list(read[0].shape)
        for start, end, axis in zip(starts, ends, axes, strict=True):
            if start or not is_open(end) or any(stride != 1 for more in strides for stride in more):
                return False
            shape[axis] = end
        name = node.output[0]
        self.values[name] = Value(name, read[0].dtype, tuple(shape))
        self._pending[name] = node
        return True

    def _fold_compact(self, node: onnx.NodeProto, read: Sequence[Value], kind: Kind) -> bool:
        """Computes with numbers that are kept once, where that gives such numbers again."""
        found = self._computed(node, read)
        if found is None or kind.shape is None or found[0].ndim != len(kind.shape):
            return False
        if any(a not in (1, b) for a, b in zip(found[0].shape, kind.shape, strict=True)):
            return False
        name = node.output[0]
        self._put_constant(name, found[0], self._stays_learned(node, read))
        self.values[name] = self.values[name].replace(shape=kind.shape)
        self._pending[name] = node
        return True

    def _fold_repeated(self, node: onnx.NodeProto, read: Sequence[Value]) -> bool:
        """A number, or weights, repeated along open axes: kept once."""
        sizes = [int(size) for size in self._array(read[-1].name).reshape(-1)]
        if not any(map(is_open, sizes)):
            return False
        short = tuple(1 if is_open(size) else size for size in sizes)
        if node.op_type == "Expand":
            array = self._array(read[0].name)
            if len(read[0].shape) > len(sizes) or read[0].is_compact:
                return False
            array = np.broadcast_to(array, np.broadcast_shapes(array.shape, short))
            pairs = zip(array.shape, sizes, strict=True)
            sizes = [size if is_open(size) else found for found, size in pairs]
        else:
            number = next((onnx.numpy_helper.to_array(given.t) for given in node.attribute), np.zeros(1, np.float32))
            array = np.full(short, number.reshape(()), number.dtype)
        name = node.output[0]
        self._put_constant(name, array, read[0].learned)
        self.values[name] = self.values[name].replace(shape=tuple(sizes))
        self._pending[name] = node
        return True

    def _fold_shape(self, node: onnx.NodeProto, value: Value) -> bool:
        bounds = {given.name: given.i for given in node.attribute}
        sizes = np.array(value.shape, np.int64)[bounds.get("start", 0) : bounds.get("end")]
        array = sizes if node.op_type == "Shape" else np.array(np.prod(sizes), np.int64)
        self._put_constant(node.output[0], array, False, has_open_sizes(array))
        self._pending[node.output[0]] = node
        return True

    def _convert(self, node: onnx.NodeProto, kinds: list[Kind]) -> None:
        """Makes layers of a node, by its converter or by what ONNX says it stands for."""
        domain = node.domain if node.domain != "ai.onnx" else ""
        converter = CONVERTERS.get((domain, node.op_type))
        failed = NotNative("modnet has no layer for it")
        if converter is not None:
            go_back = self._marked()
            try:
                converter(Step(self, node, kinds, self.version(node)))
                if any(self.is_read(name) and name not in self.values for name in node.output if name):
                    raise NotNative("modnet gives only some of its outputs")
                return
            except NotNative as error:
                failed = error
            except ValueError as error:
                failed = NotNative(f"a layer refuses it: {error}")
            go_back()
        body = body_of(node, self.inference.opsets, [self.values[name] for name in node.input if name])
        if body is None:
            raise failed
        for inner in body:
            for name in inner.input:
                self._readers.setdefault(name, []).append(inner)
        try:
            for inner in body:
                self._take_inner(inner)
        except NotNative:
            raise failed from None

    def _take_inner(self, node: onnx.NodeProto) -> None:
        """A node of a function; all of them become layers, or none."""
        read = [self.values[name] for name in dict.fromkeys(filter(None, node.input))]
        kinds = self.inference.kinds(node, self.values)
        if not self._folded(node, read, kinds):
            self._convert(node, kinds)

    def give(self, name: str, value: Value, kind: Kind) -> None:
        self.values[name] = value.replace(name=name, dtype=kind.dtype or value.dtype)

    # What modnet has no layers for

    def made(self, value: Value) -> Value:
        """A tensor that onnx has to compute: from now on a node of the network gives it.

        Raises:
            NotNative: it cannot be given by a node.
        """
        nodes = self._behind(value.name)
        own = {name for node in nodes for name in node.output if name}
        inputs = [name for name in self._read_by(nodes) if name not in own]
        data = [name for name in inputs if self.values[name].source]
        if not data:
            raise NotNative(f"{value.name} depends on no data")
        outputs = [name for name in own if name == value.name or self._is_read_elsewhere(name, nodes)]
        outputs = sorted(name for name in outputs if self._fault_of(self.values[name]) == "")
        if value.name not in outputs:
            raise NotNative(f"{value.name} {self._fault_of(value)}")
        constants = [name for name in inputs if name not in data]
        self._delegate(nodes, data, constants, outputs)
        return self.values[value.name]

    def _behind(self, name: str) -> list[onnx.NodeProto]:
        """The nodes that onnx has to run for a tensor, in order."""
        wanted, found = [name], set()
        while wanted:
            node = self._pending.get(wanted.pop())
            if node is None or id(node) in found:
                continue
            found.add(id(node))
            wanted += [read for read in node.input if read and not self.values[read].source and self._unknown(read)]
        return [node for node in self.graph.node if id(node) in found]

    def _unknown(self, name: str) -> bool:
        value = self.values[name]
        return value.constant is None or value.shape_of_batch or value.is_compact

    @staticmethod
    def _read_by(nodes: Sequence[onnx.NodeProto]) -> list[str]:
        return list(dict.fromkeys(name for node in nodes for name in node.input if name))

    def _is_read_elsewhere(self, name: str, nodes: Sequence[onnx.NodeProto]) -> bool:
        within = {id(node) for node in nodes}
        return name in self._outputs or any(id(node) not in within for node in self._readers.get(name, []))

    def _fault_of(self, value: Value) -> str:
        """Why a tensor cannot be an array of modnet; "" if it can."""
        if value.constant is not None and not value.is_compact:
            return "is a constant"
        if value.dtype == 0:
            return "is no tensor"
        if not is_number(value.dtype):
            return f"consists of {onnx.TensorProto.DataType.Name(value.dtype).lower()}"
        if value.name in self._shapeless:
            return "has an unknown number of axes"
        if self.batch is not None and self._batch_of(value) is None:
            return "has nothing to do with the batch"
        return ""

    def _batch_of(self, value: Value) -> int | None:
        found = [axis for axis, size in enumerate(value.shape) if size == BATCH]
        if not found and self.rows and value.shape[:1] == (self.rows,):
            return 0  # the graph says the number of samples of its file somewhere
        return found[0] if found else None

    def _delegate(
        self, nodes: Sequence[onnx.NodeProto], data: Sequence[str], constants: Sequence[str], outputs: Sequence[str]
    ) -> None:
        sources, input_axes, input_shapes, infos = [], [], [], []
        for name in data:
            value = self.values[name]
            axis = value.batch_axis
            sources.append(self.builder.arranged(value, plain_groups(value)))
            input_axes.append(WHOLE if axis is None else axis)
            input_shapes.append(_sample(value.shape, axis))
            infos.append(onnx.helper.make_tensor_value_info(name, value.dtype, None))
        made = [onnx.helper.make_tensor_value_info(name, self.values[name].dtype, None) for name in outputs]
        stored = [onnx.numpy_helper.from_array(self._array(name), name) for name in constants]
        part = onnx.helper.make_graph(nodes, "part", infos, made, stored)
        axes = [self._batch_of(self.values[name]) if self.batch is not None else None for name in outputs]
        layer = ONNXGraph(
            encoded(self.inference.model(part)),
            tuple(input_axes),
            tuple(input_shapes),
            tuple(WHOLE if axis is None else axis for axis in axes),
            tuple(_sample(self.values[name].shape, axis) for name, axis in zip(outputs, axes, strict=True)),
            rows=self.rows,
        )
        own = self.builder.add(layer, *sources)
        first = BATCH if self.batch is not None else 1
        for name, output, axis in zip(outputs, layer.outputs or ("",), axes, strict=True):
            value = self.values[name]
            others = [at for at in range(len(value.shape)) if at != axis]
            sizes = [first, *(value.shape[at] for at in others)]
            placed = plain_axes(len(value.shape), axis, others)
            self.values[name] = laid(value, f"{own}.{output}" if output else own, sizes, placed)
        self.delegated += nodes

    def _array(self, name: str) -> Array:
        array = self.values[name].constant
        assert array is not None
        return array

    # The end

    def _finished(self, name: str) -> str:
        """The node that gives an output, its axes in ONNX's order after the batch."""
        value = self.values[name]
        try:
            if value.is_pending:
                value = self.made(value)
            if value.constant is not None:
                return self._constant_output(value)
            source = self.builder.arranged(value, plain_groups(value))
        except NotNative as error:
            raise NotImportable(f"the output {name}: {error}", self.needed) from None
        of_input = any(source == given.source for given in self.given)
        return self.builder.add(Identity(), source, name=name) if of_input else source

    def _constant_output(self, value: Value) -> str:
        assert value.constant is not None
        if value.shape_of_batch:
            raise NotNative("it consists of sizes that are not known yet")
        given = next((given for given in self.given if given.source == self.builder.first_input), None)
        if given is not None and given.is_float:
            # A layer whose numbers are read by nobody would be taken for one of ids.
            self.builder.first_input = self.builder.add(Identity(), given.source)
        if self.batch is None:
            return self.builder.constant(value.constant, value.learned, value.name)
        return self.builder.constant(without_batch(value.constant, 0)[0], value.learned, value.name)


def _depends_on_sizes(node: onnx.NodeProto, read: Sequence[Value]) -> bool:
    """Whether what a node of constants gives is another one for other sizes, and no list of sizes itself."""
    cut = node.op_type == "Slice" and not read[0].shape_of_batch and any(value.shape_of_batch for value in read[1:])
    arrays = (value.constant for value in read if value.shape_of_batch)
    return cut or any(array is not None and array.dtype.kind not in "iu" for array in arrays)


def _sample(shape: Sequence[int], axis: int | None) -> tuple[int, ...]:
    """The shape of a sample, for a layer that onnx runs."""
    return tuple(VARIABLE if is_open(size) else size for at, size in enumerate(shape) if at != axis)


def is_number(dtype: int) -> bool:
    """Whether modnet can compute with such numbers: with fractions, whole, or truth values."""
    kinds = onnx.TensorProto
    whole = (kinds.INT8, kinds.INT16, kinds.INT32, kinds.INT64, kinds.UINT8, kinds.UINT16, kinds.UINT32, kinds.UINT64)
    return dtype in (kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16, kinds.BOOL, *whole)


def described(kind: onnx.TypeProto) -> str:
    """What is wrong with the type of an input."""
    which = kind.WhichOneof("value")
    if which != "tensor_type":
        return f"is a {str(which).removesuffix('_type')}, and not a tensor"
    if not is_number(kind.tensor_type.elem_type):
        return f"consists of {onnx.TensorProto.DataType.Name(kind.tensor_type.elem_type).lower()}"
    return "has an unknown number of axes"


def control_flow(graph: onnx.GraphProto) -> Iterator[str]:
    """The operators of a graph that have graphs within them."""
    for node in graph.node:
        if any(given.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for given in node.attribute):
            yield node.op_type
