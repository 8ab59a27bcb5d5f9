"""Activations and their derivatives in one pass each.

relu and tanh have no `forward` here: one pass is what numpy makes of them too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from modnet.activations.gated import GELU_CUBIC, GELU_SCALE
from modnet.activations.rectified import SELU_ALPHA, SELU_SCALE
from modnet_numba.compiling import loop, reduction
from modnet_numba.mathematics import ONE, TWO, ZERO, constant, exp, expm1, log1p, logistic, normal_distribution
from modnet_numba.rows import exponentiate, subtract_highest

Maker = Callable[[Any, np.dtype[Any]], Callable[..., Any]]


def no_constants(activation: Any) -> tuple[float, ...]:
    return ()


def forward_by(function: Callable[..., None], constants: Callable[[Any], tuple[float, ...]] = no_constants) -> Maker:
    """The maker of a `forward` that has `function` write y for x, given constants of the configuration."""

    def maker(activation: Any, dtype: np.dtype[Any]) -> Callable[..., Any]:
        numbers = [dtype.type(number) for number in constants(activation)]

        def forward(context, x):
            # Never in place: a loop that writes where it reads is not compiled to vector instructions.
            x = np.ascontiguousarray(x)
            y = context.buffer(x.shape)
            function(x.reshape(-1), y.reshape(-1), *numbers)
            context.save(x if activation.needs_input else None, y)
            return y

        return forward

    return maker


def backward_by(slope: Callable[..., None], constants: Callable[[Any], tuple[float, ...]] = no_constants) -> Maker:
    """The maker of a `backward` that has `slope` multiply the gradient, given x where the activation needs it or y."""

    def maker(activation: Any, dtype: np.dtype[Any]) -> Callable[..., Any]:
        numbers = [dtype.type(number) for number in constants(activation)]

        def backward(context, gradient):
            x, y = context.saved
            gradient = np.ascontiguousarray(gradient)
            slope((x if activation.needs_input else y).reshape(-1), gradient.reshape(-1), *numbers)
            return gradient

        return backward

    return maker


@loop
def relu_slope(y, gradient):
    for i in range(len(y)):
        gradient[i] *= ONE(y[i]) if y[i] > ZERO(y[i]) else ZERO(y[i])


relu_backward = backward_by(relu_slope)


@loop
def leaky_relu(x, y, negative_slope):
    for i in range(len(x)):
        y[i] = x[i] if x[i] > ZERO(x[i]) else x[i] * negative_slope


@loop
def leaky_relu_slope(y, gradient, negative_slope):
    for i in range(len(y)):
        gradient[i] *= ONE(y[i]) if y[i] > ZERO(y[i]) else negative_slope


def leaky_relu_constants(activation: Any) -> tuple[float, ...]:
    return (activation.negative_slope,)


leaky_relu_forward = forward_by(leaky_relu, leaky_relu_constants)
leaky_relu_backward = backward_by(leaky_relu_slope, leaky_relu_constants)


@loop
def exponential_linear(x, y, scale, alpha):
    for i in range(len(x)):
        negative = ZERO(x[i]) if x[i] > ZERO(x[i]) else x[i]
        y[i] = scale * (x[i] if x[i] > ZERO(x[i]) else alpha * expm1(negative))


@loop
def exponential_linear_slope(y, gradient, scale, alpha):
    for i in range(len(y)):
        gradient[i] *= scale if y[i] > ZERO(y[i]) else y[i] + scale * alpha


def elu_constants(activation: Any) -> tuple[float, ...]:
    return (1.0, activation.alpha)


def selu_constants(activation: Any) -> tuple[float, ...]:
    return (SELU_SCALE, SELU_ALPHA)


elu_forward = forward_by(exponential_linear, elu_constants)
elu_backward = backward_by(exponential_linear_slope, elu_constants)
selu_forward = forward_by(exponential_linear, selu_constants)
selu_backward = backward_by(exponential_linear_slope, selu_constants)


@loop
def sigmoid(x, y):
    for i in range(len(x)):
        y[i] = logistic(x[i])


@loop
def sigmoid_slope(y, gradient):
    for i in range(len(y)):
        gradient[i] *= y[i] * (ONE(y[i]) - y[i])


sigmoid_forward = forward_by(sigmoid)
sigmoid_backward = backward_by(sigmoid_slope)


@loop
def tanh_slope(y, gradient):
    for i in range(len(y)):
        gradient[i] *= ONE(y[i]) - y[i] * y[i]


tanh_backward = backward_by(tanh_slope)


@loop
def softplus(x, y):
    for i in range(len(x)):
        y[i] = (ZERO(x[i]) if x[i] < ZERO(x[i]) else x[i]) + log1p(exp(-abs(x[i])))


@loop
def softplus_slope(y, gradient):
    for i in range(len(y)):
        gradient[i] *= -expm1(-y[i])


softplus_forward = forward_by(softplus)
softplus_backward = backward_by(softplus_slope)


@loop
def silu(x, y):
    for i in range(len(x)):
        y[i] = x[i] * logistic(x[i])


@loop
def silu_slope(x, gradient):
    for i in range(len(x)):
        gate = logistic(x[i])
        gradient[i] *= gate * (ONE(gate) + x[i] * (ONE(gate) - gate))


silu_forward = forward_by(silu)
silu_backward = backward_by(silu_slope)

SATURATED, FOUR = constant(20.0), constant(4.0)


@loop
def mish(x, y):
    for i in range(len(x)):
        e = exp(SATURATED(x[i]) if x[i] > SATURATED(x[i]) else x[i])
        n = e * (e + TWO(e))
        y[i] = x[i] * (n / (n + TWO(e)))


@loop
def mish_slope(x, gradient):
    for i in range(len(x)):
        e = exp(SATURATED(x[i]) if x[i] > SATURATED(x[i]) else x[i])
        n = e * (e + TWO(e)) + TWO(e)
        gradient[i] *= ONE(e) - TWO(e) / n + FOUR(e) * x[i] * (e * (e + ONE(e)) / n / n)


mish_forward = forward_by(mish)
mish_backward = backward_by(mish_slope)

CUBIC, SCALE, THREE_CUBIC = constant(GELU_CUBIC), constant(GELU_SCALE), constant(3 * GELU_CUBIC)


@loop
def exact_gelu(x, y):
    for i in range(len(x)):
        y[i] = x[i] * normal_distribution(x[i])[0]


@loop
def exact_gelu_slope(x, gradient):
    for i in range(len(x)):
        cumulative, density = normal_distribution(x[i])
        gradient[i] *= cumulative + density * x[i]


@loop
def tanh_gelu(x, y):
    for i in range(len(x)):
        z = x[i]
        y[i] = z * logistic((z * z * CUBIC(z) + ONE(z)) * z * SCALE(z))


@loop
def tanh_gelu_slope(x, gradient):
    for i in range(len(x)):
        z = x[i]
        gate = logistic((z * z * CUBIC(z) + ONE(z)) * z * SCALE(z))
        growth = (z * z * THREE_CUBIC(z) + ONE(z)) * SCALE(z)
        gradient[i] *= gate * (ONE(z) + z * (ONE(z) - gate) * growth)


def gelu_forward(gelu: Any, dtype: np.dtype[Any]) -> Callable[..., Any]:
    return forward_by(exact_gelu if gelu.form == "exact" else tanh_gelu)(gelu, dtype)


def gelu_backward(gelu: Any, dtype: np.dtype[Any]) -> Callable[..., Any]:
    return backward_by(exact_gelu_slope if gelu.form == "exact" else tanh_gelu_slope)(gelu, dtype)


@reduction
def softmax(x, y):
    subtract_highest(x, y)
    exponentiate(y.reshape(-1))
    for i in range(len(y)):
        total = ZERO(y[i, 0])
        for j in range(y.shape[1]):
            total += y[i, j]
        for j in range(y.shape[1]):
            y[i, j] /= total


@reduction
def softmax_slope(y, gradient):
    for i in range(len(y)):
        inner = ZERO(y[i, 0])
        for j in range(y.shape[1]):
            inner += gradient[i, j] * y[i, j]
        for j in range(y.shape[1]):
            gradient[i, j] = (gradient[i, j] - inner) * y[i, j]


def softmax_forward(activation: Any, dtype: np.dtype[Any]) -> Callable[..., Any]:
    def forward(context, x):
        x = np.ascontiguousarray(x)
        y = context.buffer(x.shape)
        softmax(x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]))
        context.save(None, y)
        return y

    return forward


def softmax_backward(activation: Any, dtype: np.dtype[Any]) -> Callable[..., Any]:
    def backward(context, gradient):
        _, y = context.saved
        gradient = np.ascontiguousarray(gradient)
        softmax_slope(y.reshape(-1, y.shape[-1]), gradient.reshape(-1, y.shape[-1]))
        return gradient

    return backward
