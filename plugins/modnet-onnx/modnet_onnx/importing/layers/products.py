"""Products of two values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet_onnx.importing.layers.arithmetic import gathered, stretched

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class MatMul(Layer, type="matmul"):
    """The product of two inputs: samples (..., n, k) and (..., k, m) -> (..., n, m).

    Both have the same number of axes, at least two; axes before the last two are stretched where they have the size 1.

    Raises:
        ShapeError: samples that cannot be multiplied.
    """

    inputs = (2, 2)
    scratch_output = True

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((3, 4), (4, 2))), Example(cls(), ((2, None, 4), (1, 4, 5))))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        first, second = input_shapes
        if min(len(first), len(second)) < 2:
            raise ShapeError("expects samples with two axes or more")
        if first[-1] != second[-2]:
            raise ShapeError(f"expects a second input with {first[-1]} along the last axis but one")
        return (*stretched([first[:-2], second[:-2]]), first[-2], second[-1])

    def forward(self, context: Context, x: Array, z: Array) -> Array:
        context.output_mask = None
        context.save(x, z)
        self.output_shape(x.shape[1:], z.shape[1:])  # variable axes are known only now
        leading = np.broadcast_shapes(x.shape[:-2], z.shape[:-2])
        return np.matmul(x, z, out=context.buffer((*leading, x.shape[-2], z.shape[-1])))

    def backward(self, context: Context, gradient: Array) -> tuple[Array, Array]:
        x, z = context.saved
        leading = gradient.shape[:-2]
        first = np.matmul(gradient, z.swapaxes(-1, -2), out=context.buffer((*leading, *x.shape[-2:])))
        second = np.matmul(x.swapaxes(-1, -2), gradient, out=context.buffer((*leading, *z.shape[-2:])))
        return gathered(first, x.shape), gathered(second, z.shape)

    def to_onnx(self, writer: Any, x: str, z: str) -> str:
        writer.output_mask = None
        return str(writer.op("MatMul", x, z))

    def multiply_adds(self, *input_shapes: Shape) -> int:
        first, second = input_shapes
        return math.prod(size or 1 for size in self.output_shape(first, second)) * (first[-1] or 1)
