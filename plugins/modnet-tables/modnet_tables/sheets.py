"""The table in a sheet of a workbook, wherever it lies there."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import modnet
from modnet.data.column import Column
from modnet.data.options import ReadOptions
from modnet.data.table import Table
from modnet.words import counted, did_you_mean, legible, listed, show

ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"))
"""What a cell holds whose formula has no result."""

SAMPLE = 50
"""The rows by which the width of a table is judged."""

Row = Sequence[Any]


class Line(NamedTuple):
    """A row of a sheet that is not empty, and its number there."""

    number: int
    cells: Row


def choose_sheet(names: Sequence[str], wanted: str | int | None, label: str) -> int | None:
    """The position of the sheet that is wanted; None if none is.

    Args:
        names: of the sheets.
        wanted: a name, or a position counted from 1 (as a text, too, if no sheet is called so).

    Raises:
        DataError: there is no such sheet.
    """
    if wanted is None:
        return None
    if isinstance(wanted, int):
        if not 1 <= wanted <= len(names):
            raise modnet.DataError(f"{label}: sheet = {wanted}, but it has {counted(len(names), 'sheet')}")
        return wanted - 1
    folded = [name.casefold().strip() for name in names]
    if wanted in names:
        return names.index(wanted)
    if wanted.casefold().strip() in folded:
        return folded.index(wanted.casefold().strip())
    if wanted.isdecimal():
        return choose_sheet(names, int(wanted), label)
    near = did_you_mean(wanted, names) or f"; it has {listed([legible(name) for name in names], 8)}"
    raise modnet.DataError(f"{label}: no sheet {show(wanted)}{near}")


def said_sheet(names: Sequence[str], chosen: int) -> tuple[str, ...]:
    """The note that says which sheet was read, if there are several and none was named."""
    if len(names) < 2:
        return ()
    others = [show(name) for place, name in enumerate(names) if place != chosen]
    return (f"sheet {show(names[chosen])} is read, not {listed(others, 4)}",)


def table_of(rows: Iterable[Row], label: str, options: ReadOptions, notes: Sequence[str] = ()) -> Table:
    """The table of the rows of a sheet.

    Empty rows, and empty columns without a name, are left out. So are titles above the names of the columns and remarks
    below the table, both said. Errors of formulas are missing values.

    Args:
        rows: the cells, None or "" for empty ones.
        options: `header` is the line of the names of the columns, counted from 1; 0 if there is none.

    Raises:
        DataError: the sheet is empty, or a column has no name.
    """
    lines = [Line(number, row) for number, row in enumerate(rows, 1) if any(map(_is_filled, row))]
    if not lines:
        raise modnet.DataError(f"{label}: an empty sheet; expected the names of the columns, then rows")
    found = list(notes)
    start = _header(lines, options.header, label)
    if start:
        found.append(_said_titles(lines[:start]))
    header, lines = lines[start], _without_remarks(lines[start:], found)
    if options.header == 0 or (options.header is None and _is_data(header, lines)):
        names = [f"column_{place + 1}" if _in_any(lines, place) else "" for place in range(_width(lines))]
        found.append("the columns are called column_1, column_2, ..., because the first row has no names")
    else:
        names, lines = _names(header, lines, found), lines[1:]
    columns, errors = {}, 0
    for place, name in enumerate(names):
        if name:
            values = [_value(line.cells[place]) if place < len(line.cells) else None for line in lines]
            errors += sum(value is _ERROR for value in values)
            columns[name] = Column.of([None if value is _ERROR else value for value in values], name)
    if errors:
        found.append(f"{counted(errors, 'cell')} with an error, such as #N/A, {'is' if errors == 1 else 'are'} missing")
    return Table(columns, label, [line.number for line in lines], notes=tuple(found))


def _is_filled(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _filled(line: Line) -> list[int]:
    return [place for place, value in enumerate(line.cells) if _is_filled(value)]


def _width(lines: Sequence[Line]) -> int:
    return max(len(line.cells) for line in lines)


def _in_any(lines: Sequence[Line], place: int) -> bool:
    return any(place < len(line.cells) and _is_filled(line.cells[place]) for line in lines)


# The first and the last cells of the table


def _header(lines: Sequence[Line], wanted: int | None, label: str) -> int:
    """The position of the line with the names: the first that is at least half as wide as most lines."""
    if wanted:
        place = next((place for place, line in enumerate(lines) if line.number == wanted), None)
        if place is None:
            raise modnet.DataError(f"{label}: header = {wanted}, but that row is empty or does not exist")
        return place
    counts = sorted(len(_filled(line)) for line in lines[:SAMPLE])
    usual = counts[len(counts) // 2]
    return next((place for place, line in enumerate(lines) if 2 * len(_filled(line)) >= usual), 0)


def _said_titles(lines: Sequence[Line]) -> str:
    first, last = lines[0].number, lines[-1].number
    text = " ".join(str(lines[0].cells[place]) for place in _filled(lines[0]))
    where = f"row {first}" if len(lines) == 1 else f"rows {first} to {last}"
    return f"{where}: no row of the table, left out: {show(legible(text, 40))}"


def _without_remarks(lines: Sequence[Line], notes: list[str]) -> list[Line]:
    """The lines without those below the table: after an empty row, texts in a single cell."""
    kept = list(lines)
    if len(_filled(lines[0])) < 3:
        return kept
    while len(kept) > 1 and _is_remark(kept[-1]):
        kept.pop()
    gap = kept[-1].number + 1 < lines[len(kept)].number if len(kept) < len(lines) else False
    if not gap:
        return list(lines)
    notes.append(_said_titles(lines[len(kept) :]))
    return kept


def _is_remark(line: Line) -> bool:
    filled = _filled(line)
    return len(filled) == 1 and isinstance(line.cells[filled[0]], str)


# The names of the columns


def _is_data(header: Line, lines: Sequence[Line]) -> bool:
    """Whether a row has numbers where names should be, and the rows below it have them in the same columns."""
    places = [place for place in _filled(header) if _is_number(header.cells[place])]
    if 2 * len(places) <= len(_filled(header)) or _are_counted([header.cells[place] for place in places]):
        return False
    below = lines[1:20]
    return all(_is_number(line.cells[place]) for line in below for place in places if place < len(line.cells))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_counted(values: Sequence[Any]) -> bool:
    """Whether these are 0, 1, 2 ..., as pandas calls columns without names, or years."""
    whole = all(float(value).is_integer() for value in values)
    return whole and len(values) > 1 and all(later == earlier + 1 for earlier, later in pairwise(values))


def _names(header: Line, lines: Sequence[Line], notes: list[str]) -> list[str]:
    """The names of the columns, all different; "" for one that is left out."""
    given = [_name(value) for value in header.cells]
    given += [""] * (_width(lines) - len(given))
    names: list[str] = []
    for place, name in enumerate(given):
        if not name and not _in_any(lines[1:], place):
            names.append("")
            continue
        made = _free(name, names) if name else _free(f"column_{place + 1}" if place else "index", {*names, *given})
        if not name:
            notes.append(f"column {place + 1} has no name; it is called {show(made)}")
        elif made != name:
            both = f"columns {given.index(name) + 1} and {place + 1} are both called {show(name)}"
            notes.append(f"{both}; the second is {show(made)}")
        names.append(made)
    return names


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return " ".join(str(value).split()) if _is_filled(value) else ""


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, or the first of name_2, name_3 ... that no column has."""
    used, made, number = set(taken), name, 1
    while made in used:
        number += 1
        made = f"{name}_{number}"
    return made


# Values


class _Error:
    """The result of a formula that has none."""


_ERROR = _Error()


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return _ERROR if value in ERRORS else value if value.strip() else None
    if isinstance(value, datetime.time):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, datetime.timedelta) else value
