"""How a csv file is written, found from its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from modnet.data.options import ReadOptions
from modnet.data.readers.csv_numbers import Spelling
from modnet.errors import DataError
from modnet.records import Record
from modnet.words import counted, legible, show

DELIMITERS = ",;\t|"
MOST_RECORDS = 200
"""How many rows are looked at."""

MOST_SAID = 5
"""How many columns that got another name are said."""

EXPECTED = "a line with the names of the columns, then rows"

COMMENT = "#"
LONGEST_FIELD = 2**31 - 1
"""What the csv module takes as a limit on every system; its own is 131,072 characters."""

PLAIN, COMMA = Spelling(()), Spelling((), ",")


class Dialect(Record, eq=False):
    """How a csv file is written.

    Attributes:
        delimiter, quote: the signs between cells and around them.
        decimal, thousands: the signs in numbers.
        comment: the sign that begins lines that are no rows; None if there are none.
        skip_blanks: whether blanks after a delimiter do not belong to the cell.
        names: of the columns, all different.
        spare: the columns that are left out if they are empty.
        skip: the number of lines before the rows.
        notes: what was assumed.
    """

    delimiter: str
    quote: str
    decimal: str
    thousands: str
    comment: str | None
    skip_blanks: bool
    names: tuple[str, ...]
    spare: frozenset[int]
    skip: int
    notes: tuple[str, ...]


class Line(NamedTuple):
    """A row of the sample.

    Attributes:
        begin, end: its first line, counted from 0, and the one after its last.
        cells: what is in it.
        text: its first line as it is.
    """

    begin: int
    end: int
    cells: list[str]
    text: str

    @property
    def blank(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


def parse_lines(lines: Sequence[str], delimiter: str, quote: str, skip_blanks: bool = False) -> Iterator[Line]:
    """The rows of lines of text; ends at the first one with broken quotes."""
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True, skipinitialspace=skip_blanks)
    begin = 0
    try:
        for cells in reader:
            yield Line(begin, reader.line_num, cells, lines[begin])
            begin = reader.line_num
    except csv.Error:
        return


class Found(NamedTuple):
    """A way to read the sample: its rows without comments and empty lines, and how many cells most of them have."""

    delimiter: str
    rows: list[Line]
    width: int
    share: float


def find_dialect(lines: Sequence[str], options: ReadOptions, name: str) -> Dialect:
    """How a csv file is written.

    Args:
        lines: its first lines, with their ends.
        options: what is known of it.
        name: of the file, for messages.

    Raises:
        DataError: there is nothing in it, or an option cannot be.
    """
    check_signs(options, name)
    notes: list[str] = []
    said, skipped = _said_delimiter(lines)
    delimiter = options.delimiter or said
    quote = _find_quote(lines, delimiter or DELIMITERS)
    found = _find_delimiter(lines, skipped, delimiter, quote, options)
    if not found.rows:
        raise DataError(
            f"{name}: {_nothing(lines[skipped:])}; expected a line with the names of the columns, then rows"
        )
    loose = _parsed(lines, skipped, found.delimiter, quote, options, True)
    skip_blanks = bool(loose.rows) and _blanks_after_delimiters(lines, found, quote)
    if skip_blanks:
        found = loose
    header = find_header(lines, found, quote, options, name, notes)
    if quote != '"':
        notes.append(f"values in {quote} are read without these quotes")
    if skip_blanks:
        notes.append("blanks after each delimiter are left out")
    names, spare = name_columns(header.names, header.empty, notes)
    return Dialect(
        found.delimiter,
        quote,
        options.decimal or ".",
        options.thousands or "",
        header.comment,
        skip_blanks,
        names,
        spare,
        header.end,
        tuple(notes),
    )


def _nothing(lines: Sequence[str]) -> str:
    """Why there are no rows."""
    text = "".join(lines).strip()
    return "empty" if not text else "only comments" if text.startswith(COMMENT) else "the first line has broken quotes"


def check_signs(options: ReadOptions, name: str) -> None:
    """Checks the options that are signs.

    Raises:
        DataError: one cannot be, or two are the same.
    """
    allowed = {
        "delimiter": ("one sign of ASCII that is no letter, digit or quote", r"""[^\w\r\n\0"'+.]"""),
        "decimal": ('"." or ","', "[.,]"),
        "thousands": ("one sign that is no letter or digit, or none", r"[^\w\r\n\0+\-]|_|"),
        "comment": ("one sign of ASCII", r"""[^\r\n\0"']"""),
    }
    for option, (expected, pattern) in allowed.items():
        sign = getattr(options, option)
        ascii_only = option != "thousands"
        if sign is not None and not (re.fullmatch(pattern, sign) and (sign.isascii() or not ascii_only)):
            raise DataError(f"{name}: {option} = {show(sign)}; expected {expected}")
    if options.thousands is not None and options.thousands == (options.decimal or "."):
        raise DataError(f"{name}: decimal and thousands are both {show(options.thousands)}; expected different signs")


def _said_delimiter(lines: Sequence[str]) -> tuple[str | None, int]:
    """The delimiter that Excel's `sep=;` says, and the number of lines before the table for it."""
    found = re.fullmatch(r'"?sep=(\\t|[^\w\s"]|\t)"?[,;\t|]*\s*', lines[0], re.IGNORECASE) if lines else None
    return (found[1].replace("\\t", "\t"), 1) if found else (None, 0)


def _find_quote(lines: Sequence[str], delimiters: str) -> str:
    """The single quote if it is around many cells, and the double quote is around none."""
    text = "".join(lines)
    if '"' in text or "'" not in text:
        return '"'
    edge = f"[{re.escape(delimiters)}\r\n]"
    around = len(re.findall(rf"(?:^|(?<={edge}))'[^'\r\n]*'(?={edge}|$)", text))
    return "'" if around > 1 and 2 * around == text.count("'") else '"'


# The delimiter


def _find_delimiter(lines: Sequence[str], skipped: int, given: str | None, quote: str, options: ReadOptions) -> Found:
    """The way to read with which most rows have equally many cells, more than one."""
    if given is not None:
        return _parsed(lines, skipped, given, quote, options)
    text = "".join(lines[skipped:])
    ways = [_parsed(lines, skipped, sign, quote, options) for sign in DELIMITERS if sign in text]
    ways = [way for way in ways if way.width > 1 and _plausible(way)]
    if not ways:
        # One column. Its texts may well have commas, or its numbers decimal ones; no text has a zero byte.
        single = _parsed(lines, skipped, "\0", quote, options)
        commas = _parsed(lines, skipped, ",", quote, options)
        return single if all(len(row.cells) == 1 for row in commas.rows) or _one_column(single) else commas
    return max(ways, key=lambda way: (round(way.share, 1), way.width, way.share))


def _parsed(
    lines: Sequence[str],
    skipped: int,
    delimiter: str,
    quote: str,
    options: ReadOptions,
    skip_blanks: bool = False,
) -> Found:
    comment = options.comment or COMMENT
    parsed = parse_lines(lines[skipped:], delimiter, quote, skip_blanks)
    rows = [
        Line(row.begin + skipped, row.end + skipped, row.cells, row.text)
        for row in islice(parsed, MOST_RECORDS)
        if not row.blank and not row.text.startswith(comment)
    ]
    counts = Counter(len(row.cells) for row in rows)
    width = max(counts, key=lambda count: (counts[count], count), default=0)
    return Found(delimiter, rows, width, counts[width] / len(rows) if rows else 0)


def _plausible(way: Found) -> bool:
    """Whether a line with the names of the columns is among the rows."""
    return any(
        len(row.cells) in (way.width, way.width - 1) and len(row.cells) > 1 and sum(map(bool, row.cells)) > 1
        for row in way.rows[:10]
    )


def _one_column(way: Found) -> bool:
    """Whether all rows but the first are numbers with a decimal comma."""
    return len(way.rows) > 1 and all(COMMA.parse(row.cells[0]) is not None for row in way.rows[1:])


def _blanks_after_delimiters(lines: Sequence[str], found: Found, quote: str) -> bool:
    """Whether every cell but the first of its row begins with a blank."""
    if not any(f"{found.delimiter} " in line for line in lines) or found.delimiter == " ":
        return False
    parsed = parse_lines(lines, found.delimiter, quote)
    loose = [row.text.split(found.delimiter)[1:] for row in islice(parsed, MOST_RECORDS) if len(row.cells) > 1]
    cells = [cell for row in loose for cell in row]
    return all(cell.startswith(" ") or not cell.strip() for cell in cells) and any(map(str.strip, cells))


# The names of the columns


class Header(NamedTuple):
    """What stands before the rows.

    Attributes:
        names: of the columns, "" where there is none.
        end: the number of lines before the rows.
        comment: the sign before comments, if there are any.
        empty: the columns without a name that have no value in the sample.
    """

    names: list[str]
    end: int
    comment: str | None
    empty: frozenset[int]


def find_header(
    lines: Sequence[str], found: Found, quote: str, options: ReadOptions, name: str, notes: list[str]
) -> Header:
    """The line with the names of the columns.

    Raises:
        DataError: the line that `header` gives is not there.
    """
    commented = _comments(lines, found, options)
    if options.header == 0:
        return _numbered(found, 0, commented, notes, "as header = 0 says")
    if options.header is not None:
        chosen = next((i for i, row in enumerate(found.rows) if row.begin <= options.header - 1 < row.end), None)
        if chosen is None:
            raise DataError(f"{name}: header = {options.header}, but that line is empty, a comment or not there")
    else:
        chosen = _header_row(found)
        hidden = _commented_header(lines, found, quote, chosen, notes)
        if hidden is not None:
            return Header(hidden, found.rows[0].begin, commented, frozenset())
        if _is_data(found, chosen):
            return _numbered(found, chosen, commented, notes, "as the first line has values and no names")
        if chosen:
            _say_titles(found.rows[:chosen], notes)
    return _named(found, chosen, commented, notes)


def _comments(lines: Sequence[str], found: Found, options: ReadOptions) -> str | None:
    if options.comment is not None:
        return options.comment
    end = found.rows[0].begin
    return COMMENT if any(line.startswith(COMMENT) for line in lines[:end]) else None


def _header_row(found: Found) -> int:
    """The first row that is as wide as most, if what is before it can be a title; otherwise the first."""
    rows, width = found.rows, found.width
    if len(rows[0].cells) == width:
        return 0
    first = next(index for index, row in enumerate(rows) if len(row.cells) == width)
    if first and _short_by_one(found, first):
        return first - 1
    cells = rows[first].cells
    sound = all(cell.strip() for cell in cells[1:-1]) and not any(map(_is_number, cells)) and len({*cells}) > 1
    return first if sound and width > 1 else 0


def _short_by_one(found: Found, first: int) -> bool:
    """Whether the row before the first one of full width has the names of all its columns but the first or the last."""
    names = found.rows[first - 1].cells
    below = found.rows[first:]
    if len(names) != found.width - 1 or any(map(_is_number, names)) or any(len(r.cells) != found.width for r in below):
        return False
    if all(not row.cells[-1].strip() for row in below):
        return True
    firsts = [row.cells[0] for row in below]
    return len(below) > 1 and len({*firsts}) == len(firsts)


def _commented_header(
    lines: Sequence[str], found: Found, quote: str, chosen: int, notes: list[str]
) -> list[str] | None:
    """The names of the columns in a comment right above the rows, `#id,name`."""
    first = found.rows[chosen]
    above = lines[first.begin - 1] if first.begin and not chosen else ""
    if not above.startswith(COMMENT) or not any(map(_is_number, first.cells)):
        return None
    cells = next((row.cells for row in parse_lines([above.lstrip("# \t")], found.delimiter, quote)), [])
    if len(cells) != found.width or found.width < 2 or any(map(_is_number, cells)):
        return None
    notes.append(f"line {first.begin}: the comment has the names of the columns")
    return cells


def _is_data(found: Found, chosen: int) -> bool:
    """Whether a row has numbers where names should be, and the rows below it have them in the same columns."""
    cells = found.rows[chosen].cells
    numbers = [place for place, cell in enumerate(cells) if _is_number(cell)]
    if 2 * len(numbers) <= len(cells):
        return False
    if len(numbers) == len(cells) and all(cell.strip().isdigit() for cell in cells):
        values = [int(cell.strip()) for cell in cells]
        if len(cells) > 1 and all(b == a + 1 for a, b in pairwise(values)):
            return False  # 0, 1, 2 ...: what pandas writes for columns without names; or years
    below = found.rows[chosen + 1 : chosen + 20]
    return all(_is_number(row.cells[place]) for row in below for place in numbers if place < len(row.cells))


def _numbered(found: Found, chosen: int, comment: str | None, notes: list[str], why: str) -> Header:
    names = [f"column_{number + 1}" for number in range(found.width)]
    ends = f'"{names[0]}" to "{names[-1]}"' if len(names) > 1 else f'"{names[0]}"'
    notes.append(f"the columns are called {ends}, {why}")
    return Header(names, found.rows[chosen].begin, comment, frozenset())


def _say_titles(rows: Sequence[Line], notes: list[str]) -> None:
    text = legible(" ".join(rows[0].cells).strip(), 40)
    where = f"line {rows[0].begin + 1}" if len(rows) == 1 else f"lines {rows[0].begin + 1} to {rows[-1].end}"
    notes.append(f"{where}: no row of the table, left out: {show(text)}")


def _named(found: Found, chosen: int, comment: str | None, notes: list[str]) -> Header:
    row = found.rows[chosen]
    names = [one_line(cell) for cell in row.cells]
    below = [other.cells for other in found.rows[chosen + 1 :]]
    widths = {len(cells) for cells in below}
    if widths == {len(names) + 1}:
        if all(not cells[-1].strip() for cells in below):
            names.append("")
        elif _short_by_one(found, chosen + 1):
            notes.append(f"line {row.begin + 1}: the first column has no name, as in tables of R")
            names.insert(0, "")
    elif names[-1] == "" and widths == {len(names) - 1}:
        names.pop()
    empty = {i for i, text in enumerate(names) if not text and all(len(c) <= i or not c[i].strip() for c in below)}
    return Header(names, row.end, comment, frozenset(empty))


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
        made = name or ("index" if place == 0 and 0 not in empty else f"column_{place + 1}")
        if name in first or not name:
            made = _free(made, taken, used)
        if not name and place not in empty:
            said.append(f"column {place + 1} has no name; it is called {show(made)}")
        elif name in first:
            said.append(f"columns {first[name] + 1} and {place + 1} are both called {show(name)}; this is {show(made)}")
        first.setdefault(name or made, place)
        taken.add(made)
        names.append(made)
    notes += said[:MOST_SAID]
    if len(said) > MOST_SAID:
        notes.append(f"{len(said) - MOST_SAID:,} more columns without a name, or with that of another one")
    if empty:
        notes.append(f"{counted(len(empty), 'column')} without a name and without values left out")
    return tuple(names), empty


def _free(name: str, taken: set[str], used: Counter[str]) -> str:
    """The name, or the first of name_2, name_3 ... that no column has."""
    made = name
    while made in taken:
        used[name] += 1
        made = f"{name}_{used[name] + 1}"
    return made


def _is_number(text: str) -> bool:
    return PLAIN.parse(text) is not None or COMMA.parse(text) is not None
