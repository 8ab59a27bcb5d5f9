"""Sums, means and extremes along axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import DataError, ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


NEUTRAL = {"max": -math.inf, "min": math.inf, "product": 1.0, "log_sum_exp": -math.inf}
"""What changes nothing, for operations for which that is not 0."""

OPERATORS = {"sum": "Sum", "mean": "Mean", "max": "Max", "min": "Min", "product": "Prod", "log_sum_exp": "LogSumExp"}
"""Operation -> ONNX's, behind "Reduce"."""


class Reduce(Layer, type="reduce"):
    """One number in place of all those along some axes of a sample.

    Where several are the greatest or the lowest, they share the gradient. Along time, steps that a mask leaves out do
    not count; a sequence without any gives 0.

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
        mask = context.masks[0] if 1 in axes else None
        if 1 in axes:
            context.output_mask = None
        gone = None if mask is None else np.broadcast_to(~mask.reshape(*mask.shape, *(1,) * (x.ndim - 2)), x.shape)
        if gone is not None:
            x = np.where(gone, NEUTRAL.get(self.operation, 0.0), x)
        count: Any = math.prod(x.shape[axis] for axis in axes)
        if gone is not None:
            count = np.maximum((~gone).sum(axis=axes, keepdims=True), 1).astype(x.dtype)
        with np.errstate(all="ignore"):
            y = self._reduced(x, axes, count)
        context.save(x, y, axes, count, gone)
        result = context.buffer(y.shape if self.keep_axes else self._without(y.shape, axes))
        np.copyto(result.reshape(y.shape), y)
        if gone is not None:
            np.copyto(result.reshape(y.shape), 0, where=gone.all(axis=axes, keepdims=True))
        return result

    def _reduced(self, x: Array, axes: tuple[int, ...], count: Any) -> Array:
        if self.operation == "log_sum_exp":
            peak = np.maximum.reduce(x, axis=axes, keepdims=True)
            peak = np.where(np.isfinite(peak), peak, 0)
            found: Array = np.log(np.exp(x - peak).sum(axis=axes, keepdims=True)) + peak
            return found
        ufunc = {"max": np.maximum, "min": np.minimum, "product": np.multiply}.get(self.operation, np.add)
        y: Array = ufunc.reduce(x, axis=axes, keepdims=True)
        return y / count if self.operation == "mean" else y

    @staticmethod
    def _without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(size for axis, size in enumerate(shape) if axis not in axes)

    def backward(self, context: Context, gradient: Array) -> Array:
        x, y, axes, count, gone = context.saved
        gradient = gradient.reshape(y.shape)
        result = context.buffer(x.shape)
        if self.operation in ("sum", "mean"):
            np.copyto(result, gradient / count if self.operation == "mean" else gradient)
        elif self.operation == "log_sum_exp":
            with np.errstate(all="ignore"):
                np.multiply(gradient, np.exp(x - y), out=result)
        elif self.operation == "product":
            np.multiply(gradient, _products_of_others(x, axes), out=result)
        else:
            np.equal(x, y, out=result)
            result *= gradient / result.sum(axis=axes, keepdims=True)
        if gone is not None:
            np.copyto(result, 0, where=gone)
        return result

    def to_onnx(self, writer: Any, x: str) -> str:
        if writer.masks[0] is not None:
            raise DataError("reduce over sequences with a mask cannot be written to ONNX")
        writer.output_mask = None
        axes = [axis + 1 for axis in self.places(len(writer.input_shapes[0]))]
        return str(writer.reduce(f"Reduce{OPERATORS[self.operation]}", x, axes, self.keep_axes))


def _products_of_others(x: Array, axes: tuple[int, ...]) -> Array:
    """For each number the product of all others along the axes: not y / x, since x may be 0."""
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    rows = moved.reshape(*moved.shape[: x.ndim - len(axes)], math.prod(moved.shape[x.ndim - len(axes) :]))
    before, after = np.ones_like(rows), np.ones_like(rows)
    before[..., 1:] = np.multiply.accumulate(rows[..., :-1], axis=-1)
    after[..., :-1] = np.multiply.accumulate(rows[..., :0:-1], axis=-1)[..., ::-1]
    return np.moveaxis((before * after).reshape(moved.shape), last, axes)
