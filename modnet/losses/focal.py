"""Focal losses: samples that are already classified well count less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.kinds.component import Example
from modnet.kinds.context import Context
from modnet.losses.classes import ClassLoss, exponentiate, shifted
from modnet.losses.elementwise import BinaryLoss, of_means
from modnet.losses.targets import SMALLEST_PROBABILITY, check_probabilities, converted, sample_means


class Focal(ClassLoss, type="focal"):
    """-sum(t * (1 - p)**gamma * log(p)) over the classes: cross-entropy, reduced where p is already high.

    With gamma = 0 it is `cross_entropy`, and it has the same shapes, options and errors: labels or rows of
    probabilities t, `label_smoothing`, and `class_weights`, which are the paper's alpha for each class.

    Source: Lin et al. 2017, arXiv:1708.02002, equation 4, with softmax instead of sigmoid; `binary_focal` is the form
    of the paper.

    Attributes:
        gamma: how much the loss of samples that are right already is reduced; 0 for not at all.

    Raises:
        DataError: for labels that are not classes, or rows or predictions that are not probabilities.
    """

    ending = "end the network with softmax; if a sample can have several labels, use sigmoid and binary_focal"

    gamma: float = field(default=2.0, minimum=0.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (*super().examples(), Example(cls(gamma=0.5), ((3,), ())))

    def measure(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array | None]:
        coefficients = self.coefficients(context, prediction, target)
        check_probabilities(self, prediction)
        p = np.maximum(prediction, SMALLEST_PROBABILITY, out=context.buffer(prediction.shape))
        rest = np.subtract(1, prediction, out=context.buffer(prediction.shape))
        logarithm = np.log(p, out=context.buffer(p.shape))
        values, slope = self._weighted_terms(context, coefficients, p, rest, logarithm)
        return values, np.divide(slope, p, out=slope)

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array | None]:
        coefficients = self.coefficients(context, logits, target)
        logarithm = shifted(context, logits)
        p = context.buffer(logits.shape)
        np.copyto(p, logarithm)
        total = exponentiate(context, p)
        p /= total[..., None]
        logarithm -= np.log(total, out=total)[..., None]
        # 1 - p = -expm1(log(p)) keeps its digits where p is near 1; the plain difference would round to 0.
        rest = np.expm1(logarithm, out=context.buffer(logits.shape))
        values, slope = self._weighted_terms(context, coefficients, p, np.negative(rest, out=rest), logarithm)
        if not context.needs_input_gradient:
            return values, None
        # From log(p) to logits: d/dz_k = s_k - p_k * sum(s), the transposed Jacobian of log-softmax.
        p *= np.add.reduce(slope, axis=-1, keepdims=True, out=context.buffer((*logits.shape[:-1], 1)))
        return values, np.subtract(slope, p, out=slope)

    def _weighted_terms(
        self, context: Context, coefficients: Array, p: Array, rest: Array, logarithm: Array
    ) -> tuple[Array, Array]:
        """The value of each sample, and the derivative of all terms with respect to log(p).

        The derivative of c (1 - p)^gamma log(p) is c (1 - p)^gamma (1 - gamma p log(p) / (1 - p)). `rest` is 1 - p; it
        and `coefficients` are overwritten.
        """
        np.maximum(rest, SMALLEST_PROBABILITY, out=rest)
        slope = np.multiply(p, logarithm, out=context.buffer(p.shape))
        slope /= rest
        slope *= self.gamma
        slope -= 1
        coefficients *= np.power(rest, self.gamma, out=rest)
        slope *= coefficients
        coefficients *= logarithm
        axes = tuple(range(1, p.ndim))
        values = np.add.reduce(coefficients, axis=axes, out=context.buffer(p.shape[:1]))
        return np.negative(values, out=values), slope


class BinaryFocal(BinaryLoss, type="binary_focal"):
    """-alpha * t * (1 - p)**gamma * log(p) - (1 - alpha) * (1 - t) * p**gamma * log(1 - p), for targets t in [0, 1].

    Binary cross-entropy, reduced where the prediction p is already right. Shapes: prediction (batch, ...); target
    the same, or without a last axis of 1. Several outputs are several labels, each present or absent. A p or
    1 - p below 1e-30 counts as 1e-30, in the gradient too.

    `class_weights`, for one output, are those of `cross_entropy`.

    Without `alpha` (None) neither class has a factor, and gamma = 0 gives `binary_cross_entropy`. The defaults are the
    best values of the paper. Its alpha is below 1/2, although positives are rare, because gamma = 2 already reduces the
    many easy negatives.

    Source: Lin et al. 2017, arXiv:1708.02002, equation 5; torchvision's sigmoid_focal_loss.

    Attributes:
        gamma: how much the loss of samples that are right already is reduced; 0 for not at all.
        alpha: the factor of the positives; the negatives have 1 - alpha.

    Raises:
        DataError: for a prediction or a target outside [0, 1].
    """

    ending = "end the network with sigmoid; if the classes exclude each other, use softmax and focal"

    gamma: float = field(default=2.0, minimum=0.0)
    alpha: float | None = field(default=0.25, minimum=0.0, maximum=1.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((3,), (3,))), Example(cls(gamma=0.5, alpha=None), ((1,), ())))

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        check_probabilities(self, prediction)
        self.check_targets(target.shape[1:], target)
        p = np.maximum(prediction, SMALLEST_PROBABILITY, out=context.buffer(prediction.shape))
        q = np.subtract(1, prediction, out=context.buffer(prediction.shape))
        np.maximum(q, SMALLEST_PROBABILITY, out=q)
        positive, negative = ((side, np.log(side, out=context.buffer(side.shape))) for side in (p, q))
        loss, slope = self._sides(context, target, positive, negative)
        slope /= np.multiply(p, q, out=p)  # from the logit to p: dp/dz = p (1 - p)
        return loss, slope

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array | None]:
        target = converted(context, target, logits)
        self.check_targets(target.shape[1:], target)
        # log(sigmoid(z)) = -log(1 + exp(-z)), in a form that does not overflow; log(1 - sigmoid(z)) is that of -z.
        opposite = np.negative(logits, out=context.buffer(logits.shape))
        logarithms = [np.logaddexp(0, z, out=context.buffer(z.shape)) for z in (opposite, logits)]
        positive, negative = (
            (np.exp(np.negative(each, out=each), out=context.buffer(each.shape)), each) for each in logarithms
        )
        loss, slope = self._sides(context, target, positive, negative)
        return sample_means(loss, context.buffer(loss.shape[:1])), of_means(slope)

    def _sides(
        self, context: Context, target: Array, positive: tuple[Array, Array], negative: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """The loss of each element and its derivative with respect to the logit.

        Args:
            positive, negative: the probability of each side, and its logarithm.
        """
        other, weight = self.sides()
        if self.alpha is not None:
            weight, other = weight * self.alpha, other * (1 - self.alpha)
        of_positive = np.multiply(target, weight, out=context.buffer(target.shape))
        of_negative = np.subtract(1, target, out=context.buffer(target.shape))
        of_negative *= other
        loss, slope = self._term(context, *positive, negative[0], of_positive)
        opposite_loss, opposite_slope = self._term(context, *negative, positive[0], of_negative)
        loss += opposite_loss
        slope -= opposite_slope
        return loss, slope

    def _term(self, context: Context, p: Array, logarithm: Array, q: Array, weight: Array) -> tuple[Array, Array]:
        """-w q^gamma log(p), and w q^gamma (gamma p log(p) - q), its derivative with respect to the logit of p."""
        factor = np.power(q, self.gamma, out=context.buffer(q.shape))
        factor *= weight
        slope = np.multiply(p, logarithm, out=context.buffer(p.shape))
        slope *= self.gamma
        slope -= q
        slope *= factor
        factor *= logarithm
        return np.negative(factor, out=factor), slope
