"""Metrics that do not fit the network's predictions, because their own errors about shapes and labels do not say so."""

from __future__ import annotations

import numpy as np

from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.errors import DataError, ShapeError
from modnet.kinds.metric import Metric
from modnet.training.heads import Head, decides, refuse, title_of
from modnet.training.objective import Objective
from modnet.words import legible, show

OF_NUMBERS = ("r2", "mean_absolute_error", "root_mean_squared_error")
OF_CLASSES = ("accuracy", "f1", "auc", "log_loss", "confusion_matrix")
"""What is suggested instead."""

FEW = 256
"""On how many rows the metrics are tried."""


def refuse_unfit(objective: Objective, data: Dataset) -> None:
    """Called when data could not be measured: looks whether a metric is at fault, which the first rows show.

    Raises:
        SpecError: a metric of classes is to measure numbers, or the other way round.
    """
    network, few = objective.network, next(data.batches(FEW).epoch())
    try:
        with np.errstate(all="ignore"):
            outputs = network.forward(dict(zip(network.inputs, few.inputs, strict=True)))
    except (ShapeError, DataError):
        return
    predictions = outputs if isinstance(outputs, dict) else dict.fromkeys(network.outputs, outputs)
    for head in objective.heads:
        for name, metric in head.metrics.items():
            try:
                metric.update(metric.start(), predictions[head.name], few.targets[head.name], few.weights)
            except (ShapeError, DataError):
                _refuse(network, head, name, metric)


def _refuse(network: Network, head: Head, name: str, metric: Metric) -> None:
    title, told = legible(title_of(network, head.name)), f"{show(name)} does not fit the model"
    if metric.measures == "classes" and not decides(network, head.name, head.loss):
        what = f"it measures classes, but the model predicts {title} as a number"
        refuse("metrics", f"{told}: {what}", f"for numbers: {', '.join(OF_NUMBERS)}")
    if metric.measures == "numbers" and head.loss.takes_labels:
        what = f"it measures numbers, but the model predicts {title} as classes"
        refuse("metrics", f"{told}: {what}", f"for classes: {', '.join(OF_CLASSES)}")
