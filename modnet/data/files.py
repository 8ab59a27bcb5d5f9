"""Reading data files: tables (csv, tsv) and arrays (npz, npy, IDX)."""

from __future__ import annotations

import ast
import gzip
import io
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

from modnet.arrays import Array
from modnet.data.csv_reader import read_csv, read_csv_blocks
from modnet.data.options import ReadOptions
from modnet.data.table import Table
from modnet.errors import DataError
from modnet.words import did_you_mean, legible

DEFAULT = ReadOptions()
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


def read(path: str | PathLike[str], readers: Iterable[Reader] = (), options: ReadOptions = DEFAULT) -> Read:
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
        options: how a table is read.

    Raises:
        DataError: with the file, and the row and column if there is one.
    """
    path = _existing(path)
    with _system_errors(path):
        found = _read_known(path, options)
    for reader in readers:
        if found is None:
            found = reader(path)
    if found is None:
        raise DataError(f"{path}: unknown kind of data file; expected one of {', '.join(map(str, FORMATS))}")
    return found


def read_table(stream: IO[bytes], name: str = "standard input", options: ReadOptions = DEFAULT) -> Table:
    """A table from csv text.

    A column in which all texts are numbers or missing values has numbers, and any other one the texts as they are;
    digits after a zero, as in 00501, are a text. Encoding, delimiter, quotes, titles above the names of the columns,
    comments and blanks after delimiters are found from the first lines where `options` does not say them, and
    `notes` of the table have what was assumed. Columns without a name or with that of another one get one. Empty
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


def read_blocks(
    source: str | PathLike[str] | IO[bytes],
    options: ReadOptions = DEFAULT,
    rows: int = 10_000,
    name: str = "standard input",
) -> Iterator[Table]:
    """A csv file in tables of `rows` rows each, of which the last may have fewer, for one larger than the memory.

    A table is given as soon as its rows are there: a pipe may be open for days. A column of a table has the type of
    the values in that table; `options.texts` makes it a text in all. The lines of rows count on from table to table.

    Args:
        source: the path of a file, or a stream.
        options: how it is written, as far as known.
        rows: at most in each table.
        name: of a stream, in messages.

    Raises:
        DataError: as `read_table`, when the fault is reached.
    """
    if hasattr(source, "read"):
        yield from read_csv_blocks(cast(IO[bytes], source), name, options, rows)
        return
    path = _existing(cast(str, source))
    with _system_errors(path), _open(path) as stream:
        yield from read_csv_blocks(stream, str(path), _of_name(path, options), rows)


def _existing(path: str | PathLike[str]) -> Path:
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(_no_such_file(path))
    if not path.is_file():
        raise DataError(f"{path}: expected a file, found a {'folder' if path.is_dir() else 'pipe or device'}")
    return path


@contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """The system's errors as DataError."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip compression is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise DataError(f"{path}: its {path.stat().st_size:,} bytes need more memory than there is") from error


def _read_known(path: Path, options: ReadOptions) -> Read | None:
    """The contents of a file of one of these kinds; None for any other."""
    name = path.name.lower()
    for known in FORMATS:
        if (name.removesuffix(".gz") if known.compressed else name).endswith(known.endings):
            return known.read(path, options)
    with _open(path) as stream:  # MNIST's files are found under many names, so look at the first bytes
        begin = stream.read(4)
    return _read_idx(path, options) if begin[:2] == b"\0\0" and begin[2:3] in map(_byte, IDX_TYPES) else None


def _read_csv(path: Path, options: ReadOptions) -> Table:
    with _open(path) as stream:
        return read_csv(stream, str(path), _of_name(path, options))


def _of_name(path: Path, options: ReadOptions) -> ReadOptions:
    """The options with what the name of the file says."""
    tabs = options.delimiter is None and path.name.lower().removesuffix(".gz").endswith(".tsv")
    return options.replace(delimiter="\t") if tabs else options


def _read_idx(path: Path, options: ReadOptions) -> Array:
    with _open(path) as stream:
        return _parse_idx(stream.read(), str(path))


def _byte(number: int) -> bytes:
    return bytes((number,))


def _open(path: Path) -> IO[bytes]:
    if not path.name.lower().endswith(".gz"):
        return path.open("rb")
    return cast(IO[bytes], io.BufferedReader(_Unpacked(path)))


class _Unpacked(io.RawIOBase):
    """The contents of a compressed file, which is refused as soon as it has unpacked to too much."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = gzip.GzipFile(path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        _check_ratio(self._path, self._file.tell())
        return count

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def _no_such_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"{path}: no such file; the folder {path.parent} does not exist"
    return f"{path}: no such file{did_you_mean(path.name, os.listdir(path.parent))}"


def _read_npz(path: Path, options: ReadOptions) -> dict[str, Array]:
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


def _read_npy(path: Path, options: ReadOptions) -> Array:
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
    read: Callable[[Path, ReadOptions], Read]
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
