"""Writing: what comes back, which bytes they are, and what is refused."""

from __future__ import annotations

import enum
import math
import struct
import tempfile
import tracemalloc
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modnet.errors import ModelFileError, NotAModelFile
from modnet.model import container
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, StreamedGroup, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.modnet"


def group(name="parameters", dtype=np.float32, shapes=((3, 2), (2,))):
    sizes = [math.prod(shape) for shape in shapes]
    views = [(f"v{i}", sum(sizes[:i]), shape) for i, shape in enumerate(shapes)]
    return Group(name, np.arange(sum(sizes)).astype(dtype), views)


# What comes back

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
headers = st.dictionaries(texts.filter(lambda key: key not in container.OWN_KEYS), values, max_size=12)


@st.composite
def groups(draw):
    made = []
    for name in draw(st.lists(names, max_size=3, unique=True)):
        dtype = container.DTYPES[draw(st.sampled_from(list(container.DTYPES)))]
        shapes = draw(st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), max_size=6))
        view_names = draw(st.lists(names, min_size=len(shapes), max_size=len(shapes), unique=True))
        sizes = [math.prod(shape) for shape in shapes]
        seed = draw(st.integers(0, 2**32))
        flat = np.frombuffer(np.random.default_rng(seed).bytes(sum(sizes) * dtype.itemsize), np.uint8)
        flat = (flat & 1).view(dtype) if dtype.kind == "b" else flat.view(dtype)
        offsets = np.cumsum([0, *sizes])[:-1].tolist()
        made.append(Group(name, flat, list(zip(view_names, offsets, shapes, strict=True))))
    return made


@given(headers, groups(), st.sampled_from([2**31 - 1, 40, 1]))
@settings(max_examples=150)
def test_round_trip(header, groups, segment_limit):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "SEGMENT_LIMIT", segment_limit)
        path = Path(folder, "model.modnet")
        identity = write(path, header, groups, durable=False)
        for mmap in (False, True):
            contents = read(path, mmap=mmap)
            assert contents.id == identity.id
            assert repr(contents.header) == repr(header)  # nan is not equal to itself
            assert list(contents.groups) == [group.name for group in groups]
            for group in groups:
                found = contents.groups[group.name]
                assert found.flat.dtype == group.flat.dtype
                assert found.flat.tobytes() == group.flat.tobytes()
                assert list(found.views) == [name for name, _, _ in group.views]
                for name, offset, shape in group.views:
                    assert found.views[name].shape == shape
                    size = math.prod(shape)
                    assert found.views[name].tobytes() == group.flat[offset : offset + size].tobytes()
        again = Path(folder, "again.modnet")
        resaved = [Group(g.name, contents.groups[g.name].flat, g.views) for g in groups]
        assert write(again, contents.header, resaved, durable=False) == identity
        assert again.read_bytes() == path.read_bytes()


def test_no_groups(path):
    write(path, {}, [])
    assert read(path).groups == {}
    assert read(path, mmap=True).header == {}


def test_tuples_become_lists(path):
    write(path, {"shape": (28, (28, 1))}, [])
    assert read(path).header == {"shape": [28, [28, 1]]}


# Which bytes


def test_the_same_arguments_give_the_same_bytes(path, tmp_path):
    arguments = {"b": 1, "a": [1.5, "x"]}, [group(), group("state", np.int64)]
    identity = write(path, *arguments)
    assert write(tmp_path / "other", *arguments, durable=False) == identity
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


def test_anything_else_gives_another_id(path):
    first = write(path, {"a": 1}, [group()])
    changed = group()
    changed.flat[3] += 1
    renamed = Group("parameters", group().flat, [("w", 0, (3, 2)), ("b", 6, (2,))])
    others = [write(path, {"a": 2}, [group()]), write(path, {"a": 1}, [changed]), write(path, {"a": 1}, [renamed])]
    assert len({first, *others}) == 4


def test_a_header_is_not_copied_to_be_written(path):
    header = {"a": {"b": [[[0]] for _ in range(50_000)]}}  # 50,000 lists in lists are 5 MB, and 200 kB when packed
    tracemalloc.start()
    try:
        write(path, header, [])
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()


def test_every_nan_is_the_same(path):
    nans = [
        struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (0x7FF8 << 48, 0xFFF8 << 48, (0x7FF8 << 48) + 1)
    ]
    assert len({write(path, {"a": [nan]}, []) for nan in nans}) == 1
    assert b"\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00" in path.read_bytes()


def test_a_flat_array_of_the_other_byte_order_gives_the_same_bytes(path):
    views = [("w", 0, (3,))]
    identities = {write(path, {}, [Group("p", np.array([1, 2, 3], order), views)]) for order in ("<f4", ">f4")}
    assert len(identities) == 1
    assert read(path).groups["p"].flat.tolist() == [1, 2, 3]


def test_magic_bytes(path):
    write(path, {}, [])
    assert path.read_bytes()[1:9] == b"\xa6modnet\x01"


@pytest.mark.parametrize("filling", range(0, 70, 3))
def test_payloads_stand_at_multiples_of_64_whatever_the_length_of_the_header(path, filling):
    shapes = [(filling % 7,), (5,)]
    write(path, {"x": "x" * filling}, [group("a", np.uint8, shapes), group("b"), group("c", np.float64)])
    content = path.read_bytes()
    for segment in read_header(path).segments:
        assert segment.offset % 64 == 0
        assert content[segment.offset - 5 : segment.offset] == b"\xc6" + struct.pack(">I", segment.length)
    assert len(content) == read_header(path).segments[-1].end


def test_any_messagepack_library_can_read_it(path):
    identity = write(path, {"spec": {"a": 1}}, [group(), group("state", np.float64, [(4,)])])
    with path.open("rb") as file:
        header, found, *payloads = [value for value in msgpack.Unpacker(file) if value is not None]
    assert next(iter(header.items())) == ("modnet", 1)
    assert header["spec"] == {"a": 1}
    assert found == identity.id
    assert [segment["length"] for segment in header["segments"]] == [len(payload) for payload in payloads]
    for name, number, offset, shape in header["views"]:
        segment = header["segments"][number]
        array = np.frombuffer(
            payloads[number], segment["dtype"], count=math.prod(shape), offset=offset - segment["offset"]
        )
        np.testing.assert_array_equal(array.reshape(shape), read(path).groups[segment["group"]].views[name])


# Cutting


def cut(path, monkeypatch, limit, *lengths):
    """The lengths of the segments of a group of byte arrays that have these lengths."""
    monkeypatch.setattr(container, "SEGMENT_LIMIT", limit)
    written = group("p", np.uint8, [(length,) for length in lengths])
    write(path, {}, [group("before"), written, group("after", np.int16)])
    for mmap in (False, True):
        found = read(path, mmap=mmap).groups["p"]
        np.testing.assert_array_equal(found.flat, written.flat)
        for name, offset, shape in written.views:
            np.testing.assert_array_equal(found.views[name], written.flat[offset : offset + shape[0]])
    segments = [segment for segment in read_header(path).segments if segment.group == "p"]
    assert len(read(path).groups["p"].flats) == 1
    assert [len(flat) for flat in read(path, mmap=True).groups["p"].flats] == [segment.length for segment in segments]
    return [segment.length for segment in segments]


@pytest.mark.parametrize(
    ("lengths", "segments"),
    [
        ([100], [100]),
        ([60, 40], [100]),
        ([60, 41], [60, 41]),
        ([30, 30, 30, 30], [90, 30]),
        ([130], [130]),  # a single one may be longer
        ([10, 130, 10], [10, 130, 10]),
        ([0, 130, 0], [0, 130, 0]),
        ([100, 0, 100], [100, 100]),
        ([0, 0], [0]),
    ],
)
def test_groups_are_cut_between_views(path, monkeypatch, lengths, segments):
    assert cut(path, monkeypatch, 100, *lengths) == segments


def test_the_limits_are_those_of_other_languages_and_of_bin32():
    assert container.SEGMENT_LIMIT == 2**31 - 1
    assert container.VIEW_LIMIT == 2**32 - 64


def test_a_view_that_bin32_cannot_hold_is_refused_by_name(path, monkeypatch):
    monkeypatch.setattr(container, "VIEW_LIMIT", 23)
    with pytest.raises(ModelFileError, match="group parameters, v0: 24 bytes, the limit of one array is 23"):
        write(path, {}, [group()])


# Arrays that come in pieces


@pytest.mark.parametrize("size", [1, 7, 24, 1000])
@pytest.mark.parametrize("chunk", [8, 10, 4 << 20])
def test_pieces_of_any_size_give_the_same_bytes(path, tmp_path, monkeypatch, size, chunk):
    monkeypatch.setattr(container, "CHUNK_LENGTH", chunk)
    monkeypatch.setattr(container, "SEGMENT_LIMIT", 100)
    whole = group("p", np.float32, [(20,), (3, 2), (0,), (9,)])
    write(path, {}, [group("before"), whole])
    raw = whole.flat.tobytes()
    pieces = (memoryview(raw)[start : start + size] for start in range(0, len(raw), size))
    write(tmp_path / "other", {}, [group("before"), StreamedGroup("p", whole.flat.dtype, pieces, whole.views)])
    assert (tmp_path / "other").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("length", "what"), [(31, "shorter"), (0, "shorter"), (33, "longer"), (64, "longer")])
def test_pieces_that_do_not_make_the_array(path, length, what):
    write(path, {}, [])
    before = path.read_bytes()
    streamed = StreamedGroup("p", np.dtype("<f4"), [memoryview(bytes(length))], [("w", 0, (8,))])
    with pytest.raises(ModelFileError, match=f"the pieces of an array are {what} than its views"):
        write(path, {}, [streamed])
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["model.modnet"]


def test_what_the_pieces_raise_is_raised_and_the_old_file_stands(path):
    def pieces():
        yield memoryview(bytes(16))
        raise RuntimeError("no more")

    write(path, {}, [])
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="no more"):
        write(path, {}, [StreamedGroup("p", np.dtype("<f4"), pieces(), [("w", 0, (4,))])])
    assert path.read_bytes() == before


# What is refused


class Colour(enum.IntEnum):
    RED = 1


def nested(depth):
    return [nested(depth - 1)] if depth > 1 else []


@pytest.mark.parametrize(
    ("header", "where", "what"),
    [
        ({"a": b"x"}, "header.a", "builtins.bytes is not a plain value"),
        ({"a": {"b": [1, {2}]}}, "header.a.b[1]", "builtins.set is not a plain value"),
        ({"metrics": {"loss": np.float64(1)}}, "header.metrics.loss", "numpy.float64 is not a plain value"),
        ({"a": np.int64(1)}, "header.a", "numpy.int64"),
        ({"a": np.zeros(2)}, "header.a", "numpy.ndarray"),
        ({"a": Colour.RED}, "header.a", "Colour"),
        ({"a": 1j}, "header.a", "complex"),
        ({"a": object}, "header.a", "builtins.type"),
        ({"a": msgpack.Timestamp(0)}, "header.a", "Timestamp"),
        ({"a": msgpack.ExtType(5, b"")}, "header.a", "ExtType"),
        ({"a": 2**64}, "header.a", "64 bits"),
        ({"a": [-(2**63) - 1]}, "header.a[0]", "64 bits"),
        ({"a": "\ud800"}, "header.a", "surrogates"),
        ({"\ud800": [2**64]}, "header", "a key is not text"),
        ({"a": {1: 2}}, "header.a", "a key is not text: 1"),
        ({"a": {None: 2}}, "header.a", "a key is not text: None"),
        ({"a": nested(64)}, "header.a" + "[0]" * 63, "nested more than 64 deep"),
        ({"modnet": 1}, "header.modnet", "belongs to the container"),
        ({"segments": []}, "header.segments", "belongs to the container"),
        ({"views": []}, "header.views", "belongs to the container"),
        ({str(i): i for i in range(13)}, "header", "13 keys; 12 are allowed"),
        ({"a": "x" * (16 << 20)}, "header", "the limit is 16777216"),
    ],
)
def test_header_values_that_are_refused(path, header, where, what):
    with pytest.raises(ModelFileError) as caught:
        write(path, header, [])
    assert caught.value.where == where
    assert what in caught.value.what
    assert list(path.parent.iterdir()) == []


def test_the_most_that_is_allowed_can_be_read(path):
    header = {str(i): i for i in range(11)} | {"deep": nested(63)}
    write(path, header, [])
    assert read(path).header == header


FLOATS = np.zeros(8, np.float32)


@pytest.mark.parametrize(
    ("groups", "what"),
    [
        ([Group("p", FLOATS.reshape(2, 4), [("w", 0, (8,))])], "one axis, found shape (2, 4)"),
        ([Group("p", FLOATS[::2], [("w", 0, (4,))])], "contiguous"),
        ([Group("p", FLOATS.astype(object), [("w", 0, (8,))])], "found dtype object"),
        ([Group("p", FLOATS.astype(complex), [("w", 0, (8,))])], "found dtype complex128"),
        ([Group("p", FLOATS.astype("M8[s]"), [("w", 0, (8,))])], "found dtype datetime64[s]"),
        ([Group("p", np.array([0, 2], np.uint8).view(bool), [("w", 0, (2,))])], "bytes other than 0 and 1"),
        ([Group("p", FLOATS, [("w", 0, (7,))])], "the views end at element 7, the array at 8"),
        ([Group("p", FLOATS, [("w", 0, (9,))])], "the views end at element 9, the array at 8"),
        ([Group("p", FLOATS, [])], "the views end at element 0, the array at 8"),
        ([Group("p", FLOATS, [("w", 1, (7,))])], "p, w: starts at element 1, expected 0"),
        ([Group("p", FLOATS, [("w", 0, (4,)), ("b", 3, (4,))])], "p, b: starts at element 3, expected 4"),
        ([Group("p", FLOATS, [("w", 0, (4,)), ("b", 5, (3,))])], "p, b: starts at element 5, expected 4"),
        ([Group("p", FLOATS, [("w", 0, (4,)), ("w", 4, (4,))])], "'w' occurs twice"),
        ([Group("p", FLOATS, [("w", 0, (-8,))])], "-8 as a length"),
        ([Group("p", FLOATS, [("w", 0, (8.0,))])], "8.0 as a length"),
        ([Group("p", FLOATS, [("w", 0, (1,) * 32 + (8,))])], "at most 32 lengths"),
        ([Group("p", FLOATS, [("", 0, (8,))])], "expected a name"),
        ([Group("p", FLOATS, [("x" * 513, 0, (8,))])], "longer than 512 bytes"),
        ([Group("p", FLOATS, [("é" * 257, 0, (8,))])], "longer than 512 bytes"),
        ([Group("p", FLOATS, [("\ud800", 0, (8,))])], "surrogates"),
        ([Group("", FLOATS, [("w", 0, (8,))])], "expected a name"),
        ([Group("\ud800", FLOATS, [("w", 0, (8,))])], "surrogates"),
        ([Group("p", FLOATS, [("w", 0, (8,))])] * 2, "two groups have this name"),
        ([Group(f"p{i}", FLOATS, [("w", 0, (8,))]) for i in range(1025)], "at most 1024 segments"),
    ],
)
def test_groups_that_are_refused(path, groups, what):
    with pytest.raises(ModelFileError) as caught:
        write(path, {}, groups)
    assert what in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_names_may_have_512_bytes_and_any_characters(path):
    names = ["x" * 512, "é" * 256, "../../etc/passwd", "a\x00b", " ", "\N{SNOWMAN}"]
    write(path, {}, [Group("p", np.zeros(6), [(name, i, ()) for i, name in enumerate(names)])])
    assert list(read(path).groups["p"].views) == names


def test_too_many_values(path, monkeypatch):
    monkeypatch.setattr(container, "VALUE_LIMIT", 34)
    write(path, {"a": [1]}, [group()])  # the map, 4 keys, 4 values, 1 in "a", 11 in a segment, 7 and 6 in the views
    read(path)
    with pytest.raises(ModelFileError, match="header: more than 34 values, which is the limit"):
        write(path, {"a": [1, 2]}, [group()])
    read(path)


def test_what_is_no_file_is_not_replaced(tmp_path):
    with pytest.raises(NotAModelFile, match="a folder"):
        write(tmp_path, {}, [])
