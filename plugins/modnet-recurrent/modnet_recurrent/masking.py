"""A mask for padded sequences of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modnet import Layer, ShapeError
from modnet.arrays import Array, Shape

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Masking(Layer, type="masking"):
    """Says that steps whose features all equal `value` are padding: layers that follow masks skip them.

    Gives x itself. Shapes: (time, features) -> the same. A mask that an earlier layer has made is kept: a step is
    padding if either says so. (For ids, `embedding` has the option `padding`.)

    Attributes:
        value: of the padding.

    Raises:
        ShapeError: samples with other than two axes.
    """

    streams = True
    makes_mask = True
    value: float = 0.0

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) != 2:
            raise ShapeError("expects sequences, samples of shape (time, features)")
        return shape

    def forward(self, context: Context, x: Array) -> Array:
        different = np.not_equal(x, self.value, out=context.buffer(x.shape, np.bool_))
        mask = different.any(axis=2, out=context.buffer(x.shape[:2], np.bool_))
        if context.masks[0] is not None:
            np.logical_and(mask, context.masks[0], out=mask)
        context.output_mask = mask
        return x

    def backward(self, context: Context, gradient: Array) -> Array:
        return gradient
