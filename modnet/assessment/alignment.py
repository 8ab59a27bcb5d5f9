"""The predictions of several models for the same rows, in one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import chain
from typing import Any, Literal

import numpy as np

from modnet.arrays import Array
from modnet.data.faults import Report
from modnet.data.named_arrays import NamedArrays
from modnet.data.table import Table, shorten
from modnet.datasets.dataset import Dataset
from modnet.datasets.read import loader_for, output_losses
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.kinds.metric import Metric
from modnet.plugins.registry import Registry
from modnet.records import Record
from modnet.training.heads import class_names, decides, has_labels, metrics_by_output
from modnet.training.trained_on import was_trained_on
from modnet.words import counted, legible

Kind = Literal["classes", "labels", "numbers"]

ONE = 1e-3
"""How far the sum of probabilities may be from 1."""


class Goal(Record, eq=False):
    """What all of the models predict.

    Attributes:
        name: the target columns, or the output of models that were trained on arrays.
        output: of the first model.
        kind: "classes", "labels" (any number of them), or "numbers".
        target: the truth, (rows,) labels or (rows, ...) numbers.
        predictions: of each model, (rows, ...); of classes and labels in one order.
        metrics: those of the models' own training, each once.
        are_probabilities: whether all predictions are probabilities of classes.
    """

    name: str
    output: str
    kind: Kind
    target: Array
    predictions: Sequence[Array]
    metrics: Sequence[Metric]
    are_probabilities: bool


class Aligned(Record, eq=False):
    """The predictions of several models for the rows that each of them can be measured by.

    Attributes:
        rows: the positions of these rows in the data.
        goals: what is predicted.
        weights: of the rows, by the first model that has a column of weights; None for ones.
        notes: lines about rows that are left out, and rows that a model was trained on.
    """

    rows: Array
    goals: Sequence[Goal]
    weights: Array | None
    notes: Sequence[str]


class _Model(Record, eq=False):
    """A model, and what it takes from the data."""

    name: str
    network: Network
    registry: Registry
    source: Table | NamedArrays

    def rows(self) -> tuple[Array, list[str]]:
        """The positions of the rows that it can be measured by, and what there is to say of the others."""
        if isinstance(self.source, NamedArrays):
            return np.arange(len(self.dataset(None))), []
        schema = self.network.card.schema
        if schema is None:
            raise DataError(f"{self.source.name}: found a table, but {self.name} was trained on arrays")
        report = Report()
        measurable = schema.complete(schema.measurable(self.source, report), True, report)
        return np.flatnonzero(np.isin(_places(self.source), _places(measurable))), report.texts()

    def dataset(self, rows: Array | None) -> Dataset:
        """The data as the network takes them; all rows for None."""
        if isinstance(self.source, NamedArrays):
            found = loader_for(self.network, registry=self.registry).dataset(self.source, self.network.card.schema)
            return found if rows is None else found.take(rows)
        table = self.source if rows is None else self.source.take(rows)
        return Dataset.of_table(self.network.card.schema, table)

    def goals(self) -> dict[tuple[str, ...], str]:
        """What is predicted -> the output that does."""
        schema, losses = self.network.card.schema, output_losses(self.network)
        found = {}
        for output in (name for name, loss in losses.items() if loss.takes_target):
            columns = () if schema is None else schema.targets.get(output, ())
            named = schema is not None and bool(schema.inputs)
            found[tuple(column.name for column in columns) if named else (output,)] = output
        return found

    def kind(self, output: str) -> Kind:
        schema, loss = self.network.card.schema, output_losses(self.network)[output]
        columns = () if schema is None else schema.targets.get(output, ())
        if columns and columns[0].kind == "labels":
            return "labels"
        if has_labels(self.network, output, loss):
            return "labels"
        return "classes" if decides(self.network, output, loss) else "numbers"


def align(networks: Mapping[str, Network], sources: Sequence[Table | NamedArrays], registry: Registry) -> Aligned:
    """Predicts by each of the models.

    Args:
        networks: name -> model.
        sources: for each of them the same data, as its own schema has them read.

    Raises:
        DataError: they predict different things, or in forms that cannot be compared; or no row can be used by all.
    """
    pairs = zip(networks.items(), sources, strict=True)
    models = [_Model(name, network, registry, source) for (name, network), source in pairs]
    _require_same_goals(models)
    rows, notes = _rows_of_all(models)
    datasets = [model.dataset(rows) for model in models]
    weights = [_own(data.weights, data) for data in datasets if data.weights is not None]
    notes += _weighted(models)[: len(weights[:1])]
    outputs = [_forward(model.network, data) for model, data in zip(models, datasets, strict=True)]
    goals = [_goal(models, key, datasets[0], outputs) for key in models[0].goals()]
    return Aligned(rows, goals, weights[0] if weights else None, notes)


def _rows_of_all(models: Sequence[_Model]) -> tuple[Array, list[str]]:
    """The rows that all of the models can be measured by, and what there is to say of rows."""
    measurable, told = zip(*(model.rows() for model in models), strict=True)
    if len({len(model.source) for model in models if isinstance(model.source, Table)}) > 1:
        raise DataError("the models read different numbers of rows in these data")
    rows = reduce(np.intersect1d, measurable)
    if not len(rows):
        raise DataError("no row can be measured by all of the models")
    notes = _left_out(models, told)
    if len(rows) < min(map(len, measurable)):
        notes.append(f"{counted(len(rows), 'row')} can be measured by all of the models")
    return rows, notes + _of_training(models, measurable)


def _left_out(models: Sequence[_Model], told: Sequence[Sequence[str]]) -> list[str]:
    """What there is to say of rows that a model cannot be measured by; once where it is the same for all."""
    if all(lines == told[0] for lines in told):
        return list(told[0])
    return [f"{model.name}: {line}" for model, lines in zip(models, told, strict=True) for line in lines]


def _weighted(models: Sequence[_Model]) -> list[str]:
    """Says by which column the rows are weighted."""
    schemas = [(model.name, model.network.card.schema) for model in models]
    named = [(name, schema.weights.name) for name, schema in schemas if schema is not None and schema.weights]
    return [f"rows are weighted by column {legible(column)}, as in the training of {name}" for name, column in named]


def _places(table: Table) -> Array:
    return np.arange(len(table)) if table.rows is None else table.rows


def _own(array: Array, data: Dataset) -> Array:
    return array if data.rows is None else array[data.rows]


def _forward(network: Network, data: Dataset) -> dict[str, Array]:
    outputs = network.forward({name: _own(array, data) for name, array in data.inputs.items()})
    return outputs if isinstance(outputs, dict) else dict.fromkeys(network.outputs, outputs)


def _of_training(models: Sequence[_Model], measurable: Sequence[Array]) -> list[str]:
    """Says which models were trained on these rows."""
    return [
        f"{model.name} was trained on these rows, and looks better on them than it is; use other rows"
        for model, rows in zip(models, measurable, strict=True)
        if was_trained_on(model.network, model.dataset(rows), some=True)
    ]


def _require_same_goals(models: Sequence[_Model]) -> None:
    first = models[0]
    for model in models[1:]:
        if model.goals().keys() != first.goals().keys():
            ours, theirs = (_told(one.goals()) for one in (first, model))
            raise DataError(
                f"{first.name} predicts {ours}, and {model.name} predicts {theirs}; "
                "only models of the same target can be compared"
            )
        for key, output in model.goals().items():
            ours, theirs = first.kind(first.goals()[key]), model.kind(output)
            if ours != theirs:
                raise DataError(
                    f"{first.name} predicts {_told([key])} as {ours}, and {model.name} as {theirs}; "
                    "these cannot be compared"
                )


def _told(goals: Any) -> str:
    return shorten(", ".join(names) for names in goals) or "nothing with a target"


# One form


def _goal(
    models: Sequence[_Model], key: tuple[str, ...], data: Dataset, outputs: Sequence[Mapping[str, Array]]
) -> Goal:
    names = [model.goals()[key] for model in models]
    found = [each[name] for each, name in zip(outputs, names, strict=True)]
    kind = models[0].kind(names[0])
    target = _own(data.targets[names[0]], data)
    if kind == "numbers":
        found = [_median(model, name, given) for model, name, given in zip(models, names, found, strict=True)]
    else:
        found, target = _in_one_order(models, names, found, target, kind)
    _check_forms(models, found)
    probable = kind == "classes" and all(map(_are_probabilities, found))
    return Goal(", ".join(key), names[0], kind, target, found, _metrics_of(models, names), probable)


def _check_forms(models: Sequence[_Model], found: Sequence[Array]) -> None:
    """Raises DataError for predictions that cannot be compared."""
    for model, given in zip(models, found, strict=True):
        if given.ndim > 2 and any(node.layer.makes_mask for node in model.network.graph.nodes):
            raise DataError(f"{model.name} predicts sequences with padded steps, which cannot be compared")
        if given.shape != found[0].shape:
            raise DataError(
                f"{models[0].name} gives predictions of shape {found[0].shape[1:]}, and {model.name} of shape "
                f"{given.shape[1:]}; these cannot be compared"
            )


def _metrics_of(models: Sequence[_Model], names: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics of the models' own training for these outputs, each once."""
    found: dict[Metric, None] = {}
    for model, name in zip(models, names, strict=True):
        found |= dict.fromkeys(metrics_by_output(model.network, _training(model.network)).get(name, ()))
    return tuple(found)


def _training(network: Network) -> Any:
    return network.card.training


def _median(model: _Model, output: str, given: Array) -> Array:
    """Predictions of numbers; of several quantiles the median."""
    schema = model.network.card.schema
    columns = () if schema is None else schema.targets.get(output, ())
    quantiles = columns[0].quantiles if columns else ()
    if not quantiles:
        return given
    if 0.5 not in quantiles:
        raise DataError(f"{model.name} predicts quantiles without the median, which cannot be compared")
    place = quantiles.index(0.5)
    return given[:, place : place + 1]


def _in_one_order(
    models: Sequence[_Model], names: Sequence[str], found: Sequence[Array], target: Array, kind: Kind
) -> tuple[list[Array], Array]:
    """Predictions and targets whose classes, or labels, are those of all models in the order of the first."""
    if not all(given.ndim == 2 for given in found):
        return list(found), target  # sequences, whose metrics take them as they are
    classes = [_classes_of(*each, kind) for each in zip(models, names, found, strict=True)]
    widths = {given.shape[1] for given in found}
    if len(widths) == 1 and all(own == classes[0] for own in classes):
        return list(found), target
    every = list(dict.fromkeys(chain(*classes)))
    each = zip(models, found, classes, strict=True)
    return [_spread(model, given, own, every) for model, given, own in each], _spread_target(target, classes[0], every)


def _spread(model: _Model, given: Array, own: Sequence[str], every: Sequence[str]) -> Array:
    """Predictions of a model's own classes at their places among all classes; 0 for others."""
    spread = np.zeros((len(given), len(every)), given.dtype)
    spread[:, [every.index(name) for name in own]] = _of_both(model.name, given) if len(own) > given.shape[1] else given
    return spread


def _classes_of(model: _Model, output: str, given: Array, kind: Kind) -> list[str]:
    """The names of the classes, or of the labels; one number is the probability of the second of two classes."""
    return class_names(model.network, output, max(given.shape[1], 2 if kind == "classes" else 1))


def _spread_target(target: Array, classes: Sequence[str], every: Sequence[str]) -> Array:
    """The target of the first model, by the places of all classes; its own are the first of them."""
    if target.ndim == 1 or target.shape[1] == 1:
        return target.reshape(len(target)).astype(np.int64)
    return np.pad(target, ((0, 0), (0, len(every) - len(classes))))


def _of_both(name: str, given: Array) -> Array:
    """The probabilities of both classes, from that of the second."""
    if not ((given >= 0) & (given <= 1)).all():
        raise DataError(f"{name} gives scores of two classes that are not probabilities; these cannot be compared here")
    return np.concatenate([1 - given, given], axis=1)


def _are_probabilities(given: Array) -> bool:
    if given.ndim != 2 or not ((given >= 0) & (given <= 1)).all():
        return False
    return given.shape[1] == 1 or bool((np.abs(given.sum(axis=1) - 1) <= ONE).all())
