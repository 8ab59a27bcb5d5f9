"""Every wrong file is refused by the right error, and nothing else ever comes out."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import msgpack
import numpy as np
import pytest

from modnet.errors import MalformedFile, ModelFileError, Truncated
from modnet.modelfile import container
from modnet.modelfile.reader import read, read_header
from modnet.modelfile.writer import Group, write

from . import hostile

FILES = list(hostile.files())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "model.modnet"


def test_the_right_file_is_read(path):
    hostile.put(path, hostile.assemble(hostile.document()))
    contents = read(path)
    assert contents.header == {"spec": {"network": {"input": [3], "layers": ["linear"]}}}
    np.testing.assert_array_equal(contents.groups["parameters"].views["linear.bias"], [6, 7])
    np.testing.assert_array_equal(contents.groups["state"].flat, [0.5, -1.0, 2.0])
    assert contents.groups["flags"].flat.tolist() == [True, False]


def test_the_writer_makes_the_same_bytes_as_the_independent_maker(path):
    flat = np.array([1.0, -2.0, 0.0, 0.5], np.float32)
    write(path, {"s": {"a": 1.5}}, [Group("p", flat, [("w", 0, (2, 2))])])
    assert path.read_bytes() == hostile.small()


def test_names_are_unique():
    assert len({file.name for file in FILES}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_refused(file, path):
    hostile.put(path, file.content)
    for arguments in ({}, {"mmap": True}):
        with pytest.raises(ModelFileError) as caught:
            read(path, **arguments)
        assert type(caught.value) is file.error
        assert caught.value.path == os.fspath(path)
        assert caught.value.what
        assert len(str(caught.value)) < 1000
        assert str(caught.value).isprintable()


def test_claims_cost_no_memory(path):
    """Ten times the file and half a megabyte are enough to refuse any of them."""
    for file in FILES:
        hostile.put(path, file.content)
        tracemalloc.start()
        with pytest.raises(ModelFileError):
            read(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10 * len(file.content) + 500_000, file.name


def test_every_cut(path):
    content = hostile.small()
    for length in range(len(content)):
        hostile.put(path, content[:length])
        for arguments in ({}, {"mmap": True}):
            with pytest.raises(ModelFileError) as caught:
                read(path, **arguments)
            assert length == 0 or type(caught.value) is Truncated
        with pytest.raises(ModelFileError):
            read_header(path)


def test_every_bit(path):
    content = hostile.small()
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            hostile.put(path, changed)
            with pytest.raises(ModelFileError):
                read(path, mmap=bool(bit % 2))


def test_one_segment_may_be_broken_and_the_header_still_readable(path):
    content = bytearray(hostile.assemble(hostile.document()))
    content[-1] ^= 1
    hostile.put(path, content)
    assert [view.name for view in read_header(path).views][-1] == "seen"
    assert read(path, verify=False).groups["flags"].flat.tolist() == [True, True]
    with pytest.raises(ModelFileError, match="flags"):
        read(path)


def test_bools_are_looked_at_without_verification_too(path):
    hostile.put(path, next(file.content for file in FILES if file.name == "bool of 2"))
    with pytest.raises(MalformedFile, match="bool"):
        read(path, verify=False)


def test_values_are_counted_before_they_are_made(path, monkeypatch):
    hostile.put(path, hostile.assemble({"modnet": 1, "a": [{}] * 100, "segments": [], "views": []}, ()))
    monkeypatch.setattr(container, "VALUE_LIMIT", 109)  # the map, four keys, four values, and the hundred
    read(path)
    monkeypatch.setattr(container, "VALUE_LIMIT", 108)
    monkeypatch.setattr(msgpack, "unpackb", None)
    with pytest.raises(MalformedFile, match="header: more than 108 values, which is the limit"):
        read(path)


def test_long_header(path, monkeypatch):
    header = {**hostile.document(), "a": ["x" * 999] * 3000}  # needs the third read
    hostile.put(path, hostile.assemble(header))
    assert len(read(path).header["a"]) == 3000
    monkeypatch.setattr(container, "HEADER_LIMIT", 2_000_000)
    with pytest.raises(MalformedFile, match="longer than 2000000 bytes"):
        read(path)


def test_other_keys_are_kept_and_own_keys_are_not_handed_out(path):
    hostile.put(path, hostile.assemble({**hostile.document(), "future": [1, None, {"a": -(2**63), "b": 2**64 - 1}]}))
    header = read(path).header
    assert list(header) == ["spec", "future"]
    assert header["future"] == [1, None, {"a": -(2**63), "b": 2**64 - 1}]


def test_nan_and_infinity_are_plain(path):
    hostile.put(path, hostile.assemble({**hostile.document(), "metrics": [float("nan"), float("inf")]}))
    assert str(read(path).header["metrics"]) == "[nan, inf]"


def test_deep_enough(path):
    raw = b"\x85" + msgpack.packb(hostile.document())[1:] + b"\xa1a" + b"\x91" * 62 + b"\x90"
    hostile.put(path, hostile.assemble(raw))
    read(path)
