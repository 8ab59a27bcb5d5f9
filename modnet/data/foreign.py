"""Tables in the forms in which readers of plugins give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from modnet.data.frames import frame_rows
from modnet.data.named_arrays import NamedArrays
from modnet.data.table import Table
from modnet.errors import BrokenPlugin, DataError
from modnet.words import show


def as_data(found: Any, name: str) -> Any:
    """What a reader gave, as a `Table`, `NamedArrays`, array or iterator of tables.

    A dict is named arrays if all its values are `numpy.ndarray`s, and else the columns of a table.

    Args:
        name: of the file or address, in messages.

    Raises:
        DataError: a column has values of no use, or the columns differ in length.
        BrokenPlugin: later, from the iterator: one of its items is no table.
    """
    if isinstance(found, Iterator):
        return _tables(found, name)
    if found is None or isinstance(found, Table | NamedArrays | np.ndarray):
        return found
    if isinstance(found, Mapping):
        arrays = bool(found) and all(isinstance(values, np.ndarray) for values in found.values())
        return NamedArrays(name, dict(found)) if arrays else _table(dict(found), name)
    frame = frame_rows(found)
    assert frame is not None  # the hook's checks refuse anything else
    return _table({name: frame.values(key) for name, key in zip(frame.names, frame.keys, strict=True)}, name)


def _table(columns: dict[str, Any], name: str) -> Table:
    try:
        return Table(columns, name)
    except DataError as error:
        raise DataError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from error


def _tables(found: Iterator[Any], name: str) -> Iterator[Table]:
    for item in found:
        table = as_data(item, name)
        if not isinstance(table, Table):
            raise BrokenPlugin(f"{name}: its reader gave {show(item)} as a part of a table; expected a table")
        yield table
