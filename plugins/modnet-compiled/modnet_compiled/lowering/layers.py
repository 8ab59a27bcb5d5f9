"""The core's layers, but for those of ensembles."""

from __future__ import annotations

import math

import numpy as np

from modnet.arrays import Array
from modnet.kinds.layer import Layer
from modnet.kinds.translations import Translation
from modnet.layers.embedding import Embedding
from modnet.layers.linear import Linear
from modnet.layers.merge import Concatenate
from modnet.layers.norm import BatchNorm, LayerNorm, RMSNorm
from modnet.layers.piecewise import PiecewiseEncoding
from modnet.layers.shape import Flatten, Reshape, Slice
from modnet.layers.standardize import Standardize, Unstandardize
from modnet_compiled.errors import CannotCompile
from modnet_compiled.lowering.activations import unchanged
from modnet_compiled.operations import Value
from modnet_compiled.writer import Writer


def _linear(writer: Writer, layer: Linear, x: Value) -> Value:
    if len(x.shape) == 1:
        writer.output_mask = None  # the axis of the mask is mixed here
    return writer.product(x, writer.params["weight"], writer.params.get("bias"))


def _batch_norm(writer: Writer, layer: BatchNorm, x: Value) -> Value:
    params, state = writer.params, writer.state
    scale = params["scale"] / np.sqrt(state["running_variance"] + layer.epsilon)
    return writer.affine(x, scale.astype(writer.dtype), params["shift"], state["running_mean"])


def _norm(writer: Writer, layer: LayerNorm | RMSNorm, x: Value) -> Value:
    if len(x.shape) == (layer.axes if isinstance(layer, LayerNorm) else 1):
        writer.refuse_masks()
    scale = writer.params["scale"]
    shift = writer.params.get("shift", np.zeros_like(scale))
    # The members of an ensemble have arrays of their own, one after the other.
    last = math.prod(x.shape[len(x.shape) - (layer.axes if isinstance(layer, LayerNorm) else 1) :])
    centred = int("shift" in writer.params)
    numbers = [last, x.size // last if last else 0, centred, scale.size // last if last else 1]
    arrays = [scale.reshape(-1), shift.reshape(-1)]
    return writer.add("norm", (x,), x.shape, numbers=numbers, arrays=arrays, factors=[layer.epsilon])


def exact(state: Array, rest: Array | None) -> Array:
    """Numbers with the digits that the network's dtype does not hold."""
    return state.astype(np.float64) + (0 if rest is None else rest)


def scaled(writer: Writer, x: Value, center: Array, scale: Array, far: bool) -> Value:
    """(x - center) * scale; where centres are `far` from 0, from numbers as they were given to the network."""
    if far and x in writer.raw:
        raw = writer.raw[x]
        numbers = writer.by_features(x, center.size)
        return writer.add("affine_raw", (raw,), x.shape, numbers=numbers, arrays=[center, scale.astype(np.float64)])
    if far:
        # In two steps: the difference is exact, and what the first centre lacks is small.
        first = center.astype(writer.dtype)
        x = writer.affine(x, center=first)
        center = center - first
    return writer.affine(x, scale.astype(writer.dtype), center=center.astype(writer.dtype))


def _standardize(writer: Writer, layer: Standardize, x: Value) -> Value:
    state = writer.state
    rest = state.get("mean_rest")
    far = rest is not None and bool(np.count_nonzero(rest))
    y = scaled(writer, x, exact(state["mean"], rest), 1 / state["deviation"].astype(np.float64), far)
    if not (layer.clip and state["samples"]):
        return y
    return writer.clipped(y, state["lowest"], state["highest"])


def _unstandardize(writer: Writer, layer: Unstandardize, x: Value) -> Value:
    state = writer.state
    mean = exact(state["mean"], state.get("mean_rest"))
    return writer.affine(x, state["deviation"], mean.astype(writer.dtype))


def _embedding(writer: Writer, layer: Embedding, ids: Value) -> Value:
    if layer.padding is not None and len(ids.shape) == 1 and ids.dtype == np.intp:
        writer.output_mask = writer.mask("mask_of_ids", (ids,), numbers=[ids.size, layer.padding])
    return rows_of(writer, ids, writer.params["weight"])


def rows_of(writer: Writer, ids: Value, table: Array, *others: Array) -> Value:
    """The row of a table for each id."""
    if ids.dtype != np.intp:
        raise CannotCompile("its ids are not an input of the network by themselves")
    numbers = [ids.size, *table.shape]
    return writer.add("gather", (ids,), (*ids.shape, table.shape[1]), numbers=numbers, arrays=[table, *others])


def _add(writer: Writer, layer: Layer, *inputs: Value) -> Value:
    _check_one_shape(inputs)
    return writer.sum(*inputs)


def _multiply(writer: Writer, layer: Layer, *inputs: Value) -> Value:
    _check_one_shape(inputs)
    return writer.multiplied(*inputs)


def _check_one_shape(inputs: tuple[Value, ...]) -> None:
    if any(x.shape != inputs[0].shape for x in inputs):
        raise CannotCompile("its inputs differ in shape")


def _concatenate(writer: Writer, layer: Concatenate, *inputs: Value) -> Value:
    axis = layer.axis % len(inputs[0].shape)
    if not axis:
        writer.refuse_masks()
    return writer.concatenated(inputs, axis)


def _flatten(writer: Writer, layer: Flatten | Reshape, x: Value) -> Value:
    if isinstance(layer, Reshape):
        writer.refuse_masks()
    writer.output_mask = None
    (shape,) = layer.output_shapes(x.shape)
    return writer.reshaped(x, [size or 0 for size in shape])


def _slice(writer: Writer, layer: Slice, x: Value) -> Value:
    axis = layer.axis % len(x.shape)
    if not axis:
        writer.refuse_masks()
    start, stop, _ = slice(layer.start, layer.stop).indices(x.shape[axis])
    return writer.part(x, axis, start, max(start, stop))


def _global_average_pool(writer: Writer, layer: Layer, x: Value) -> Value:
    writer.output_mask = None
    return writer.mean(x, 0, len(x.shape) - 1)


def _piecewise_encoding(writer: Writer, layer: PiecewiseEncoding, x: Value) -> Value:
    state = writer.state
    zeros = np.zeros_like(state["left"])
    y = pieces(writer, x, state["left"], state["slope"], zeros, zeros, zeros + 1)
    return writer.reshaped(y, (*x.shape[:-1], x.shape[-1] * layer.bins))


def pieces(writer: Writer, x: Value, left: Array, slope: Array, offset: Array, least: Array, most: Array) -> Value:
    """(x - left) * slope + offset between least and most, arrays (features, bins): (..., features, bins)."""
    features, bins = left.shape
    numbers = [features, bins, x.size // features if features else 0]
    shape = (*x.shape[:-1], features, bins)
    return writer.add("pieces", (x,), shape, numbers=numbers, arrays=[left, slope, offset, least, most])


LOWERINGS: dict[str, Translation] = {
    "Add": _add,
    "BatchNorm": _batch_norm,
    "Concatenate": _concatenate,
    "Dropout": unchanged,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "GaussianNoise": unchanged,
    "GlobalAveragePool": _global_average_pool,
    "LayerNorm": _norm,
    "Linear": _linear,
    "Multiply": _multiply,
    "PiecewiseEncoding": _piecewise_encoding,
    "RMSNorm": _norm,
    "Reshape": _flatten,
    "Slice": _slice,
    "Standardize": _standardize,
    "Unstandardize": _unstandardize,
}
