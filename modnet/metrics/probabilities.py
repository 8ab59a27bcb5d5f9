"""Metrics of the scores of classes, which are probabilities for most of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.kinds.metric import Metric
from modnet.losses.targets import check_range
from modnet.metrics.labels import OfEachLabel
from modnet.metrics.positions import position_weights, ratio, scores_and_labels


class _OfRanking(Metric):
    """What depends on the order of the scores of positives and negatives: the mean over classes against the rest."""

    measures = "classes"
    positions = True

    def of_one_class(self, scores: Array, positive: Array, weights: Array) -> float:
        """The value for one class, from the score of each position and whether it is a positive."""
        raise NotImplementedError

    def of_labels(self) -> Metric:
        return OfEachLabel(self)

    def start(self) -> Any:
        return []

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        scores, labels = scores_and_labels(self, prediction, target)
        # Copies: the arrays of a batch are reused for the next one.
        accumulator.append((scores.copy(), labels.copy(), position_weights(weights, len(prediction), len(labels))))
        return accumulator

    def result(self, accumulator: Any) -> float:
        if not accumulator:
            return math.nan
        scores, labels, weights = (np.concatenate(parts) for parts in zip(*accumulator, strict=True))
        classes = scores.shape[1]
        if not len(scores):
            return math.nan
        if classes <= 2:
            return self.of_one_class(scores[:, -1], labels == 1, weights)
        each = [self.of_one_class(scores[:, label], labels == label, weights) for label in range(classes)]
        return float(np.mean(each))


class AUC(_OfRanking, type="auc"):
    """The area under the receiver operating characteristic: the probability that a positive scores above a negative.

    Equal scores count half. With a single output or two classes the positives are class 1; with more, it is the mean of
    the areas of each class against the rest ("one versus rest, macro"). It is nan if a class has no positives or no
    negatives. Of several labels it is the mean of the labels' areas. It keeps the scores of the whole epoch, so its
    memory grows with the data.

    Source: Hanley and McNeil 1982, Radiology 143 (1).
    """

    def of_one_class(self, scores: Array, positive: Array, weights: Array) -> float:
        positives, negatives = _at_distinct_scores(scores, positive, weights)
        # For each score, the weight of the positives above it, and half of those equal to it: the Mann-Whitney
        # statistic.
        above = positives.sum() - positives.cumsum()
        return ratio(negatives @ (above + positives / 2), positives.sum() * negatives.sum())


class AveragePrecision(_OfRanking, type="average_precision"):
    """The area under the curve of precision over recall: sum((R_n - R_{n-1}) * P_n) over the distinct scores.

    P_n and R_n are precision and recall where the n greatest of these scores are predicted as positives. It suits rare
    positives: a guess scores their share, and obvious negatives do not raise it. Which
    class is positive, and what is done with several classes or labels, are as for `auc`; so is the memory. It is 0 for
    a class without positives.

    Source: scikit-learn's average_precision_score, which does not interpolate between the points of the curve.
    """

    def of_one_class(self, scores: Array, positive: Array, weights: Array) -> float:
        positives, negatives = (found[::-1] for found in _at_distinct_scores(scores, positive, weights))
        hits, taken = positives.cumsum(), (positives + negatives).cumsum()
        if not taken[-1]:
            return math.nan
        precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
        return float(positives @ precision / hits[-1]) if hits[-1] else 0.0


def _at_distinct_scores(scores: Array, positive: Array, weights: Array) -> tuple[Array, Array]:
    """The weights of positives and of negatives at each distinct score, from the least score to the greatest."""
    order = np.argsort(scores)
    scores, positive, weights = scores[order], positive[order], weights[order]
    first_of_equals = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
    positives: Array = np.add.reduceat(weights * positive, first_of_equals)
    negatives: Array = np.add.reduceat(weights * ~positive, first_of_equals)
    return positives, negatives


ROUNDING = float(np.finfo(np.float64).eps)
"""Probabilities are clipped to this distance from 0 and 1 in a logarithm, as in scikit-learn."""


class Judged(NamedTuple):
    """Probabilities and the true classes.

    Attributes:
        scores: the probability of each class, float64 (positions, classes).
        labels: the true class of each position.
        rows: the share of each class, (positions, classes), if targets are rows: usually one-hot.
    """

    scores: Array
    labels: Array
    rows: Array | None

    def share(self, classes: Array) -> Array:
        """For each position, the share of the class that is given for it: 1 or 0 for labels."""
        if self.rows is None:
            return np.equal(self.labels, classes).astype(np.float64)
        return at(self.rows, classes)


def at(scores: Array, classes: Array) -> Array:
    """The score of one class for each position."""
    chosen: Array = np.take_along_axis(scores, classes[:, None], axis=1)[:, 0]
    return chosen


def judged(metric: Metric, prediction: Array, target: Array) -> Judged:
    """Predictions that have to be probabilities, with their true classes.

    Raises:
        DataError: for predictions outside [0, 1], beyond rounding: usually logits.
    """
    scores, labels = scores_and_labels(metric, prediction, target)
    rounding = 16 * float(np.finfo(scores.dtype).eps) if scores.dtype.kind == "f" else 0.0
    expected = f"{metric.type} expects probabilities as prediction"
    check_range(prediction, -rounding, 1 + rounding, expected, "; end the network with softmax or sigmoid")
    scores = scores.astype(np.float64)
    if scores.shape[1] == 1:
        return Judged(np.hstack([1 - scores, scores]), labels, None)
    rows = target.reshape(scores.shape) if target.shape == prediction.shape else None
    return Judged(scores, labels, rows)


class LogLoss(Metric, type="log_loss"):
    """The mean of -log(p) of the true class: cross-entropy, for networks that are trained with another loss.

    For a target row t it is -sum(t * log(p)). p is clipped to [eps, 1 - eps], with eps = 2.2e-16 as of float64.
    """

    measures = "classes"
    positions = True
    greater_is_better = False

    def of_labels(self) -> Metric:
        return OfEachLabel(self)

    def start(self) -> Any:
        return 0.0, 0.0

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        scores, labels, rows = judged(self, prediction, target)
        weights = position_weights(weights, len(prediction), len(labels))
        p = np.clip(at(scores, labels) if rows is None else scores, ROUNDING, 1 - ROUNDING)
        likelihood = np.log(p) if rows is None else np.einsum("ij,ij->i", rows, np.log(p))
        loss, total = accumulator
        return loss - weights @ likelihood, total + weights.sum()

    def result(self, accumulator: Any) -> float:
        return ratio(*accumulator)


class CalibrationError(Metric, type="calibration_error"):
    """The expected calibration error: 0 if predictions with a confidence of 80 % are right in 80 % of cases.

    The positions are sorted into `bins` intervals of equal width, open on the left, by their confidence, the
    probability of the predicted class. The value is the mean, over the positions, of the distance between a bin's share
    of correct predictions and its mean confidence. A target row counts as correct by its share of the predicted class.
    With a single output the confidence is that of the more probable class, as with two outputs.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3, and the 15 bins of its experiments.

    Attributes:
        bins: how many intervals of confidence there are.
    """

    measures = "classes"
    positions = True
    greater_is_better = False

    bins: int = field(default=15, minimum=1)

    def of_labels(self) -> Metric:
        return OfEachLabel(self)

    def start(self) -> Any:
        return None

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        found = judged(self, prediction, target)
        weights = position_weights(weights, len(prediction), len(found.labels))
        predicted = found.scores.argmax(axis=1)
        confidence = at(found.scores, predicted)
        bins = np.searchsorted(np.linspace(0, 1, self.bins + 1)[1:-1], confidence, side="left")
        sums = np.stack(
            [np.bincount(bins, of * weights, self.bins) for of in (1.0, found.share(predicted), confidence)]
        )
        return sums if accumulator is None else accumulator + sums

    def result(self, accumulator: Any) -> float:
        if accumulator is None:
            return math.nan
        weight, right, confidence = accumulator
        return ratio(np.abs(right - confidence).sum(), weight.sum())
