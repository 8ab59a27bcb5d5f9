"""A table: named columns with types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.errors import DataError, Fault
from modnet.words import legible, nearest, show

MOST_NAMES = 12
"""How many names of a list a message shows."""


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns, all equally long.

    Attributes:
        columns: name -> column; given as anything else, the values become one by `Column.of`.
        name: the name of the table in messages, usually its file.
        lines: the line of the file on which each of its rows begins, or () for a table that is not from a file.
        rows: the positions of these rows in the table from which they were taken; None for all of them.
        notes: what its reader assumed, a line each, each once.
        first: how many rows of the file are before these, in a table that is read in blocks.
        reading: the options of `[data]` that say how its file is written, where that is not UTF-8 with commas.
    """

    columns: Mapping[str, Column]
    name: str = "table"
    lines: Sequence[int] | Array = ()
    rows: Array | None = None
    notes: tuple[str, ...] = ()
    first: int = 0
    reading: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given: Mapping[str, Any] = self.columns
        columns = {name: Column.of(values, name) for name, values in given.items()}
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "notes", tuple(dict.fromkeys(self.notes)))
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"{self.name}: the columns differ in length: {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def take(self, rows: Sequence[int] | Array) -> Table:
        """The table of these rows, which keep their numbers in messages."""
        chosen = np.asarray(rows, np.intp)
        columns = {name: column.take(chosen) for name, column in self.columns.items()}
        places = chosen if self.rows is None else self.rows[chosen]
        return Table(columns, self.name, self.lines, places, self.notes, self.first)

    def select(self, names: Iterable[str]) -> Table:
        """The table with only these columns."""
        return Table(
            {name: self.columns[name] for name in names}, self.name, self.lines, self.rows, self.notes, self.first
        )

    @classmethod
    def joined(cls, parts: Sequence[Table]) -> Table:
        """The rows of tables with the same columns, one after another; a column of several types becomes text."""
        first = parts[0]
        if len(parts) == 1:
            return first
        columns = {name: Column.joined([part.columns[name] for part in parts]) for name in first.columns}
        lines = np.concatenate([np.asarray(part.lines, np.int64) for part in parts])
        notes = tuple(note for part in parts for note in part.notes)
        return cls(columns, first.name, lines, notes=notes)

    def place(self, row: int, column: str) -> str:
        """The place of a value, for a message: `penguins.csv: row 17 (line 18), column sex`."""
        return f"{self.name}: {self.row_name(row)}, column {legible(column)}"

    def row_name(self, row: int) -> str:
        """The name of a row in messages: `row 17 (line 18)`."""
        return _row_name(self.rows, self.lines, self.first, row)

    def row_names(self) -> Callable[[int], str]:
        """A function from a row to its name in messages, `row 17 (line 18)`; it does not keep the values in memory."""
        return partial(_row_name, self.rows, np.asarray(self.lines, np.int64), self.first)

    def require_rows(self) -> None:
        """Checks that there are rows.

        Raises:
            DataError: there are none.
        """
        if not len(self):
            what = "no rows below the names of the columns" if self.columns else "no columns and no rows"
            raise DataError(f"{self.name}: {what}")

    def require(self, names: Iterable[str]) -> None:
        """Checks that there are columns of these names.

        Raises:
            DataError: with all names that are missing.
        """
        names = list(names)
        of_text = len(self.lines) and len(names) > 1  # rows of a program have no lines
        hint = "does it begin with a line of their names?" if of_text and not self.columns.keys() & {*names} else ""
        require_columns(self.columns, names, self.name, hint)


def require_columns(columns: Mapping[str, Any], names: Iterable[str], table: str, hint: str = "") -> None:
    """Checks that there are columns of these names.

    Args:
        hint: what to do if one is missing, where that is known.

    Raises:
        DataError: with all names that are missing; `problems` has each.
    """
    wanted = list(dict.fromkeys(names))
    missing = [name for name in wanted if name not in columns]
    if missing:
        known = f"the columns are {shorten(columns)}" if columns else "there are no columns"
        # A missing name is not the misspelling of a column that is wanted itself.
        asked = set(wanted)
        others = [name for name in columns if name not in asked]
        text = f"{table}: {', '.join(_faults(missing, others))}; {known}"
        problems = [Fault(None, name, None, f"no column {show(name)}") for name in missing]
        raise DataError(f"{text}; {hint}" if hint else text, problems)


def _faults(missing: Sequence[str], columns: Sequence[str]) -> list[str]:
    # Each suggestion is a search in all columns, so only for as many names as a message shows.
    near = {name: nearest(name, columns) if place < MOST_NAMES else None for place, name in enumerate(missing)}
    faults = [f"no column {show(name)} (did you mean {show(found)}?)" for name, found in near.items() if found]
    absent = [show(name) for name, found in near.items() if not found]
    if absent:
        faults.append(f"no column{'s' if len(absent) > 1 else ''} {shorten(absent)}")
    return faults


def _row_name(rows: Sequence[int] | Array | None, lines: Sequence[int] | Array, first: int, row: int) -> str:
    original = row if rows is None else rows[row]
    return f"row {first + original + 1}" + (f" (line {lines[original]})" if len(lines) else "")


def shorten(names: Iterable[str], most: int = MOST_NAMES) -> str:
    """A list of names for a message."""
    listed = [legible(name) for name in names]
    return ", ".join(listed[:most]) + (f", ... ({len(listed)} in all)" if len(listed) > most else "")
