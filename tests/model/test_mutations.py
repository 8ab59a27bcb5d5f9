"""Whatever becomes of a right file: it is refused in words, or it is a model that can be saved and loaded again."""

import os
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modnet.errors import MalformedFile

from . import hostile, surgery

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.modnet"))
RIGHT = {path.stem: path.read_bytes() for path in GOLDEN}

right_files = st.sampled_from(sorted(RIGHT))
randoms = st.randoms(use_true_random=False)
few = settings(derandomize=True)  # tests/fuzz draws new ones


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a thousand files need not survive a loss of power
        yield tmp_path_factory.mktemp("mutations") / "model.modnet"


@settings(few, max_examples=250)
@given(name=right_files, random=randoms, changes=st.integers(1, 3))
def test_a_header_that_was_changed_anywhere(path, name, random, changes):
    header, payloads = surgery.apart(RIGHT[name])
    for _ in range(changes):
        surgery.change(header, random)
    surgery.outcome(path, surgery.signed(header, payloads))


@settings(few, max_examples=50)
@given(name=right_files, data=st.data())
def test_a_key_that_is_there_twice(path, name, data):
    header, payloads = surgery.apart(RIGHT[name])
    key = data.draw(st.sampled_from(sorted(header)))
    raw = msgpack.packb(header)
    doubled = bytes([raw[0] + 1]) + raw[1:] + msgpack.packb(key) + msgpack.packb(header[key])
    assert surgery.outcome(path, hostile.assemble(doubled, payloads)) is MalformedFile


@settings(few, max_examples=100)
@given(name=right_files, random=randoms)
def test_arrays_that_hold_any_bytes(path, name, random):
    """Their digests are those of the new bytes, so these are simply other numbers, nan among them."""
    header, payloads = surgery.apart(RIGHT[name])
    others = tuple(random.randbytes(len(payload)) for payload in payloads)
    assert isinstance(surgery.outcome(path, surgery.signed(header, others)), bytes)


@settings(few, max_examples=150)
@given(name=right_files, other=right_files, random=randoms)
def test_bytes_that_were_changed(path, name, other, random):
    content = RIGHT[name]
    changed = changed_bytes(content, RIGHT[other], random)
    result = surgery.outcome(path, changed)
    assert isinstance(result, bytes) == (changed in RIGHT.values())


def changed_bytes(content, other, random):
    start = random.randrange(len(content))
    end = min(len(content), start + random.choice([0, 1, 2, 4, 64, 1000]))
    match random.randrange(5):
        case 0:
            return content[:start] + bytes([content[start] ^ 1 << random.randrange(8)]) + content[start + 1 :]
        case 1:
            return content[:start] + random.randbytes(random.randrange(1, 70)) + content[start:]
        case 2:
            return content[:start] + content[end:]
        case 3:
            return content[:start] + other[start:]
    return content[:start]
