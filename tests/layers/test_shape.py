import numpy as np
import pytest

from modnet.errors import ShapeError, SpecError
from modnet.layers import Flatten, Reshape, Slice
from modnet.testing import layer_context, layer_gradient_errors


@pytest.mark.parametrize(
    ("layer", "shape", "result"),
    [
        (Flatten(), (4, 4, 8), (128,)),
        (Flatten(), (5,), (5,)),
        (Flatten(), (), (1,)),
        (Reshape(shape=(2, 6)), (4, 3), (2, 6)),
        (Reshape(shape=(-1, 2)), (4, 3), (6, 2)),
        (Reshape(shape=(2, -1)), (4,), (2, 2)),
    ],
)
def test_shapes_and_gradients(layer, shape, result):
    assert layer.output_shape(shape) == result
    assert layer_gradient_errors(layer, shape)["input"] <= 1e-6


def test_the_order_of_the_numbers_stays():
    x = np.arange(24.0).reshape(2, 3, 4)
    flat = Flatten().forward(layer_context(Flatten(), (3, 4)), x)
    np.testing.assert_array_equal(flat, [np.arange(12.0), np.arange(12.0, 24.0)])


@pytest.mark.parametrize("layer", [Flatten(), Reshape(shape=(-1, 2))])
def test_an_empty_batch_keeps_its_sample_shape(layer):
    y = layer.forward(layer_context(layer, (3, 4)), np.empty((0, 3, 4)))
    assert y.shape == (0, *layer.output_shape((3, 4)))


def test_minus_one_may_be_variable():
    layer = Reshape(shape=(-1, 2))
    assert layer.output_shape((None, 4)) == (None, 2)
    assert layer.forward(layer_context(layer, (None, 4)), np.ones((3, 5, 4))).shape == (3, 10, 2)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Flatten(), (None, 4), "expects a fixed size of every axis; axis 0 is variable"),
        (Reshape(shape=(2, 2)), (None,), "expects a fixed size of every axis; axis 0 is variable"),
        (Reshape(shape=(2, 2)), (5,), "expects samples of 4 elements for the shape [2, 2]"),
        (Reshape(shape=(-1, 2)), (5,), "expects samples of a multiple of 2 elements for the shape [-1, 2]"),
    ],
)
def test_shapes_that_do_not_fit(layer, shape, message):
    with pytest.raises(ShapeError) as caught:
        layer.output_shape(shape)
    assert caught.value.message == message


@pytest.mark.parametrize("shape", [(-1, -1), (0, 3), (-2,)])
def test_bad_configuration(shape):
    with pytest.raises(SpecError, match="expected"):
        Reshape(shape=shape)


@pytest.mark.parametrize(
    ("layer", "shape", "part"),
    [
        (Slice(start=1), (5,), np.s_[:, 1:]),
        (Slice(stop=-2), (5,), np.s_[:, :-2]),
        (Slice(axis=0, start=1, stop=3), (4, 3), np.s_[:, 1:3]),
        (Slice(axis=1, start=-2), (4, 3, 5), np.s_[:, :, -2:]),
        (Slice(axis=-2, start=-2, stop=10), (4, 3, 5), np.s_[:, :, -2:10]),
    ],
)
def test_a_slice_is_that_of_numpy(layer, shape, part):
    x = np.random.default_rng(0).standard_normal((3, *shape))
    context = layer_context(layer, shape)
    y = layer.forward(context, x)
    np.testing.assert_array_equal(y, x[part])
    assert layer.output_shape(shape) == y.shape[1:]
    gradient = layer.backward(context, np.ones_like(y))
    expected = np.zeros_like(x)
    expected[part] = 1
    np.testing.assert_array_equal(gradient, expected)


def test_slices_that_take_nothing_or_all():
    assert Slice(axis=0, start=1).output_shape((None, 3)) == (None, 3)
    with pytest.raises(ShapeError, match="expects an axis -1 with elements at 5:"):
        Slice(start=5).output_shape((5,))
    with pytest.raises(ShapeError, match="expects samples with an axis 1"):
        Slice(axis=1, start=1).output_shape((5,))
    with pytest.raises(ValueError, match="expected start, stop, or both"):
        Slice()


@pytest.mark.parametrize(("axis", "goes"), [(0, True), (-2, True), (1, False), (-1, False)])
def test_the_mask_goes_with_sliced_steps(axis, goes):
    layer = Slice(axis=axis, start=1)
    context = layer_context(layer, (4, 3))
    mask = np.arange(4) < np.array([[2], [4]])
    context.masks, context.output_mask = (mask,), mask
    layer.forward(context, np.ones((2, 4, 3)))
    np.testing.assert_array_equal(context.output_mask, mask[:, 1:] if goes else mask)


def test_the_mask_ends_where_steps_are_counted_from_the_end():
    layer = Slice(axis=0, start=-2)
    context = layer_context(layer, (4, 3))
    mask = np.arange(4) < np.array([[2], [4]])
    context.masks, context.output_mask = (mask,), mask
    layer.forward(context, np.ones((2, 4, 3)))
    assert context.output_mask is None
