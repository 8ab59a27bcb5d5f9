"""Other workbooks (.xls, .xlsb, .ods), by python-calamine."""

from __future__ import annotations

from pathlib import Path

import python_calamine

import modnet
from modnet.data.options import ReadOptions
from modnet.data.table import Table
from modnet_tables.sheets import choose_sheet, said_sheet, table_of


def read(path: Path, options: ReadOptions) -> Table:
    """The table of a sheet: of `options.sheet`, or of the first that is not empty.

    Raises:
        DataError: the workbook is damaged, or has no such sheet or table.
    """
    label = str(path)
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        names = book.sheet_names
        chosen = choose_sheet(names, options.sheet, label)
        for place in range(len(names)) if chosen is None else [chosen]:
            rows = book.get_sheet_by_index(place).to_python(skip_empty_area=False)
            if rows or chosen is not None:
                return table_of(rows, label, options, said_sheet(names, place) if chosen is None else ())
    except modnet.ModnetError:
        raise
    except BaseException as error:  # a bug of its own in Rust, met in damaged files, is none of Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        text = " ".join(str(error).split())[:200]
        raise modnet.DataError(f"{path}: not a workbook, or a damaged one: {text}") from error
    raise modnet.DataError(f"{label}: a workbook without a table")
