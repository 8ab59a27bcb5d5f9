"""Parquet, Feather and Arrow IPC, by pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq

import modnet
from modnet.data.column import Column
from modnet.data.options import ReadOptions
from modnet.data.path_columns import path_columns, with_path_columns
from modnet.data.table import Table

BATCH = 65_536
"""Rows of a part of a table."""

ROW_GROUP = 131_072
"""Rows of a group of a Parquet file that is written."""

PARQUET = (".parquet", ".pq")
UNNAMED_INDEX = "__index_level_"
"""How pandas begins the names of the columns in which it writes an index without a name."""


def read(path: Path, options: ReadOptions) -> Iterator[Table]:
    """The table of a file, or of a folder with its parts, some rows at a time.

    Folders within it, `year=2024`, are columns, too, as Hive has them.

    Raises:
        DataError: the file is damaged, or has no column that a table can hold.
    """
    if path.is_dir():
        for part in sorted(path.rglob("*")):
            if part.name.lower().endswith((*PARQUET, ".feather", ".arrow")) and not part.name.startswith(("_", ".")):
                values = path_columns(part.relative_to(path))
                yield from (with_path_columns(table, values) for table in read(part, options))
        return
    with _told(path):
        schema, batches = _parquet(path) if path.name.lower().endswith(PARQUET) else _ipc(path)
        columns = _Columns(schema, str(path))
        some = False
        for batch in batches:
            some = True
            yield columns.table(batch)
        if not some:
            yield columns.table(pa.RecordBatch.from_pylist([], schema=schema))


def write(table: Table, path: Path) -> None:
    """Writes a table, in the format that the ending of the path names."""
    if path.name.lower().endswith(PARQUET):
        write_parquet(iter([table]), path)
        return
    made = _arrow_table(table)
    with _told(path, "written"):
        if path.name.lower().endswith(".arrows"):
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, made.schema) as stream:
                stream.write_table(made)
        else:
            pa.feather.write_feather(made, str(path))


def write_parquet(tables: Iterator[Table], path: Path) -> None:
    """Writes tables that follow each other, in row groups of one size: the bytes do not depend on how rows are parted.

    Raises:
        DataError: the file cannot be written, or a column has another type than in the tables before.
    """
    first = next(tables)
    waiting = _arrow_table(first)
    schema = waiting.schema
    with _told(path, "written"), pq.ParquetWriter(path, schema) as writer:
        for table in tables:
            waiting = pa.concat_tables([waiting, _fitting(_arrow_table(table), schema, table)])
            while len(waiting) > ROW_GROUP:
                _write_group(writer, waiting[:ROW_GROUP])
                waiting = waiting[ROW_GROUP:]
        for start in range(0, max(1, len(waiting)), ROW_GROUP):
            _write_group(writer, waiting[start : start + ROW_GROUP])


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    # In one piece: where pieces meet, the writer would begin a page.
    writer.write_table(rows.combine_chunks(), row_group_size=ROW_GROUP)


def _fitting(made: pa.Table, schema: pa.Schema, table: Table) -> pa.Table:
    try:
        return made.cast(schema)
    except (pa.ArrowException, ValueError) as error:
        told = f"from {table.row_name(0)} on, a column has another type than before" if len(table) else "other columns"
        raise modnet.DataError(f"{table.name}: {told}: {' '.join(str(error).split())[:200]}") from error


def _arrow_table(table: Table) -> pa.Table:
    return pa.table({name: _array(column) for name, column in table.columns.items()})


@contextmanager
def _told(path: Path, done: str = "read") -> Iterator[None]:
    """Errors of pyarrow and of the system as those of data, with the file."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        if isinstance(error, modnet.ModnetError):
            raise
        text = " ".join(str(error).split())[:300]
        raise modnet.DataError(f"{path}: cannot be {done}: {text}") from error


def _parquet(path: Path) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    # Neither mapped nor all row groups at once: either would keep what has been read of a large file in memory.
    file = pq.ParquetFile(path)
    texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
    if texts:  # dictionaries are what the columns of a table are made of, and cost less than the texts
        file = pq.ParquetFile(path, read_dictionary=texts)
    groups = range(file.num_row_groups)
    return file.schema_arrow, (batch for group in groups for batch in file.iter_batches(BATCH, row_groups=[group]))


def _ipc(path: Path) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    with path.open("rb") as opened:
        begin = opened.read(6)
    if begin[:4] == b"FEA1":  # the first version of Feather
        table = pa.feather.read_table(path)
        return table.schema, table.to_batches(BATCH)
    source = pa.memory_map(str(path))
    if begin == b"ARROW1":
        file = pa.ipc.open_file(source)
        return file.schema, (file.get_batch(place) for place in range(file.num_record_batches))
    stream = pa.ipc.open_stream(source)
    return stream.schema, stream


class _Columns:
    """Which columns of a file make a table, and how."""

    def __init__(self, schema: pa.Schema, name: str) -> None:
        self.name = name
        self.kept: list[int] = []
        self.names: list[str] = []
        left_out = []
        for place, field in enumerate(schema):
            if field.name.startswith(UNNAMED_INDEX):
                left_out.append(f"{field.name} (the index of a pandas frame)")
            elif _is_nested(field.type):
                left_out.append(f"{field.name} ({_words(field.type)})")
            else:
                self.kept.append(place)
                self.names.append(field.name)
        self.notes = (f"left out: {', '.join(left_out)}",) if left_out else ()
        twice = next((name for place, name in enumerate(self.names) if name in self.names[:place]), None)
        if twice is not None:
            raise modnet.DataError(f'{name}: two columns are both called "{twice}"; rename one')
        if not self.kept:
            raise modnet.DataError(f"{name}: no column that a table can hold" + "".join(f"; {n}" for n in self.notes))

    def table(self, batch: pa.RecordBatch) -> Table:
        columns = {name: _column(batch.column(place), name) for name, place in zip(self.names, self.kept, strict=True)}
        return Table(columns, self.name, notes=self.notes)


def _is_nested(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _is_fixed(kind)


def _is_fixed(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_binary(kind) and not pa.types.is_decimal(kind)


def _words(kind: pa.DataType) -> str:
    return f"{kind}: a column has one number, text, boolean or date in each row"


def _column(values: pa.Array, name: str) -> Column:
    kind = values.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return _column(values.dictionary_decode(), name)
        return _of_codes(values)
    if _is_text(kind):
        return _of_codes(values.dictionary_encode())
    if pa.types.is_decimal(kind):
        values = values.cast(pa.float64(), safe=False)
    elif pa.types.is_null(kind):
        return Column(np.zeros(len(values)), np.ones(len(values), bool))
    elif pa.types.is_duration(kind):
        seconds = values.cast(pa.int64()).cast(pa.float64(), safe=False)
        return Column.of(pa.compute.divide(seconds, float(UNITS[kind.unit])), name)
    elif pa.types.is_time(kind):
        return Column.of_texts(None if value is None else value.isoformat() for value in values.to_pylist())
    return Column.of(values, name)


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _is_text(kind: pa.DataType) -> bool:
    view = getattr(pa.types, "is_string_view", None)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or (view is not None and view(kind))


def _of_codes(values: pa.DictionaryArray) -> Column:
    """A column of texts that are a dictionary already."""
    if len(values.dictionary) > len(values):  # that of more rows than these
        values = values.dictionary_decode().dictionary_encode()
    texts = values.dictionary.to_pylist()
    codes = values.indices
    gaps = np.asarray(codes.is_null())
    found = np.asarray(codes.fill_null(0)).astype(np.int32, copy=False)
    if None in texts:
        gaps = gaps | np.isin(found, [place for place, text in enumerate(texts) if text is None])
    return Column(found, gaps if gaps.any() else None, [text or "" for text in texts] or [""])


def _array(column: Column) -> Any:
    """A column for pyarrow."""
    if column.texts is None:
        return pa.array(column.values, mask=column.missing)
    codes = pa.array(column.values, mask=column.missing)
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(column.texts), pa.string())).cast(pa.string())
