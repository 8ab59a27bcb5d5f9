import numpy as np
import pytest

from modnet.errors import ShapeError, SpecError
from modnet.layers import Flatten, Reshape
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
