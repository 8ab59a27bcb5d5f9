"""Losses of class probabilities, along the last axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np

from modnet.arrays import SHORT_ROW, Array, Shape, ones
from modnet.configuration.fields import field
from modnet.errors import DataError, ShapeError
from modnet.kinds.component import Example
from modnet.kinds.context import Context
from modnet.kinds.loss import Loss
from modnet.losses.class_weights import (
    ClassWeights,
    check_class_weights,
    counts_of_labels,
    counts_of_rows,
    numbers_of,
    weights_of_classes,
)
from modnet.losses.last_axis import LastAxisLoss
from modnet.losses.targets import (
    SMALLEST_PROBABILITY,
    check_distributions,
    check_labels,
    check_probabilities,
    class_labels,
    converted,
    sample_means,
)


class ClassLoss(LastAxisLoss):
    """A loss of class probabilities and a target class, or a distribution over the classes, along the last axis.

    For the options and shapes see `CrossEntropy`.

    Attributes:
        label_smoothing: s, the share of the target that is spread evenly over the classes.
        class_weights: a number for each class, or name = weight, or "balanced".
    """

    joint_with = ("softmax", "log_softmax")
    takes_labels = True
    weighted = True
    prediction_range = (0.0, 1.0)
    normalized = True
    ending = (
        "end the network with softmax; if a sample can have several labels, end it with sigmoid and use "
        "binary_cross_entropy"
    )

    label_smoothing: float = field(default=0.0, minimum=0.0, maximum=1.0)
    class_weights: ClassWeights = field(default=None, minimum=0.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        weighted = cls(class_weights=(1.0, 2.0, 0.5), label_smoothing=0.1)
        return (Example(cls(), ((3,), ())), Example(cls(), ((4, 3), (4,))), Example(weighted, ((3,), ())))

    def check(self) -> None:
        check_class_weights(self.class_weights)

    def fitted(self, shape: Shape, target: Array | None, weights: Array | None, names: Sequence[str]) -> Loss:
        if self.class_weights is None or isinstance(self.class_weights, tuple):
            return self
        classes = shape[-1]
        if classes is None:
            raise ValueError("class_weights: the number of classes is variable; give a weight for each class")
        counts = None
        if target is not None:
            labelled = target.ndim <= len(shape)
            counts = counts_of_labels(target, classes, weights) if labelled else counts_of_rows(target, weights)
        names = names or [*map(str, range(classes))]
        return self.replace(class_weights=weights_of_classes(self.class_weights, names, counts))

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        super().check_shapes(prediction_shape, target_shape)
        classes = prediction_shape[-1]
        weights = self.class_weights
        if isinstance(weights, tuple) and classes not in (None, len(weights)):
            raise ShapeError(
                f"{self.type} has {len(weights)} class weights for a prediction of {classes} classes",
                "give one weight for each class",
            )

    def check_targets(self, prediction_shape: Shape, target: Array) -> None:
        labelled = target.ndim <= len(prediction_shape)
        self._check_kind(labelled, target)
        if labelled:
            check_labels(target, cast(int, prediction_shape[-1]))
        else:
            check_distributions(target)

    def sample_weights(self, target: Array) -> Array | None:
        numbers = numbers_of(self.class_weights, self.type)
        if numbers is None:
            return None
        weights = np.array(numbers)
        if target.dtype.kind in "iub":
            return sample_means(weights[class_labels(target, len(weights))])
        return sample_means(target @ weights)

    def _check_kind(self, labelled: bool, target: Array) -> None:
        """Requires integer labels and float rows if there are class weights.

        `sample_weights` sees the target without the prediction: (batch, 3) can be three labels or a row of three.
        """
        if self.class_weights is not None and labelled != (target.dtype.kind in "iub"):
            raise DataError(
                f"with class weights {self.type} expects labels as integers and rows as floats, "
                f"found {'labels' if labelled else 'rows'} of dtype {target.dtype}; convert them with astype"
            )

    def coefficients(self, context: Context, prediction: Array, target: Array) -> Array:
        """A buffer c of the prediction's shape: a sample's value is -sum(c * log(p)) over classes and positions."""
        classes = prediction.shape[-1]
        labelled = target.ndim < prediction.ndim
        coefficients = context.buffer(prediction.shape)
        if labelled:
            check_labels(target, classes)
            coefficients.fill(0)
            # A flat view: indexing one axis is several times faster than pairs of indices.
            coefficients.reshape(-1)[_at_labels(context, target, classes)] = 1
        else:
            np.copyto(coefficients, target, casting="unsafe")
            check_distributions(coefficients, context.buffer(prediction.shape[:-1]))
        if self.label_smoothing:
            coefficients *= 1 - self.label_smoothing
            coefficients += self.label_smoothing / classes
        positions = math.prod(prediction.shape[1:-1])
        if self.class_weights is None:
            if positions != 1:
                coefficients /= positions
            return coefficients
        self._check_kind(labelled, target)
        coefficients *= np.array(numbers_of(self.class_weights, self.type), prediction.dtype)
        if positions != 1:
            coefficients /= positions
        return coefficients


class CrossEntropy(ClassLoss, type="cross_entropy"):
    """-sum(t * log(p)) over the classes, for probabilities p and a target distribution t; mean over positions.

    The classes are the last axis. Shapes: prediction (batch, classes) or, with positions, (batch, time, classes) and
    so on; target either labels 0, ..., classes - 1 of the prediction's shape without its last axis, or rows of
    probabilities (one-hot, for example) of the prediction's shape. A p below 1e-30 counts as 1e-30, in the gradient
    as well.

    With `label_smoothing` s the target is t * (1 - s) + s / classes (Szegedy et al. 2016, arXiv:1512.00567).

    `class_weights` are a number for each class, in their order; or name = weight, where the others have 1; or
    "balanced": n / (classes * rows of the class), counted in the training data, as scikit-learn has it. The model file
    holds the numbers. With weights w, each position has the weight u = w[label], or u = sum(w * t) for a row. A
    sample's value is the mean over positions of -sum(w * t * log(p)), where t is smoothed (in u it is not). Its weight
    in the batch is the mean of u; the values already contain it (`weighted`), so it only divides. The loss of a batch
    is therefore the sum over all positions divided by the sum of their u: torch's CrossEntropyLoss(weight=w,
    label_smoothing=s) for labels. A one-hot row means the same as its label; torch divides by the batch size instead.
    With class weights, integers are labels and floats are rows.

    Raises:
        DataError: for labels that are not classes, or rows or predictions that are not probabilities.
    """

    def measure(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array | None]:
        coefficients = self.coefficients(context, prediction, target)
        check_probabilities(self, prediction)
        p = np.maximum(prediction, SMALLEST_PROBABILITY, out=context.buffer(prediction.shape))
        slope = np.divide(coefficients, p, out=context.buffer(prediction.shape))
        np.negative(slope, out=slope)
        coefficients *= np.log(p, out=p)
        axes = tuple(range(1, prediction.ndim))
        values = np.add.reduce(coefficients, axis=axes, out=context.buffer(prediction.shape[:1]))
        return np.negative(values, out=values), slope

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array | None]:
        if target.ndim == logits.ndim or self.label_smoothing or self.class_weights is not None:
            return _softmax_joint(context, logits, self.coefficients(context, logits, target))
        # The common case: plain labels are not expanded to one-hot rows. With z the logits minus their maximum and
        # y the label, the value is log(sum(exp(z))) - z[y] and its derivative softmax(z) - onehot(y).
        classes = logits.shape[-1]
        check_labels(target, classes)
        exponentials = shifted(context, logits)
        flat = exponentials.reshape(-1)
        at_label = _at_labels(context, target, classes)
        values = context.buffer(target.shape)
        # Before `exponentiate` overwrites z. The labels are checked; mode "raise" would write to a copy of `out` first.
        flat.take(at_label, out=values.reshape(-1), mode="clip")
        total = exponentiate(context, exponentials)
        np.subtract(np.log(total, out=context.buffer(total.shape)), values, out=values)
        means = sample_means(values, context.buffer(target.shape[:1]))
        if not context.needs_input_gradient:
            return means, None
        positions = math.prod(target.shape[1:])
        if positions != 1:  # the mean over positions, in the divisor: a pass over rows instead of over all numbers
            total *= positions
        exponentials /= total[..., None]
        slope = flat.take(at_label, out=total.reshape(-1), mode="clip")
        slope -= 1 / positions
        flat[at_label] = slope
        return means, exponentials


class KLDivergence(LastAxisLoss, type="kl_divergence"):
    """sum(t * log(t / p)): how far probabilities p are from a target distribution t; mean over positions.

    KL(target || prediction) in nats, where t = 0 contributes 0; both are rows of probabilities along the last axis
    (torch's kl_div expects log(p) instead). Shapes: prediction and target (batch, ..., classes). A p below
    1e-30 counts as 1e-30, in the gradient too. Source: Kullback and Leibler 1951, Annals of Mathematical Statistics 22.

    Raises:
        DataError: for rows of the target or the prediction that are not probabilities.
    """

    joint_with = ("softmax", "log_softmax")
    prediction_range = (0.0, 1.0)
    normalized = True
    ending = "end the network with softmax"

    def check_targets(self, prediction_shape: Shape, target: Array) -> None:
        check_distributions(target)

    def measure(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array | None]:
        target = self._distributions(context, prediction, target)
        check_probabilities(self, prediction)
        p = np.maximum(prediction, SMALLEST_PROBABILITY, out=context.buffer(prediction.shape))
        slope = np.divide(target, p, out=context.buffer(prediction.shape))
        slope /= -math.prod(prediction.shape[1:-1])
        logarithm = _logarithm(context, target)
        logarithm -= np.log(p, out=p)
        return _products(context, target, logarithm), slope

    def joint(self, context: Context, logits: Array, target: Array) -> tuple[Array, Array | None]:
        target = self._distributions(context, logits, target)
        # KL(t || p) = cross-entropy(t, p) - entropy(t).
        coefficients = np.divide(target, math.prod(logits.shape[1:-1]), out=context.buffer(logits.shape))
        values, gradient = _softmax_joint(context, logits, coefficients)
        values += _products(context, target, _logarithm(context, target))
        return values, gradient

    def _distributions(self, context: Context, prediction: Array, target: Array) -> Array:
        target = converted(context, target, prediction)
        check_distributions(target, context.buffer(target.shape[:-1]))
        return target


def shifted(context: Context, logits: Array) -> Array:
    """The logits minus the maximum of each row: exp(1000) would be inf, and a shift does not change softmax."""
    classes = logits.shape[-1]
    highest = context.buffer(logits.shape[:-1])
    if classes > SHORT_ROW:
        np.maximum.reduce(logits, axis=-1, out=highest)
    else:
        # numpy takes the maxima of many short rows up to ten times slower than those of a few long columns.
        columns = context.buffer((classes, highest.size))
        np.copyto(columns, logits.reshape(-1, classes).T)
        np.maximum.reduce(columns, axis=0, out=highest.reshape(-1))
    return np.subtract(logits, highest[..., None], out=context.buffer(logits.shape))


def exponentiate(context: Context, logits: Array) -> Array:
    """Overwrites shifted logits by their exponentials and returns the sum of each row."""
    np.exp(logits, out=logits)
    # A product with ones, by BLAS, is faster than `sum`.
    return np.matmul(logits, ones(logits.shape[-1], logits.dtype), out=context.buffer(logits.shape[:-1]))


def _softmax_joint(context: Context, logits: Array, coefficients: Array) -> tuple[Array, Array | None]:
    """Values -sum(c * log(softmax(logits))), over all but the batch, and the gradient sum(c) * softmax(logits) - c."""
    # With z the shifted logits: -sum(c * log(softmax(z))) = sum(c) * log(sum(exp(z))) - sum(c * z).
    exponentials = shifted(context, logits)
    rows = logits.shape[:-1]
    weight = np.matmul(coefficients, ones(logits.shape[-1], logits.dtype), out=context.buffer(rows))
    products = np.einsum("...i,...i->...", coefficients, exponentials, out=context.buffer(rows))
    total = exponentiate(context, exponentials)
    logarithm = np.log(total, out=context.buffer(rows))
    logarithm *= weight
    logarithm -= products
    values = logarithm
    if values.ndim > 1:
        values = np.add.reduce(values, axis=tuple(range(1, values.ndim)), out=context.buffer(rows[:1]))
    if not context.needs_input_gradient:
        return values, None
    exponentials *= np.divide(weight, total, out=weight)[..., None]
    exponentials -= coefficients
    return values, exponentials


def _logarithm(context: Context, target: Array) -> Array:
    """log(t), finite for t = 0: the product t * log(t) is then 0, as it should be, and not nan."""
    logarithm = np.maximum(target, SMALLEST_PROBABILITY, out=context.buffer(target.shape))
    return np.log(logarithm, out=logarithm)


def _products(context: Context, a: Array, b: Array) -> Array:
    """The sum of products along the last axis, as the mean over positions."""
    products = np.einsum("...i,...i->...", a, b, out=context.buffer(a.shape[:-1]))
    return sample_means(products, context.buffer(a.shape[:1]))


def _at_labels(context: Context, target: Array, classes: int) -> Array:
    """The indices of the labels' elements in a flattened array (positions, classes)."""
    at_label = context.buffer((target.size,), np.intp)
    return np.add(_starts(target.size, classes), target.reshape(-1), out=at_label, casting="unsafe")


@lru_cache(maxsize=8)
def _starts(rows: int, length: int) -> Array:
    """The index in the flattened array at which each row begins; cached, as it is the same for each batch."""
    starts = np.arange(0, rows * length, length)
    starts.flags.writeable = False
    return starts
