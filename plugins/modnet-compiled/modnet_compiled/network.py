"""A whole network as operations, for samples of known shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.engine.built import BuiltGraph
from modnet.engine.graph import GraphNode
from modnet.errors import ShapeError
from modnet.kinds.layer import Layer
from modnet_compiled.components import METHOD, lowering_of
from modnet_compiled.errors import CannotCompile
from modnet_compiled.operations import Value
from modnet_compiled.writer import Writer


class Lowered:
    """The operations of a network.

    Args:
        network: the network.
        shapes: of a sample of each input.
        raw: for each input, whether it was given in another dtype than that in which the network computes.

    Attributes:
        operations: in order.
        inputs, outputs: their values; last of the inputs come those that are also read as they were given.
        raw_numbers: the numbers of the inputs of which that is so.

    Raises:
        CannotCompile: parts of the network have no compiled form; the text names all of them.
        ShapeError: the shapes do not fit the network.
    """

    def __init__(self, network: BuiltGraph, shapes: Sequence[tuple[int, ...]], raw: Sequence[bool]) -> None:
        self._network = network
        self._writer = Writer(network.dtype)
        self.operations = self._writer.operations
        self.inputs = [
            Value(shape, dtype, external=number)
            for number, (shape, dtype) in enumerate(zip(shapes, network.input_dtypes(), strict=True))
        ]
        given = [Value(shape, np.dtype(np.float64)) for shape in shapes]
        self._writer.raw = {
            value: other for value, other, is_raw in zip(self.inputs, given, raw, strict=True) if is_raw
        }
        self._values: dict[int, Value] = dict(enumerate(self.inputs))
        self._masks: dict[int, Value] = {}
        self._lower(network.graph.behind(network.graph.outputs.values()))
        self.outputs = [self._values[slot] for slot in network.graph.outputs.values()]
        read = {value.root for operation in self.operations for value in operation.read}
        self.raw_numbers = [number for number, value in enumerate(given) if value in read]
        for number in self.raw_numbers:
            given[number].external = len(self.inputs)
            self.inputs.append(given[number])

    def _lower(self, nodes: Sequence[GraphNode]) -> None:
        refused = {node.slot: why for node in nodes if (why := _unknown(node.layer))}
        try:
            for node in nodes:
                if why := self._refusal(node):
                    refused.setdefault(node.slot, why)
        except ShapeError:
            if not refused:
                raise
        if refused:
            each = "; ".join(f"{node.label()}: {refused[node.slot]}" for node in nodes if node.slot in refused)
            count = "1 layer has" if len(refused) == 1 else f"{len(refused)} layers have"
            raise CannotCompile(f"{count} no compiled form: {each}. Without this engine modnet runs the whole network")

    def _refusal(self, node: GraphNode) -> str:
        """Lowers a node; gives the reason, if it cannot be."""
        layer, network = node.layer, self._network
        inputs = [self._values[slot] for slot in node.inputs]
        shapes = layer.output_shapes(*(value.shape for value in inputs))
        for slot, shape in zip(node.slots, shapes, strict=True):  # so that the layers behind are looked at in any case
            self._values[slot] = Value(tuple(size or 0 for size in shape), network.dtype)
        writer, masks = self._writer, self._masks
        writer.masks = tuple(masks.get(slot) for slot in node.inputs)
        writer.output_mask = writer.common_mask()
        writer.params = network.arrays_of(network.parameters, node, node.parameters)
        writer.state = network.arrays_of(network.state, node, node.state)
        try:
            made = writer.lowered(layer, *inputs)
        except CannotCompile as error:
            return str(error)
        for slot, value in zip(node.slots, made if layer.outputs else (made,), strict=True):
            self._values[slot] = value
            # A layer that combines all steps, or makes other steps, has no mask after it.
            if writer.output_mask is not None and value.shape[:1] == writer.output_mask.shape:
                masks[slot] = writer.output_mask
        return ""


def _unknown(layer: Layer) -> str:
    """Why nothing lowers a layer; "" if something does."""
    if lowering_of(layer) is not None:
        return ""
    cls = type(layer.stands_for)
    return f"{cls.__module__}.{cls.__qualname__} has no method {METHOD}"
