"""Arrays from files: numpy's npz and npy, and IDX, the format of MNIST."""

from __future__ import annotations

import ast
import math
from typing import IO, Any, cast

import numpy as np

from modnet.arrays import Array
from modnet.data.options import ReadOptions
from modnet.data.source import Source, check_ratio
from modnet.errors import DataError
from modnet.words import legible

LONGEST_HEADER, MOST_AXES = 10_000, 32
"""The limits of an array in numpy's format: bytes of the header, and axes."""

FOREIGN = "contains Python objects, or is not in numpy's format; expected an array of numbers or of strings"

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_npz(source: Source, options: ReadOptions) -> dict[str, Array]:
    """The arrays of an npz file, by name. Raises DataError."""
    import zipfile  # slow to import, and predictions for rows never need it

    path = source.path

    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file, or a truncated one")
    arrays: dict[str, Array] = {}
    name = ""
    try:
        with zipfile.ZipFile(path) as archive:
            check_ratio(path, sum(info.file_size for info in archive.infolist()))
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


def read_npy(source: Source, options: ReadOptions) -> Array:
    """The array of an npy file, mapped into memory and read-only. Raises DataError."""
    path = source.path
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


def read_idx(source: Source, options: ReadOptions) -> Array:
    """The array of an IDX file, in native byte order. Raises DataError."""
    return _parse_idx(source.read(), source.label)


def is_idx(begin: bytes) -> bool:
    """Whether a file that begins so is IDX; MNIST's files are found under many names."""
    return begin[:2] == b"\0\0" and int.from_bytes(begin[2:3], "big") in IDX_TYPES


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
