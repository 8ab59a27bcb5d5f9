"""Tensors as raw bytes and as JSON, compared with the client's own code."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from modnet_serve.datatypes import BYTES, DTYPES, datatype_of, from_bytes, from_json, to_bytes, to_json
from modnet_serve.refusal import Refusal

NUMBERS = sorted(set(DTYPES) - {BYTES})
SHAPES = array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
TEXTS = arrays(object, SHAPES, elements=st.text(max_size=8))


def tensors(names=NUMBERS, **options):
    return st.sampled_from(names).flatmap(lambda name: arrays(DTYPES[name], SHAPES, elements=options or None))


@given(tensors())
def test_numbers_as_bytes_come_back(array):
    name = datatype_of(array.dtype)
    found = from_bytes(memoryview(to_bytes(array)), name, array.shape, "x")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@given(TEXTS)
def test_texts_as_bytes_come_back(array):
    np.testing.assert_array_equal(from_bytes(memoryview(to_bytes(array)), BYTES, array.shape, "x"), array)


@given(TEXTS)
def test_texts_are_written_and_read_as_by_the_client(array):
    utils = pytest.importorskip("tritonclient.utils")
    theirs = utils.serialize_byte_tensor(array) if array.size else np.empty(0, object)
    assert to_bytes(array) == (theirs.item() if theirs.size else b"")
    read = utils.deserialize_bytes_tensor(to_bytes(array))
    assert [text.decode() for text in read.tolist()] == array.reshape(-1).tolist()


@given(tensors())
def test_values_of_json_come_back_nested_or_flat(array):
    name = datatype_of(array.dtype)
    expected = np.where(np.isfinite(array), array, np.nan) if array.dtype.kind == "f" else array
    for values in (to_json(array), to_json(array.reshape(-1))):
        if array.size or values is None:
            read = json.loads(json.dumps(values, allow_nan=False))
            np.testing.assert_array_equal(from_json(read, name, array.shape, "x"), expected)


@given(st.binary(max_size=40), st.integers(0, 4))
def test_any_bytes_are_texts_or_are_refused(raw, count):
    try:
        found = from_bytes(memoryview(raw), BYTES, [count], "x")
    except Refusal:
        return
    assert to_bytes(found) == raw


@pytest.mark.parametrize(
    ("data", "datatype", "shape", "message"),
    [
        ([1, "2"], "FP32", [2], 'x: expected numbers for FP32, found "2" at position 1 of data'),
        ([1, True], "FP32", [2], "x: expected numbers for FP32, found true at position 1 of data"),
        ([1, 2.5], "INT64", [2], "x: expected whole numbers for INT64, found 2.5 at position 1 of data"),
        ([1, None], "INT8", [2], "x: expected whole numbers for INT8, found null at position 1 of data"),
        ([300], "UINT8", [1], "x: a number in data is beyond what UINT8 can hold"),
        ([-1], "UINT8", [1], "x: a number in data is beyond what UINT8 can hold"),
        ([1, 1e300], "FP32", [2], "x: 1e+300 at position 1 of data is beyond what FP32 can hold"),
        ([10**400], "FP64", [1], "x: a number in data is beyond what FP64 can hold"),
        ([1], "BOOL", [1], "x: expected true or false for BOOL, found 1 at position 0 of data"),
        ([1], "BYTES", [1], "x: expected texts for BYTES, found 1 at position 0 of data"),
        ([1, 2, 3], "FP32", [2, 2], "x: expected 4 values of the shape [2, 2], found 3 in data"),
        ([[1, 2], [3]], "FP32", [2, 2], "x: the nested lists of data do not have the shape [2, 2]"),
        ([[1, 2, 3], [4, 5, 6]], "FP32", [3, 2], "x: shape says 3 rows, data has 2"),
        ("abc", "BYTES", [1], 'x: expected data to be a list of values, found "abc"'),
        ({}, "FP32", [1], "x: expected data to be a list of values, found a table"),
    ],
)
def test_what_is_no_tensor_is_refused(data, datatype, shape, message):
    with pytest.raises(Refusal) as caught:
        from_json(data, datatype, shape, "x")
    assert (caught.value.status, caught.value.message) == (400, message)


@pytest.mark.parametrize(
    ("raw", "datatype", "shape", "message"),
    [
        (b"\0" * 7, "FP32", [2], "x: expected 8 bytes (FP32 of the shape [2]), found 7"),
        (b"\0" * 3, "BYTES", [1], "x: expected 1 texts, each after its length; found 3 bytes"),
        (b"\5\0\0\0abc", "BYTES", [1], "x: text 0 should have 5 bytes, and 3 are left"),
        (b"\1\0\0\0\xff", "BYTES", [1], "x: text 0 is not UTF-8"),
        (b"\1\0\0\0ab", "BYTES", [1], "x: 1 bytes are left after 1 texts"),
        (b"\4\0\0\0abcd", "BYTES", [2], "x: the bytes end before text 1 of 2"),
        (b"", "BYTES", [1 << 40], f"x: expected {1 << 40} texts, each after its length; found 0 bytes"),
    ],
)
def test_bytes_that_are_no_tensor_are_refused(raw, datatype, shape, message):
    with pytest.raises(Refusal) as caught:
        from_bytes(memoryview(raw), datatype, shape, "x")
    assert caught.value.message == message


def test_null_is_a_missing_number():
    assert math.isnan(from_json([None], "FP32", [1], "x")[0])
