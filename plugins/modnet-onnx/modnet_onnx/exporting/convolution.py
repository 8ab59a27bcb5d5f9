"""The convolutions of modnet-conv."""

from __future__ import annotations

from typing import Any

import numpy as np
from modnet_conv.convolution import Conv1d, Convolution, ConvTranspose2d, DepthwiseConv2d
from modnet_conv.geometry import margins

from modnet.kinds.translations import Translation
from modnet_onnx.exporting.normalization import channels_first, channels_last
from modnet_onnx.exporting.windows import (
    Moved,
    counts_of_windows,
    filled,
    mask_of_windows,
    moves,
    padded,
    sizes,
    with_margins,
)
from modnet_onnx.exporting.writer import Writer


def _convolved(writer: Writer, layer: Any, x: str, axes: int, groups: int, weight: Any) -> str:
    kernel, stride, dilation = sizes(layer, axes, "kernel_size", "stride", "dilation")
    first, pads = with_margins(writer, *padded(writer, layer, x, kernel, stride, dilation), 0.0)
    y = writer.op(
        "Conv",
        first,
        weight,
        writer.params.get("bias"),
        kernel_shape=kernel,
        strides=stride,
        dilations=dilation,
        pads=pads,
        group=groups,
    )
    return channels_last(writer, y)


def _outputs_first(weight: Any) -> Any:
    """(..., inputs, outputs) -> (outputs, inputs, ...)."""
    axes = weight.ndim
    return np.transpose(weight, (axes - 1, axes - 2, *range(axes - 2)))


def _convolution(writer: Writer, layer: Convolution, x: str) -> str:
    return _convolved(writer, layer, x, layer.axes, layer.groups, _outputs_first(writer.params["weight"]))


def _conv1d(writer: Writer, layer: Conv1d, x: str) -> str:
    mask = writer.masks[0]
    if mask is None:
        return _convolution(writer, layer, x)
    stride, dilation = layer.stride, layer.dilation
    if moves(writer, layer, stride):
        moved = Moved(writer, x, mask, layer.kernel_size, stride, dilation)
        y = _convolution(writer, layer.replace(padding="valid"), filled(writer, moved.x, moved.mask))
        counts = moved.counts
    else:
        y = _convolution(writer, layer, filled(writer, x, mask))
        counts = counts_of_windows(writer, layer, mask, layer.kernel_size, stride, dilation)
    writer.output_mask = mask_of_windows(writer, mask, y, counts)
    return y


def _depthwise(writer: Writer, layer: DepthwiseConv2d, x: str) -> str:
    weight = np.moveaxis(writer.params["weight"], -1, 0)[:, None]
    return _convolved(writer, layer, x, 2, writer.input_shapes[0][-1] or 1, weight)


def _transposed(writer: Writer, layer: ConvTranspose2d, x: str) -> str:
    kernel, stride, dilation, further = sizes(layer, 2, "kernel_size", "stride", "dilation", "output_padding")
    explicit = margins(layer.padding, 2)
    sides, more = [], []
    for axis in range(2):
        if explicit is not None:
            sides.append(explicit[axis])
            more.append(further[axis])
            continue
        spare = (kernel[axis] - 1) * dilation[axis] + 1 - stride[axis]
        before = max(0, spare) // 2
        sides.append((before, max(0, spare) - before))
        more.append(max(0, -spare))
    y = writer.op(
        "ConvTranspose",
        channels_first(writer, x),
        _outputs_first(writer.params["weight"]),
        writer.params.get("bias"),
        kernel_shape=kernel,
        strides=stride,
        dilations=dilation,
        pads=[*(before for before, _ in sides), *(after for _, after in sides)],
        output_padding=more,
        group=layer.groups,
    )
    return channels_last(writer, y)


EXPORTS: dict[str, Translation] = {
    "Conv1d": _conv1d,
    "ConvTranspose2d": _transposed,
    "Convolution": _convolution,
    "DepthwiseConv2d": _depthwise,
}
