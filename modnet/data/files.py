"""Reading data files: the kinds that need no plugin, and the hooks for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import DEFAULTS, ReadOptions
from modnet.data.readers.arrays import is_idx, read_idx, read_npy, read_npz
from modnet.data.readers.csv_reader import read_csv, read_csv_blocks
from modnet.data.readers.json_records import json_line_blocks, read_json, read_json_lines
from modnet.data.readers.sqlite import read_sqlite, sqlite_blocks
from modnet.data.source import Source, is_address, without_password
from modnet.data.table import Table
from modnet.data.unknown import FOLDER, advice_for, advice_for_address, looks_like
from modnet.errors import DataError
from modnet.words import show

BEGIN = 4096
"""How many of its first bytes tell the kind of a file."""

Read = Table | NamedArrays | Mapping[str, Array] | Array
Reader = Callable[[Path | str, ReadOptions], Read | Iterator[Table] | None]
"""Reads a file or folder (a path), or what is at an address (a text)."""


def read(path: str | PathLike[str], readers: Iterable[Reader] = (), options: ReadOptions = DEFAULTS) -> Read:
    """The contents of a data file, whose name gives its kind; `FORMATS` has those that need no plugin.

    - Delimited text and JSON, all of them compressed too, and SQLite: a `Table`.
    - `.npz`: the arrays by name.
    - `.npy`: one array, mapped into memory and read-only.
    - IDX, the format of MNIST, by its name or its first bytes: one array in native byte order.

    Args:
        path: the file; a part of one, `kaggle.zip/train.csv`, `book.xlsx/sheet`, `clinic.sqlite/table`; an address,
            `postgresql://...`; or what one of the `readers` knows.
        readers: tried in order for a file of another kind, or a folder: each returns the contents, a table in parts, or
            None if it does not know the kind either.
        options: what the reader cannot know from the file.

    Raises:
        DataError: with the file, and the row and column if there is one.
    """
    found = _found(path, tuple(readers), options)
    return _joined(found, path) if isinstance(found, Iterator) else found


def read_blocks(
    path: str | PathLike[str], readers: Iterable[Reader] = (), options: ReadOptions = DEFAULTS, rows: int = 10_000
) -> Iterator[Table]:
    """The table of a file as `read` gives it, some rows at a time, if its kind allows it.

    Args:
        rows: the most rows of a table.

    Raises:
        DataError: as `read`; from the iterator too. The file holds arrays.
    """
    found = _found(path, tuple(readers), options, rows)
    waiting: list[Table] = []
    before = 0
    for table in found if isinstance(found, Iterator) else [found]:
        if not isinstance(table, Table):
            raise DataError(f"{path}: expected a table, found arrays")
        waiting.append(table)
        if sum(map(len, waiting)) >= rows:
            parts = _parts(Table.joined(waiting), rows)
            waiting = [parts.pop()] if len(parts[-1]) < rows else []
            yield from (replace(part, first=before + place * rows) for place, part in enumerate(parts))
            before += len(parts) * rows
    for place, part in enumerate(_parts(Table.joined(waiting), rows) if waiting else ()):
        yield replace(part, first=before + place * rows)


def _parts(table: Table, rows: int) -> list[Table]:
    """The rows of a table in tables of a given number of rows; the last may have fewer."""
    if len(table) <= rows:
        return [table]
    parts = []
    for start in range(0, len(table), rows):
        end = min(start + rows, len(table))
        columns = table.take(np.arange(start, end)).columns
        parts.append(Table(columns, table.name, table.lines[start:end], notes=table.notes, reading=table.reading))
    return parts


def _joined(blocks: Iterator[Table], path: str | PathLike[str]) -> Table:
    tables = list(blocks)
    if not tables:
        raise DataError(f"{path}: no table in it")
    return Table.joined(tables)


def _found(
    place: str | PathLike[str], readers: Sequence[Reader], options: ReadOptions, rows: int | None = None
) -> Read | Iterator[Table]:
    """The contents; if `rows` is given, and the kind allows it, in tables of that many rows."""
    if isinstance(place, str) and is_address(place):
        return _required(_asked(place, readers, options), without_password(place), advice_for_address(place))
    path, options = _into(Path(place).expanduser(), options)
    if path.is_dir():
        advice = FOLDER if any(path.iterdir()) else "expected a file, found a folder, which is empty"
        return _required(_asked(path, readers, options), str(path), advice)
    source = Source.of(path)
    known = _format_of(source)
    # Others use these endings too, so a reader that knows the file is asked first.
    found = _asked(path, readers, options) if known is None or known.shared else None
    if found is not None:
        return found
    if known is None:
        raise _unknown(source)
    return _read_known(source, known, options, rows)


def _into(path: Path, options: ReadOptions) -> tuple[Path, ReadOptions]:
    """The file of a path that leads into one, `book.xlsx/2024` or `clinic.sqlite/visits`, and what to read of it."""
    file, part = path.parent, path.name
    if path.exists() or not file.is_file() or file.name.lower().endswith((".zip", *TEXTS, *RECORDS)):
        return path, options
    return file, options.replace(sheet=part, query=part)


def _read_known(source: Source, known: Format, options: ReadOptions, rows: int | None) -> Read | Iterator[Table]:
    try:
        return known.blocks(source, options, rows) if rows is not None and known.blocks else known.read(source, options)
    except OSError as error:
        raise DataError(f"{source.label}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        size = source.path.stat().st_size
        raise DataError(f"{source.label}: its {size:,} bytes need more memory than there is") from error


def _required(found: Read | Iterator[Table] | None, name: str, otherwise: str) -> Read | Iterator[Table]:
    if found is None:
        raise DataError(f"{name}: {otherwise}")
    return found


def _asked(place: Path | str, readers: Sequence[Reader], options: ReadOptions) -> Read | Iterator[Table] | None:
    return next((found for reader in readers if (found := reader(place, options)) is not None), None)


def _format_of(source: Source) -> Format | None:
    """The kind of a file by its name, or, as MNIST's files are found under many names, by its first bytes."""
    for known in FORMATS:
        if source.name.endswith(known.endings):
            if source.packed and not known.compressed:
                raise DataError(f"{source.label}: a compressed {known.endings[0]} file; unpack it first")
            return known
    return IDX if is_idx(source.begin(4)) else None


def _unknown(source: Source) -> DataError:
    advice = advice_for(source, source.begin(BEGIN), source.members())
    known = f"expected one of {', '.join(map(str, FORMATS))}"
    return DataError(f"{source.label}: unknown kind of data file; {advice or known}")


def _as_text(source: Source, options: ReadOptions) -> Table:
    """The table of delimited text; refuses what is none in spite of its name."""
    _require_text(source)
    with source.open() as stream:
        return read_csv(stream, source.label, _of_name(source, options), source.open)


def _text_blocks(source: Source, options: ReadOptions, rows: int) -> Iterator[Table]:
    """As `_as_text`, some rows at a time."""
    _require_text(source)
    with source.open() as stream:
        yield from read_csv_blocks(stream, source.label, _of_name(source, options), rows)


def _of_name(source: Source, options: ReadOptions) -> ReadOptions:
    """The options with what the name of the file says."""
    tabs = options.delimiter is None and source.name.endswith((".tsv", ".tab"))
    return options.replace(delimiter="\t") if tabs else options


def _require_text(source: Source) -> None:
    begin = source.begin(BEGIN)
    words, ending = looks_like(begin, source.members())
    if ending and ending not in TEXTS and begin.lstrip()[:1] not in (b"{", b"["):
        raise DataError(
            f"{source.label}: expected text, found {words}" + (f"; name it {show(source.path.stem + ending)}")
        )


def read_table(stream: IO[bytes], name: str = "standard input", options: ReadOptions = DEFAULTS) -> Table:
    """A table from csv text.

    A column in which all texts are numbers or missing values has numbers, and any other one the texts as they are;
    digits after a zero, as in 00501, are a text. Encoding, delimiter, quotes, titles above the names of the columns,
    comments and blanks after delimiters are found from the first lines where `options` does not say them, and
    `notes` of the table has what was assumed. Columns without a name or with that of another one get one. Empty
    lines are skipped. A table without rows is allowed.

    The text is read block by block: besides the table there is a little more than a block in memory. The stream is
    read a second time where a column turns out late not to be of numbers; of one that cannot be, what was read is kept
    until then.

    Args:
        stream: the text, as bytes.
        name: the name of the table in messages.
        options: how it is written, as far as known.

    Raises:
        DataError: it is empty; rows of another length; broken quotes; bytes that are no text in its encoding.
    """
    return read_csv(stream, name, options)


def read_table_blocks(
    stream: IO[bytes], name: str = "standard input", options: ReadOptions = DEFAULTS, rows: int = 10_000
) -> Iterator[Table]:
    """The table of `read_table` in tables of `rows` rows each, of which the last may have fewer.

    A table is given as soon as its rows are there: a pipe may be open for days. A column has the type of its values in
    that table; `options.texts` makes it a text in all. The lines of rows count on from table to table. There is at
    least one table, so that the names of the columns are known.

    Raises:
        DataError: as `read_table`, when the fault is reached.
    """
    return read_csv_blocks(stream, name, options, rows)


class Format(NamedTuple):
    """A kind of data file.

    Attributes:
        endings: the endings of its names.
        read: reads the contents.
        blocks: reads them as tables of at most so many rows; None if a file is read at once.
        compressed: whether the file may be compressed: `.gz`, `.bz2`, `.xz`, or the only file in a `.zip`.
        shared: whether other kinds of files have these endings too, so that readers of plugins are asked first.
    """

    endings: tuple[str, ...]
    read: Callable[[Source, ReadOptions], Read]
    blocks: Callable[[Source, ReadOptions, int], Iterator[Table]] | None = None
    compressed: bool = False
    shared: bool = False

    def __str__(self) -> str:
        return " ".join(ending if ending[0] == "." else f"*{ending}" for ending in self.endings)


TEXTS = (".csv", ".tsv", ".tab", ".psv", ".txt", ".dat", ".data")
RECORDS = (".jsonl", ".ndjson", ".json")
IDX = Format((".idx", "-ubyte"), read_idx, compressed=True)

FORMATS = (
    Format(TEXTS[:2], _as_text, _text_blocks, compressed=True),
    Format(TEXTS[2:], _as_text, _text_blocks, compressed=True, shared=True),
    Format(RECORDS[:2], read_json_lines, json_line_blocks, compressed=True),
    Format(RECORDS[2:], read_json, compressed=True, shared=True),
    Format((".sqlite", ".sqlite3", ".db", ".db3"), read_sqlite, sqlite_blocks, shared=True),
    Format((".npz",), read_npz),
    Format((".npy",), read_npy),
    IDX,
)
"""The kinds of files that need no plugin."""
