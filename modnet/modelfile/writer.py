"""Writing a model file: plain header values and flat arrays in, bytes out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgpack
import numpy as np

from modnet.errors import ModelFileError
from modnet.modelfile import container
from modnet.modelfile.atomic import replace_file
from modnet.modelfile.container import Fault


@dataclass(frozen=True, eq=False)
class Group:
    """One flat array and the names of its parts.

    Attributes:
        name: of the group, such as "parameters", "state" or "optimizer.mean".
        flat: 1-D and contiguous; of a float, int or uint type, or bool.
        views: (name, offset in elements, shape) of each part, in order and without holes.
    """

    name: str
    flat: np.ndarray[Any, Any]
    views: Sequence[tuple[str, int, tuple[int, ...]]]


def write(
    path: str | os.PathLike[str], header: Mapping[str, Any], groups: Sequence[Group], *, durable: bool = True
) -> bytes:
    """Writes a model file, in place of an older one if there is one, and returns its id (32 bytes).

    The same arguments give the same bytes. Until the new file is complete the old one stands as it was.

    Args:
        header: None, bool, int, float, str, and lists, tuples and dicts of these; exactly these types. Tuples become
            lists, and every nan becomes the same nan. At most 12 keys, "modnet", "segments" and "views" not among them.
        groups: the arrays.
        durable: return only when the new file would survive a loss of power.

    Raises:
        ModelFileError: the header or a group cannot be written; nothing has been touched.
        NotAModelFile: the path is that of a folder, pipe, socket or device.
        OSError: as the system says, such as for a folder that is not there or a full disk.
    """
    try:
        plan = _Plan()
        for group in groups:
            plan.add(group)
        raw = _header(header, plan)
    except Fault as fault:
        raise ModelFileError(path, fault.what, fault.where) from None
    identity = sha256(raw).digest()
    replace_file(path, _pieces(raw + container.ID_MARK + identity, plan.payloads), durable=durable)
    return identity


def _header(header: Mapping[str, Any], plan: _Plan) -> bytes:
    plain = dict(header)
    container.check_plain(plain)
    for key in container.OWN_KEYS:
        if key in plain:
            raise Fault("this key is the container's own", f"header.{key}")
    if len(plain) + len(container.OWN_KEYS) > container.KEY_LIMIT:
        raise Fault(f"{len(plain)} keys; {container.KEY_LIMIT - len(container.OWN_KEYS)} are allowed", "header")
    container.index(plan.segments, plan.views, 0)  # so that whatever is written can be read
    raw: bytes = msgpack.packb(
        {"modnet": container.VERSION, **_canonical(plain), "segments": plan.segments, "views": plan.views}
    )
    if len(raw) > container.HEADER_LIMIT:
        raise Fault(f"{len(raw)} bytes, and the limit is {container.HEADER_LIMIT}", "header")
    container.check_count(raw)
    return raw


def _canonical(value: Any) -> Any:
    match value:
        case dict():
            return {key: _canonical(item) for key, item in value.items()}
        case list() | tuple():
            return [_canonical(item) for item in value]
        case float() if value != value:
            return math.nan  # computed ones differ in sign and payload, from one processor to another too
    return value


class _Plan:
    """The segments and views of a file, group by group."""

    def __init__(self) -> None:
        self.payloads: list[memoryview] = []
        self.segments: list[dict[str, Any]] = []
        self.views: list[list[Any]] = []
        self._groups: set[str] = set()
        self._start = 0  # of the next segment

    def add(self, group: Group) -> None:
        if group.name in self._groups:
            raise Fault("two groups have this name", f"group {group.name}")
        self._groups.add(group.name)
        try:
            flat = _flat(group)
        except Fault as fault:
            raise Fault(fault.what, f"group {group.name}") from None
        payload = flat.view(np.uint8).data
        begin = end = 0  # of the segment so far, in bytes of the payload
        first = len(self.views)  # of the segment
        for name, offset, shape in group.views:
            try:
                length = container.array_length(list(shape), flat.dtype)
                if length > container.VIEW_LIMIT:
                    raise Fault(f"{length} bytes, and the limit of one array is {container.VIEW_LIMIT}")
                if offset * flat.itemsize != end:
                    raise Fault(f"starts at element {offset}, expected {end // flat.itemsize}")
            except Fault as fault:
                raise Fault(fault.what, f"group {group.name}, {name}") from None
            if end + length - begin > container.SEGMENT_LIMIT and len(self.views) > first:
                self._close(group.name, flat.dtype, payload[begin:end])
                begin, first = end, len(self.views)
            self.views.append([name, len(self.segments), self._start + end - begin, list(shape)])
            end += length
        if end != len(payload):
            what = f"the views end at element {end // flat.itemsize}, the array at {flat.size}"
            raise Fault(what, f"group {group.name}")
        self._close(group.name, flat.dtype, payload[begin:end])

    def _close(self, group: str, dtype: np.dtype[Any], payload: memoryview) -> None:
        length = len(payload)
        self.segments.append(
            {
                "group": group,
                "dtype": dtype.name,
                "offset": self._start,
                "length": length,
                "sha256": container.digest(container.chunks(payload), length),
            }
        )
        self.payloads.append(payload)
        self._start = container.next_payload(self._start + length)


def _flat(group: Group) -> np.ndarray[Any, Any]:
    flat = group.flat
    dtype = container.DTYPES.get(flat.dtype.name)
    if dtype is None:
        raise Fault(f"the dtype is {flat.dtype}; it can be one of {', '.join(container.DTYPES)}")
    if flat.ndim != 1 or not flat.flags.c_contiguous:
        raise Fault(f"expected a contiguous array with one axis, found shape {flat.shape}, strides {flat.strides}")
    if container.bad_bools(flat):
        raise Fault("a bool array has bytes other than 0 and 1")
    return flat.astype(dtype, copy=False)


def _pieces(prefix: bytes, payloads: Sequence[memoryview]) -> Iterator[bytes | memoryview]:
    yield prefix
    end = len(prefix)
    for payload in payloads:
        yield container.frame(end, len(payload))
        yield payload
        end = container.next_payload(end) + len(payload)
