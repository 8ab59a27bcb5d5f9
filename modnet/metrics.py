"""The built-in metrics.

Each is exact over an epoch, however the epoch is cut into batches, and equals scikit-learn's function of that name.
Where scikit-learn warns that a value is undefined, the same value is given without a warning. A metric over no samples,
or over none with a weight, is nan; samples of weight 0 are as if they were not there, also where scikit-learn counts
their classes. Counts and sums are int64 and float64.

Classifying metrics take the classes from the last axis of the prediction. Its shapes: (batch, classes) or, with
positions, (batch, time, classes) and so on, every position counting with the weight of its sample; a single output is
the probability of class 1 of the two classes 0 and 1, and is class 1 above 0.5. Targets are labels of the prediction's
shape without its last axis, or have the prediction's shape: one-hot rows, or for a single output labels. They raise
ShapeError for other shapes and DataError for labels that are no classes.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.metric import Metric
from modnet.losses.targets import check_distributions, class_labels

__all__ = [
    "AUC",
    "F1",
    "R2",
    "Accuracy",
    "ConfusionMatrix",
    "MeanAbsoluteError",
    "Precision",
    "Recall",
    "RootMeanSquaredError",
    "TopKAccuracy",
]


# Classes

ONE_CLASS = (
    "where a sample can have several labels, give each label an output of its own, of one unit, or leave the metric out"
)


def _scores_and_labels(metric: Metric, prediction: Array, target: Array) -> tuple[Array, Array]:
    """The scores of each position, (positions, outputs), and its label, (positions,)."""
    if prediction.ndim < 2 or target.shape not in (prediction.shape, prediction.shape[:-1]):
        raise ShapeError(
            f"{metric.type} expects predictions of shape (batch, ..., classes) and as targets labels (batch, ...) "
            f"or one-hot rows (batch, ..., classes), found predictions {prediction.shape} and targets {target.shape}"
        )
    outputs = prediction.shape[-1]
    if target.ndim < prediction.ndim or outputs == 1:
        labels = class_labels(target, max(outputs, 2))
    else:
        check_distributions(target, remedy=f"{metric.type} takes rows of one class each; {ONE_CLASS}")
        labels = target.argmax(axis=-1)
    return prediction.reshape(-1, outputs), labels.reshape(-1)


def _position_weights(weights: Array | None, samples: int, positions: int) -> Array:
    """The weight of each position; those of one sample follow each other and have its weight, by default 1."""
    if weights is None:
        return np.ones(positions)
    return np.repeat(np.asarray(weights, np.float64), positions // max(samples, 1))


def _decisions(metric: Metric, prediction: Array, target: Array) -> tuple[Array, Array, int]:
    """The predicted and the true class of each position, and the number of classes."""
    scores, labels = _scores_and_labels(metric, prediction, target)
    if scores.shape[1] == 1:
        return (scores[:, 0] > 0.5).astype(np.intp), labels, 2
    return scores.argmax(axis=1), labels, scores.shape[1]


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else math.nan


class _Share(Metric):
    """The share of positions that are hits, by weight."""

    positions = True

    def start(self) -> Any:
        return 0.0, 0.0

    def hits(self, prediction: Array, target: Array) -> Array:
        """Whether each position is a hit, shape (positions,)."""
        raise NotImplementedError

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        hits = self.hits(prediction, target)
        weights = _position_weights(weights, len(prediction), len(hits))
        hit, total = accumulator
        return hit + weights @ hits, total + weights.sum()

    def result(self, accumulator: Any) -> float:
        return _ratio(*accumulator)


class Accuracy(_Share, type="accuracy"):
    """The share of positions whose most probable class (the first of equal ones) is the true one."""

    def hits(self, prediction: Array, target: Array) -> Array:
        predicted, true, _ = _decisions(self, prediction, target)
        return np.equal(predicted, true)


class TopKAccuracy(_Share, type="top_k_accuracy"):
    """The share of positions whose true class is among the k with the highest scores.

    Of equal scores that of the later class counts as the higher one, as in scikit-learn. With k classes or fewer the
    value is 1.
    """

    k: int = field(default=5, minimum=1)

    def hits(self, prediction: Array, target: Array) -> Array:
        scores, labels = _scores_and_labels(self, prediction, target)
        classes = scores.shape[1]
        if classes == 1:
            raise ShapeError(f"top_k_accuracy expects a score for each class, found predictions {prediction.shape}")
        own = np.take_along_axis(scores, labels[:, None], axis=1)
        # Said by what is not ahead, so that a true class whose score is nan is no hit.
        behind = (scores < own) | ((scores == own) & (np.arange(classes) < labels[:, None]))
        hits: Array = (~behind).sum(axis=1) <= self.k
        return hits


class ConfusionMatrix(Metric, type="confusion_matrix"):
    """How often (or with what weight) each class, by row, was predicted as each class, by column.

    Shape (classes, classes), with all classes that the prediction has; int64, or float64 with weights. Without any
    batch it is of shape (0, 0).
    """

    positions = True
    greater_is_better = None

    def start(self) -> Any:
        return None

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, classes = _decisions(self, prediction, target)
        if weights is not None:
            weights = _position_weights(weights, len(prediction), len(true))
        counts = np.bincount(true * classes + predicted, weights, classes**2).reshape(classes, classes)
        return counts if accumulator is None else accumulator + counts

    def result(self, accumulator: Any) -> Array:
        return np.zeros((0, 0), np.int64) if accumulator is None else accumulator


class _Counts(NamedTuple):
    """For each class: how often it was predicted rightly, predicted, and true; whether it has occurred in either."""

    hit: Array
    predicted: Array
    true: Array
    seen: Array


class _ClassRatio(Metric):
    """A ratio of counts of each class, and its average over the classes.

    Attributes:
        average: "binary" is the ratio of class 1, for two classes; "macro" the mean of the classes' ratios, of those
            classes that were predicted or true at all; "micro" the ratio of the sums over all classes. "auto" is
            "binary" for a single output or two classes and "macro" for more.
    """

    positions = True
    average: Literal["auto", "binary", "macro", "micro"] = "auto"

    def terms(self, counts: _Counts) -> tuple[Array, Array]:
        """Numerator and denominator of each class."""
        raise NotImplementedError

    def start(self) -> Any:
        return None

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, classes = _decisions(self, prediction, target)
        if self.average == "binary" and classes > 2:
            raise ShapeError(
                f'{self.type} with average "binary" expects one output or two classes, found {classes}',
                'take "macro" or "micro"',
            )
        weights = _position_weights(weights, len(prediction), len(true))
        right = predicted == true
        counts = _Counts(
            hit=np.bincount(true[right], weights[right], classes),
            predicted=np.bincount(predicted, weights, classes),
            true=np.bincount(true, weights, classes),
            # A batch in which nothing has a weight is never seen, so nothing without one may be seen in others.
            seen=np.bincount(np.append(predicted[weights > 0], true[weights > 0]), minlength=classes) > 0,
        )
        if accumulator is None:
            return counts
        return _Counts(*(old + new for old, new in zip(accumulator, counts, strict=True)))

    def result(self, accumulator: Any) -> float:
        if accumulator is None:
            return math.nan
        counts = _Counts(*accumulator)
        if not counts.true.any():
            return math.nan
        numerator, denominator = self.terms(counts)
        average = self.average
        if average == "auto":
            average = "binary" if len(numerator) == 2 else "macro"
        if average == "micro":
            return _ratio(numerator.sum(), denominator.sum())
        ratios = np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
        return float(ratios[1] if average == "binary" else ratios[counts.seen].mean())


class Precision(_ClassRatio, type="precision"):
    """Of the positions predicted as a class, the share that is of it; 0 for a class that was never predicted."""

    def terms(self, counts: _Counts) -> tuple[Array, Array]:
        return counts.hit, counts.predicted


class Recall(_ClassRatio, type="recall"):
    """Of the positions of a class, the share that was predicted as it; 0 for a class that never was the true one."""

    def terms(self, counts: _Counts) -> tuple[Array, Array]:
        return counts.hit, counts.true


class F1(_ClassRatio, type="f1"):
    """The harmonic mean of precision and recall, 2 * hits / (predicted + true); 0 for a class that never occurred."""

    def terms(self, counts: _Counts) -> tuple[Array, Array]:
        return 2 * counts.hit, counts.predicted + counts.true


class AUC(Metric, type="auc"):
    """The area under the receiver operating characteristic: how probably a positive scores above a negative.

    Equal scores count half. With a single output or two classes the positives are class 1; with more, it is the mean of
    the areas of each class against the rest ("one versus rest, macro"). It is nan where a class has no positives or no
    negatives. It keeps the scores of the whole epoch, so its memory grows with the data.

    Source: Hanley and McNeil 1982, Radiology 143 (1).
    """

    positions = True

    def start(self) -> Any:
        return []

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        scores, labels = _scores_and_labels(self, prediction, target)
        # Copies: the arrays of a batch are used again for the next one.
        accumulator.append((scores.copy(), labels.copy(), _position_weights(weights, len(prediction), len(labels))))
        return accumulator

    def result(self, accumulator: Any) -> float:
        if not accumulator:
            return math.nan
        scores, labels, weights = (np.concatenate(parts) for parts in zip(*accumulator, strict=True))
        classes = scores.shape[1]
        if classes <= 2:
            return _area(scores[:, -1], labels == 1, weights)
        return float(np.mean([_area(scores[:, label], labels == label, weights) for label in range(classes)]))


def _area(scores: Array, positive: Array, weights: Array) -> float:
    """The area under the curve, from the weights of positives and negatives at each distinct score."""
    if not len(scores):
        return math.nan
    order = np.argsort(scores)
    scores, positive, weights = scores[order], positive[order], weights[order]
    first_of_equals = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
    positives = np.add.reduceat(weights * positive, first_of_equals)
    negatives = np.add.reduceat(weights * ~positive, first_of_equals)
    above = positives.sum() - positives.cumsum()
    return _ratio(negatives @ (above + positives / 2), positives.sum() * negatives.sum())


# Numbers


def _outputs(metric: Metric, prediction: Array, target: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Prediction and target as float64 (positions, outputs), and the weight of each position."""
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{metric.type} expects predictions and targets of one shape, "
            f"found predictions {prediction.shape} and targets {target.shape}"
        )
    outputs = prediction.shape[-1] if prediction.ndim > 1 else 1
    predicted = prediction.reshape(-1, outputs).astype(np.float64)
    true = target.reshape(-1, outputs).astype(np.float64)
    return predicted, true, _position_weights(weights, len(prediction), len(predicted))


class _MeanError(Metric):
    """The mean error of each output, by weight."""

    positions = True
    greater_is_better = False

    def error(self, difference: Array) -> Array:
        """The error of each element."""
        raise NotImplementedError

    def start(self) -> Any:
        return 0.0, 0.0

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, weights = _outputs(self, prediction, target, weights)
        error, total = accumulator
        return error + weights @ self.error(predicted - true), total + weights.sum()

    def means(self, accumulator: Any) -> Array:
        """The weighted mean error of each output."""
        error, total = accumulator
        return np.divide(error, total) if total else np.array([math.nan])


class MeanAbsoluteError(_MeanError, type="mean_absolute_error"):
    """The mean of abs(prediction - target) over all elements. Shapes: prediction and target alike, (batch, ...)."""

    def error(self, difference: Array) -> Array:
        return np.abs(difference)

    def result(self, accumulator: Any) -> float:
        return float(self.means(accumulator).mean())


class RootMeanSquaredError(_MeanError, type="root_mean_squared_error"):
    """The root of the mean of (prediction - target)**2, in the target's unit.

    With several outputs, along the last axis, it is the mean of their roots (as in scikit-learn), not the root of the
    mean over all elements. Shapes: prediction and target alike, (batch, ..., outputs).
    """

    def error(self, difference: Array) -> Array:
        return np.square(difference)

    def result(self, accumulator: Any) -> float:
        return float(np.sqrt(self.means(accumulator)).mean())


class _Spread(NamedTuple):
    """Sums for each output, with the target counted from `origin`.

    Counting from the first target makes a constant target 0 exactly.
    """

    origin: Array
    positions: int
    weight: float
    mean: Array
    squares: Array
    residuals: Array


class R2(Metric, type="r2"):
    """The coefficient of determination, 1 - sum((target - prediction)**2) / sum((target - mean(target))**2).

    With several outputs, along the last axis, it is the mean of theirs. For a constant target it is 1 if the prediction
    is exact and 0 otherwise; with fewer than two positions of a weight above 0 it is nan. Shapes: prediction and target
    alike, (batch, ..., outputs). Batches are joined as in Chan, Golub and LeVeque 1983, American Statistician 37 (3).
    """

    positions = True

    def start(self) -> Any:
        return None

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, weights = _outputs(self, prediction, target, weights)
        counted = weights > 0
        predicted, true, weights = predicted[counted], true[counted], weights[counted]
        if not len(weights):
            return accumulator
        weight = weights.sum()
        before = None if accumulator is None else _Spread(*accumulator)
        origin = true[0] if before is None else before.origin
        deviation = true - origin
        mean = weights @ deviation / weight
        batch = _Spread(
            origin=origin,
            positions=len(true),
            weight=weight,
            mean=mean,
            squares=weights @ np.square(deviation - mean),
            residuals=weights @ np.square(true - predicted),
        )
        return batch if before is None else _join(before, batch)

    def result(self, accumulator: Any) -> float:
        spread = None if accumulator is None else _Spread(*accumulator)
        if spread is None or spread.positions < 2:
            return math.nan
        residuals, squares = spread.residuals, spread.squares
        unexplained = np.divide(residuals, squares, out=np.sign(residuals), where=squares > 0)
        return float(np.mean(1 - unexplained))


def _join(first: _Spread, second: _Spread) -> _Spread:
    weight = first.weight + second.weight
    shift = second.mean - first.mean
    share = second.weight / weight
    return _Spread(
        origin=first.origin,
        positions=first.positions + second.positions,
        weight=weight,
        mean=first.mean + share * shift,
        squares=first.squares + second.squares + np.square(shift) * (share * first.weight),
        residuals=first.residuals + second.residuals,
    )
