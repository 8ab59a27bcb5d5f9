"""How a file of a table is read."""

from __future__ import annotations

from typing import Literal

from modnet.data.values import MISSING_VALUES
from modnet.records import Record

Decimal = Literal[".", ","]
Thousands = Literal["", ",", ".", " ", "'"]
Negative = Literal["minus", "parentheses", "trailing"]


class ReadOptions(Record):
    """How a file of a table is read; by default as its contents suggest.

    Attributes:
        encoding: of a csv file, such as "utf-8" or "cp1252".
        delimiter: the sign between the values of a csv file.
        decimal: the sign before the fraction of a number.
        thousands: the sign between groups of three digits of a number.
        comment: the sign with which a line begins that is no row.
        header: the line with the names of the columns, counted from 1; 0 if there is none.
        missing_values: the texts that mean a missing value in a column of numbers.
        texts: the names of columns whose values are texts, whatever they look like.
        sheet: of a workbook: the name of the sheet, or its position counted from 1.
        query: of a database: what to ask it, or the name of a table.
        size: of images: the (height, width) to which they are scaled.
        channels: of images: 1 makes all of them grey, 3 gives all of them colour; by default, grey if all are.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    comment: str | None = None
    header: int | None = None
    missing_values: tuple[str, ...] = MISSING_VALUES
    texts: frozenset[str] = frozenset()
    sheet: str | int | None = None
    query: str | None = None
    size: tuple[int, int] | None = None
    channels: int | None = None


DEFAULTS = ReadOptions()
"""As the contents of the file suggest."""
