"""The forms in which programs have rows of a table: records, columns, arrays; and predictions in the same forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.labels import is_label_list
from modnet.data.table import Table, require_columns, shorten
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
        return lists_of(found, lacking)

    def hint(self, missing: Sequence[str]) -> str:
        """What to do about columns that are missing."""
        return ""

    def _refuse_repeated(self, wanted: set[str]) -> None:
        if len(self.names) == len(set(self.names)):
            return
        twice = [name for name, count in Counter(self.names).items() if count > 1 and name in wanted]
        if twice:
            raise DataError(f"{self.kind}: several columns are called {shorten(map(show, twice))}")

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
        self._refuse_repeated(wanted)
        return Table({name: Column.of(self.values(keys[name]), name) for name in names}, self.kind)


# Records


def record_of(value: Any) -> Any:
    """Something with a value for each column, by name; None for anything else."""
    if type(value) is dict or isinstance(value, Mapping) or (hasattr(value, "keys") and hasattr(value, "__getitem__")):
        return value
    if hasattr(value, "_asdict"):  # a named tuple
        return value._asdict()
    # Of a dataclass, or of pydantic.
    fields = getattr(type(value), "__dataclass_fields__", None) or getattr(type(value), "model_fields", None)
    return {name: getattr(value, name) for name in fields} if isinstance(fields, Mapping) else None


def is_record(rows: Mapping[str, Any], names: Sequence[str], labels: Collection[str] = ()) -> bool:
    """Whether this is one record; `labels` are the columns in which a value may be a list of texts."""
    lists = [name for name in labels if name in rows and is_label_list(rows[name])]
    values = [rows[name] for name in names if name in rows and name not in lists]
    return bool(values) and all(map(is_one_value, values))


def is_cell(value: Any) -> bool:
    """Whether this is one value, or the labels of a row."""
    return is_one_value(value) or is_label_list(value)


def is_one_value(value: Any) -> bool:
    return isinstance(value, str | bytes) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0


class Record(Rows):
    """One record: column -> value."""

    def __init__(self, given: Any, record: Any) -> None:
        super().__init__(given, record.keys())
        self.record = record

    def values(self, key: Any) -> Any:
        return [self.record[key]]

    def answer(self, found: Found, lacking: Array | None) -> Any:
        values = {name: values[0] for name, values in lists_of(found, None).items()}
        return None if lacking is not None and lacking[0] else values


class Series(Record):
    """One record: a row of a data frame of pandas."""

    def answer(self, found: Found, lacking: Array | None) -> Any:
        record = super().answer(found, lacking)
        return record if record is None else type(self.given)(record, name=self.given.name)


class Records(Rows):
    """A list of records. A key that only some of them have is a missing value in the others."""

    def __init__(self, records: list[Any], names: Sequence[str]) -> None:
        keys = records[0].keys() if records else names
        # To go through the keys of all would take a third of the time.
        if not all(name in keys for name in names) or len(set(map(len, records))) > 1:
            keys = dict.fromkeys(key for row in records for key in row.keys())  # noqa: SIM118
        super().__init__(records, keys)

    def values(self, key: Any) -> Any:
        try:
            return [row[key] for row in self.given]
        except LookupError:
            return [row[key] if key in row.keys() else None for row in self.given]  # noqa: SIM118

    def answer(self, found: Found, lacking: Array | None) -> list[Any]:
        lists = lists_of(found, None)
        records: list[Any] = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        for row in () if lacking is None else np.flatnonzero(lacking).tolist():
            records[row] = None
        return records


# Columns


class Columns(Rows):
    """Column -> values."""

    def values(self, key: Any) -> Any:
        values = self.given[key]
        if is_one_value(values):
            raise DataError(
                f"column {legible(str(key))}: expected a list with a value for each row, found {show(values)}; "
                "for a single row, give one value for each column"
            )
        return values


class OfTable(Rows):
    """A table of modnet."""

    given: Table

    def table(self, names: Iterable[str] | None = None) -> Table:
        if names is None:
            return self.given
        names = list(names)
        self.given.require(names)
        return self.given.select(names)

    def answer(self, found: Found, lacking: Array | None) -> Table:
        columns = {name: Column.of(values, name) for name, values in lists_of(found, lacking).items()}
        return Table(columns, self.given.name, self.given.lines, self.given.rows)


class ArrayRows(Rows):
    """An array (rows, columns), or a list of rows, in the order of the columns."""

    def __init__(self, rows: Any, names: Sequence[str]) -> None:
        super().__init__(_checked_array(rows, names), names)
        self.places = {name: place for place, name in enumerate(names)}

    def values(self, key: Any) -> Any:
        return self.given[:, self.places[key]]


def _checked_array(rows: Any, names: Sequence[str]) -> Array:
    expected = f"expected (rows, {len(names)}) for the columns {', '.join(itemised(map(legible, names)))}"
    if _are_ragged(rows):
        raise DataError(f"rows of different lengths; {expected}")
    array = rows if isinstance(rows, np.ndarray) else np.array(rows, object)
    if array.ndim == 2 and array.shape[1] == len(names):
        return array
    found = f"an array of shape {array.shape}" if array.ndim else show(rows)
    hint = "for a single row, pass row[None]" if array.shape == (len(names),) else TO_FORWARD
    if isinstance(rows, str | PathLike):
        found, hint = show(fspath(rows)), "read the file (pandas, csv.DictReader), or call: modnet predict MODEL FILE"
    raise DataError(f"the network predicts for rows of a table; {expected}, found {found}; {hint}")


def _are_ragged(rows: Any) -> bool:
    if not isinstance(rows, list | tuple) or any(isinstance(row, str) for row in rows):
        return False
    return len({len(row) for row in rows if hasattr(row, "__len__")}) > 1


class StructuredArray(Rows):
    """A structured array, or one record of it."""

    def values(self, key: Any) -> Any:
        values = self.given[key]
        return values if isinstance(self.given, np.ndarray) and self.given.ndim else np.asarray(values)[None]

    def answer(self, found: Found, lacking: Array | None) -> Any:
        columns = {name: _of_fixed_length(array_of(values, lacking)) for name, values in found.items()}
        dtype = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
        made: Array = np.empty(len(next(iter(columns.values()), ())), dtype)
        for name, values in columns.items():
            made[name] = values
        if not isinstance(self.given, np.ndarray) or not self.given.ndim:
            return made[0]
        return made.view(type(self.given)) if isinstance(self.given, np.recarray) else made


def _of_fixed_length(values: Array) -> Array:
    """Texts as structured arrays usually have them, if all are there; lists stay objects."""
    if values.dtype != object or not len(values) or not all(isinstance(value, str) for value in values):
        return values
    return values.astype(str)


# Values of predictions


def lists_of(found: Found, lacking: Array | None) -> dict[str, list[Any]]:
    """Lists of Python values; None for rows without a prediction."""
    lists = {name: values.tolist() for name, values in found.items()}
    for row in () if lacking is None else np.flatnonzero(lacking).tolist():
        for values in lists.values():
            values[row] = None
    return lists


def nulls_of(found: Found, lacking: Array | None) -> dict[str, Any]:
    """Arrays of numbers and lists of texts; if rows are without a prediction, lists with None."""
    if lacking is not None:
        return dict(lists_of(found, lacking))
    return {name: _typed(values) for name, values in found.items()}


def _typed(values: Array) -> Any:
    if values.ndim == 1 and values.dtype != object:
        return values
    return values.tolist() if len(values) else values.astype(str)


def array_of(values: Array, lacking: Array | None) -> Array:
    """An array with nan or None for rows without a prediction."""
    if lacking is None:
        return values
    values = values.copy()
    values[lacking] = np.nan if values.dtype.kind == "f" else None
    return values


def flat(values: Array) -> Any:
    """An array of one axis: a row with several numbers is a list."""
    return values if values.ndim == 1 else values.tolist()
