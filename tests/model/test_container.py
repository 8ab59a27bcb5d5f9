"""The rules that reader and writer share."""

from __future__ import annotations

import threading
from hashlib import sha256

import numpy as np
import pytest

from modnet.model import container
from modnet.model.container import Fault


@pytest.mark.parametrize(("end", "start"), [(0, 64), (59, 64), (60, 128), (64, 128), (123, 128), (124, 192)])
def test_a_payload_starts_at_the_next_multiple_of_64_that_leaves_room_for_its_frame(end, start):
    assert container.next_payload(end) == start


@pytest.mark.parametrize("end", range(64))
def test_the_frame_fills_the_gap_exactly(end):
    frame = container.frame(end, 258)
    assert end + len(frame) == container.next_payload(end)
    assert frame.strip(b"\xc0") == b"\xc6\x00\x00\x01\x02"


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 20, 25, 100])
def test_digest_is_that_of_the_digests_of_the_chunks(length, monkeypatch):
    monkeypatch.setattr(container, "CHUNK_LENGTH", 10)  # the longer ones are hashed in threads
    payload = bytes(range(length))
    expected = sha256(b"".join(sha256(payload[i : i + 10]).digest() for i in range(0, length, 10))).digest()
    assert container.digest(container.chunks(memoryview(payload)), length) == expected


def test_dtypes_are_little_endian_and_found_under_their_own_names():
    assert all(dtype.name == name and dtype == dtype.newbyteorder("<") for name, dtype in container.DTYPES.items())


def test_depth_limit():
    def nested(depth):
        value = []
        for _ in range(depth - 2):
            value = [value]
        return {"a": value}

    container.check_plain(nested(64))
    with pytest.raises(Fault, match="nested more than 64 deep"):
        container.check_plain(nested(65))


def test_a_header_that_holds_itself_is_too_deep():
    header = {}
    header["a"] = [header]
    with pytest.raises(Fault, match="deep"):
        container.check_plain(header)


def with_length(first, width, before=b""):
    """An object that claims 200 bytes in a field of that width, and has them; each looks like a list."""
    return bytes([first]) + (200).to_bytes(width, "big") + before + b"\x91" * 200


ONE_VALUE = [
    *(bytes([byte]) for byte in (0x00, 0x7F, 0x80, 0x90, 0xA0, 0xC0, 0xC2, 0xC3, 0xE0, 0xFF)),
    *(bytes([0xA0 + n]) + b"\x91" * n for n in (1, 31)),
    *(with_length(0xC4 + n, 2**n) for n in range(3)),  # bin
    *(with_length(0xC7 + n, 2**n, b"\x05") for n in range(3)),  # ext
    *(with_length(0xD9 + n, 2**n) for n in range(3)),  # str
    *(bytes([0xCA + n]) + b"\x91" * 4 * (n + 1) for n in range(2)),  # float
    *(bytes([first + n]) + b"\x91" * 2**n for first in (0xCC, 0xD0) for n in range(4)),  # uint, int
    *(bytes([0xD4 + n]) + b"\x05" + b"\x91" * 2**n for n in range(5)),  # fixext
    *(bytes([0xDC + n]) + bytes(2 * (n % 2 + 1)) for n in range(4)),  # empty lists and maps
]


@pytest.mark.parametrize("value", ONE_VALUE, ids=lambda value: f"{value[0]:02x}")
@pytest.mark.parametrize(
    ("prefix", "number"),
    [
        (b"", 1),
        (b"\x93", 3),
        (b"\xdc\x00\x03", 3),
        (b"\xdd\x00\x00\x00\x03", 3),
        (b"\x82", 4),
        (b"\xde\x00\x02", 4),
        (b"\xdf\x00\x00\x00\x02", 4),
        (b"\x91\x81", 2),
    ],
    ids=lambda value: value.hex() if type(value) is bytes else str(value),
)
def test_values_are_counted(value, prefix, number, monkeypatch):
    header = prefix + value * number
    before = {b"": 0, b"\x91\x81": 2}.get(prefix, 1)
    monkeypatch.setattr(container, "VALUE_LIMIT", before + number)
    container.check_count(header)
    monkeypatch.setattr(container, "VALUE_LIMIT", before + number - 1)
    with pytest.raises(Fault, match=f"more than {before + number - 1} values"):
        container.check_count(header)


def test_every_first_byte_but_one_is_counted():
    assert {value[0] for value in ONE_VALUE} >= {*range(0xC0, 0xE0)} - {0xC1}


def test_index():
    segments = [
        {"group": "g", "dtype": "int16", "offset": 0, "length": 14, "sha256": bytes(32)},
        {"group": "g", "dtype": "int16", "offset": 64, "length": 0, "sha256": bytes(32)},
        {"group": "h", "dtype": "bool", "offset": 128, "length": 1, "sha256": bytes(32)},
    ]
    views = [["a", 0, 0, [2, 3]], ["é", 0, 12, []], ["c", 1, 64, [0, 5]], ["a", 2, 128, [1]]]
    found = container.index(segments, views, 192)
    assert [[(view.name, view.group, view.shape, view.offset) for view in segment.views] for segment in found] == [
        [("a", "g", (2, 3), 192), ("é", "g", (), 204)],
        [("c", "g", (0, 5), 256)],
        [("a", "h", (1,), 320)],
    ]


def test_pieces_are_not_produced_faster_than_they_are_hashed(monkeypatch):
    produced = hashed = 0

    def leaf(piece):
        nonlocal hashed
        hashed += 1
        return sha256(piece).digest()

    def pieces():
        nonlocal produced
        for number in range(100):
            assert produced - hashed <= container._HASHED_AHEAD + 1
            produced += 1
            yield memoryview(bytes([number]))

    monkeypatch.setattr(container, "_leaf", leaf)
    monkeypatch.setattr(container, "CHUNK_LENGTH", 1)
    expected = sha256(b"".join(sha256(bytes([number])).digest() for number in range(100))).digest()
    assert container.digest(pieces(), 100) == expected


@pytest.mark.parametrize("available", [0, 1, 2])
def test_where_the_system_gives_no_threads_this_one_hashes(available, monkeypatch):
    start = threading.Thread.start
    left = available

    def limited(thread):
        nonlocal left
        if not left:
            raise RuntimeError("can't start new thread")
        left -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    monkeypatch.setattr(container, "CHUNK_LENGTH", 1)
    monkeypatch.setattr(container, "_HASHING_THREADS", 4)
    # No thread is ever idle, so that each piece asks for another one.
    monkeypatch.setattr(threading.Semaphore, "acquire", lambda *_, **__: False)
    payload = bytes(range(100))
    expected = sha256(b"".join(sha256(payload[i : i + 1]).digest() for i in range(100))).digest()
    assert container.digest(container.chunks(memoryview(payload)), 100) == expected
    assert left == 0


def test_dimension_limit_is_numpys_oldest():
    assert container.array_length([1] * 32, np.dtype("f4")) == 4
    np.zeros([1] * 32)


@pytest.mark.parametrize("shape", [[0, 2**60], [2**60, 0, 1], [0] * 32])
def test_an_empty_array_that_numpy_can_make(shape):
    assert container.array_length(shape, np.dtype("f4")) == 0
    assert np.empty(0, "f4").reshape(shape).size == 0


def test_an_empty_array_that_numpy_cannot_make():
    with pytest.raises(ValueError, match="too big"):
        np.empty((0, 2**62), "f4")
    with pytest.raises(Fault, match="too large"):
        container.array_length([0, 2**62], np.dtype("f4"))
