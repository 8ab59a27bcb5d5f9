"""Partial dependence: how the predictions change with one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.assessment.explanation.features import Feature, rows_taken
from modnet.assessment.explanation.quantities import Quantity, values_by_output
from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.date_parts import encode_dates
from modnet.data.faults import Faults
from modnet.data.table import Table
from modnet.engine.network import Network
from modnet.kinds.figures import number_text
from modnet.records import Record

MOST_POINTS = 20
"""The most values of a column for which predictions are made."""

EDGE = 0.05
"""The share of rows on each side beyond the least and the greatest value, as in scikit-learn."""

LINES = 40
"""How many rows' own lines are kept."""


class Grid(Record, eq=False):
    """The values of a column for which predictions are made.

    Attributes:
        texts: each value as text.
        numbers: each value as a number, or a datetime64; None for categories.
        encoded: network input -> what encodes each value, (points, width).
        rows: how many rows have each value, for categories; None otherwise.
    """

    texts: tuple[str, ...]
    numbers: Array | None
    encoded: Mapping[str, Array]
    rows: Array | None = None


class Dependence(Record, eq=False):
    """The predictions if all rows had the same value in one column, for several values.

    Attributes:
        column: its name.
        grid: the values.
        quantities: what is predicted: `price`, or `P(class)` for each class.
        mean: the mean prediction of all rows, float64 (points, quantities): the partial dependence.
        low, high: the 10th and the 90th percentile of the rows' own predictions, of the same shape.
        lines: the predictions of some rows, float64 (rows, points, quantities): where they are not parallel, the column
            acts differently on different rows.
    """

    column: str
    grid: Grid
    quantities: tuple[str, ...]
    mean: Array
    low: Array
    high: Array
    lines: Array


def partial_dependence(
    network: Network, inputs: Mapping[str, Array], feature: Feature, grid: Grid, quantities: Sequence[Quantity]
) -> Dependence:
    """Predicts for all rows with each value of a column in turn, and takes the means.

    Source: Friedman 2001, "Greedy Function Approximation: A Gradient Boosting Machine", equation 53, with the training
    distribution taken from these rows; the rows' own lines are from Goldstein, Kapelner, Bleich and Pitkin 2015,
    "Peeking Inside the Black Box", arXiv:1309.6392. Where columns depend on each other, some of the rows are such as
    there are none, and the network's predictions for them are what they are.

    Args:
        inputs: input name -> array (rows, *shape).
    """
    rows = rows_taken(inputs, slice(None))
    count = len(next(iter(rows.values())))
    found = np.zeros((count, len(grid.texts), len(quantities)))
    for point in range(len(grid.texts)):
        feature.write(rows, {name: values[point] for name, values in grid.encoded.items()})
        found[:, point] = values_by_output(network, rows, quantities)
    low, high = np.quantile(found, [0.1, 0.9], axis=0)
    lines = found[:: max(1, count // LINES)][:LINES]
    return Dependence(feature.name, grid, tuple(q.name for q in quantities), found.mean(axis=0), low, high, lines)


def grid_of(feature: Feature, inputs: Mapping[str, Array], table: Table | None) -> Grid | None:
    """The values of a column that its partial dependence is shown for; None for texts and lists of labels.

    Of a number or date, up to 20 quantiles between the 5th and the 95th percentile, or all values if there are few; of
    categories, the most frequent.

    Args:
        table: the rows before they were encoded; without it dates have no grid.
    """
    column = feature.column
    if column is None or column.kind == "number":
        return _numbers(feature, inputs)
    if column.kind in ("category", "boolean"):
        return _categories(feature, column, inputs)
    return _dates(feature, column, table) if column.kind == "date" and table is not None else None


def _numbers(feature: Feature, inputs: Mapping[str, Array]) -> Grid | None:
    ((name, values),) = feature.of(inputs).items()
    if feature.is_id:
        found, counts = np.unique(values, return_counts=True)
        chosen = np.sort(np.argsort(-counts, kind="stable")[:MOST_POINTS])
        encoded = {name: _as_columns(found[chosen], values)}
        return Grid(tuple(map(str, found[chosen].tolist())), None, encoded, counts[chosen])
    points = _quantiles(values.reshape(-1))
    whole = not (points % 1).any() and abs(points).max(initial=0) < 1e6
    texts = (f"{point:.0f}" if whole else number_text(point) for point in points.tolist())
    return Grid(tuple(texts), points, {name: _as_columns(points, values)})


def _as_columns(points: Array, values: Array) -> Array:
    return points if values.ndim == 1 else points[:, None]


def _quantiles(values: Array) -> Array:
    """All values if there are few; else quantiles at equal distances, each once."""
    different = np.unique(values)
    if len(different) <= MOST_POINTS:
        return different
    found: Array = np.unique(np.quantile(values, np.linspace(EDGE, 1 - EDGE, MOST_POINTS), method="nearest"))
    return found


def _categories(feature: Feature, column: ColumnSchema, inputs: Mapping[str, Array]) -> Grid:
    encoded: Array = np.zeros((len(column.categories), column.width))
    column.encode_codes(np.arange(len(column.categories)), encoded)
    values = next(iter(feature.of(inputs).values()))
    counts = np.array([int((values == code).all(axis=1).sum()) for code in encoded])
    chosen = np.sort(np.argsort(-counts, kind="stable")[:MOST_POINTS])
    names = tuple(column.categories[place] for place in chosen.tolist())
    return Grid(names, None, dict.fromkeys(feature.places, encoded[chosen]), counts[chosen])


def _dates(feature: Feature, column: ColumnSchema, table: Table) -> Grid:
    known = table.columns[column.name]
    present = ~known.gaps_by(column.missing_values)
    moments = column.dates(known, present, Faults(table))[present]
    points = _quantiles(moments.astype(np.int64)).astype("datetime64[us]")
    encoded: Array = np.zeros((len(points), column.width))
    encode_dates(points, column.parts, encoded)
    return Grid(tuple(Column(points).strings()), points, dict.fromkeys(feature.places, encoded))
