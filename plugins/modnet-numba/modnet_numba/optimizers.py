"""Optimizer steps in one pass over the parameters. Names and equations are those of `modnet.optimizers`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from modnet.optimizers.adaptive import nadam_momentum, nadam_momentum_product
from modnet.optimizers.moments import negligible
from modnet_numba.compiling import inlined, loop
from modnet_numba.mathematics import ONE, ZERO, constant

Update = Callable[..., None]


def whole(update: Update) -> Update:
    """Marks an update that takes all parameters at once: in one pass nothing is gained by chunks."""
    update.whole = True  # type: ignore[attr-defined]
    return update


ROUNDER = constant(*(negligible(np.dtype(d)) / float(np.finfo(d).eps) for d in (np.float32, np.float64)))


@inlined
def normal(moment):
    """What `flush_subnormals` makes of a moment. In a loop that waits for memory it costs nothing at every step."""
    return (moment + ROUNDER(moment)) - ROUNDER(moment)


@loop
def sgd_step(parameter, gradient, rate, keep):
    for i in range(len(parameter)):
        parameter[i] = keep * parameter[i] - rate * gradient[i]


@loop
def momentum_step(parameter, gradient, velocity, momentum, undamped, nesterov, rate, decay):
    for i in range(len(parameter)):
        g = undamped * (gradient[i] + decay * parameter[i])
        v = normal(momentum * velocity[i] + g)
        velocity[i] = v
        parameter[i] -= rate * (g + momentum * v if nesterov else v)


def sgd(optimizer: Any, dtype: np.dtype[Any]) -> Update:
    real = dtype.type

    @whole
    def plain(chunk, step):
        keep = 1 - step.learning_rate * step.weight_decay
        sgd_step(chunk.parameter, chunk.gradient, real(step.learning_rate), real(keep))

    @whole
    def with_momentum(chunk, step):
        undamped = 1 - optimizer.dampening if step.number > 1 else 1
        numbers = (real(optimizer.momentum), real(undamped), optimizer.nesterov)
        rates = (real(step.learning_rate), real(step.weight_decay))
        momentum_step(chunk.parameter, chunk.gradient, chunk.slots[0], *numbers, *rates)

    return with_momentum if optimizer.momentum else plain


@loop
def adam_step(parameter, gradient, first, second, beta1, beta2, epsilon, rate, decay, keep):
    for i in range(len(parameter)):
        g = gradient[i] + decay * parameter[i]
        m = normal(beta1 * first[i] + g)
        v = normal(beta2 * second[i] + g * g)
        first[i] = m
        second[i] = v
        parameter[i] = keep * parameter[i] - rate * m / (math.sqrt(v) + epsilon)


def adam(optimizer: Any, dtype: np.dtype[Any], decoupled: bool = False) -> Update:
    real = dtype.type

    @whole
    def update(chunk, step):
        root_factor = optimizer.root_factor(step.number)
        rate = step.learning_rate * (1 - optimizer.beta1) / (1 - optimizer.beta1**step.number) / root_factor
        numbers = (optimizer.beta1, optimizer.beta2, optimizer.epsilon / root_factor, rate)
        decay = (0.0, 1 - step.learning_rate * step.weight_decay) if decoupled else (step.weight_decay, 1.0)
        adam_step(chunk.parameter, chunk.gradient, *chunk.slots, *map(real, numbers), *map(real, decay))

    return update


def adamw(optimizer: Any, dtype: np.dtype[Any]) -> Update:
    return adam(optimizer, dtype, decoupled=True)


@loop
def nadam_step(parameter, gradient, first, second, beta1, beta2, of_first, epsilon, rate, decay):
    for i in range(len(parameter)):
        g = gradient[i] + decay * parameter[i]
        m = normal(beta1 * first[i] + g)
        v = normal(beta2 * second[i] + g * g)
        first[i] = m
        second[i] = v
        parameter[i] -= rate * (g + of_first * m) / (math.sqrt(v) + epsilon)


def nadam(optimizer: Any, dtype: np.dtype[Any]) -> Update:
    real = dtype.type

    @whole
    def update(chunk, step):
        beta1, momentum_decay = optimizer.beta1, optimizer.momentum_decay
        mu, mu_next = (nadam_momentum(beta1, momentum_decay, t) for t in (step.number, step.number + 1))
        product = nadam_momentum_product(beta1, momentum_decay, step.number)
        of_gradient = (1 - mu) / (1 - product)
        of_first = (1 - beta1) * mu_next / (1 - product * mu_next)
        root_factor = optimizer.root_factor(step.number)
        epsilon, rate = optimizer.epsilon / root_factor, step.learning_rate * of_gradient / root_factor
        numbers = (beta1, optimizer.beta2, of_first / of_gradient, epsilon, rate, step.weight_decay)
        nadam_step(chunk.parameter, chunk.gradient, *chunk.slots, *map(real, numbers))

    return update


@loop
def rmsprop_step(parameter, gradient, second, first, velocity, smoothing, variance, momentum, epsilon, rate, decay):
    """`first` and `velocity` are empty where the optimizer is not centered, or has no momentum."""
    centered, moving = len(first) > 0, len(velocity) > 0
    for i in range(len(parameter)):
        g = gradient[i] + decay * parameter[i]
        v = normal(smoothing * second[i] + g * g)
        second[i] = v
        if centered:
            m = normal(smoothing * first[i] + g)
            first[i] = m
            v -= variance * m * m
            v = ZERO(v) if v < ZERO(v) else v
        change = g / (math.sqrt(v) + epsilon)
        if moving:
            change = normal(momentum * velocity[i] + change)
            velocity[i] = change
        parameter[i] -= rate * change


def rmsprop(optimizer: Any, dtype: np.dtype[Any]) -> Update:
    real = dtype.type
    root_factor = math.sqrt(1 - optimizer.smoothing)
    numbers = (optimizer.smoothing, 1 - optimizer.smoothing, optimizer.momentum, optimizer.epsilon / root_factor)

    @whole
    def update(chunk, step):
        nothing = chunk.parameter[:0]
        first = chunk.slots[1] if optimizer.centered else nothing
        velocity = chunk.slots[-1] if optimizer.momentum else nothing
        rest = (step.learning_rate / root_factor, step.weight_decay)
        rmsprop_step(chunk.parameter, chunk.gradient, chunk.slots[0], first, velocity, *map(real, (*numbers, *rest)))

    return update


@loop
def adagrad_step(parameter, gradient, sum_of_squares, epsilon, rate, decay):
    for i in range(len(parameter)):
        g = gradient[i] + decay * parameter[i]
        s = normal(sum_of_squares[i] + g * g)
        sum_of_squares[i] = s
        parameter[i] -= rate * g / (math.sqrt(s) + epsilon)


def adagrad(optimizer: Any, dtype: np.dtype[Any]) -> Update:
    real = dtype.type

    @whole
    def update(chunk, step):
        numbers = (optimizer.epsilon, step.learning_rate, step.weight_decay)
        adagrad_step(chunk.parameter, chunk.gradient, *chunk.slots, *map(real, numbers))

    return update


@loop
def lion_step(parameter, gradient, first, of_first, beta2, smallest, rate, keep):
    for i in range(len(parameter)):
        g = gradient[i]
        change = (of_first * first[i] + g) / smallest
        change = -ONE(change) if change < -ONE(change) else change
        change = ONE(change) if change > ONE(change) else change
        first[i] = normal(beta2 * first[i] + g)
        parameter[i] = keep * parameter[i] - rate * change


def lion(optimizer: Any, dtype: np.dtype[Any]) -> Update:
    of_first = optimizer.beta1 * (1 - optimizer.beta2) / (1 - optimizer.beta1)
    numbers = (of_first, optimizer.beta2, negligible(dtype))

    @whole
    def update(chunk, step):
        rest = (step.learning_rate, 1 - step.learning_rate * step.weight_decay)
        lion_step(chunk.parameter, chunk.gradient, *chunk.slots, *map(dtype.type, (*numbers, *rest)))

    return update
