"""What a layer sees: buffers that come again, and sums of rows."""

import tracemalloc

import numpy as np
import pytest

from modnet import Context
from modnet.arrays import PIECE, common_mask, sum_rows


def one_pass(context: Context, batch: int) -> list[np.ndarray]:
    context.begin()
    return [context.buffer((batch, 4)), context.buffer((batch,), np.int64)]


def test_the_same_call_of_the_next_pass_gives_the_same_array():
    context = Context("float32")
    first, second = one_pass(context, 8), one_pass(context, 8)
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert [array.dtype for array in first] == [np.float32, np.int64]
    assert first[0].ctypes.data % 64 == 0


def test_a_smaller_batch_is_a_part_of_the_larger_ones_array():
    context = Context("float32")
    large = one_pass(context, 8)[0]
    small = one_pass(context, 3)[0]
    again = one_pass(context, 8)[0]
    assert small.shape == (3, 4)
    assert small.ctypes.data == large.ctypes.data == again.ctypes.data


def test_a_larger_batch_gets_a_larger_array():
    context = Context("float64")
    one_pass(context, 3)
    assert one_pass(context, 8)[0].shape == (8, 4)


def test_what_forward_saves_is_there_for_backward():
    context = Context("float32")
    context.save(1, None)
    assert context.saved == (1, None)


@pytest.mark.parametrize("features", [0, 1, 5, PIECE + 1])
@pytest.mark.parametrize("rows", [0, 1, 127, 7919])
def test_any_number_of_rows_is_added_up(rows, features):
    values = np.random.default_rng(0).standard_normal((max(1, rows // max(1, features // 100)), features))[:rows]
    found = np.full(features, np.nan)
    sum_rows(values, found)
    np.testing.assert_allclose(found, values.sum(axis=0), rtol=1e-12, atol=1e-12)


def test_columns_of_a_wider_array_are_added_up():
    wide = np.random.default_rng(0).standard_normal((2 * PIECE, 6))
    found = np.empty(3)
    sum_rows(wide[:, 2:5], found)
    np.testing.assert_allclose(found, wide.sum(axis=0)[2:5], rtol=1e-12)


def test_the_sum_of_many_rows_keeps_its_digits_and_takes_little_memory():
    rows = np.full((PIECE // 2 + 3, 8), 0.1, np.float32)
    found = np.empty(8, np.float32)
    tracemalloc.start()
    try:
        sum_rows(rows, found)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(found, rows.sum(axis=0, dtype=np.float64), rtol=1e-4)
    assert peak < rows.nbytes / 10


def test_masks_of_one_length_agree_and_others_have_no_say():
    first, second = np.array([[True, True, False]]), np.array([[False, True, True]])
    longer = np.ones((1, 5), bool)
    assert common_mask((None, None)) is None
    assert common_mask((None, first)) is first
    assert common_mask((first, first)) is first
    assert common_mask((first, longer, None)) is first
    np.testing.assert_array_equal(common_mask((first, None, second)), [[False, True, False]])
    np.testing.assert_array_equal(first, [[True, True, False]])
