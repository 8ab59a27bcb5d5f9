"""Checking the whole of a file: what is still as it was written, and what can be read all the same."""

from __future__ import annotations

from copy import deepcopy
from hashlib import sha256

import numpy as np
import pytest

from modnet.errors import ChecksumMismatch, MalformedFile, ModelFileError, NotAModelFile
from modnet.model import container
from modnet.model.damage import verify
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, write

from . import hostile


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.modnet"
    hostile.put(path, hostile.assemble(hostile.document()))
    return path


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_whole_file(path):
    found = verify(path)
    assert found.whole
    assert found.id == read(path).id
    assert found.size == path.stat().st_size
    assert [(state.segment.group, state.whole) for state in found.segments] == [
        ("parameters", True),
        ("state", True),
        ("flags", True),
    ]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("at_end", [False, True])
def test_the_damaged_segment_is_found_and_the_others_can_be_read(path, number, at_end):
    expected = read(path)
    segment = read_header(path).segments[number]
    flip(path, segment.end - 1 if at_end else segment.offset)
    found = verify(path)
    assert not found.whole
    assert found.id == expected.id
    assert [state.whole for state in found.segments] == [other != number for other in range(3)]
    damaged = found.segments[number].segment
    assert damaged.names == list(expected.groups[segment.group].views)
    with pytest.raises(ChecksumMismatch, match=segment.group):
        read(path)
    rest = read(path, verify=False).groups
    for name, group in expected.groups.items():
        assert (rest[name].flat.tobytes() == group.flat.tobytes()) == (name != segment.group)


def test_several_segments_of_a_group_and_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "SEGMENT_LIMIT", 100)
    monkeypatch.setattr(container, "CHUNK_LENGTH", 16)
    path = tmp_path / "model.modnet"
    views = [(name, 80 * number, (80,)) for number, name in enumerate("abc")]
    write(path, {}, [Group("p", np.arange(240, dtype=np.uint8), views), Group("empty", np.zeros(0), [])])
    assert verify(path).whole
    flip(path, read_header(path).segments[1].offset + 40)
    states = verify(path).segments
    assert [(state.segment.names, state.whole) for state in states] == [
        (["a"], True),
        (["b"], False),
        (["c"], True),
        ([], True),
    ]


def test_what_is_damaged_in_the_header_is_an_error(path):
    flip(path, 20)
    with pytest.raises(ChecksumMismatch, match="header"):
        verify(path)
    path.write_bytes(b"a,b\n")
    with pytest.raises(NotAModelFile):
        verify(path)


def test_what_is_damaged_between_or_behind_the_arrays_is_told_and_the_arrays_are_looked_at(path):
    right = path.read_bytes()
    flip(path, read_header(path).segments[1].offset - 1)
    found = verify(path)
    assert found.fault.startswith("segments[1], byte ")
    assert not found.whole
    assert all(state.whole for state in found.segments)
    path.write_bytes(right + b"x")
    assert verify(path).fault == f"byte {len(right)}: 1 bytes follow the last array"


def test_a_file_that_is_cut_is_sound_up_to_there(path):
    right = path.read_bytes()
    found = read_header(path)
    for length in range(len(right)):
        path.write_bytes(right[:length])
        if length < found.end:
            with pytest.raises(ModelFileError):
                verify(path)
            continue
        states = verify(path)
        assert states.fault == f"the file has {length} bytes; its header declares {len(right)} bytes"
        assert [state.missing for state in states.segments] == [segment.end > length for segment in found.segments]
        assert [state.whole for state in states.segments] == [segment.end <= length for segment in found.segments]


def test_bools_that_were_written_wrong_are_an_error_and_damaged_ones_are_not(path):
    document = deepcopy(hostile.document())
    document["segments"][2]["sha256"] = sha256(sha256(b"\x01\x02").digest()).digest()
    hostile.put(path, hostile.assemble(document, (*hostile.PAYLOADS[:2], b"\x01\x02")))
    with pytest.raises(MalformedFile, match="flags: a bool array has bytes other than 0 and 1"):
        verify(path)
    hostile.put(path, hostile.assemble(hostile.document(), (*hostile.PAYLOADS[:2], b"\x01\x02")))
    assert [state.whole for state in verify(path).segments] == [True, True, False]


@pytest.mark.parametrize("file", list(hostile.files()), ids=lambda file: file.name)
def test_agrees_with_read_on_every_wrong_file(file, path):
    hostile.put(path, file.content)
    try:
        found = verify(path)
    except file.error:
        return
    assert not found.whole
    if found.fault:
        assert file.is_told_by(found.fault)
    else:
        assert file.error is ChecksumMismatch
