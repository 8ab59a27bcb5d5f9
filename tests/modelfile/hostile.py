"""Makes model files byte by byte, right ones and wrong ones, without the writer of the library."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from modnet.errors import ChecksumMismatch, MalformedFile, ModelFileError, NewerFormat, NotAModelFile, Truncated

PAYLOADS = (struct.pack("<8f", *range(8)), struct.pack("<3d", 0.5, -1.0, 2.0), b"\x01\x00")

# Where msgpack has no compiled code, it compares a length with a limit before it looks for the bytes.
BEYOND_THE_END = MalformedFile if msgpack.Unpacker.__module__ == "msgpack.fallback" else Truncated


class Hostile(NamedTuple):
    name: str
    content: bytes
    error: type[ModelFileError]


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


def files() -> Iterator[Hostile]:
    yield from _bytes()
    for name, raw, error in _raw_headers():
        yield Hostile(f"header: {name}", assemble(raw), error)
    for name, change in _changes():
        changed = document()
        change(changed)
        yield Hostile(name, assemble(changed), MalformedFile)
    yield from _payloads()


def _bytes() -> Iterator[Hostile]:
    right = assemble(document())
    header = msgpack.packb(document())
    yield Hostile("empty", b"", NotAModelFile)
    yield Hostile("one byte of a map", b"\x84", Truncated)
    yield Hostile("one other byte", b"a", NotAModelFile)
    yield Hostile("all nil", b"\xc0" * 512, NotAModelFile)
    yield Hostile("all zero", bytes(512), NotAModelFile)
    yield Hostile("trailing byte", right + b"\x00", MalformedFile)
    yield Hostile("trailing nil", right + b"\xc0", MalformedFile)
    yield Hostile("trailing zip", right + b"PK\x05\x06" + bytes(18), MalformedFile)
    yield Hostile("header alone", header, Truncated)
    yield Hostile(
        "digest of another header", header + b"\xc4\x20" + bytes(32) + right[len(header) + 34 :], ChecksumMismatch
    )
    yield Hostile("digest short", header + b"\xc4\x1f" + right[len(header) + 2 :], MalformedFile)
    yield Hostile("digest is text", header + b"\xd9\x20" + right[len(header) + 2 :], MalformedFile)
    end = len(header) + 34
    start = (end + 5 + 63) // 64 * 64
    for name, at, byte in (
        ("padding is zero", end, 0x00),
        ("padding is an integer", start - 6, 0x01),
        ("payload is bin16", start - 5, 0xC5),
        ("payload is text", start - 5, 0xDB),
        ("payload claims more", start - 1, 0x21),
        ("payload claims 4 GiB", start - 4, 0xFF),
    ):
        yield Hostile(name, right[:at] + bytes([byte]) + right[at + 1 :], MalformedFile)


def _raw_headers() -> Iterator[tuple[str, bytes, type[ModelFileError]]]:
    right = msgpack.packb(document())
    body = right[9:]  # behind map, "modnet", 1

    def more(pairs: bytes) -> bytes:
        return b"\x85\xa6modnet\x01" + body + pairs

    yield "not a map", msgpack.packb([1, 2, 3]), NotAModelFile
    yield "another first key", msgpack.packb({"spec": {}, **document()}), NotAModelFile
    yield "map16", b"\xde\x00\x04" + right[1:], NotAModelFile
    for name, version in (("zero", b"\x00"), ("text", b"\xa11"), ("true", b"\xc3"), ("a float", msgpack.packb(1.0))):
        yield f"version is {name}", b"\x84\xa6modnet" + version + body, MalformedFile
    yield "version is a long one", b"\x84\xa6modnet\xcc\x01" + body, MalformedFile
    yield "version is two", b"\x84\xa6modnet\x02" + body, NewerFormat
    yield "version is 127 and the rest is new", b"\x8f\xa6modnet\x7f\xc1\xc1", NewerFormat
    yield "version twice", more(b"\xa6modnet\x01"), MalformedFile
    yield "key twice", more(b"\xa4spec\x80"), MalformedFile
    yield "key twice, deep", more(b"\xa1a\x91\x82\xa1b\x01\xa1b\x02"), MalformedFile
    for name, key in (("int", b"\x01"), ("bin", b"\xc4\x01a"), ("nil", b"\xc0"), ("list", b"\x90"), ("map", b"\x80")):
        yield f"{name} as key", more(key + b"\x01"), MalformedFile
        yield f"{name} as key, deep", more(b"\xa1a\x81" + key + b"\x01"), MalformedFile
    for name, value in (
        ("bin", b"\xc4\x01a"),
        ("ext", b"\xd4\x05\x00"),
        ("timestamp", b"\xd6\xff\x00\x00\x00\x01"),
        ("bad timestamp", b"\xc7\x03\xff\x00\x00\x00"),
        ("bad timestamp of 12 bytes", b"\xc7\x0c\xff" + b"\xff" * 12),
        ("bad UTF-8", b"\xa1\xff"),
        ("a surrogate", b"\xa3\xed\xa0\x80"),
        ("ext of 2**32 - 1, where msgpack's own count wraps", b"\xc9\xff\xff\xff\xff"),
        ("the same and its type", b"\xc9\xff\xff\xff\xff\x05"),
        ("C1", b"\xc1"),
        ("65 lists", b"\x91" * 64 + b"\x90"),
        ("1,000 lists", b"\x91" * 999 + b"\x90"),
        ("100,000 lists", b"\x91" * 99_999 + b"\x90"),
        ("100,000 maps", b"\x81\xa1a" * 99_999 + b"\x80"),
        ("too many values", b"\xdd" + struct.pack(">I", 500_001) + b"\x00" * 500_001),
        ("too many values, some in each list", (b"\xdc\x27\x10" + b"\x00" * 9_999) * 51 + b"\x00"),
        ("too many pairs", b"\xdf" + struct.pack(">I", 250_000) + b"\xa1a\x00" * 250_000),
        ("a key that moves the cursor, over an ext", b"\x81\xa9\x1b[2J\r\n\x1b[H\xd6\xff\x00\x00\x00\x01"),
        ("long keys, deep, over an ext", (b"\x81\xd9\xff" + b"k" * 255) * 60 + b"\xd6\xff\x00\x00\x00\x01"),
    ):
        yield name, more(b"\xa1a" + value), MalformedFile
    for name, value in (
        ("map of 2**31 items", b"\xdf\x80\x00\x00\x00"),
        ("list of 2**32 - 1 items", b"\xdd\xff\xff\xff\xff"),
        ("bin of 4 GiB", b"\xc6\xff\xff\xff\xff"),
        ("text of 4 GiB", b"\xdb\xff\xff\xff\xff"),
        ("ext of 4 GiB - 2", b"\xc9\xff\xff\xff\xfe\x05"),
        ("1,000 lists of 16 M items", b"\xdd\x01\x00\x00\x00" * 1000),
    ):
        yield name, more(b"\xa1a" + value), BEYOND_THE_END


def _changes() -> Iterator[tuple[str, Callable[[dict[str, Any]], None]]]:
    def segment(key: str, value: Any, number: int = 0) -> Callable[[dict[str, Any]], None]:
        return lambda header: header["segments"][number].__setitem__(key, value)

    def view(column: int, value: Any, number: int = 1) -> Callable[[dict[str, Any]], None]:
        return lambda header: header["views"][number].__setitem__(column, value)

    for key in ("segments", "views"):
        yield f"no {key}", lambda header, key=key: header.pop(key)
        for value in (None, 1, "x", {}, [None], [[]], [{}]):
            yield f"{key}: {value!r}", lambda header, key=key, value=value: header.__setitem__(key, value)
    for key in ("group", "dtype", "offset", "length", "sha256"):
        yield f"segment without {key}", lambda header, key=key: header["segments"][0].pop(key)
    yield "segment with more", segment("file", "/etc/passwd")
    for value in (None, 0, "", "x" * 513, "é" * 257, b"parameters", ["parameters"]):
        yield f"group: {value!r:.20}", segment("group", value)
    yield "group twice", segment("group", "parameters", 2)
    yield "group with two dtypes", segment("group", "parameters", 1)
    yield "1,025 segments", lambda header: header.update(segments=header["segments"] * 342)
    for value in (
        *("O", "|O", "object", "|V8", "f4, i4", ">f4", "<f4", "f4", "float", "Float32", "float128", "complex64", "<U4"),
        *("datetime64[s]", "str", "bool_", "", None, 1, b"float32", [["a", "f4"]], {"names": []}),
    ):
        yield f"dtype: {value!r}", segment("dtype", value)
    for value in (-64, 1, 32, 64, 0.0, False, None, "0", 2**63, 2**64 - 1, -(2**63)):
        yield f"segment offset: {value!r}", segment("offset", value)
    for value in (-32, 31, 28, 36, 32.0, "32", True, None, 2**32 - 1, 2**32, 2**63, 2**64 - 1):
        yield f"segment length: {value!r}", segment("length", value)
    for value in (None, "x" * 32, bytes(31), bytes(33), b"", [0] * 32, 0):
        yield f"sha256: {value!r}", segment("sha256", value)
    for value in (
        *([-2], [2.0], [True, 2], ["2"], [None], [[2]], [2**64 - 1], [{}], [b"2"], 2, None, "2", {}, b"2"),
        *([1] * 33, [3], [1], [], [0], [2**63, 2], [2**62, 2**62, 2**62], [2**32, 2**32], [2**63 - 1] * 32),
        *([2**61, 4, 2**61, 2], [2**62 + 1, 4]),
    ):
        yield f"shape: {value!r:.60}", view(3, value)
    yield "empty, too big for numpy", view(3, [0, 2**62], 2)
    for value in (0, 16, 20, 25, 28, 32, -8, 24.0, "24", None, True, 2**63 - 4, 2**64 - 4, -(2**63)):
        yield f"view offset: {value!r}", view(2, value)
    for value in (-1, 1, 2, 3, 7, 0.0, False, None, "0", 2**63):
        yield f"view segment: {value!r}", view(1, value)
    for value in ("linear.weight", "", "x" * 100_000, b"linear.bias", 1, None, ["a"]):
        yield f"view name: {value!r:.20}", view(0, value)
    yield "views out of order", lambda header: header["views"].reverse()
    yield "views of one segment out of order", lambda header: header["views"].insert(0, header["views"].pop(1))
    yield "a view missing at the start", lambda header: header["views"].pop(0)
    yield "a view missing in the middle", lambda header: header["views"].pop(3)
    yield "a view missing at the end", lambda header: header["views"].pop()
    yield "a view too many", lambda header: header["views"].append(["x", 2, 130, [1]])
    yield "an empty view in no segment", lambda header: header["views"].append(["x", 3, 192, [0]])
    yield "the same bytes ten times", lambda header: header.update(views=[[f"a{i}", 0, 0, [8]] for i in range(10)])
    yield "a row too long", lambda header: header["views"][0].append(None)
    yield "a row too short", lambda header: header["views"][0].pop()
    yield "timestamp in a row", view(2, msgpack.Timestamp(0))


def _payloads() -> Iterator[Hostile]:
    right = document()
    yield Hostile("payload changed", assemble(right, (bytes(32), *PAYLOADS[1:])), ChecksumMismatch)
    escaped = deepcopy(right)
    escaped["segments"][0]["group"] = "\x1b]0;title\x07\n\u202e" * 20
    yield Hostile(
        "payload changed of a group whose name moves the cursor",
        assemble(escaped, (bytes(32), *PAYLOADS[1:])),
        ChecksumMismatch,
    )
    swapped = deepcopy(right)
    swapped["segments"][0]["sha256"], swapped["segments"][1]["sha256"] = (
        right["segments"][1]["sha256"],
        right["segments"][0]["sha256"],
    )
    yield Hostile("digests swapped", assemble(swapped), ChecksumMismatch)
    bools = deepcopy(right)
    bools["segments"][2]["sha256"] = sha256(sha256(b"\x01\x02").digest()).digest()
    yield Hostile("bool of 2", assemble(bools, (*PAYLOADS[:2], b"\x01\x02")), MalformedFile)
    yield Hostile("payloads missing", assemble(right, ()), Truncated)
    yield Hostile("last payload missing", assemble(right, PAYLOADS[:2]), Truncated)
    huge = deepcopy(right)
    huge["segments"] = huge["segments"][:1]
    huge["segments"][0]["length"] = 2**32 - 64
    huge["views"] = [["w", 0, 0, [2**30 - 16]]]
    yield Hostile("payload of 4 GiB that is not there", assemble(huge, PAYLOADS[:1]), Truncated)
    wide = deepcopy(right)
    wide["segments"] = [
        {**right["segments"][0], "group": f"g{i}", "offset": i * 2**32, "length": 2**32 - 64} for i in range(1000)
    ]
    wide["views"] = [["w", i, i * 2**32, [2**30 - 16]] for i in range(1000)]
    yield Hostile("4 TiB that are not there", assemble(wide, PAYLOADS[:1]), Truncated)
