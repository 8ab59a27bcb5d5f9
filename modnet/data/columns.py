"""The values of a table's columns: numbers or categories, and which of them are missing."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from modnet.arrays import Array
from modnet.data.spec import MISSING_VALUES, Kind
from modnet.data.table import Table


def is_number(text: str) -> bool:
    """Whether this is a finite decimal number. Python's `1_000` is not."""
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def has_decimal_comma(text: str) -> bool:
    """Whether this would be a number with a point instead of its comma."""
    return text.count(",") == 1 and is_number(text.replace(",", "."))


def parse_numbers(values: Sequence[str]) -> Array | None:
    """The values as numbers, float64, or None if one of them is not a number by `is_number`."""
    try:
        numbers = np.array([*map(float, values)])
    except ValueError:
        return None
    # The checks of `is_number`, for all values at once: a call for each would take several times as long.
    return numbers if np.isfinite(numbers).all() and "_" not in "".join(values) else None


def sort_categories(values: Iterable[str]) -> tuple[str, ...]:
    """The different values in order: numerically if all are numbers, otherwise alphabetically."""
    different = sorted(set(values))
    return tuple(sorted(different, key=float) if all(map(is_number, different)) else different)


def present(values: Sequence[str], missing_values: Collection[str]) -> Sequence[str]:
    """The values that are not missing."""
    if frozenset(missing_values).isdisjoint(values):
        return values
    return [value for value in values if value not in missing_values]


def missing_rows(values: Sequence[str], missing_values: Collection[str]) -> list[int]:
    """The rows whose value is missing."""
    if frozenset(missing_values).isdisjoint(values):
        return []
    return [row for row, value in enumerate(values) if value in missing_values]


@dataclass(frozen=True)
class ColumnProfile:
    """A summary of a column.

    Attributes:
        kind: number if all values are numbers, otherwise category; None if all are missing.
        distinct: the number of different values.
        distinct_numbers: how many of these are numbers, or would be with a decimal point. If nearly all are, it is a
            column of numbers with faults.
        missing: the number of rows without a value.
    """

    kind: Kind | None
    distinct: int
    distinct_numbers: int
    missing: int


def profile(table: Table, missing_values: Collection[str] = MISSING_VALUES) -> dict[str, ColumnProfile]:
    """Column name -> its summary."""
    return {name: profile_column(values, missing_values) for name, values in table.columns.items()}


def profile_column(values: Sequence[str], missing_values: Collection[str] = MISSING_VALUES) -> ColumnProfile:
    """The summary of these values."""
    different = set(values)
    missing = len(missing_rows(values, missing_values))
    different.difference_update(missing_values)
    numbers = sum(map(is_number, different))
    kind: Kind | None = ("number" if numbers == len(different) else "category") if different else None
    return ColumnProfile(kind, len(different), numbers + sum(map(has_decimal_comma, different)), missing)
