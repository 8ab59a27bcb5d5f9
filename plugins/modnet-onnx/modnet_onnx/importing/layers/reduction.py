"""Sums, means and extremes along axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Reduce(Layer, type="reduce"):
    """One number in place of all those along some axes of a sample.

    Where several are the greatest or the lowest, they share the gradient.

    Attributes:
        operation: `log_sum_exp` is log(sum(exp(x))), computed without overflow.
        axes: of a sample: 0 is its first, -1 its last.
        keep_axes: whether the axes stay, with the size 1.

    Raises:
        ShapeError: samples without these axes.
    """

    scratch_output = True
    allocates = True
    operation: Literal["sum", "mean", "max", "min", "product", "log_sum_exp"]
    axes: tuple[int, ...] = field(minimum=-31)
    keep_axes: bool = False

    @classmethod
    def examples(cls) -> Sequence[Example]:
        names: tuple[Literal["sum", "mean", "max", "min", "product", "log_sum_exp"], ...]
        names = ("sum", "mean", "max", "min", "product", "log_sum_exp")
        kept = Example(cls("mean", (0, -1), keep_axes=True), ((3, None, 4),))
        return (*(Example(cls(name, (1,)), ((3, 4),)) for name in names), kept)

    def places(self, count: int) -> tuple[int, ...]:
        """The axes of a sample with so many axes, counted from 0."""
        if any(not -count <= axis < count for axis in self.axes):
            raise ShapeError(f"expects samples with the axes {', '.join(map(str, self.axes))}")
        return tuple(sorted({axis % count for axis in self.axes}))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        places = self.places(len(shape))
        if self.operation in ("max", "min") and any(shape[axis] == 0 for axis in places):
            raise ShapeError("expects at least one element along every axis")
        if self.keep_axes:
            return tuple(1 if axis in places else size for axis, size in enumerate(shape))
        return tuple(size for axis, size in enumerate(shape) if axis not in places)

    def forward(self, context: Context, x: Array) -> Array:
        axes = tuple(axis + 1 for axis in self.places(x.ndim - 1))
        context.output_mask = None
        with np.errstate(all="ignore"):
            y = self._reduced(x, axes)
        context.save(x, y, axes)
        result = context.buffer(y.shape if self.keep_axes else self._without(y.shape, axes))
        np.copyto(result.reshape(y.shape), y)
        return result

    def _reduced(self, x: Array, axes: tuple[int, ...]) -> Array:
        if self.operation == "log_sum_exp":
            peak = np.maximum.reduce(x, axis=axes, keepdims=True)
            peak = np.where(np.isfinite(peak), peak, 0)
            found: Array = np.log(np.exp(x - peak).sum(axis=axes, keepdims=True)) + peak
            return found
        ufunc = {"max": np.maximum, "min": np.minimum, "product": np.multiply}.get(self.operation, np.add)
        y: Array = ufunc.reduce(x, axis=axes, keepdims=True)
        return y / math.prod(x.shape[axis] for axis in axes) if self.operation == "mean" else y

    @staticmethod
    def _without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(size for axis, size in enumerate(shape) if axis not in axes)

    def backward(self, context: Context, gradient: Array) -> Array:
        x, y, axes = context.saved
        gradient = gradient.reshape(y.shape)
        result = context.buffer(x.shape)
        if self.operation in ("sum", "mean"):
            count = math.prod(x.shape[axis] for axis in axes) if self.operation == "mean" else 1
            np.copyto(result, gradient / count)
        elif self.operation == "log_sum_exp":
            np.multiply(gradient, np.exp(x - y), out=result)
        elif self.operation == "product":
            np.multiply(gradient, _products_of_others(x, axes), out=result)
        else:
            np.equal(x, y, out=result)
            result *= gradient / result.sum(axis=axes, keepdims=True)
        return result


def _products_of_others(x: Array, axes: tuple[int, ...]) -> Array:
    """For each number the product of all others along the axes: not y / x, since x may be 0."""
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    rows = moved.reshape(*moved.shape[: x.ndim - len(axes)], math.prod(moved.shape[x.ndim - len(axes) :]))
    before, after = np.ones_like(rows), np.ones_like(rows)
    before[..., 1:] = np.multiply.accumulate(rows[..., :-1], axis=-1)
    after[..., :-1] = np.multiply.accumulate(rows[..., :0:-1], axis=-1)[..., ::-1]
    return np.moveaxis((before * after).reshape(moved.shape), last, axes)
