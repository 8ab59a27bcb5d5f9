"""Intervals for numbers and sets of classes that cover a share of new rows, by split conformal prediction.

- A number has the interval from prediction - m to prediction + m. m is the k-th smallest of the n distances
  between prediction and truth, k = ceil((n + 1) * coverage).
- Where the network gives several quantiles (loss `quantile`), the interval reaches from the lower to the upper of
  the two that are nearest to (1 - coverage) / 2 and (1 + coverage) / 2, each moved by m: the k-th smallest of
  max(lower - truth, truth - upper). So it is wide where the network is unsure.
- A class is in the set if its probability is at least that of the k-th largest of the true classes. Among all
  thresholds this gives the smallest sets. The most probable class is always in, so that no set is empty.

Sources: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018, "Distribution-free predictive inference for
regression", JASA 113; Romano, Patterson and Candes 2019, "Conformalized quantile regression", arXiv:1905.03222;
Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued classifiers with bounded error levels", JASA 114.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from fractions import Fraction
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.assessment.held_out import held_out_rows
from modnet.data.column_schema import ColumnSchema
from modnet.data.intervals import Interval, predicted_bounds, probabilities_of
from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.plugins.registry import Registry, default_registry
from modnet.records import Record
from modnet.screen import fitted
from modnet.training.objective import Objective
from modnet.training.sources import Given
from modnet.training.train import merged_training
from modnet.words import counted, in_columns, legible, show


class Intervals(Record, eq=False):
    """The result of `intervals`; `print` shows a table.

    Attributes:
        network: a network whose predictions have intervals; its arrays are those of the network that was given.
        found: target -> how they are made.
    """

    network: Network
    found: Mapping[str, Interval]

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        rows = [["", "coverage", "how"]]
        columns = [column for group in self.network.card.schema.targets.values() for column in group]
        quantiles = {column.name: column.quantiles for column in columns}
        for name, interval in self.found.items():
            share = f"{interval.coverage:g} ± {spread(interval):.3f}"
            rows.append([legible(name), share, interval.describe(quantiles[name])])
        lines = in_columns(rows, left=1)
        if width is not None and max(map(len, lines)) > width:
            lines = fitted([row[:2] for row in rows], 1, width, [row[2] for row in rows])
        return "\n".join(lines)


def spread(interval: Interval) -> float:
    """The standard deviation of the coverage among intervals that were made from so many rows.

    The share of new rows that an interval covers depends on the rows it was made from: it has a beta distribution, of
    which this is the deviation (Vovk 2012, "Conditional validity of inductive conformal predictors", proposition 2b).
    """
    rank = rank_of(interval.rows, interval.coverage)
    total = interval.rows + 1
    return math.sqrt(rank * (total - rank) / (total**2 * (total + 1)))


def intervals(
    network: Network, x: Any, y: Any = None, *, coverage: float = 0.9, registry: Registry | None = None
) -> Intervals:
    """A network whose predictions for rows of tables come with intervals, or with sets of classes.

        certain = modnet.intervals(network, held_out, coverage=0.9).network
        certain.predict(row)     # {"price": ..., "lower": ..., "upper": ...}

    The rows must not be among those that the network was trained on, and new rows have to come from where they come
    from. Then a share `coverage` of new rows lies within its interval, or has its class in its set, whatever the
    network is worth: a bad one has wide intervals. This holds on average over all rows, and not for each kind of them.

    Intervals that the network has already are replaced. Training it further, and calibrating it, leave them out.
    Weights of rows do not count: each row is one.

    Args:
        network: a network that was trained on a table; its own predictions stay without intervals.
        x, y: data as for `modnet.evaluate`.
        coverage: the share of new rows to cover, between 0 and 1.
        registry: where names are looked up.

    Raises:
        DataError: there are too few rows for the coverage; the network was not trained on a table; its targets are
            neither numbers nor classes.
        ValueError: coverage is not between 0 and 1.
        SpecError, ShapeError: as `modnet.evaluate`.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage: expected a number between 0 and 1, such as 0.9; found {show(coverage)}")
    schema = network.card.schema
    if schema is None or not schema.inputs:
        raise DataError(
            "intervals are for predictions for rows of a table; this network was trained on arrays and knows no columns"
        )
    objective = Objective(network, merged_training(network, {}, registry or default_registry()))
    found = _found(network, held_out_rows(objective, Given(x, y)), coverage)
    made = copy(network)
    made.card = network.card.replace(schema=schema.with_intervals(found))
    return Intervals(made, found)


def _found(network: Network, data: Dataset, coverage: float) -> dict[str, Interval]:
    """Target -> its interval."""
    _check_rows(len(data), coverage)
    outputs = network.forward(_chosen(data, data.inputs))
    named = outputs if isinstance(outputs, dict) else {next(iter(network.outputs)): outputs}
    targets = _chosen(data, data.targets)
    found = {
        column.name: _interval(column, place, np.asarray(named[name]), targets[name], coverage)
        for name, columns in network.card.schema.targets.items()
        for place, column in enumerate(columns)
        if column.kind in ("number", "category")
    }
    if not found:
        raise DataError("intervals are for numbers and for classes; this network predicts several labels for each row")
    return found


def rank_of(rows: int, coverage: float) -> int:
    """k = ceil((n + 1) * coverage). Exact: 0.55 is 55/100 here and not the float nearest to it."""
    return math.ceil((rows + 1) * Fraction(repr(float(coverage))))


def _check_rows(rows: int, coverage: float) -> None:
    """Raises DataError where even the farthest of the rows is not far enough."""
    if rank_of(rows, coverage) > rows:
        share = Fraction(repr(float(coverage)))
        least = math.ceil(share / (1 - share))
        raise DataError(
            f"a coverage of {coverage:g} needs at least {counted(least, 'row')} that the model was not trained on, "
            f"found {rows:,}; give more rows, or ask for less"
        )


def _chosen(data: Dataset, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array if data.rows is None else array[data.rows] for name, array in arrays.items()}


def _interval(column: ColumnSchema, place: int, output: Array, target: Array, coverage: float) -> Interval:
    """The interval of a target, from the outputs for held-out rows and the truth."""
    rows = len(output)
    rank = rank_of(rows, coverage)
    if column.kind == "category":
        labels = target.reshape(-1).astype(np.intp)
        of_truth = probabilities_of(output)[np.arange(rows), labels]
        threshold = float(np.partition(of_truth, rows - rank)[rows - rank])
        return Interval(coverage=coverage, rows=rows, threshold=min(max(threshold, 0.0), 1.0))
    truth = target.reshape(rows, -1)[:, place].astype(np.float64)
    low, high = predicted_bounds(output, place, column.quantiles, coverage)
    beyond = np.maximum(low - truth, truth - high)
    margin = float(np.partition(beyond, rank - 1)[rank - 1])
    if not math.isfinite(margin):
        raise DataError(f"predictions of {legible(column.name)} are not finite for some rows")
    return Interval(coverage=coverage, rows=rows, margin=margin)
