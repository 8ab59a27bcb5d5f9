"""The columns of what an estimator is given: their names, how those that are no numbers become numbers, and targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import modnet
from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.frames import is_frame
from modnet.data.rows import rows_of, table_of
from modnet.data.spec import DataSpec
from modnet.data.values import category_key
from modnet.words import free_name

INPUT, OUTPUT = "input", "output"
"""The names of a network's only input and output, as a schema has them."""

SEPARATOR = ";"
"""The separator of the labels of a row."""


def has_other_columns(X: Any) -> bool:
    """Whether this is a data frame with columns that are not numbers: texts, categories, dates."""
    return is_frame(X) and not all(map(_is_number, getattr(X, "dtypes", ())))


def _is_number(dtype: Any) -> bool:
    kind = getattr(dtype, "kind", None)
    return kind in "biuf" if isinstance(kind, str) else bool(dtype.is_numeric() or str(dtype) == "Boolean")


def learned(X: Any, data: DataSpec | None) -> modnet.DataSchema:
    """How the columns of a frame become numbers, as `modnet train` finds it out.

    Args:
        data: the options of the columns, as a spec has them.
    """
    options = {} if data is None else {"target": None, "weights": None, "split": None}
    return modnet.DataSchema.learn(table_of(X), (data or DataSpec()).replace(**options), output_names=())


def encoded(schema: modnet.DataSchema, X: Any) -> Array:
    """Rows as numbers, float64 (rows, width)."""
    (columns,) = schema.inputs.values()
    names = [column.name for column in columns]
    rows = rows_of(X, names).table(names)
    (array,) = schema.encode(rows, targets=False).inputs.values()
    return array


def numbers(names: Sequence[str], ranges: tuple[Array, Array]) -> modnet.DataSchema:
    """The schema of columns of numbers.

    Args:
        ranges: the lowest and the highest number of each column, in training.
    """
    lowest, highest = (values.tolist() for values in ranges)
    columns = [
        ColumnSchema(name=name, kind="number", lowest=low, highest=high)
        for name, low, high in zip(names, lowest, highest, strict=True)
    ]
    return modnet.DataSchema({INPUT: tuple(columns)}, {})


def is_plain(column: ColumnSchema) -> bool:
    """Whether a column is a number and nothing is done about it: no gap is filled, and it is written as usual."""
    return column.replace(lowest=None, highest=None) == ColumnSchema(name=column.name, kind="number")


def target_names(y: Any, checked: Any) -> list[str]:
    """The names of the targets, if the caller's series or frame has some.

    Args:
        checked: the targets as an array, (rows,) or (rows, targets); None if there are none.
    """
    if checked is None:
        return []
    count = 1 if checked.ndim == 1 else checked.shape[1]
    given = list(y.columns) if is_frame(y) else [getattr(y, "name", None)]
    names = [name for name in given if isinstance(name, str) and name]
    if len(names) == len(given) == count:
        return names
    return ["target"] if count == 1 else [f"target_{number}" for number in range(count)]


def with_targets(schema: modnet.DataSchema, targets: Sequence[ColumnSchema], network: modnet.Network) -> Any:
    """The schema with its targets, and with the names of a network's input and output."""
    taken = {column.name for columns in schema.inputs.values() for column in columns}
    named = [column.replace(name=free_name(column.name, taken)) for column in targets]
    (columns,) = schema.inputs.values()
    goals = {next(iter(network.outputs)): tuple(named)} if named else {}
    return schema.replace(inputs={next(iter(network.inputs)): columns}, targets=goals)


def class_target(name: str, classes: Array) -> ColumnSchema:
    """The column of a target that is one of several classes."""
    return ColumnSchema(name=name, kind="category", categories=tuple(map(_text, classes.tolist())))


def labels_target(names: Sequence[str]) -> ColumnSchema:
    """The column of a target of several labels."""
    return ColumnSchema(name="labels", kind="labels", categories=tuple(names), separator=SEPARATOR)


def number_targets(names: Sequence[str]) -> list[ColumnSchema]:
    return [ColumnSchema(name=name, kind="number") for name in names]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else category_key(str(value))
