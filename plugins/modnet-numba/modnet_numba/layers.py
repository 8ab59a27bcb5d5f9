"""Norms and dropout. Names and equations are those of `modnet.layers`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from modnet_numba.compiling import loop, reduction
from modnet_numba.mathematics import ONE, ZERO

Method = Callable[..., Any]


def rows_of(x: Any, size: int) -> Any:
    return np.ascontiguousarray(x).reshape(-1, size)


@loop
def moments(rows, mean, variance):
    """Mean and variance (divided by n) of each column."""
    count = mean.dtype.type(len(rows))
    mean.fill(0)
    variance.fill(0)
    for i in range(len(rows)):
        for j in range(len(mean)):
            mean[j] += rows[i, j]
    for j in range(len(mean)):
        mean[j] /= count
    for i in range(len(rows)):
        for j in range(len(mean)):
            distance = rows[i, j] - mean[j]
            variance[j] += distance * distance
    for j in range(len(mean)):
        variance[j] /= count


@loop
def normalize_columns(rows, mean, inverse, scale, shift, normalized, y):
    for i in range(len(rows)):
        for j in range(len(mean)):
            centred = (rows[i, j] - mean[j]) * inverse[j]
            normalized[i, j] = centred
            y[i, j] = centred * scale[j] + shift[j]


@loop
def sum_columns(gradient, normalized, scale, shift):
    """The gradients of scale and shift."""
    scale.fill(0)
    shift.fill(0)
    for i in range(len(gradient)):
        for j in range(len(scale)):
            scale[j] += gradient[i, j] * normalized[i, j]
            shift[j] += gradient[i, j]


@loop
def batch_norm_gradient(gradient, normalized, through_mean, through_variance, factor):
    for i in range(len(gradient)):
        for j in range(len(factor)):
            direct = gradient[i, j] - (normalized[i, j] * through_variance[j] + through_mean[j])
            gradient[i, j] = direct * factor[j]


def batch_norm_forward(layer: Any, dtype: np.dtype[Any]) -> Method:
    def forward(context, x):
        if context.training and (context.masks[0] is not None or context.share is not None):
            # Of sequences that end early only the steps that there are count, and of a shared batch all rows.
            return layer.forward(context, x)
        rows = rows_of(x, x.shape[-1])
        normalized, y = context.buffer(rows.shape), context.buffer(rows.shape)
        mean, variance = context.state["running_mean"], context.state["running_variance"]
        of_batch = context.training and len(rows) > 1
        if of_batch:
            mean, variance = np.empty_like(mean), np.empty_like(variance)
            moments(rows, mean, variance)
            layer.follow(context, mean, variance * (len(rows) / (len(rows) - 1)))
        inverse = 1 / np.sqrt(variance + layer.epsilon)
        normalize_columns(rows, mean, inverse, context.params["scale"], context.params["shift"], normalized, y)
        context.save(normalized, inverse, len(rows) if of_batch else 0, None)
        return y.reshape(x.shape)

    return forward


def batch_norm_backward(layer: Any, dtype: np.dtype[Any]) -> Method:
    def backward(context, gradient):
        normalized, inverse, count, left = context.saved
        if left is not None or context.share is not None:
            return layer.backward(context, gradient)
        rows = rows_of(gradient, gradient.shape[-1])
        scale, shift = context.grads["scale"], context.grads["shift"]
        sum_columns(rows, normalized, scale, shift)
        if not context.needs_input_gradient:
            return None
        count = count or math.inf  # The running mean and variance do not depend on x.
        batch_norm_gradient(rows, normalized, shift / count, scale / count, context.params["scale"] * inverse)
        return rows.reshape(gradient.shape)

    return backward


@loop
def inverse_root(row, mean, square):
    """1 / sqrt(square), for the mean square of a row's distances; in float64 where their squares overflow."""
    if not math.isinf(square):
        return ONE(square) / math.sqrt(square)
    wide = 0.0
    for j in range(len(row)):
        distance = np.float64(row[j]) - np.float64(mean)
        wide += distance * distance
    # As the processor approximates it, 1 / sqrt(infinity) may be nan.
    return ZERO(square) if math.isinf(wide) else row.dtype.type(1.0 / math.sqrt(wide / len(row)))


@reduction
def layer_norm(rows, scale, shift, epsilon, normalized, inverse, y):
    size = scale.dtype.type(len(scale))
    for i in range(len(rows)):
        mean = ZERO(epsilon)
        for j in range(len(scale)):
            mean += rows[i, j]
        mean /= size
        variance = ZERO(epsilon)
        for j in range(len(scale)):
            distance = rows[i, j] - mean
            variance += distance * distance
        inverse[i, 0] = inverse_root(rows[i], mean, variance / size + epsilon)
        for j in range(len(scale)):
            centred = (rows[i, j] - mean) * inverse[i, 0]
            normalized[i, j] = centred
            y[i, j] = centred * scale[j] + shift[j]


@reduction
def layer_norm_gradient(gradient, normalized, inverse, scale):
    size = scale.dtype.type(len(scale))
    for i in range(len(gradient)):
        mean = along = ZERO(size)
        for j in range(len(scale)):
            gradient[i, j] *= scale[j]
            mean += gradient[i, j]
            along += gradient[i, j] * normalized[i, j]
        mean /= size
        along /= size
        for j in range(len(scale)):
            gradient[i, j] = (gradient[i, j] - mean - normalized[i, j] * along) * inverse[i, 0]


def layer_norm_forward(layer: Any, dtype: np.dtype[Any]) -> Method:
    epsilon = dtype.type(layer.epsilon)

    def forward(context, x):
        if context.masks[0] is not None and x.ndim - layer.axes < 2:
            return layer.forward(context, x)  # over time only the steps that there are count
        scale, shift = context.params["scale"].reshape(-1), context.params["shift"].reshape(-1)
        rows = rows_of(x, scale.size)
        normalized, y, inverse = (context.buffer(shape) for shape in (rows.shape, rows.shape, (len(rows), 1)))
        layer_norm(rows, scale, shift, epsilon, normalized, inverse, y)
        context.save(normalized, inverse, None)
        return y.reshape(x.shape)

    return forward


def layer_norm_backward(layer: Any, dtype: np.dtype[Any]) -> Method:
    def backward(context, gradient):
        normalized, inverse, shares = context.saved
        if shares is not None:
            return layer.backward(context, gradient)
        rows = rows_of(gradient, normalized.shape[1])
        sum_columns(rows, normalized, context.grads["scale"].reshape(-1), context.grads["shift"].reshape(-1))
        if not context.needs_input_gradient:
            return None
        layer_norm_gradient(rows, normalized, inverse, context.params["scale"].reshape(-1))
        return rows.reshape(gradient.shape)

    return backward


@reduction
def rms_norm(rows, scale, epsilon, normalized, inverse, y):
    size = scale.dtype.type(len(scale))
    for i in range(len(rows)):
        mean_square = ZERO(epsilon)
        for j in range(len(scale)):
            mean_square += rows[i, j] * rows[i, j]
        inverse[i, 0] = inverse_root(rows[i], ZERO(epsilon), mean_square / size + epsilon)
        for j in range(len(scale)):
            normalized[i, j] = rows[i, j] * inverse[i, 0]
            y[i, j] = normalized[i, j] * scale[j]


@reduction
def rms_norm_gradient(gradient, normalized, inverse, scale):
    size = scale.dtype.type(len(scale))
    for i in range(len(gradient)):
        along = ZERO(size)
        for j in range(len(scale)):
            gradient[i, j] *= scale[j]
            along += gradient[i, j] * normalized[i, j]
        along /= size
        for j in range(len(scale)):
            gradient[i, j] = (gradient[i, j] - normalized[i, j] * along) * inverse[i, 0]


def rms_norm_forward(layer: Any, dtype: np.dtype[Any]) -> Method:
    epsilon = dtype.type(layer.epsilon)

    def forward(context, x):
        if context.masks[0] is not None and x.ndim == 2:
            return layer.forward(context, x)
        rows = rows_of(x, x.shape[-1])
        normalized, y, inverse = (context.buffer(shape) for shape in (rows.shape, rows.shape, (len(rows), 1)))
        rms_norm(rows, context.params["scale"], epsilon, normalized, inverse, y)
        context.save(normalized, inverse, None)
        return y.reshape(x.shape)

    return forward


def rms_norm_backward(layer: Any, dtype: np.dtype[Any]) -> Method:
    def backward(context, gradient):
        normalized, inverse, shares = context.saved
        if shares is not None:
            return layer.backward(context, gradient)
        rows = rows_of(gradient, gradient.shape[-1])
        np.einsum("ij,ij->j", rows, normalized, out=context.grads["scale"])
        if not context.needs_input_gradient:
            return None
        rms_norm_gradient(rows, normalized, inverse, context.params["scale"])
        return rows.reshape(gradient.shape)

    return backward


@loop
def drop(x, factor, y, rate, scale):
    """Overwrites random numbers by what x is multiplied by."""
    for i in range(len(x)):
        kept = scale if factor[i] >= rate else ZERO(scale)
        factor[i] = kept
        y[i] = x[i] * kept


def dropout_forward(layer: Any, dtype: np.dtype[Any]) -> Method | None:
    if layer.rate == 0:
        return None
    rate, scale = dtype.type(layer.rate), dtype.type(1 / (1 - layer.rate))

    def forward(context, x):
        if not context.training:
            return layer.forward(context, x)
        factor, y = context.buffer(x.shape), context.buffer(x.shape)
        context.rng.random(dtype=dtype.type, out=factor)
        drop(np.ascontiguousarray(x).reshape(-1), factor.reshape(-1), y.reshape(-1), rate, scale)
        context.save(factor)
        return y

    return forward
