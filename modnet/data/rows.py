"""Rows of a table in the forms in which programs have them, and predictions in the same form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.table import Table, require_columns
from modnet.errors import DataError
from modnet.words import itemised, legible, show

TO_FORWARD = "for arrays of the network's inputs (encoded rows), use network.forward"

Found = Mapping[str, Array]
"""Name of a prediction -> its value for each row."""


class Rows:
    """Rows in one of their forms; a subclass for each.

    Attributes:
        names: of the columns, as texts.
        keys: the same names as the form itself has them; a data frame may have numbers.
    """

    kind = "table"

    def __init__(self, given: Any, keys: Iterable[Any]) -> None:
        self.given = given
        self.keys = list(keys)
        self.names = [key if isinstance(key, str) else str(key) for key in self.keys]

    def values(self, key: Any) -> Any:
        """The values of a column."""
        return self.given[key]

    def answer(self, found: Found, lacking: Array | None) -> Any:
        """Predictions in the form of these rows.

        Args:
            lacking: bool (rows,): the rows that have no prediction; None if all have one.
        """
        return _lists(found, lacking)

    def hint(self, missing: Sequence[str]) -> str:
        """What to do about columns that are missing."""
        return ""

    def table(self, names: Iterable[str] | None = None) -> Table:
        """The rows as a table.

        Args:
            names: the columns that are needed; None for all.

        Raises:
            DataError: a column is missing (`problems` has each), is there twice, or has values of no type.
        """
        names = self.names if names is None else list(names)
        wanted = set(names)
        keys = {name: key for name, key in zip(self.names, self.keys, strict=True) if name in wanted}
        if len(keys) < len(wanted):
            require_columns(dict.fromkeys(self.names), names, self.kind, self.hint([*wanted.difference(keys)]))
        if len(self.names) > len(set(self.names)):
            twice = [name for name in names if self.names.count(name) > 1]
            if twice:
                raise DataError(f"{self.kind}: several columns are called {', '.join(map(show, twice))}")
        return Table({name: Column.of(self.values(keys[name]), name) for name in names}, self.kind)


def rows_of(rows: Any, names: Sequence[str]) -> Rows:
    """Rows in whatever form a program has them.

    Args:
        rows: a record (column -> value; also a named tuple, a dataclass, a row of sqlite3 or of a data frame), a list
            or an iterator of records, column -> values, a data frame (pandas, polars, pyarrow, and others that can be
            exported to Arrow), a structured array, a `Table`, or an array (rows, columns) in the order of `names`.
        names: of the columns of the table.

    Raises:
        DataError: they have none of these forms.
    """
    if isinstance(rows, Mapping):
        return _Record(rows, rows) if _is_record(rows, names) else _Columns(rows, rows)
    if isinstance(rows, Table):
        return _OfTable(rows, rows.columns)
    found = _array_of_records(rows) or _frame(rows)
    if found is not None:
        return found
    record = _as_record(rows)
    if record is not None:
        return _Series(rows, record) if hasattr(rows, "dtype") else _Record(record, record)
    if hasattr(rows, "__next__"):
        rows = list(rows)
    if isinstance(rows, list | tuple):
        records = [_as_record(row) for row in rows]
        if None not in records:
            return _Records(records, names)
    return _Array(rows, names)


def are_rows(given: Any, inputs: Collection[str] = ()) -> bool:
    """Whether these are rows of a table that name their columns, rather than arrays, or batches of them.

    Args:
        inputs: the names of a network's inputs; a mapping of these alone has arrays.
    """
    if isinstance(given, Mapping):
        return bool(given) and not given.keys() <= set(inputs)
    if isinstance(given, list | tuple):
        record = _as_record(given[0]) if len(given) else None
        return record is not None and all(_is_one_value(record[key]) for key in record.keys())  # noqa: SIM118
    if isinstance(given, np.ndarray):
        return given.dtype.names is not None
    return isinstance(given, Table) or is_frame(given)


def is_frame(given: Any) -> bool:
    """Whether this is a data frame, of any library."""
    if isinstance(given, np.ndarray) or getattr(given, "ndim", 2) != 2:
        return False
    pandas, polars = ("columns", "index"), ("columns", "get_columns")
    lazy, arrow = ("collect", "collect_schema"), ("column_names", "to_pydict")
    exported = hasattr(given, "__arrow_c_stream__") or hasattr(given, "__dataframe__")
    return exported or any(all(hasattr(given, name) for name in names) for names in (lazy, pandas, polars, arrow))


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
            if _as_record(row) is None:
                raise DataError(f"row {index + 1}: expected a record, column -> value, as in row 1; found {show(row)}")
    return rows_of(rows, ()).table()


# Records


def _as_record(value: Any) -> Any:
    """Something with a value for each column, by name; None for anything else."""
    if isinstance(value, Mapping) or (hasattr(value, "keys") and hasattr(value, "__getitem__")):
        return value
    if hasattr(value, "_asdict"):  # a named tuple
        return value._asdict()
    if isinstance(value, type):
        return None
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    fields = getattr(type(value), "model_fields", None)  # of pydantic
    return {name: getattr(value, name) for name in fields} if isinstance(fields, Mapping) else None


def _is_record(rows: Mapping[str, Any], names: Sequence[str]) -> bool:
    values = [rows[name] for name in names if name in rows]
    return bool(values) and all(map(_is_one_value, values))


def _is_one_value(value: Any) -> bool:
    return isinstance(value, str | bytes) or not isinstance(value, Iterable) or np.ndim(value) == 0  # type: ignore[arg-type]


class _Record(Rows):
    """One record: column -> value."""

    def __init__(self, given: Any, record: Any) -> None:
        super().__init__(given, record.keys())
        self.record = record

    def values(self, key: Any) -> Any:
        return [self.record[key]]

    def answer(self, found: Found, lacking: Array | None) -> Any:
        values = {name: values[0] for name, values in _lists(found, None).items()}
        return None if lacking is not None and lacking[0] else values


class _Series(_Record):
    """One record: a row of a data frame of pandas."""

    def answer(self, found: Found, lacking: Array | None) -> Any:
        record = super().answer(found, lacking)
        return record if record is None else type(self.given)(record, name=self.given.name)


class _Records(Rows):
    """A list of records. A key that only some of them have is a missing value in the others."""

    def __init__(self, records: list[Any], names: Sequence[str]) -> None:
        keys = dict.fromkeys(names) if not records else dict.fromkeys(key for row in records for key in row.keys())  # noqa: SIM118
        super().__init__(records, keys)

    def values(self, key: Any) -> Any:
        try:
            return [row[key] for row in self.given]
        except LookupError:
            return [row[key] if key in row.keys() else None for row in self.given]  # noqa: SIM118

    def answer(self, found: Found, lacking: Array | None) -> list[Any]:
        lists = _lists(found, None)
        records: list[Any] = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        for row in () if lacking is None else np.flatnonzero(lacking).tolist():
            records[row] = None
        return records


# Columns


class _Columns(Rows):
    """Column -> values."""

    def values(self, key: Any) -> Any:
        values = self.given[key]
        if _is_one_value(values):
            raise DataError(
                f"column {legible(str(key))}: expected a list with a value for each row, found {show(values)}; "
                "for a single row, give one value for each column"
            )
        return values


class _OfTable(Rows):
    """A table of modnet."""

    given: Table

    def table(self, names: Iterable[str] | None = None) -> Table:
        if names is None:
            return self.given
        names = list(names)
        self.given.require(names)
        return self.given.select(names)

    def answer(self, found: Found, lacking: Array | None) -> Table:
        columns = {name: Column.of(values, name) for name, values in _lists(found, lacking).items()}
        return Table(columns, self.given.name, self.given.lines, self.given.rows)


class _Array(Rows):
    """An array (rows, columns), or a list of rows, in the order of the columns."""

    def __init__(self, rows: Any, names: Sequence[str]) -> None:
        super().__init__(_checked_array(rows, names), names)

    def values(self, key: Any) -> Any:
        return self.given[:, self.keys.index(key)]


def _checked_array(rows: Any, names: Sequence[str]) -> Array:
    expected = f"expected (rows, {len(names)}) for the columns {', '.join(itemised(map(legible, names)))}"
    lengths = {len(row) for row in rows if hasattr(row, "__len__")} if isinstance(rows, list | tuple) else set()
    if len(lengths) > 1 and not any(isinstance(row, str) for row in rows):
        raise DataError(f"rows of different lengths; {expected}")
    array = rows if isinstance(rows, np.ndarray) else np.array(rows, object)
    if array.ndim == 2 and array.shape[1] == len(names):
        return array
    found = f"an array of shape {array.shape}" if array.ndim else show(rows)
    hint = "for a single row, pass row[None]" if array.shape == (len(names),) else TO_FORWARD
    raise DataError(f"the network predicts for rows of a table; {expected}, found {found}; {hint}")


def _array_of_records(rows: Any) -> Rows | None:
    if isinstance(rows, np.ndarray | np.void) and rows.dtype.names is not None:
        return _Structured(rows, rows.dtype.names)
    return None


class _Structured(Rows):
    """A structured array, or one record of it."""

    def values(self, key: Any) -> Any:
        values = self.given[key]
        return values if isinstance(self.given, np.ndarray) and self.given.ndim else np.asarray(values)[None]

    def answer(self, found: Found, lacking: Array | None) -> Any:
        columns = {name: _array(values, lacking) for name, values in found.items()}
        # Classes that are all there as texts of a fixed length, as such arrays usually have.
        columns = {
            name: values.astype(str) if values.dtype == object and lacking is None and len(values) else values
            for name, values in columns.items()
        }
        dtype = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
        made: Array = np.empty(len(next(iter(columns.values()), ())), dtype)
        for name, values in columns.items():
            made[name] = values
        if not isinstance(self.given, np.ndarray) or not self.given.ndim:
            return made[0]
        return made.view(type(self.given)) if isinstance(self.given, np.recarray) else made


# Data frames


def _frame(rows: Any) -> Rows | None:
    """Rows of a data frame, of which only what is used is required; None for anything else."""
    if isinstance(rows, np.ndarray):
        return None
    if hasattr(rows, "collect") and hasattr(rows, "collect_schema"):
        return _Polars(rows.collect(), rows.collect_schema(), lambda found: type(rows)(found))
    if hasattr(rows, "columns") and hasattr(rows, "index") and hasattr(rows, "dtypes"):
        if hasattr(rows, "compute"):
            raise DataError(f"found {show(rows)} that is not computed yet; pass rows.compute()")
        return _Pandas(rows, rows.columns)
    if hasattr(rows, "get_columns") and hasattr(rows, "columns"):
        return _Polars(rows, rows.columns, type(rows))
    if hasattr(rows, "column_names") and hasattr(rows, "to_pydict"):
        return _Arrow(rows, rows.column_names)
    if hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__dataframe__"):
        table = _exported(rows)
        return _Arrow(table, table.column_names)
    return None


def _exported(frame: Any) -> Any:
    """A data frame of some library as a table of pyarrow."""
    from pyarrow import interchange, table  # only for frames of other libraries; they need it themselves

    return table(frame) if hasattr(frame, "__arrow_c_stream__") else interchange.from_dataframe(frame)


class _Pandas(Rows):
    """A data frame of pandas, or of a library with its methods; the answer has its index."""

    def answer(self, found: Found, lacking: Array | None) -> Any:
        columns = {name: _flat(_array(values, lacking)) for name, values in found.items()}
        return type(self.given)(columns, index=self.given.index)

    def hint(self, missing: Sequence[str]) -> str:
        index = [name for name in missing if name in getattr(self.given.index, "names", ())]
        return f"{show(index[0])} is the frame's index: pass frame.reset_index()" if index else ""


class _Polars(Rows):
    """A data frame of polars."""

    def __init__(self, given: Any, keys: Iterable[str], make: Callable[[Any], Any]) -> None:
        super().__init__(given, keys)
        self.make = make

    def answer(self, found: Found, lacking: Array | None) -> Any:
        return self.make(_nulls(found, lacking))


class _Arrow(Rows):
    """A table or a batch of records of pyarrow."""

    def values(self, key: Any) -> Any:
        return self.given.column(self.keys.index(key))

    def answer(self, found: Found, lacking: Array | None) -> Any:
        return type(self.given).from_pydict(_nulls(found, lacking))


# Values of predictions


def _lists(found: Found, lacking: Array | None) -> dict[str, list[Any]]:
    """Lists of Python values; None for rows without a prediction."""
    lists = {name: values.tolist() for name, values in found.items()}
    for row in () if lacking is None else np.flatnonzero(lacking).tolist():
        for values in lists.values():
            values[row] = None
    return lists


def _nulls(found: Found, lacking: Array | None) -> dict[str, Any]:
    """Arrays of numbers and lists of texts; if rows are without a prediction, lists with None."""
    if lacking is not None:
        return dict(_lists(found, lacking))
    return {
        name: values if values.ndim == 1 and values.dtype != object else values.tolist()
        for name, values in found.items()
    }


def _array(values: Array, lacking: Array | None) -> Array:
    """An array with nan or None for rows without a prediction."""
    if lacking is None:
        return values
    values = values.copy()
    values[lacking] = np.nan if values.dtype.kind == "f" else None
    return values


def _flat(values: Array) -> Any:
    """An array of one axis: a row with several numbers is a list."""
    return values if values.ndim == 1 else values.tolist()
