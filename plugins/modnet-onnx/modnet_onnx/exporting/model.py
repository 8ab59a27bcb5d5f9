"""A network as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto, helper

import modnet
from modnet.arrays import Shape
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.errors import BrokenPlugin, DataError, ModelFileError
from modnet.words import legible, show
from modnet_onnx.exporting.builder import ML, Builder
from modnet_onnx.exporting.components import export_of, refusal
from modnet_onnx.exporting.metadata import properties
from modnet_onnx.exporting.tables import TableWriter, refused_columns
from modnet_onnx.exporting.writer import Writer

OLDEST, NEWEST = 17, onnx.defs.onnx_opset_version()
"""The opsets that can be written."""

DEFAULT = 21
"""The opset that is written by default: of ONNX 1.16, which runtimes of 2024 have."""

TABLES = 3
"""The version of the operators for tables."""

NAMES = {2: ("time",), 3: ("height", "width"), 4: ("depth", "height", "width")}
"""How the axes of samples with so many are called, where they are variable."""


class CannotExport(ModelFileError):
    """A network has parts that cannot be exported; nothing has been written.

    Attributes:
        refused: each part, a node or a column, with the reason.
    """

    def __init__(self, path: str | PathLike[str], refused: Sequence[tuple[str, str]]) -> None:
        self.refused = tuple(refused)
        lines = "".join(f"\n  {part}: {reason}" for part, reason in refused)
        super().__init__(path, f"ONNX cannot have all of the network:{lines}")


class Settings(NamedTuple):
    """How a network is written.

    Attributes:
        opset: the version of the operators.
        dtype: of the numbers within; None for the network's.
        encoded: whether a network for a table takes the arrays that `Network.encode` gives, and not its columns.
    """

    opset: int = DEFAULT
    dtype: str | None = None
    encoded: bool = False


DEFAULTS = Settings()


class Slot(NamedTuple):
    """A value of the network in the graph: its mask with its number of steps, and the numbers as they were given."""

    value: str
    mask: str | None = None
    steps: int | None = None
    raw: str | None = None


def refusals(network: Network, encoded: bool = False) -> list[tuple[str, str]]:
    """What cannot be exported, nodes and columns, each with the reason."""
    nodes = network.graph.nodes
    found = [(node.label(), reason) for node in nodes if (reason := refusal(node.layer)) is not None]
    schema = network.card.schema
    return found if encoded or schema is None else [*found, *refused_columns(schema)]


def to_onnx(network: Network, settings: Settings = DEFAULTS, path: str | PathLike[str] = "ONNX") -> ModelProto:
    """A network as an ONNX model, in its prediction form.

    Args:
        path: for messages.

    Raises:
        CannotExport: a part of it has no export.
        BrokenPlugin: the export of a component fails.
    """
    refused = refusals(network, settings.encoded)
    if refused:
        raise CannotExport(path, refused)
    return _NetworkWriter(network, settings, path).model()


class _NetworkWriter:
    def __init__(self, network: Network, settings: Settings, path: str | PathLike[str]) -> None:
        self.network, self.graph, self.path = network, network.graph, path
        self.builder = Builder(settings.opset, settings.dtype or network.dtype)
        schema = network.card.schema
        has_columns = schema is not None and bool(schema.inputs) and not settings.encoded
        self.table = TableWriter(self.builder, schema) if has_columns else None
        self.inputs: list[ValueInfoProto] = []
        self.slots: list[Slot] = []
        self.refused: list[tuple[str, str]] = []

    def model(self) -> ModelProto:
        self.read_inputs()
        for node in self.graph.nodes:
            self.place(node)
        if self.refused:
            raise CannotExport(self.path, self.refused)
        outputs = self.named_outputs()
        builder = self.builder
        graph = helper.make_graph(
            builder.nodes, "modnet", self.inputs, outputs, initializer=list(builder.constants.values())
        )
        opsets = [helper.make_opsetid("", builder.opset)]
        if builder.uses_tables:
            opsets.append(helper.make_opsetid(ML, TABLES))
        made = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="modnet",
            producer_version=modnet.__version__,
        )
        helper.set_model_props(made, properties(self.network, self.table is not None))
        return _with_symbols(made)

    def read_inputs(self) -> None:
        names = list(self.graph.inputs)
        if self.table is not None:
            self.inputs += self.table.inputs()
        for name, dtype in zip(names, self.network.input_dtypes(), strict=True):
            ids = dtype.kind == "i"
            if self.table is not None and name in self.table.schema.inputs:
                given = self.table.encoded(name)
                value = given if ids else self.cast(given)
                raw = given if value != given else None
                self.slots.append(Slot(value, raw=raw))
                continue
            wanted = np.dtype(np.int64) if ids else self.builder.dtype
            value = self.builder.name(name)
            self.builder.dtypes[value] = wanted
            shape = _symbols(self.graph.inputs[name], name if len(names) > 1 else "")
            self.inputs.append(helper.make_tensor_value_info(value, helper.np_dtype_to_tensor_dtype(wanted), shape))
            self.slots.append(Slot(value))

    def cast(self, value: str) -> str:
        """The value in the network's dtype."""
        return Writer(self.builder, "inputs", {}, {}, (), ()).cast(value, self.builder.dtype)

    def place(self, node: GraphNode) -> None:
        """Writes a node, and takes its outputs into their slots."""
        network, given = self.network, [self.slots[slot] for slot in node.inputs]
        writer = Writer(
            self.builder,
            node.name,
            network.arrays_of(network.parameters, node, node.parameters),
            network.arrays_of(network.state, node, node.state),
            node.input_shapes,
            node.shapes,
            [slot.mask for slot in given],
            [slot.raw for slot in given],
        )
        common = writer.output_mask
        values = self.written(node, writer, given)
        steps = next((slot.steps for slot in given if slot.mask is not None), None)
        for place, (value, shape) in enumerate(zip(values, node.shapes, strict=True)):
            raw = given[0].raw if value == given[0].value else None
            mask = writer.output_mask
            own = mask[place] if isinstance(mask, tuple) else mask
            time = shape[1:2] if node.apart else shape[:1]
            if own is None or not time or (mask is common and time[0] != steps):
                self.slots.append(Slot(value, raw=raw))
            else:
                self.slots.append(Slot(value, own, time[0], raw))

    def written(self, node: GraphNode, writer: Writer, given: Sequence[Slot]) -> tuple[str, ...]:
        """The outputs of a node; where its export refuses it, that is noted, and others may be refused, too.

        Raises:
            BrokenPlugin: the export fails, or does not give the outputs.
        """
        export = export_of(node.layer)
        assert export is not None
        count = len(node.shapes)
        try:
            made = export(writer, *[slot.value for slot in given])
        except DataError as error:
            self.refused.append((node.label(), str(error)))
            return ("",) * count
        except Exception as error:
            what = f"its export to ONNX raised {type(error).__name__}: {error}"
            raise BrokenPlugin(f"{node.label()}: {what}") from error
        values = made if isinstance(made, tuple) else (made,)
        if len(values) != count or not all(isinstance(value, str) for value in values):
            expected = "the name of a value" if count == 1 else f"a tuple with the names of {count} values"
            raise BrokenPlugin(f"{node.label()}: its export to ONNX gave {show(made)}; expected {expected}")
        return values

    def named_outputs(self) -> list[ValueInfoProto]:
        """The outputs of the network, and of a table the predicted classes too."""
        found = []
        kind = helper.np_dtype_to_tensor_dtype(self.builder.dtype)
        for name, slot in self.graph.outputs.items():
            # A copy under its name: one value may be two outputs, or an input.
            value, made = self.builder.name(name), self.slots[slot].value
            if self.table is not None:
                made = self.table.without_faults(made, self.graph.shape(slot))
            self.builder.node("Identity", [made], [value])
            shape = [None if axis is None else axis for axis in self.graph.shape(slot)]
            found.append(helper.make_tensor_value_info(value, kind, ["batch", *shape]))
            if self.table is not None:
                found += self.table.predicted(name, value, self.graph.shape(slot))
        return found


def _symbols(shape: Shape, prefix: str) -> list[int | str]:
    """The shape of an array of samples: the batch and variable axes by names."""
    names = NAMES.get(len(shape), ())
    symbols = [*names, *(f"axis_{axis}" for axis in range(len(names), len(shape)))]
    start = f"{prefix}_" if prefix else ""
    return ["batch", *(start + symbol if size is None else size for size, symbol in zip(shape, symbols, strict=True))]


def _with_symbols(model: ModelProto) -> ModelProto:
    """The model; the variable axes of its outputs have the names of the axes that they are equal to, or their own."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for output, found in zip(model.graph.output, inferred.graph.output, strict=True):
        known = found.type.tensor_type.shape.dim
        for place, axis in enumerate(output.type.tensor_type.shape.dim):
            if not axis.dim_param and not axis.HasField("dim_value"):
                name = known[place].dim_param if place < len(known) else ""
                axis.dim_param = name if name and not name.startswith("unk__") else f"{output.name}_axis_{place}"
    return model


def settings_of(options: Mapping[str, Any], path: str | PathLike[str]) -> Settings:
    """The settings that options ask for.

    Raises:
        ModelFileError: a value is not possible.
    """
    opset, dtype, inputs = options.get("opset", DEFAULT), options.get("dtype"), options.get("inputs", "columns")
    if isinstance(opset, bool) or not isinstance(opset, int) or not OLDEST <= opset <= NEWEST:
        raise ModelFileError(path, f"opset: expected {OPTIONS['opset']}, found {show(opset)}")
    if dtype not in (None, "float16", "float32", "float64"):
        raise ModelFileError(path, f"dtype: expected {OPTIONS['dtype']}, found {show(dtype)}")
    if inputs not in ("columns", "encoded"):
        raise ModelFileError(path, f"inputs: expected {OPTIONS['inputs']}, found {legible(str(inputs))}")
    return Settings(opset, dtype, inputs == "encoded")


OPTIONS = {
    "opset": f"{OLDEST} to {NEWEST}, by default {DEFAULT}",
    "dtype": "float16, float32 or float64, by default the network's",
    "inputs": "columns, or encoded for the arrays that Network.encode gives",
}
"""The options of an export, and what they take."""
