"""Optimizers that need a parameter as a whole: its norm, or its matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from modnet.arrays import Array, norm
from modnet.configuration.fields import field
from modnet.kinds.optimizer import Chunk, Step
from modnet.optimizers.adaptive import AdaptiveMoments
from modnet.optimizers.moments import accumulate, flush_subnormals, shrink


class LAMB(AdaptiveMoments, type="lamb"):
    """Adam's direction, with a length proportional to the norm of each parameter: for very large batches.

    u = m' / (sqrt(v') + epsilon) + lambda theta with m' and v' as in `adam`, and theta -= eta |theta| / |u| u, with the
    Euclidean norms of a whole parameter. If one of the norms is 0, as that of a new bias, the ratio is 1. Weight decay
    is part of u, and so of the ratio: a parameter with zero gradients shrinks by the factor 1 - eta, for any lambda.

    Source: You et al. 2020, arXiv:1904.00962, algorithm 2 with phi(z) = z, for every parameter; some implementations
    always use the ratio 1 for biases and norms. The default weight decay is that of the paper's experiments.
    """

    by_parameter: ClassVar[bool] = True

    epsilon: float = field(default=1e-6, above=0.0)
    weight_decay: float = field(default=0.01, minimum=0.0)

    def update(self, chunk: Chunk, step: Step) -> None:
        parameter = chunk.parameter
        change = self.adam_change(chunk, step, 1.0)
        if step.weight_decay:
            change += np.multiply(parameter, step.weight_decay, out=chunk.scratch[0])
        size, length = norm(parameter), norm(change)
        change *= step.learning_rate * (size / length if size and length else 1.0)
        parameter -= change


class Muon(AdaptiveMoments, type="muon"):
    """Orthogonalized momentum, with singular values near 1, for matrices; other parameters are trained as by `adamw`.

    M = momentum M + g, and B = g + momentum M with `nesterov`, else M. With B = U S V^T, O is an approximation of U V^T
    by `newton_schulz` steps of X = a X + (b X X^T + c (X X^T)^2) X, starting from X = B / |B|, and
    theta -= eta sqrt(max(1, columns / rows)) O. Weight decay is decoupled, as in `adamw`.

    A matrix is a parameter with two axes or more; all axes but the last are joined, so that the columns are the outputs
    of the layer. That includes embeddings and the last layer, which the source trains by adamw. Parameters with one
    axis (biases, norms) use `vector_learning_rate` times the factor of the schedule, beta1, beta2 and epsilon.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with its coefficients
    (3.4445, -4.7750, 2.0315), which bring singular values to between 0.7 and 1.2; rates and moments are those of its
    code. torch.optim.Muon is the same except for defaults and bfloat16.

    Attributes:
        momentum: how much of M is kept in each step.
        nesterov: whether B looks ahead along M.
        newton_schulz: how many steps bring the singular values near 1.
        vector_learning_rate: the rate of parameters with one axis.
    """

    by_parameter: ClassVar[bool] = True
    scratch: ClassVar[int] = 3

    learning_rate: float = field(default=0.02, above=0.0)
    momentum: float = field(default=0.95, minimum=0.0, below=1.0)
    nesterov: bool = True
    newton_schulz: int = field(default=5, minimum=1, maximum=99)
    vector_learning_rate: float = field(default=3e-4, minimum=0.0)
    beta2: float = field(default=0.95, minimum=0.0, below=1.0)
    epsilon: float = field(default=1e-10, above=0.0)

    def update(self, chunk: Chunk, step: Step) -> None:
        if chunk.parameter.ndim < 2:
            # The quotient is what schedule and node have multiplied the rate by; hence learning_rate > 0.
            rate = self.vector_learning_rate * (step.learning_rate / self.learning_rate)
            step = Step(step.number, rate, step.weight_decay)
            shrink(chunk, step)
            chunk.parameter -= self.adam_change(chunk, step, step.learning_rate)
            return
        # Only vectors use the second moment. For matrices its memory is never written to, so the system never provides
        # it.
        gradient, momentum = chunk.gradient, chunk.slots[0]
        flush_subnormals(step.number, [momentum])
        shrink(chunk, step)
        accumulate(momentum, self.momentum, gradient)
        if self.nesterov:
            gradient += np.multiply(momentum, self.momentum, out=chunk.scratch[0])
        else:
            np.copyto(gradient, momentum)
        matrix = gradient.reshape(-1, gradient.shape[-1])
        # The source keeps a mean, m = (1 - momentum) M. The scale matters only for SMALLEST_NORM, when |B| is near 0.
        orthogonalize(matrix, chunk.scratch, self.newton_schulz, 1 - self.momentum)
        rows, columns = matrix.shape
        gradient *= step.learning_rate * math.sqrt(max(1.0, columns / rows))
        chunk.parameter -= gradient


COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SMALLEST_NORM = 1e-7
"""A matrix with a smaller norm is divided by this instead, so that it stays small and noise is not amplified."""


def orthogonalize(matrix: Array, scratch: Sequence[Array], steps: int, factor: float = 1.0) -> None:
    """Brings all singular values of `factor` times a matrix near 1, in place: the Newton-Schulz iteration of `Muon`.

    Args:
        scratch: three arrays of the matrix's size.
    """
    a, b, c = COEFFICIENTS
    rows, columns = matrix.shape
    side = min(rows, columns)
    gram, square = (array.reshape(-1)[: side**2].reshape(side, side) for array in scratch[:2])
    product = scratch[2].reshape(matrix.shape)
    matrix *= factor / max(factor * norm(matrix), SMALLEST_NORM)
    for _ in range(steps):
        # The smaller of X X^T and X^T X gives the same result for less work, since (X X^T) X = X (X^T X).
        left, right = (matrix, matrix.T) if rows <= columns else (matrix.T, matrix)
        np.matmul(left, right, out=gram)
        np.matmul(gram, gram, out=square)
        square *= c
        gram *= b
        square += gram
        left, right = (square, matrix) if rows <= columns else (matrix, square)
        np.matmul(left, right, out=product)
        matrix *= a
        matrix += product
