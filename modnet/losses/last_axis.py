"""Losses along the last axis: of class probabilities, and of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.component import Array, Example, Loss, Shape, field
from modnet.errors import DataError, ShapeError
from modnet.losses.targets import (
    SMALLEST_PROBABILITY,
    check_arrays,
    check_distributions,
    check_probabilities,
    class_labels,
    sample_means,
)

if TYPE_CHECKING:
    from modnet.context import Context


class LastAxisLoss(Loss):
    """A loss that takes the last axis together; a sample's value is the mean over the other axes, its positions."""

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        if not prediction_shape:
            raise ShapeError(f"{self.type} expects a prediction of shape (n,), or with more axes before, found ()")
        super().check_shapes(prediction_shape, target_shape)


class CrossEntropy(LastAxisLoss, type="cross_entropy"):
    """-sum(t * log(p)) over the classes, for probabilities p and a target distribution t; mean over positions.

    The classes are the last axis. Shapes: prediction (batch, classes) or, with positions, (batch, time, classes) and
    so on; target either labels 0, ..., classes - 1 of the prediction's shape without its last axis, or rows of
    probabilities (one-hot, for example) of the prediction's shape. A p below 1e-30 counts as 1e-30, in the gradient
    as well.

    With `label_smoothing` s the target is t * (1 - s) + s / classes (Szegedy et al. 2016, arXiv:1512.00567).

    With `class_weights` w, each position has the weight u = w[label], or u = sum(w * t) for a row. A sample's value is
    -sum(w * t * log(p)) / sum(u), the sums running over classes and positions with t smoothed and u not, and its
    weight in the batch is the mean of u. So the loss of a batch is the sum over all positions divided by the sum of
    their u: torch's CrossEntropyLoss(weight=w) for labels. A one-hot row means the same as its label, where torch
    divides by the batch size instead. A sample that has no weight at all has the value 0. With class weights integers
    are labels and floats are rows.

    Raises:
        DataError: for a label that is no class, rows that are no probabilities, predictions that are no probabilities.
    """

    joint_with = ("softmax", "log_softmax")
    takes_labels = True

    label_smoothing: float = field(default=0.0, minimum=0.0, maximum=1.0)
    class_weights: tuple[float, ...] | None = field(default=None, minimum=0.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        weighted = cls(class_weights=(1.0, 2.0, 0.5), label_smoothing=0.1)
        return (Example(cls(), ((3,), ())), Example(cls(), ((4, 3), (4,))), Example(weighted, ((3,), ())))

    def check(self) -> None:
        if self.class_weights is not None and not any(self.class_weights):
            raise ValueError("class_weights needs a weight above 0")

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        super().check_shapes(prediction_shape, target_shape)
        classes = prediction_shape[-1]
        if self.class_weights is not None and classes not in (None, len(self.class_weights)):
            raise ShapeError(
                f"{self.type} has {len(self.class_weights)} class weights and a prediction of {classes} classes",
                "give one weight for each class",
            )

    def sample_weights(self, target: Array) -> Array | None:
        if self.class_weights is None:
            return None
        weights = np.array(self.class_weights)
        if target.dtype.kind in "iub":
            return sample_means(weights[class_labels(target, len(weights))])
        return sample_means(target @ weights)

    def values(self, prediction: Array, target: Array) -> Array:
        coefficients = self._coefficients(prediction, target)
        check_probabilities(self, prediction)
        coefficients *= np.log(np.maximum(prediction, SMALLEST_PROBABILITY))
        values: Array = -coefficients.sum(axis=tuple(range(1, prediction.ndim)))
        return values

    def gradient(self, prediction: Array, target: Array) -> Array:
        coefficients = self._coefficients(prediction, target)
        check_probabilities(self, prediction)
        coefficients /= np.maximum(prediction, SMALLEST_PROBABILITY)
        return np.negative(coefficients, out=coefficients)

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array]:
        if target.ndim == logits.ndim or self.label_smoothing or self.class_weights is not None:
            return _softmax_joint(context, logits, self._coefficients(logits, target))
        # With plain labels the target is never spread out to rows: this is where most training spends its loss.
        check_arrays(self, logits, target)
        labels = class_labels(target, logits.shape[-1])
        exponentials = _shifted(context, logits)
        rows = exponentials.reshape(-1, logits.shape[-1])
        chosen = (np.arange(len(rows)), labels.reshape(-1))
        at_label = rows[chosen].reshape(labels.shape)
        total = _exponentiate(exponentials)
        values = sample_means(np.log(total) - at_label)
        positions = math.prod(labels.shape[1:])
        total *= positions
        exponentials /= total[..., None]
        rows[chosen] -= 1 / positions
        return values, exponentials

    def _coefficients(self, prediction: Array, target: Array) -> Array:
        """A new array c of the prediction's shape: a sample's value is -sum(c * log(p)) over classes and positions."""
        check_arrays(self, prediction, target)
        classes = prediction.shape[-1]
        labelled = target.ndim < prediction.ndim
        if labelled:
            coefficients = np.zeros(prediction.shape, prediction.dtype)
            np.put_along_axis(coefficients, class_labels(target, classes)[..., None], 1, axis=-1)
        else:
            coefficients = target.astype(prediction.dtype)
            check_distributions(coefficients)
        if self.label_smoothing:
            coefficients *= 1 - self.label_smoothing
            coefficients += self.label_smoothing / classes
        positions = math.prod(prediction.shape[1:-1])
        if self.class_weights is None:
            coefficients /= positions
            return coefficients
        # `sample_weights` sees the target alone, and has to tell labels of positions from rows.
        if labelled != (target.dtype.kind in "iub"):
            raise DataError(
                f"with class weights {self.type} expects labels as integers and rows as floats, "
                f"found {'labels' if labelled else 'rows'} of dtype {target.dtype}; convert them with astype"
            )
        coefficients *= np.array(self.class_weights, prediction.dtype)
        total = positions * np.asarray(self.sample_weights(target), prediction.dtype)
        total = total.reshape(-1, *[1] * (prediction.ndim - 1))
        np.divide(coefficients, total, out=coefficients, where=total > 0)
        return coefficients


class KLDivergence(LastAxisLoss, type="kl_divergence"):
    """sum(t * log(t / p)): how far probabilities p are from a target distribution t; mean over positions.

    KL(target || prediction) in nats, where t = 0 contributes 0; both are rows of probabilities along the last axis
    (torch's kl_div expects log(p) instead). Shapes: prediction and target alike, (batch, ..., classes). A p below
    1e-30 counts as 1e-30, in the gradient too. Source: Kullback and Leibler 1951, Annals of Mathematical Statistics 22.

    Raises:
        DataError: for rows that are no probabilities, in the target or in the prediction.
    """

    joint_with = ("softmax", "log_softmax")

    def values(self, prediction: Array, target: Array) -> Array:
        target = self._distributions(prediction, target)
        check_probabilities(self, prediction)
        logarithm = np.log(np.maximum(target, SMALLEST_PROBABILITY))
        logarithm -= np.log(np.maximum(prediction, SMALLEST_PROBABILITY))
        return sample_means((target * logarithm).sum(axis=-1))

    def gradient(self, prediction: Array, target: Array) -> Array:
        target = self._distributions(prediction, target)
        check_probabilities(self, prediction)
        slope: Array = target / np.maximum(prediction, SMALLEST_PROBABILITY)
        slope /= -math.prod(prediction.shape[1:-1])
        return slope

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array]:
        target = self._distributions(logits, target)
        values, gradient = _softmax_joint(context, logits, target / math.prod(logits.shape[1:-1]))
        logarithm = np.log(np.maximum(target, SMALLEST_PROBABILITY))
        values += sample_means((target * logarithm).sum(axis=-1))
        return values, gradient

    def _distributions(self, prediction: Array, target: Array) -> Array:
        check_arrays(self, prediction, target)
        check_distributions(target)
        return target.astype(prediction.dtype, copy=False)


class Cosine(LastAxisLoss, type="cosine"):
    """1 - p . t / (|p| |t|): 0 for vectors of one direction, 2 for opposite ones; mean over positions.

    The vectors lie along the last axis; a norm below 1e-8 counts as 1e-8 (as in torch), so that a zero vector has the
    similarity 0 to all. Shapes: prediction and target alike, (batch, ..., features).
    """

    EPSILON = 1e-8

    def values(self, prediction: Array, target: Array) -> Array:
        similarity, _, _ = self._similarity(prediction, target)
        return sample_means(1 - similarity[..., 0])

    def gradient(self, prediction: Array, target: Array) -> Array:
        similarity, direction, norm = self._similarity(prediction, target)
        # Where the norm is held at its least it does not depend on the prediction.
        slope: Array = np.where(norm > self.EPSILON, similarity, 0) * (prediction / norm)
        slope -= direction
        slope /= norm * math.prod(prediction.shape[1:-1])
        return slope

    def _similarity(self, prediction: Array, target: Array) -> tuple[Array, Array, Array]:
        """The similarity, the target's unit vector and the prediction's norm."""
        check_arrays(self, prediction, target)
        target = target.astype(prediction.dtype, copy=False)
        direction = target / np.maximum(np.linalg.norm(target, axis=-1, keepdims=True), self.EPSILON)
        norm = np.maximum(np.linalg.norm(prediction, axis=-1, keepdims=True), self.EPSILON)
        similarity = (prediction * direction).sum(axis=-1, keepdims=True) / norm
        return similarity, direction, norm


def _shifted(context: Context, logits: Array) -> Array:
    """The logits minus the highest of each row: exp(1000) is inf, and softmax does not feel a shift."""
    classes = logits.shape[-1]
    if classes > 32:
        highest: Array = logits.max(axis=-1, keepdims=True)
    else:
        # numpy takes the maxima of many short rows up to ten times slower than those of a few long columns.
        columns = np.ascontiguousarray(logits.reshape(-1, classes).T)
        highest = columns.max(axis=0).reshape(*logits.shape[:-1], 1)
    return np.subtract(logits, highest, out=context.buffer(logits.shape))


def _exponentiate(shifted: Array) -> Array:
    """Overwrites the array by its exponentials and gives the sum of each row."""
    np.exp(shifted, out=shifted)
    total: Array = shifted @ np.ones(shifted.shape[-1], shifted.dtype)  # a product is faster than `sum`
    return total


def _softmax_joint(context: Context, logits: Array, coefficients: Array) -> tuple[Array, Array]:
    """Values -sum(c * log(softmax(logits))), over all but the batch, and the gradient sum(c) * softmax(logits) - c."""
    exponentials = _shifted(context, logits)
    weight = coefficients.sum(axis=-1)
    values = -np.einsum("...i,...i->...", coefficients, exponentials)
    total = _exponentiate(exponentials)
    values += weight * np.log(total)
    exponentials *= (weight / total)[..., None]
    exponentials -= coefficients
    return values.sum(axis=tuple(range(1, values.ndim))), exponentials
