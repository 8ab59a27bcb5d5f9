"""What is wrong with values of a table, and what was put in place of those that are missing or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

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


def _each(
    name: str,
    column: Column,
    rows: Array,
    message: Callable[[str], str],
    kind: Literal["fault", "replaced", "outside"] = "fault",
) -> Iterator[Fault]:
    """A fault for each of these rows; the message of each different text is made once."""
    made: dict[str, str] = {}
    for row in np.flatnonzero(rows).tolist():
        value = None if column.missing is not None and column.missing[row] else column.text(row)
        text = value or ""
        if text not in made:
            made[text] = message(text)
        yield Fault(row, name, value, made[text], kind)


@dataclass
class Outside:
    """The values of a column that lie outside of what the model was trained on.

    Attributes:
        lowest, highest: of the training, as texts.
        rows: how many rows have such a value.
        farthest: the value that is the farthest outside, as text.
        distance: how far that is.
    """

    lowest: str
    highest: str
    rows: int = 0
    farthest: str = ""
    distance: float = 0.0

    def add(self, other: Outside) -> None:
        """Adds such values of other rows."""
        self.rows += other.rows
        if other.distance > self.distance:
            self.distance, self.farthest = other.distance, other.farthest


MOST_OUTSIDE = 8
"""Of how many columns with values outside of the training's a text tells."""


@dataclass
class Report:
    """What was done about values that are missing or unknown, and which were outside of what training had.

    Attributes:
        filled_rows, dropped_rows: how many rows were.
        by_mean, by_median, by_most_frequent, by_code: the columns that were filled so.
        unknown: column -> how many rows have an unknown category.
        left_out: lines about rows that cannot be measured.
        outside_rows: how many rows have a value outside of what the model was trained on.
        outside: column -> such values; None if they are not needed, so that they are not searched for.
        noted: each value that was replaced, with what the network gets instead, or is outside; None if not needed.
    """

    filled_rows: int = 0
    dropped_rows: int = 0
    by_mean: set[str] = field(default_factory=set)
    by_median: set[str] = field(default_factory=set)
    by_most_frequent: set[str] = field(default_factory=set)
    by_code: set[str] = field(default_factory=set)
    unknown: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    outside_rows: int = 0
    outside: dict[str, Outside] | None = None
    noted: list[Fault] | None = None
    _outside_now: Array | None = None

    def replace(self, name: str, column: Column, rows: Array, message: Callable[[str], str]) -> None:
        """Notes that the values of these rows, bool (rows,), were replaced, if somebody asks for each."""
        if self.noted is not None:
            self.noted += _each(name, column, rows, message, "replaced")

    def note_outside(self, name: str, column: Column, limits: Sequence[str], rows: Array, distances: Array) -> None:
        """Notes the values that are outside of what the model was trained on, if somebody asks for them.

        Args:
            limits: the lowest and the highest value of the training.
            rows: those with such a value, bool (rows,).
            distances: of each row, how far it is outside.
        """
        if self.outside is None:
            return
        known = self.outside.setdefault(name, Outside(limits[0], limits[1]))
        known.rows += int(np.count_nonzero(rows))
        farthest = int(distances.argmax())
        if distances[farthest] > known.distance:
            known.distance, known.farthest = float(distances[farthest]), column.text(farthest)
        self._outside_now = rows if self._outside_now is None else self._outside_now | rows
        if self.noted is not None:
            message = f"outside of what the model was trained on, {limits[0]} to {limits[1]}"
            self.noted += _each(name, column, rows, lambda text: f"{text} is {message}", "outside")

    def count_outside(self) -> None:
        """Counts the rows with any value outside; called when all columns of some rows have been noted."""
        if self._outside_now is not None:
            self.outside_rows += int(np.count_nonzero(self._outside_now))
            self._outside_now = None

    def add(self, other: Report) -> None:
        """Adds what was done about other rows, but for `noted`, whose rows have numbers of their own."""
        self.filled_rows += other.filled_rows
        self.dropped_rows += other.dropped_rows
        self.by_mean |= other.by_mean
        self.by_median |= other.by_median
        self.by_most_frequent |= other.by_most_frequent
        self.by_code |= other.by_code
        self.left_out += other.left_out
        self.outside_rows += other.outside_rows
        for name, rows in other.unknown.items():
            self.unknown[name] = self.unknown.get(name, 0) + rows
        for name, found in (other.outside or {}).items():
            if self.outside is not None:
                self.outside.setdefault(name, Outside(found.lowest, found.highest)).add(found)

    def by(self, fill: object, missing: str) -> set[str]:
        """The columns whose gaps are filled in this way."""
        if fill is None:
            return self.by_code
        if not isinstance(fill, float) or missing == "most_frequent":
            return self.by_most_frequent
        return self.by_median if missing == "median" else self.by_mean

    def texts(self) -> list[str]:
        """Lines for the screen."""
        found = [*self.left_out]
        if self.filled_rows:
            ways = (
                ("mean", self.by_mean),
                ("median", self.by_median),
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

    def outside_texts(self) -> list[str]:
        """Lines for the screen about values outside of what the model was trained on."""
        if not self.outside:
            return []
        found = [f"{counted(self.outside_rows, 'row')} with a value outside of what the model was trained on:"]
        for name, known in [*self.outside.items()][:MOST_OUTSIDE]:
            told = f"{counted(known.rows, 'row')}, the farthest {known.farthest}"
            found.append(f"  {legible(name)} was {known.lowest} to {known.highest}: {told}")
        more = len(self.outside) - MOST_OUTSIDE
        return found + ([f"  and {counted(more, 'more column')}"] if more > 0 else [])
