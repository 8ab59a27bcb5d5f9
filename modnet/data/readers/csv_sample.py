"""The first rows of a csv file, read in one way or another."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from modnet.data.readers.csv_numbers import Spelling

MOST_ROWS = 200
"""How many rows are looked at."""

COMMENT = "#"
"""The beginning of a line that is taken for a comment if it cannot be a row."""

WITH_POINT, WITH_COMMA = Spelling(()), Spelling((), ",")


class Row(NamedTuple):
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


class Sample(NamedTuple):
    """The first rows, without comments and empty lines.

    Attributes:
        delimiter: with which they were read.
        rows: up to the first one with broken quotes.
        width: how many cells most of them have.
        share: how many of them, from 0 to 1.
    """

    delimiter: str
    rows: list[Row]
    width: int
    share: float


def read_sample(
    lines: Sequence[str], first: int, delimiter: str, quote: str, comment: str, skip_blanks: bool = False
) -> Sample:
    """The rows of lines of text from `first` on."""
    parsed = _parsed(lines[first:], first, delimiter, quote, skip_blanks)
    rows = [row for row in islice(parsed, MOST_ROWS) if not row.blank and not row.text.startswith(comment)]
    counts = Counter(len(row.cells) for row in rows)
    width = max(counts, key=lambda count: (counts[count], count), default=0)
    return Sample(delimiter, rows, width, counts[width] / len(rows) if rows else 0)


def _parsed(lines: Sequence[str], first: int, delimiter: str, quote: str, skip_blanks: bool) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True, skipinitialspace=skip_blanks)
    begin = 0
    try:
        for cells in reader:
            yield Row(first + begin, first + reader.line_num, cells, lines[begin])
            begin = reader.line_num
    except csv.Error:
        return


def is_number(text: str) -> bool:
    """Whether this is a number with a decimal point or a decimal comma."""
    return WITH_POINT.parse(text) is not None or WITH_COMMA.parse(text) is not None


def any_number(texts: Iterable[str]) -> bool:
    return any(map(is_number, texts))
