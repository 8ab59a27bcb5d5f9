"""A summary of a table's columns, by which their use is chosen."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.spec import Kind
from modnet.data.table import Table
from modnet.data.values import MISSING_VALUES, has_decimal_comma, is_number


def sort_categories(values: Iterable[str]) -> tuple[str, ...]:
    """The different values in order: numerically if all are numbers, otherwise alphabetically."""
    different = sorted(set(values))
    return tuple(sorted(different, key=float) if all(map(is_number, different)) else different)


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """A summary of a column.

    Attributes:
        kind: number, date, or otherwise category; None if all values are missing.
        different: the different values, and none that is missing.
        distinct_numbers: how many of these are numbers, or would be with a decimal point. If nearly all are, it is a
            column of numbers with faults.
        gaps: bool (rows,): where there is no value.
    """

    kind: Kind | None
    different: Column
    distinct_numbers: int
    gaps: Array

    @property
    def distinct(self) -> int:
        return len(self.different)

    @property
    def missing(self) -> int:
        """The number of rows without a value."""
        return int(np.count_nonzero(self.gaps))


def profile(table: Table, missing_values: Collection[str] = MISSING_VALUES) -> dict[str, ColumnProfile]:
    """Column name -> its summary."""
    return {name: profile_column(column, missing_values) for name, column in table.columns.items()}


def profile_column(column: Column, missing_values: Collection[str] = MISSING_VALUES) -> ColumnProfile:
    """The summary of a column."""
    gaps = column.gaps_by(missing_values)
    different = column.different(gaps)
    if not len(different):
        return ColumnProfile(None, different, 0, gaps)
    if different.texts is None:
        kinds: dict[str, Kind] = {"number": "number", "boolean": "category", "date": "date"}
        numbers = len(different) if different.type == "number" else 0
        return ColumnProfile(kinds[different.type], different, numbers, gaps)
    numbers = sum(map(is_number, different.texts))
    kind: Kind = "number" if numbers == len(different) else "category"
    return ColumnProfile(kind, different, numbers + sum(map(has_decimal_comma, different.texts)), gaps)
