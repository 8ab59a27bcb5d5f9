"""How metrics read predictions and targets: as positions with classes, scores and weights."""

from __future__ import annotations

import math

import numpy as np

from modnet.arrays import Array
from modnet.errors import ShapeError
from modnet.kinds.metric import Metric
from modnet.losses.targets import check_distributions, class_labels

ONE_CLASS = "if a sample can have several labels, use binary_cross_entropy as the loss, or remove the metric"


def scores_and_labels(metric: Metric, prediction: Array, target: Array) -> tuple[Array, Array]:
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
        check_distributions(target, remedy=f"{metric.type} needs exactly one class in each row; {ONE_CLASS}")
        labels = target.argmax(axis=-1)
    return prediction.reshape(-1, outputs), labels.reshape(-1)


def position_weights(weights: Array | None, samples: int, positions: int) -> Array:
    """The weight of each position: that of its sample, by default 1. The positions of a sample are consecutive."""
    if weights is None:
        return np.ones(positions)
    return np.repeat(np.asarray(weights, np.float64), positions // max(samples, 1))


def decisions(metric: Metric, prediction: Array, target: Array) -> tuple[Array, Array, int]:
    """The predicted and the true class of each position, and the number of classes."""
    scores, labels = scores_and_labels(metric, prediction, target)
    if scores.shape[1] == 1:
        return (scores[:, 0] > 0.5).astype(np.intp), labels, 2
    return scores.argmax(axis=1), labels, scores.shape[1]


def ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else math.nan
