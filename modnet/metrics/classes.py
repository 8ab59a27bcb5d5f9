"""Metrics of decisions, which compare the predicted class with the true one."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.metric import Metric
from modnet.metrics.labels import OfAllLabels, OfEachLabel
from modnet.metrics.positions import decisions, position_weights, ratio, scores_and_labels


class Share(Metric):
    """The weighted share of positions that are hits."""

    measures = "classes"
    positions = True

    def start(self) -> Any:
        return 0.0, 0.0

    def hits(self, prediction: Array, target: Array) -> Array:
        """Whether each position is a hit, shape (positions,)."""
        raise NotImplementedError

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        hits = self.hits(prediction, target)
        weights = position_weights(weights, len(prediction), len(hits))
        hit, total = accumulator
        return hit + weights @ hits, total + weights.sum()

    def result(self, accumulator: Any) -> float:
        return ratio(*accumulator)


class Accuracy(Share, type="accuracy"):
    """The share of positions whose most probable class (the first one in a tie) is the true class.

    Of several labels (see `modnet.metrics`) it is the share of labels that are right, over all samples.
    """

    def of_labels(self) -> Metric:
        return OfAllLabels(self)

    def hits(self, prediction: Array, target: Array) -> Array:
        predicted, true, _ = decisions(self, prediction, target)
        return np.equal(predicted, true)


class TopKAccuracy(Share, type="top_k_accuracy"):
    """The share of positions whose true class is among the k with the highest scores.

    In a tie the later class counts as the higher one, as in scikit-learn. With k classes or fewer the value is 1.

    Attributes:
        k: how many of the highest scores count.
    """

    k: int = field(default=5, minimum=1)

    def of_labels(self) -> Metric:
        raise ValueError("top_k_accuracy is for classes that exclude each other; for several labels use accuracy or f1")

    def hits(self, prediction: Array, target: Array) -> Array:
        scores, labels = scores_and_labels(self, prediction, target)
        classes = scores.shape[1]
        if classes == 1:
            raise ShapeError(f"top_k_accuracy expects a score for each class, found predictions {prediction.shape}")
        own = np.take_along_axis(scores, labels[:, None], axis=1)
        # By the classes with lower scores: comparisons with nan are false, so a true class with score nan is a miss.
        behind = (scores < own) | ((scores == own) & (np.arange(classes) < labels[:, None]))
        hits: Array = (~behind).sum(axis=1) <= self.k
        return hits


class ConfusionMatrix(Metric, type="confusion_matrix"):
    """How often (or with what weight) each class, by row, was predicted as each class, by column.

    Shape (classes, classes), with all classes that the prediction has; int64, or float64 with weights. Without any
    batch it is of shape (0, 0). Of several labels it has a matrix for each, (labels, 2, 2): for absent and present.
    """

    measures = "classes"
    positions = True
    greater_is_better = None

    def of_labels(self) -> Metric:
        return OfEachLabel(self)

    def start(self) -> Any:
        return None

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, classes = decisions(self, prediction, target)
        if weights is not None:
            weights = position_weights(weights, len(prediction), len(true))
        counts = np.bincount(true * classes + predicted, weights, classes**2).reshape(classes, classes)
        return counts if accumulator is None else accumulator + counts

    def result(self, accumulator: Any) -> Array:
        return np.zeros((0, 0), np.int64) if accumulator is None else accumulator


class Counts(NamedTuple):
    """For each class: how often it was predicted correctly, predicted, and true; and whether it was either of these."""

    hit: Array
    predicted: Array
    true: Array
    seen: Array


class ClassCounts(Metric):
    """A metric that is computed from the counts of each class; of several labels the mean of those of the labels."""

    measures = "classes"
    positions = True

    def of_labels(self) -> Metric:
        return OfEachLabel(self)

    def value(self, counts: Counts) -> float:
        """The value of an epoch in which something has a weight."""
        raise NotImplementedError

    def start(self) -> Any:
        return None

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, classes = decisions(self, prediction, target)
        self.check_classes(classes)
        weights = position_weights(weights, len(prediction), len(true))
        right = predicted == true
        counts = Counts(
            hit=np.bincount(true[right], weights[right], classes),
            predicted=np.bincount(predicted, weights, classes),
            true=np.bincount(true, weights, classes),
            # Training skips a batch without any weight, so positions without weight must not count in others either:
            # otherwise the value would depend on the division into batches.
            seen=np.bincount(np.append(predicted[weights > 0], true[weights > 0]), minlength=classes) > 0,
        )
        if accumulator is None:
            return counts
        return Counts(*(old + new for old, new in zip(accumulator, counts, strict=True)))

    def check_classes(self, classes: int) -> None:
        """Raises ShapeError for a number of classes for which the metric is not defined."""

    def result(self, accumulator: Any) -> float | Array:
        if accumulator is None:
            return math.nan
        counts = Counts(*accumulator)
        return self.value(counts) if counts.true.any() else math.nan


class ClassRatio(ClassCounts):
    """A ratio of counts of each class, and its average over the classes.

    Attributes:
        average: "binary" is the ratio of class 1, for two classes; "macro" the mean of the ratios of all classes that
            were predicted or true; "micro" the ratio of the sums over all classes. "auto" is "binary" for a single
            output or two classes and "macro" for more. Of several labels, "micro" is the ratio of the sums over all
            labels, and anything else the mean of the ratios of the labels.
    """

    average: Literal["auto", "binary", "macro", "micro"] = "auto"

    def of_labels(self) -> Metric:
        of_present = self.replace(average="binary")
        return OfAllLabels(of_present) if self.average == "micro" else OfEachLabel(of_present)

    def terms(self, counts: Counts) -> tuple[Array, Array]:
        """Numerator and denominator of each class."""
        raise NotImplementedError

    def check_classes(self, classes: int) -> None:
        if self.average == "binary" and classes > 2:
            raise ShapeError(
                f'{self.type} with average "binary" expects one output or two classes, found {classes}',
                'use "macro" or "micro"',
            )

    def value(self, counts: Counts) -> float:
        numerator, denominator = self.terms(counts)
        average = self.average
        if average == "auto":
            average = "binary" if len(numerator) == 2 else "macro"
        if average == "micro":
            return ratio(numerator.sum(), denominator.sum())
        ratios = np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
        return float(ratios[1] if average == "binary" else ratios[counts.seen].mean())


class Precision(ClassRatio, type="precision"):
    """The share of the positions predicted as a class that belong to it; 0 for a class that was never predicted."""

    def terms(self, counts: Counts) -> tuple[Array, Array]:
        return counts.hit, counts.predicted


class Recall(ClassRatio, type="recall"):
    """The share of the positions of a class that were predicted as it; 0 for a class that never occurs."""

    def terms(self, counts: Counts) -> tuple[Array, Array]:
        return counts.hit, counts.true


class F1(ClassRatio, type="f1"):
    """The harmonic mean of precision and recall, 2 * hits / (predicted + true); 0 for a class that never occurred."""

    def terms(self, counts: Counts) -> tuple[Array, Array]:
        return 2 * counts.hit, counts.predicted + counts.true


class MatthewsCorrelation(ClassCounts, type="matthews_correlation"):
    """The correlation of the predicted and the true class: 1 if all are right, about 0 for guesses.

    With t the shares of the true classes, p those of the predicted classes and c the share of correct positions, it is
    (c - t . p) / sqrt((1 - p . p) (1 - t . t)); 0 if only one class is true, or only one is predicted. With two classes
    it is the phi coefficient, between -1 and 1; with more, its minimum is between -1 and 0.

    Source: Matthews 1975, Biochimica et Biophysica Acta 405 (2); for more than two classes Gorodkin 2004,
    Computational Biology and Chemistry 28.
    """

    def value(self, counts: Counts) -> float:
        # Shares, not counts: if there is only one class, 1 - p is exactly 0, in spite of rounding in sums of weights.
        predicted, true = counts.predicted / counts.predicted.sum(), counts.true / counts.true.sum()
        spread = float(predicted @ (1 - predicted)) * float(true @ (1 - true))
        covariance = counts.hit.sum() / counts.true.sum() - predicted @ true
        return float(covariance / math.sqrt(spread)) if spread > 0 else 0.0


class BalancedAccuracy(ClassCounts, type="balanced_accuracy"):
    """The mean of the classes' recalls: of the share of the positions of a class that were predicted as it.

    It is the mean over the classes that are true somewhere. In `recall` with average "macro", classes that are only
    predicted count as well, as 0.

    Source: Brodersen et al. 2010, "The balanced accuracy and its posterior distribution".
    """

    def value(self, counts: Counts) -> float:
        there = counts.true > 0
        return float((counts.hit[there] / counts.true[there]).mean())
