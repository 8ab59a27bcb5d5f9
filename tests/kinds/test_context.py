"""What a layer sees: buffers that come again, and sums of rows."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

from modnet import Context
from modnet.arrays import PIECE, common_mask, sum_rows
from modnet.kinds.schedule import Progress


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


# A layer within a layer


def test_a_child_has_what_its_name_is_before():
    params = {"a.weight": np.ones(2), "b.weight": np.zeros(3), "a.inner.weight": np.ones(1), "abc": np.ones(4)}
    context = Context(
        np.float32, params, {name: array.copy() for name, array in params.items()}, {"a.mean": np.ones(1)}
    )
    child = context.child("a")
    assert context.child("a") is child
    assert list(child.params) == ["weight", "inner.weight"]
    assert child.params["weight"] is params["a.weight"]
    assert child.grads["weight"] is context.grads["a.weight"]
    assert list(child.state) == ["mean"]
    assert child.child("inner").params["weight"] is params["a.inner.weight"]
    assert not context.child("nothing").params


def test_a_child_shares_what_is_of_the_pass():
    context = Context(np.float32, rng=np.random.default_rng(1), training=True, needs_input_gradient=False)
    mask = np.ones((2, 3), bool)
    context.masks, context.output_mask = (mask,), mask
    child = context.child("a")
    assert child.rng is context.rng
    assert child.training
    assert child.needs_input_gradient, "what it reads may come from another child with weights"
    assert child.masks == (mask,)
    child.masks = (None,)
    child.output_mask = None
    assert context.masks == (mask,)
    assert context.output_mask is None
    assert child.memory is None
    context.memory = {}
    child.memory["past"] = 3
    assert context.memory == {"a": {"past": 3}}
    context.memory = {}
    assert child.memory == {}
    child.penalize(1.5)
    context.penalize(2)
    assert context.penalty == child.penalty == 3.5
    context.progress = Progress(1.0, 2, {})
    assert child.progress is context.progress


def test_children_have_buffers_of_their_own_each_the_same_again():
    context = Context(np.float32)

    def arrays():
        context.begin()
        context.child("a").begin()  # does not begin the buffers anew, which are the whole layer's
        return [
            context.buffer((2,)),
            context.child("a").buffer((2,)),
            context.child("b").buffer((2,)),
            context.buffer((2,)),
        ]

    first, again = arrays(), arrays()
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert len({array.ctypes.data for array in first}) == 4
    assert context.nbytes == 4 * 8


def test_what_children_have_saved_is_let_go():
    context = Context(np.float32)
    context.child("a").child("b").save(np.ones(3))
    context.forget()
    assert context.child("a").child("b").saved == ()


def test_the_arrays_of_a_context_can_be_copied():
    context = Context("float64", grads={"w": np.ones(2)})
    for made in (copy.deepcopy(context.grads), pickle.loads(pickle.dumps(context.grads))):
        assert type(made) is type(context.grads)
        assert made["w"].tolist() == [1, 1]
        assert made["w"] is not context.grads["w"]


@pytest.mark.parametrize("arrays", ["grads", "state"])
def test_an_array_of_the_context_is_written_into_and_not_replaced(arrays):
    context = Context("float64", **{arrays: {"inner.mean": np.zeros(2)}})
    for held, name in (getattr(context, arrays), "inner.mean"), (getattr(context.child("inner"), arrays), "mean"):
        with pytest.raises(TypeError, match="cannot be replaced; write into it"):
            held[name] = np.ones(2)
        held[name] += 1
        held[name][...] += 1
    assert getattr(context, arrays)["inner.mean"].tolist() == [4, 4]
