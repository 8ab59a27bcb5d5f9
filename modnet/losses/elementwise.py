"""Losses that are computed element by element."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from modnet.component import Array, Loss, Shape, field
from modnet.errors import DataError
from modnet.losses.targets import (
    SMALLEST_PROBABILITY,
    check_arrays,
    check_probabilities,
    check_range,
    first_of,
    sample_means,
)

if TYPE_CHECKING:
    from modnet.context import Context


class ElementwiseLoss(Loss):
    """A loss that is computed element by element; a sample's value is the mean over its elements.

    It gives `function` and `derivative`, which see a target of the prediction's shape and dtype.
    """

    def function(self, prediction: Array, target: Array) -> Array:
        """The loss of each element, as a new array."""
        raise NotImplementedError

    def derivative(self, prediction: Array, target: Array) -> Array:
        """The derivative of each element's loss with respect to its prediction, as a new array."""
        raise NotImplementedError

    def values(self, prediction: Array, target: Array) -> Array:
        return sample_means(self.function(prediction, self._matched(prediction, target)))

    def gradient(self, prediction: Array, target: Array) -> Array:
        slope = self.derivative(prediction, self._matched(prediction, target))
        slope /= math.prod(prediction.shape[1:])
        return slope

    def _matched(self, prediction: Array, target: Array) -> Array:
        check_arrays(self, prediction, target)
        return target.reshape(prediction.shape).astype(prediction.dtype, copy=False)


class MeanSquaredError(ElementwiseLoss, type="mse"):
    """(prediction - target)**2, without the half that some textbooks put before it.

    Shapes: prediction and target alike, (batch, ...).
    """

    def function(self, prediction: Array, target: Array) -> Array:
        residual: Array = prediction - target
        return np.square(residual, out=residual)

    def derivative(self, prediction: Array, target: Array) -> Array:
        residual: Array = prediction - target
        return np.multiply(residual, 2, out=residual)


class MeanAbsoluteError(ElementwiseLoss, type="mae"):
    """abs(prediction - target). The derivative at 0 is taken as 0.

    Shapes: prediction and target alike, (batch, ...).
    """

    def function(self, prediction: Array, target: Array) -> Array:
        residual: Array = prediction - target
        return np.abs(residual, out=residual)

    def derivative(self, prediction: Array, target: Array) -> Array:
        residual: Array = prediction - target
        return np.sign(residual, out=residual)


class Huber(ElementwiseLoss, type="huber"):
    """r**2 / 2 for a small residual r = prediction - target, delta * (abs(r) - delta / 2) where abs(r) > delta.

    Shapes: prediction and target alike, (batch, ...). Source: Huber 1964, Annals of Mathematical Statistics 35 (1).
    This is torch's huber_loss; its smooth_l1_loss is this one divided by delta.
    """

    delta: float = field(default=1.0, above=0.0)

    def function(self, prediction: Array, target: Array) -> Array:
        residual: Array = prediction - target
        clipped: Array = np.clip(residual, -self.delta, self.delta)
        # Both branches at once: clipped is r in the quadratic part and delta * sign(r) in the linear one.
        residual -= clipped / 2
        clipped *= residual
        return clipped

    def derivative(self, prediction: Array, target: Array) -> Array:
        residual: Array = prediction - target
        np.clip(residual, -self.delta, self.delta, out=residual)
        return residual


class Poisson(ElementwiseLoss, type="poisson"):
    """prediction - target * log(prediction + 1e-8): minus the log likelihood of counts, whose rate is predicted.

    The term log(target!), which does not depend on the prediction, is left out. This is torch's poisson_nll_loss with
    log_input=False. Shapes: prediction and target alike, (batch, ...).

    Raises:
        DataError: for a negative rate or a negative count.
    """

    EPSILON = 1e-8

    def function(self, prediction: Array, target: Array) -> Array:
        self._check_signs(prediction, target)
        likelihood: Array = target * np.log(prediction + self.EPSILON)
        return np.subtract(prediction, likelihood, out=likelihood)

    def derivative(self, prediction: Array, target: Array) -> Array:
        self._check_signs(prediction, target)
        ratio: Array = target / (prediction + self.EPSILON)
        return np.subtract(1, ratio, out=ratio)

    def _check_signs(self, prediction: Array, target: Array) -> None:
        expected = "poisson expects rates >= 0 as prediction"
        check_range(prediction, 0, math.inf, expected, "; end the network with softplus")
        check_range(target, 0, math.inf, "poisson expects counts >= 0 as target")


class Hinge(ElementwiseLoss, type="hinge"):
    """max(0, 1 - target * prediction), for targets of -1 and +1 and a prediction that is a score of any size.

    The sign of the score is the decision, so the network ends with no activation, or with tanh. The derivative at the
    kink is taken as 0. Shapes: prediction (batch, ...); target alike, or without a last axis of 1. With several outputs
    each is a decision of its own. Source: Cortes and Vapnik 1995, Machine Learning 20.

    Raises:
        DataError: for a target other than -1 and +1, such as labels 0 and 1.
    """

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        return _with_and_without_last_axis(prediction_shape)

    def function(self, prediction: Array, target: Array) -> Array:
        margin = self._margin(prediction, target)
        return np.maximum(np.subtract(1, margin, out=margin), 0, out=margin)

    def derivative(self, prediction: Array, target: Array) -> Array:
        return np.where(self._margin(prediction, target) < 1, -target, 0)

    def _margin(self, prediction: Array, target: Array) -> Array:
        bad = abs(target) != 1
        if bad.any():
            raise DataError(
                f"hinge expects targets of -1 and +1, found {first_of(target, bad)}; "
                "labels y of 0 and 1 become 2 * y - 1"
            )
        margin: Array = prediction * target
        return margin


class BinaryCrossEntropy(ElementwiseLoss, type="binary_cross_entropy"):
    """-(positive_weight * t * log(p) + (1 - t) * log(1 - p)), for a probability p and its target t in [0, 1].

    Shapes: prediction (batch, ...); target alike, or without a last axis of 1. Several outputs are several labels, each
    of which may be there or not. A p or 1 - p below 1e-30 counts as 1e-30, in the gradient too.

    With `label_smoothing` s the target is t * (1 - s) + s / 2 (Keras' convention). `positive_weight` is torch's
    pos_weight: above 1 it makes a missed positive dearer than a false alarm; the mean is not divided by it.

    Raises:
        DataError: for a prediction or a target out of [0, 1].
    """

    joint_with = ("sigmoid",)

    label_smoothing: float = field(default=0.0, minimum=0.0, maximum=1.0)
    positive_weight: float = field(default=1.0, above=0.0)

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        return _with_and_without_last_axis(prediction_shape)

    def function(self, prediction: Array, target: Array) -> Array:
        check_probabilities(self, prediction)
        positive, negative = self._parts(target)
        positive *= np.log(np.maximum(prediction, SMALLEST_PROBABILITY))
        negative *= np.log(np.maximum(1 - prediction, SMALLEST_PROBABILITY))
        positive += negative
        return np.negative(positive, out=positive)

    def derivative(self, prediction: Array, target: Array) -> Array:
        check_probabilities(self, prediction)
        positive, negative = self._parts(target)
        positive /= np.maximum(prediction, SMALLEST_PROBABILITY)
        negative /= np.maximum(1 - prediction, SMALLEST_PROBABILITY)
        return np.subtract(negative, positive, out=negative)

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array]:
        positive, negative = self._parts(self._matched(logits, target))
        # sigmoid(z) = exp(min(z, 0)) / (1 + exp(-abs(z))): in this form nothing overflows.
        gradient = np.minimum(logits, 0, out=context.buffer(logits.shape))
        decay = np.abs(logits, out=context.buffer(logits.shape))
        np.exp(gradient, out=gradient)
        np.exp(np.negative(decay, out=decay), out=decay)
        gradient /= 1 + decay
        gradient *= positive + negative
        gradient -= positive
        gradient /= math.prod(logits.shape[1:])
        # -log(sigmoid(z)) = max(-z, 0) + log(1 + exp(-abs(z)))
        rest = np.log1p(decay, out=decay)
        positive *= rest - np.minimum(logits, 0)
        negative *= rest + np.maximum(logits, 0)
        positive += negative
        return sample_means(positive), gradient

    def _parts(self, target: Array) -> tuple[Array, Array]:
        """The weights of log(p) and of log(1 - p), as new arrays."""
        check_range(target, 0, 1, f"{self.type} expects targets from 0 to 1")
        smooth = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        return smooth * self.positive_weight, 1 - smooth


def _with_and_without_last_axis(prediction_shape: Shape) -> tuple[Shape, ...]:
    """The prediction's shape, and where it has a last axis of 1 also the shape without it."""
    return (prediction_shape, prediction_shape[:-1]) if prediction_shape[-1:] == (1,) else (prediction_shape,)
