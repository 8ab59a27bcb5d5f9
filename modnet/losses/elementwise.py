"""Losses that are computed element by element."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import SampleError, ShapeError
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.losses.class_weights import (
    ClassWeights,
    check_class_weights,
    counts_of_rows,
    numbers_of,
    weights_of_classes,
)
from modnet.losses.measured import MeasuredLoss
from modnet.losses.targets import (
    SMALLEST_PROBABILITY,
    bad_sample,
    check_probabilities,
    check_range,
    converted,
    sample_means,
)


class ElementwiseLoss(MeasuredLoss):
    """A loss that is computed element by element; a sample's value is the mean over its elements."""

    positions = True

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        """The loss of each element and its derivative with respect to the prediction, in buffers of the context.

        The target has the prediction's shape and dtype.
        """
        raise NotImplementedError

    def measure(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array | None]:
        values, slope = self.elements(context, prediction, converted(context, target, prediction))
        return sample_means(values, context.buffer(values.shape[:1], values.dtype)), of_means(slope)


class ResidualLoss(ElementwiseLoss):
    """A loss of the residuals prediction - target; after `unstandardize`, in deviations of the target's columns."""

    of_residuals = True


class MeanSquaredError(ResidualLoss, type="mse"):
    """(prediction - target)**2, without the half that some textbooks put before it.

    Shapes: prediction and target (batch, ...). After `unstandardize` both are in deviations of the target.
    """

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        residual = np.subtract(prediction, target, out=context.buffer(prediction.shape))
        loss = np.square(residual, out=context.buffer(prediction.shape))
        return loss, np.multiply(residual, 2, out=residual)


class MeanAbsoluteError(ResidualLoss, type="mae"):
    """abs(prediction - target). The derivative at 0 is taken as 0.

    Shapes: prediction and target (batch, ...). After `unstandardize` both are in deviations of the target.
    """

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        residual = np.subtract(prediction, target, out=context.buffer(prediction.shape))
        loss = np.abs(residual, out=context.buffer(prediction.shape))
        return loss, np.sign(residual, out=residual)


class Huber(ResidualLoss, type="huber"):
    """r**2 / 2 for a small residual r = prediction - target, delta * (abs(r) - delta / 2) where abs(r) > delta.

    Shapes: prediction and target (batch, ...). After `unstandardize` both, and `delta`, are in deviations of the
    target. Source: Huber 1964, Annals of Mathematical Statistics 35 (1). This is torch's huber_loss; its smooth_l1_loss
    is this one divided by delta.

    Attributes:
        delta: the residual at which the square becomes a straight line.
    """

    delta: float = field(default=1.0, above=0.0)

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        residual = np.subtract(prediction, target, out=context.buffer(prediction.shape))
        # The derivative is r in the quadratic part and delta * sign(r) in the linear one; in both the loss is
        # derivative * (r - derivative / 2).
        slope = np.clip(residual, -self.delta, self.delta, out=context.buffer(prediction.shape))
        loss = np.multiply(slope, -0.5, out=context.buffer(prediction.shape))
        loss += residual
        return np.multiply(loss, slope, out=loss), slope


class Poisson(ElementwiseLoss, type="poisson"):
    """prediction - target * log(prediction + 1e-8): the negative log likelihood of counts; the prediction is the rate.

    The term log(target!), which does not depend on the prediction, is left out. This is torch's poisson_nll_loss with
    log_input=False. Shapes: prediction and target (batch, ...).

    Raises:
        DataError: for a negative rate or a negative count.
    """

    EPSILON = 1e-8
    prediction_range = (0.0, math.inf)
    ending = "end the network with softplus"

    def check_targets(self, prediction_shape: Shape, target: Array) -> None:
        check_range(target, 0, math.inf, "poisson expects counts >= 0 as target")

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        expected = "poisson expects rates >= 0 as prediction"
        check_range(prediction, 0, math.inf, expected, f"; {self.ending}")
        self.check_targets(prediction.shape[1:], target)
        rate = np.add(prediction, self.EPSILON, out=context.buffer(prediction.shape))
        slope = np.divide(target, rate, out=context.buffer(prediction.shape))
        loss = np.log(rate, out=rate)
        loss *= target
        return np.subtract(prediction, loss, out=loss), np.subtract(1, slope, out=slope)


class Hinge(ElementwiseLoss, type="hinge"):
    """max(0, 1 - target * prediction), for targets of -1 and +1 and a prediction that is a score of any size.

    The sign of the score is the decision, so the network ends without an activation, or with tanh. The derivative at
    the kink is taken as 0. Shapes: prediction (batch, ...); target the same, or without a last axis of 1. Each of
    several outputs is a separate decision. Source: Cortes and Vapnik 1995, Machine Learning 20.

    Raises:
        DataError: for a target other than -1 and +1, such as labels 0 and 1.
    """

    normalized = False
    decides_at = 0.0
    ending = "end the network without an activation, or with tanh"

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        return with_and_without_last_axis(prediction_shape)

    def check_targets(self, prediction_shape: Shape, target: Array) -> None:
        magnitude = np.abs(target.astype(np.float64))
        if target.size and not magnitude.min() == magnitude.max() == 1:
            raise self._no_sign(target, magnitude != 1)

    def _no_sign(self, target: Array, wrong: Array) -> SampleError:
        remedy = "write the two classes as -1 and 1, or use sigmoid and binary_cross_entropy for classes 0 and 1"
        return bad_sample("hinge expects targets of -1 and +1", target, wrong, f"; {remedy}")

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        # The check of `check_targets` without its copies; the buffer is then used for the slope.
        slope = np.abs(target, out=context.buffer(prediction.shape))
        if slope.size and not slope.min() == slope.max() == 1:
            raise self._no_sign(target, slope != 1)
        loss = np.multiply(prediction, target, out=context.buffer(prediction.shape))
        np.less(loss, 1, out=slope)
        slope *= target
        np.subtract(1, loss, out=loss)
        return np.maximum(loss, 0, out=loss), np.negative(slope, out=slope)


class BinaryLoss(ElementwiseLoss):
    """A loss of probabilities of labels, each of which is present or absent by itself, as sigmoid gives them.

    Attributes:
        class_weights: of the classes 0 and 1: two numbers, or name = weight, or "balanced".
    """

    joint_with = ("sigmoid",)
    weighted = True
    prediction_range = (0.0, 1.0)
    normalized = False

    class_weights: ClassWeights = field(default=None, minimum=0.0)

    def check(self) -> None:
        check_class_weights(self.class_weights)
        if isinstance(self.class_weights, tuple) and len(self.class_weights) != 2:
            raise ValueError(f"class_weights: expected 2 weights, found {len(self.class_weights)}")

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        super().check_shapes(prediction_shape, target_shape)
        if self.class_weights is not None and prediction_shape[-1:] not in ((1,), ()):
            raise ShapeError(
                f"{self.type}: class_weights are for one decision between two classes, found a prediction of shape "
                f"{prediction_shape}",
                "several outputs are labels of their own: leave class_weights out",
            )

    def fitted(self, shape: Shape, target: Array | None, weights: Array | None, names: Sequence[str]) -> Loss:
        if self.class_weights is None or isinstance(self.class_weights, tuple):
            return self
        counts = None
        if target is not None:
            decisions = target.reshape(*target.shape[: len(shape)], 1)
            counts = counts_of_rows(np.concatenate([1 - decisions, decisions], axis=-1, dtype=np.float64), weights)
        found = weights_of_classes(self.class_weights, names or ["0", "1"], counts)
        return self.replace(class_weights=found)

    def sample_weights(self, target: Array) -> Array | None:
        numbers = numbers_of(self.class_weights, self.type)
        if numbers is None:
            return None
        weights = np.asarray(target) * (numbers[1] - numbers[0])
        weights += numbers[0]
        return sample_means(weights)

    def sides(self) -> tuple[float, float]:
        """The weights of the class 0 and of the class 1."""
        negative, positive = numbers_of(self.class_weights, self.type) or (1.0, 1.0)
        return negative, positive

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        return with_and_without_last_axis(prediction_shape)

    def check_targets(self, prediction_shape: Shape, target: Array) -> None:
        check_range(target, 0, 1, f"{self.type} expects targets from 0 to 1")


class BinaryCrossEntropy(BinaryLoss, type="binary_cross_entropy"):
    """-(positive_weight * t * log(p) + (1 - t) * log(1 - p)), for a probability p and its target t in [0, 1].

    Shapes: prediction (batch, ...); target the same, or without a last axis of 1. Several outputs are several labels,
    each of which is present or absent. A p or 1 - p below 1e-30 counts as 1e-30, in the gradient too.

    With `label_smoothing` s the target is t * (1 - s) + s / 2 (Keras' convention). `positive_weight` is torch's
    pos_weight: above 1 it makes a missed positive cost more than a false alarm; the mean is not divided by it.
    `class_weights`, for one output, are those of `cross_entropy`: for the classes 0 and 1, by name, or "balanced"; the
    mean over samples is weighted by them.

    Attributes:
        label_smoothing: s, how far targets are moved towards 1/2.
        positive_weight: a factor of the loss of positive targets.

    Raises:
        DataError: for a prediction or a target outside [0, 1].
    """

    ending = "end the network with sigmoid; if the classes exclude each other, use softmax and cross_entropy"

    label_smoothing: float = field(default=0.0, minimum=0.0, maximum=1.0)
    positive_weight: float = field(default=1.0, above=0.0)

    def elements(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array]:
        check_probabilities(self, prediction)
        positive, negative = self._parts(context, target)
        p = np.maximum(prediction, SMALLEST_PROBABILITY, out=context.buffer(prediction.shape))
        q = np.subtract(1, prediction, out=context.buffer(prediction.shape))
        np.maximum(q, SMALLEST_PROBABILITY, out=q)
        slope = np.divide(negative, q, out=context.buffer(prediction.shape))
        loss = np.divide(positive, p, out=context.buffer(prediction.shape))
        slope -= loss
        positive *= np.log(p, out=p)
        negative *= np.log(q, out=q)
        np.add(positive, negative, out=loss)
        return np.negative(loss, out=loss), slope

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array | None]:
        positive, negative = self._parts(context, converted(context, target, logits))
        scratch = context.buffer(logits.shape)
        # sigmoid(z) = exp(min(z, 0)) / (1 + exp(-abs(z))): in this form nothing overflows.
        lowered = np.minimum(logits, 0, out=context.buffer(logits.shape))
        decay = np.abs(logits, out=context.buffer(logits.shape))
        np.exp(np.negative(decay, out=decay), out=decay)
        slope = np.exp(lowered, out=context.buffer(logits.shape))
        slope /= np.add(1, decay, out=scratch)
        slope *= np.add(positive, negative, out=scratch)
        slope -= positive
        # -log(sigmoid(z)) = max(-z, 0) + log(1 + exp(-abs(z)))
        rest = np.log1p(decay, out=decay)
        positive *= np.subtract(rest, lowered, out=scratch)
        np.maximum(logits, 0, out=scratch)
        negative *= np.add(rest, scratch, out=scratch)
        positive += negative
        return sample_means(positive, context.buffer(positive.shape[:1])), of_means(slope)

    def _parts(self, context: Context, target: Array) -> tuple[Array, Array]:
        """The weights of log(p) and of log(1 - p), in buffers."""
        self.check_targets(target.shape[1:], target)
        smooth = np.multiply(target, 1 - self.label_smoothing, out=context.buffer(target.shape))
        smooth += self.label_smoothing / 2
        of_negative, of_positive = self.sides()
        positive = np.multiply(smooth, self.positive_weight * of_positive, out=context.buffer(target.shape))
        np.subtract(1, smooth, out=smooth)
        return positive, smooth if of_negative == 1 else np.multiply(smooth, of_negative, out=smooth)


def of_means(slope: Array) -> Array:
    """Turns the derivatives of a sample's elements into those of their mean, in place."""
    elements = math.prod(slope.shape[1:])
    return slope if elements == 1 else np.divide(slope, elements, out=slope)


def with_and_without_last_axis(prediction_shape: Shape) -> tuple[Shape, ...]:
    """The prediction's shape, and also the shape without the last axis if that is 1."""
    return (prediction_shape, prediction_shape[:-1]) if prediction_shape[-1:] == (1,) else (prediction_shape,)
