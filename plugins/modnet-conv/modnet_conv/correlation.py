"""Correlation of images with kernels, and its gradients, by matrix products on small parts of a batch.

What the windows see is copied ("im2col") only along the last axis: a row of the matrix of patches holds the `kernel`
neighbours along the width. The other axes of a kernel need no copy of their own. As the rows of one image follow each
other in memory, a window further down is the same matrix from a later row on; there is one product for each row of the
kernel, and the products are added up. A 3 x 3 kernel copies its input three times in place of nine.

The gradient of the input is, for a stride of 1, the correlation of the output's gradient with the mirrored kernels, and
the same patches of that gradient give the gradient of the weights, too. For greater strides the products of the
output's gradient with the weights are added onto the places that they came from ("col2im").

A part of the batch is so small that its patches stay in the second-level cache, and matrices are cut to at most
`SMALL_PRODUCT` multiplications, which OpenBLAS makes in the thread that calls it: the first half of the parts and the
second are shared between two threads.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.kinds.context import Context
from modnet.threads import share
from modnet_conv.geometry import Window, at_once, divisor, place

PART = 1 << 20
"""What the patches of a part of the batch may take, in bytes."""

SMALL_PRODUCT = 500_000
"""The most multiplications of a product. OpenBLAS gives each of its threads 2**18 or more, so that less than twice
that is for one thread, and some processors' kernels take operands of up to 10**6 as they are, without packing."""

FEW = 16
"""Rows of patches shorter than this go over all axes of the kernel, and lie in memory as columns."""


Part = tuple[slice, slice]
Do = Callable[..., Any]


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

    def halves(self, batch: int) -> tuple[list[Part], list[Part]]:
        """Samples and windows of the first axis, part by part, for each of two threads."""
        parts = [
            (slice(first, min(first + self.samples, batch)), slice(line, line + self.lines))
            for first in range(0, batch, self.samples)
            for line in range(0, self.counts[0], self.lines)
        ]
        middle = (len(parts) + 1) // 2
        return parts[:middle], parts[middle:]

    def begin(self, context: Context, samples: int) -> _Patches | _Itself:
        """Buffers for the patches of a part with so many samples."""
        return _Itself(self) if self.pointwise else _Patches(self, context, samples)

    def matrices(self, image: Array, rows: int) -> Array:
        """A part of an image on the output's side as (groups, samples, ..., rows, outputs of a group)."""
        channels = image.shape[-1] // self.groups
        matrices = image.reshape(len(image), *self.blocks(rows), rows, self.groups, channels)
        return matrices.transpose(-2, *range(matrices.ndim - 2), -1)

    def between(self) -> tuple[int, ...]:
        """The axes of windows that lie before a run."""
        return (self.lines, *self.counts[1:-2]) if len(self.windows) > 2 else ()

    def blocks(self, rows: int) -> tuple[int, ...]:
        """The axes that lie before the rows of a product, but for groups and samples."""
        return (*self.between(), self.run // rows)

    def seen(self, position: tuple[int, ...], line: int) -> Iterator[tuple[slice, ...]]:
        """For each element of a row of patches at a position, less channels: where the windows of a part see it.

        `line` is the part's first window of the first axis.
        """
        counts = (self.lines, *self.counts[1:])
        for tap in itertools.product(*map(range, self.kernel if self.columns else self.kernel[-1:])):
            places = tap if self.columns else (*position, *tap)
            starts = [place * window.dilation for place, window in zip(places, self.windows, strict=True)]
            starts[0] += line * self.windows[0].stride
            yield tuple(
                slice(start, start + (count - 1) * window.stride + 1, window.stride)
                for start, count, window in zip(starts, counts, self.windows, strict=True)
            )

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

    def further(self, context: Context, samples: int) -> Array:
        """A buffer for the products of further positions, as large as a part of an image on the output's side."""
        samples = samples if len(self.positions) > 1 else 0
        return context.buffer((samples, self.lines, *self.counts[1:], self.outputs))

    def multiply(self, patches: list[Array], weights: Array, out: Array, further: Array, do: Do = at_once) -> None:
        """Writes the products of patches and weights, summed over positions, into `out`, a part of an output."""
        do(np.matmul, patches[0], weights[0], self.matrices(out, self.rows))
        products = self.matrices(further, self.rows)
        for matrices, position in zip(patches[1:], weights[1:], strict=True):
            do(np.matmul, matrices, position, products)
            do(np.add, out, further, out)


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

    def fill(self, x: Array, samples: slice, lines: slice, do: Do = at_once) -> None:
        part = x[samples]
        count = len(part)
        first = self.plan.windows[0]
        place(self.padded[:count], part, [first.before - lines.start * first.stride, *self.offsets[1:]], do=do)
        chosen = (slice(None),) * self.samples_axis + (slice(0, count),)
        do(np.copyto, self.patches[chosen], self.seen[chosen])

    def matrices(self, count: int, rows: int) -> list[Array]:
        """For each position: (groups, samples, ..., rows, width), as views."""
        plan, patches = self.plan, self.patches
        steps, item = patches.strides, patches.itemsize
        between = plan.between()
        shape = (plan.groups, count, *plan.blocks(rows), rows, plan.width)
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

    def fill(self, x: Array, samples: slice, lines: slice, do: Do = at_once) -> None:
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
    weights = plan.by_position(weight)
    line = None
    if bias is not None:
        line = context.buffer(y.shape[2:])
        context.do(np.copyto, line, bias)

    def half(parts: list[Part], most: int) -> list[Callable[[], Any]]:
        patches = plan.begin(context, most)
        further = plan.further(context, most)
        calls: list[Callable[[], Any]] = []

        def do(function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
            calls.append(partial(function, *arguments, **options))

        for samples, lines in parts:
            part = y[samples, lines]
            patches.fill(x, samples, lines, do)
            plan.multiply(patches.matrices(len(part), plan.rows), weights, part, further[: len(part)], do)
            if line is not None:
                flat = part.reshape(len(part), plan.lines, line.size)
                do(np.add, flat, line.reshape(-1), flat)
        return calls

    first, second = (half(parts, min(len(x), plan.samples) if parts else 0) for parts in plan.halves(len(x)))
    if second:
        context.do(share, partial(_make, first), partial(_make, second))
    else:
        for call in first:
            context.do(call)


def _make(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()


def _share(plan: Correlation, batch: int, half: Callable[[list[Part], int], Callable[[], None]]) -> None:
    """Has both halves of a batch worked on.

    Args:
        half: (its parts, samples of the largest) -> the work on it, with its buffers. An empty half has buffers without
            elements, so that those after it are the same ones in the next pass, whatever the batch.
    """
    first, second = plan.halves(batch)
    works = [half(parts, min(batch, plan.samples) if parts else 0) for parts in (first, second)]
    if second:
        share(*works)
    else:
        works[0]()


def correlation_gradients(
    context: Context,
    plan: Correlation,
    x: Array,
    weight: Array,
    gradient: Array,
    weight_gradient: Array,
    input_gradient: Array | None,
) -> None:
    """Writes the gradients of weights and input, given that of the output; None for a gradient that is not needed."""
    x, gradient = shaped(x, plan), shaped(gradient, plan)
    if len(x) == 0:
        weight_gradient.fill(0)
    elif input_gradient is None:
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

    def __init__(self, context: Context, plan: Correlation, samples: int) -> None:
        width, outputs = plan.width, plan.outputs_of_group
        self.rows, pieces = plan.rows, 1
        if plan.rows < 2 * min(width, outputs):
            # The sum of many short products would cost more than it gains: columns are cut, not rows.
            self.rows = plan.run
            piece = divisor(width, SMALL_PRODUCT // (plan.run * outputs))
            pieces = width // piece if piece >= FEW else 1
        self.products = context.buffer(
            (plan.groups, samples, *plan.blocks(self.rows), pieces, width // pieces, outputs)
        )
        self.sum_of_part = context.buffer((plan.groups, pieces, width // pieces, outputs))
        self.sums = context.buffer((len(plan.positions) if samples else 0, plan.groups, width, outputs))
        self.sums.fill(0)

    def add(self, patches: list[Array], others: Array) -> None:
        products = self.products[:, : others.shape[1]]
        axes = tuple(range(1, products.ndim - 3))
        for sums, matrices in zip(self.sums, patches, strict=True):
            columns = matrices.swapaxes(-1, -2).reshape(*matrices.shape[:-2], *products.shape[-3:-1], self.rows)
            np.matmul(columns, others[..., None, :, :], out=products)
            np.add.reduce(products, axis=axes, out=self.sum_of_part)
            np.add(sums, self.sum_of_part.reshape(sums.shape), out=sums)


def _weight_gradient(context: Context, plan: Correlation, x: Array, gradient: Array, result: Array) -> None:
    totals = []

    def half(parts: list[Part], most: int) -> Callable[[], None]:
        patches = plan.begin(context, most)
        total = _Total(context, plan, most)
        totals.append(total)

        def work() -> None:
            for samples, lines in parts:
                patches.fill(x, samples, lines)
                part = gradient[samples, lines]
                total.add(patches.matrices(len(part), total.rows), plan.matrices(part, total.rows))

        return work

    _share(plan, len(x), half)
    found = _sum(totals)
    np.copyto(result.reshape(found.shape), found)


def _sum(totals: list[_Total]) -> Array:
    """(positions, width, groups, outputs of a group)."""
    first, second = (total.sums for total in totals)
    if len(second):
        np.add(first, second, out=first)
    return np.moveaxis(first, 1, 2)


def _mirrored(
    context: Context, plan: Correlation, x: Array, weight: Array, gradient: Array, of_weight: Array, of_input: Array
) -> None:
    windows = tuple(window.mirrored() for window in plan.windows)
    mirror = correlation(windows, plan.outputs, plan.channels, plan.groups, plan.dtype)
    turned = plan.mirrored(weight)
    flat = context.buffer((*plan.kernel, plan.outputs_of_group, plan.channels))
    np.copyto(flat.reshape(turned.shape), turned)
    weights = mirror.by_position(flat)
    totals = []

    def half(parts: list[Part], most: int) -> Callable[[], None]:
        patches = mirror.begin(context, most)
        further = mirror.further(context, most)
        total = _Total(context, mirror, most)
        totals.append(total)

        def work() -> None:
            for samples, lines in parts:
                patches.fill(gradient, samples, lines)
                part = of_input[samples, lines]
                total.add(patches.matrices(len(part), total.rows), mirror.matrices(x[samples, lines], total.rows))
                mirror.multiply(patches.matrices(len(part), mirror.rows), weights, part, further[: len(part)])

        return work

    _share(mirror, len(x), half)
    turned = mirror.mirrored(_sum(totals))
    np.copyto(of_weight.reshape(turned.shape), turned)


def spread(
    context: Context, plan: Correlation, gradient: Array, weight: Array, bias: Array | None, result: Array
) -> None:
    """Writes the transposed map into `result` (batch, *sizes, channels): each output onto the window that it saw."""
    gradient, result = shaped(gradient, plan), shaped(result, plan)
    weights = np.ascontiguousarray(plan.by_position(weight).swapaxes(-1, -2))
    offsets = [-window.before for window in plan.windows]
    lengths = [(window.count - 1) * window.stride + window.reach + 1 for window in plan.windows]
    firsts = range(0, len(gradient), plan.samples)

    def half(firsts: range) -> Callable[[], None]:
        samples = min(len(gradient), plan.samples) if firsts else 0
        products = context.buffer((samples, plan.groups, *plan.blocks(plan.rows), plan.rows, plan.width))
        padded = context.buffer((samples, *lengths, plan.groups, plan.inputs_of_group))

        def work() -> None:
            for first in firsts:
                chosen = slice(first, first + plan.samples)
                part = gradient[chosen]
                found, whole = products[: len(part)], padded[: len(part)]
                shape = (len(part), plan.groups, plan.lines, *plan.counts[1:], -1, plan.inputs_of_group)
                by_tap = np.moveaxis(found.reshape(shape), 1, -2)
                whole.fill(0)
                for line in range(0, plan.counts[0], plan.lines):
                    matrices = plan.matrices(part[:, line : line + plan.lines], plan.rows)
                    for position, matrix in zip(plan.positions, weights, strict=True):
                        np.matmul(matrices, matrix, out=found.swapaxes(0, 1))
                        for number, seen in enumerate(plan.seen(position, line)):
                            target = whole[(slice(None), *seen)]
                            np.add(target, by_tap[..., number, :, :], out=target)
                place(result[chosen], whole.reshape(*whole.shape[:-2], -1), offsets)
                if bias is not None:
                    np.add(result[chosen], bias, out=result[chosen])

        return work

    middle = (len(firsts) + 1) // 2
    works = half(firsts[:middle]), half(firsts[middle:])
    if len(firsts) > 1:
        share(*works)
    else:
        works[0]()
