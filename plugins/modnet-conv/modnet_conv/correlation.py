"""Correlation of images with kernels, and its gradients, by matrix products on small parts of a batch.

What the windows see is copied ("im2col") only along the last axis: a row of the matrix of patches holds the `kernel`
neighbours along the width. The other axes of a kernel need no copy of their own. As the rows of one image follow each
other in memory, a window further down is the same matrix from a later row on; there is one product for each row of the
kernel, and the products are added up. A 3 x 3 kernel copies its input three times in place of nine.

The gradient of the input is, for a stride of 1, the correlation of the output's gradient with the mirrored kernels, and
the same patches of that gradient give the gradient of the weights, too. For greater strides the products of the
output's gradient with the weights are added onto the places that they came from ("col2im").

A part of the batch is so small that its patches stay in the second-level cache, and matrices are cut to at most
`SMALL_PRODUCT` multiplications: OpenBLAS takes those without packing their operands first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from modnet.component import Array
from modnet.context import Context
from modnet_conv.geometry import Window, divisor, place

PART = 1 << 20
"""What the patches of a part of the batch may take, in bytes."""

SMALL_PRODUCT = 1_000_000
"""The most multiplications of a product that OpenBLAS makes without packing."""

FEW = 16
"""Rows of patches shorter than this go over all axes of the kernel, and lie in memory as columns."""


class Correlation:
    """The map from an image to what kernels give at each of their windows.

    Images are (batch, *sizes, channels), with one axis at least. Weights are (*kernel, channels / groups, outputs).

    Args:
        windows: of each axis.
        channels, outputs: of the images on either side.
        groups: how many parts of the channels are connected each to their own part of the outputs.
    """

    def __init__(self, windows: tuple[Window, ...], channels: int, outputs: int, groups: int, dtype: np.dtype) -> None:
        if len(windows) == 1:
            # Products are cut along the last axis but one.
            windows = (Window(1, 1, 1, 1, 0, 0), *windows)
        self.windows = windows
        self.channels, self.outputs, self.groups = channels, outputs, groups
        self.dtype = dtype
        self.sizes = tuple(window.size for window in windows)
        self.counts = tuple(window.count for window in windows)
        self.kernel = tuple(window.kernel for window in windows)
        self.taps = math.prod(self.kernel)
        self.inputs_of_group, self.outputs_of_group = channels // groups, outputs // groups
        self.columns = windows[-1].kernel * self.inputs_of_group < FEW
        self.positions = [(0,)] if self.columns else list(itertools.product(*map(range, self.kernel[:-1])))
        self.width = self.taps * self.inputs_of_group // len(self.positions)
        """Of a row of patches."""

        divisors = [lines for lines in range(1, self.counts[0] + 1) if self.counts[0] % lines == 0]
        fitting = [lines for lines in divisors if self._patch_size(lines) * dtype.itemsize <= PART]
        self.lines = max(fitting, default=1)
        """How many windows of the first axis are in a part."""
        self.samples = max(1, PART // (self._patch_size(self.lines) * dtype.itemsize))
        """How many samples are in a part; more than one only if `lines` are all."""
        if self.lines < self.counts[0]:
            self.samples = 1
        self.run = self.counts[-1] * (self.lines if len(windows) == 2 else self.counts[-2])
        """How many windows follow each other in memory."""
        self.rows = self._rows(self.width, self.outputs_of_group)

    @property
    def pointwise(self) -> bool:
        """Whether every window is one element, and every element in one window."""
        return self.groups == 1 and all(window[1:] == (1, 1, 1, 0, 0) for window in self.windows)

    def _grid(self, lines: int) -> list[int]:
        """How many lines of patches there are along the axes but the last, for each remainder modulo the stride."""
        counts = (lines, *self.counts[1:-1])
        return [count + w.reach // w.stride for count, w in zip(counts, self.windows[:-1], strict=True)]

    def _patch_size(self, lines: int) -> int:
        """The elements of one sample's patches."""
        if self.columns:
            return lines * math.prod(self.counts[1:]) * self.taps * self.channels
        strides = math.prod(window.stride for window in self.windows[:-1])
        return math.prod(self._grid(lines)) * strides * self.counts[-1] * self.windows[-1].kernel * self.channels

    def _rows(self, width: int, outputs: int) -> int:
        """The rows of one product: a divisor of the run."""
        most = SMALL_PRODUCT // (width * outputs)
        rows = divisor(self.run, most)
        return rows if 4 * rows > min(self.run, most) else self.run

    # What is in the parts of a batch

    def parts(self, batch: int) -> Iterator[tuple[slice, slice]]:
        """Samples and windows of the first axis: one part after the other."""
        for first in range(0, batch, self.samples):
            for line in range(0, self.counts[0], self.lines):
                yield slice(first, min(first + self.samples, batch)), slice(line, line + self.lines)

    def begin(self, context: Context, batch: int) -> _Patches | _Itself:
        """Buffers for the patches of a part."""
        return _Itself(self) if self.pointwise else _Patches(self, context, min(batch, self.samples))

    def matrices(self, image: Array, rows: int) -> Array:
        """A part of an image on the output's side as (groups, samples, ..., rows, outputs of a group)."""
        channels = image.shape[-1] // self.groups
        matrices = image.reshape(len(image), *self.between(), self.run // rows, rows, self.groups, channels)
        return matrices.transpose(-2, *range(matrices.ndim - 2), -1)

    def between(self) -> tuple[int, ...]:
        """The axes of windows that lie before a run."""
        return (self.lines, *self.counts[1:-2]) if len(self.windows) > 2 else ()

    def by_position(self, weight: Array) -> Array:
        """Weights as (positions, groups, 1 ..., width, outputs of a group), to be multiplied with matrices."""
        ones = (1,) * (2 + len(self.between()))
        shape = (len(self.positions), *ones, self.width, self.groups, self.outputs_of_group)
        return np.moveaxis(weight.reshape(shape), -2, 1)

    def mirrored(self, weight: Array) -> Array:
        """The kernels that take the output's gradient to the input's: (*kernel, outputs of a group, groups, ...)."""
        shape = (*self.kernel, self.inputs_of_group, self.groups, self.outputs_of_group)
        axes = len(self.kernel)
        turned = weight.reshape(shape)[(slice(None, None, -1),) * axes]
        return turned.transpose(*range(axes), axes + 2, axes + 1, axes)

    def multiply(self, patches: list[Array], weights: Array, out: Array, further: Array) -> None:
        """Writes the products of patches and weights, summed over positions, into `out`, a part of an output."""
        np.matmul(patches[0], weights[0], out=self.matrices(out, self.rows))
        for matrices, position in zip(patches[1:], weights[1:], strict=True):
            np.matmul(matrices, position, out=self.matrices(further, self.rows))
            np.add(out, further, out=out)


class _Patches:
    """The patches of one part of a batch, in buffers that serve all parts."""

    def __init__(self, plan: Correlation, context: Context, samples: int) -> None:
        self.plan = plan
        outer, inner = plan.windows[:-1], plan.windows[-1]
        grid = plan._grid(plan.lines)
        self.offsets = [window.before for window in plan.windows]
        lengths = [lines * window.stride for lines, window in zip(grid, outer, strict=True)]
        padded_shape = (samples, *lengths, (inner.count - 1) * inner.stride + inner.reach + 1, plan.channels)
        self.padded = context.buffer(padded_shape)
        item, steps = self.padded.itemsize, self.padded.strides
        channel = plan.inputs_of_group
        if plan.columns:
            counts = (plan.lines, *plan.counts[1:])
            shape = (plan.groups, samples, *plan.kernel, channel, *counts)
            seen = (
                channel * item,
                steps[0],
                *(step * w.dilation for step, w in zip(steps[1:-1], plan.windows, strict=True)),
                item,
                *(step * w.stride for step, w in zip(steps[1:-1], plan.windows, strict=True)),
            )
            self.samples_axis = 1
        else:
            shape = (
                *(plan.groups, *(w.stride for w in outer), samples, *grid),
                *(inner.count, inner.kernel, channel),
            )
            seen = (
                channel * item,
                *steps[1:-2],
                steps[0],
                *(step * w.stride for step, w in zip(steps[1:-2], outer, strict=True)),
                *(steps[-2] * inner.stride, steps[-2] * inner.dilation, item),
            )
            self.samples_axis = 1 + len(outer)
        self.patches = context.buffer(shape)
        self.seen = np.ndarray(shape, self.padded.dtype, self.padded, strides=seen)

    def fill(self, x: Array, samples: slice, lines: slice) -> None:
        part = x[samples]
        count = len(part)
        first = self.plan.windows[0]
        place(self.padded[:count], part, [first.before - lines.start * first.stride, *self.offsets[1:]])
        chosen = (slice(None),) * self.samples_axis + (slice(0, count),)
        np.copyto(self.patches[chosen], self.seen[chosen])

    def matrices(self, count: int, rows: int) -> list[Array]:
        """For each position: (groups, samples, ..., rows, width), as views."""
        plan, patches = self.plan, self.patches
        steps, item = patches.strides, patches.itemsize
        blocks = plan.run // rows
        between = plan.between()
        shape = (plan.groups, count, *between, blocks, rows, plan.width)
        if plan.columns:
            axes = len(plan.windows)
            column = steps[1 + axes + 1]  # from one channel to the next
            line_steps = steps[-axes:][: len(between)]
            strides = (steps[0], steps[1], *line_steps, rows * item, item, column)
            return [np.ndarray(shape, patches.dtype, patches, strides=strides)]
        outer = plan.windows[:-1]
        phase_steps, grid_steps = steps[1 : 1 + len(outer)], steps[2 + len(outer) : 2 + 2 * len(outer)]
        strides = (
            *(steps[0], steps[1 + len(outer)], *grid_steps[: len(between)]),
            *(rows * plan.width * item, plan.width * item, item),
        )
        found = []
        for position in plan.positions:
            offset = 0
            for at, window, phase, line in zip(position, outer, phase_steps, grid_steps, strict=True):
                offset += at * window.dilation % window.stride * phase + at * window.dilation // window.stride * line
            found.append(np.ndarray(shape, patches.dtype, patches, offset, strides))
        return found


class _Itself:
    """The patches of windows that are one element each: they are the image itself."""

    def __init__(self, plan: Correlation) -> None:
        self.plan = plan

    def fill(self, x: Array, samples: slice, lines: slice) -> None:
        self.part = x[samples, lines]

    def matrices(self, count: int, rows: int) -> list[Array]:
        return [self.plan.matrices(self.part, rows)]


@lru_cache(maxsize=256)
def correlation(windows: tuple[Window, ...], channels: int, outputs: int, groups: int, dtype: np.dtype) -> Correlation:
    """The same object again for the same arguments."""
    return Correlation(windows, channels, outputs, groups, dtype)


def shaped(image: Array, plan: Correlation) -> Array:
    """An image as the plan takes it: without gaps, and with the axis that it puts before a single one."""
    image = np.ascontiguousarray(image)
    axes = len(plan.windows)
    return image if image.ndim == axes + 2 else image.reshape(image.shape[0], 1, *image.shape[1:])


def correlate(context: Context, plan: Correlation, x: Array, weight: Array, bias: Array | None, y: Array) -> None:
    """Writes the outputs (batch, *counts, outputs) into y."""
    x, y = shaped(x, plan), shaped(y, plan)
    patches = plan.begin(context, len(x))
    weights = plan.by_position(weight)
    further = context.buffer((min(len(x), plan.samples) * (len(weights) > 1), plan.lines, *y.shape[2:]))
    line = None if bias is None else np.broadcast_to(bias, y.shape[2:]).reshape(-1)
    for samples, lines in plan.parts(len(x)):
        part = y[samples, lines]
        patches.fill(x, samples, lines)
        plan.multiply(patches.matrices(len(part), plan.rows), weights, part, further[: len(part)])
        if line is not None:
            flat = part.reshape(*part.shape[:2], -1)
            np.add(flat, line, out=flat)


def correlation_gradients(
    context: Context,
    plan: Correlation,
    x: Array,
    weight: Array,
    gradient: Array,
    weight_gradient: Array,
    input_gradient: Array | None,
) -> None:
    """Writes the gradients of weights and input, given that of the output; None is a gradient that nobody needs."""
    x, gradient = shaped(x, plan), shaped(gradient, plan)
    if input_gradient is None:
        _weight_gradient(context, plan, x, gradient, weight_gradient)
    elif all(window.stride == 1 for window in plan.windows):
        _mirrored(context, plan, x, weight, gradient, weight_gradient, shaped(input_gradient, plan))
    else:
        _weight_gradient(context, plan, x, gradient, weight_gradient)
        spread(context, plan, gradient, weight, None, input_gradient)


class _Total:
    """The gradient of weights, added up over the parts of a batch.

    Attributes:
        rows: of the matrices that `add` takes.
        sums: (positions, groups, width, outputs of a group).
    """

    def __init__(self, context: Context, plan: Correlation, batch: int) -> None:
        shape = (plan.groups, plan.width, plan.outputs_of_group)
        # The sum of many short products costs more than it gains where their results are large.
        self.rows = plan.rows if plan.rows >= 2 * min(shape[1:]) else plan.run
        samples = min(batch, plan.samples)
        self.products = context.buffer((plan.groups, samples, *plan.between(), plan.run // self.rows, *shape[1:]))
        self.sum_of_part = context.buffer(shape)
        self.sums = context.buffer((len(plan.positions), *shape))
        self.sums.fill(0)

    def add(self, patches: list[Array], others: Array) -> None:
        products = self.products[:, : others.shape[1]]
        for sums, matrices in zip(self.sums, patches, strict=True):
            np.matmul(matrices.swapaxes(-1, -2), others, out=products)
            np.add.reduce(products, axis=tuple(range(1, products.ndim - 2)), out=self.sum_of_part)
            np.add(sums, self.sum_of_part, out=sums)

    def by_output(self) -> Array:
        """(positions, width, groups, outputs of a group)."""
        return np.moveaxis(self.sums, 1, 2)


def _weight_gradient(context: Context, plan: Correlation, x: Array, gradient: Array, result: Array) -> None:
    patches = plan.begin(context, len(x))
    total = _Total(context, plan, len(x))
    for samples, lines in plan.parts(len(x)):
        patches.fill(x, samples, lines)
        part = gradient[samples, lines]
        total.add(patches.matrices(len(part), total.rows), plan.matrices(part, total.rows))
    np.copyto(result.reshape(total.by_output().shape), total.by_output())


def _mirrored(
    context: Context, plan: Correlation, x: Array, weight: Array, gradient: Array, of_weight: Array, of_input: Array
) -> None:
    windows = tuple(window.mirrored() for window in plan.windows)
    mirror = correlation(windows, plan.outputs, plan.channels, plan.groups, plan.dtype)
    turned = plan.mirrored(weight)
    flat = context.buffer((*plan.kernel, plan.outputs_of_group, plan.channels))
    np.copyto(flat.reshape(turned.shape), turned)
    weights = mirror.by_position(flat)
    patches = mirror.begin(context, len(x))
    total = _Total(context, mirror, len(x))
    further = context.buffer((min(len(x), mirror.samples), mirror.lines, *of_input.shape[2:]))
    for samples, lines in mirror.parts(len(x)):
        patches.fill(gradient, samples, lines)
        part = of_input[samples, lines]
        total.add(patches.matrices(len(part), total.rows), mirror.matrices(x[samples, lines], total.rows))
        mirror.multiply(patches.matrices(len(part), mirror.rows), weights, part, further[: len(part)])
    turned = mirror.mirrored(total.by_output())
    np.copyto(of_weight.reshape(turned.shape), turned)


def spread(
    context: Context, plan: Correlation, gradient: Array, weight: Array, bias: Array | None, result: Array
) -> None:
    """Writes the transposed map into `result` (batch, *sizes, channels): each output onto the window that it saw."""
    gradient, result = shaped(gradient, plan), shaped(result, plan)
    batch, groups = len(gradient), plan.groups
    places = math.prod(plan.counts)
    step = max(1, PART // (places * plan.width * groups * plan.dtype.itemsize))
    samples = min(batch, step)
    products = context.buffer((groups, samples * places, plan.width))
    lengths = [(window.count - 1) * window.stride + window.reach + 1 for window in plan.windows]
    padded = context.buffer((samples, *lengths, groups, plan.inputs_of_group))
    weights = plan.by_position(weight).reshape(len(plan.positions), groups, plan.width, -1).swapaxes(-1, -2)
    inner = plan.kernel if plan.columns else plan.kernel[-1:]
    for first in range(0, batch, step):
        part = gradient[first : first + step]
        rows = part.reshape(-1, groups, plan.outputs_of_group).transpose(1, 0, 2)
        found = products[:, : rows.shape[1]]
        whole = padded[: len(part)]
        whole.fill(0)
        by_tap = found.reshape(groups, len(part), *plan.counts, -1, plan.inputs_of_group)
        for position, matrix in zip(plan.positions, weights, strict=True):
            np.matmul(rows, matrix, out=found)
            for number, tap in enumerate(itertools.product(*map(range, inner))):
                at = tap if plan.columns else (*position, *tap)
                target = whole[
                    (
                        slice(None),
                        *(
                            slice(i * w.dilation, i * w.dilation + (w.count - 1) * w.stride + 1, w.stride)
                            for i, w in zip(at, plan.windows, strict=True)
                        ),
                    )
                ]
                np.add(target, np.moveaxis(by_tap[..., number, :], 0, -2), out=target)
        offsets = [-window.before for window in plan.windows]
        place(result[first : first + step], whole.reshape(*whole.shape[:-2], -1), offsets)
    if bias is not None:
        np.add(result, bias, out=result)
