"""The entry point `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.datasets.dataset import Dataset, naming
from modnet.datasets.stream import BatchStream
from modnet.engine.network import Network
from modnet.errors import DataError, Problem, ShapeError, SpecError
from modnet.plugins.faults import NamingFaults
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.model import TrainingSpec
from modnet.training.baseline import baseline
from modnet.training.covered import Covered
from modnet.training.evaluation import Evaluation, refuse_nothing
from modnet.training.heads import class_names, decides, has_labels, metrics_by_output, title_of
from modnet.training.measured import OF_CLASS, ByClass, Figures, hits_text
from modnet.training.objective import Objective
from modnet.training.sources import Given, data_to_measure, evaluation_batches
from modnet.training.tally import Tally
from modnet.training.train import merged_training
from modnet.training.unfit import refuse_unfit


def evaluate(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    metrics: Any = None,
    batch_size: int | None = None,
    sample_weights: Any = None,
    registry: Registry | None = None,
) -> Figures:
    """The loss and metrics of a network on data; arguments as for `train`.

    Args:
        x, y: arrays, or without y rows of a table or an iterable of batches.
        metrics: instead of those of the training: a list, or for several outputs a dict of lists.

    Returns:
        Figure name -> value. It also has the figures of guessing (`.base`), rows, precision, recall and F1 of each
        class (`.classes`), and how often intervals cover the truth (`.coverage`); `print` shows all of it.

    Raises:
        SpecError, ShapeError, DataError: as `train`; DataError also if the loss of a sample is nan, or if there is
            nothing to measure.
    """
    measurement = Measurement(loss=loss, metrics=metrics, batch_size=batch_size, registry=registry)
    data = measurement.add(network, Given(x, y, sample_weights))
    return measurement.figures(data)


class Measurement:
    """The figures of a network; or of several, each on its own rows, counted together as if one had predicted all rows.

    Args:
        loss, metrics, batch_size, registry: as for `evaluate`.
    """

    def __init__(
        self, *, loss: Any = None, metrics: Any = None, batch_size: int | None = None, registry: Registry | None = None
    ) -> None:
        self._given = {"loss": loss, "metrics": metrics, "batch_size": batch_size}
        self._registry = registry or default_registry()
        self._objective: Objective | None = None
        self._tally: Tally | None = None

    def add(self, network: Network, given: Given) -> Dataset | BatchStream:
        """Measures a network; returns the data, checked. All networks have the same outputs, losses and metrics.

        Raises:
            SpecError, ShapeError, DataError: as `evaluate`.
        """
        _require_loss(network, self._given["loss"])
        training = merged_training(network, self._given, self._registry)
        objective = Objective(network, _with_details(network, training))
        data = data_to_measure(objective, given)
        batches = evaluation_batches(objective, training, data, self._given["batch_size"] and training.batch_size)
        with naming(batches.name), NamingFaults():
            try:
                self._tally = Evaluation(network, objective).tally(batches, refuse_nan=True, tally=self._tally)
                refuse_nothing(self._tally)
            except (ShapeError, DataError):
                if isinstance(data, Dataset):
                    refuse_unfit(objective, data)
                raise
        self._objective = objective
        return data

    def figures(self, data: Dataset | BatchStream) -> Figures:
        """The figures of all that was measured.

        Args:
            data: all of it, for the figures of guessing.
        """
        assert self._objective is not None  # something was measured
        assert self._tally is not None
        with naming(data.name), NamingFaults():
            return _completed(self._tally.result(), self._objective, data)


def _require_loss(network: Network, loss: Any) -> None:
    if loss is None and network.card.spec.training is None and network.card.stored_training is None:
        hint = 'give one: modnet.evaluate(network, x, y, loss="mse")'
        raise SpecError([Problem("training", "the network was not trained, and has no loss to measure", hint)])


def _with_details(network: Network, training: TrainingSpec) -> TrainingSpec:
    """The training with metrics that count the classes, and what intervals cover, of each output that has any."""
    asked = metrics_by_output(network, training)
    metrics = {
        name: (
            *asked.get(name, ()),
            *([ByClass()] if decides(network, name, used.loss) else []),
            *([Covered(columns=found)] if (found := _columns_with_intervals(network, name)) else []),
        )
        for name, used in training.losses(network.outputs).items()
    }
    return training.replace(metrics={**asked, **metrics})


def _columns_with_intervals(network: Network, output: str) -> tuple[ColumnSchema, ...]:
    """The target columns of an output; none if they have no intervals."""
    schema = network.card.schema
    columns: tuple[ColumnSchema, ...] = () if schema is None else schema.targets.get(output, ())
    return columns if all(column.interval is not None for column in columns) else ()


def _completed(found: Mapping[str, Any], objective: Objective, data: Dataset | BatchStream) -> Figures:
    """The figures, with those of guessing, of each class and of intervals in their own places."""
    classes, covered = (_named(objective, metric.type) for metric in (ByClass, Covered))
    figures = Figures({name: value for name, value in found.items() if name not in (*classes, *covered)})
    for name in filter(found.__contains__, classes):
        by_name = _by_name(objective.network, classes[name], found[name])
        figures.classes.update({title_of(objective.network, classes[name]): by_name} if by_name else {})
    for name in filter(found.__contains__, covered):
        figures.coverage.update(_coverage(_columns_with_intervals(objective.network, covered[name]), found[name]))
    if isinstance(data, Dataset):
        figures.rows = len(data)
        _compare(figures, objective, data)
    return figures


def _named(objective: Objective, metric: str) -> dict[str, str]:
    """What a metric is called among the figures -> its output."""
    several = len(objective.heads) > 1
    return {f"{head.name}_{metric}" if several else metric: head.name for head in objective.heads}


def _by_name(network: Network, output: str, table: Array) -> dict[str, dict[str, float]]:
    """Class or label -> its figures; empty if the targets are not classes."""
    if not len(table) or not np.isfinite(table).all():
        return {}
    of_present = table if table.ndim == 2 else table[:, 1]  # the second of the two classes of each label
    names = class_names(network, output, len(table))
    return {name: dict(zip(OF_CLASS, row.tolist(), strict=True)) for name, row in zip(names, of_present, strict=True)}


def _coverage(columns: Sequence[ColumnSchema], table: Array) -> dict[str, dict[str, float]]:
    """Target -> what was asked for, the share of rows that is covered, and how wide or large that is on average."""
    found = {}
    for column, (share, size) in zip(columns, table.tolist(), strict=True):
        assert column.interval is not None
        measure = "width" if column.kind == "number" else "size"
        found[column.name] = {"asked": column.interval.coverage, "covered": share, measure: size}
    return found


def _compare(figures: Figures, objective: Objective, data: Dataset) -> None:
    """Adds the figures of guessing, and how many rows are right."""
    if "accuracy" in figures and data.weights is None:
        figures.hits = hits_text(figures["accuracy"], data)
    guesses, base = baseline(objective, data)
    if base:
        figures.base = {name: float(base[name]) for name, value in figures.items() if not isinstance(value, np.ndarray)}
    for output, mean in guesses.items():
        figures.guesses[title_of(objective.network, output)] = _guess(objective, output, mean)


def _guess(objective: Objective, output: str, mean: Array) -> Any:
    """The decision for the mean target: the name of a class, "LABEL present" and so on, or numbers."""
    network = objective.network
    (head,) = (head for head in objective.heads if head.name == output)
    if not decides(network, output, head.loss):
        return float(mean[0]) if len(mean) == 1 else mean.tolist()
    if has_labels(network, output, head.loss):
        names = class_names(network, output, len(mean))
        return [f"{name} {'present' if p > 0.5 else 'absent'}" for name, p in zip(names, mean, strict=True)]
    winner = int(mean.argmax()) if len(mean) > 1 else int(mean[0] > 0.5)
    return class_names(network, output, max(len(mean), 2))[winner]
