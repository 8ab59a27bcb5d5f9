"""Normalization to zero mean and unit variance, over the batch or within each sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Ones, Zeros
from modnet.kinds.layer import Layer, Parameter, State

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def fixed_axes(shape: Shape, count: int) -> tuple[int, ...]:
    """The last `count` axes of a sample, which must have a fixed size."""
    last = shape[-count:]
    sizes = tuple(size for size in last if size is not None)
    if len(last) < count:
        raise ShapeError(f"expects samples with at least {count} ax{'i' if count == 1 else 'e'}s")
    if len(sizes) < count:
        axis = len(shape) - count + last.index(None)
        raise ShapeError(f"expects a fixed size of axis {axis}, along which it normalizes; found a variable one")
    return sizes


def rows_of_steps(mask: Array | None, x: Array) -> Array | None:
    """Which of the rows of x (batch, time, ..., features) a mask includes; None for all of them."""
    if mask is None or x.ndim < 3 or mask.all():
        return None
    return np.repeat(mask.reshape(-1), math.prod(x.shape[2:-1]))


def _shares_of_steps(mask: Array | None, x: Array, axes: int) -> Array | None:
    """The weight of each element in a mean over the last axes, (samples, elements), if a mask leaves out some steps.

    None if time is not among the axes, or if no step is left out.
    """
    if mask is None or x.ndim - axes > 1 or mask.all():
        return None
    left = np.broadcast_to(mask.reshape(*mask.shape, *(1,) * (x.ndim - 2)), x.shape).reshape(len(x), -1)
    shares: Array = left / np.maximum(left.sum(axis=1, keepdims=True), 1).astype(x.dtype)
    return shares


class BatchNorm(Layer, type="batch_norm"):
    """Normalizes each feature over the batch: y = scale * (x - mean) / sqrt(variance + epsilon) + shift.

    Mean and variance run over all axes but the last, for dense layers, sequences and channels-last images alike.
    Parameters scale and shift (gamma and beta in the paper): (features,).

    In training they are those of the batch, with the variance divided by n, and update the running ones:
    running = (1 - momentum) * running + momentum * batch, where the batch variance is divided by n - 1. This is torch's
    convention; a momentum of 0.1 here is 0.9 in Keras. In prediction the running ones are used. They are also used, and
    not updated, in training for a batch with a single value per feature, which has no variance. Steps that a mask
    leaves out are normalized like the others, but do not count in mean and variance. Of a batch that several processes
    share, mean and variance are those of all its rows.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2; running means instead of a final pass over the
    data are common practice.

    Raises:
        ShapeError: the last axis has no fixed size.
    """

    streams = True
    scratch_output = True
    featurewise = True
    output_range = (-math.inf, math.inf)
    momentum: float = field(default=0.1, minimum=0.0, maximum=1.0)
    epsilon: float = field(default=1e-5, above=0.0)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        fixed_axes(input_shapes[0], 1)
        return input_shapes[0]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        features = fixed_axes(input_shapes[0], 1)
        return {"scale": Parameter(features, Ones(), decay=False), "shift": Parameter(features, Zeros(), decay=False)}

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        features = fixed_axes(input_shapes[0], 1)
        return {"running_mean": State(features), "running_variance": State(features, fill=1.0)}

    def forward(self, context: Context, x: Array) -> Array:
        rows = x.reshape(-1, x.shape[-1])
        normalized = context.buffer(rows.shape)
        left = rows_of_steps(context.masks[0], x) if context.training else None
        own = len(rows) if left is None else int(np.count_nonzero(left))
        count = own
        if context.training and context.share is not None:
            count = int(context.sum_of_batch(np.array([own], np.float64))[0])
        of_batch = context.training and count > 1
        if of_batch:
            seen = rows
            if left is not None:
                seen = np.compress(left, rows, axis=0, out=context.buffer((own, rows.shape[1])))
            mean = context.sum_of_batch(np.add.reduce(seen, axis=0)) / count
            np.subtract(rows, mean, out=normalized)
            centred = normalized if left is None else np.subtract(seen, mean, out=seen)
            # Not mean(x**2) - mean**2, which cancels for features far from 0.
            variance = context.sum_of_batch(np.einsum("ij,ij->j", centred, centred)) / count
            self.follow(context, mean, variance * (count / (count - 1)))
        else:
            np.subtract(rows, context.state["running_mean"], out=normalized)
            variance = context.state["running_variance"]
        inverse = 1 / np.sqrt(variance + self.epsilon)
        np.multiply(normalized, inverse, out=normalized)
        context.save(normalized, inverse, count if of_batch else 0, left)
        y = np.multiply(normalized, context.params["scale"], out=context.buffer(rows.shape))
        np.add(y, context.params["shift"], out=y)
        return y.reshape(x.shape)

    def follow(self, context: Context, mean: Array, variance: Array) -> None:
        for running, batch in ((context.state["running_mean"], mean), (context.state["running_variance"], variance)):
            np.multiply(running, 1 - self.momentum, out=running)
            np.add(running, self.momentum * batch, out=running)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        normalized, inverse, count, left = context.saved
        rows = gradient.reshape(normalized.shape)
        shift = np.add.reduce(rows, axis=0, out=context.grads["shift"])
        scale = np.einsum("ij,ij->j", rows, normalized, out=context.grads["scale"])
        if not context.needs_input_gradient:
            return None
        result = context.buffer(normalized.shape)
        if count:
            # The effects of x on the mean and on the variance: with n rows, the gradient of x is
            # scale / sqrt(variance + epsilon) * (g - sum(g) / n - normalized * sum(g * normalized) / n).
            if context.share is not None:  # the effects of all rows, while the gradients of the parameters are of these
                shift, scale = context.sum_of_batch(np.stack((shift, scale)))
            np.multiply(normalized, scale / count, out=result)
            np.add(result, shift / count, out=result)
            if left is not None:  # these rows had no effect on either
                result[~left] = 0
            np.subtract(rows, result, out=result)
            rows = result
        np.multiply(rows, context.params["scale"] * inverse, out=result)
        return result.reshape(gradient.shape)


def _inverse_roots(rows: Array, shares: Array | None, mean_squares: Array, epsilon: float) -> Array:
    """1 / sqrt(mean square + epsilon) of each row; in float64 where the squares of a row overflow (from 1e19 on).

    `shares` are the weights of the elements in the mean; None if they are equal.
    """
    inverse: Array = 1 / np.sqrt(mean_squares + epsilon)
    if not inverse.all():
        beyond = np.flatnonzero(inverse == 0)
        squares = np.square(rows[beyond].astype(np.float64))
        means = squares.mean(axis=1) if shares is None else np.einsum("ij,ij->i", squares, shares[beyond])
        inverse[beyond] = 1 / np.sqrt(means + epsilon)
    return inverse


class LayerNorm(Layer, type="layer_norm"):
    """Normalizes each sample separately: y = scale * (x - mean) / sqrt(variance + epsilon) + shift.

    Mean and variance (divided by n) run over the last `axes` axes; scale and shift have the shape of these. If time is
    one of them, steps that a mask leaves out do not count in mean and variance.

    Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450; torch's is the same.

    Attributes:
        axes: the number of last axes.

    Raises:
        ShapeError: too few axes, or one of them has no fixed size.
    """

    streams = True
    scratch_output = True
    output_range = (-math.inf, math.inf)
    takes_members = True
    axes: int = field(default=1, minimum=1)
    epsilon: float = field(default=1e-5, above=0.0)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        fixed_axes(input_shapes[0], self.axes)
        return input_shapes[0]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        shape = fixed_axes(input_shapes[0], self.axes)
        return {"scale": Parameter(shape, Ones(), decay=False), "shift": Parameter(shape, Zeros(), decay=False)}

    def forward(self, context: Context, x: Array) -> Array:
        size = math.prod(x.shape[-self.axes :])
        rows = x.reshape(-1, size)
        shares = _shares_of_steps(context.masks[0], x, self.axes)
        mean = np.mean(rows, axis=1, keepdims=True) if shares is None else np.einsum("ij,ij->i", rows, shares)[:, None]
        normalized = np.subtract(rows, mean, out=context.buffer(rows.shape))
        if shares is None:
            variance = np.einsum("ij,ij->i", normalized, normalized) / size
        else:
            variance = np.einsum("ij,ij,ij->i", normalized, normalized, shares)
        inverse = _inverse_roots(normalized, shares, variance, self.epsilon)[:, None]
        np.multiply(normalized, inverse, out=normalized)
        context.save(normalized, inverse, shares)
        scale, shift = context.params["scale"].reshape(-1), context.params["shift"].reshape(-1)
        y = np.multiply(
            normalized.reshape(-1, scale.size), scale, out=context.buffer((x.size // scale.size, scale.size))
        )
        np.add(y, shift, out=y)
        return y.reshape(x.shape)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        normalized, inverse, shares = context.saved
        rows = gradient.reshape(normalized.shape)
        scale = context.params["scale"].reshape(-1)
        by_sample = rows.reshape(-1, scale.size)
        np.add.reduce(by_sample, axis=0, out=context.grads["shift"].reshape(-1))
        along_batch = normalized.reshape(by_sample.shape)
        np.einsum("ij,ij->j", by_sample, along_batch, out=context.grads["scale"].reshape(-1))
        if not context.needs_input_gradient:
            return None
        result = np.multiply(by_sample, scale, out=context.buffer(by_sample.shape)).reshape(rows.shape)
        if shares is None:
            mean = np.mean(result, axis=1, keepdims=True)
            along = np.einsum("ij,ij->i", result, normalized)[:, None] / normalized.shape[1]
        else:
            mean = np.add.reduce(result, axis=1, keepdims=True) * shares
            along = np.einsum("ij,ij->i", result, normalized)[:, None] * shares
        np.subtract(result, mean, out=result)
        # `normalized` is not needed any more and is reused for its term of the gradient.
        np.multiply(normalized, along, out=normalized)
        np.subtract(result, normalized, out=result)
        np.multiply(result, inverse, out=result)
        return result.reshape(gradient.shape)


class RMSNorm(Layer, type="rms_norm"):
    """Scales each sample to unit root mean square: y = scale * x / sqrt(mean(x**2) + epsilon).

    The mean runs over the last axis; scale is (features,). Unlike layer_norm it does not subtract the mean or shift.

    Source: Zhang and Sennrich 2019, arXiv:1910.07467; epsilon is not in the paper and keeps a zero row finite.

    Raises:
        ShapeError: the last axis has no fixed size.
    """

    streams = True
    scratch_output = True
    output_range = (-math.inf, math.inf)
    takes_members = True
    epsilon: float = field(default=1e-6, above=0.0)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        fixed_axes(input_shapes[0], 1)
        return input_shapes[0]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        return {"scale": Parameter(fixed_axes(input_shapes[0], 1), Ones(), decay=False)}

    def forward(self, context: Context, x: Array) -> Array:
        features = x.shape[-1]
        rows = x.reshape(-1, features)
        shares = _shares_of_steps(context.masks[0], x, 1)
        if shares is None:
            mean_square = np.einsum("ij,ij->i", rows, rows) / features
        else:
            mean_square = np.einsum("ij,ij,ij->i", rows, rows, shares)
        inverse = _inverse_roots(rows, shares, mean_square, self.epsilon)[:, None]
        normalized = np.multiply(rows, inverse, out=context.buffer(rows.shape))
        context.save(normalized, inverse, shares)
        scale = context.params["scale"].reshape(-1)
        y = np.multiply(
            normalized.reshape(-1, scale.size), scale, out=context.buffer((x.size // scale.size, scale.size))
        )
        return y.reshape(x.shape)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        normalized, inverse, shares = context.saved
        rows = gradient.reshape(normalized.shape)
        scale = context.params["scale"].reshape(-1)
        by_sample = rows.reshape(-1, scale.size)
        along_batch = normalized.reshape(by_sample.shape)
        np.einsum("ij,ij->j", by_sample, along_batch, out=context.grads["scale"].reshape(-1))
        if not context.needs_input_gradient:
            return None
        result = np.multiply(by_sample, scale, out=context.buffer(by_sample.shape)).reshape(rows.shape)
        along = np.einsum("ij,ij->i", result, normalized)[:, None]
        along = along / normalized.shape[1] if shares is None else along * shares
        # `normalized` is not needed any more and is reused for its term of the gradient.
        np.multiply(normalized, along, out=normalized)
        np.subtract(result, normalized, out=result)
        np.multiply(result, inverse, out=result)
        return result.reshape(gradient.shape)
