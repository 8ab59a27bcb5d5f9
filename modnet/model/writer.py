"""Writing a model file: plain header values and flat arrays in, bytes out."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO, NamedTuple

import msgpack
import numpy as np

from modnet.errors import ModelFileError
from modnet.model import container
from modnet.model.atomic import replace_file, write_pieces
from modnet.model.container import Fault, Hashed
from modnet.model.source import is_path, name_of
from modnet.model.url import is_url, place_of

Place = str | os.PathLike[str] | BinaryIO
"""Where a model file is written: a path or URL, or a binary file that is open."""


@dataclass(frozen=True, eq=False)
class Group:
    """One flat array and the names of its parts.

    Attributes:
        name: of the group: "parameters", "state", "optimizer.mean" and so on.
        flat: 1-D and contiguous; of a float, int or uint type, or bool.
        views: (name, offset in elements, shape) of each part, in order and without holes.
    """

    name: str
    flat: np.ndarray[Any, Any]
    views: Sequence[tuple[str, int, tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class StreamedGroup:
    """One flat array that comes in pieces, and the names of its parts.

    Attributes:
        name, views: as in `Group`.
        dtype: one of `container.DTYPES`.
        pieces: the bytes of the array, one piece after the other. They are iterated once, while the file is being
            written (twice for one that is open). If they raise an exception, `write` raises it, and the old file is
            unchanged.
    """

    name: str
    dtype: np.dtype[Any]
    pieces: Iterable[memoryview]
    views: Sequence[tuple[str, int, tuple[int, ...]]]


class Written(NamedTuple):
    """What was written: the id of the file (32 bytes), and its payloads in order."""

    id: bytes
    payloads: tuple[Hashed, ...]


def write(
    place: Place,
    header: Mapping[str, Any],
    groups: Sequence[Group | StreamedGroup],
    *,
    durable: bool = True,
) -> Written:
    """Writes a model file, replacing an existing one; or into an open binary file, from its present position.

    The same arguments give the same bytes. The old file is unchanged until the new one is complete. In an open file
    nothing is written before all of it has been checked; the pieces of groups are then iterated twice.

    Args:
        place: a path, a URL, or a binary file.
        header: None, bool, int, float, str, and lists, tuples and dicts of these; exactly these types. Tuples become
            lists, and every nan becomes the same nan. At most 12 keys, without "modnet", "segments" and "views".
        groups: the arrays.
        durable: return only when the new file would survive a loss of power.

    Raises:
        ModelFileError: the header or a group cannot be written; no file has been changed.
        NotAModelFile: the path is a folder, pipe, socket or device, or the name of a descriptor.
        MissingExtra: what opens the URL is not installed.
        OSError: from the system, for a missing folder or a full disk, for example.
    """
    try:
        plan = _planned(groups)
        packed = _Header(header, plan)
        if is_path(place) and not is_url(place):
            # Zeros first: the header has the digests of the arrays, which are known only when these have been written.
            placeholder = bytes(len(packed.beginning()))
            replace_file(place, plan.pieces(placeholder), durable=durable, beginning=packed.beginning)
        else:
            _send(place, plan, packed)
    except Fault as fault:
        raise ModelFileError(name_of(place), fault.what, fault.where) from None
    return Written(packed.identity, tuple(Hashed(*(row[key] for key in Hashed._fields)) for row in plan.segments))


def _send(place: Any, plan: _Plan, packed: _Header) -> None:
    """Writes from front to end, once the digests of the arrays are known."""
    deque(plan.pieces(bytes(len(packed.beginning()))), maxlen=0)
    beginning = packed.beginning()
    content = b"".join(plan.pieces(beginning)) if isinstance(place, str) else b""
    if not isinstance(place, str):
        write_pieces(place, plan.pieces(beginning))
    if packed.beginning() != beginning:
        raise Fault("the arrays have been changed while they were written; an open file now has what cannot be loaded")
    if content:
        _put(place, content)


def _put(url: str, content: bytes) -> None:
    """Writes the file at a URL: in one request, so that it is whole or not there; one of this machine as any other.

    Raises:
        ModelFileError: it can only be read: `zip://m.modnet::models.zip`.
        MissingExtra, ModelFileError, OSError: as `open_url`.
    """
    if "::" in url:
        raise ModelFileError(url, "a URL with :: in it can only be read; write the file, and put it there")
    system, path = place_of(url)
    if "file" in system.protocol:
        replace_file(path, [content], durable=True)
    else:
        system.pipe_file(path, content)


def _planned(groups: Sequence[Group | StreamedGroup]) -> _Plan:
    plan = _Plan()
    for group in groups:
        plan.add(group)
    return plan


def rehearse(header: Mapping[str, Any], groups: Sequence[Group | StreamedGroup]) -> tuple[bytes, int]:
    """The bytes of the header that `write` would write, with zeros for digests, and the size of the file.

    Only the names, lengths and types of the groups are used.

    Raises:
        Fault: what `write` would refuse.
    """
    plan = _planned(groups)
    raw = _Header(header, plan).raw()
    last = plan.segments[-1] if plan.segments else None
    end = len(raw) + container.ID_LENGTH
    return raw, container.next_payload(end) + last["offset"] + last["length"] if last else end


class _Header:
    """The header of a file. Its digests are known last, since arrays are hashed while they are being written.

    Its length does not depend on them: a digest always has 32 bytes.
    """

    def __init__(self, header: Mapping[str, Any], plan: _Plan) -> None:
        plain = dict(header)
        container.check_plain(plain)
        for key in container.OWN_KEYS:
            if key in plain:
                raise Fault("this key belongs to the container", f"header.{key}")
        if len(plain) + len(container.OWN_KEYS) > container.KEY_LIMIT:
            raise Fault(f"{len(plain)} keys; {container.KEY_LIMIT - len(container.OWN_KEYS)} are allowed", "header")
        container.index(plan.segments, plan.views, 0)  # the reader's own checks, so that nothing unreadable is written
        self._segments = plan.segments
        packer = msgpack.Packer()
        first = [packer.pack_map_header(len(plain) + len(container.OWN_KEYS))]
        parts = {key: packer.pack(value) for key, value in {"modnet": container.VERSION, **_canonical(plain)}.items()}
        for key, part in parts.items():
            first += packer.pack(key), part
        self._before: bytes = b"".join((*first, packer.pack("segments")))
        parts["views"] = packer.pack(plan.views)
        self._after: bytes = packer.pack("views") + parts["views"]
        self.identity = b""
        """The digest of the header, as of the last `beginning`."""
        raw = self.raw()
        largest = max(parts, key=lambda key: len(parts[key]))
        most = f"; {len(parts[largest])} of its {len(raw)} bytes are in {largest}"
        if len(raw) > container.HEADER_LIMIT:
            raise Fault(f"{len(raw)} bytes, the limit is {container.HEADER_LIMIT}{most}", "header")
        try:
            container.check_count(raw)
        except Fault as fault:
            raise Fault(f"{fault.what}{most}", fault.where) from None

    def raw(self) -> bytes:
        """Its bytes, with the digests of the arrays that are known so far."""
        segments: bytes = msgpack.packb(self._segments)
        return self._before + segments + self._after

    def beginning(self) -> bytes:
        """Its bytes and its own digest."""
        raw = self.raw()
        self.identity = sha256(raw).digest()
        return raw + container.ID_MARK + self.identity


def _canonical(value: Any) -> Any:
    """The value with every nan replaced by the same one; parts without nan are not copied, as headers can be large."""
    match value:
        case dict():
            items = [_canonical(item) for item in value.values()]
            if any(new is not old for new, old in zip(items, value.values(), strict=True)):
                return dict(zip(value, items, strict=True))
        case list() | tuple():
            items = [_canonical(item) for item in value]
            if any(new is not old for new, old in zip(items, value, strict=True)):
                return items
        case float() if value != value:
            return math.nan  # computed ones differ in sign and payload, even from one processor to another
    return value


def _contents(group: Group | StreamedGroup) -> tuple[np.dtype[Any], Iterable[memoryview], int | None]:
    """The dtype, the pieces of the array and its elements, of which a streamed group does not know how many it has."""
    if isinstance(group, StreamedGroup):
        return group.dtype, group.pieces, None
    try:
        flat = _flat(group)
    except Fault as fault:
        raise Fault(fault.what, f"group {group.name}") from None
    return flat.dtype, (flat.view(np.uint8).data,), flat.size


def _view_length(offset: int, shape: Sequence[int], dtype: np.dtype[Any], end: int) -> int:
    """The bytes of an array, which has to begin where the one before ends."""
    length = container.array_length(list(shape), dtype)
    if length > container.VIEW_LIMIT:
        raise Fault(f"{length} bytes, the limit of one array is {container.VIEW_LIMIT}")
    if offset * dtype.itemsize != end:
        raise Fault(f"starts at element {offset}, expected {end // dtype.itemsize}")
    return length


class _Plan:
    """The segments and views of a file, group by group, and the sources of their bytes.

    The digests of the segments are zeros until `pieces` has been iterated to the end.
    """

    def __init__(self) -> None:
        self.segments: list[dict[str, Any]] = []
        self.views: list[list[Any]] = []
        self._sources: list[tuple[Iterable[memoryview], list[dict[str, Any]]]] = []
        self._groups: set[str] = set()
        self._start = 0  # of the next segment

    def add(self, group: Group | StreamedGroup) -> None:
        if group.name in self._groups:
            raise Fault("two groups have this name", f"group {group.name}")
        self._groups.add(group.name)
        first_segment = len(self.segments)
        dtype, pieces, size = _contents(group)
        begin = end = 0  # of the segment so far, in bytes of the group
        first = len(self.views)  # of the segment
        for name, offset, shape in group.views:
            try:
                length = _view_length(offset, shape, dtype, end)
            except Fault as fault:
                raise Fault(fault.what, f"group {group.name}, {name}") from None
            if end + length - begin > container.SEGMENT_LIMIT and len(self.views) > first:
                self._close(group.name, dtype, end - begin)
                begin, first = end, len(self.views)
            self.views.append([name, len(self.segments), self._start + end - begin, list(shape)])
            end += length
        if size is not None and end != size * dtype.itemsize:
            raise Fault(f"the views end at element {end // dtype.itemsize}, the array at {size}", f"group {group.name}")
        self._close(group.name, dtype, end - begin)
        self._sources.append((pieces, self.segments[first_segment:]))

    def _close(self, group: str, dtype: np.dtype[Any], length: int) -> None:
        self.segments.append(
            {"group": group, "dtype": dtype.name, "offset": self._start, "length": length, "sha256": bytes(32)}
        )
        self._start = container.next_payload(self._start + length)

    def pieces(self, beginning: bytes) -> Iterator[bytes | memoryview]:
        """The content of the file, after the given beginning; stores the digests of the segments meanwhile."""
        yield beginning
        end = len(beginning)
        for pieces, segments in self._sources:
            source = _Source(pieces)
            for segment in segments:
                length = segment["length"]
                yield container.frame(end, length)
                with container.Digest(length) as digest:
                    for chunk in source.chunks(length):
                        digest.add(chunk)
                        yield chunk
                    segment["sha256"] = digest.result()
                end = container.next_payload(end) + length
            source.finish()


class _Source:
    """The bytes of a group, cut into chunks of the format instead of the caller's pieces."""

    def __init__(self, pieces: Iterable[memoryview]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def chunks(self, length: int) -> Iterator[memoryview]:
        """The next `length` bytes, in the chunks that are hashed separately."""
        while length:
            chunk = self._take(min(length, container.CHUNK_LENGTH))
            yield chunk
            length -= len(chunk)

    def _take(self, length: int) -> memoryview:
        if not self._rest:
            self._rest = self._piece()
        taken, self._rest = self._rest[:length], self._rest[length:]
        if len(taken) == length:
            return taken
        joined = bytearray(taken)
        while len(joined) < length:
            piece = self._piece()
            missing = length - len(joined)
            joined += piece[:missing]
            self._rest = piece[missing:]
        return memoryview(joined)

    def _piece(self) -> memoryview:
        for piece in self._pieces:
            return piece
        raise Fault("the pieces of an array are shorter than its views")

    def finish(self) -> None:
        """Exhausts the pieces, so that code after the last one runs: it may raise (a checksum) or close files."""
        if self._rest or any(self._pieces):
            raise Fault("the pieces of an array are longer than its views")


def _flat(group: Group) -> np.ndarray[Any, Any]:
    flat = group.flat
    dtype = container.DTYPES.get(flat.dtype.name)
    if dtype is None:
        raise Fault(f"found dtype {flat.dtype}, expected one of {', '.join(container.DTYPES)}")
    if flat.ndim != 1 or not flat.flags.c_contiguous:
        raise Fault(f"expected a contiguous array with one axis, found shape {flat.shape}, strides {flat.strides}")
    if container.bad_bools(flat):
        raise Fault("a bool array has bytes other than 0 and 1")
    return flat.astype(dtype, copy=False)
