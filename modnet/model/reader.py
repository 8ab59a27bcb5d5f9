"""Reading a model file, which may be damaged or hostile.

The order of the checks ensures that everything the file declares is checked before memory or time is spent on it: kind
and length of the file, magic bytes and version, the end of the header, its digest, its values, the index of the arrays
against the length of the file, the bytes between the payloads, and finally the payloads.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from hashlib import sha256
from io import FileIO
from itertools import accumulate, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np

from modnet.arrays import aligned_empty
from modnet.errors import (
    ChecksumMismatch,
    MalformedFile,
    ModelFileError,
    NewerFormat,
    NotAModelFile,
    TooLarge,
    Truncated,
)
from modnet.memory import require
from modnet.model import container
from modnet.model.container import Fault, Segment, View
from modnet.model.foreign import other_format, require_regular
from modnet.model.source import (
    File,
    HeldFile,
    ReceivedFile,
    held_bytes,
    is_path,
    is_regular,
    name_of,
    position,
    require_binary,
)
from modnet.model.url import is_url, open_url
from modnet.records import Record
from modnet.words import legible, show

if TYPE_CHECKING:
    from modnet.model.source import Source

DIFFERS = "the arrays do not match their checksum; modnet verify shows which can still be read"

_FIRST_READ = 64 << 10  # bytes; enough for most headers
_READ_GROWTH = 16  # each further attempt reads this many times as much
_SNIFFED = 512
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class ReadGroup(Record, eq=False):
    """One group of arrays.

    Attributes:
        flats: the group as 1-D arrays: a single one, or one for each segment of a mapped group.
        segments: their places in the file, with the names and shapes of their parts.
    """

    flats: tuple[np.ndarray[Any, Any], ...]
    segments: tuple[Segment, ...]

    @property
    def flat(self) -> np.ndarray[Any, Any]:
        """The group as one 1-D array; a copy if there are several."""
        return self.flats[0] if len(self.flats) == 1 else np.concatenate(self.flats)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.segments[0].dtype

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape, in the order of the file."""
        made: dict[str, tuple[int, ...]] = {}
        for segment in self.segments:
            made.update(zip(segment.names, segment.shapes, strict=True))
        return made

    @property
    def layout(self) -> list[tuple[str, int, tuple[int, ...]]]:
        """(name, offset in elements, shape) of each array, in the order of the file."""
        return layout(self.segments)

    @cached_property
    def views(self) -> dict[str, np.ndarray[Any, Any]]:
        """Name -> array, a view into `flats`, in the order of the file."""
        lengths = [segment.length // segment.dtype.itemsize for segment in self.segments]
        flats = self.flats if len(self.flats) > 1 else np.split(self.flats[0], np.cumsum(lengths[:-1]))
        made = {}
        for segment, flat in zip(self.segments, flats, strict=True):
            ends = accumulate(map(math.prod, segment.shapes))
            start = 0
            for name, shape, end in zip(segment.names, segment.shapes, ends, strict=True):
                made[name] = flat[start:end].reshape(shape)
                start = end
        return made


def layout(segments: Sequence[Segment]) -> list[tuple[str, int, tuple[int, ...]]]:
    """(name, offset in elements, shape) of each array of a group that has these segments."""
    shapes = [shape for segment in segments for shape in segment.shapes]
    names = [name for segment in segments for name in segment.names]
    return list(zip(names, accumulate(map(math.prod, shapes), initial=0), shapes, strict=False))


class Contents(Record, eq=False):
    """The content of a model file.

    Attributes:
        header: its values, without the keys of the container.
        groups: name -> arrays.
        id: 32 bytes, the same for files with the same bytes.
        size: of the file, in bytes.
    """

    header: dict[str, Any]
    groups: dict[str, ReadGroup]
    id: bytes
    size: int


class HeaderOnly(Record, eq=False):
    """A model file without its arrays.

    Attributes:
        header: its values, without the keys of the container.
        segments: the places of the payloads, in order, each with its views.
        id: 32 bytes, the same for files with the same bytes.
        end: the end of the header and its checksum, in bytes from the start of the file.
        size: of the file, in bytes.
    """

    header: dict[str, Any]
    segments: tuple[Segment, ...]
    id: bytes
    end: int
    size: int

    @property
    def views(self) -> list[View]:
        """The arrays of all groups, in the order of the file."""
        return [view for segment in self.segments for view in segment.views]

    @property
    def groups(self) -> dict[str, tuple[Segment, ...]]:
        """Name -> the segments of that group."""
        return {name: tuple(members) for name, members in groupby(self.segments, key=attrgetter("group"))}


def read(
    path: Source,
    *,
    verify: bool = True,
    mmap: bool = False,
    only: Collection[str] | None = None,
) -> Contents:
    """Reads a model file.

    Args:
        verify: compare the arrays with their checksums. The header is always verified.
        mmap: leave the arrays in the file. They are read-only then, and their bytes are read when they are used (at
            once if `verify`). If another program shortens the file meanwhile, the system kills the process.
        only: the names of the groups to read; by default all. The others are not verified.

    Raises:
        NotAModelFile, Truncated, MalformedFile, ChecksumMismatch, NewerFormat: what is wrong with the file, and where.
        ModelFileError: its arrays do not fit into memory.
        OSError: from the system, for a missing file, for example.
    """
    with opened(path) as file:
        found = structure(file)
        mapped = file.mapped() if mmap else None
        groups = {}
        for name, segments in found.groups.items():
            if only is not None and name not in only:
                continue
            if mapped is None:
                groups[name] = load_group(file, segments, verify)
            else:
                groups[name] = mapped_group(file, mapped, segments, verify)
        return Contents(found.header, groups, found.id, file.size)


def read_header(path: Source) -> HeaderOnly:
    """Reads a model file without its arrays. Raises the errors of `read`."""
    with opened(path) as file:
        return structure(file)


@contextmanager
def opened(source: Source) -> Iterator[File]:
    """Opens what a model is read from, and turns a Fault in the body into an error with its name.

    Raises:
        TypeError: a model cannot be read from such an object.
        NotAModelFile: the path is no regular file, or the stream one of text.
        MissingExtra, ModelFileError: a URL cannot be opened, see `open_url`.
        OSError: the file cannot be read.
    """
    name = name_of(source)
    with ExitStack() as stack:
        try:
            yield _opened(source, name, stack)
        except Fault as fault:
            raise MalformedFile(name, fault.what, fault.where) from None
        except TooLarge as error:
            raise ModelFileError(name, str(error)) from None
        except MemoryError:
            raise ModelFileError(name, "the file does not fit into memory") from None


def _opened(source: Any, name: str, stack: ExitStack) -> File:
    """The file of a source; what is opened for it is closed by the stack."""
    if is_url(source):
        return _received(stack.enter_context(open_url(source)), name)
    if is_path(source):
        require_regular(name, os.stat(name))  # before opening: to open a pipe or a device can block or have effects
        raw = stack.enter_context(FileIO(name, opener=lambda path, _: os.open(path, _FLAGS)))
        require_regular(name, os.fstat(raw.fileno()))  # again, as the path may have been replaced between the two
        return File(name, raw)
    held = held_bytes(source)
    if held is not None:
        return HeldFile(name, held)
    if hasattr(source, "read"):
        require_binary(source)
        if not is_regular(source):
            return _received(source, name)
        stack.callback(source.seek, 0, os.SEEK_END)
        return File(name, source)
    if hasattr(source, "open"):  # a resource of a package, perhaps in an archive
        return _opened(stack.enter_context(source.open("rb")), name, stack)
    raise TypeError(f"a model is read from a path, a URL, bytes or a binary file; found a {type(source).__name__}")


def _received(stream: Any, path: str) -> File:
    """A model from a stream, from its present position to its end.

    A stream need not have an end: not much more is read of it than the header declares, and nothing is allocated for
    what the header declares and this process cannot have.
    """
    start = position(stream)
    head = bytearray()
    length = _FIRST_READ
    while True:
        ended = _append(stream, head, length)
        try:
            found = front(ReceivedFile(path, head, start))
            break
        except Truncated:
            if ended:
                raise
            length = min(length * _READ_GROWTH, container.HEADER_LIMIT + container.ID_LENGTH)
    end = found.segments[-1].end if found.segments else found.end
    require(end, "the model")
    most = max(end + _FIRST_READ, len(head))  # bytes behind the model are noticed and need not be counted to the end
    held = aligned_empty(most, np.dtype(np.uint8)).data
    have = len(head)
    held[:have] = head
    while have < most and (piece := _piece(stream, min(most - have, container.CHUNK_LENGTH))):
        held[have : have + len(piece)] = piece
        have += len(piece)
    return ReceivedFile(path, held[:have], start)


def _append(stream: Any, head: bytearray, length: int) -> bool:
    """Reads on until there are `length` bytes; whether the stream has ended before."""
    while len(head) < length:
        piece = _piece(stream, length - len(head))
        if not piece:
            return True
        head += piece
    return False


def _piece(stream: Any, length: int) -> bytes:
    """The next bytes of a stream, at most `length`; none at its end."""
    piece = stream.read(length)
    if not isinstance(piece, bytes | bytearray | memoryview):
        what = (
            "has nothing to read yet; it must wait for its bytes"
            if piece is None
            else f"gives {show(piece)}, not bytes"
        )
        raise NotAModelFile(name_of(stream), f"this stream {what}")
    if len(piece) > length:
        raise NotAModelFile(name_of(stream), f"this stream gives {len(piece):,} bytes where {length:,} were asked for")
    return bytes(piece)


def structure(file: File) -> HeaderOnly:
    """The file without its payloads, checked."""
    found = front(file)
    check_frames(file, found)
    return found


def front(file: File) -> HeaderOnly:
    """The header with its index, checked. What follows is not checked, and may be missing."""
    _check_magic(file)
    raw = _raw_header(file)
    mark = file.read(len(raw), container.ID_LENGTH)
    if not mark.startswith(container.ID_MARK):
        raise MalformedFile(file.path, "the header is not followed by its checksum", f"byte {len(raw)}")
    identity = sha256(raw).digest()
    if not mark.endswith(identity):
        raise ChecksumMismatch(file.path, "does not match its checksum", "header")
    return parsed(raw, identity, file.size)


def parsed(raw: bytes | bytearray, identity: bytes, size: int) -> HeaderOnly:
    """A header from its bytes, checked, with the id and the size of its file. Raises Fault."""
    header = _unpack(raw)
    for key in container.OWN_KEYS:
        if key not in header:
            raise Fault(f"the key {key!r} is missing", "header")
    own = {key: header.pop(key) for key in container.OWN_KEYS}
    container.check_plain(header)
    end = len(raw) + container.ID_LENGTH
    segments = container.index(own["segments"], own["views"], container.next_payload(end))
    return HeaderOnly(header, segments, identity, end, size)


def _check_magic(file: File) -> None:
    start = bytes(file.read(0, min(file.size, _SNIFFED)))
    if not start:
        what = f"there is nothing to read after byte {file.start:,}, its current position: go back with .seek(0)"
        raise NotAModelFile(file.path, what if file.start else "the file is empty")
    if not (0x81 <= start[0] <= 0x8F and container.MAGIC.startswith(start[1:8])):
        raise NotAModelFile(file.path, f"this is {other_format(start)}")
    if len(start) < 9:
        raise Truncated(file.path, f"the file ends after {len(start)} bytes")
    version = start[8]
    if container.VERSION < version < 0x80:
        message = f"found format version {version}, this modnet reads up to {container.VERSION}; install a newer modnet"
        raise NewerFormat(file.path, message, "header.modnet")
    if version != container.VERSION:
        raise MalformedFile(file.path, "the format version is not an integer >= 1", "header.modnet")


def _raw_header(file: File) -> bytearray:
    """The bytes of the first object, whose end is found without creating any values."""
    length = _FIRST_READ
    while True:
        length = min(length, container.HEADER_LIMIT)
        raw = file.read(0, min(length, file.size))
        unpacker = msgpack.Unpacker(read_size=length, max_buffer_size=container.HEADER_LIMIT)
        unpacker.feed(raw)
        try:
            unpacker.skip()
        except msgpack.OutOfData:
            if len(raw) == file.size:
                raise Truncated(file.path, "the file ends inside the header", "header") from None
            if length == container.HEADER_LIMIT:
                raise Fault(f"longer than {length} bytes, which is the limit", "header") from None
            length *= _READ_GROWTH
        except (ValueError, RecursionError) as error:
            raise Fault(f"is not MessagePack ({_message(error)})", "header") from None
        else:
            if unpacker.tell() + container.ID_LENGTH > file.size:
                raise Truncated(file.path, "the file ends inside the header's checksum", "header")
            del raw[unpacker.tell() :]
            return raw


def _unpack(raw: bytes | bytearray) -> dict[str, Any]:
    def as_dict(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in pairs:
            if type(key) is not str:
                raise Fault(f"a key is {type(key).__name__}, not text", "header")
            if key in made:
                raise Fault(f"the key {key[:80]!r} occurs twice", "header")
            made[key] = value
        return made

    def as_extension(code: int, _: bytes) -> None:
        raise Fault(f"has an extension object (type {code})", "header")

    container.check_count(raw)
    try:
        header: dict[str, Any] = msgpack.unpackb(
            raw,
            object_pairs_hook=as_dict,
            ext_hook=as_extension,
            strict_map_key=False,  # as_dict is stricter, with better messages
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise Fault(f"is not MessagePack of plain values ({_message(error)})", "header") from None
    return header


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def check_frames(file: File, found: HeaderOnly) -> None:
    """Checks the bytes between the payloads, and the length of the file."""
    end, segments = found.end, found.segments
    require_length(file, segments[-1].end if segments else end)
    for number, segment in enumerate(segments):
        expected = container.frame(end, segment.length)
        if file.read(end, len(expected)) != expected:
            raise Fault(f"expected a bin object of {segment.length} bytes here", f"segments[{number}], byte {end}")
        end = segment.end
    if file.size > end:
        raise Fault(f"{file.size - end} bytes follow the last array", f"byte {end}")


def require_length(file: File, needed: int) -> None:
    """Raises Truncated if the file is shorter."""
    if file.size < needed:
        raise Truncated(file.path, f"the file has {file.size} bytes; its header declares {needed} bytes")


def load_group(file: File, segments: tuple[Segment, ...], verify: bool) -> ReadGroup:
    """A group, in memory. Raises Fault and ModelFileError."""
    dtype = segments[0].dtype
    flat = np.empty(sum(segment.length for segment in segments) // dtype.itemsize, dtype)
    read_group(file, segments, flat, verify)
    return ReadGroup((flat.astype(dtype.newbyteorder("="), copy=False),), segments)


def read_group(file: File, segments: Sequence[Segment], out: np.ndarray[Any, Any], verify: bool = True) -> None:
    """Reads a group into a contiguous 1-D array of its length; another dtype is converted piece by piece.

    Raises Fault and ModelFileError.
    """
    begin = 0
    for segment in segments:
        end = begin + segment.length // segment.dtype.itemsize
        pieces = _pieces(file, segment, out[begin:end])
        if verify:
            _verify(file, segment, pieces)
        else:
            deque(pieces, maxlen=0)
        begin = end
    if container.bad_bools(out):
        raise Fault("a bool array has bytes other than 0 and 1", legible(segments[0].group))


def _pieces(file: File, segment: Segment, out: np.ndarray[Any, Any]) -> Iterator[memoryview]:
    """Reads a segment into an array; yields each chunk of the file's bytes when its numbers have been stored."""
    if out.dtype == segment.dtype:
        yield from file.fill(segment.offset, out.view(np.uint8).data)
        return
    for start in range(0, segment.length, container.CHUNK_LENGTH):
        raw = file.read(segment.offset + start, min(container.CHUNK_LENGTH, segment.length - start))
        numbers = np.frombuffer(raw, segment.dtype)
        begin = start // segment.dtype.itemsize
        out[begin : begin + numbers.size] = numbers
        yield memoryview(raw)


def mapped_group(file: File, mapped: memoryview, segments: tuple[Segment, ...], verify: bool) -> ReadGroup:
    """A group in the bytes of the file, without a copy. Raises Fault and ModelFileError."""
    flats = []
    for segment in segments:
        count = segment.length // segment.dtype.itemsize
        flat: np.ndarray[Any, Any] = np.ndarray(count, segment.dtype, buffer=mapped, offset=segment.offset)
        if not flat.flags.aligned:  # bytes that begin anywhere: numpy would be slow with them
            flat = flat.copy()
        if verify:
            _verify(file, segment, container.chunks(flat.view(np.uint8).data))
            if container.bad_bools(flat):
                raise Fault("a bool array has bytes other than 0 and 1", legible(segment.group))
        flats.append(flat)
    return ReadGroup(tuple(flats), segments)


def _verify(file: File, segment: Segment, pieces: Iterator[memoryview]) -> None:
    if container.digest(pieces, segment.length) != segment.sha256:
        where = f"{legible(segment.group)}, {segment.length} bytes from byte {segment.offset} on"
        raise ChecksumMismatch(file.path, DIFFERS, where)
