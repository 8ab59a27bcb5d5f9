"""What is wrong with values of a table, and what was put in place of those that are missing or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.table import Table
from modnet.errors import DataError, Fault
from modnet.words import counted, legible


class Faults:
    """The faults of a table's values, column by column.

    Attributes:
        found: all of them.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self.found: list[Fault] = []

    def add(self, name: str, column: Column, rows: Array, message: Callable[[str], str]) -> None:
        """Notes that the values of these rows are at fault.

        Args:
            message: from the text of a value to what is wrong with it.
        """
        self.found += _each(name, column, rows, message)

    def rows(self) -> Array | None:
        """bool (rows,): the rows with a fault; None if there are no faults."""
        if not self.found:
            return None
        bad = np.zeros(len(self._table), bool)
        bad[[fault.row for fault in self.found if fault.row is not None]] = True
        return bad

    def refuse(self) -> None:
        """Raises the error for all faults together.

        Raises:
            DataError: there are faults; `problems` has each.
        """
        if not self.found:
            return
        first, *others = in_order(self.found)
        text = f"{self._table.place(first.row or 0, first.column)}: {first.message}"
        if others:
            second = others[0]
            where = f"{self._table.row_name(second.row or 0)}, column {legible(second.column)}"
            text += f"; {counted(len(others), 'more fault')}, the next in {where}"
        raise DataError(text, (first, *others))


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Faults in the order of their rows; those of whole columns first."""
    return sorted(faults, key=lambda fault: -1 if fault.row is None else fault.row)


def _each(name: str, column: Column, rows: Array, message: Callable[[str], str]) -> Iterator[Fault]:
    """A fault for each of these rows; the message of each different text is made once."""
    made: dict[str, str] = {}
    for row in np.flatnonzero(rows).tolist():
        value = None if column.missing is not None and column.missing[row] else column.text(row)
        text = value or ""
        if text not in made:
            made[text] = message(text)
        yield Fault(row, name, value, made[text])


@dataclass
class Report:
    """What was done about values that are missing or unknown.

    Attributes:
        filled_rows, dropped_rows: how many rows were.
        by_mean, by_most_frequent, by_code: the columns that were filled so.
        unknown: column -> how many rows have an unknown category.
        left_out: lines about rows that cannot be measured.
        replaced: each value that was replaced, with what the network is given instead; None if nobody asks.
    """

    filled_rows: int = 0
    dropped_rows: int = 0
    by_mean: set[str] = field(default_factory=set)
    by_most_frequent: set[str] = field(default_factory=set)
    by_code: set[str] = field(default_factory=set)
    unknown: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    replaced: list[Fault] | None = None

    def replace(self, name: str, column: Column, rows: Array, message: Callable[[str], str]) -> None:
        """Notes that the values of these rows, bool (rows,), were replaced, if somebody asks for each."""
        if self.replaced is not None:
            self.replaced += _each(name, column, rows, message)

    def by(self, fill: object, missing: str) -> set[str]:
        """The columns whose gaps are filled in this way."""
        if fill is None:
            return self.by_code
        return self.by_mean if isinstance(fill, float) and missing != "most_frequent" else self.by_most_frequent

    def texts(self) -> list[str]:
        """Lines for the screen."""
        found = [*self.left_out]
        if self.filled_rows:
            ways = (
                ("mean", self.by_mean),
                ("most frequent", self.by_most_frequent),
                ("a code of their own", self.by_code),
            )
            counts = [(way, len(columns)) for way, columns in ways if columns]
            first, *rest = (f"{way} of {count}" for way, count in counts)
            done = ", ".join([first + (" column" if counts[0][1] == 1 else " columns"), *rest])
            found.append(f"{counted(self.filled_rows, 'row')} had missing values: filled ({done})")
        if self.dropped_rows:
            found.append(f"{counted(self.dropped_rows, 'row')} had missing values: dropped")
        for column, rows in self.unknown.items():
            found.append(f"{counted(rows, 'row')} had an unknown category in column {legible(column)}")
        return found
