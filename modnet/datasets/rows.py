"""Rows of a table as a caller has them: a data frame, column -> values, or a list of records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from modnet.data.column import Column
from modnet.data.table import Table
from modnet.errors import DataError
from modnet.words import show

NAME = "rows"
"""The name of a table that is from no file, in messages."""


def are_rows(x: Any, inputs: Collection[str] = ()) -> bool:
    """Whether these are rows of a table, rather than arrays, or batches of them.

    Args:
        inputs: the names of a network's inputs; a mapping of these alone has arrays.
    """
    if isinstance(x, Mapping):
        return bool(x) and not x.keys() <= set(inputs)
    if isinstance(x, list | tuple):
        return bool(x) and isinstance(x[0], Mapping)
    return isinstance(x, Table) or is_frame(x)


def is_frame(x: Any) -> bool:
    """Whether this is a data frame, of any library."""
    return hasattr(x, "columns") and hasattr(x, "__getitem__") and not isinstance(x, np.ndarray)


def table_of(rows: Any) -> Table:
    """The table of rows that `are_rows`.

    Raises:
        DataError: a list has something else among its records, or a column has one value and no list of them.
    """
    if isinstance(rows, Table):
        return rows
    if isinstance(rows, Mapping):
        columns = {str(name): Column.of(_values(name, values), str(name)) for name, values in rows.items()}
    elif is_frame(rows):
        names = getattr(rows, "column_names", rows.columns)
        columns = {str(name): Column.of(rows[name], str(name)) for name in names}
    else:
        columns = {name: Column.of(values, name) for name, values in _columns_of(rows).items()}
    return Table(columns, NAME)


def _columns_of(records: Sequence[Any]) -> dict[str, list[Any]]:
    for index, row in enumerate(records):
        if not isinstance(row, Mapping):
            raise DataError(f"row {index + 1}: expected a record, column -> value, as in row 1; found {show(row)}")
    # A column that only some records have is missing in the others.
    names = dict.fromkeys(name for row in records for name in row)
    return {str(name): [row.get(name) for row in records] for name in names}


def _values(name: Any, values: Any) -> Any:
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise DataError(f"column {name}: expected a list with a value for each row, found {show(values)}")
    return values
