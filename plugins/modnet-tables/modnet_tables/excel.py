"""Excel's workbooks (.xlsx, .xlsm), by openpyxl."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl

import modnet
from modnet.data.column import Column
from modnet.data.options import ReadOptions
from modnet.data.source import check_ratio
from modnet.data.table import Table
from modnet_tables.sheets import choose_sheet, said_sheet, table_of

OLD = b"\xd0\xcf\x11\xe0"
"""The first bytes of an old workbook, and of one that a password protects."""


def read(path: Path, options: ReadOptions) -> Table:
    """The table of a sheet: of `options.sheet`, or of the first that is neither hidden nor empty.

    Of formulas it has the results that were computed last.

    Raises:
        DataError: the workbook is damaged, or has no such sheet or table.
    """
    with _told(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that openpyxl does not know
        _check(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            return _table(book, str(path), options)
        finally:
            book.close()


def write(table: Table, path: Path) -> None:
    """Writes a table as the only sheet of a workbook."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    sheet.append(list(table.columns))
    for row in zip(*(_cells(column) for column in table.columns.values()), strict=True):
        sheet.append(row)
    book.save(path)


def _check(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(4) == OLD:
            raise modnet.DataError(
                f"{path}: protected by a password, or an old workbook; save it without one, or name it .xls"
            )
    with zipfile.ZipFile(path) as archive:
        check_ratio(path, sum(info.file_size for info in archive.infolist()))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong in a damaged workbook, as a fault of data."""
    try:
        yield
    except modnet.ModnetError:
        raise
    except MemoryError as error:
        raise modnet.DataError(f"{path}: needs more memory than there is") from error
    except Exception as error:  # zipfile, zlib, the XML parser and openpyxl itself raise nearly anything
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise modnet.DataError(f"{path}: not a workbook of Excel, or a damaged one: {text}") from error


def _table(book: Any, label: str, options: ReadOptions) -> Table:
    sheets = [sheet for sheet in book.worksheets if hasattr(sheet, "iter_rows")]
    names = [sheet.title for sheet in sheets]
    chosen = choose_sheet(names, options.sheet, label)
    if chosen is not None:
        return table_of(_rows(sheets[chosen]), label, options)
    shown = [place for place, sheet in enumerate(sheets) if sheet.sheet_state == "visible"]
    for place in shown or range(len(sheets)):
        rows = _rows(sheets[place])
        if any(value is not None for row in rows for value in row):
            return table_of(rows, label, options, said_sheet(names, place))
    raise modnet.DataError(f"{label}: a workbook without a table")


def _rows(sheet: Any) -> list[tuple[Any, ...]]:
    sheet.reset_dimensions()  # some programs write wrong ones, and openpyxl would stop there
    return list(sheet.iter_rows(values_only=True))


def _cells(column: Column) -> list[Any]:
    values = column.values.tolist()
    if column.texts is not None:
        values = [column.texts[code] for code in values]
    return [None if gap else value for value, gap in zip(values, column.gaps.tolist(), strict=True)]
