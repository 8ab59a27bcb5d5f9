"""The core's norms, and scaling by the training data."""

from __future__ import annotations

import numpy as np

from modnet.arrays import Array
from modnet.kinds.translations import Translation
from modnet.layers.norm import BatchNorm, LayerNorm, RMSNorm
from modnet.layers.standardize import Standardize, Unstandardize
from modnet_onnx.exporting.writer import Writer


def channels_first(writer: Writer, x: str) -> str:
    """(batch, ..., channels) -> (batch, channels, ...)."""
    axes = len(writer.input_shapes[0]) + 1
    return x if axes < 3 else writer.transpose(x, [0, axes - 1, *range(1, axes - 1)])


def channels_last(writer: Writer, x: str) -> str:
    """(batch, channels, ...) -> (batch, ..., channels)."""
    axes = len(writer.input_shapes[0]) + 1
    return x if axes < 3 else writer.transpose(x, [0, *range(2, axes), 1])


def _batch_norm(writer: Writer, layer: BatchNorm, x: str) -> str:
    arrays = (writer.params["scale"], writer.params["shift"])
    running = (writer.state["running_mean"], writer.state["running_variance"])
    y = writer.op("BatchNormalization", channels_first(writer, x), *arrays, *running, epsilon=layer.epsilon)
    return channels_last(writer, y)


def _mean(writer: Writer, x: str, axes: range, shares: str | None) -> str:
    """The mean over the last axes, with the weights of the steps if there are some."""
    if shares is None:
        return writer.reduce("ReduceMean", x, axes, keepdims=True)
    return writer.reduce("ReduceSum", writer.op("Mul", x, shares), axes, keepdims=True)


def _shares(writer: Writer, x: str, axes: range) -> str | None:
    """The weight of each number of x in a mean over the axes, if time is one of them and has a mask; else None."""
    mask = writer.masks[0]
    if mask is None or axes[0] > 1:
        return None
    steps = writer.unsqueeze(mask, *range(2, axes[-1] + 1)) if len(axes) > 1 else mask
    left = writer.op("Expand", writer.cast(steps, writer.dtype), writer.op("Shape", x))
    count = writer.op("Max", writer.reduce("ReduceSum", left, axes, keepdims=True), 1.0)
    return str(writer.op("Div", left, count))


def _layer_norm(writer: Writer, layer: LayerNorm, x: str) -> str:
    last = len(writer.input_shapes[0])
    axes = range(last + 1 - layer.axes, last + 1)
    shares = _shares(writer, x, axes)
    scale, shift = writer.params["scale"], writer.params["shift"]
    if shares is None:
        return str(writer.op("LayerNormalization", x, scale, shift, axis=-layer.axes, epsilon=layer.epsilon))
    centred = writer.op("Sub", x, _mean(writer, x, axes, shares))
    normalized = _scaled(writer, centred, axes, shares, layer.epsilon)
    return str(writer.op("Add", writer.op("Mul", normalized, scale), shift))


def _scaled(writer: Writer, x: str, axes: range, shares: str | None, epsilon: float) -> str:
    """x by its root mean square."""
    square = _mean(writer, writer.op("Mul", x, x), axes, shares)
    return str(writer.op("Div", x, writer.op("Sqrt", writer.op("Add", square, epsilon))))


def _rms_norm(writer: Writer, layer: RMSNorm, x: str) -> str:
    last = len(writer.input_shapes[0])
    axes = range(last, last + 1)
    return str(
        writer.op("Mul", _scaled(writer, x, axes, _shares(writer, x, axes), layer.epsilon), writer.params["scale"])
    )


def _exact_mean(writer: Writer) -> Array:
    """The means in float64, with the digits that float32 does not have."""
    mean = writer.state["mean"].astype(np.float64)
    return mean + writer.state["mean_rest"] if "mean_rest" in writer.state else mean


def _is_far(writer: Writer) -> bool:
    """Whether a mean needs more digits than the network's dtype has."""
    return "mean_rest" in writer.state and bool(np.count_nonzero(writer.state["mean_rest"]))


def centred(writer: Writer, x: str, exact: Array, is_far: bool) -> str:
    """x - exact, in float64 where the numbers are there as they were given, or need those digits."""
    given = writer.raw[0]
    if given is None and not is_far:
        return str(writer.op("Sub", x, exact))
    wide = writer.cast(x, np.float64) if given is None else given
    return writer.cast(writer.op("Sub", wide, writer.constant(exact, np.float64)), writer.dtype)


def _standardize(writer: Writer, layer: Standardize, x: str) -> str:
    distance = centred(writer, x, _exact_mean(writer), _is_far(writer))
    y = writer.op("Div", distance, writer.state["deviation"])
    if layer.clip and writer.state["samples"]:
        y = writer.op("Min", writer.op("Max", y, writer.state["lowest"]), writer.state["highest"])
    return str(y)


def _unstandardize(writer: Writer, layer: Unstandardize, x: str) -> str:
    if not _is_far(writer):
        return str(writer.op("Add", writer.op("Mul", x, writer.state["deviation"]), writer.state["mean"]))
    wide = writer.op("Mul", writer.cast(x, np.float64), writer.constant(writer.state["deviation"], np.float64))
    return writer.cast(writer.op("Add", wide, writer.constant(_exact_mean(writer), np.float64)), writer.dtype)


EXPORTS: dict[str, Translation] = {
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "Standardize": _standardize,
    "Unstandardize": _unstandardize,
}
