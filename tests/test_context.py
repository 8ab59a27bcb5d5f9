"""What a layer sees: buffers that come again."""

import numpy as np

from modnet import Context


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
