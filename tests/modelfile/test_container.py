"""The rules that reader and writer share."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from modnet.modelfile import container
from modnet.modelfile.container import Fault


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


def test_check_plain_counts_lists_and_maps():
    assert container.check_plain({}) == 1
    assert container.check_plain({"a": [[], {}, (1, [2.0])], "b": None, "c": "é"}) == 6


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


def test_item_limit(monkeypatch):
    monkeypatch.setattr(container, "ITEM_LIMIT", 3)
    container.check_plain({"a": [1, 2, 3]})
    with pytest.raises(Fault) as caught:
        container.check_plain({"a": {"b": [1, 2, 3, 4]}})
    assert caught.value.where == "header.a.b"


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
    with pytest.raises(Fault, match="too big"):
        container.array_length([0, 2**62], np.dtype("f4"))
