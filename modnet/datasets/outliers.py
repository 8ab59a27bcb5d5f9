"""Cells that lie so far away that scaling by mean and deviation makes all other values of their column alike."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.kinds.figures import number_text
from modnet.kinds.layer import Layer
from modnet.words import counted, legible, show

FEWEST_ROWS = 20
"""Of fewer rows, none is unusual."""

FAR = 100
"""From how many robust deviations on a value is far away."""

APART = 10
"""How many times as far away it is as the farthest of the others, and how many times it raises the deviation."""

MOST_CELLS, MOST_ALIKE = 0.001, 0.05
"""The greatest shares of cells that are far away: of any, and of those with one value, such as -999 for missing."""

ROWS_FOR_A_LOOK = 10_000

NORMAL = 1.349
"""The interquartile range of a normal distribution, in deviations."""


class FarCells(NamedTuple):
    """Cells of a column far away from all others.

    Attributes:
        row: the first one.
        value: its value.
        cells: how many there are.
        times: how many times they raise the deviation of the column.
    """

    row: int
    value: float
    cells: int
    times: float


def suspects(numbers: Array) -> set[int]:
    """The columns of numbers, (rows, columns), that may have cells far away, by their extremes and some of the rows."""
    if len(numbers) < FEWEST_ROWS:
        return set()
    some = numbers[:: max(1, len(numbers) // ROWS_FOR_A_LOOK)]
    low, middle, high = np.percentile(some, (25, 50, 75), axis=0)
    farthest = np.maximum(numbers.max(axis=0) - middle, middle - numbers.min(axis=0))
    # Half of what counts as far: the quartiles of some of the rows are not those of all.
    return set(np.flatnonzero((high > low) & (farthest > FAR / 2 * (high - low) / NORMAL)).tolist())


def far_cells(values: Array) -> FarCells | None:
    """The few cells of a column of numbers, (rows,), beside which the others are alike; None if there are none."""
    if len(values) < FEWEST_ROWS:
        return None
    low, middle, high = np.percentile(values, (25, 50, 75))
    distance = np.abs(values - middle)
    far = distance > FAR * (high - low) / NORMAL
    count = int(np.count_nonzero(far))
    if high <= low or not count or not _are_few(values[far], len(values)):
        return None
    rest = values[~far]
    times = float(values.std() / rest.std())
    if distance[far].min() < APART * distance[~far].max() or times < APART:
        return None
    row = int(far.argmax())
    return FarCells(row, float(values[row]), count, times)


def _are_few(cells: Array, rows: int) -> bool:
    alike = bool((cells == cells[0]).all())
    return len(cells) <= max(1.0, (MOST_ALIKE if alike else MOST_CELLS) * rows)


def warn_of_far_cells(network: Network, dataset: Dataset, schema: DataSchema) -> None:
    """Warns of cells of the training table that flatten their column, where the network scales by the deviation."""
    layers, most = [node.layer for node in network.graph.nodes], float(np.finfo(network.dtype).max)
    if any(map(_scales_by_deviation, layers)):
        for name, columns in schema.inputs.items():
            starts = np.cumsum([0, *(column.width for column in columns)])
            _look_at(
                dataset, dataset.inputs[name], dict(zip(starts.tolist(), columns, strict=False)), most, target=False
            )
    if any(type(layer).target_before is not Layer.target_before for layer in layers):
        for name, columns in schema.targets.items():
            if name not in schema.classes():
                _look_at(dataset, dataset.targets[name], dict(enumerate(columns)), most, target=True)


def _scales_by_deviation(layer: Layer) -> bool:
    return layer.type == "standardize" and not getattr(layer, "robust", True)


def _look_at(
    dataset: Dataset, numbers: Array, columns: Mapping[int, ColumnSchema], most: float, *, target: bool
) -> None:
    """Looks for cells that are far away.

    Args:
        columns: the place of the first number of a column -> the column.
        most: the greatest number that the network can hold; a greater one is refused anyway.
    """
    for place in sorted(suspects(numbers).intersection(columns)):
        if columns[place].kind == "number" and np.abs(numbers[:, place]).max() <= most:
            _warn(dataset, columns[place].name, numbers[:, place], target=target)


def _warn(dataset: Dataset, column: str, values: Array, *, target: bool) -> None:
    found = far_cells(values)
    if found is None:
        return
    value = f"{found.value:.15g}"
    others = f", as in {counted(found.cells - 1, 'other row')}," if found.cells > 1 else ""
    right = 'take loss = "huber"' if target else 'write { type = "standardize", robust = true }'
    place = f"{dataset.row_name(found.row)}, column {legible(column)}"
    warnings.warn(
        f"{dataset.name}: {place}: {value}{others} is so far from all others that these become almost equal: "
        f"the standard deviation is {number_text(found.times)} times theirs. If it stands for a missing value, set "
        f"missing_values = [{show(value)}] in [data.columns.{column}]; if it is right, {right}",
        stacklevel=2,
    )
