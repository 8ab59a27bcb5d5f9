"""Pooling over whole samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class GlobalAveragePool(Layer, type="global_average_pool"):
    """The mean over all axes but the last: (height, width, channels) -> (channels,), (time, features) -> (features,).

    If sequences have a mask, only the steps that it includes count; a sample without any step or pixel gives zeros.

    Source: Lin, Chen and Yan 2013, arXiv:1312.4400, section 3.2.

    Raises:
        ShapeError: samples with fewer than two axes.
    """

    repeats = True
    scratch_output = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) < 2:
            raise ShapeError("expects samples with two axes or more: (time, features) or (height, width, channels)")
        return shape[-1:]

    def forward(self, context: Context, x: Array) -> Array:
        positions = max(1, math.prod(x.shape[1:-1]))
        flat = x.reshape(len(x), -1, x.shape[-1]) if x.size else np.zeros((len(x), 1, x.shape[-1]), x.dtype)
        y = context.buffer((len(x), x.shape[-1]))
        (mask,) = context.masks
        context.output_mask = None
        if mask is None:
            context.save(x.shape, None)
            context.do(np.add.reduce, flat, axis=1, out=y)
            context.do(np.divide, y, positions, y)
            return y
        left = np.repeat(mask, math.prod(x.shape[2:-1]), axis=1)
        shares: Array = left / np.maximum(left.sum(axis=1, keepdims=True), 1).astype(x.dtype)
        context.save(x.shape, shares)
        np.einsum("bp,bpf->bf", shares, x.reshape(*left.shape, x.shape[-1]), out=y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        shape, shares = context.saved
        result = context.buffer(shape)
        if shares is not None:
            np.multiply(gradient[:, None], shares[..., None], out=result.reshape(*shares.shape, shape[-1]))
            return result
        positions = math.prod(shape[1:-1])
        if result.size:
            np.divide(gradient[:, None], positions, out=result.reshape(len(gradient), positions, shape[-1]))
        return result
