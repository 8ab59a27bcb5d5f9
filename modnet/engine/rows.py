"""Prediction for rows of a table, in the form in which the caller has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError
from modnet.words import itemised, legible, show

Columns = dict[str, Any]
"""Column name -> a value for each row."""

TO_FORWARD = "for arrays of the network's inputs (encoded rows), use network.forward"


class TableSchema(Protocol):
    """What a prediction needs to know of the table on which a network was trained."""

    def columns(self) -> Sequence[str]:
        """The names of the columns that are read, in order; none for a network that was trained on arrays."""
        ...

    def encode_columns(self, columns: Mapping[str, Iterable[Any]]) -> Mapping[str, Array]:
        """Input name -> array, for rows that are given as column name -> values; a missing value is None or nan.

        Raises:
            DataError: a column is missing, or a value is not valid for its column; with row and column.
        """
        ...

    def decode(self, outputs: Mapping[str, Array]) -> Columns:
        """Column name -> predictions, from output name -> array."""
        ...


def predict_rows(schema: TableSchema, rows: Any, forward: Callable[[Mapping[str, Array]], Mapping[str, Array]]) -> Any:
    """The predictions for rows, in the form of the rows.

    Args:
        schema: of the table.
        rows: a record (column -> value), a list of records, column -> values, a data frame, or an array (rows, columns)
            in the order of the columns.
        forward: from input name -> array to output name -> array.

    Returns:
        A record, a list of records, column -> values, or a data frame of the same kind (with the same index, if it has
        one). For an array, column -> values.

    Raises:
        DataError: the rows have none of these forms, or `TableSchema.encode_columns` refuses them.
    """
    columns, in_its_form = _taken(rows, schema.columns())
    return in_its_form(schema.decode(forward(schema.encode_columns(columns))))


def _taken(rows: Any, names: Sequence[str]) -> tuple[Columns, Callable[[Columns], Any]]:
    """The rows as column name -> values, and a function that brings predictions into the form of the rows."""
    if isinstance(rows, Mapping):
        if _is_record(rows, names):
            return {name: [value] for name, value in rows.items()}, _first_record
        return _checked(rows), _as_they_are
    if hasattr(rows, "columns") and hasattr(rows, "__getitem__"):
        return {str(name): rows[name] for name in rows.columns}, lambda found: _frame_like(rows, found)
    if isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows):
        # All keys of all records: a key that only some records have is a missing value in the others.
        keys = dict.fromkeys(name for row in rows for name in row) if rows else names
        return {name: [row.get(name) for row in rows] for name in keys}, _records
    return _columns_of_array(rows, names), _as_they_are


def _is_record(rows: Mapping[str, Any], names: Sequence[str]) -> bool:
    values = [rows[name] for name in names if name in rows]
    return bool(values) and all(map(_is_one_value, values))


def _is_one_value(value: Any) -> bool:
    return isinstance(value, str | bytes) or not isinstance(value, Iterable) or np.ndim(value) == 0  # type: ignore[arg-type]


def _checked(columns: Mapping[str, Any]) -> Columns:
    for name, values in columns.items():
        if _is_one_value(values):
            raise DataError(
                f"column {name}: expected a list with a value for each row, found {show(values)}; "
                "for a single row, give one value for each column"
            )
    return dict(columns)


def _columns_of_array(rows: Any, names: Sequence[str]) -> Columns:
    expected = f"expected (rows, {len(names)}) for the columns {', '.join(itemised(map(legible, names)))}"
    lengths = {len(row) for row in rows if hasattr(row, "__len__")} if isinstance(rows, list | tuple) else set()
    if len(lengths) > 1 and not any(isinstance(row, str) for row in rows):
        raise DataError(f"rows of different lengths; {expected}")
    array = rows if isinstance(rows, np.ndarray) else np.array(rows, object)
    if array.ndim == 2 and array.shape[1] == len(names):
        return {name: array[:, index] for index, name in enumerate(names)}
    found = f"an array of shape {array.shape}" if array.ndim else show(rows)
    hint = "for a single row, pass row[None]" if array.shape == (len(names),) else TO_FORWARD
    raise DataError(f"the network predicts for rows of a table; {expected}, found {found}; {hint}")


def _as_they_are(found: Columns) -> Columns:
    return found


def _first_record(found: Columns) -> dict[str, Any]:
    return {name: values[0] for name, values in found.items()}


def _records(found: Columns) -> list[dict[str, Any]]:
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def _frame_like(frame: Any, found: Columns) -> Any:
    made = type(frame)(found)
    if hasattr(frame, "index") and len(frame.index) == len(made):
        made.index = frame.index  # of pandas, so that predictions and rows can be joined
    return made
