"""Excel's workbooks (.xlsx, .xlsm), by openpyxl."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

import modnet
from modnet.data.column import Column
from modnet.data.options import DEFAULTS, ReadOptions
from modnet.data.source import check_ratio
from modnet.data.table import Table
from modnet.words import listed
from modnet_tables.sheets import choose_sheet, said_sheet, table_of

MOST_ROWS = 1_048_576
"""Of a sheet, with the one of the names."""

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
        with _opened(path, results=True) as book:
            chosen, table = _table(book, str(path), options)
        empty = [name for name, column in table.columns.items() if len(column) and column.gaps.all()]
        return _with_formulas_said(table, empty, path, chosen) if empty else table


def write(table: Table, path: Path) -> None:
    """Writes a table as the only sheet of a workbook. Texts stay texts: one that begins with "=" is no formula.

    Raises:
        DataError: the file cannot be written, or the table has more rows than a sheet.
    """
    if len(table) >= MOST_ROWS:
        found = f"a sheet has at most {MOST_ROWS:,} rows, found {len(table):,}"
        raise modnet.DataError(f"{path}: {found}; write .parquet or .csv")
    try:
        with path.open("wb") as file:  # before anything is made that would have to be undone
            _book(table).save(file)
    except OSError as error:
        raise modnet.DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def _book(table: Table) -> openpyxl.Workbook:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    sheet.append([_cell(sheet, name) for name in table.columns])
    for row in zip(*(_values(column) for column in table.columns.values()), strict=True):
        sheet.append([_cell(sheet, value) for value in row])
    return book


def _cell(sheet: Any, value: Any) -> Any:
    """What `append` takes for a value."""
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    if not isinstance(value, str):
        return value
    text = ILLEGAL_CHARACTERS_RE.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
    if not text.startswith("="):
        return text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


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


@contextmanager
def _opened(path: Path, *, results: bool) -> Iterator[Any]:
    """The workbook, with the results of its formulas or with the formulas themselves."""
    book = openpyxl.load_workbook(path, read_only=True, data_only=results, keep_links=False)
    try:
        yield book
    finally:
        book.close()


def _with_formulas_said(table: Table, empty: Sequence[str], path: Path, chosen: int) -> Table:
    """The table, with a note which of its empty columns are formulas that no program has computed."""
    with _opened(path, results=False) as book:
        formulas = table_of(_rows(_sheets(book)[chosen]), str(path), DEFAULTS).columns
    found = [name for name in empty if name in formulas and _are_formulas(formulas[name])]
    if not found:
        return table
    note = f"without a result: the formulas of {listed(found, 6)}; open the workbook in Excel and save it"
    return replace(table, notes=(*table.notes, note))


def _are_formulas(column: Column) -> bool:
    return any(text.startswith("=") for text in column.texts or ())


def _sheets(book: Any) -> list[Any]:
    return [sheet for sheet in book.worksheets if hasattr(sheet, "iter_rows")]


def _table(book: Any, label: str, options: ReadOptions) -> tuple[int, Table]:
    """The position of the sheet that is read, and its table."""
    sheets = _sheets(book)
    names = [sheet.title for sheet in sheets]
    chosen = choose_sheet(names, options.sheet, label)
    if chosen is not None:
        return chosen, table_of(_rows(sheets[chosen]), label, options)
    shown = [place for place, sheet in enumerate(sheets) if sheet.sheet_state == "visible"]
    for place in shown or range(len(sheets)):
        rows = _rows(sheets[place])
        if any(value is not None for row in rows for value in row):
            return place, table_of(rows, label, options, said_sheet(names, place))
    raise modnet.DataError(f"{label}: a workbook without a table")


def _rows(sheet: Any) -> list[tuple[Any, ...]]:
    sheet.reset_dimensions()  # some programs write wrong ones, and openpyxl would stop there
    return list(sheet.iter_rows(values_only=True))


def _values(column: Column) -> list[Any]:
    values = column.values.tolist()
    if column.texts is not None:
        values = [column.texts[code] for code in values]
    return [None if gap else value for value, gap in zip(values, column.gaps.tolist(), strict=True)]
