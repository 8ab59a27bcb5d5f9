"""Reading data files: tables (csv, tsv) and arrays (npz, npy, IDX)."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from modnet.component import Array
from modnet.configuration import did_you_mean, show
from modnet.data.table import Table, shorten
from modnet.errors import DataError

KNOWN = ".csv and .tsv (also .gz), .npz, .npy, .idx and *-ubyte (also .gz)"
DELIMITERS = ",;\t"
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


Read = Table | dict[str, Array] | Array
Reader = Callable[[Path], Read | None]


def read(path: str | PathLike[str], readers: Iterable[Reader] = ()) -> Read:
    """The contents of a data file; its name says what kind it is.

    - `.csv`, `.tsv`, and both with `.gz`: a `Table`, see `read_table`.
    - `.npz`: the arrays by name.
    - `.npy`: one array, mapped into memory and read-only.
    - IDX, the format of MNIST, by its name (`.idx`, `*-ubyte`, and both with `.gz`) or its first bytes: one array in
      native byte order.

    Args:
        path: the file.
        readers: asked in order for a file of none of these kinds: each gives the contents, or None if it does not know
            the kind either.

    Raises:
        DataError: naming the file, and the row and column where there is one.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(_no_such_file(path))
    if path.is_dir():
        raise DataError(f"{path}: expected a file, found a folder")
    name = path.name.lower()
    uncompressed = name.removesuffix(".gz")
    try:
        if name.endswith(".npz"):
            return _read_npz(path)
        if name.endswith(".npy"):
            return _read_npy(path)
        with _open(path) as stream:
            if uncompressed.endswith((".csv", ".tsv")):
                return read_table(stream, str(path), "\t" if uncompressed.endswith(".tsv") else None)
            data = stream.read(4)
            if uncompressed.endswith((".idx", "-ubyte")) or (
                data[:2] == b"\0\0" and data[2:3] in map(_byte, IDX_TYPES)
            ):
                return _parse_idx(data + stream.read(), str(path))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip compression is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    for reader in readers:
        found = reader(path)
        if found is not None:
            return found
    raise DataError(f"{path}: unknown kind of data file; known are {KNOWN}")


def _byte(number: int) -> bytes:
    return bytes((number,))


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _no_such_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"{path}: no such file: there is no folder {path.parent}"
    return f"{path}: no such file{did_you_mean(path.name, os.listdir(path.parent))}"


def read_table(stream: IO[bytes], name: str = "standard input", delimiter: str | None = None) -> Table:
    """A table from csv text in UTF-8 whose first line names the columns.

    Values are kept as they stand, with their spaces. Empty lines are skipped.

    Args:
        stream: the text, as bytes.
        name: what messages call it.
        delimiter: what separates the values; None for that of comma, semicolon and tab which the first line has most.

    Raises:
        DataError: for columns without a name or of one name, rows of another length, no rows, broken quotes, or text
            that is not UTF-8.
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
    for index, column in enumerate(header):
        if not column.strip():
            raise DataError(f"{name}: line {header_line}: column {index + 1} has no name; give it one")
        first = header.index(column)
        if first < index:
            places = f"columns {first + 1} and {index + 1}"
            raise DataError(f"{name}: line {header_line}: {places} are both called {show(column)}; rename one")
    if not rows:
        raise DataError(f"{name}: no rows below the names of the columns")
    for index, row in enumerate(rows):
        if len(row) != len(header):
            raise DataError(
                f"{name}: row {index + 1} (line {lines[index]}): found {len(row)} values, "
                f"expected {len(header)}: {shorten(header)}"
            )
    return Table(dict(zip(header, zip(*rows, strict=True), strict=True)), name, lines)


def _find_delimiter(text: str) -> str:
    first_line = cast(re.Match[str], re.match(r"[\r\n]*([^\r\n]*)", text))[1]
    unquoted = "".join(first_line.split('"')[::2])
    return max(DELIMITERS, key=unquoted.count)


def _parse_csv(text: str, name: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows, and the line at which each begins."""
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


def _read_npz(path: Path) -> dict[str, Array]:
    import zipfile  # takes long to import, and a prediction from rows never needs it

    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file, or a truncated one")
    arrays: dict[str, Array] = {}
    name = ""
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                arrays[name] = file[name]
    except (ValueError, RuntimeError, MemoryError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {f'array {name}: ' if name else ''}{_array_fault(error)}") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path}: {name} is no array")
    return arrays


def _read_npy(path: Path) -> Array:
    try:
        return cast(Array, np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: {_array_fault(error)}") from error


def _array_fault(error: BaseException) -> str:
    text = str(error)
    if "pickle" in text or "Python objects" in text:
        return "holds Python objects, or is not in numpy's format; expected an array of numbers or of strings"
    return f"cannot be read: {text}"


def _parse_idx(data: bytes, name: str) -> Array:
    """The array of an IDX file: 00 00, type, number of axes, the axes' lengths, the elements; all big-endian.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    if len(data) < 4 or data[:2] != b"\0\0":
        start = data[:4].hex(" ") or "nothing"
        raise DataError(f"{name}: not an IDX file: expected 00 00, a type and a number of axes, found {start}")
    kind, axes = data[2], data[3]
    if kind not in IDX_TYPES:
        known = ", ".join(f"{number:02x}" for number in IDX_TYPES)
        raise DataError(f"{name}: unknown IDX element type {kind:02x}; known are {known}")
    if not 1 <= axes <= 32:
        raise DataError(f"{name}: expected an IDX file with 1 to 32 axes, found {axes}")
    start_of_elements = 4 + 4 * axes
    if len(data) < start_of_elements:
        raise DataError(f"{name}: truncated: {len(data)} bytes, too short for {axes} axes")
    shape = tuple(int.from_bytes(data[4 * i : 4 * i + 4], "big") for i in range(1, axes + 1))
    dtype = np.dtype(IDX_TYPES[kind])
    expected = start_of_elements + dtype.itemsize * math.prod(shape)
    if len(data) != expected:
        fault = "truncated" if len(data) < expected else "too long"
        contents = f"{dtype.name} elements of shape {shape}"
        raise DataError(f"{name}: {fault}: found {len(data):,} bytes, expected {expected:,} for {contents}")
    elements: Any = np.frombuffer(data, dtype, offset=start_of_elements).reshape(shape)
    return cast(Array, elements.astype(dtype.newbyteorder("="), copy=False))
