"""Reading data files: the kinds that need no plugin, and what is asked for the others."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import DEFAULTS, ReadOptions
from modnet.data.readers.arrays import is_idx, read_idx, read_npy, read_npz
from modnet.data.readers.json_records import json_line_blocks, read_json, read_json_lines
from modnet.data.readers.sqlite import read_sqlite, sqlite_blocks
from modnet.data.source import Source, is_address, without_password
from modnet.data.table import Table, shorten
from modnet.data.unknown import FOLDER, advice_for, advice_for_address, looks_like
from modnet.errors import DataError
from modnet.words import show

DELIMITERS = ",;\t"

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
        path: the file, `archive.zip/member`, an address (`postgresql://...`), or what one of the `readers` knows.
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
    """The table of a file as `read` gives it, some rows at a time, where its kind can be read so.

    Args:
        rows: the most rows of a table.

    Raises:
        DataError: as `read`; from the iterator too. The file holds arrays.
    """
    found = _found(path, tuple(readers), options, rows)
    for table in found if isinstance(found, Iterator) else [found]:
        if not isinstance(table, Table):
            raise DataError(f"{path}: expected a table, found arrays")
        if len(table) <= rows:
            yield table
        else:
            yield from (
                table.take(np.arange(first, min(first + rows, len(table)))) for first in range(0, len(table), rows)
            )


def _joined(blocks: Iterator[Table], path: str | PathLike[str]) -> Table:
    tables = list(blocks)
    if not tables:
        raise DataError(f"{path}: no table in it")
    return Table.joined(tables)


def _found(
    place: str | PathLike[str], readers: Sequence[Reader], options: ReadOptions, rows: int | None = None
) -> Read | Iterator[Table]:
    """The contents; if `rows` are given, and the kind can be read so, in tables of so many rows."""
    if isinstance(place, str) and is_address(place):
        return _required(_asked(place, readers, options), without_password(place), advice_for_address(place))
    path = Path(place).expanduser()
    if path.is_dir():
        return _required(_asked(path, readers, options), str(path), FOLDER)
    source = Source.of(path)
    known = _format_of(source)
    # Others use these endings too, so a reader that knows the file is asked first.
    found = _asked(path, readers, options) if known is None or known.shared else None
    if found is not None:
        return found
    if known is None:
        raise _unknown(source)
    return _read_known(source, known, options, rows)


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
    begin = source.begin(BEGIN)
    words, ending = looks_like(begin, source.members())
    if ending and ending not in TEXTS and begin.lstrip()[:1] not in (b"{", b"["):
        raise DataError(
            f"{source.label}: expected text, found {words}" + (f"; name it {show(source.path.stem + ending)}")
        )
    delimiter = "\t" if source.name.endswith((".tsv", ".tab")) else options.delimiter
    return read_table(io.BytesIO(source.read()), source.label, delimiter)


def read_table(stream: IO[bytes], name: str = "standard input", delimiter: str | None = None) -> Table:
    """A table from csv text in UTF-8 whose first line has the names of the columns.

    Values are not changed; spaces are kept. Empty lines are skipped. A table without rows is allowed.

    Args:
        stream: the text, as bytes.
        name: the name of the table in messages.
        delimiter: the sign between values; None for the most frequent of comma, semicolon and tab in the first line.

    Raises:
        DataError: columns without a name or with the same name, rows of another length, broken quotes, or text that is
            not UTF-8.
    """
    data = stream.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {line}: not UTF-8 ({error.reason}); save the file as UTF-8") from None
    rows, lines = _parse_csv(text, name, delimiter or _find_delimiter(text))
    if not rows:
        raise DataError(f"{name}: empty; expected a line with the names of the columns, then rows")
    header, rows = rows[0], rows[1:]
    header_line, lines = lines[0], lines[1:]
    _check_column_names(header, f"{name}: line {header_line}")
    for index, row in enumerate(rows):
        if len(row) != len(header):
            raise DataError(
                f"{name}: row {index + 1} (line {lines[index]}): found {len(row)} values, "
                f"expected {len(header)}: {shorten(header)}"
            )
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return Table({n: Column.of_texts(c) for n, c in zip(header, columns, strict=True)}, name, lines)


def _check_column_names(names: Sequence[str], place: str) -> None:
    first_places: dict[str, int] = {}
    for index, column in enumerate(names):
        if not column.strip():
            raise DataError(f"{place}: column {index + 1} has no name; give it one")
        first = first_places.setdefault(column, index)
        if first < index:
            both = f"columns {first + 1} and {index + 1}"
            raise DataError(f"{place}: {both} are both called {show(column)}; rename one")


def _find_delimiter(text: str) -> str:
    first_line = cast(re.Match[str], re.match(r"[\r\n]*([^\r\n]*)", text))[1]
    unquoted = "".join(first_line.split('"')[::2])  # every second part is outside quotes
    return max(DELIMITERS, key=unquoted.count)


def _parse_csv(text: str, name: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows, and the line on which each begins; a quoted value may span several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}: line {line}: broken csv: {error}") from None
    return rows, lines


class Format(NamedTuple):
    """A kind of data file.

    Attributes:
        endings: the endings of its names.
        read: reads the contents.
        blocks: reads them as tables of at most so many rows; None where a file is read at once.
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
IDX = Format((".idx", "-ubyte"), read_idx, compressed=True)

FORMATS = (
    Format(TEXTS[:2], _as_text, compressed=True),
    Format(TEXTS[2:], _as_text, compressed=True, shared=True),
    Format((".jsonl", ".ndjson"), read_json_lines, json_line_blocks, compressed=True),
    Format((".json",), read_json, compressed=True, shared=True),
    Format((".sqlite", ".sqlite3", ".db", ".db3"), read_sqlite, sqlite_blocks, shared=True),
    Format((".npz",), read_npz),
    Format((".npy",), read_npy),
    IDX,
)
"""The kinds of files that need no plugin."""
