"""Layers that only change the shape of a sample, or take a part of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import MOST_AXES, Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Flatten(Layer, type="flatten"):
    """Joins all axes of a sample into one; the last varies fastest: (4, 4, 8) -> (128,).

    Raises:
        ShapeError: an axis without a fixed size.
    """

    repeats = True
    keeps_numbers = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        fixed = [size for size in shape if size is not None]
        if len(fixed) < len(shape):
            hint = '"global_average_pool" accepts any size'
            raise ShapeError(f"expects a fixed size of every axis; axis {shape.index(None)} is variable", hint)
        return (math.prod(fixed),)

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x.shape)
        context.output_mask = None
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, context: Context, gradient: Array) -> Array:
        (shape,) = context.saved
        return gradient.reshape(shape)


def _mask_of_steps(mask: Array, before: int, after: int) -> Array | None:
    """The mask of steps of `after` numbers, from that of steps of `before`; None if they do not align."""
    if after and before % after == 0:
        return np.repeat(mask, before // after, axis=1)
    if before and after % before == 0 and mask.shape[1] % (after // before) == 0:
        joined: Array = np.logical_or.reduce(mask.reshape(len(mask), -1, after // before), axis=2)
        return joined
    return None


def _fixed_size(shape: Shape) -> int:
    """The elements of a sample but for the axis whose size is open."""
    return math.prod(axis for axis in shape if axis is not None and axis != -1)


class Reshape(Layer, type="reshape"):
    """A sample in another shape, with its numbers in the same order (the last axis varies fastest).

    If the steps of sequences with a mask are split into shorter ones, or joined to longer ones, the mask is adapted: a
    joined step counts if any of its parts does. Otherwise there is no mask after this layer.

    Attributes:
        shape: of one sample. One axis may be -1: its size follows from the others, and it is variable if an axis of the
            input is.

    Raises:
        ShapeError: an input with another number of elements, or with a variable axis if no axis is -1.
    """

    repeats = True
    keeps_numbers = True
    shape: tuple[int, ...] = field(minimum=-1)

    def check(self) -> None:
        if len(self.shape) > MOST_AXES:
            raise ValueError(f"shape: expected at most {MOST_AXES} axes, found {len(self.shape):,}")
        if 0 in self.shape or self.shape.count(-1) > 1:
            raise ValueError(f"shape = {list(self.shape)}: expected sizes >= 1, one of which may be -1 instead")

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(shape=(4, 3)), ((12,),)), Example(cls(shape=(-1, 2)), ((3, 4),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        size, wanted = _fixed_size(shape), _fixed_size(self.shape)
        variable, free = None in shape, -1 in self.shape
        if variable and not free:
            hint = f"or replace one of {list(self.shape)} by -1"
            raise ShapeError(f"expects a fixed size of every axis; axis {shape.index(None)} is variable", hint)
        if size % wanted if free else size != wanted:
            times = "a multiple of " if free else ""
            raise ShapeError(f"expects samples of {times}{wanted} elements for the shape {list(self.shape)}")
        rest = None if variable else size // wanted
        return tuple(rest if axis == -1 else axis for axis in self.shape)

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x.shape)
        y = x.reshape(len(x), *(size or 0 for size in self.output_shape(x.shape[1:])))
        if context.masks[0] is not None:
            context.output_mask = _mask_of_steps(context.masks[0], math.prod(x.shape[2:]), math.prod(y.shape[2:]))
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        (shape,) = context.saved
        return gradient.reshape(shape)


class Slice(Layer, type="slice"):
    """A part of a sample along one axis, as numpy's x[start:stop]; the gradient of all other elements is 0.

    A part of a variable axis is variable too, since its size is not known beforehand. If steps of sequences are taken,
    the same part of the mask is. Steps that are counted from the end include the padding of the batch, so it is unknown
    how many of them are real: there is no mask after this layer.

    Attributes:
        axis: of a sample: 0 is its first, -1 its last.
        start: the first element; a negative number counts from the end. By default the first of all.
        stop: the element after the last one; a negative number counts from the end. By default there is none after it.

    Raises:
        ShapeError: samples without that axis, or without any element in that part.
    """

    keeps_numbers = True
    axis: int = -1
    start: int | None = None
    stop: int | None = None

    def check(self) -> None:
        if self.start is None and self.stop is None:
            raise ValueError("expected start, stop, or both; found neither, which selects everything")

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(start=1, stop=3), ((5,),)), Example(cls(axis=0, start=1), ((None, 4),)))

    repeats = True

    @property
    def streams(self) -> bool:  # type: ignore[override]
        # Parts of pieces along time are not the part of the whole. Time is 0, or may be -2 and below.
        return self.axis > 0 or self.axis == -1

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if not -len(shape) <= self.axis < len(shape):
            raise ShapeError(f"expects samples with an axis {self.axis}")
        position = self.axis % len(shape)
        size = shape[position]
        if size is not None:
            size = len(range(size)[self.start : self.stop])
            if not size:
                part = f"{'' if self.start is None else self.start}:{'' if self.stop is None else self.stop}"
                raise ShapeError(f"expects an axis {self.axis} with elements at {part}")
        return (*shape[:position], size, *shape[position + 1 :])

    def _part(self, array: Array) -> Array:
        axis = self.axis + 1 if self.axis >= 0 else array.ndim + self.axis
        part: Array = array[(slice(None),) * axis + (slice(self.start, self.stop),)]
        return part

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x.shape)
        mask = context.masks[0]
        if mask is not None and self.axis in (0, 1 - x.ndim):
            from_end = min(self.start or 0, self.stop or 0) < 0
            context.output_mask = None if from_end else mask[:, self.start : self.stop]
        return self._part(x)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        if not context.needs_input_gradient:
            return None
        (shape,) = context.saved
        whole = context.buffer(shape)
        whole.fill(0)
        self._part(whole)[...] = gradient
        return whole
