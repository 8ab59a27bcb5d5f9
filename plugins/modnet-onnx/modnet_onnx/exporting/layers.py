"""The core's layers, but for norms and those of ensembles."""

from __future__ import annotations

import math

from modnet.arrays import Shape
from modnet.kinds.layer import Layer
from modnet.kinds.translations import Translation
from modnet.layers.embedding import Embedding
from modnet.layers.linear import Linear
from modnet.layers.merge import Concatenate
from modnet.layers.piecewise import PiecewiseEncoding
from modnet.layers.pooling import GlobalAveragePool
from modnet.layers.shape import Flatten, Reshape, Slice
from modnet.layers.temperature import Temperature, smallest
from modnet_onnx.exporting.activations import unchanged
from modnet_onnx.exporting.writer import Writer


def _linear(writer: Writer, layer: Linear, x: str) -> str:
    weight, bias = writer.params["weight"], writer.params.get("bias")
    if len(writer.input_shapes[0]) == 1:
        writer.output_mask = None
        return str(writer.op("Gemm", x, weight) if bias is None else writer.op("Gemm", x, weight, bias))
    y = writer.op("MatMul", x, weight)
    return str(y if bias is None else writer.op("Add", y, bias))


def _embedding(writer: Writer, layer: Embedding, ids: str) -> str:
    ids = writer.integers(ids)
    if layer.padding is not None and len(writer.input_shapes[0]) == 1:
        writer.output_mask = writer.op("Not", writer.op("Equal", ids, layer.padding))
    return vectors(writer, ids, layer.vocabulary_size)


def vectors(writer: Writer, ids: str, size: int) -> str:
    """The row of the weight for each id. One below 0 is no row counted from the end, but one that is not there."""
    known = writer.op("Where", writer.op("Less", ids, 0), size, ids)
    return str(writer.op("Gather", writer.params["weight"], known, axis=0))


def _add(writer: Writer, layer: Layer, *inputs: str) -> str:
    return _folded(writer, "Add", inputs)


def _multiply(writer: Writer, layer: Layer, *inputs: str) -> str:
    return _folded(writer, "Mul", inputs)


def _folded(writer: Writer, operator: str, inputs: tuple[str, ...]) -> str:
    y = inputs[0]
    for x in inputs[1:]:
        y = writer.op(operator, y, x)
    return y


def _concatenate(writer: Writer, layer: Concatenate, *inputs: str) -> str:
    axes = len(writer.input_shapes[0]) + 1
    axis = layer.axis + 1 if layer.axis >= 0 else layer.axis + axes
    if axis == 1 and any(mask is not None for mask in writer.masks):
        whole = [
            mask or writer.op("Expand", True, writer.op("Shape", x, start=0, end=2))
            for mask, x in zip(writer.masks, inputs, strict=True)
        ]
        writer.output_mask = writer.concat(whole, 1)
    return writer.concat(inputs, axis)


def _flatten(writer: Writer, layer: Flatten, x: str) -> str:
    writer.output_mask = None
    return writer.reshape(x, [0, *writer.output_shapes[0]])  # type: ignore[list-item]


def _reshape(writer: Writer, layer: Reshape, x: str) -> str:
    if writer.masks[0] is not None:
        writer.output_mask = _mask_of_steps(writer, writer.masks[0])
    return writer.reshape(x, [0, *layer.shape])


def _mask_of_steps(writer: Writer, mask: str) -> str | None:
    before, after = _size(writer.input_shapes[0][1:]), _size(writer.output_shapes[0][1:])
    if not before or not after:
        return None
    if before % after == 0:
        parts = before // after
        repeated = writer.op("Expand", writer.unsqueeze(mask, 2), [1, 1, parts])
        return writer.reshape(repeated, [0, -1])
    if after % before:
        return None
    grouped = writer.reshape(writer.op("Cast", mask, to=6), [0, -1, after // before])
    return writer.cast(writer.reduce("ReduceMax", grouped, [2]), bool)


def _size(shape: Shape) -> int:
    """The elements of a part of fixed size; 0 for one that is not."""
    return 0 if None in shape else math.prod(size or 0 for size in shape)


def _slice(writer: Writer, layer: Slice, x: str) -> str:
    axes = len(writer.input_shapes[0])
    axis = layer.axis % axes + 1
    mask = writer.masks[0]
    if mask is not None and axis == 1:
        from_end = min(layer.start or 0, layer.stop or 0) < 0
        writer.output_mask = None if from_end else writer.slice(mask, 1, layer.start, layer.stop)
    return writer.slice(x, axis, layer.start, layer.stop)


def shares_of_steps(writer: Writer, mask: str, x: str) -> str:
    """1 / n for each of the n steps that the mask leaves of a sample, else 0: (batch, time, 1 ...)."""
    left = writer.cast(mask, writer.dtype)
    count = writer.op("Max", writer.reduce("ReduceSum", left, [1], keepdims=True), 1.0)
    shares = writer.op("Div", left, count)
    return writer.unsqueeze(shares, *range(2, len(writer.input_shapes[0]) + 1))


def _global_average_pool(writer: Writer, layer: GlobalAveragePool, x: str) -> str:
    mask, axes = writer.masks[0], range(1, len(writer.input_shapes[0]))
    writer.output_mask = None
    if mask is None:
        return writer.reduce("ReduceMean", x, axes)
    if len(axes) > 1:
        x = writer.reduce("ReduceMean", x, axes[1:], keepdims=True)
    summed = writer.reduce("ReduceSum", writer.op("Mul", x, shares_of_steps(writer, mask, x)), [1], keepdims=True)
    return writer.squeeze(summed, *axes)


def _piecewise_encoding(writer: Writer, layer: PiecewiseEncoding, x: str) -> str:
    distance = writer.op("Sub", writer.unsqueeze(x, -1), writer.state["left"])
    share = writer.op("Clip", writer.op("Mul", distance, writer.state["slope"]), 0.0, 1.0)
    features = writer.output_shapes[0][-1] or 0
    return writer.reshape(share, [0] * len(writer.input_shapes[0]) + [features])


def _temperature(writer: Writer, layer: Temperature, x: str) -> str:
    least, rest = smallest(writer.dtype)
    temperature = writer.state["temperature"]
    logs = writer.op("Log", writer.op("Max", x, least))
    if layer.independent or writer.input_shapes[0][-1] == 1:
        others = writer.op("Log", writer.op("Max", writer.op("Sub", 1.0, x), rest))
        return str(writer.op("Sigmoid", writer.op("Div", writer.op("Sub", logs, others), temperature)))
    return str(writer.op("Softmax", writer.op("Div", logs, temperature), axis=-1))


EXPORTS: dict[str, Translation] = {
    "Add": _add,
    "Concatenate": _concatenate,
    "Dropout": unchanged,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "GaussianNoise": unchanged,
    "GlobalAveragePool": _global_average_pool,
    "Linear": _linear,
    "Multiply": _multiply,
    "PiecewiseEncoding": _piecewise_encoding,
    "Reshape": _reshape,
    "Slice": _slice,
    "Temperature": _temperature,
}
