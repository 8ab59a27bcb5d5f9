"""Rows of a table in all the forms in which a program can have them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from modnet.data.column import Column
from modnet.data.forms import (
    ArrayRows,
    Columns,
    OfTable,
    Record,
    Records,
    Rows,
    Series,
    StructuredArray,
    is_cell,
    is_record,
    record_of,
)
from modnet.data.frames import frame_rows, is_frame
from modnet.data.table import Table
from modnet.errors import DataError
from modnet.words import show


def rows_of(rows: Any, names: Sequence[str], labels: Collection[str] = ()) -> Rows:
    """Rows in one of their forms.

    Args:
        rows: a record (column -> value; also a named tuple, a dataclass, a row of sqlite3 or of a data frame), a list
            or an iterator of records, column -> values, a data frame (pandas, polars, pyarrow, and others that can be
            exported to Arrow), a structured array, a `Table`, or an array (rows, columns) in the order of `names`.
        names: of the columns that are needed.
        labels: the columns with several labels in one value, which may be a list.

    Raises:
        DataError: they have none of these forms.
    """
    if isinstance(rows, Mapping):
        return Record(rows, rows) if is_record(rows, names, labels) else Columns(rows, rows)
    if isinstance(rows, Table):
        return OfTable(rows, rows.columns)
    if isinstance(rows, np.ndarray | np.void) and rows.dtype.names is not None:
        return StructuredArray(rows, rows.dtype.names)
    return frame_rows(rows) or _records(rows, names) or ArrayRows(rows, names)


def _records(rows: Any, names: Sequence[str]) -> Rows | None:
    """One record or several of them; None for anything else."""
    record = None if isinstance(rows, np.ndarray) else record_of(rows)
    if record is not None:
        return Series(rows, record) if hasattr(rows, "dtype") else Record(record, record)
    if hasattr(rows, "__next__"):
        rows = list(rows)
    if not isinstance(rows, list | tuple):
        return None
    records = rows if set(map(type, rows)) <= {dict} else [record_of(row) for row in rows]
    return None if any(record is None for record in records) else Records([*records], names)


def are_rows(given: Any, inputs: Collection[str] = ()) -> bool:
    """Whether these are rows of a table that name their columns, rather than arrays, or batches of them.

    Args:
        inputs: the names of a network's inputs; a mapping of these alone has arrays.
    """
    if isinstance(given, Mapping):
        return bool(given) and not given.keys() <= set(inputs)
    if isinstance(given, list | tuple):
        record = record_of(given[0]) if len(given) else None
        return record is not None and all(is_cell(record[key]) for key in record.keys())  # noqa: SIM118
    if isinstance(given, np.ndarray):
        return given.dtype.names is not None
    return isinstance(given, Table) or is_frame(given)


def table_of(rows: Any, target: str = "", values: Any = None) -> Table:
    """The table of rows that name their columns (`are_rows`), as `rows_of` takes them.

    Args:
        target: a further column, if the targets are apart from the rows.
        values: of that column.

    Raises:
        DataError: a list has something else among its records, a column has values of no type, or the further column
            is there already.
    """
    table = _table_of(rows)
    if not target:
        return table
    if target in table.columns:
        raise DataError(f"{table.name}: the rows have the target column {show(target)} already; leave y out")
    return Table({**table.columns, target: Column.of(values, target)}, table.name, notes=table.notes)


def _table_of(rows: Any) -> Table:
    if isinstance(rows, list | tuple):
        for index, row in enumerate(rows):
            if record_of(row) is None:
                raise DataError(f"row {index + 1}: expected a record, column -> value, as in row 1; found {show(row)}")
    return rows_of(rows, ()).table()
