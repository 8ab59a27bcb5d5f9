"""How sure figures are that were measured on so few rows: the bootstrap."""

from __future__ import annotations

import numpy as np

from modnet.arrays import Array
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
    network: Network, data: Dataset, *, share: float = 0.95, seed: int = 0
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
    rng, rows = np.random.default_rng(seed), len(own)
    found: dict[str, list[float]] = {}
    for _ in range(min(max(WORK // rows, FEWEST), MOST)):
        figures = _figures(objective, own, values, rng.integers(0, rows, rows))
        for name, value in figures.items():
            if np.ndim(value) == 0:
                found.setdefault(name, []).append(float(value))
    tail = (1 - share) / 2
    return {name: _bounds(np.array(drawn), tail) for name, drawn in found.items() if np.isfinite(drawn).any()}


def _bounds(drawn: Array, tail: float) -> tuple[float, float]:
    low, high = np.quantile(drawn[np.isfinite(drawn)], [tail, 1 - tail])
    return float(low), float(high)


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
