"""Images of another size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet_conv.geometry import image_shape, margins, per_axis, place

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Upsample2d(Layer, type="upsample2d"):
    """An enlarged image: (height, width, channels) -> (height * scale_factor, width * scale_factor, channels).

    "nearest" repeats every element. "bilinear" interpolates between the centres of elements, as torch does with
    align_corners=False and TensorFlow with half_pixel_centers=True; beyond the outermost centres it is constant.

    Attributes:
        scale_factor: one number, or [vertical, horizontal].
        mode: how the pixels between are found.

    Raises:
        ShapeError: samples that are no images.
    """

    scratch_output = True
    scale_factor: int | tuple[int, int] = field(default=2, minimum=1)
    mode: Literal["nearest", "bilinear"] = "nearest"

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (
            Example(cls(scale_factor=(2, 3)), ((3, 4, 2),)),
            Example(cls(scale_factor=(2, 3), mode="bilinear"), ((3, 4, 2),)),
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        sizes, channels = image_shape(input_shapes[0], 2)
        factors = per_axis(self.scale_factor, 2)
        return (*(None if n is None else n * factor for n, factor in zip(sizes, factors, strict=True)), channels)

    def scratch_size(self, *input_shapes: Shape) -> int:
        if self.mode == "nearest":
            return 0
        sizes, _ = image_shape(input_shapes[0], 2)
        # The matrices of interpolation are made from numbers of float64.
        return 2 * sum((n or 0) ** 2 * factor for n, factor in zip(sizes, per_axis(self.scale_factor, 2), strict=True))

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x.shape)
        batch, height, width, channels = x.shape
        down, across = per_axis(self.scale_factor, 2)
        if self.mode == "nearest":
            y = context.buffer((batch, height, down, width, across, channels))
            y[...] = x[:, :, None, :, None]
            return y.reshape(batch, height * down, width * across, channels)
        lines = context.buffer((batch, height * down, width, channels))
        first = interpolation(height, down, x.dtype)
        line = width * channels
        np.matmul(first, x.reshape(batch, height, line), out=lines.reshape(batch, height * down, line))
        y = context.buffer((batch, height * down, width * across, channels))
        return np.matmul(interpolation(width, across, x.dtype), lines, out=y)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (shape,) = context.saved
        if not context.needs_input_gradient:
            return None
        batch, height, width, channels = shape
        down, across = per_axis(self.scale_factor, 2)
        result = context.buffer(shape)
        if self.mode == "nearest":
            by_copy = gradient.reshape(batch, height, down, width, across, channels)
            return np.add.reduce(by_copy, axis=(2, 4), out=result)
        lines = context.buffer((batch, height * down, width, channels))
        np.matmul(interpolation(width, across, gradient.dtype).T, gradient, out=lines)
        first = interpolation(height, down, gradient.dtype).T
        line = width * channels
        np.matmul(first, lines.reshape(batch, height * down, line), out=result.reshape(batch, height, line))
        return result


@lru_cache(maxsize=64)
def interpolation(size: int, factor: int, dtype: np.dtype[Any]) -> Array:
    """The matrix (size * factor, size) of linear interpolation between the centres of elements."""
    places = (np.arange(size * factor) + 0.5) / factor - 0.5
    places = np.clip(places, 0, max(size - 1, 0))
    distance = np.abs(places[:, None] - np.arange(size))
    matrix: Array = np.maximum(0, 1 - distance).astype(dtype)
    return matrix


class ZeroPad2d(Layer, type="zero_pad2d"):
    """An image with zeros around it: (height, width, channels) -> (more height, more width, channels).

    Attributes:
        padding: a number for every side; [vertical, horizontal]; or [[top, bottom], [left, right]].

    Raises:
        ShapeError: samples that are no images.
    """

    scratch_output = True
    padding: int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] = field(default=1, minimum=0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(padding=((1, 0), (2, 3))), ((3, 4, 2),)),)

    def sides(self) -> tuple[tuple[int, int], ...]:
        sides = margins(self.padding, 2)
        assert sides is not None
        return sides

    def output_shape(self, *input_shapes: Shape) -> Shape:
        sizes, channels = image_shape(input_shapes[0], 2)
        return (*(None if n is None else n + sum(both) for n, both in zip(sizes, self.sides(), strict=True)), channels)

    def forward(self, context: Context, x: Array) -> Array:
        (top, bottom), (left, right) = self.sides()
        batch, height, width, channels = x.shape
        y = context.buffer((batch, top + height + bottom, left + width + right, channels))
        place(y, x, (top, left))
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        (top, bottom), (left, right) = self.sides()
        return gradient[:, top : gradient.shape[1] - bottom, left : gradient.shape[2] - right]
