"""What differs between two model files."""

import math
import tracemalloc

import numpy as np
import pytest

from modnet.errors import ChecksumMismatch, MalformedFile
from modnet.model import container
from modnet.model.compare import ABSENT, ArrayPlace, compare
from modnet.model.reader import read_header
from modnet.model.writer import Group, write


@pytest.fixture
def differences(tmp_path):
    """differences(header, header) -> path -> (A's value, B's value)"""

    def differences(a, b):
        write(tmp_path / "a", a, [], durable=False)
        write(tmp_path / "b", b, [], durable=False)
        return {found.path: (found.a, found.b) for found in compare(tmp_path / "a", tmp_path / "b").header}

    return differences


def group(name, **arrays):
    views, offset = [], 0
    for key, array in arrays.items():
        views.append((key.replace("__", "."), offset, array.shape))
        offset += array.size
    return Group(name, np.concatenate([array.reshape(-1) for array in arrays.values()]), views)


@pytest.fixture
def compared(tmp_path):
    """compared([group, ...], [group, ...])"""

    def compared(a, b):
        write(tmp_path / "a", {}, a, durable=False)
        write(tmp_path / "b", {}, b, durable=False)
        return compare(tmp_path / "a", tmp_path / "b")

    return compared


# Headers

LAYERS = [{"type": "linear", "bias": True}, {"type": "dropout", "rate": 0.2}, {"type": "linear", "bias": True}]


def network(layers):
    return {"spec": {"network": {"layers": layers}}}


def test_a_value(differences):
    changed = [LAYERS[0], {"type": "dropout", "rate": 0.5}, LAYERS[2]]
    found = differences(network(LAYERS), network(changed))
    assert found == {("spec", "network", "layers", 1, "rate"): (0.2, 0.5)}


def test_another_type_is_another_value(differences):
    changed = [LAYERS[0], {"type": "relu"}, LAYERS[2]]
    found = differences(network(LAYERS), network(changed))
    assert found == {("spec", "network", "layers", 1): ({"type": "dropout", "rate": 0.2}, {"type": "relu"})}


@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_node_that_was_put_in_between_does_not_change_those_behind_it(differences, position):
    more = [*LAYERS[:position], {"type": "relu"}, *LAYERS[position:]]
    place = ("spec", "network", "layers", position)
    assert differences(network(LAYERS), network(more)) == {place: (ABSENT, {"type": "relu"})}
    assert differences(network(more), network(LAYERS)) == {place: ({"type": "relu"}, ABSENT)}


def test_a_list_of_plain_values_is_one_value(differences):
    assert differences({"a": {"loss": [1.0, 0.5]}}, {"a": {"loss": [1.0]}}) == {("a", "loss"): ([1.0, 0.5], [1.0])}


def test_keys_of_one_file(differences):
    assert differences({"a": 1, "b": {"c": None}}, {"b": {}}) == {("a",): (1, ABSENT), ("b", "c"): (None, ABSENT)}


def test_true_is_not_one_and_nan_is_nan(differences):
    assert differences({"a": [True], "b": 1, "c": math.nan}, {"a": [1], "b": 1.0, "c": math.nan}) == {
        ("a",): ([True], [1]),
        ("b",): (1, 1.0),
    }


def test_origins_are_compared_by_name(differences):
    def needs(version, *components):
        rows = [{"kind": "layer", "type": name, "version": number} for name, number in components]
        return {"needs": [{"distribution": "modnet-wave", "version": version, "components": rows}]}

    assert differences(needs("1.0", ("haar", 1)), needs("1.1", ("db4", 1), ("haar", 2))) == {
        ("needs", "modnet-wave", "version"): ("1.0", "1.1"),
        ("needs", "modnet-wave", "layer haar"): (1, 2),
        ("needs", "modnet-wave", "layer db4"): (ABSENT, 1),
    }


@pytest.mark.parametrize("needs", [7, "x", {}, [1], [{"distribution": []}], [{"components": None}]])
def test_a_header_that_makes_no_sense_is_refused_by_the_name_of_its_file(tmp_path, needs):
    write(tmp_path / "a", {"needs": needs}, [])
    write(tmp_path / "b", {"needs": []}, [])
    with pytest.raises(MalformedFile, match=r"/a: header\.needs"):
        compare(tmp_path / "a", tmp_path / "b")


# Arrays


def test_the_largest_difference_comes_first(compared):
    zeros = np.zeros((2, 2), np.float32)
    a = group("parameters", x__weight=zeros, y__weight=zeros, z__weight=zeros)
    b = group("parameters", x__weight=zeros + 1, y__weight=zeros, z__weight=np.float32([[0, 0], [0, -4]]))
    found = compared([a], [b])
    assert not found.same
    assert [(d.place.name, d.differing, d.largest, d.mean) for d in found.arrays] == [
        ("z.weight", 1, 4.0, 1.0),
        ("x.weight", 4, 1.0, 1.0),
    ]


def test_arrays_of_one_file_and_of_another_shape(compared):
    a = group("parameters", w=np.zeros((2, 3)), gone=np.zeros(1))
    b = group("parameters", w=np.zeros((3, 2)), new=np.zeros(1))
    found = compared([a], [b])
    assert found.only_in_a == (ArrayPlace("parameters", "gone"),)
    assert found.only_in_b == (ArrayPlace("parameters", "new"),)
    (difference,) = found.arrays
    assert (difference.shapes, difference.largest, difference.mean) == (((2, 3), (3, 2)), None, None)


def test_groups_have_names_of_their_own(compared):
    parameters, slot = group("parameters", w=np.zeros(2)), group("optimizer.mean", w=np.ones(2))
    assert compared([parameters, slot], [parameters]).only_in_a == (ArrayPlace("optimizer.mean", "w"),)


@pytest.mark.parametrize(
    ("a", "b", "differing", "largest"),
    [
        ([math.nan, 1.0], [math.nan, 2.0], 1, 1.0),
        ([math.nan, 1.0], [1.0, 1.0], 1, math.inf),
        ([math.inf, -math.inf], [math.inf, math.inf], 1, math.inf),
        ([1e308, 0.0], [-1e308, 0.0], 1, math.inf),
    ],
)
def test_nan_and_infinity(compared, a, b, differing, largest):
    (found,) = compared([group("p", w=np.array(a))], [group("p", w=np.array(b))]).arrays
    assert (found.differing, found.largest) == (differing, largest)


@pytest.mark.parametrize(
    ("a", "b", "differing"),
    [
        (np.float32([0.1, 2]), np.float16([0.1, 2]), 1),
        (np.array([True, False]), np.array([1.0, 0.0]), 0),
        (np.array([255], np.uint8), np.array([-1], np.int8), 1),
        (np.array([2**63], np.uint64), np.array([-1]), 1),
    ],
)
def test_types_of_numbers(compared, a, b, differing):
    (found,) = compared([group("p", w=a)], [group("p", w=b)]).arrays
    assert (found.dtypes, found.differing) == ((a.dtype.name, b.dtype.name), differing)


def test_the_same_values_in_another_order_or_with_another_zero(compared):
    x, y = np.zeros(2), np.ones(3)
    found = compared([group("p", x=x, y=y)], [group("p", y=y, x=-x)])
    assert (found.same, found.identical) == (True, False)
    found = compared([group("p", x=x)], [group("p", x=x)])
    assert (found.same, found.identical) == (True, True)


def test_several_segments_and_chunks(compared, monkeypatch):
    monkeypatch.setattr(container, "SEGMENT_LIMIT", 40)
    monkeypatch.setattr("modnet.model.compare.CHUNK", 3)
    x, y = np.arange(10, dtype=np.float32), np.arange(7, dtype=np.float32)
    (found,) = compared([group("p", x=x, y=y)], [group("p", x=x, y=y + 2)]).arrays
    assert (found.place.name, found.differing, found.largest, found.mean) == ("y", 7, 2.0, 2.0)


def test_damage_is_no_difference(tmp_path):
    for name in "ab":
        write(tmp_path / name, {}, [group("p", w=np.zeros(4))], durable=False)
    content = bytearray((tmp_path / "b").read_bytes())
    content[read_header(tmp_path / "b").views[0].offset] ^= 1
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(ChecksumMismatch):
        compare(tmp_path / "a", tmp_path / "b")


def test_memory_does_not_grow_with_the_file(tmp_path):
    array = np.zeros(24 << 20, np.float32)
    write(tmp_path / "a", {}, [group("p", w=array)], durable=False)
    write(tmp_path / "b", {}, [group("p", w=array + 1)], durable=False)
    tracemalloc.start()
    try:
        (found,) = compare(tmp_path / "a", tmp_path / "b").arrays
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found.largest, found.mean) == (1.0, 1.0)
    assert peak < array.nbytes
