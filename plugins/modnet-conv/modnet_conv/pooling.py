"""Pooling: one number for each window and channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet_conv import masks
from modnet_conv.convolution import MANY
from modnet_conv.geometry import Padding1d, Padding2d, Window, image_shape, margins, padded_size, per_axis, windows
from modnet_conv.parts import PART, Parts, crop, tap, taps

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Pool(Layer):
    """What the poolings have in common. Not named in specs.

    Attributes:
        axes: along how many axes the windows move.
    """

    axes: ClassVar[int] = 2

    pool_size: Any = field(default=2, minimum=1)
    stride: Any = field(default=None, minimum=1)
    padding: Any = field(default="valid", minimum=0)

    def check(self) -> None:
        explicit = margins(self.padding, self.axes)
        for size, sides in zip(per_axis(self.pool_size, self.axes), explicit or (), strict=False):
            if max(sides) >= size:
                raise ValueError(f"padding = {self.padding}: expected less than pool_size = {self.pool_size}")

    @classmethod
    def examples(cls) -> Sequence[Example]:
        shape = (6, 5)[: cls.axes]
        return (
            Example(cls(), ((*shape, 3),)),
            Example(cls(pool_size=3, stride=2, padding="same"), ((*shape, 2),)),
            Example(cls(pool_size=3, stride=1, padding=1), ((*shape, 2),)),
        )

    def windows(self, sizes: Sequence[int]) -> tuple[Window, ...]:
        """The windows along axes of these sizes.

        Raises:
            ShapeError: "expects ...", if not even one fits.
        """
        kernel = per_axis(self.pool_size, self.axes)
        stride = kernel if self.stride is None else per_axis(self.stride, self.axes)
        return windows(tuple(sizes), kernel, stride, (1,) * self.axes, self.padding)

    def mask(self, context: Context, found: tuple[Window, ...]) -> Array | None:
        """The mask of a sequence; sets that of the windows."""
        return masks.begin(context, found[0], self.padding) if self.axes == 1 else None

    def output_shape(self, *input_shapes: Shape) -> Shape:
        sizes, channels = image_shape(input_shapes[0], self.axes)
        found = self.windows([MANY if size is None else size for size in sizes])
        counts = (None if size is None else window.count for size, window in zip(sizes, found, strict=True))
        return (*counts, channels)

    def scratch_size(self, *input_shapes: Shape) -> int:
        sizes, channels = image_shape(input_shapes[0], self.axes)
        return padded_size([window.trimmed() for window in self.windows([size or 0 for size in sizes])], channels)


class MaxPool(Pool):
    """What max_pool1d and max_pool2d have in common."""

    repeats = True

    def forward(self, context: Context, x: Array) -> Array:
        found = self.windows(x.shape[1:-1])
        mask = self.mask(context, found)
        x = masks.filled(context, x, mask, -math.inf)
        y = context.buffer((len(x), *(window.count for window in found), x.shape[-1]))
        found = tuple(window.trimmed() for window in found)
        parts = Parts(context, x, found, fill=-math.inf)
        # Line by line first, then along the lines: fewer and longer calls than one for each place of the window.
        lines = context.buffer((parts.samples, *y.shape[1:-2], parts.lengths[-1], x.shape[-1]))
        for samples, padded in parts.each(context.do):
            out = y[samples]
            steps = padded
            if self.axes == 2:
                steps = lines[: len(out)]
                _fold(context, np.maximum, [padded[:, tap(found[0], at)] for at in range(found[0].kernel)], steps)
            _fold(context, np.maximum, [steps[..., tap(found[-1], at), :] for at in range(found[-1].kernel)], out)
        if mask is not None:
            np.copyto(y, 0, where=np.isneginf(y))  # windows without any step
        context.save(x, y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        x, y = context.saved
        if not context.needs_input_gradient:
            return None
        found = tuple(window.trimmed() for window in self.windows(x.shape[1:-1]))
        result = context.buffer(x.shape)
        parts = Parts(context, x, found, fill=-math.inf)
        shape = (parts.samples, *y.shape[1:])
        chosen, free = context.buffer(shape, np.bool_), context.buffer(shape, np.bool_)
        share, spread = context.buffer(shape), context.buffer(parts.shape)
        for samples, padded in parts:
            highest, part = y[samples], gradient[samples]
            count = len(part)
            here, left, target = chosen[:count], free[:count], spread[:count]
            left.fill(True)
            target.fill(0)
            for seen, place in zip(taps(padded, found), taps(target, found), strict=True):
                # The first of equal numbers takes the gradient, as in torch.
                np.equal(seen, highest, out=here)
                np.logical_and(here, left, out=here)
                np.logical_xor(left, here, out=left)
                np.multiply(part, here, out=share[:count])
                np.add(place, share[:count], out=place)
            crop(result[samples], target, found)
        return result


def _fold(context: Context, combine: np.ufunc, parts: list[Array], out: Array) -> None:
    """Writes all parts combined into `out`."""
    if len(parts) == 1:
        context.do(np.copyto, out, parts[0])
        return
    reduce(lambda first, second: context.do(combine, first, second, out=out), parts)


class MaxPool1d(masks.OwnEnds, MaxPool, type="max_pool1d"):
    """The maximum of each window: (time, channels) -> (windows, channels). For options see max_pool2d.

    Steps that a mask leaves out are never the maximum; a window without any step gives zeros. The mask of the output is
    that of conv1d.

    Attributes:
        pool_size: how many steps a window has.
        stride: steps from window to window, by default `pool_size`.
        padding: of the ends, as of conv1d; what is added never is the maximum.
    """

    axes = 1
    pool_size: int = field(default=2, minimum=1)
    stride: int | None = field(default=None, minimum=1)
    padding: Padding1d = field(default="valid", minimum=0)


class MaxPool2d(MaxPool, type="max_pool2d"):
    """The maximum of each window: (height, width, channels) -> (windows down, windows across, channels).

    If several elements are the maximum, the first of them, row by row, gets the gradient. Padding is never the
    maximum.

    Attributes:
        pool_size: of a window: one number, or [vertical, horizontal].
        stride: from window to window, by default `pool_size`.
        padding: as of conv2d, less than `pool_size`.

    Raises:
        ShapeError: samples that are no images, or smaller than a window.
    """

    pool_size: int | tuple[int, int] = field(default=2, minimum=1)
    stride: int | tuple[int, int] | None = field(default=None, minimum=1)
    padding: Padding2d = field(default="valid", minimum=0)


class AveragePool(Pool):
    """What average_pool1d and average_pool2d have in common."""

    repeats = True
    scratch_output = True
    count_padding: bool = False

    @classmethod
    def examples(cls) -> Sequence[Example]:
        (*first, last) = super().examples()
        return (*first, last, Example(last.component.replace(count_padding=True), last.input_shapes))

    def shares(self, found: tuple[Window, ...], mask: Array | None, batch: int, dtype: np.dtype[Any]) -> Array:
        """What the sum of each window is multiplied by, for each sample."""
        if mask is not None and not self.count_padding:
            return masks.shares_of_windows(mask, found[0], dtype)
        shares = shares_of(found, self.count_padding, dtype)
        return np.broadcast_to(shares, (batch, *shares.shape))

    def forward(self, context: Context, x: Array) -> Array:
        found = self.windows(x.shape[1:-1])
        mask = self.mask(context, found)
        x = masks.filled(context, x, mask)
        y = context.buffer((len(x), *(window.count for window in found), x.shape[-1]))
        shares = self.shares(found, mask, len(x), x.dtype)
        found = tuple(window.trimmed() for window in found)
        parts = Parts(context, x, found)
        lines = context.buffer((parts.samples, *y.shape[1:-2], parts.lengths[-1], x.shape[-1]))
        for samples, padded in parts.each(context.do):
            out = y[samples]
            steps = padded
            if self.axes == 2:
                steps = lines[: len(out)]
                _fold(context, np.add, [padded[:, tap(found[0], at)] for at in range(found[0].kernel)], steps)
            _fold(context, np.add, [steps[..., tap(found[-1], at), :] for at in range(found[-1].kernel)], out)
            context.do(np.multiply, out, shares[samples], out)
        context.save(x.shape)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (shape,) = context.saved
        if not context.needs_input_gradient:
            return None
        found = self.windows(shape[1:-1])
        mask = context.masks[0] if self.axes == 1 else None
        shares = self.shares(found, mask, len(gradient), gradient.dtype)
        found = tuple(window.trimmed() for window in found)
        result = context.buffer(shape)
        parts = Parts(context, result, found)
        lines = context.buffer((parts.samples, *gradient.shape[1:-2], parts.lengths[-1], shape[-1]))
        spread = context.buffer(parts.shape)
        for samples in parts.slices():
            part = gradient[samples]
            np.multiply(part, shares[samples], out=part)
            along, target = lines[: len(part)], spread[: len(part)]
            if self.axes == 1:
                along = target
            along.fill(0)
            for at in range(found[-1].kernel):
                place = along[..., tap(found[-1], at), :]
                np.add(place, part, out=place)
            if self.axes == 2:
                target.fill(0)
                for at in range(found[0].kernel):
                    place = target[:, tap(found[0], at)]
                    np.add(place, along, out=place)
            crop(result[samples], target, found)
        if mask is not None:
            np.multiply(result, mask[..., None], out=result)
        return result


@lru_cache(maxsize=256)
def shares_of(windows: tuple[Window, ...], count_padding: bool, dtype: np.dtype[Any]) -> Array:
    """One divided by how many numbers there are in each window: (*counts, 1)."""
    numbers = np.ones(1)
    for window in reversed(windows):
        starts = np.arange(window.count) * window.stride - window.before
        inside = np.minimum(starts + window.kernel, window.size) - np.maximum(starts, 0)
        sizes = np.full_like(inside, window.kernel) if count_padding else inside
        numbers = np.multiply.outer(sizes, numbers)
    return (1 / numbers).astype(dtype)


class AveragePool1d(masks.OwnEnds, AveragePool, type="average_pool1d"):
    """The mean of each window: (time, channels) -> (windows, channels). For options see average_pool2d.

    Steps that a mask leaves out do not count, or count as zeros where padding does; a window without any step gives
    zeros. The mask of the output is that of conv1d.

    Attributes:
        pool_size: how many steps a window has.
        stride: steps from window to window, by default `pool_size`.
        padding: zeros at the ends, as of conv1d.
        count_padding: whether they count in the mean.
    """

    axes = 1
    pool_size: int = field(default=2, minimum=1)
    stride: int | None = field(default=None, minimum=1)
    padding: Padding1d = field(default="valid", minimum=0)


class AveragePool2d(AveragePool, type="average_pool2d"):
    """The mean of each window: (height, width, channels) -> (windows down, windows across, channels).

    Attributes:
        pool_size, stride, padding: as of max_pool2d.
        count_padding: whether the zeros of the padding count. By default the mean is over the image's own elements
            (TensorFlow); torch's default is true.

    Raises:
        ShapeError: samples that are no images, or smaller than a window.
    """

    pool_size: int | tuple[int, int] = field(default=2, minimum=1)
    stride: int | tuple[int, int] | None = field(default=None, minimum=1)
    padding: Padding2d = field(default="valid", minimum=0)


class GlobalMaxPool(Layer, type="global_max_pool"):
    """The maximum over all axes but the last: (height, width, channels) or (time, features) -> (channels,).

    Steps that a mask leaves out do not count; a sequence without any step gives zeros. Where several numbers are the
    maximum, the first of them gets the gradient.

    Raises:
        ShapeError: samples with fewer than two axes, or with an axis without elements.
    """

    scratch_output = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) < 2:
            raise ShapeError("expects samples with axes to go over, (time, features) or (height, width, channels)")
        if 0 in shape:
            raise ShapeError("expects at least one element along every axis")
        return shape[-1:]

    def forward(self, context: Context, x: Array) -> Array:
        (mask,) = context.masks
        context.output_mask = None
        self.output_shape(x.shape[1:])  # a variable axis may turn out to have nothing on it
        flat = x.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])
        gone = None if mask is None else np.repeat(~mask, math.prod(x.shape[2:-1]), axis=1)
        empty = None if mask is None else ~mask.any(axis=1)
        highest = context.buffer((len(x), x.shape[-1]), np.intp)
        y = context.buffer(highest.shape)
        # argmax copies what it goes over, if that is not along the last axis: a part of the batch at a time.
        samples = max(1, PART // (flat[:1].nbytes or 1))
        left = context.buffer((min(len(x), samples) if gone is not None else 0, *flat.shape[1:]))
        for first in range(0, len(x), samples):
            part = flat[first : first + samples]
            if gone is not None:
                seen = left[: len(part)]
                np.copyto(seen, part)
                np.copyto(seen, -math.inf, where=gone[first : first + samples, :, None])
                part = seen
            np.argmax(part, axis=1, out=highest[first : first + samples])
            np.maximum.reduce(part, axis=1, out=y[first : first + samples])
        context.save(x.shape, highest, empty)
        if empty is not None:
            y[empty] = 0
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        shape, highest, empty = context.saved
        result = context.buffer(shape)
        result.fill(0)
        if empty is not None:
            gradient[empty] = 0
        flat = result.reshape(len(result), math.prod(shape[1:-1]), shape[-1])
        np.put_along_axis(flat, highest[:, None], gradient[:, None], axis=1)
        return result
