"""Normalization to zero mean and unit variance, over the batch or within each sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape, constant
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


SHORT_LINE = 256
"""The length from which numpy processes a line about as fast as a longer one."""


def along_lines(context: Context, x: Array, vectors: Sequence[Array]) -> list[Array]:
    """Vectors of the last axis of x, repeated to lines of several rows if rows are short; x must be contiguous."""
    features = x.shape[-1]
    rows = x.size // features if features else 0
    times = next((n for n in range(max(1, 2 * SHORT_LINE // max(features, 1)), 1, -1) if rows % n == 0), 1)
    if features >= SHORT_LINE or times * 4 > rows:
        return list(vectors)
    found = []
    for vector in vectors:
        line = context.buffer((times, features))
        context.do(np.copyto, line, vector)
        found.append(line.reshape(times * features))
    return found


class BatchNorm(Layer, type="batch_norm"):
    """Normalizes each feature over the batch: y = scale * (x - mean) / sqrt(variance + epsilon) + shift.

    Mean and variance are computed over all axes but the last, for dense layers, sequences and channels-last images.
    Parameters scale and shift (gamma and beta in the paper): (features,).

    In training they are those of the batch, with the variance divided by n. They also update the running mean and
    variance: running = (1 - momentum) * running + momentum * batch, with a variance of the batch divided by n - 1. This
    is torch's convention; a momentum of 0.1 here is 0.9 in Keras. Prediction uses the running mean and variance.
    So does training, without an update, for a batch with a single value per feature, which has no variance. Steps that
    a mask leaves out are normalized like the others, but do not count in mean and variance. Where several processes
    share a batch, mean and variance are those of all its rows.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2; running means instead of a final pass over the
    data are common practice.

    Attributes:
        momentum: the share of the newest batch in the running mean and variance.
        epsilon: is added to the variance, so that a constant feature divides by no zero.

    Raises:
        ShapeError: the last axis has no fixed size.
    """

    streams = True
    overwrites = True
    repeats = True
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
        if not context.training and not context.grads:
            return self._predicted(context, x)
        rows = x.reshape(-1, x.shape[-1])
        normalized = context.buffer(rows.shape)
        left = rows_of_steps(context.masks[0], x) if context.training else None
        variance, count = self._centre(context, rows, left, normalized)
        inverse = 1 / np.sqrt(variance + self.epsilon)
        np.multiply(normalized, inverse, out=normalized)
        context.save(normalized, inverse, count, left)
        y = np.multiply(normalized, context.params["scale"], out=context.buffer(rows.shape))
        np.add(y, context.params["shift"], out=y)
        return y.reshape(x.shape)

    def _centre(self, context: Context, rows: Array, left: Array | None, out: Array) -> tuple[Array, int]:
        """Writes the rows less the mean; gives the variance, and of how many rows both are: 0 for the running ones."""
        own = len(rows) if left is None else int(np.count_nonzero(left))
        count = own if context.training else 0
        if context.training and context.share is not None:
            count = int(context.sum_of_batch(np.array([own], np.float64))[0])
        if count < 2:
            np.subtract(rows, context.state["running_mean"], out=out)
            return context.state["running_variance"], 0
        seen = rows
        if left is not None:
            seen = np.compress(left, rows, axis=0, out=context.buffer((own, rows.shape[1])))
        mean = context.sum_of_batch(np.add.reduce(seen, axis=0)) / count
        np.subtract(rows, mean, out=out)
        centred = out if left is None else np.subtract(seen, mean, out=seen)
        # Not mean(x**2) - mean**2, which cancels for features far from 0.
        variance = context.sum_of_batch(np.einsum("ij,ij->j", centred, centred)) / count
        self.follow(context, mean, variance * (count / (count - 1)))
        return variance, count

    def _predicted(self, context: Context, x: Array) -> Array:
        """`forward` in prediction: four passes over lines of several rows, in one array."""
        do, mean, variance = context.do, context.state["running_mean"], context.state["running_variance"]
        inverse = context.buffer(mean.shape)
        do(np.add, variance, constant(self.epsilon, inverse.dtype), inverse)
        do(np.sqrt, inverse, inverse)
        do(np.divide, constant(1.0, inverse.dtype), inverse, inverse)
        y = x if context.may_overwrite_input else context.buffer(x.shape)
        lines = along_lines(context, x, (mean, inverse, context.params["scale"], context.params["shift"]))
        shape = (y.size // lines[0].size, lines[0].size) if y.size else (0, lines[0].size)
        seen, out = x.reshape(shape), y.reshape(shape)
        for operation, line in zip((np.subtract, np.multiply, np.multiply, np.add), lines, strict=True):
            do(operation, seen, line, out)
            seen = out
        return y

    def scale_and_shift(self, context: Context) -> tuple[Any, Any]:
        scale = context.params["scale"] / np.sqrt(context.state["running_variance"] + self.epsilon)
        return scale, context.params["shift"] - context.state["running_mean"] * scale

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


def _write_inverse_roots(rows: Array, shares: Array | None, epsilon: float, column: Array) -> None:
    """Writes 1 / sqrt(mean square + epsilon) of each row; in float64 where its squares overflow (from 1e19 on).

    `shares` are the weights of the elements in the mean; None if they are equal.
    """
    inverse = column[:, 0]
    if shares is None:
        np.einsum("ij,ij->i", rows, rows, out=inverse)
        np.divide(inverse, rows.shape[1], inverse)
    else:
        np.einsum("ij,ij,ij->i", rows, rows, shares, out=inverse)
    np.add(inverse, epsilon, inverse)
    np.sqrt(inverse, inverse)
    np.divide(1, inverse, inverse)
    if not inverse.all():
        beyond = np.flatnonzero(inverse == 0)
        squares = np.square(rows[beyond].astype(np.float64))
        means = squares.mean(axis=1) if shares is None else np.einsum("ij,ij->i", squares, shares[beyond])
        inverse[beyond] = 1 / np.sqrt(means + epsilon)


class LayerNorm(Layer, type="layer_norm"):
    """Normalizes each sample separately: y = scale * (x - mean) / sqrt(variance + epsilon) + shift.

    Mean and variance (divided by n) run over the last `axes` axes; scale and shift have the shape of these. If time is
    one of them, steps that a mask leaves out do not count in mean and variance.

    Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450; torch's is the same.

    Attributes:
        axes: the number of last axes.
        epsilon: is added to the variance.

    Raises:
        ShapeError: too few axes, or one of them has no fixed size.
    """

    streams = True
    repeats = True
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
        do, size = context.do, math.prod(x.shape[-self.axes :])
        rows = x.reshape(-1, size)
        shares = _shares_of_steps(context.masks[0], x, self.axes)
        normalized, column = context.buffer(rows.shape), context.buffer((len(rows), 1))
        if shares is None:
            do(np.add.reduce, rows, 1, None, column, True)
            do(np.divide, column, size, column)
        else:
            np.einsum("ij,ij->i", rows, shares, out=column[:, 0])
        do(np.subtract, rows, column, normalized)
        do(_write_inverse_roots, normalized, shares, self.epsilon, column)
        do(np.multiply, normalized, column, normalized)
        context.save(normalized, column, shares)
        scale, shift = context.params["scale"].reshape(-1), context.params["shift"].reshape(-1)
        by_sample = normalized.reshape(-1, scale.size)
        y = context.buffer(by_sample.shape) if context.grads else by_sample
        do(np.multiply, by_sample, scale, y)
        do(np.add, y, shift, y)
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

    Attributes:
        epsilon: is added to the mean of the squares.

    Raises:
        ShapeError: the last axis has no fixed size.
    """

    streams = True
    repeats = True
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
        rows = x.reshape(-1, x.shape[-1])
        shares = _shares_of_steps(context.masks[0], x, 1)
        normalized, column = context.buffer(rows.shape), context.buffer((len(rows), 1))
        context.do(_write_inverse_roots, rows, shares, self.epsilon, column)
        context.do(np.multiply, rows, column, normalized)
        context.save(normalized, column, shares)
        scale = context.params["scale"].reshape(-1)
        by_sample = normalized.reshape(-1, scale.size)
        y = context.buffer(by_sample.shape) if context.grads else by_sample
        context.do(np.multiply, by_sample, scale, y)
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
