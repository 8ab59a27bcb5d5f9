"""Optimizers that step along the gradient, or along its signs."""

from __future__ import annotations

import numpy as np

from modnet.configuration.fields import field
from modnet.kinds.optimizer import Chunk, Optimizer, Step
from modnet.optimizers.moments import accumulate, add_l2, flush_subnormals, negligible, shrink


class SGD(Optimizer, type="sgd"):
    """Stochastic gradient descent, with optional momentum: theta -= eta v.

    v = momentum v + (1 - dampening) g, and v = g in the first step. With `nesterov`, theta -= eta (g + momentum v).
    Weight decay is L2: lambda theta is added to g.

    The velocity is not scaled by the learning rate, so that a change of the rate applies at once to all of it (as in
    torch; in Sutskever et al. 2013 and Keras the rate is part of the velocity, which makes a difference while the rate
    changes). The default learning rate is that of Keras, 0.01; torch's is 0.001.

    Attributes:
        momentum: how much of the velocity is kept in each step.
        dampening: the share of a gradient that is left out of the velocity.
        nesterov: whether the step looks ahead along the velocity.
    """

    learning_rate: float = field(default=0.01, minimum=0.0)
    momentum: float = field(default=0.0, minimum=0.0, below=1.0)
    dampening: float = field(default=0.0, minimum=0.0, below=1.0)
    nesterov: bool = False

    def check(self) -> None:
        super().check()
        if self.nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise ValueError(
                "nesterov needs momentum > 0 and dampening = 0, "
                f"found momentum = {self.momentum:g} and dampening = {self.dampening:g}"
            )
        if self.dampening and not self.momentum:
            raise ValueError(f"dampening = {self.dampening:g} has no effect without momentum; set momentum > 0")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def update(self, chunk: Chunk, step: Step) -> None:
        parameter, gradient = chunk.parameter, chunk.gradient
        if not self.momentum:
            # Without momentum L2 and decoupled decay are the same, and `shrink` needs no scratch array.
            shrink(chunk, step)
            gradient *= step.learning_rate
            parameter -= gradient
            return
        flush_subnormals(step.number, chunk.slots)
        add_l2(chunk, step)
        velocity = chunk.slots[0]
        if self.dampening and step.number > 1:
            gradient *= 1 - self.dampening
        accumulate(velocity, self.momentum, gradient)
        if self.nesterov:
            np.multiply(velocity, self.momentum, out=chunk.scratch[0])
            gradient += chunk.scratch[0]
            gradient *= step.learning_rate
        else:
            np.multiply(velocity, step.learning_rate, out=gradient)
        parameter -= gradient


class Lion(Optimizer, type="lion"):
    """Steps of equal size in every element: theta -= eta (sign(beta1 m + (1 - beta1) g) + lambda theta).

    After that, m = beta2 m + (1 - beta2) g. The sign of 0 is 0; for a magnitude below 1e-34 (in float32) it is between
    0 and 1. Weight decay is decoupled, as in `adamw`. The authors recommend a learning rate 3 to 10 times smaller than
    for `adamw`, and a weight decay larger by the same factor.

    Source: Chen et al. 2023, arXiv:2302.06675, algorithm 2.

    Attributes:
        beta1: the share of m in the direction of a step.
        beta2: how much of m is kept in each step.
    """

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment",)

    learning_rate: float = field(default=1e-4, minimum=0.0)
    beta1: float = field(default=0.9, minimum=0.0, below=1.0)
    beta2: float = field(default=0.99, minimum=0.0, below=1.0)

    def update(self, chunk: Chunk, step: Step) -> None:
        parameter, gradient = chunk.parameter, chunk.gradient
        flush_subnormals(step.number, chunk.slots)
        shrink(chunk, step)
        first = chunk.slots[0]
        # Both moments without their factor (1 - beta): a positive factor does not change the sign of the sum.
        change = np.multiply(first, self.beta1 * (1 - self.beta2) / (1 - self.beta1), out=chunk.scratch[0])
        change += gradient
        smallest = negligible(change.dtype)  # clipping is several times faster than np.sign
        np.clip(change, -smallest, smallest, out=change)
        change *= step.learning_rate / smallest
        parameter -= change
        accumulate(first, self.beta2, gradient)
