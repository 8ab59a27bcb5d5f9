"""Windows along the axes of an image or a sequence, as the operators of ONNX have them; and masks of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from modnet_conv.geometry import margins, per_axis

from modnet_onnx.exporting.normalization import channels_first
from modnet_onnx.exporting.writer import Writer


def padded(
    writer: Writer, layer: Any, x: str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[str, list[tuple[str, str] | tuple[int, int]]]:
    """x (batch, channels, ...), and the margins of each axis: numbers, or values (1,) where they depend on its size.

    Channels are first.
    """
    axes = len(kernel)
    explicit = margins(layer.padding, axes)
    first = channels_first(writer, x)
    if explicit is not None:
        return first, list(explicit)
    sizes = writer.input_shapes[0][:axes]
    found: list[Any] = []
    for axis, size in enumerate(sizes):
        reach = (kernel[axis] - 1) * dilation[axis]
        if stride[axis] == 1:
            found.append((reach // 2, reach - reach // 2))
        elif size is not None:
            total = max(0, (-(-size // stride[axis]) - 1) * stride[axis] + reach + 1 - size)
            found.append((total // 2, total - total // 2))
        else:
            found.append(_same(writer, writer.length(first, axis + 2), stride[axis], reach))
    return first, found


def _same(writer: Writer, size: str, stride: int, reach: int) -> tuple[str, str]:
    """The margins of "same", for a size that is known only when the graph runs."""
    count = writer.op("Div", writer.op("Add", size, [stride - 1]), [stride])
    reached = writer.op("Add", writer.op("Mul", writer.op("Sub", count, [1]), [stride]), [reach + 1])
    total = writer.op("Max", writer.op("Sub", reached, size), [0])
    before = writer.op("Div", total, [2])
    return before, writer.op("Sub", total, before)


def with_margins(writer: Writer, x: str, sides: Sequence[Any], value: float) -> tuple[str, list[int]]:
    """x and the `pads` of an operator: where a margin depends on a size, x has them already, and `pads` are 0."""
    if all(isinstance(side, int) for both in sides for side in both):
        return x, [*(before for before, _ in sides), *(after for _, after in sides)]
    ends = [[(np.array([side]) if isinstance(side, int) else side) for side in both] for both in sides]
    none = np.zeros(2, np.int64)
    pads = writer.concat([none, *(before for before, _ in ends), none, *(after for _, after in ends)], 0)
    fill = writer.constant(value, writer.dtype)
    return writer.op("Pad", x, pads, fill), [0] * (2 * len(sides))


def lengths(writer: Writer, mask: str) -> str:
    """Of each sequence, int64 (batch, 1): up to the last step that the mask leaves."""
    steps = writer.op("Add", writer.arange(writer.length(mask, 1)), 1)
    return writer.reduce("ReduceMax", writer.op("Mul", writer.cast(mask, np.int64), steps), [1], keepdims=True)


def mask_of_windows(writer: Writer, mask: str, y: str, counts: str) -> str:
    """The first windows of each sequence, as many as `counts` (batch, 1); y is the output, (batch, windows, ...)."""
    return str(writer.op("Less", writer.arange(writer.length(y, 1)), counts))


def counts_of_windows(writer: Writer, layer: Any, mask: str, kernel: int, stride: int, dilation: int) -> str:
    """How many windows each sequence has, int64 (batch, 1)."""
    ends = lengths(writer, mask)
    if layer.padding == "same":
        return str(writer.op("Div", writer.op("Add", ends, stride - 1), stride))
    explicit = margins(layer.padding, 1)
    assert explicit is not None
    ((before, after),) = explicit
    # Whole numbers are divided towards 0: below it there would be one window too many.
    spare = writer.op("Add", ends, before + after - (kernel - 1) * dilation - 1 + stride)
    counts = writer.op("Div", writer.op("Max", spare, 0), stride)
    return str(writer.op("Where", writer.op("Greater", ends, 0), counts, 0))


def filled(writer: Writer, x: str, mask: str | None, value: float = 0.0) -> str:
    """A sequence with a value in place of the steps that a mask leaves out."""
    if mask is None:
        return x
    return str(writer.op("Where", writer.unsqueeze(mask, 2), x, value))


class Moved:
    """Sequences that are moved to where their own windows begin, for "same" with a stride.

    Attributes:
        x, mask: the sequences, to be gone over without padding.
        counts: how many windows each has, (batch, 1).
    """

    def __init__(self, writer: Writer, x: str, mask: str, kernel: int, stride: int, dilation: int) -> None:
        reach = (kernel - 1) * dilation
        ends = lengths(writer, mask)
        self.counts = str(writer.op("Div", writer.op("Add", ends, stride - 1), stride))
        reached = writer.op("Add", writer.op("Mul", writer.op("Sub", self.counts, 1), stride), reach + 1)
        before = writer.op("Div", writer.op("Max", writer.op("Sub", reached, ends), 0), 2)
        size = writer.length(x, 1)
        windows = writer.op("Div", writer.op("Add", size, [stride - 1]), [stride])
        whole = writer.op("Add", writer.op("Mul", writer.op("Sub", windows, [1]), [stride]), [reach + 1])
        steps = writer.op("Sub", writer.arange(whole), before)
        inside = writer.op("And", writer.op("GreaterOrEqual", steps, 0), writer.op("Less", steps, size))
        steps = writer.op("Min", writer.op("Max", steps, 0), writer.op("Sub", size, [1]))
        self.mask = str(writer.op("And", inside, writer.op("GatherElements", mask, steps, axis=1)))
        self.x = along_time(writer, x, steps)


def along_time(writer: Writer, x: str, steps: str) -> str:
    """x (batch, time, features) at other steps, int64 (batch, time)."""
    features = writer.length(x, 2)
    shape = writer.concat([writer.op("Shape", steps), features], 0)
    places = writer.op("Expand", writer.unsqueeze(steps, 2), shape)
    return str(writer.op("GatherElements", x, places, axis=1))


def moves(writer: Writer, layer: Any, stride: int) -> bool:
    """Whether padding is that of each sequence."""
    return writer.masks[0] is not None and layer.padding == "same" and stride > 1


def sizes(layer: Any, axes: int, *names: str) -> list[tuple[int, ...]]:
    """Fields of a layer, each as one number for each axis."""
    return [per_axis(getattr(layer, name), axes) for name in names]
