"""Layers that combine several arrays into one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def common_shape(shapes: Sequence[Shape]) -> Shape | None:
    """The common shape of all, in which variable axes take the size of fixed ones; None if there is none."""
    if len({len(shape) for shape in shapes}) > 1:
        return None
    common = []
    for sizes in zip(*shapes, strict=True):
        fixed = {size for size in sizes if size is not None}
        if len(fixed) > 1:
            return None
        common.append(fixed.pop() if fixed else None)
    return tuple(common)


def one_shape(shapes: Sequence[Shape]) -> Shape:
    shape = common_shape(shapes)
    if shape is None:
        raise ShapeError("expects inputs of the same shape")
    return shape


def _check_one_shape(inputs: Sequence[Array]) -> None:
    """Checks the arrays themselves: a variable axis is known only now, and numpy would broadcast an axis of 1."""
    for x in inputs:
        if x.shape != inputs[0].shape:
            raise ShapeError("expects inputs of the same shape")


class Add(Layer, type="add"):
    """The sum of two or more inputs of the same shape.

    If inputs have masks, a step of the output counts if all of them include it.

    Raises:
        ShapeError: inputs of different shapes; from `forward` if a variable axis differs.
    """

    streams = True
    repeats = True
    inputs = (2, None)
    scratch_output = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return one_shape(input_shapes)

    def for_members(self, members: int, shared: bool) -> Layer | None:
        return None if shared else self

    def forward(self, context: Context, *inputs: Array) -> Array:
        _check_one_shape(inputs)
        first, second, *rest = inputs
        context.save(len(inputs))
        y: Array = context.do(np.add, first, second, context.buffer(first.shape))
        for x in rest:
            context.do(np.add, y, x, y)
        return y

    def backward(self, context: Context, gradient: Array) -> tuple[Array, ...]:
        count: int = context.saved[0]
        return (gradient,) * count


class Multiply(Layer, type="multiply"):
    """The element-wise product of two or more inputs of the same shape.

    If inputs have masks, a step of the output counts if all of them include it.

    Raises:
        ShapeError: inputs of different shapes; from `forward` if a variable axis differs.
    """

    streams = True
    repeats = True
    inputs = (2, None)
    scratch_output = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return one_shape(input_shapes)

    def for_members(self, members: int, shared: bool) -> Layer | None:
        return None if shared else self

    def forward(self, context: Context, *inputs: Array) -> Array:
        _check_one_shape(inputs)
        first, second, *rest = inputs
        context.save(*inputs)
        y: Array = context.do(np.multiply, first, second, context.buffer(first.shape))
        for x in rest:
            context.do(np.multiply, y, x, y)
        return y

    def backward(self, context: Context, gradient: Array) -> tuple[Array, ...]:
        results = []
        for position in range(len(context.saved)):
            # The product of the other inputs, and not y / x, since x may be 0.
            others = context.saved[:position] + context.saved[position + 1 :]
            result = np.multiply(gradient, others[0], out=context.buffer(gradient.shape))
            for x in others[1:]:
                np.multiply(result, x, out=result)
            results.append(result)
        return tuple(results)


class Concatenate(Layer, type="concatenate"):
    """Two or more inputs, joined along an axis; their other axes must be equal.

    If inputs have masks, a step of the output counts if all of them include it; along time the masks are joined as
    well.

    Attributes:
        axis: of a sample: 0 is its first, -1 its last.

    Raises:
        ShapeError: inputs that differ in other axes, or do not have that axis; from `forward` if a variable axis
            differs.
    """

    repeats = True
    inputs = (2, None)
    scratch_output = True
    axis: int = -1

    @property
    def streams(self) -> bool:  # type: ignore[override]
        # Pieces that are joined along time are not pieces of the whole. Time is 0, or may be -2 and below.
        return self.axis > 0 or self.axis == -1

    def output_shape(self, *input_shapes: Shape) -> Shape:
        axes = {len(shape) for shape in input_shapes}
        if any(not -count <= self.axis < count for count in axes):
            raise ShapeError(f"expects samples with an axis {self.axis}")
        position = self.axis % max(axes)
        others = common_shape([shape[:position] + shape[position + 1 :] for shape in input_shapes])
        if len(axes) > 1 or others is None:
            raise ShapeError(f"expects inputs that differ only in axis {self.axis}")
        sizes = [shape[position] for shape in input_shapes]
        total = None if None in sizes else sum(filter(None, sizes))
        return (*others[:position], total, *others[position:])

    def for_members(self, members: int, shared: bool) -> Layer | None:
        own = self if self.axis < 0 else self.replace(axis=self.axis + 1)
        return None if shared else own

    def forward(self, context: Context, *inputs: Array) -> Array:
        axis = self._batch_axis() % inputs[0].ndim
        sizes = [x.shape[axis] for x in inputs]
        context.save(sizes)
        shape = list(inputs[0].shape)
        for x, size in zip(inputs, sizes, strict=True):
            shape[axis] = size
            if x.shape != tuple(shape):
                raise ShapeError(f"expects inputs that differ only in axis {self.axis}")
        if axis == 1:
            context.output_mask = _along_time(context.masks, inputs)
        shape[axis] = sum(sizes)
        y: Array = context.do(np.concatenate, inputs, axis=axis, out=context.buffer(tuple(shape)))
        return y

    def backward(self, context: Context, gradient: Array) -> tuple[Array, ...]:
        (sizes,) = context.saved
        along = np.moveaxis(gradient, self._batch_axis(), 0)
        bounds = pairwise(accumulate(sizes, initial=0))
        return tuple(np.moveaxis(along[start:end], 0, self._batch_axis()) for start, end in bounds)

    def _batch_axis(self) -> int:
        return self.axis + 1 if self.axis >= 0 else self.axis


def _along_time(masks: Sequence[Array | None], inputs: Sequence[Array]) -> Array | None:
    """The masks of sequences, joined along time; without a mask all steps of a sequence count."""
    if all(mask is None for mask in masks):
        return None
    whole = zip(masks, inputs, strict=True)
    return np.concatenate([np.ones(x.shape[:2], bool) if mask is None else mask for mask, x in whole], axis=1)
