"""How a data file is read, where its kind leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass

from modnet.data.spec import MISSING_VALUES, DataSource, DataSpec


@dataclass(frozen=True)
class ReadOptions:
    """What a reader is told of the file; None means that it finds out itself, and says what it assumed.

    Attributes:
        encoding: of a text, as Python names it.
        delimiter: the sign between the values of a line.
        decimal: the sign before the fraction of a number, "." or ",".
        thousands: the sign between groups of digits.
        comment: lines that begin with it are skipped.
        header: the line that has the names of the columns, counted from 1.
        missing_values: the texts that stand for a missing value.
        texts: the columns that are kept as texts, whatever their values look like.
        sheet: of a workbook, the name of a sheet, or its position counted from 1.
        query: of a database, what to ask it for.
        size: of images, the (height, width) to which they are scaled.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    comment: str | None = None
    header: int | None = None
    missing_values: tuple[str, ...] = MISSING_VALUES
    texts: tuple[str, ...] = ()
    sheet: str | int | None = None
    query: str | None = None
    size: tuple[int, int] | None = None

    @classmethod
    def of(cls, spec: DataSpec, source: DataSource | None = None) -> ReadOptions:
        """Those of a spec; what one of its sources has of its own goes first."""
        first = source or DataSource(path="")
        return cls(
            missing_values=spec.missing_values,
            sheet=spec.sheet if first.sheet is None else first.sheet,
            query=spec.query if first.query is None else first.query,
            size=spec.size if first.size is None else first.size,
        )


DEFAULTS = ReadOptions()
"""Every reader finds out itself what it can."""
