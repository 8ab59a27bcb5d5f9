"""How sure figures are that were measured on so few rows: the bootstrap."""

from __future__ import annotations

import numpy as np

from modnet.arrays import Array
from modnet.assessment.resampling import CONFIDENCE, Interval, resampled
from modnet.datasets.batches import Batch
from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.plugins.registry import default_registry
from modnet.training.objective import Objective
from modnet.training.sources import Given, data_to_measure
from modnet.training.tally import Tally
from modnet.training.train import merged_training

FEWEST, MOST = 100, 1000
"""How often rows are drawn again: fewer times for many rows, whose figures vary little."""

WORK = 5_000_000
"""How many rows are drawn in all."""


def bootstrap_intervals(
    network: Network, data: Dataset, *, share: float = CONFIDENCE, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Between which bounds the figures of other rows like these would lie, by drawing from these with replacement.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (the percentile interval). It says
    how the choice of these rows for the test shows in the figures; how the choice of the training rows does, only other
    trainings can say.

    Args:
        share: how often the figures of other rows lie within.

    Returns:
        Figure name -> (lower, upper), of the loss and the metrics of the training that are one number; empty where the
        rows have no figures by themselves: for a loss that couples them, or steps with weights.
    """
    objective = Objective(network, merged_training(network, {"loss": None}, default_registry()))
    data_to_measure(objective, Given(data))
    if objective.couples or objective.masked or (data.weights is not None and data.weights.ndim > 1):
        return {}
    own = data.copied()
    values = _values(objective, own)
    rows = len(own)
    whole = _figures(objective, own, values, np.arange(rows))
    names = [name for name, value in whole.items() if np.ndim(value) == 0]

    def measured(chosen: Array) -> Array:
        figures = _figures(objective, own, values, chosen)
        return np.array([figures[name] for name in names], np.float64)

    drawn = resampled(measured, rows, min(max(WORK // rows, FEWEST), MOST), seed)
    found = {name: Interval.of(drawn[:, place], share) for place, name in enumerate(names)}
    return {name: (interval.low, interval.high) for name, interval in found.items() if np.isfinite(interval.low)}


def _values(objective: Objective, data: Dataset) -> list[Array]:
    """What losses and metrics read of all rows."""
    reader = Pass(objective.network, objective.measured)
    batches = data.batches(objective.network.rows_at_a_time(list(data.inputs.values())))
    parts = [[value.copy() for value in reader.forward(batch.inputs)] for batch in batches.epoch()]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _figures(objective: Objective, data: Dataset, values: list[Array], rows: Array) -> dict[str, float | Array]:
    """The figures of some rows."""
    tally = Tally(objective.heads)
    targets = {name: target[rows] for name, target in data.targets.items()}
    weights = None if data.weights is None else data.weights[rows]
    if weights is None or weights.any():
        objective.evaluate([value[rows] for value in values], Batch([rows], targets, weights, rows), tally)
    return tally.result()
