"""Columns in the path of a file: `sales/year=2024/country=fr/part-0.parquet`, as Hive writes partitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from modnet.data.column import Column
from modnet.data.table import Table

NONE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and its like write for a missing value."""

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")

PathValue = int | str | None


def path_columns(path: PurePath) -> dict[str, PathValue]:
    """Column -> value, of the folders `NAME=VALUE` above a file; a whole number is one.

    Args:
        path: from the folder of the table on, with the name of the file.
    """
    found: dict[str, PathValue] = {}
    for name, sign, text in (folder.partition("=") for folder in path.parts[:-1]):
        if name and sign:
            value = _unescaped(text)
            found[_unescaped(name)] = None if value == NONE else int(value) if WHOLE.fullmatch(value) else value
    return found


def with_path_columns(table: Table, values: Mapping[str, PathValue]) -> Table:
    """A table with these columns more, each of one value; a column of the table itself stays."""
    added = {name: _constant(value, len(table)) for name, value in values.items() if name not in table.columns}
    return replace(table, columns={**table.columns, **added}) if added else table


def _unescaped(text: str) -> str:
    """A name or value as it was: what paths cannot hold is written as in addresses, %2F."""
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return raw.decode(errors="replace")


def _constant(value: PathValue, rows: int) -> Column:
    if isinstance(value, str):
        return Column(np.zeros(rows, np.int32), None, [value])
    if value is None:
        return Column(np.zeros(rows), np.ones(rows, bool))
    return Column(np.full(rows, value))
