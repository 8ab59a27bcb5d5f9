"""Rows in data frames of any library, each taken by what it offers, so that none needs to be imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from modnet.arrays import Array
from modnet.data.forms import Found, Rows, array_of, flat, nulls_of
from modnet.errors import DataError
from modnet.words import show


def frame_rows(rows: Any) -> Rows | None:
    """Rows of a data frame; None for anything else.

    Raises:
        DataError: it is a promise of a frame that is not computed yet.
    """
    make = _kind(rows)
    return None if make is None else make(rows)


def is_frame(rows: Any) -> bool:
    """Whether this is a data frame, of any library."""
    return _kind(rows) is not None


def _kind(rows: Any) -> Callable[[Any], Rows] | None:
    if isinstance(rows, list | tuple) or hasattr(rows, "dtype"):  # an array, or a column
        return None
    return next((make for needed, make in KINDS if all(hasattr(rows, name) for name in needed)), None)


class Pandas(Rows):
    """A data frame of pandas, or of a library with its methods; the answer has its index."""

    def answer(self, found: Found, lacking: Array | None) -> Any:
        columns = {name: flat(array_of(values, lacking)) for name, values in found.items()}
        return type(self.given)(columns, index=self.given.index)

    def hint(self, missing: Sequence[str]) -> str:
        index = [name for name in missing if name in getattr(self.given.index, "names", ())]
        return f"{show(index[0])} is the frame's index: pass frame.reset_index()" if index else ""


class Polars(Rows):
    """A data frame of polars."""

    def __init__(self, given: Any, keys: Iterable[str], make: Callable[[Any], Any]) -> None:
        super().__init__(given, keys)
        self.make = make

    def answer(self, found: Found, lacking: Array | None) -> Any:
        return self.make(nulls_of(found, lacking))


class Arrow(Rows):
    """A table or a batch of records of pyarrow."""

    def __init__(self, given: Any, keys: Iterable[str]) -> None:
        super().__init__(given, keys)
        self.places = {name: place for place, name in enumerate(self.keys)}

    def values(self, key: Any) -> Any:
        return self.given.column(self.places[key])

    def answer(self, found: Found, lacking: Array | None) -> Any:
        return type(self.given).from_pydict(nulls_of(found, lacking))


class Narwhals(Rows):
    """A data frame of narwhals, which is around one of another library."""

    def __init__(self, given: Any) -> None:
        inner = frame_rows(given.to_native())
        if inner is None:
            raise DataError(f"found {show(given)} around {show(given.to_native())}, which is not a data frame")
        super().__init__(given, inner.keys)
        self.inner = inner

    def values(self, key: Any) -> Any:
        return self.inner.values(key)

    def answer(self, found: Found, lacking: Array | None) -> Any:
        return sys.modules["narwhals"].from_native(self.inner.answer(found, lacking))


def _lazy(rows: Any) -> Rows:
    return Polars(rows.collect(), rows.collect_schema(), type(rows))


def _uncomputed(rows: Any) -> Rows:
    raise DataError(f"found {show(rows)} that is not computed yet; pass rows.compute()")


def _exported(rows: Any) -> Rows:
    """A data frame of another library, as a table of pyarrow."""
    from pyarrow import interchange, table  # an optional library, which such frames need themselves

    made = table(rows) if hasattr(rows, "__arrow_c_stream__") else interchange.from_dataframe(rows)
    return Arrow(made, made.column_names)


KINDS: Sequence[tuple[tuple[str, ...], Callable[[Any], Rows]]] = (
    (("to_native", "get_column"), Narwhals),
    (("collect", "collect_schema"), _lazy),
    (("columns", "dtypes", "compute"), _uncomputed),
    (("columns", "dtypes", "index"), lambda rows: Pandas(rows, rows.columns)),
    (("columns", "get_columns"), lambda rows: Polars(rows, rows.columns, type(rows))),
    (("column_names", "to_pydict"), lambda rows: Arrow(rows, rows.column_names)),
    (("__arrow_c_stream__",), _exported),
    (("__dataframe__",), _exported),
    (("columns", "__getitem__"), lambda rows: Rows(rows, rows.columns)),
)
"""What a kind of data frame has, and how it is taken."""
