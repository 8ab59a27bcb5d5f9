"""Steps that take a parameter as a whole: by its norm, or as a matrix."""

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
    """Adam's direction, as long for each parameter as the parameter itself: for very large batches.

    u = m' / (sqrt(v') + epsilon) + lambda theta with m' and v' as in `adam`, and theta -= eta |theta| / |u| u, with the
    Euclidean norms of a whole parameter. Where one of the norms is 0, as that of a new bias, the ratio is 1. Weight
    decay is part of u, so the ratio covers it: a parameter of which only the decay is left shrinks by eta, whatever
    lambda is.

    Source: You et al. 2020, arXiv:1904.00962, algorithm 2 with phi(z) = z, for every parameter; some programs give
    biases and norms the ratio 1 throughout. The default weight decay is that of the paper's experiments.
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
    """Momentum whose singular values are all made about 1; for matrices. Other parameters are trained as by `adamw`.

    M = momentum M + g, and B = g + momentum M with `nesterov`, else M. Then O = U V^T, nearly, of B = U S V^T, by
    `newton_schulz` steps of X = a X + (b X X^T + c (X X^T)^2) X from X = B / |B|, and
    theta -= eta sqrt(max(1, columns / rows)) O. Weight decay is decoupled, as in `adamw`.

    A matrix is a parameter with two axes or more: of more, all but the last are one, so that the columns are what the
    layer gives. That includes embeddings and the last layer, which the source leaves to adamw.
    Parameters with one axis (biases, norms) have `vector_learning_rate`, beta1, beta2 and epsilon, and the schedule's
    factor.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with its coefficients
    (3.4445, -4.7750, 2.0315), after which singular values lie between 0.7 and 1.2; rates and moments are those of its
    code. torch.optim.Muon is the same but for defaults and bfloat16.
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
            rate = self.vector_learning_rate * (step.learning_rate / self.learning_rate)
            step = Step(step.number, rate, step.weight_decay)
            shrink(chunk, step)
            chunk.parameter -= self.adam_change(chunk, step, step.learning_rate)
            return
        # The second moment is only there for vectors; its memory is not taken before something is written to it.
        gradient, momentum = chunk.gradient, chunk.slots[0]
        flush_subnormals(step.number, [momentum])
        shrink(chunk, step)
        accumulate(momentum, self.momentum, gradient)
        if self.nesterov:
            gradient += np.multiply(momentum, self.momentum, out=chunk.scratch[0])
        else:
            np.copyto(gradient, momentum)
        matrix = gradient.reshape(-1, gradient.shape[-1])
        # The source's momentum is a mean, smaller by this factor; only the limit for a norm of nearly 0 feels it.
        orthogonalize(matrix, chunk.scratch, self.newton_schulz, 1 - self.momentum)
        rows, columns = matrix.shape
        gradient *= step.learning_rate * math.sqrt(max(1.0, columns / rows))
        chunk.parameter -= gradient


COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SMALLEST_NORM = 1e-7
"""A matrix with a smaller norm is divided by this: it comes out small, not as noise made large."""


def orthogonalize(matrix: Array, scratch: Sequence[Array], steps: int, factor: float = 1.0) -> None:
    """Moves all singular values of `factor` times a matrix near to 1, in place: the Newton-Schulz iteration of `Muon`.

    Args:
        scratch: three arrays with as many elements as the matrix.
    """
    a, b, c = COEFFICIENTS
    rows, columns = matrix.shape
    side = min(rows, columns)
    gram, square = (array.reshape(-1)[: side**2].reshape(side, side) for array in scratch[:2])
    product = scratch[2].reshape(matrix.shape)
    matrix *= factor / max(factor * norm(matrix), SMALLEST_NORM)
    for _ in range(steps):
        # Of X X^T and X^T X the smaller one: X (X^T X) is (X X^T) X.
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
