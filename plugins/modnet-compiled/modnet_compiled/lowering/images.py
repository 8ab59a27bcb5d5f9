"""The layers of modnet-conv."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from modnet_conv.augmentation import RandomCrop
from modnet_conv.convolution import Convolution, DepthwiseConv2d
from modnet_conv.geometry import Window, per_axis
from modnet_conv.pooling import AveragePool, Pool, shares_of
from modnet_conv.resampling import Upsample2d, ZeroPad2d

from modnet.arrays import Array
from modnet.kinds.layer import Layer
from modnet.kinds.translations import Translation
from modnet_compiled.errors import CannotCompile
from modnet_compiled.lowering.activations import unchanged
from modnet_compiled.operations import Scratch, Value
from modnet_compiled.writer import Writer

LINE = Window(size=1, kernel=1, stride=1, dilation=1, before=0, after=0)
"""What stands for the height of a sequence."""


def _two(windows: Sequence[Window]) -> tuple[Window, Window]:
    """The windows of an image; a sequence is one of a single line."""
    if len(windows) > 2:
        raise CannotCompile("volumes cannot be compiled")
    down, across = (LINE, *windows)[-2:]
    return down, across


def _geometry(x: Value, windows: tuple[Window, Window]) -> list[int]:
    """What the numbers of an operation of windows begin with, but for where a padded image lies."""
    down, across = windows
    sizes = [down.size, across.size, x.shape[-1], down.count, across.count, down.kernel, across.kernel]
    return [*sizes, down.stride, across.stride, down.dilation, across.dilation, down.before, across.before]


def _scratch(x: Value, windows: tuple[Window, Window], dtype: np.dtype[Any]) -> list[Scratch]:
    """Space for one image with its padding, if there is any."""
    if not any(window.before > 0 or window.after > 0 for window in windows):
        return []
    size = math.prod(window.length for window in windows) * x.shape[-1] * dtype.itemsize
    return [Scratch(13, size, of_sample=False)]


def _convolution(writer: Writer, layer: Convolution, x: Value) -> Value:
    if layer.axes == 1:
        writer.refuse_masks()
    found = layer.windows(x.shape[:-1])
    windows = _two(found)
    weight, bias = writer.params["weight"], writer.params.get("bias")
    groups, outputs = layer.groups, layer.out_channels
    own = outputs // groups
    parted = weight.reshape(-1, groups, own).swapaxes(0, 1)
    scratch = _scratch(x, windows, writer.dtype)
    bias = np.zeros(outputs, writer.dtype) if bias is None else bias
    return writer.add(
        "convolution",
        (x,),
        (*(window.count for window in found), outputs),
        numbers=[*_geometry(x, windows), -1, outputs, groups],
        arrays=[None, None, _offsets(windows, x.shape[-1], groups, bool(scratch))],
        factors=[0.0, 0.0],
        scratch=scratch,
        weight=parted,
        bias=bias.reshape(groups, own),
    )


def _offsets(windows: tuple[Window, Window], channels: int, groups: int, padded: bool) -> Array:
    """Where the pieces of a window begin: its lines, or each of its places where these do not lie side by side."""
    down, across = windows
    line = (across.length if padded else across.size) * channels
    lines = np.arange(down.kernel) * down.dilation * line
    if groups == 1 and across.dilation == 1:
        return lines
    return np.add.outer(lines, np.arange(across.kernel) * across.dilation * channels).reshape(-1)


def _depthwise(writer: Writer, layer: DepthwiseConv2d, x: Value) -> Value:
    weight, bias = writer.params["weight"], writer.params.get("bias")
    if layer.depth_multiplier > 1:
        output = writer.value((*x.shape[:-1], weight.shape[-1]))
        for copy in range(layer.depth_multiplier):
            writer.copy(x, output, x.size, 1, (1, layer.depth_multiplier, 0, copy))
        x = output
    windows = _two(layer.windows(x.shape[:-1]))
    channels = x.shape[-1]
    return writer.add(
        "depthwise",
        (x,),
        (*(window.count for window in windows), channels),
        numbers=[*_geometry(x, windows), -1],
        factors=[0.0],
        scratch=_scratch(x, windows, writer.dtype),
        weight=weight.reshape(1, -1, channels),
        bias=(np.zeros(channels, writer.dtype) if bias is None else bias).reshape(1, channels),
    )


def _pool(writer: Writer, layer: Pool, x: Value) -> Value:
    if layer.axes == 1:
        writer.refuse_masks()
    found = layer.windows(x.shape[:-1])
    mean = isinstance(layer, AveragePool)
    shares = shares_of(found, layer.count_padding, writer.dtype).reshape(-1) if isinstance(layer, AveragePool) else None
    shape = (*(window.count for window in found), x.shape[-1])
    numbers = [*_geometry(x, _two(found)), -1, int(mean)]
    return writer.add("pool", (x,), shape, numbers=numbers, arrays=[shares])


def _global_max_pool(writer: Writer, layer: Layer, x: Value) -> Value:
    writer.output_mask = None
    return writer.mean(x, 0, len(x.shape) - 1, greatest=True)


def _upsample(writer: Writer, layer: Upsample2d, x: Value) -> Value:
    if layer.mode != "nearest":
        raise CannotCompile('mode = "bilinear" cannot be compiled')
    height, width, channels = x.shape
    down, across = per_axis(layer.scale_factor, 2)
    wide = writer.value((height, width * across, channels))
    for copy in range(across):
        writer.copy(x, wide, height * width, channels, (channels, across * channels, 0, copy * channels))
    output, line = writer.value((height * down, width * across, channels)), width * across * channels
    for copy in range(down):
        writer.copy(wide, output, height, line, (line, down * line, 0, copy * line))
    return output


def _crop(writer: Writer, layer: RandomCrop, x: Value) -> Value:
    for axis, size in enumerate((layer.height, layer.width)):
        first = (x.shape[axis] - size) // 2
        x = writer.part(x, axis, first, first + size)
    return x


def _zero_pad(writer: Writer, layer: ZeroPad2d, x: Value) -> Value:
    # A convolution with itself: each channel by itself, with one weight of 1, and padding.
    (top, bottom), (left, right) = layer.sides()
    height, width, channels = x.shape
    windows = (Window(height, 1, 1, 1, top, bottom), Window(width, 1, 1, 1, left, right))
    return writer.add(
        "depthwise",
        (x,),
        (*(window.count for window in windows), channels),
        numbers=[*_geometry(x, windows), -1],
        factors=[0.0],
        scratch=_scratch(x, windows, writer.dtype),
        weight=np.ones((1, 1, channels), writer.dtype),
        bias=np.zeros((1, channels), writer.dtype),
    )


LOWERINGS: dict[str, Translation] = {
    "AveragePool": _pool,
    "AveragePool1d": _pool,
    "Conv1d": _convolution,
    "Convolution": _convolution,
    "DepthwiseConv2d": _depthwise,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _pool,
    "MaxPool1d": _pool,
    "RandomCrop": _crop,
    "RandomFlip": unchanged,
    "RandomShift": unchanged,
    "Upsample2d": _upsample,
    "ZeroPad2d": _zero_pad,
}
