"""Softmax and log-softmax, along the last axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from modnet.activations.blocks import in_blocks
from modnet.arrays import Array, Shape, ones, workspace_along_rows
from modnet.errors import ShapeError
from modnet.kinds.activation import Activation
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def with_classes(shape: Shape) -> Shape:
    """The shape, which must have a last axis: without one the batch axis would be taken for the classes."""
    if not shape:
        raise ShapeError("expects samples with a last axis (classes)")
    return shape


def padded_steps(context: Context, x: Array) -> Array | None:
    """True for the numbers of padded steps, if the last axis is time, (batch, time); else None."""
    mask = context.masks[0]
    return ~mask if mask is not None and x.ndim == 2 and mask.shape == x.shape else None


def lowest(x: Array) -> Any:
    """A number far below all others, but not so large that differences from it overflow (as the minimum would)."""
    return x.dtype.type(np.finfo(x.dtype).min / 4)


class Softmax(Activation, type="softmax"):
    """y = exp(x) / sum(exp(x)) over the last axis. Its backward pass uses the full Jacobian, y * (g - sum(g * y)).

    Over the steps of sequences, (time,), padded steps have 0, and the others sum to 1 without them.
    """

    elementwise = False
    repeats = True
    needs_input = False
    output_range = (0.0, 1.0)
    normalizes = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return with_classes(input_shapes[0])

    def for_members(self, members: int, shared: bool) -> Layer | None:
        return None if shared else self

    def function(self, x: Array, out: Array) -> Array:
        return _softmax(x, out, None if _is_row(out) else workspace_along_rows(out, np.empty))

    def forward(self, context: Context, x: Array) -> Array:
        padded = padded_steps(context, x)
        out = x if context.may_overwrite_input else context.buffer(x.shape)
        if padded is not None:
            x = np.where(padded, lowest(x), x)
        if _is_row(out):
            lone = (0,) * (out.ndim - 1)
            context.do(_softmax_of_row, x[lone], out[lone], ones(out.size, out.dtype))
        else:
            context.do(_softmax, x, out, workspace_along_rows(out, context.buffer))
        if padded is not None:
            out[padded] = 0  # exp gave 0 already, except in a sequence without any step, where all are equal
        context.save(None, out)
        return out

    def backward(self, context: Context, gradient: Array) -> Array:
        _, y = context.saved
        inner = np.einsum("...i,...i->...", gradient, y)
        gradient -= inner[..., None]
        gradient *= y
        return gradient


def _is_row(array: Array) -> bool:
    """Whether it has a single row, as in predictions of one sample."""
    return bool(array.size == array.shape[-1])


def _softmax_of_row(row: Array, out: Array, ones: Array) -> None:
    """Without the overhead of reductions along an axis."""
    np.subtract(row, row[row.argmax()], out)
    np.exp(out, out)
    np.divide(out, out.dot(ones), out)


def _softmax(x: Array, out: Array, work: Array | None) -> Array:
    """Along the last axis, in a workspace if there is one."""
    if _is_row(out):
        lone = (0,) * (out.ndim - 1)
        _softmax_of_row(x[lone], out[lone], ones(out.size, out.dtype))
        return out
    if work is None:
        work = out
    np.copyto(work, x)
    # exp(1000) would be inf, and a shift does not change softmax.
    work -= np.maximum.reduce(work, axis=-1, keepdims=True)
    np.exp(work, out=work)
    return np.divide(work, np.add.reduce(work, axis=-1, keepdims=True), out=out)


class LogSoftmax(Activation, type="log_softmax"):
    """y = x - log(sum(exp(x))) over the last axis.

    Over the steps of sequences, (time,), padded steps are left out of the sum, and get a very low finite number.
    """

    elementwise = False
    repeats = True
    needs_input = False
    output_range = (-math.inf, 0.0)
    normalizes = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return with_classes(input_shapes[0])

    def for_members(self, members: int, shared: bool) -> Layer | None:
        return None if shared else self

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
        exponentials = np.exp(out)
        out -= np.log(exponentials.sum(axis=-1, keepdims=True))
        return out

    def forward(self, context: Context, x: Array) -> Array:
        padded = padded_steps(context, x)
        return cast(Array, super().forward(context, x if padded is None else np.where(padded, lowest(x), x)))

    def backward(self, context: Context, gradient: Array) -> Array:
        _, y = context.saved
        padded = padded_steps(context, y)
        if padded is not None:
            gradient[padded] = 0
        total = gradient.sum(axis=-1, keepdims=True)
        softmax = np.exp(y, out=context.buffer(y.shape))
        np.multiply(softmax, total, out=softmax)
        gradient -= softmax
        return gradient
