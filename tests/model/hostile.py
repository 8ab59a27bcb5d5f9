"""Makes model files byte by byte, right ones and wrong ones, without the writer of the library.

    python -m tests.model.hostile       the wrong ones as a table in Markdown, each with what is said about it

`files` are refused by whoever reads them, `models` by who makes a network of them, `places` are no files that could be
read. Each has the number of its kind in `KINDS`.
"""

from __future__ import annotations

import math
import os
import socket
import struct
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

import modnet
from modnet.errors import (
    ChecksumMismatch,
    MalformedFile,
    NewerFormat,
    NotAModelFile,
    NotInstalled,
    ParameterMismatch,
    Truncated,
)

PAYLOADS = (struct.pack("<8f", *range(8)), struct.pack("<3d", 0.5, -1.0, 2.0), b"\x01\x00")

# Where msgpack has no compiled code, it compares a length with a limit before it looks for the bytes.
COMPILED = msgpack.Unpacker.__module__ != "msgpack.fallback"

KINDS = {
    1: "empty",
    2: "one byte",
    3: "cut at any byte",
    4: "any bit flipped",
    5: "zip",
    6: "pickle",
    7: "npy",
    8: "nothing but nil, or zero",
    9: "the header's digest is wrong",
    10: "a segment's digest is wrong",
    11: "a digest is too short or too long",
    12: "a digest is no bin",
    13: "a byte behind the end",
    14: "a zip behind the end",
    15: "padding that is not nil",
    16: "a payload's length differs from the index",
    17: "a payload claims 4 GiB",
    18: "the header is no map",
    19: "its first key is another",
    20: "the version is no version",
    21: "a key twice",
    22: "a key twice, deep",
    23: "an integer as key",
    24: "a bin as key",
    25: "nil as key",
    26: "a list or map as key",
    27: "an extension object",
    28: "a timestamp",
    29: "a bad timestamp",
    30: "text that is not UTF-8",
    31: "the byte C1, which is not MessagePack",
    32: "nested 1,000 deep",
    33: "nested 100,000 deep",
    34: "a map that claims 2^31 pairs",
    35: "a list that claims 2^32 - 1 items",
    36: "a bin or text that claims 4 GiB",
    37: "claims within claims",
    38: "millions of values",
    39: "a header over the limit",
    40: "nan or infinity in the spec",
    41: "keys of a segment: missing, further, mistyped",
    42: "dtypes that are not in our table",
    43: "lengths of axes that are none",
    44: "33 axes",
    45: "a product of lengths beyond 2^63",
    46: "a product that wraps to the right size",
    47: "no element, yet too big for numpy",
    48: "arrays and groups without elements, misplaced",
    49: "lengths of segments",
    50: "offsets of segments",
    51: "views that overlap",
    52: "views with a hole",
    53: "views beyond their segment",
    54: "views in another segment",
    55: "segments that are not there",
    56: "elements out of alignment",
    57: "offsets that overflow",
    58: "out of order",
    59: "a name twice",
    60: "an empty name",
    61: "a name of 100 kB",
    62: "a bin as name",
    63: "no text as name",
    64: "bools other than 0 and 1",
    65: "a file shorter than the header says",
    66: "arrays other than those of the network",
    67: "a feature that is not known",
    68: "a distribution that is not installed",
    69: "a component of another distribution",
    70: "a component that is older here",
    71: "a layer of 10^12 outputs",
    72: "repeat within repeat, 20 deep",
    73: "a folder",
    74: "a pipe",
    75: "a device or socket",
    76: "a symbolic link to what is refused",
    77: "a loop of links, or nothing at all",
    78: "a file of /proc, which has no size",
    79: "no permission",
    80: "shortened while it is mapped",
    81: "replaced while it is mapped",
    82: "rewritten while it is read",
    83: "shortened while it is read",
    84: "a full disk",
    85: "a writer that is killed",
    86: "saved over the file that one's own arrays map",
    87: "names that move a terminal or fill it",
    88: "specs, needs, tables and figures that make no sense",
}
"""What can be wrong with a file. 1 to 86 are those that others' formats were attacked by, as far as we know of them."""

ELSEWHERE = {
    3: "test_hostile.py::test_every_cut",
    4: "test_hostile.py::test_every_bit",
    5: "test_reader.py::test_other_formats_are_named_with_what_reads_them",
    6: "test_reader.py::test_other_formats_are_named_with_what_reads_them",
    7: "test_reader.py::test_other_formats_are_named_with_what_reads_them",
    39: "test_hostile.py::test_long_header",
    80: "test_durability.py::test_a_file_that_is_shortened_while_its_arrays_are_in_use",
    81: "test_reader.py::test_a_map_keeps_the_file_that_it_was_made_of",
    82: "test_reader.py::test_file_is_rewritten_in_place",
    83: "test_reader.py::test_file_becomes_shorter",
    84: "test_durability.py::test_a_full_disk",
    85: "test_durability.py::test_killed_at_any_moment",
    86: "test_durability.py::test_saved_over_the_file_that_its_own_arrays_map",
}
"""The kinds that take more than a file, or all cuts and bits of one: the tests that make them."""


class Hostile(NamedTuple):
    """A file that is refused.

    Attributes:
        number: of its kind.
        name: which one of the kind.
        content: its bytes.
        error: the class of the error.
        message: of the error, behind the path; where it ends in "...", so it begins.
    """

    number: int
    name: str
    content: bytes
    error: type[Exception]
    message: str

    def is_told_by(self, text: str) -> bool:
        """Whether that is the message."""
        return text == self.message or (self.message.endswith("...") and text.startswith(self.message[:-3]))


class Place(NamedTuple):
    """What cannot be read as a file.

    Attributes:
        number: of its kind.
        name: which one of the kind.
        make: folder -> path, which it makes; None where the system has no such thing.
        error: the class of the error.
        message: a part of that of the error.
    """

    number: int
    name: str
    make: Callable[[Path], Path | None]
    error: type[Exception]
    message: str


def document() -> dict[str, Any]:
    """The header of a small right file: three groups, one view of them empty and one a scalar."""
    lengths = [len(payload) for payload in PAYLOADS]
    digests = [sha256(sha256(payload).digest()).digest() for payload in PAYLOADS]
    return {
        "modnet": 1,
        "spec": {"network": {"input": [3], "layers": ["linear"]}},
        "segments": [
            {"group": "parameters", "dtype": "float32", "offset": 0, "length": lengths[0], "sha256": digests[0]},
            {"group": "state", "dtype": "float64", "offset": 64, "length": lengths[1], "sha256": digests[1]},
            {"group": "flags", "dtype": "bool", "offset": 128, "length": lengths[2], "sha256": digests[2]},
        ],
        "views": [
            ["linear.weight", 0, 0, [3, 2]],
            ["linear.bias", 0, 24, [2]],
            ["linear.nothing", 0, 32, [0, 5]],
            ["scale", 1, 64, []],
            ["mean", 1, 72, [2]],
            ["seen", 2, 128, [2]],
        ],
    }


def assemble(header: dict[str, Any] | bytes, payloads: tuple[bytes, ...] = PAYLOADS) -> bytes:
    """A file with that header, its right checksum, and the payloads, each in a bin32 on a multiple of 64."""
    raw = header if isinstance(header, bytes) else msgpack.packb(header)
    content = raw + b"\xc4\x20" + sha256(raw).digest()
    for payload in payloads:
        content += b"\xc0" * (-(len(content) + 5) % 64) + b"\xc6" + struct.pack(">I", len(payload)) + payload
    return content


def put(path: Path, content: bytes) -> None:
    """Writes a new file; over an old one, some file systems would wait for the disk each time."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def small() -> bytes:
    """A right file with one array, short enough to try every cut and every bit."""
    payload = struct.pack("<4f", 1.0, -2.0, 0.0, 0.5)
    segment = {"group": "p", "dtype": "float32", "offset": 0, "length": 16, "sha256": b""}
    segment["sha256"] = sha256(sha256(payload).digest()).digest()
    return assemble({"modnet": 1, "s": {"a": 1.5}, "segments": [segment], "views": [["w", 0, 0, [2, 2]]]}, (payload,))


def quoted(value: object) -> str:
    """A value as messages show it."""
    if type(value) is str:
        return repr(value if len(value) <= 80 else value[:80] + "...")
    return repr(value) if type(value) in (int, float, bool, type(None)) else f"a {type(value).__name__}"


# What is refused when it is read


def files() -> Iterator[Hostile]:
    yield from _bytes()
    for number, name, raw, error, message in _raw_headers():
        yield Hostile(number, f"header: {name}", assemble(raw), error, message)
    for number, name, message, change in (*_changes_of_segments(), *_changes_of_views()):
        changed = document()
        change(changed)
        yield Hostile(number, name, assemble(changed), MalformedFile, message)
    yield from _payloads()


def _bytes() -> Iterator[Hostile]:
    right = assemble(document())
    header = msgpack.packb(document())
    end = len(header) + 34
    start = (end + 5 + 63) // 64 * 64
    yield Hostile(1, "empty", b"", NotAModelFile, "the file is empty")
    yield Hostile(2, "one byte of a map", b"\x84", Truncated, "the file ends after 1 bytes")
    yield Hostile(2, "one other byte", b"a", NotAModelFile, "this is a text file")
    for name, content in (("all nil", b"\xc0" * 512), ("all zero", bytes(512))):
        yield Hostile(8, name, content, NotAModelFile, "this is not in a format that modnet knows")
    for number, name, tail in (
        (13, "trailing byte", b"\x00"),
        (13, "trailing nil", b"\xc0"),
        (14, "trailing zip", b"PK\x05\x06" + bytes(18)),
    ):
        message = f"byte {len(right)}: {len(tail)} bytes follow the last array"
        yield Hostile(number, name, right + tail, MalformedFile, message)
    message = "header: the file ends inside the header's checksum"
    yield Hostile(3, "header alone", header, Truncated, message)
    other = header + b"\xc4\x20" + bytes(32) + right[end:]
    message = "header: does not match its checksum"
    yield Hostile(9, "digest of another header", other, ChecksumMismatch, message)
    message = f"byte {len(header)}: the header is not followed by its checksum"
    yield Hostile(11, "digest short", header + b"\xc4\x1f" + right[len(header) + 2 :], MalformedFile, message)
    yield Hostile(12, "digest is text", header + b"\xd9\x20" + right[len(header) + 2 :], MalformedFile, message)
    message = f"segments[0], byte {end}: expected a bin object of 32 bytes here"
    for number, name, at, byte in (
        (15, "padding is zero", end, 0x00),
        (15, "padding is an integer", start - 6, 0x01),
        (12, "payload is bin16", start - 5, 0xC5),
        (12, "payload is text", start - 5, 0xDB),
        (16, "payload claims more", start - 1, 0x21),
        (17, "payload claims 4 GiB", start - 4, 0xFF),
    ):
        yield Hostile(number, name, right[:at] + bytes([byte]) + right[at + 1 :], MalformedFile, message)


def _raw_headers() -> Iterator[tuple[int, str, bytes, type[Exception], str]]:
    right = msgpack.packb(document())
    body = right[9:]  # behind map, "modnet", 1

    def more(pairs: bytes) -> bytes:
        return b"\x85\xa6modnet\x01" + body + pairs

    unknown = "this is not in a format that modnet knows"
    yield 18, "not a map", msgpack.packb([1, 2, 3]), NotAModelFile, unknown
    yield 18, "map16", b"\xde\x00\x04" + right[1:], NotAModelFile, unknown
    yield 19, "another first key", msgpack.packb({"spec": {}, **document()}), NotAModelFile, unknown
    message = "header.modnet: the format version is not an integer >= 1"
    for name, version in (
        ("zero", b"\x00"),
        ("text", b"\xa11"),
        ("true", b"\xc3"),
        ("a float", msgpack.packb(1.0)),
        ("a long one", b"\xcc\x01"),
    ):
        yield 20, f"version is {name}", b"\x84\xa6modnet" + version + body, MalformedFile, message
    for version, name, rest in ((2, "two", body), (127, "127 and the rest is new", b"\xc1\xc1")):
        message = f"header.modnet: found format version {version}, this modnet reads up to 1; install a newer modnet"
        yield 20, f"version is {name}", b"\x84\xa6modnet" + bytes([version]) + rest, NewerFormat, message
    yield 21, "version twice", more(b"\xa6modnet\x01"), MalformedFile, "header: the key 'modnet' occurs twice"
    yield 21, "key twice", more(b"\xa4spec\x80"), MalformedFile, "header: the key 'spec' occurs twice"
    deep = more(b"\xa1a\x91\x82\xa1b\x01\xa1b\x02")
    yield 22, "key twice, deep", deep, MalformedFile, "header: the key 'b' occurs twice"
    for number, name, kind, key in (
        (23, "int", "int", b"\x01"),
        (24, "bin", "bytes", b"\xc4\x01a"),
        (25, "nil", "NoneType", b"\xc0"),
        (26, "list", "list", b"\x90"),
        (26, "map", "dict", b"\x80"),
    ):
        message = f"header: a key is {kind}, not text"
        yield number, f"{name} as key", more(key + b"\x01"), MalformedFile, message
        yield number, f"{name} as key, deep", more(b"\xa1a\x81" + key + b"\x01"), MalformedFile, message
    plain = "is not a plain value (None, bool, int, float, str, list or dict)"
    foreign = "header: is not MessagePack of plain values (..."
    malformed = "header: is not MessagePack (..."
    many = "header: more than 500000 values, which is the limit"
    deepest = f"header.a{'[0]' * 63}: nested more than 64 deep"
    wrapped = foreign if COMPILED else malformed
    unsigned = "byte 415: the header is not followed by its checksum" if COMPILED else malformed
    timestamp = f"msgpack.ext.Timestamp {plain}"
    cursor = r"header.a.\x1b[2J\r\n\x1b[H: "
    keys = ".a" + f".{'k' * 80}..." * 60
    keys = f"{keys[:200]} ... {keys[-200:]}: "
    for number, name, value, message in (
        (24, "bin", b"\xc4\x01a", f"header.a: builtins.bytes {plain}"),
        (27, "ext", b"\xd4\x05\x00", "header: has an extension object (type 5)"),
        (28, "timestamp", b"\xd6\xff\x00\x00\x00\x01", f"header.a: {timestamp}"),
        (29, "bad timestamp", b"\xc7\x03\xff\x00\x00\x00", foreign),
        (29, "bad timestamp of 12 bytes", b"\xc7\x0c\xff" + b"\xff" * 12, foreign),
        (30, "bad UTF-8", b"\xa1\xff", foreign),
        (30, "a surrogate", b"\xa3\xed\xa0\x80", foreign),
        (36, "ext of 2**32 - 1, where msgpack's own count wraps", b"\xc9\xff\xff\xff\xff", wrapped),
        (36, "the same and its type", b"\xc9\xff\xff\xff\xff\x05", unsigned),
        (31, "C1", b"\xc1", malformed),
        (32, "65 lists", b"\x91" * 64 + b"\x90", deepest),
        (32, "1,000 lists", b"\x91" * 999 + b"\x90", deepest),
        (33, "100,000 lists", b"\x91" * 99_999 + b"\x90", malformed),
        (33, "100,000 maps", b"\x81\xa1a" * 99_999 + b"\x80", malformed),
        (38, "too many values", b"\xdd" + struct.pack(">I", 500_001) + b"\x00" * 500_001, many),
        (38, "too many values, some in each list", (b"\xdc\x27\x10" + b"\x00" * 9_999) * 51 + b"\x00", many),
        (38, "too many pairs", b"\xdf" + struct.pack(">I", 250_000) + b"\xa1a\x00" * 250_000, many),
        (
            87,
            "a key that moves the cursor, over an ext",
            b"\x81\xa9\x1b[2J\r\n\x1b[H\xd6\xff\x00\x00\x00\x01",
            cursor + timestamp,
        ),
        (
            87,
            "long keys, deep, over an ext",
            (b"\x81\xd9\xff" + b"k" * 255) * 60 + b"\xd6\xff\x00\x00\x00\x01",
            f"header{keys}{timestamp}",
        ),
    ):
        yield number, name, more(b"\xa1a" + value), MalformedFile, message
    beyond = "header: the file ends inside the header" if COMPILED else malformed
    for number, name, value in (
        (34, "map of 2**31 items", b"\xdf\x80\x00\x00\x00"),
        (35, "list of 2**32 - 1 items", b"\xdd\xff\xff\xff\xff"),
        (36, "bin of 4 GiB", b"\xc6\xff\xff\xff\xff"),
        (36, "text of 4 GiB", b"\xdb\xff\xff\xff\xff"),
        (36, "ext of 4 GiB - 2", b"\xc9\xff\xff\xff\xfe\x05"),
        (37, "1,000 lists of 16 M items", b"\xdd\x01\x00\x00\x00" * 1000),
    ):
        yield number, name, more(b"\xa1a" + value), Truncated if COMPILED else MalformedFile, beyond


Change = Callable[[dict[str, Any]], object]

DTYPES = "float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool"


def _changes_of_segments() -> Iterator[tuple[int, str, str, Change]]:
    def segment(key: str, value: Any, number: int = 0) -> Change:
        return lambda header: header["segments"][number].__setitem__(key, value)

    most = "segments: expected a list of at most 1024 segments"
    keys = "segments[0]: expected a map of dtype, group, length, offset, sha256"
    yield 41, "no segments", "header: the key 'segments' is missing", lambda header: header.pop("segments")
    for value in (None, 1, "x", {}, [None], [[]], [{}]):
        message = keys if isinstance(value, list) else most
        yield 41, f"segments: {value!r}", message, partial(_set, "segments", value)
    for key in ("group", "dtype", "offset", "length", "sha256"):
        yield 41, f"segment without {key}", keys, lambda header, key=key: header["segments"][0].pop(key)
    yield 41, "segment with more", keys, segment("file", "/etc/passwd")
    for number, value in (
        *((63, None), (63, 0), (60, ""), (61, "x" * 513), (61, "é" * 257)),
        *((62, b"parameters"), (63, ["parameters"])),
    ):
        yield number, f"group: {value!r:.20}", f"segments[0]: {_name_fault(value)}", segment("group", value)
    message = "segments[2]: the group 'parameters' occurs twice"
    yield 59, "group twice", message, segment("group", "parameters", 2)
    message = "segments[1]: the group 'parameters' has several dtypes"
    yield 59, "group with two dtypes", message, segment("group", "parameters", 1)
    yield 41, "1,025 segments", most, lambda header: header.update(segments=header["segments"] * 342)
    for value in (
        *("O", "|O", "object", "|V8", "f4, i4", ">f4", "<f4", "f4", "float", "Float32", "float128", "complex64", "<U4"),
        *("datetime64[s]", "str", "bool_", "", None, 1, b"float32", [["a", "f4"]], {"names": []}),
    ):
        message = f"segments[0]: unknown dtype {quoted(value)}; expected one of {DTYPES}"
        yield 42, f"dtype: {value!r}", message, segment("dtype", value)
    for value in (-64, 1, 32, 64, 0.0, False, None, "0", 2**63, 2**64 - 1, -(2**63)):
        message = f"segments[0]: the offset is {quoted(value)}, expected 0"
        yield 50, f"segment offset: {value!r}", message, segment("offset", value)
    for value in (-32, 31, 28, 36, 32.0, "32", True, None, 2**32 - 1, 2**32, 2**63, 2**64 - 1):
        message = {
            28: "views[1]: the view 'linear.bias' ends outside its segment",
            36: "views[3]: the views before it leave 4 bytes of segments[0] unused",
        }.get(value, f"segments[0]: {quoted(value)} is not a length in bytes of float32 elements")
        yield 49, f"segment length: {value!r}", message, segment("length", value)
    for number, value in (
        *((12, None), (12, "x" * 32), (11, bytes(31)), (11, bytes(33)), (11, b"")),
        *((12, [0] * 32), (12, 0)),
    ):
        yield number, f"sha256: {value!r}", "segments[0]: the sha256 is not 32 bytes", segment("sha256", value)


def _set(key: str, value: Any, header: dict[str, Any]) -> None:
    header[key] = value


def _name_fault(value: Any) -> str:
    if isinstance(value, str) and value:
        return f"the name {quoted(value)} is longer than 512 bytes of UTF-8"
    return f"expected a name, found {quoted(value)}"


def _changes_of_views() -> Iterator[tuple[int, str, str, Change]]:
    def view(column: int, value: Any, number: int = 1) -> Change:
        return lambda header: header["views"][number].__setitem__(column, value)

    row = "expected a list of name, segment, offset and shape"
    yield 41, "no views", "header: the key 'views' is missing", lambda header: header.pop("views")
    for value in (None, 1, "x", {}, [None], [[]], [{}]):
        message = f"views[0]: {row}" if isinstance(value, list) else "views: expected a list of views"
        yield 41, f"views: {value!r}", message, partial(_set, "views", value)
    yield 41, "a row too long", f"views[0]: {row}", lambda header: header["views"][0].append(None)
    yield 41, "a row too short", f"views[0]: {row}", lambda header: header["views"][0].pop()
    for value in ([-2], [2.0], [True, 2], ["2"], [None], [[2]], [{}], [b"2"]):
        message = f"views[1]: the shape has {quoted(value[0])} as a length"
        yield 43, f"shape: {value!r}", message, view(3, value)
    for number, value in ((43, 2), (43, None), (43, "2"), (43, {}), (43, b"2"), (44, [1] * 33)):
        message = "views[1]: the shape is not a list of at most 32 lengths"
        yield number, f"shape: {value!r:.60}", message, view(3, value)
    for number, value in (
        *((45, [2**64 - 1]), (45, [2**63, 2]), (45, [2**62, 2**62, 2**62]), (45, [2**63 - 1] * 32)),
        *((46, [2**32, 2**32]), (46, [2**61, 4, 2**61, 2]), (46, [2**62 + 1, 4])),
    ):
        yield number, f"shape: {value!r:.60}", "views[1]: the array is too large", view(3, value)
    yield 47, "empty, too big for numpy", "views[2]: the array is too large", view(3, [0, 2**62], 2)
    yield 53, "shape: [3]", "views[1]: the view 'linear.bias' ends outside its segment", view(3, [3])
    for value, end in (([1], 28), ([], 28), ([0], 24)):
        message = f"views[2]: the view 'linear.nothing' starts at 32, expected {end}"
        yield 52, f"shape: {value!r}", message, view(3, value)
    for number, value in (
        *((51, 0), (51, 16), (51, 20), (56, 25), (52, 28), (52, 32), (51, -8)),
        *((57, 2**63 - 4), (57, 2**64 - 4), (57, -(2**63))),
    ):
        message = f"views[1]: the view 'linear.bias' starts at {value}, expected 24"
        yield number, f"view offset: {value!r}", message, view(2, value)
    integers = "views[1]: expected integers as segment and offset"
    for value in (24.0, "24", None, True):
        yield 57, f"view offset: {value!r}", integers, view(2, value)
    for number, value in ((55, -1), (54, 1), (54, 2), (55, 3), (55, 7), (55, 2**63)):
        message = "views[1]: the views before it leave 8 bytes of segments[0] unused"
        yield number, f"view segment: {value!r}", message, view(1, value)
    for value in (0.0, False, None, "0"):
        yield 55, f"view segment: {value!r}", integers, view(1, value)
    message = "views[1]: the view 'linear.weight' occurs twice in its group"
    yield 59, "view name: 'linear.weight'", message, view(0, "linear.weight")
    for number, value in (*((60, ""), (61, "x" * 100_000), (62, b"linear.bias"), (63, 1), (63, None), (63, ["a"])),):
        yield number, f"view name: {value!r:.20}", f"views[1]: {_name_fault(value)}", view(0, value)
    message = "views[0]: the views before it leave 32 bytes of segments[0] unused"
    yield 58, "views out of order", message, lambda header: header["views"].reverse()
    message = "views[0]: the view 'linear.bias' starts at 24, expected 0"
    yield 58, "views of one segment out of order", message, lambda h: h["views"].insert(0, h["views"].pop(1))
    yield 52, "a view missing at the start", message, lambda header: header["views"].pop(0)
    message = "views[3]: the view 'mean' starts at 72, expected 64"
    yield 52, "a view missing in the middle", message, lambda header: header["views"].pop(3)
    message = "views[5]: the views before it leave 2 bytes of segments[2] unused"
    yield 52, "a view missing at the end", message, lambda header: header["views"].pop()
    message = "views[6]: the view 'x' ends outside its segment"
    yield 53, "a view too many", message, lambda header: header["views"].append(["x", 2, 130, [1]])
    message = "views[6]: out of order, or in a segment that does not exist"
    yield 48, "an empty view in no segment", message, lambda header: header["views"].append(["x", 3, 192, [0]])
    message = "views[1]: the view 'a1' starts at 0, expected 32"
    rows = [[f"a{i}", 0, 0, [8]] for i in range(10)]
    yield 51, "the same bytes ten times", message, lambda header: header.update(views=rows)
    yield 28, "timestamp in a row", integers, view(2, msgpack.Timestamp(0))


def _payloads() -> Iterator[Hostile]:
    right = document()
    differs = "from byte {} on: the arrays do not match their checksum; modnet verify shows which can still be read"
    changed = (bytes(32), *PAYLOADS[1:])
    message = f"parameters, 32 bytes {differs.format(448)}"
    yield Hostile(10, "payload changed", assemble(right, changed), ChecksumMismatch, message)
    escaped = deepcopy(right)
    escaped["segments"][0]["group"] = "\x1b]0;title\x07\n\u202e" * 20
    yield Hostile(
        87,
        "payload changed of a group whose name moves the cursor",
        assemble(escaped, changed),
        ChecksumMismatch,
        r"\x1b]0;title\x07\n\u202e" * 6 + rf"\x1b]0;titl..., 32 bytes {differs.format(768)}",
    )
    swapped = deepcopy(right)
    swapped["segments"][0]["sha256"], swapped["segments"][1]["sha256"] = (
        right["segments"][1]["sha256"],
        right["segments"][0]["sha256"],
    )
    yield Hostile(10, "digests swapped", assemble(swapped), ChecksumMismatch, message)
    bools = deepcopy(right)
    bools["segments"][2]["sha256"] = sha256(sha256(b"\x01\x02").digest()).digest()
    content = assemble(bools, (*PAYLOADS[:2], b"\x01\x02"))
    yield Hostile(64, "bool of 2", content, MalformedFile, "flags: a bool array has bytes other than 0 and 1")
    huge = deepcopy(right)
    huge["segments"] = huge["segments"][:1]
    huge["segments"][0]["length"] = 2**32 - 64
    huge["views"] = [["w", 0, 0, [2**30 - 16]]]
    wide = deepcopy(right)
    wide["segments"] = [
        {**right["segments"][0], "group": f"g{i}", "offset": i * 2**32, "length": 2**32 - 64} for i in range(1000)
    ]
    wide["views"] = [["w", i, i * 2**32, [2**30 - 16]] for i in range(1000)]
    for name, content, declared in (
        ("payloads missing", assemble(right, ()), 578),
        ("last payload missing", assemble(right, PAYLOADS[:2]), 578),
        ("payload of 4 GiB that is not there", assemble(huge, PAYLOADS[:1]), 4294967488),
        ("4 TiB that are not there", assemble(wide, PAYLOADS[:1]), 4294967411584),
    ):
        message = f"the file has {len(content)} bytes; its header declares {declared} bytes"
        yield Hostile(65, name, content, Truncated, message)


# What is refused when a network is made of it


def model() -> dict[str, Any]:
    """The header of a small right model: a linear layer and a softmax."""
    layers = [{"type": "linear", "out_features": 2}, "softmax"]
    network = {"input": [3], "layers": layers, "outputs": None, "dtype": "float32"}
    payload = PAYLOADS[0]
    digest = sha256(sha256(payload).digest()).digest()
    return {
        "modnet": 1,
        "features": [],
        "made_by": {"modnet-core": "0.1.0"},
        "needs": [needs("modnet-core", "0.1.0", "linear", "repeat", "dropout", activation="softmax")],
        "spec": {"network": network},
        "schema": None,
        "history": {},
        "metrics": {},
        "metadata": {},
        "segments": [{"group": "parameters", "dtype": "float32", "offset": 0, "length": 32, "sha256": digest}],
        "views": [["linear_1.weight", 0, 0, [3, 2]], ["linear_1.bias", 0, 24, [2]]],
    }


def needs(distribution: str, version: str, *layers: str, number: int = 1, **others: str) -> dict[str, Any]:
    """A row of `needs`: layers, and `kind=type`."""
    found = [("layer", name) for name in layers] + [*others.items()]
    rows = [{"kind": kind, "type": name, "version": number} for kind, name in found]
    return {"distribution": distribution, "version": version, "components": rows}


def models() -> Iterator[Hostile]:
    """To be loaded where no plugin is installed."""
    for number, name, error, message, change in (*_arrays(), *_components(), *_names(), *_specs(), *_words()):
        header = model()
        change(header)
        payload = PAYLOADS[0]
        if isinstance(header["segments"], list) and header["segments"][0]["dtype"] != "float32":
            payload = struct.pack("<8d", *range(8))
            header["segments"][0].update(length=64, sha256=sha256(sha256(payload).digest()).digest())
        yield Hostile(number, name, assemble(header, (payload,)), error, message)


Kind = tuple[int, str, type[Exception], str, Change]
DIFFER = "the arrays of the file do not match the network\n"


def _network(**changes: Any) -> Change:
    return lambda header: header["spec"]["network"].update(changes)


def _layers(*layers: Any) -> Change:
    return _network(layers=list(layers))


def _arrays() -> Iterator[Kind]:
    def view(number: int, row: list[Any]) -> Change:
        return lambda header: header["views"].__setitem__(number, row)

    other = ["linear_2.bias", 0, 24, [2]]
    message = f"{DIFFER}  missing: linear_1.bias\n  unexpected: linear_2.bias"
    yield 66, "another name", ParameterMismatch, message, view(1, other)
    message = f"{DIFFER}  mismatched: linear_1.weight: found (2, 3) float32, expected (3, 2) float32"
    yield 66, "another shape", ParameterMismatch, message, view(0, ["linear_1.weight", 0, 0, [2, 3]])
    rows = [["linear_1.bias", 0, 0, [2]], ["linear_1.weight", 0, 8, [3, 2]]]
    message = "parameters: the arrays are not in the order that the network has"
    yield 66, "another order", MalformedFile, message, lambda header: header.update(views=rows)
    message = (
        f"{DIFFER}  mismatched: linear_1.weight: found (3, 2) float64, expected (3, 2) float32\n"
        "  mismatched: linear_1.bias: found (2,) float64, expected (2,) float32"
    )

    def doubled(header: dict[str, Any]) -> None:
        header["segments"][0]["dtype"] = "float64"
        header["views"] = [["linear_1.weight", 0, 0, [3, 2]], ["linear_1.bias", 0, 48, [2]]]

    yield 66, "another dtype", ParameterMismatch, message, doubled
    message = f"{DIFFER}  missing: linear_1.weight\n  missing: linear_1.bias"
    yield 66, "another group", ParameterMismatch, message, lambda h: h["segments"][0].update(group="weights")
    message = (
        f"{DIFFER}  mismatched: linear_1.weight: found (3, 2) float32, expected (3, 1000000000000) float32\n"
        "  mismatched: linear_1.bias: found (2,) float32, expected (1000000000000,) float32"
    )
    yield 71, "of 12 TB", ParameterMismatch, message, _layers({"type": "linear", "out_features": 10**12}, "softmax")
    what = "the shape of its output has 2^62 numbers or more; expected at most 2^60"
    message = f"header.spec: network.layers[0] (linear): {what}"
    yield 71, "of 2^66 bytes", MalformedFile, message, _layers({"type": "linear", "out_features": 2**62}, "softmax")


def _components() -> Iterator[Kind]:
    message = "header.features: needs a newer modnet-core: it uses sparse"
    yield 67, "one", NewerFormat, message, partial(_set, "features", ["sparse"])
    message = "header.features: expected a list of text, found "
    for value, shown in (("sparse", '"sparse"'), ([1], "[1]"), ({"sparse": 1}, "a table")):
        yield 67, f"features: {value!r}", MalformedFile, message + shown, partial(_set, "features", value)
    wave = 'this model needs layer "{}" of modnet-wave 2.1.0, which is not installed:  pip install modnet-wave==2.1.0'

    def from_wave(name: str) -> Change:
        def change(header: dict[str, Any]) -> None:
            header["needs"] = [needs("modnet-wave", "2.1.0", name), needs("modnet-core", "0.1.0", activation="softmax")]
            header["spec"]["network"]["layers"][0] = {"type": name}

        return change

    yield 68, "a plugin's layer", NotInstalled, wave.format("haar"), from_wave("haar")
    yield 69, "the core's layer, said to be a plugin's", NotInstalled, wave.format("linear"), from_wave("linear")
    message = 'header.spec: network.layers[0].type: layer "embedding" is not listed in the file\'s needs'
    yield 69, "not listed at all", MalformedFile, message, _layers({"type": "embedding"})
    message = 'header.spec: network.layers[0].type: layer "linear@modnet-core" is not listed in the file\'s needs'
    yield 69, "by another name", MalformedFile, message, _layers({"type": "linear@modnet-core"})
    for name in ("os.system", "builtins:eval", "../../plugin.py"):
        message = f'header.spec: network.layers[0]: layer "{name}" is not listed in the file\'s needs'
        yield 69, f"a module: {name}", MalformedFile, message, _layers(name)
        message = f'this model needs layer "{name}" of modnet-core 9.0; this is modnet-core {modnet.__version__}:  '
        listed = [needs("modnet-core", "9.0", name)]
        yield (
            *(69, f"a module, listed: {name}", NotInstalled, f"{message}pip install modnet-core==9.0"),
            lambda h, name=name, listed=listed: h.update(
                needs=listed, spec={"network": {"input": [3], "layers": [name]}}
            ),
        )
    message = (
        'this model needs version 2 of layer "linear", which is in modnet-core 9.0; version 1 is installed:  '
        "pip install 'modnet-core>=9.0'"
    )
    newer = [needs("modnet-core", "9.0", "linear", number=2, activation="softmax")]
    yield 70, "the core's layer", NotInstalled, message, partial(_set, "needs", newer)
    component = "header.needs[0].components[0]"
    number = f"{component}.version: expected a whole number >= 1, found"
    distribution = "header.needs[0].distribution: expected the distribution of a Python package, found"
    version = "header.needs[0].version: expected the version of a Python package, found"
    row = "header.needs[0]: expected a map of distribution, version and components, found"
    for name, message, value in (
        ("no list", "header.needs: expected a list, found 7", 7),
        ("no rows", f'{row} "modnet-core"', ["modnet-core"]),
        ("no components", "header.needs[0].components: expected a list, found nothing", [_without("components")]),
        ("no component's version", f"{number} nothing", [_with_component({"kind": "layer", "type": "linear"})]),
        (
            "no component's type",
            f"{component}.type: expected text, found nothing",
            [_with_component({"kind": "layer"})],
        ),
        (
            "a component that is text",
            f'{component}: expected a map of kind, type and version, found "x"',
            [_with_component("x")],
        ),
        ("version 0", f"{number} 0", [needs("modnet-core", "0.1.0", "linear", number=0)]),
        ("version true", f"{number} true", [needs("modnet-core", "0.1.0", "linear", number=True)]),
        ("listed twice", 'header.needs: the layer "linear" is listed twice', [newer[0], newer[0]]),
        ("a callback", f"header.needs: {CALLBACK}", [_with_component({"kind": "callback", "type": "x", "version": 1})]),
        (
            "a command in the distribution",
            f'{distribution} "modnet-core; reboot"',
            [needs("modnet-core; reboot", "1", "linear")],
        ),
        ("a command in the version", f'{version} "1; reboot"', [needs("modnet-core", "1; reboot", "linear")]),
        ("an option as distribution", f'{distribution} "--index-url=http"', [needs("--index-url=http", "1", "linear")]),
        ("a distribution of 100 kB", f'{distribution} "{"x" * 57}..."', [needs("x" * 100_000, "1", "linear")]),
        ("a version of 100 kB", f'{version} "{"1" * 57}..."', [needs("modnet-core", "1" * 100_000, "linear")]),
    ):
        yield 88, f"needs: {name}", MalformedFile, message, partial(_set, "needs", value)


CALLBACK = "a callback is listed; callbacks are not allowed in a model file"


def _without(key: str) -> dict[str, Any]:
    row = needs("modnet-core", "0.1.0", "linear")
    del row[key]
    return row


def _with_component(component: Any) -> dict[str, Any]:
    return {**needs("modnet-core", "0.1.0", "linear"), "components": [component]}


def _names() -> Iterator[Kind]:
    """Names of nodes that are not those of the spec."""
    place = "header.spec.nodes"
    differ = f"{place}: the names of the nodes do not match header.spec.network"
    many = f"{place}: expected a list of the names of 2 nodes, found"
    for name, message, value in (
        ("others", differ, [["linear_2"], ["softmax_1"]]),
        ("in another order", differ, [["softmax_1"], ["linear_1"]]),
        ("too few", f"{many} a list of 1", [["linear_1"]]),
        ("no list", f"{many} 7", 7),
        ("no names", f"{place}[0]: expected a list of text, found 7", [7, ["softmax_1"]]),
        ("a number", f"{place}[0]: expected a list of text, found [7]", [[7], ["softmax_1"]]),
        ("none of a node", f"{place}[0]: expected the name of the node, found []", [[], ["softmax_1"]]),
        (
            "of an activation that is not there",
            f'{place}[1]: expected the name of the node, found ["a", "b"]',
            [["c"], ["a", "b"]],
        ),
        ("twice", f'{place}[1]: the name "linear_1" occurs twice', [["linear_1"], ["linear_1"]]),
    ):
        yield (
            88,
            f"nodes: {name}",
            MalformedFile,
            message,
            lambda header, value=value: header["spec"].update(nodes=value),
        )


def _specs() -> Iterator[Kind]:
    inner: Any = "softmax"
    for _ in range(20):
        inner = {"type": "repeat", "count": 2, "layers": [inner]}
    message = "header.spec: network.layers: there are more nodes than the limit of 10,00..."
    yield 72, "2^20 nodes", MalformedFile, message, _layers({"type": "linear", "out_features": 2}, inner)
    inner = {"type": "repeat", "count": 10_000, "layers": ["softmax", "softmax"]}
    yield 72, "20,000 nodes in one", MalformedFile, message, _layers({"type": "linear", "out_features": 2}, inner)
    for value in (float("nan"), float("inf"), -float("inf")):
        message = f"header.spec: network.layers[0].rate: expected a number >= 0 and < 1, found {value}"
        yield 40, f"a rate of {value}", MalformedFile, message, _layers({"type": "dropout", "rate": value})
    for name, value in (("none", None), ("a list", []), ("no network", {"training": {}}), ("a text", {"network": "x"})):
        yield (
            88,
            f"header.spec: {name}",
            MalformedFile,
            "header.spec: there is no network in it",
            partial(_set, "spec", value),
        )
    message = "header.spec: network: layers is empty; expected at least one"
    yield 88, "no layers", MalformedFile, message, _layers()
    message = 'header.spec: network.layers[0]: missing key "out_features" (a whole number >= 1)'
    yield 88, "a missing option", MalformedFile, message, _layers("linear")
    message = "header.spec: network.layers[0].out_features: expected a whole number >= 1, found -2"
    yield 88, "a negative size", MalformedFile, message, _layers({"type": "linear", "out_features": -2})
    message = 'header.spec: network.dtype: expected one of "float32", "float64", found "O"'
    yield 88, "another dtype", MalformedFile, message, _network(dtype="O")
    for key in ("made_by", "history", "metrics", "results", "metadata", "data", "training"):
        yield 88, f"{key}: a list", MalformedFile, f"header.{key}: expected a map, found [1]", partial(_set, key, [1])
    message = "header.schema: malformed data schema: data.columns: unknown key; expected one of: inputs, targets, ..."
    yield 88, "a schema that is none", MalformedFile, message, partial(_set, "schema", {"columns": 7})
    message = (
        'header.schema: input "input" expects samples of shape (3,), but its columns give (1,): 1 single number; '
        "set input = [1] or choose other columns"
    )
    yield 88, "a schema of other columns", MalformedFile, message, partial(_set, "schema", schema("input", "x"))
    for what, message, target in _intervals():
        message = f"header.schema: malformed data schema: data.targets.output[0]{message}"
        of_target = {**schema("input", "x"), "targets": {"output": [{"name": "y", "kind": "number", **target}]}}
        yield 88, what, MalformedFile, message, partial(_set, "schema", of_target)


def _intervals() -> Iterator[tuple[str, str, dict[str, Any]]]:
    interval = {"coverage": 0.9, "rows": 10}
    both = ": expected either margin, of a number, or threshold, of classes"
    yield "an interval of nothing", f".interval{both}", {"interval": interval}
    yield (
        "a share beyond 1",
        ".interval.coverage: expected a number > 0 and < 1, found 2.0",
        {"interval": {**interval, "coverage": 2.0, "margin": 1.0}},
    )
    yield (
        "a margin without end",
        ".interval.margin: expected a number, found inf",
        {"interval": {**interval, "margin": math.inf}},
    )
    message = ": an interval is of a number, with a margin, or of a category, with a threshold"
    yield "a number with a threshold", message, {"interval": {**interval, "threshold": 0.5}}
    message = ": expected quantiles if kind is number, at least two, which differ, or none"
    yield "one quantile", message, {"quantiles": [0.5]}
    message = (
        ": lowest and highest: expected two numbers, or two dates, of which the first is not greater; found 2.0 and 1.0"
    )
    yield "a range upside down", message, {"lowest": 2.0, "highest": 1.0}
    message = message.replace("found 2.0 and 1.0", 'found "a" and "b"')
    yield "a range of words", message, {"lowest": "a", "highest": "b"}


def schema(name: str, column: str) -> dict[str, Any]:
    """A schema of one input with one column of numbers."""
    row = {"name": column, "kind": "number", "categories": [], "encoding": "one_hot", "missing": "error"}
    return {"inputs": {name: [row]}, "targets": {}, "missing_values": [""]}


CURSOR = "\x1b[2J\x1b]0;title\x07\r\n\u202e"
SEEN = r"\x1b[2J\x1b]0;title\x07\r\n\u202e"


def _words() -> Iterator[Kind]:
    """Names and values that would move a terminal, or fill it."""

    def linear(**options: Any) -> Change:
        return _layers({"type": "linear", "out_features": 2, **options})

    node = "header.spec: network.layers[0]"
    unlisted = "is not listed in the file's needs"
    options = "unknown key; expected one of: out_features, bias, ..."
    size = "out_features: expected a whole number >= 1, found"
    column = f'the data have columns for the input "{SEEN}", but the network has no such input'
    for name, message, change in (
        ("a type", f'{node}: layer "{SEEN}" {unlisted}', _layers(CURSOR)),
        ("a type of 100 kB", f'{node}: layer "{"x" * 57}..." {unlisted}', _layers("x" * 100_000)),
        ("an option", f'{node}."{SEEN}": {options}', linear(**{CURSOR: 1})),
        ("an option of 100 kB", f'{node}."{"x" * 57}...": {options}', linear(**{"x" * 100_000: 1})),
        ("20,000 options", f'{node}."{SEEN}0": {options}', linear(**{f"{CURSOR}{i}": 1 for i in range(20_000)})),
        ("a value", f'{node}.{size} "{SEEN}"', linear(out_features=CURSOR)),
        ("a table", f'{node}.{size} a table with type = "{SEEN}"', linear(out_features={"type": CURSOR})),
        (
            "a node's name",
            f'{node}.name: a name consists of letters, digits, _ and -; found "{SEEN}"',
            linear(name=CURSOR),
        ),
        ("a node's inputs", f'{node}.inputs[0]: no earlier node is called "{SEEN}"', linear(inputs=[CURSOR])),
        (
            "20,000 inputs of a node",
            f'{node}.inputs[0]: no earlier node is called "{SEEN}0"...',
            linear(inputs=[f"{CURSOR}{i}" for i in range(20_000)]),
        ),
        (
            "20,000 inputs that are nearly there",
            f'{node}.inputs[0]: no earlier node is called "inputs"; did you mean "input"?...',
            linear(inputs=["inputs"] * 20_000),
        ),
        ("an output", f'header.spec: network.outputs[0]: no node is called "{SEEN}"', _network(outputs=[CURSOR])),
        (
            "an input",
            f'header.spec: network: input "{SEEN}": a name consists of letters, digits, _ and -',
            _network(input={CURSOR: [3]}),
        ),
        ("20,000 nodes of an unknown type", f'{node}: layer "{SEEN}" {unlisted}...', _layers(*[CURSOR] * 20_000)),
        ("a column", f"header.schema: {column}", partial(_set, "schema", schema(CURSOR, CURSOR))),
        ("a figure", f'header.history: expected a map, found "{SEEN}"', partial(_set, "history", CURSOR)),
    ):
        yield 87, name, MalformedFile, message, change
    message = f"header.features: needs a newer modnet-core: it uses {', '.join([SEEN] * 20)}, 980 more"
    yield 87, "1,000 features", NewerFormat, message, partial(_set, "features", [CURSOR] * 1000)
    message = f'this model needs layer "{SEEN}" of modnet-wave 1, which is not installed:  pip install modnet-wave==1'
    listed = {"needs": [needs("modnet-wave", "1", CURSOR)], "spec": {"network": {"input": [3], "layers": [CURSOR]}}}
    yield 87, "the listed type of a plugin", NotInstalled, message, lambda header: header.update(listed)
    message = f"{DIFFER}  missing: linear_1.bias\n  unexpected: {SEEN}"
    rows = [["linear_1.weight", 0, 0, [3, 2]], [CURSOR, 0, 24, [2]]]
    yield 87, "an array", ParameterMismatch, message, lambda header: header.update(views=rows)
    lines = [f"  unexpected: {text}" for text in (*(f"{SEEN}{number}" for number in range(20)), "19,980 more")]
    empty = [[f"{CURSOR}{number}", 0, 32, [0]] for number in range(20_000)]
    change = lambda header: header["views"].extend(empty)  # noqa: E731
    yield 87, "20,000 arrays", ParameterMismatch, DIFFER + "\n".join(lines), change


# What is no file that could be read


def places() -> Iterator[Place]:
    for number, name, make, error, message in (
        (73, "a folder", lambda folder: folder, NotAModelFile, "{path}: this is a folder"),
        (74, "a pipe", _pipe, NotAModelFile, "{path}: this is a named pipe"),
        (75, "a socket", _socket, NotAModelFile, "{path}: this is a socket"),
        (75, "/dev/zero", partial(_there, "/dev/zero"), NotAModelFile, "{path}: this is a device"),
        (75, "/dev/null", partial(_there, "/dev/null"), NotAModelFile, "{path}: this is a device"),
        (76, "a link to a folder", partial(_link, "."), NotAModelFile, "{path}: this is a folder"),
        (76, "a link to a device", partial(_link, "/dev/zero"), NotAModelFile, "{path}: this is a device"),
        (77, "nothing", lambda folder: folder / "nothing", FileNotFoundError, "No such file or directory"),
        (77, "a link to nothing", partial(_link, "nothing"), FileNotFoundError, "No such file or directory"),
        (77, "a link to itself", partial(_link, "link"), OSError, "Too many levels of symbolic links"),
        (78, "text of a process", partial(_there, "/proc/self/status"), NotAModelFile, "{path}: the file is empty"),
        (78, "of the system", partial(_there, "/proc/version"), NotAModelFile, "{path}: the file is empty"),
        (79, "a file", _forbidden_file, PermissionError, "Permission denied"),
        (79, "a folder's file", _file_in_forbidden_folder, PermissionError, "Permission denied"),
    ):
        yield Place(number, name, make, error, message)


def _there(path: str, folder: Path) -> Path | None:
    return Path(path) if os.path.exists(path) else None


def _link(target: str, folder: Path) -> Path:
    (folder / "link").symlink_to(target)
    return folder / "link"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(folder / "socket"))
    return folder / "socket"


def _forbidden_file(folder: Path) -> Path:
    (folder / "model.modnet").write_bytes(small())
    (folder / "model.modnet").chmod(0)
    return folder / "model.modnet"


def _file_in_forbidden_folder(folder: Path) -> Path:
    (folder / "inner").mkdir()
    (folder / "inner" / "model.modnet").write_bytes(small())
    (folder / "inner").chmod(0)
    return folder / "inner" / "model.modnet"


# The table


def table() -> Iterator[str]:
    """All of them in Markdown: kind, file, class of the error, message."""
    yield "| | kind | file | error | message |"
    yield "|---|---|---|---|---|"
    rows: list[Hostile | Place] = [*files(), *models(), *places()]
    for number, kind in KINDS.items():
        found = [row for row in rows if row.number == number]
        for row in found:
            yield _row(number, kind, row.name, row.error.__name__, row.message.replace("{path}: ", ""))
        if not found:
            yield _row(number, kind, f"tests/model/{ELSEWHERE[number]}", "", "")


def _row(number: int, *cells: str) -> str:
    shown = [" ".join(cell.replace("|", "\\|").split()) for cell in cells]
    return f"| {number} | {' | '.join(cell if len(cell) <= 200 else f'{cell[:197]}...' for cell in shown)} |"


if __name__ == "__main__":
    print("\n".join(table()))
