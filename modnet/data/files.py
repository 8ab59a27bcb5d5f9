"""Reading data files: tables (csv, tsv) and arrays (npz, npy, IDX)."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.table import Table, shorten
from modnet.errors import DataError
from modnet.words import did_you_mean, legible, show

DELIMITERS = ",;\t"
LONGEST_HEADER, MOST_AXES = 10_000, 32
"""The limits of an array in numpy's format: bytes of the header, and axes."""

FOREIGN = "contains Python objects, or is not in numpy's format; expected an array of numbers or of strings"

SMALL, HIGHEST_RATIO = 256 << 20, 100
"""A compressed file may unpack to this many bytes, or to this many times its own size if that is more: a "zip bomb" of
some kilobytes can unpack to terabytes.
"""

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


Read = Table | dict[str, Array] | Array
Reader = Callable[[Path], Read | None]


def read(path: str | PathLike[str], readers: Iterable[Reader] = ()) -> Read:
    """The contents of a data file, whose name gives its kind.

    - `.csv`, `.tsv`, and both with `.gz`: a `Table`, see `read_table`.
    - `.npz`: the arrays by name.
    - `.npy`: one array, mapped into memory and read-only.
    - IDX, the format of MNIST, by its name (`.idx`, `*-ubyte`, and both with `.gz`) or its first bytes: one array in
      native byte order.

    Args:
        path: the file.
        readers: tried in order for a file of another kind: each returns the contents, or None if it does not know the
            kind either.

    Raises:
        DataError: with the file, and the row and column if there is one.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(_no_such_file(path))
    if not path.is_file():
        raise DataError(f"{path}: expected a file, found a {'folder' if path.is_dir() else 'pipe or device'}")
    for reader in (_read_safely, *readers):
        found = reader(path)
        if found is not None:
            return found
    raise DataError(f"{path}: unknown kind of data file; expected one of {', '.join(map(str, FORMATS))}")


def _read_safely(path: Path) -> Read | None:
    """As `_read_known`, with the system's errors as DataError."""
    try:
        return _read_known(path)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip compression is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise DataError(f"{path}: its {path.stat().st_size:,} bytes need more memory than there is") from error


def _read_known(path: Path) -> Read | None:
    """The contents of a file of one of these kinds; None for any other."""
    name = path.name.lower()
    for known in FORMATS:
        if (name.removesuffix(".gz") if known.compressed else name).endswith(known.endings):
            return known.read(path)
    with _open(path) as stream:  # MNIST's files are found under many names, so look at the first bytes
        begin = stream.read(4)
    return _read_idx(path) if begin[:2] == b"\0\0" and begin[2:3] in map(_byte, IDX_TYPES) else None


def _read_csv(path: Path) -> Table:
    delimiter = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else None
    with _open(path) as stream:
        return read_table(io.BytesIO(_unpacked(path, stream)), str(path), delimiter)


def _read_idx(path: Path) -> Array:
    with _open(path) as stream:
        return _parse_idx(_unpacked(path, stream), str(path))


def _byte(number: int) -> bytes:
    return bytes((number,))


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _no_such_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"{path}: no such file; the folder {path.parent} does not exist"
    return f"{path}: no such file{did_you_mean(path.name, os.listdir(path.parent))}"


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


def _read_npz(path: Path) -> dict[str, Array]:
    import zipfile  # slow to import, and predictions for rows never need it

    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file, or a truncated one")
    arrays: dict[str, Array] = {}
    name = ""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_ratio(path, sum(info.file_size for info in archive.infolist()))
            for info in archive.infolist():
                name = legible(info.filename.removesuffix(".npy"))
                if not info.filename.endswith(".npy"):
                    raise DataError(f"{path}: {name} is not an array")
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix(".npy")] = _read_array(member, info.file_size)
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib, bz2, lzma and numpy all have error classes of their own
        raise DataError(f"{path}: {f'array {name}: ' if name else ''}{_array_fault(error)}") from error
    return arrays


def _read_npy(path: Path) -> Array:
    try:
        with path.open("rb") as file:  # numpy would map a truncated file, and reading behind its end kills the process
            _read_header(file, path.stat().st_size)
        return cast(Array, np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError:
        raise
    except Exception as error:
        raise DataError(f"{path}: {_array_fault(error)}") from error


def _read_array(file: IO[bytes], size: int) -> Array:
    """The array of a file in numpy's format whose archive declares `size` bytes for it."""
    shape, fortran, dtype = _read_header(file, size)
    array: Array = np.empty(math.prod(shape), dtype)
    contents = memoryview(cast(Any, array.view(np.uint8))) if array.nbytes else memoryview(b"")
    read = 0
    while read < array.nbytes:
        piece = file.read(min(array.nbytes - read, 1 << 20))
        if not piece:
            raise ValueError(f"truncated: {array.nbytes - read:,} bytes are missing")
        contents[read : read + len(piece)] = piece
        read += len(piece)
    if file.read(1):  # also makes the archive reach its end, where it compares the checksum
        raise ValueError("too long")
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _read_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order or not, and dtype, from the start of a file in numpy's format of `size` bytes.

    numpy's own reader lets errors of Python's parser through, and trusts any declared length and shape.

    Raises:
        ValueError: the header is damaged, or does not match the size.
    """
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise ValueError(FOREIGN)
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > LONGEST_HEADER:
        raise ValueError(f"its header has {length:,} bytes; expected at most {LONGEST_HEADER:,}")
    shape, fortran, dtype = _parse_header(file.read(length), "utf-8" if start[6] == 3 else "latin-1")
    expected = 8 + width + length + math.prod(shape) * dtype.itemsize
    if expected > size:
        raise ValueError(f"truncated: found {size:,} bytes; its header declares more")
    return shape, fortran, dtype


def _parse_header(text: bytes, encoding: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        header = ast.literal_eval(text.decode(encoding).strip())
        shape, fortran, description = header["shape"], header["fortran_order"], header["descr"]
        dtype = np.dtype(description)
    except Exception:  # MemoryError and RecursionError too: literal_eval raises them for many nested brackets
        raise ValueError("its header is not valid") from None
    if dtype.hasobject or not isinstance(description, str):
        raise ValueError(FOREIGN)
    sound = isinstance(shape, tuple) and len(shape) <= MOST_AXES and all(type(n) is int and n >= 0 for n in shape)
    if not sound or type(fortran) is not bool:
        raise ValueError("its header has an invalid shape")
    return shape, fortran, dtype


def _array_fault(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    return FOREIGN if str(error) == FOREIGN else f"cannot be read: {str(error) or type(error).__name__}"


def _check_ratio(path: Path, unpacked: int) -> None:
    """Refuses a compressed file that unpacks to a very large one of nearly no information."""
    packed = path.stat().st_size
    if unpacked > max(SMALL, HIGHEST_RATIO * packed):
        raise DataError(
            f"{path}: its {packed:,} bytes unpack to {unpacked:,} or more, over {HIGHEST_RATIO} times as many; "
            "if this is intended, store it uncompressed"
        )


def _unpacked(path: Path, stream: IO[bytes]) -> bytes:
    """All bytes of a stream; refuses a compressed file as soon as it has unpacked to too much."""
    if not path.name.lower().endswith(".gz"):
        return stream.read()
    pieces = []
    size = 0
    while piece := stream.read(1 << 20):
        pieces.append(piece)
        size += len(piece)
        _check_ratio(path, size)
    return b"".join(pieces)


def _parse_idx(data: bytes, name: str) -> Array:
    """The array of an IDX file: 00 00, type, number of axes, the axes' lengths, the elements; all big-endian.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    dtype, shape = _parse_idx_header(data, name)
    start = 4 + 4 * len(shape)
    expected = start + dtype.itemsize * math.prod(shape)
    if len(data) != expected:
        fault = "truncated" if len(data) < expected else "too long"
        contents = f"{dtype.name} elements of shape {shape}"
        raise DataError(f"{name}: {fault}: found {len(data):,} bytes, expected {expected:,} for {contents}")
    elements: Any = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return cast(Array, elements.astype(dtype.newbyteorder("="), copy=False))


def _parse_idx_header(data: bytes, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if len(data) < 4 or data[:2] != b"\0\0":
        start = data[:4].hex(" ") or "nothing"
        raise DataError(f"{name}: not an IDX file: expected 00 00, a type and a number of axes, found {start}")
    kind, axes = data[2], data[3]
    if kind not in IDX_TYPES:
        known = ", ".join(f"{number:02x}" for number in IDX_TYPES)
        raise DataError(f"{name}: unknown IDX element type {kind:02x}; expected one of {known}")
    if not 1 <= axes <= 32:
        raise DataError(f"{name}: expected an IDX file with 1 to 32 axes, found {axes}")
    if len(data) < 4 + 4 * axes:
        raise DataError(f"{name}: truncated: {len(data)} bytes, too short for {axes} axes")
    shape = tuple(int.from_bytes(data[4 * i : 4 * i + 4], "big") for i in range(1, axes + 1))
    return np.dtype(IDX_TYPES[kind]), shape


class Format(NamedTuple):
    """A kind of data file.

    Attributes:
        endings: the endings of its names.
        read: reads the contents.
        compressed: whether `.gz` may follow.
    """

    endings: tuple[str, ...]
    read: Callable[[Path], Read]
    compressed: bool = False

    def __str__(self) -> str:
        names = " and ".join(ending if ending[0] == "." else f"*{ending}" for ending in self.endings)
        return f"{names} (also .gz)" if self.compressed else names


FORMATS = (
    Format((".csv", ".tsv"), _read_csv, compressed=True),
    Format((".npz",), _read_npz),
    Format((".npy",), _read_npy),
    Format((".idx", "-ubyte"), _read_idx, compressed=True),
)
"""The kinds of files that need no plugin."""
