"""The cells of a block of csv text: where each begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from modnet.arrays import Array
from modnet.records import Record

FRONT, BACK = 32, 16
"""Zero bytes around the text of a block, so that the words around a cell can be read without a check."""

NEWLINE, BLANK, NO_BYTE = 10, 32, 0xFF
"""Bytes; the last one is in no UTF-8 text."""


class Cells(Record, eq=False):
    """Rows of cells in a block of UTF-8 text.

    Attributes:
        data: the text, with `FRONT` zero bytes before and at least `BACK` after it; its length is a multiple of 8.
        starts, ends: int64 (rows, columns): where in `data` each cell begins, and where it ends.
        points: int64 (rows, columns): the number of decimal points in each cell.
        marks: int64: the positions in `data` of all that ends a cell and of all decimal points, in order.
        at: int64 (rows, columns): which of `marks` ends each cell.
        lines: the line of the file on which each row begins.
        line_count: the number of lines of the whole text.
        bytes, words: `data` as an array of bytes, and one of words of 64 bits, whose first byte is their lowest.
    """

    data: bytes
    starts: Array
    ends: Array
    points: Array
    marks: Array
    at: Array
    lines: Sequence[int]
    line_count: int

    def __len__(self) -> int:
        return len(self.at)

    def __post_init__(self) -> None:
        self.bytes: Array
        self.words: Array
        words = np.frombuffer(self.data, "<u8").astype(np.uint64, copy=False)
        self.__dict__.update(bytes=np.frombuffer(self.data, np.uint8), words=words)

    @cached_property
    def text(self) -> str | None:
        """`data` as a text of as many letters; None if there are none."""
        return self.data.decode() if self.data.isascii() else None

    @cached_property
    def has_blanks(self) -> bool:
        return b" " in self.data

    def part(self, first: int, end: int) -> Cells:
        """The cells of some rows."""
        rows = {name: getattr(self, name)[first:end] for name in ("starts", "ends", "points", "at", "lines")}
        return self.replace(**rows)

    def without_quotes(self, quote: int) -> Cells:
        """The cells without the quotes around them."""
        quoted = self.bytes[self.starts] == quote
        return self.replace(starts=self.starts + quoted, ends=self.ends - quoted)

    def without_blanks(self) -> Cells:
        """The cells without blanks at their beginning."""
        starts = self.starts.copy()
        while (blank := (self.bytes[starts] == BLANK) & (starts < self.ends)).any():
            starts += blank
        return self.replace(starts=starts)


def pick(values: Array, columns: Array) -> Array:
    """values[:, columns] as a new array; columns are in order, and often all of a range, which takes less time."""
    first, last = int(columns[0]), int(columns[-1])
    if last - first == len(columns) - 1:
        return values[:, first : last + 1].copy()
    return values.take(columns, axis=1)


def enclose(text: bytes) -> bytes:
    """The text with zero bytes around it, as `Cells` needs it."""
    return b"".join((bytes(FRONT), text, bytes(BACK + -len(text) % 8)))


def regular_cells(text: bytes, first_line: int, width: int, delimiter: int, point: int, quote: int) -> Cells | None:
    """The cells of whole lines of text, or None if it is not as regular as it must be for this.

    Regular text has `width` cells on each line, no empty line, and quotes only at both ends of cells.

    Args:
        text: ends with a line feed, and has no carriage returns.
        first_line: the line of the file on which it begins.
        delimiter, point, quote: the bytes between cells, before the fraction of a number, and around cells.
    """
    data = enclose(text)
    signs = np.frombuffer(data, np.uint8)
    ending = signs == delimiter
    ending |= signs == NEWLINE
    quoted = quote in text
    if quoted and not _unquote(signs, ending, quote):
        return None
    if point != delimiter:
        ending |= signs == point
    marks = np.flatnonzero(ending)
    kinds = signs[marks]
    at = np.flatnonzero(kinds != point) if point != delimiter else np.arange(len(marks))
    rows = len(at) // width
    line_ends = kinds[at] == NEWLINE
    if rows * width != len(at) or np.count_nonzero(line_ends) != rows or not line_ends[width - 1 :: width].all():
        return None
    cells = _cells(data, marks, at, width, range(first_line, first_line + rows))
    if not quoted:
        return cells
    breaks = np.flatnonzero(signs == NEWLINE)
    lines = (first_line + np.searchsorted(breaks, cells.starts[:, 0])).tolist()
    cells = cells.without_quotes(quote)
    return cells.replace(lines=cells.lines if len(breaks) == rows else lines, line_count=len(breaks))


def _unquote(signs: Array, ending: Array, quote: int) -> bool:
    """Removes from `ending` what is in quotes; returns whether all quotes are at both ends of cells."""
    quotes = signs == quote
    places = np.flatnonzero(quotes)
    opening, closing = places[::2], places[1::2]
    if len(opening) != len(closing):
        return False
    edge = ending.copy()
    edge[FRONT - 1] = True
    if not (edge[opening - 1].all() and edge[closing + 1].all()):
        return False
    inside = np.bitwise_xor.accumulate(quotes.view(np.uint8))
    ending &= inside == 0
    return bool(edge[opening - 1].all() and ending[opening[1:] - 1].all())


def cells_of_rows(rows: Sequence[Sequence[str]], lines: Sequence[int], width: int, point: int) -> Cells:
    """The cells of rows of `width` texts each, without zero bytes."""
    text = b"".join([b"\0".join([cell.encode() for cell in row]) + b"\0" for row in rows])
    data = enclose(text)
    signs = np.frombuffer(data, np.uint8)[FRONT : FRONT + len(text)]
    marks = np.flatnonzero((signs == 0) | (signs == point))
    at = np.flatnonzero(signs[marks] == 0)
    return _cells(data, marks + FRONT, at, width, lines)


def _cells(data: bytes, marks: Array, at: Array, width: int, lines: Sequence[int]) -> Cells:
    """The cells that end at some of `marks`."""
    ends = marks[at]
    starts, points = np.empty_like(ends), np.empty_like(at)
    if len(at):
        starts[0], points[0] = FRONT, at[0]
        np.add(ends[:-1], 1, out=starts[1:])
        np.subtract(at[1:], at[:-1], out=points[1:])
        points[1:] -= 1
    starts, ends, points, at = (array.reshape(-1, width) for array in (starts, ends, points, at))
    return Cells(data, starts, ends, points, marks, at, lines, len(lines))
