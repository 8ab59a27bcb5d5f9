"""Which of several models is better: their figures on the same rows, and what other rows could have shown.

Not to be mistaken for `modnet.model.compare`, which tells what differs between two model files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.assessment.alignment import Goal, align
from modnet.assessment.resampling import Interval, resampled, resamples_for
from modnet.assessment.spread import like
from modnet.data.named_arrays import NamedArrays
from modnet.data.table import Table
from modnet.datasets.read import source_of
from modnet.datasets.splitting import groups_of
from modnet.engine.network import Network
from modnet.errors import DataError, ShapeError
from modnet.kinds.figures import figure_text, figure_title
from modnet.kinds.metric import Metric
from modnet.model.load import load
from modnet.plugins.faults import NamingFaults
from modnet.plugins.registry import Registry, default_registry
from modnet.records import Record
from modnet.screen import fitted, folded
from modnet.training.heads import metrics_by_output, named_metrics, refuse
from modnet.training.train import merged_training
from modnet.words import counted, free_name, legible, show

Models = Mapping[str, Network] | Sequence[Network | str | PathLike[str]]

USUAL = {"classes": ("accuracy", "log_loss"), "labels": ("accuracy",), "numbers": ("root_mean_squared_error", "r2")}
"""What is measured in any case, beside the metrics of the models' own training; log_loss only of probabilities."""

MOST_MODELS = 26
"""As many as there are letters for them."""

FEWEST = 40
"""Fewer resamples have no percentile 2.5."""

FEW = 256
"""On how many rows it is tried whether a metric fits."""

ROUNDING = 1e-12
"""A difference of this share of a figure is none."""

NO_DIFFERENCE = "no difference that these rows can show"


def compare(
    models: Models,
    x: Any,
    y: Any = None,
    *,
    metrics: Any = None,
    group: str | None = None,
    resamples: int | None = None,
    seed: int = 0,
    registry: Registry | None = None,
) -> ModelComparison:
    """Measures models on the same rows, and how sure their differences are.

        print(modnet.compare({"small": small, "large": large}, rows))

    The rows are drawn with replacement many times, the same ones for all models, and the figures computed again. Where
    95 of 100 such differences lie is the interval. Take rows that no model was trained on.

    Args:
        models: name -> network, two or more; or a list of networks, or of model files. The others are compared with the
            first one. They may take different columns, but predict the same targets.
        x, y: rows, with the target among their columns or as `y`; or arrays. What one cannot use is left out for all.
        metrics: instead of those of the models' own training: a list, or for several outputs of the first model a dict.
            Losses are not compared, since those of two models may be in different units.
        group: a column: rows with the same value are drawn together, as they are not independent of each other.
        resamples: how many; by default 2,000, and fewer of more than 10,000 rows.
        seed: of the draws.

    Raises:
        DataError, ShapeError: the models predict different things, or the data do not fit.
        SpecError: a metric is not valid.
        ValueError: there are fewer than two models, or resamples.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 and 13.
    """
    registry = registry or default_registry()
    with NamingFaults():
        networks = _networks(models, registry)
        sources = [source_of(network, x, y, registry) for network in networks.values()]
        return Comparing(networks, sources, metrics, registry).result(group, resamples, seed)


class Difference(NamedTuple):
    """How a model differs from the first in a figure.

    Attributes:
        value: its figure minus that of the first model.
        interval: where 95 of 100 differences in resamples of the rows lie.
        first_better: in which share of the resamples the first model is better, ties being half; None for a figure
            without an order.
        better: the model that is better, if the interval does not have 0 in it.
    """

    value: float
    interval: Interval
    first_better: float | None
    better: str | None


class ModelComparison(Record, eq=False):
    """Models side by side on the same rows; `print` shows the figures, and the differences with their intervals.

    Attributes:
        figures: model -> figure name -> value.
        differences: model, but for the first -> figure name -> how it differs from the first.
        rows: how many were measured.
        groups: how many groups these are in; None if they were drawn one by one.
        resamples: how many there were.
        notes: lines about rows that are left out, and what else to be wary of.
    """

    figures: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Mapping[str, Difference]]
    rows: int
    groups: int | None
    resamples: int
    notes: Sequence[str]

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        letters = {name: chr(ord("A") + place) for place, name in enumerate(self.figures)}
        names = [f"{letter}  {legible(name)}" for name, letter in letters.items()]
        drawn = "rows" if self.groups is None else f"{counted(self.groups, 'group')} of rows"
        note = f"intervals from {self.resamples:,} resamples of the {drawn}, the same for all models"
        blocks = ["\n".join(names), self._side_by_side(letters, width), self._differences(letters, width)]
        return "\n\n".join([*blocks, folded(note, width)])

    def _side_by_side(self, letters: Mapping[str, str], width: int | None) -> str:
        first = next(iter(self.figures.values()))
        lines = (
            [figure_title(title), *(figure_text(title, self.figures[name][title]) for name in letters)]
            for title in first
        )
        return "\n".join(fitted([["", *letters.values()], *lines], 1, width))

    def _differences(self, letters: Mapping[str, str], width: int | None) -> str:
        first, *others = letters
        rows, verdicts = [["", "", "difference", "95 % of them", f"{letters[first]} better"]], [""]
        for name in others:
            for title, found in self.differences[name].items():
                like_this = figure_text(title, self.figures[first][title])
                value, low, high = (signed(like_this, number) for number in (found.value, *found.interval[:2]))
                share = "" if found.first_better is None else f"{100 * found.first_better:.1f} %"
                rows.append(
                    [figure_title(title), f"{letters[name]} - {letters[first]}", value, f"{low} to {high}", share]
                )
                verdicts.append(_verdict(found, letters))
        return "\n".join(fitted(rows, 2, width, verdicts, keep=2))


def signed(text: str, value: float) -> str:
    """A difference with its sign and as many decimals as a figure has."""
    return ("+" if value > 0 else "") + like(text, value)


def _verdict(found: Difference, letters: Mapping[str, str]) -> str:
    if found.better is not None:
        return f"{letters[found.better]} is better"
    return "" if found.first_better is None else NO_DIFFERENCE


def _networks(models: Models, registry: Registry) -> dict[str, Network]:
    """Name -> network."""
    if isinstance(models, Mapping):
        found = dict(models)
    else:
        given = [model if isinstance(model, Network) else load(model, registry=registry) for model in models]
        files = ["" if isinstance(model, Network) else str(model) for model in models]
        found = {}
        for place, (network, file) in enumerate(zip(given, files, strict=True)):
            found[free_name(file or chr(ord("A") + place), found)] = network
    if not 2 <= len(found) <= MOST_MODELS:
        raise ValueError(f"expected 2 to {MOST_MODELS} models to compare, found {len(found)}")
    return found


class Comparing:
    """Measures models on the same rows, over and over.

    Args:
        sources: for each of them the same data, as its own schema has them read.
        metrics: as for `compare`.
    """

    def __init__(
        self, networks: Mapping[str, Network], sources: Sequence[Table | NamedArrays], metrics: Any, registry: Registry
    ) -> None:
        """Raises the errors of `compare`."""
        self._names = list(networks)
        self._source = sources[0]
        self._schema = networks[self._names[0]].card.schema
        self._aligned = align(networks, sources, registry)
        asked = _asked(networks[self._names[0]], metrics, registry)
        several = len(self._aligned.goals) > 1
        self._measured: dict[str, tuple[Goal, Metric]] = {}
        for goal in self._aligned.goals:
            for name, metric in _metrics_of(goal, asked, registry).items():
                _check_fit(goal, name, metric)
                if not isinstance(self._value(goal, metric, 0, None), np.ndarray):
                    self._measured[f"{goal.name}_{name}" if several else name] = goal, metric
        if not self._measured:
            raise DataError("there is no figure to compare: name metrics that are numbers")

    def _value(self, goal: Goal, metric: Metric, model: int, rows: Array | None) -> Any:
        prediction, target, weights = goal.predictions[model], goal.target, self._aligned.weights
        if rows is not None:
            prediction, target = prediction[rows], target[rows]
            weights = None if weights is None else weights[rows]
        return metric.result(metric.update(metric.start(), prediction, target, weights))

    def _values(self, rows: Array | None = None) -> Array:
        """The figures of each model, (models, figures)."""
        models = range(len(self._names))
        return np.array(
            [[self._value(goal, metric, m, rows) for goal, metric in self._measured.values()] for m in models]
        )

    def result(self, group: str | None, resamples: int | None, seed: int) -> ModelComparison:
        """The comparison; raises as `compare`."""
        groups = None if group is None else self._groups(group)
        rows = len(self._aligned.rows)
        count = resamples_for(rows) if resamples is None else resamples
        if count < FEWEST:
            raise ValueError(f"expected at least {FEWEST} resamples, found {count}")
        whole = self._values()
        drawn = resampled(self._values, rows, count, seed, groups)
        figures = {n: dict(zip(self._measured, whole[m].tolist(), strict=True)) for m, n in enumerate(self._names)}
        differences = {
            name: {
                title: self._difference(place, whole[[0, m], place], drawn[:, [0, m], place], name)
                for place, title in enumerate(self._measured)
            }
            for m, name in enumerate(self._names[1:], 1)
        }
        several = None if groups is None else int(groups.max()) + 1
        return ModelComparison(figures, differences, rows, several, count, tuple(self._aligned.notes))

    def _difference(self, place: int, whole: Array, drawn: Array, name: str) -> Difference:
        """Args: whole, drawn: the figures of the first model and of the other, (2,) and (resamples, 2)."""
        _, metric = [*self._measured.values()][place]
        apart = drawn[:, 1] - drawn[:, 0]
        interval = Interval.of(apart)
        value = float(whole[1] - whole[0])
        known = apart[~np.isnan(apart)]
        if metric.greater_is_better is None or not len(known):
            return Difference(value, interval, None, None)
        gain = np.where(np.abs(known) <= ROUNDING * np.abs(whole).max(), 0, known)
        gain = gain if metric.greater_is_better else -gain
        first_better = float(np.mean(gain < 0) + np.mean(gain == 0) / 2)
        if interval.low <= 0 <= interval.high:
            return Difference(value, interval, first_better, None)
        other_better = (interval.low > 0) == metric.greater_is_better
        return Difference(value, interval, first_better, name if other_better else self._names[0])

    def _groups(self, column: str) -> Array:
        """The group of each row."""
        if isinstance(self._source, NamedArrays):
            raise DataError(f"{self._source.name}: group is a column of a table; found arrays")
        self._source.require([column])
        values = self._source.columns[column].take(self._aligned.rows)
        gaps = np.flatnonzero(values.gaps_by(self._schema.missing_values))
        if len(gaps):
            place = self._source.place(int(self._aligned.rows[gaps[0]]), column)
            raise DataError(f"{place}: missing value, so the row is in no group; complete it")
        groups = groups_of(values)
        if not groups.max():
            raise DataError(f"{self._source.name}: column {legible(column)}: all rows are in one group")
        return groups


def _asked(network: Network, metrics: Any, registry: Registry) -> Mapping[str, Sequence[Metric]] | None:
    """Output of the first model -> metrics that the caller asks for."""
    if metrics is None:
        return None
    return metrics_by_output(network, merged_training(network, {"loss": None, "metrics": metrics}, registry))


def _metrics_of(goal: Goal, asked: Mapping[str, Sequence[Metric]] | None, registry: Registry) -> dict[str, Metric]:
    if asked is not None:
        return named_metrics(asked.get(goal.output, ()), goal.kind == "labels")
    own = list(goal.metrics)
    for name in USUAL[goal.kind]:
        if (name != "log_loss" or goal.are_probabilities) and all(metric.type != name for metric in own):
            own.append(registry.find(Metric, name)())
    return named_metrics(own, goal.kind == "labels")


def _check_fit(goal: Goal, name: str, metric: Metric) -> None:
    """Refuses a metric of classes for numbers, and the other way round, which the first rows show."""
    try:
        metric.update(metric.start(), goal.predictions[0][:FEW], goal.target[:FEW], None)
    except (ShapeError, DataError) as error:
        refuse("metrics", f"{show(name)} does not fit {legible(goal.name)}, which is predicted as {goal.kind}: {error}")
