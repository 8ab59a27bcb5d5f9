"""Optimizers that divide the step of each element by the size of its own gradients."""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.kinds.optimizer import Chunk, Optimizer, Step
from modnet.optimizers.moments import accumulate, add_l2, flush_subnormals, shrink


class AdaptiveMoments(Optimizer):
    """The base of Adam and its relatives: their fields, and moments M and V of the gradient and of its square.

    Attributes:
        beta1: how much of the mean of the gradient is kept in each step.
        beta2: how much of the mean of its square is kept in each step.
        epsilon: is added to the root, so that nothing is divided by zero.
    """

    @property
    def slots(self) -> tuple[str, ...]:
        return ("first_moment", "second_moment")

    beta1: float = field(default=0.9, minimum=0.0, below=1.0)
    beta2: float = field(default=0.999, minimum=0.0, below=1.0)
    epsilon: float = field(default=1e-8, above=0.0)

    def root_factor(self, step: int) -> float:
        """The factor c of the bias-corrected root of the second moment, c sqrt(V)."""
        return math.sqrt((1 - self.beta2) / (1 - self.beta2**step))

    def adam_change(self, chunk: Chunk, step: Step, rate: float) -> Array:
        """rate m' / (sqrt(v') + epsilon) of `Adam`, ten passes with the subtraction; overwrites the gradient.

        With c the root factor, sqrt(v') = c sqrt(V), so the quotient is M / (sqrt(V) + epsilon / c), times a number.
        """
        gradient, (first, second) = chunk.gradient, chunk.slots
        flush_subnormals(step.number, chunk.slots)
        accumulate(first, self.beta1, gradient)
        np.square(gradient, out=gradient)
        accumulate(second, self.beta2, gradient)
        root_factor = self.root_factor(step.number)
        change = np.sqrt(second, out=gradient)
        change += self.epsilon / root_factor
        np.divide(first, change, out=change)
        change *= rate * (1 - self.beta1) / (1 - self.beta1**step.number) / root_factor
        return change


class Adam(AdaptiveMoments, type="adam"):
    """Adaptive moments: theta -= eta m' / (sqrt(v') + epsilon).

    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, and m' = m / (1 - beta1^t), v' = v / (1 - beta2^t) undo
    their start from zero. Weight decay is L2: lambda theta is added to g, so it is scaled by sqrt(v') too; `adamw`
    does not do that.

    Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1. (Keras adds epsilon before the bias correction.)
    """

    def update(self, chunk: Chunk, step: Step) -> None:
        add_l2(chunk, step)
        chunk.parameter -= self.adam_change(chunk, step, step.learning_rate)


class AdamW(AdaptiveMoments, type="adamw"):
    """Adam with decoupled weight decay: theta -= eta lambda theta first, then the step of `adam`, whose g has no decay.

    Source: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2. As in torch, the decay is multiplied by the
    learning rate; in the paper it is multiplied only by the factor of the schedule.
    """

    scratch: ClassVar[int] = 0

    weight_decay: float = field(default=0.01, minimum=0.0)

    def update(self, chunk: Chunk, step: Step) -> None:
        shrink(chunk, step)
        chunk.parameter -= self.adam_change(chunk, step, step.learning_rate)


class NAdam(AdaptiveMoments, type="nadam"):
    """Adam with Nesterov momentum that warms up.

    theta -= eta (a g + b m) / (sqrt(v') + epsilon) with m, v, v' as in `adam`, a = (1 - mu_t) / (1 - mu_1 ... mu_t),
    b = mu_{t+1} / (1 - mu_1 ... mu_{t+1}) and mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2). Weight decay is L2:
    lambda theta is added to g.

    Source: Dozat 2016, "Incorporating Nesterov momentum into Adam"; this variant, with m = beta1 m + (1 - beta1) g
    where the report has mu_t, is that of torch.

    Attributes:
        momentum_decay: how fast the momentum rises from beta1 / 2 to beta1.
    """

    learning_rate: float = field(default=2e-3, minimum=0.0)
    momentum_decay: float = field(default=4e-3, minimum=0.0)

    def update(self, chunk: Chunk, step: Step) -> None:
        gradient, scratch = chunk.gradient, chunk.scratch
        flush_subnormals(step.number, chunk.slots)
        add_l2(chunk, step)
        first, second = chunk.slots
        accumulate(first, self.beta1, gradient)
        square = np.square(gradient, out=scratch[0])
        accumulate(second, self.beta2, square)

        mu, mu_next = (nadam_momentum(self.beta1, self.momentum_decay, t) for t in (step.number, step.number + 1))
        product = nadam_momentum_product(self.beta1, self.momentum_decay, step.number)
        of_gradient = (1 - mu) / (1 - product)
        of_first = (1 - self.beta1) * mu_next / (1 - product * mu_next)
        root_factor = self.root_factor(step.number)

        gradient += np.multiply(first, of_first / of_gradient, out=scratch[0])
        root = np.sqrt(second, out=scratch[0])
        root += self.epsilon / root_factor
        gradient /= root
        gradient *= step.learning_rate * of_gradient / root_factor
        chunk.parameter -= gradient


def nadam_momentum(beta1: float, momentum_decay: float, step: int) -> float:
    """mu_t of `NAdam`."""
    return beta1 * (1 - 0.5 * math.pow(0.96, step * momentum_decay))


@functools.lru_cache(maxsize=16)  # all chunks of a step need the same one
def nadam_momentum_product(beta1: float, momentum_decay: float, step: int) -> float:
    """mu_1 ... mu_t of `NAdam`, as exactly as it matters: below 1e-18 it no longer changes 1 - product.

    Computed again for each step: as a running product it would be a state that checkpoints have to keep.
    """
    product = 1.0
    for t in range(1, step + 1):
        product *= nadam_momentum(beta1, momentum_decay, t)
        if product < 1e-18:
            break
    return product


class RMSProp(Optimizer, type="rmsprop"):
    """Gradient over its running root mean square: theta -= eta g / (sqrt(v) + epsilon).

    v = smoothing v + (1 - smoothing) g^2. With `centered`, the square of the running mean of g is subtracted from v,
    which makes it a variance; if rounding makes that negative, it counts as 0 (torch gives nan). With `momentum`,
    b = momentum b + g / (sqrt(v) + epsilon) and theta -= eta b. Weight decay is L2: lambda theta is added to g.

    Source: Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning"; centered: Graves 2013,
    arXiv:1308.0850, equations 38 to 45, where epsilon is inside the root.

    Attributes:
        smoothing: how much of the mean of the square is kept in each step.
        epsilon: is added to the root, so that nothing is divided by zero.
        momentum: how much of the last step is added to the next one.
        centered: whether the square of the mean gradient is subtracted from v.
    """

    learning_rate: float = field(default=0.01, minimum=0.0)
    smoothing: float = field(default=0.99, minimum=0.0, below=1.0)
    epsilon: float = field(default=1e-8, above=0.0)
    momentum: float = field(default=0.0, minimum=0.0, below=1.0)
    centered: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        first = ("first_moment",) if self.centered else ()
        velocity = ("velocity",) if self.momentum else ()
        return ("second_moment", *first, *velocity)

    def update(self, chunk: Chunk, step: Step) -> None:
        gradient, scratch = chunk.gradient, chunk.scratch
        flush_subnormals(step.number, chunk.slots)
        add_l2(chunk, step)
        second = chunk.slots[0]
        square = np.square(gradient, out=scratch[0])
        accumulate(second, self.smoothing, square)
        if self.centered:
            first = chunk.slots[1]
            accumulate(first, self.smoothing, gradient)
            # With a = 1 - smoothing, v = a V and m = a M, so v - m^2 = a (V - a M^2); sqrt(a) is in `root_factor`.
            root = np.square(first, out=scratch[0])
            root *= 1 - self.smoothing
            np.subtract(second, root, out=root)
            np.maximum(root, 0.0, out=root)
            np.sqrt(root, out=root)
        else:
            root = np.sqrt(second, out=scratch[0])
        root_factor = math.sqrt(1 - self.smoothing)
        root += self.epsilon / root_factor
        gradient /= root
        if self.momentum:
            velocity = chunk.slots[-1]
            accumulate(velocity, self.momentum, gradient)
            np.multiply(velocity, step.learning_rate / root_factor, out=gradient)
        else:
            gradient *= step.learning_rate / root_factor
        chunk.parameter -= gradient


class AdaGrad(Optimizer, type="adagrad"):
    """Gradient over the root of the sum of its squares so far: theta -= eta g / (sqrt(s) + epsilon), s = s + g^2.

    Weight decay is L2: lambda theta is added to g.

    Source: Duchi, Hazan and Singer 2011, "Adaptive subgradient methods", the diagonal form. (Keras starts with s = 0.1,
    not 0.)

    Attributes:
        epsilon: is added to the root, so that nothing is divided by zero.
    """

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sum_of_squares",)

    learning_rate: float = field(default=0.01, minimum=0.0)
    epsilon: float = field(default=1e-10, above=0.0)

    def update(self, chunk: Chunk, step: Step) -> None:
        gradient, scratch = chunk.gradient, chunk.scratch
        add_l2(chunk, step)
        sum_of_squares = chunk.slots[0]
        sum_of_squares += np.square(gradient, out=scratch[0])
        root = np.sqrt(sum_of_squares, out=scratch[0])
        root += self.epsilon
        gradient /= root
        gradient *= step.learning_rate
        chunk.parameter -= gradient
