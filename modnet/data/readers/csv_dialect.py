"""How a csv file is written, found from its first lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modnet.data.options import ReadOptions
from modnet.data.readers.csv_header import find_header, name_columns
from modnet.data.readers.csv_sample import COMMENT, Sample, any_number, read_sample
from modnet.errors import DataError
from modnet.records import Record
from modnet.words import show

DELIMITERS = ",;\t|"

NO_DELIMITER = "\0"
"""The delimiter of a file of one column: no text has a zero byte."""

EXPECTED = "a line with the names of the columns, then rows"


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
        comments: how many of them are comments.
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
    comments: int
    notes: tuple[str, ...]


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
    delimiter, first = _said_delimiter(lines, options.delimiter)
    quote, comment = _find_quote(lines, delimiter), options.comment or COMMENT
    sample = _find_delimiter(lines, first, delimiter, quote, comment)
    if not sample.rows:
        raise DataError(f"{name}: {_nothing(lines[first:])}; expected {EXPECTED}")
    loose = read_sample(lines, first, sample.delimiter, quote, comment, skip_blanks=True)
    skip_blanks = _blanks_after_delimiters(sample, loose)
    notes: list[str] = []
    header = find_header(lines, loose if skip_blanks else sample, quote, options, name, notes)
    notes += _said_of_cells(quote, skip_blanks)
    names, spare = name_columns(header.names, header.empty, notes)
    comments = sum(line.startswith(comment) for line in lines[: header.begin])
    return Dialect(
        delimiter=sample.delimiter,
        quote=quote,
        decimal=options.decimal or ".",
        thousands=options.thousands or "",
        comment=comment if comments or options.comment else None,
        skip_blanks=skip_blanks,
        names=names,
        spare=spare,
        skip=header.end,
        comments=comments,
        notes=tuple(notes),
    )


def _said_of_cells(quote: str, skip_blanks: bool) -> list[str]:
    quotes = [f"values in {quote} are read without these quotes"] if quote != '"' else []
    return [*quotes, "blanks after each delimiter are left out"] if skip_blanks else quotes


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


def _said_delimiter(lines: Sequence[str], given: str | None) -> tuple[str | None, int]:
    """The delimiter that Excel's `sep=;` says, and the number of lines before the table for it."""
    found = re.fullmatch(r'"?sep=(\\t|[^\w\s"]|\t)"?[,;\t|]*\s*', lines[0], re.IGNORECASE) if lines else None
    return (given or found[1].replace("\\t", "\t"), 1) if found else (given, 0)


def _find_quote(lines: Sequence[str], delimiter: str | None) -> str:
    """The single quote if it is around many cells, and the double quote is around none."""
    text = "".join(lines)
    if '"' in text or "'" not in text:
        return '"'
    edge = f"[{re.escape(delimiter or DELIMITERS)}\r\n]"
    around = len(re.findall(rf"(?:^|(?<={edge}))'[^'\r\n]*'(?={edge}|$)", text))
    return "'" if around > 1 and 2 * around == text.count("'") else '"'


def _find_delimiter(lines: Sequence[str], first: int, given: str | None, quote: str, comment: str) -> Sample:
    """The way to read with which most rows have equally many cells, more than one."""
    if given is not None:
        return read_sample(lines, first, given, quote, comment)
    text = "".join(lines[first:])
    ways = [read_sample(lines, first, sign, quote, comment) for sign in DELIMITERS if sign in text]
    ways = [way for way in ways if way.width > 1 and _has_names(way)]
    if ways:
        return max(ways, key=lambda way: (round(way.share, 1), way.width, way.share))
    # One column, if there is one name. Its texts may well have commas, or its numbers decimal ones.
    commas = read_sample(lines, first, ",", quote, comment)
    single = not commas.rows or len(commas.rows[0].cells) == 1
    return read_sample(lines, first, NO_DELIMITER, quote, comment) if single else commas


def _has_names(way: Sample) -> bool:
    """Whether the first row, or one after a title, can have the names of columns."""
    first = way.rows[0].cells
    if len(first) > 1:
        return sum(map(bool, first)) > 1 or len(first) == way.width
    rows = [row.cells for row in way.rows[1:6]]
    return any(_are_names(cells, rows[place + 1 :], way.width) for place, cells in enumerate(rows[:4]))


def _are_names(cells: Sequence[str], below: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a row below a title can have the names of `width` columns: most are there, and no value is like its name.

    Without this, `1,A;;;x,2` would have the values of a table with the names `1,A` and `x,2`.
    """
    if len(cells) < width - 1 or 2 * sum(map(bool, cells)) <= width or any_number(cells):
        return False
    return not below or not any(name and name == value for name, value in zip(cells, below[0], strict=False))


def _blanks_after_delimiters(sample: Sample, loose: Sample) -> bool:
    """Whether every cell but the first of its row begins with a blank, or quotes are quotes only without these blanks.

    Args:
        loose: the rows without blanks after delimiters.
    """
    if sample.delimiter == " " or not loose.rows:
        return False
    if loose.share > sample.share:
        return True
    cells = [cell for row in sample.rows for cell in row.cells[1:]]
    return all(cell.startswith(" ") or not cell.strip() for cell in cells) and any(map(str.strip, cells))
