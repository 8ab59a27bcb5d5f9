"""The names of the columns of a csv file: the line that has them, and what is made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from modnet.data.options import ReadOptions
from modnet.data.readers.csv_sample import COMMENT, Row, Sample, any_number, is_number, read_sample
from modnet.errors import DataError
from modnet.words import counted, legible, show

MOST_SAID = 5
"""How many columns that got another name are said."""

FIRST_YEAR, LAST_YEAR = 1800, 2100
"""Whole numbers between these may be the names of columns."""


class Header(NamedTuple):
    """The part of the file before the rows.

    Attributes:
        names: of the columns, "" where there is none.
        begin, end: the lines of the names, counted from 0; the rows begin at `end`.
        empty: the columns without a name that have no value in the sample.
    """

    names: list[str]
    begin: int
    end: int
    empty: frozenset[int] = frozenset()


def find_header(
    lines: Sequence[str], sample: Sample, quote: str, options: ReadOptions, name: str, notes: list[str]
) -> Header:
    """The line with the names of the columns.

    Args:
        lines: of the sample.
        sample: its rows.
        quote: the sign around cells.
        options: what is known of the file.
        name: of the file, for messages.
        notes: what is assumed is added here.

    Raises:
        DataError: the line that `header` gives is not there.
    """
    if options.header == 0:
        return _numbered(sample, 0, notes, "as header = 0 says")
    if options.header is not None:
        line = options.header - 1
        chosen = next((index for index, row in enumerate(sample.rows) if row.begin <= line < row.end), None)
        if chosen is None:
            raise DataError(f"{name}: header = {options.header}, but that line is empty, a comment or does not exist")
        return _named(sample, chosen)
    chosen = _header_row(sample)
    hidden = _in_comment(lines, sample, quote, chosen, notes)
    if hidden is not None:
        return hidden
    if _is_data(sample, chosen):
        return _numbered(sample, chosen, notes, "as the first line has values and no names")
    if chosen:
        _say_titles(sample.rows[:chosen], notes)
    return _named(sample, chosen)


def _header_row(sample: Sample) -> int:
    """The first row, or the first one after titles."""
    rows, width = sample.rows, sample.width
    first = next(index for index, row in enumerate(rows) if len(row.cells) == width)
    if first and _short_by_one(sample, first):
        return first - 1
    if any(len(row.cells) >= width for row in rows[:first]):
        return 0
    while first + 2 < len(rows) and _is_padded_title(sample, first):
        first += 1
    return first if _may_be_names(rows[first].cells) else 0


def _may_be_names(cells: Sequence[str]) -> bool:
    """Whether cells below a title can be the names of columns: none is empty but the first or the last, or a number."""
    return all(cell.strip() for cell in cells[1:-1]) and not any_number(cells) and len({*cells}) > 1


def _is_padded_title(sample: Sample, index: int) -> bool:
    """Whether a row is a title with the delimiters of a table: `Report 2020,,`, or commas of its own: `Sales, all`.

    The row below it must have names: a text in each column, and numbers below it in some.
    """
    cells, *below = (row.cells for row in sample.rows[index : index + 22])
    if any(len(row) != len(cells) for row in below) or not _are_names_of(below[0], below[1:]):
        return False
    alone = len(cells) > 2 and bool(cells[0].strip()) and not any(map(str.strip, cells[1:]))
    return alone or (_begin_with_blanks([cells]) and not _begin_with_blanks(below))


def _are_names_of(names: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row has a text in each column, and the rows below it have numbers in some."""
    if not all(map(str.strip, names)) or any_number(names):
        return False
    return any(all(is_number(row[place]) for row in below) for place in range(len(names)))


def _begin_with_blanks(rows: Sequence[Sequence[str]]) -> bool:
    return any(cell.startswith(" ") for row in rows for cell in row[1:])


def _short_by_one(sample: Sample, first: int) -> bool:
    """Whether the row before the first one of full width has the names of all its columns but the first or the last."""
    names = sample.rows[first - 1].cells
    below = sample.rows[first:]
    if not 1 < len(names) == sample.width - 1 or any_number(names) or any(len(r.cells) != sample.width for r in below):
        return False
    if all(not row.cells[-1].strip() for row in below):
        return True
    firsts = [row.cells[0] for row in below]
    return len(below) > 1 and len({*firsts}) == len(firsts)


def _in_comment(lines: Sequence[str], sample: Sample, quote: str, chosen: int, notes: list[str]) -> Header | None:
    """The names of the columns in a comment right above the rows, `#id,name`."""
    first = sample.rows[chosen]
    above = lines[first.begin - 1] if first.begin and not chosen else ""
    if not above.startswith(COMMENT) or not any_number(first.cells):
        return None
    rows = read_sample([above.lstrip("# \t")], 0, sample.delimiter, quote, COMMENT).rows
    if not rows or len(rows[0].cells) != sample.width or sample.width < 2 or any_number(rows[0].cells):
        return None
    notes.append(f"line {first.begin}: the comment has the names of the columns")
    return Header([one_line(cell) for cell in rows[0].cells], first.begin - 1, first.begin)


def _is_data(sample: Sample, chosen: int) -> bool:
    """Whether a row has numbers where names should be, and the rows below it have them in the same columns."""
    cells = sample.rows[chosen].cells
    numbers = [place for place, cell in enumerate(cells) if is_number(cell)]
    if 2 * len(numbers) <= len(cells) or _are_counted([cells[place].strip() for place in numbers]):
        return False
    below = sample.rows[chosen + 1 : chosen + 20]
    return all(is_number(row.cells[place]) for row in below for place in numbers if place < len(row.cells))


def _are_counted(numbers: Sequence[str]) -> bool:
    """Whether whole numbers are names: 0, 1, 2 ..., which pandas writes for columns without names; or years."""
    if len(numbers) < 2 or not all(map(str.isdecimal, numbers)):
        return False
    values = [int(number) for number in numbers]
    steps = {second - first for first, second in pairwise(values)}
    return steps == {1} or (len(steps) == 1 and 0 not in steps and all(FIRST_YEAR < v < LAST_YEAR for v in values))


def _numbered(sample: Sample, chosen: int, notes: list[str], why: str) -> Header:
    names = [f"column_{number + 1}" for number in range(sample.width)]
    ends = f"{show(names[0])} to {show(names[-1])}" if len(names) > 1 else show(names[0])
    notes.append(f"the columns are called {ends}, {why}")
    begin = sample.rows[chosen].begin
    return Header(names, begin, begin)


def _say_titles(rows: Sequence[Row], notes: list[str]) -> None:
    where = f"line {rows[0].begin + 1}" if len(rows) == 1 else f"lines {rows[0].begin + 1} to {rows[-1].end}"
    notes.append(f"{where}: no row of the table, left out: {show(legible(rows[0].text.strip(), 40))}")


def _named(sample: Sample, chosen: int) -> Header:
    row = sample.rows[chosen]
    below = [other.cells for other in sample.rows[chosen + 1 :]]
    names = [*map(one_line, row.cells)]
    widths = {*map(len, below)}
    if widths == {len(names) + 1} and _are_empty(below, -1):
        names.append("")
    elif widths == {len(names) + 1} and _short_by_one(sample, chosen + 1):
        names.insert(0, "")  # the names of the rows, as R writes them
    elif widths == {len(names) - 1} and not names[-1]:
        names.pop()
    return Header(names, row.begin, row.end, _unnamed_and_empty(names, below))


def _unnamed_and_empty(names: Sequence[str], below: Sequence[Sequence[str]]) -> frozenset[int]:
    return frozenset(place for place, name in enumerate(names) if not name and _are_empty(below, place))


def _are_empty(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Whether no row has a value in this place."""
    return not any(row[place].strip() for row in rows if place < len(row))


def one_line(name: str) -> str:
    """A name of a column without blanks at its ends and without line breaks."""
    return re.sub(r"\s*[\r\n]\s*", " ", name.strip()) if "\n" in name or "\r" in name else name.strip()


def name_columns(
    found: Sequence[str], empty: frozenset[int], notes: list[str]
) -> tuple[tuple[str, ...], frozenset[int]]:
    """Different names for all columns, and which are to be left out if they turn out to be empty.

    Args:
        found: the names in the file, "" where there is none.
        empty: the columns without a name that are empty as far as known.
        notes: what is assumed is added here.
    """
    taken = {name for name in found if name}
    first: dict[str, int] = {}
    used = Counter[str]()
    names: list[str] = []
    said: list[str] = []
    for place, name in enumerate(found):
        made = name
        if not name:
            made = _free("index" if place == 0 and 0 not in empty else f"column_{place + 1}", taken, used)
            if place not in empty:
                said.append(f"column {place + 1} has no name; it is called {show(made)}")
        elif name in first:
            made = _free(name, taken, used)
            said.append(f"columns {first[name] + 1} and {place + 1} are both called {show(name)}; this is {show(made)}")
        first.setdefault(made, place)
        taken.add(made)
        names.append(made)
    notes += _shortened(said, empty)
    return tuple(names), empty


def _shortened(said: Sequence[str], empty: frozenset[int]) -> list[str]:
    notes = [*said[:MOST_SAID]]
    if len(said) > MOST_SAID:
        notes.append(f"{len(said) - MOST_SAID:,} more columns without a name, or with that of another one")
    if empty:
        notes.append(f"{counted(len(empty), 'column')} without a name and without values left out")
    return notes


def _free(name: str, taken: set[str], used: Counter[str]) -> str:
    """The name, or the first of name_2, name_3 ... that no column has."""
    made = name
    while made in taken:
        used[name] += 1
        made = f"{name}_{used[name] + 1}"
    return made
