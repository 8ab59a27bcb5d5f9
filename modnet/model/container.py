"""The byte container of a model file: its parts, its limits, and the rules that reader and writer share.

A file is a stream of MessagePack objects:

    object 1   map     the header; its first key is "modnet", its value the format version
    object 2   bin8    32 bytes: SHA-256 of the bytes of object 1, the id of the file
    then, for every segment, 0 to 63 nil objects as padding and one bin32, whose payload starts at a multiple of 64
    in the file; the end of the last payload is the end of the file

Three keys of the header belong to the container. The others belong to its user.

    modnet     1
    segments   [{group, dtype, offset, length, sha256}]: the payloads. A group is one flat array; it has one segment, or
               several in a row where one bin object would be too long
    views      [[name, segment, offset, shape]]: the named arrays, in order and without holes

A reader ignores header keys that it does not know, so that later versions can add some. What an old reader must not
ignore gets a name in the key "features", a list of text: a reader of the network refuses names that it does not know.
The format version is increased only if that is not enough.

Offsets are bytes from the start of the first payload, and each segment starts at the first multiple of 64 that leaves
room for its five bytes of bin32 header. A payload is little-endian, in C order. A segment's sha256 is the SHA-256 of
the concatenated SHA-256 digests of its chunks of 4 MiB (the last may be shorter; an empty segment has none).
"""

from __future__ import annotations

import math
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modnet.records import Record
from modnet.words import legible

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

VERSION = 1
OWN_KEYS = ("modnet", "segments", "views")
KEY_LIMIT = 15  # the longest fixmap, whose head is one byte, so that the magic bytes are at a fixed place

MAGIC = b"\xa6modnet"  # from byte 1 on; byte 8 is the version
ID_MARK = b"\xc4\x20"  # bin8 of 32 bytes
ID_LENGTH = len(ID_MARK) + 32

ALIGNMENT = 64
FRAME_LENGTH = 5
CHUNK_LENGTH = 4 << 20

HEADER_LIMIT = 16 << 20
DEPTH_LIMIT = 64
VALUE_LIMIT = 500_000  # in a header: enough for 70,000 matrices. As Python objects, even empty lists take 80 bytes each
SEGMENT_COUNT_LIMIT = 1024
NAME_LIMIT = 512  # bytes of UTF-8
DIMENSION_LIMIT = 32
ARRAY_LIMIT = sys.maxsize  # bytes that numpy can address; it applies to the other axes of empty arrays, too
SEGMENT_LIMIT = 2**31 - 1  # bytes that one array can have in other languages; only a single larger view may exceed it
VIEW_LIMIT = 2**32 - ALIGNMENT  # bytes that bin32 can declare

NETWORK_GROUPS = ("parameters", "state")
"""The groups of arrays that make up a network; other groups belong to a training run or to other programs."""

# Looked up by exact name: numpy's own parser would also understand object, structured and platform-dependent types.
DTYPES: dict[str, np.dtype[Any]] = {
    "float16": np.dtype("<f2"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
    "bool": np.dtype("?"),
}

_SEGMENT_KEYS = {"group", "dtype", "offset", "length", "sha256"}
_HASHING_THREADS = min(4, os.cpu_count() or 1)
_HASHED_AHEAD = 2 * _HASHING_THREADS  # the most pieces that wait for a thread: they are held in memory


class Fault(Exception):
    """A broken rule of the format. Reader and writer, which know the path, turn it into a ModelFileError."""

    def __init__(self, what: str, where: str = "", keys: tuple[str | int, ...] = ()) -> None:
        self.what = what
        self.where = where
        self.keys = keys  # the path of the value, if it is in the header
        super().__init__(what, where)


class View(NamedTuple):
    """One named array of a file; `offset` is the position of its first byte in the file."""

    name: str
    group: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int


class Hashed(NamedTuple):
    """A payload as its digest has it: its group, the name of its dtype, its bytes."""

    group: str
    dtype: str
    length: int
    sha256: bytes


class Segment(Record, eq=False):
    """One payload of a file: `length` bytes from position `offset` of the file on.

    It consists of the arrays of `names` and `shapes`, one after the other without gaps.
    """

    group: str
    dtype: np.dtype[Any]
    offset: int
    length: int
    sha256: bytes
    names: list[str]
    shapes: list[tuple[int, ...]]

    @property
    def end(self) -> int:
        return self.offset + self.length

    @property
    def hashed(self) -> Hashed:
        return Hashed(self.group, self.dtype.name, self.length, self.sha256)

    @property
    def views(self) -> list[View]:
        made = []
        offset = self.offset
        for name, shape in zip(self.names, self.shapes, strict=True):
            made.append(View(name, self.group, self.dtype, shape, offset))
            offset += math.prod(shape) * self.dtype.itemsize
        return made


def next_payload(end: int) -> int:
    """The start of a payload whose padding and bin32 header follow position `end`: the next multiple of 64."""
    return -(-(end + FRAME_LENGTH) // ALIGNMENT) * ALIGNMENT


def frame(end: int, length: int) -> bytes:
    """The bytes from position `end` to the next payload, which has `length` bytes: nil padding and a bin32 header."""
    return b"\xc0" * (next_payload(end) - end - FRAME_LENGTH) + b"\xc6" + length.to_bytes(4, "big")


def chunks(payload: memoryview) -> Iterator[memoryview]:
    """The pieces of a payload that are hashed separately."""
    for start in range(0, len(payload), CHUNK_LENGTH):
        yield payload[start : start + CHUNK_LENGTH]


class Digest:
    """SHA-256 over the SHA-256 of each chunk of a payload.

    The chunks are hashed in threads while the next ones are being read or written, or in this thread if the system
    allows no more threads. It is a context manager.

    Args:
        length: of the payload, in bytes.
    """

    def __init__(self, length: int) -> None:
        self._leaves = sha256()
        self._waiting = deque["Future[bytes]"]()
        self._pool: ThreadPoolExecutor | None = None
        if length > CHUNK_LENGTH:
            with suppress(RuntimeError):  # the import fails while the interpreter shuts down
                from concurrent.futures import ThreadPoolExecutor  # slow to import, and small models do not need it

                self._pool = ThreadPoolExecutor(_HASHING_THREADS)

    def __enter__(self) -> Digest:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def add(self, chunk: memoryview) -> None:
        """Adds the next one of the `chunks`; it must not be changed before `result` has been called."""
        if self._pool is not None:
            try:
                self._waiting.append(self._pool.submit(_leaf, chunk))
            except RuntimeError:  # the limit of threads is reached, or the interpreter is shutting down
                self._finish()
                self._pool.shutdown(cancel_futures=True)
                self._pool = None
        if self._pool is None:
            self._leaves.update(_leaf(chunk))
        elif len(self._waiting) > _HASHED_AHEAD:
            self._leaves.update(self._waiting.popleft().result())

    def result(self) -> bytes:
        self._finish()
        return self._leaves.digest()

    def _finish(self) -> None:
        while self._waiting:
            self._leaves.update(self._waiting.popleft().result())


def digest(pieces: Iterable[memoryview], length: int) -> bytes:
    """The `Digest` of a payload of `length` bytes; the pieces are its `chunks`."""
    with Digest(length) as made:
        for piece in pieces:
            made.add(piece)
        return made.result()


def _leaf(piece: memoryview) -> bytes:
    return sha256(piece).digest()


def bad_bools(payload: np.ndarray[Any, Any]) -> bool:
    """Whether a bool array has bytes other than 0 and 1, which numpy's operations treat in different ways."""
    return payload.dtype == np.bool_ and bool(payload.view(np.uint8).max(initial=0) > 1)


def check_plain(header: dict[str, Any]) -> None:
    """Checks that a header has nothing but None, bool, int, float, str, and lists (or tuples) and dicts of these.

    Raises Fault, with the path of the value.
    """
    _check_container(header, ("header", None), 1)


_Path = tuple[Any, Any]  # (last key, path of the parent): cheap to extend; becomes text only for a message


_CONTAINERS = frozenset((dict, list, tuple))


def _check_container(container: Any, path: _Path, depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise _fault(f"nested more than {DEPTH_LIMIT} deep", path)
    is_map = type(container) is dict
    for key, value in container.items() if is_map else enumerate(container):
        if is_map and (type(key) is not str or not _encodable(key)):
            raise _fault(f"a key is not text: {_shown(key)}", path)
        kind = type(value)
        if kind in _CONTAINERS:
            _check_container(value, (key, path), depth + 1)
        elif what := _scalar_fault(kind, value):
            raise _fault(what, (key, path))


def _scalar_fault(kind: type, value: Any) -> str:
    """What is wrong with a value that is no container, or ""."""
    if kind is str:
        return "" if _encodable(value) else "the text has lone surrogates, which UTF-8 cannot express"
    if kind is int:
        return "" if -(2**63) <= value < 2**64 else "the integer needs more than 64 bits"
    if value is None or kind is bool or kind is float:
        return ""
    expected = "None, bool, int, float, str, list or dict"
    return f"{kind.__module__}.{kind.__qualname__} is not a plain value ({expected})"


def check_count(header: bytes | bytearray) -> None:
    """Raises Fault if a header, which is well-formed MessagePack, has too many values; counts without making them.

    16 MiB of MessagePack can hold 16 million empty lists, which would take more than a gigabyte as Python objects. Keys
    count as values, and so do lists and maps themselves.
    """
    if len(header) <= VALUE_LIMIT:  # each takes at least one byte
        return
    at = 0
    count = left = 1
    while left:
        length, width, kind, items = _OBJECTS[header[at]]
        if width:
            claim = int.from_bytes(header[at + 1 : at + 1 + width], "big")
            length += claim * (kind == 0)
            items = claim * kind
        at += length
        count += items
        left += items - 1
        if count > VALUE_LIMIT:
            raise Fault(f"more than {VALUE_LIMIT} values, which is the limit", "header")


def _objects() -> tuple[tuple[int, int, int, int], ...]:
    """First byte of an object -> (length, width, kind, items); see the MessagePack specification.

    length: its bytes, without those that a length field declares. width: the bytes of that field. kind: the unit of the
    declared length: 0 bytes, 1 items, 2 pairs of key and value. items: the values in it, if there is no length field.
    """
    table = [(1, 0, 0, 0)] * 256
    for n in range(16):
        table[0x80 + n] = 1, 0, 2, 2 * n
        table[0x90 + n] = 1, 0, 1, n
    for n in range(32):
        table[0xA0 + n] = 1 + n, 0, 0, 0
    for power, width in enumerate((1, 2, 4)):
        table[0xC4 + power] = table[0xD9 + power] = 1 + width, width, 0, 0  # bin, str
        table[0xC7 + power] = 2 + width, width, 0, 0  # ext
    for power, width in enumerate((2, 4)):
        table[0xDC + power] = 1 + width, width, 1, 0
        table[0xDE + power] = 1 + width, width, 2, 0
        table[0xCA + power] = 1 + 2 * width, 0, 0, 0  # float
    for power in range(4):
        table[0xCC + power] = table[0xD0 + power] = 1 + 2**power, 0, 0, 0  # uint, int
    for power in range(5):
        table[0xD4 + power] = 2 + 2**power, 0, 0, 0  # fixext
    return tuple(table)


_OBJECTS = _objects()


def _fault(what: str, path: _Path | None) -> Fault:
    keys: list[Any] = []
    while path is not None:
        key, path = path
        keys.insert(0, key)
    text = "".join(f"[{key}]" if type(key) is int else f".{legible(key)}" for key in keys[1:])
    where = "header" + (text if len(text) <= 400 else f"{text[:200]} ... {text[-200:]}")
    return Fault(what, where, tuple(keys[1:]))


def _shown(value: object) -> str:
    if type(value) is str:
        return repr(value if len(value) <= 80 else value[:80] + "...")
    return repr(value) if type(value) in (int, float, bool, type(None)) else f"a {type(value).__name__}"


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_name(name: object) -> str:
    """Returns the name of a group or view. Raises Fault if it is not text, empty or too long."""
    if type(name) is not str or not name:
        raise Fault(f"expected a name, found {_shown(name)}")
    if not _encodable(name):
        raise Fault(f"the name {_shown(name)} has lone surrogates, which UTF-8 cannot express")
    if len(name.encode()) > NAME_LIMIT:
        raise Fault(f"the name {_shown(name)} is longer than {NAME_LIMIT} bytes of UTF-8")
    return name


def array_length(shape: object, dtype: np.dtype[Any]) -> int:
    """The bytes of an array. Raises Fault unless `shape` is a list of lengths that numpy can address."""
    if type(shape) is not list or len(shape) > DIMENSION_LIMIT:
        raise Fault(f"the shape is not a list of at most {DIMENSION_LIMIT} lengths")
    length = dtype.itemsize
    for axis in shape:
        if type(axis) is not int or axis < 0:
            raise Fault(f"the shape has {_shown(axis)} as a length")
        length *= axis
    # numpy computes strides without the axes of length 0, and refuses an empty array if that overflows.
    if (length or dtype.itemsize * math.prod(filter(None, shape))) > ARRAY_LIMIT:
        raise Fault("the array is too large")
    return length


def index(segments: object, views: object, start: int) -> tuple[Segment, ...]:
    """Makes the segments of a file, with their views, from the values of these two header keys.

    Args:
        segments, views: the values, which may be anything.
        start: the position of the first payload in the file.

    Raises:
        Fault: a value has the wrong type or is out of bounds, a name occurs twice, or the segments and the views in
            them do not follow each other without gaps and overlaps.
    """
    if type(segments) is not list or len(segments) > SEGMENT_COUNT_LIMIT:
        raise Fault(f"expected a list of at most {SEGMENT_COUNT_LIMIT} segments", "segments")
    if type(views) is not list:
        raise Fault("expected a list of views", "views")
    made: list[Segment] = []
    for number, row in enumerate(segments):
        try:
            made.append(_segment(row, made, start))
        except Fault as fault:
            raise Fault(fault.what, f"segments[{number}]") from None
    _add_views(views, made, start)
    return tuple(made)


def _segment(row: object, before: list[Segment], start: int) -> Segment:
    if type(row) is not dict or row.keys() != _SEGMENT_KEYS:
        raise Fault(f"expected a map of {', '.join(sorted(_SEGMENT_KEYS))}")
    group = check_name(row["group"])
    dtype = DTYPES.get(row["dtype"]) if type(row["dtype"]) is str else None
    if dtype is None:
        raise Fault(f"unknown dtype {_shown(row['dtype'])}; expected one of {', '.join(DTYPES)}")
    _check_group(group, dtype, before)
    offset = next_payload(before[-1].end) if before else start
    if type(row["offset"]) is not int or row["offset"] != offset - start:
        raise Fault(f"the offset is {_shown(row['offset'])}, expected {offset - start}")
    length = _segment_length(row["length"], dtype)
    if type(row["sha256"]) is not bytes or len(row["sha256"]) != 32:
        raise Fault("the sha256 is not 32 bytes")
    return Segment(group, dtype, offset, length, row["sha256"], [], [])


def _check_group(group: str, dtype: np.dtype[Any], before: Sequence[Segment]) -> None:
    """The segments of a group follow each other and have one dtype."""
    if before and group == before[-1].group:
        if dtype != before[-1].dtype:
            raise Fault(f"the group {_shown(group)} has several dtypes")
    elif any(group == segment.group for segment in before):
        raise Fault(f"the group {_shown(group)} occurs twice")


def _segment_length(length: object, dtype: np.dtype[Any]) -> int:
    if type(length) is not int or not 0 <= length <= VIEW_LIMIT or length % dtype.itemsize:
        raise Fault(f"{_shown(length)} is not a length in bytes of {dtype.name} elements")
    return length


def _add_views(rows: list[Any], segments: list[Segment], start: int) -> None:
    """Gives each segment its views, which have to fill it. The rows are in the order of the segments."""
    count = 0
    names: dict[str, set[str]] = {}  # of each group
    try:
        for number, segment in enumerate(segments):
            taken = names.setdefault(segment.group, set())
            end = segment.offset - start
            last = end + segment.length
            while count < len(rows):
                name, home, offset, shape = _view_fields(rows[count])
                if home != number:
                    break
                if offset != end:
                    raise Fault(f"the view {_shown(name)} starts at {offset}, expected {end}")
                end += array_length(shape, segment.dtype)
                if end > last:
                    raise Fault(f"the view {_shown(name)} ends outside its segment")
                if name in taken:
                    raise Fault(f"the view {_shown(name)} occurs twice in its group")
                taken.add(name)
                segment.names.append(name)
                segment.shapes.append(tuple(shape))
                count += 1
            if end != last:
                raise Fault(f"the views before it leave {last - end} bytes of segments[{number}] unused")
        if count < len(rows):
            raise Fault("out of order, or in a segment that does not exist")
    except Fault as fault:
        raise Fault(fault.what, f"views[{count}]") from None


def _view_fields(row: Any) -> tuple[str, int, int, Any]:
    """Name, segment, offset and shape, of which the shape is not checked yet."""
    if type(row) is not list or len(row) != 4:
        raise Fault("expected a list of name, segment, offset and shape")
    name, home, offset, shape = row
    if type(home) is not int or type(offset) is not int:
        raise Fault("expected integers as segment and offset")
    # The usual name first, without a call: a file may have tens of thousands.
    if not (type(name) is str and name.isascii() and 0 < len(name) <= NAME_LIMIT):
        check_name(name)
    return name, home, offset, shape
