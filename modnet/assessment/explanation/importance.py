"""Permutation importance: how much worse a network gets when one column says nothing any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.assessment.explanation.features import Feature
from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.plugins.registry import default_registry
from modnet.records import Record
from modnet.training.evaluation import Evaluation
from modnet.training.objective import Objective
from modnet.training.sources import Given, data_to_measure, evaluation_batches
from modnet.training.train import merged_training
from modnet.waiting import watched
from modnet.words import did_you_mean, show


class Importance(Record, eq=False):
    """What is lost of the figures of a network when the values of a column are shuffled among the rows.

    Attributes:
        columns: the names of the columns, in the order of the table.
        figures: figure name -> its value for the rows as they are.
        greater_is_better: figure name -> whether a greater value is better.
        losses: figure name -> how much worse it is for shuffled values, (columns, repeats): the rise of a loss or
            error, the fall of an accuracy. Below 0 the network does better without the column.
        rows: how many rows were measured.
    """

    columns: tuple[str, ...]
    figures: dict[str, float]
    greater_is_better: dict[str, bool]
    losses: dict[str, Array]
    rows: int

    def mean(self, figure: str) -> Array:
        """The mean over the repeats, (columns,)."""
        found: Array = self.losses[figure].mean(axis=1)
        return found

    def deviation(self, figure: str) -> Array:
        """The standard deviation over the repeats, (columns,)."""
        found: Array = self.losses[figure].std(axis=1)
        return found

    def order(self) -> list[int]:
        """The positions of the columns, the most important by the first figure before the others."""
        found: list[int] = np.argsort(-self.mean(next(iter(self.figures))), kind="stable").tolist()
        return found


def permutations(rows: int, repeats: int, seed: int) -> Array:
    """Orders of rows, intp (repeats, rows). Raises ValueError if repeats is less than 1."""
    if repeats < 1:
        raise ValueError(f"repeats: expected at least 1, found {repeats}")
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(rows) for _ in range(repeats)])


def permutation_importance(
    network: Network,
    data: Dataset,
    features: Sequence[Feature],
    orders: Array,
    figures: Sequence[str] = (),
) -> Importance:
    """Measures a network with the values of each column in other orders, all other columns as they are.

    Source: Breiman 2001, "Random Forests", section 10; for any model Fisher, Rudin and Dominici 2019, "All Models are
    Wrong, but Many are Useful", equation 3. A column whose values the others repeat seems unimportant, as the network
    can do without it.

    Args:
        data: rows with targets; rows that the network was not trained on, or the figure tells what it has learnt by
            heart.
        orders: intp (repeats, rows): all columns are shuffled by the same, so that they can be compared.
        figures: names of figures, or of metrics; by default the loss, and the first metric of the training.

    Raises:
        DataError: there is no such figure, or it is not one number, or has no better and worse.
        SpecError, ShapeError, DataError: as `modnet.evaluate`.
    """
    measure, better = _measure(network, data, figures)
    shuffled = data.copied()
    inputs, base = shuffled.inputs, measure(shuffled)
    losses = {figure: np.zeros((len(features), len(orders))) for figure in better}
    for place, feature in enumerate(watched(features, "columns shuffled", len(features))):
        known = {name: values.copy() for name, values in feature.of(inputs).items()}
        for repeat, order in enumerate(orders):
            feature.write(inputs, {name: values[order] for name, values in known.items()})
            found = measure(shuffled)
            for figure, greater in better.items():
                losses[figure][place, repeat] = (base[figure] - found[figure]) * (1 if greater else -1)
        feature.write(inputs, known)
    return Importance(tuple(feature.name for feature in features), base, better, losses, len(data))


class _Measure:
    """Measures some figures of a network on a dataset."""

    def __init__(self, objective: Objective, figures: Sequence[str]) -> None:
        self._objective, self._figures = objective, figures
        self._evaluation = Evaluation(objective.network, objective)

    def __call__(self, data: Dataset) -> dict[str, float]:
        batches = evaluation_batches(self._objective, self._objective.training, data)
        found = self._evaluation.figures(batches)
        return {name: float(found[name]) for name in self._figures}


def _measure(network: Network, data: Dataset, figures: Sequence[str]) -> tuple[_Measure, dict[str, bool]]:
    """What measures the figures, and for each of them whether a greater value is better."""
    asked = {"loss": None, "metrics": _metrics(network, figures), "batch_size": None}
    objective = Objective(network, merged_training(network, asked, default_registry()))
    data_to_measure(objective, Given(data))
    known = objective.figures()
    numbers = Evaluation(network, objective).figures(evaluation_batches(objective, objective.training, data), True)
    usable = {name: better for name, better in known.items() if better is not None and np.ndim(numbers[name]) == 0}
    chosen: Mapping[str, None] = dict.fromkeys(figures or list(usable)[: 1 if len(network.outputs) > 1 else 2])
    for name in chosen:
        if name not in usable:
            what = "is not one number that can get better or worse" if name in known else "is not known"
            raise DataError(f"the figure {show(name)} {what}{did_you_mean(name, usable)}; there is {', '.join(usable)}")
    better = {name: bool(usable[name]) for name in chosen}
    return _Measure(objective, list(better)), better


def _metrics(network: Network, figures: Sequence[str]) -> list[str] | None:
    """The metrics to measure instead of those of the training, where a figure is a metric that the training has not."""
    training = network.card.training
    if len(network.outputs) > 1 or training is None or not isinstance(training.metrics, tuple):
        return None
    known = {"loss", *(metric.type for metric in training.metrics)}
    named = [name for name in dict.fromkeys(figures) if name != "loss"]
    return named if not known.issuperset(figures) else None
