"""The poolings of modnet-conv."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from modnet_conv.geometry import per_axis
from modnet_conv.pooling import AveragePool, GlobalMaxPool, MaxPool, Pool

from modnet.kinds.translations import Translation
from modnet_onnx.exporting.normalization import channels_last
from modnet_onnx.exporting.windows import (
    Moved,
    counts_of_windows,
    filled,
    mask_of_windows,
    moves,
    padded,
    with_margins,
)
from modnet_onnx.exporting.writer import Writer


def _window(layer: Pool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The size and the stride of the windows."""
    kernel = per_axis(layer.pool_size, layer.axes)
    return kernel, kernel if layer.stride is None else per_axis(layer.stride, layer.axes)


def _pooled(writer: Writer, layer: Pool, x: str, operator: str, padding: float, **attributes: Any) -> str:
    kernel, stride = _window(layer)
    first, sides = padded(writer, layer, x, kernel, stride, (1,) * layer.axes)
    first, pads = with_margins(writer, first, sides, padding)
    y = writer.op(operator, first, kernel_shape=kernel, strides=stride, pads=pads, **attributes)
    return channels_last(writer, y)


def _max_pool(writer: Writer, layer: Pool, x: str) -> str:
    return _pooled(writer, layer, x, "MaxPool", -math.inf)


def _average_pool(writer: Writer, layer: AveragePool, x: str) -> str:
    if layer.count_padding or not _is_open(writer, layer):
        return _pooled(writer, layer, x, "AveragePool", 0.0, count_include_pad=int(layer.count_padding))
    # The padding is in x by then: how much of each window is none of it is the mean of ones.
    everywhere = writer.op("Where", writer.op("IsNaN", x), 1.0, 1.0)
    return _shared(writer, layer, x, everywhere)


def _is_open(writer: Writer, layer: Pool) -> bool:
    """Whether the padding depends on a size that is not known."""
    _, stride = _window(layer)
    sizes = zip(writer.input_shapes[0], stride, strict=False)
    return layer.padding == "same" and any(size is None and step > 1 for size, step in sizes)


def _shared(writer: Writer, layer: Pool, x: str, counted: str) -> str:
    """The mean of the numbers of each window for which `counted` is 1, and not 0."""
    size = math.prod(_window(layer)[0])
    sums = _pooled(writer, layer, x, "AveragePool", 0.0, count_include_pad=1)
    shares = _pooled(writer, layer, counted, "AveragePool", 0.0, count_include_pad=1)
    return str(writer.op("Div", sums, writer.op("Max", shares, 1 / size)))


def _max_pool1d(writer: Writer, layer: MaxPool, x: str) -> str:
    def pooled(own: Pool, sequences: str, mask: str) -> str:
        y = _max_pool(writer, own, filled(writer, sequences, mask, -math.inf))
        return str(writer.op("Where", writer.op("Equal", y, -math.inf), 0.0, y))

    return _masked(writer, layer, x, pooled) if writer.masks[0] is not None else _max_pool(writer, layer, x)


def _average_pool1d(writer: Writer, layer: AveragePool, x: str) -> str:
    def pooled(own: AveragePool, sequences: str, mask: str) -> str:
        left = filled(writer, sequences, mask)
        if own.count_padding:
            return _average_pool(writer, own, left)
        steps = writer.cast(writer.unsqueeze(mask, 2), writer.dtype)
        counted = writer.op("Expand", steps, writer.op("Shape", sequences))
        return _shared(writer, own, left, counted)

    return _masked(writer, layer, x, pooled) if writer.masks[0] is not None else _average_pool(writer, layer, x)


def _masked(writer: Writer, layer: Any, x: str, pooled: Any) -> str:
    """A pooling of sequences with a mask; sets the mask of the windows."""
    mask = writer.masks[0]
    assert mask is not None
    (kernel,), (stride,) = _window(layer)
    if moves(writer, layer, stride):
        moved = Moved(writer, x, mask, kernel, stride, 1)
        y, counts = pooled(layer.replace(padding="valid"), moved.x, moved.mask), moved.counts
    else:
        y, counts = pooled(layer, x, mask), counts_of_windows(writer, layer, mask, kernel, stride, 1)
    writer.output_mask = mask_of_windows(writer, mask, y, counts)
    return str(y)


def _global_max_pool(writer: Writer, layer: GlobalMaxPool, x: str) -> str:
    mask, axes = writer.masks[0], range(1, len(writer.input_shapes[0]))
    writer.output_mask = None
    if mask is None:
        return writer.reduce("ReduceMax", x, axes)
    steps = writer.unsqueeze(mask, *range(2, axes[-1] + 2))
    highest = writer.reduce("ReduceMax", writer.op("Where", steps, x, float(np.finfo(writer.dtype).min)), axes)
    some = writer.reduce("ReduceMax", writer.cast(mask, writer.dtype), [1], keepdims=True)
    return str(writer.op("Where", writer.op("Greater", some, 0.0), highest, 0.0))


EXPORTS: dict[str, Translation] = {
    "AveragePool": _average_pool,
    "AveragePool1d": _average_pool1d,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
    "MaxPool1d": _max_pool1d,
}
