import numpy as np
import pytest

import modnet
from modnet import Layer
from modnet.errors import ShapeError
from modnet.layers import Add, Concatenate, Multiply
from modnet.testing import layer_context, layer_gradient_errors


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (Add(), [(4,), (4,)]),
        (Add(), [(2, 4), (2, 4), (2, 4)]),
        (Multiply(), [(4,), (4,)]),
        (Multiply(), [(2, 4), (2, 4), (2, 4)]),
        (Concatenate(), [(3,), (2,)]),
        (Concatenate(), [(5, 3), (5, 1), (5, 2)]),
        (Concatenate(axis=0), [(1, 4), (3, 4)]),
        (Concatenate(axis=-2), [(2, 1, 4), (2, 3, 4)]),
    ],
)
def test_gradients(layer, shapes):
    errors = layer_gradient_errors(layer, *shapes)
    assert list(errors) == [f"input_{number + 1}" for number in range(len(shapes))]
    assert max(errors.values()) <= 1e-6


@pytest.mark.parametrize(
    ("layer", "function"), [(Add(), np.add.reduce), (Multiply(), np.multiply.reduce), (Concatenate(), np.hstack)]
)
def test_values(layer, function):
    inputs = list(np.random.default_rng(0).standard_normal((3, 2, 4)))
    y = layer.forward(layer_context(layer, *[(4,)] * 3), *inputs)
    np.testing.assert_allclose(y, function(inputs))


def test_a_product_with_zero_has_a_gradient():
    context = layer_context(Multiply(), (2,), (2,))
    Multiply().forward(context, np.array([[0.0, 2.0]]), np.array([[3.0, 0.0]]))
    first, second = Multiply().backward(context, np.ones((1, 2)))
    np.testing.assert_array_equal(first, [[3, 0]])
    np.testing.assert_array_equal(second, [[0, 2]])


@pytest.mark.parametrize("layer", [Multiply(), Concatenate()])
def test_each_gradient_can_be_overwritten_by_itself(layer):
    context = layer_context(layer, (2,), (2,))
    y = layer.forward(context, np.ones((1, 2)), np.ones((1, 2)))
    first, second = layer.backward(context, np.ones(y.shape))
    first.fill(7)
    np.testing.assert_array_equal(second, [[1, 1]])


@pytest.mark.parametrize(
    ("layer", "shapes", "result"),
    [
        (Add(), [(None, 4), (None, 4)], (None, 4)),
        (Add(), [(None, 4), (7, 4)], (7, 4)),
        (Concatenate(), [(None, 4), (None, 3)], (None, 7)),
        (Concatenate(axis=0), [(None, 4), (3, 4)], (None, 4)),
        (Concatenate(axis=0), [(2, 4), (3, 4)], (5, 4)),
    ],
)
def test_shapes(layer, shapes, result):
    assert layer.output_shape(*shapes) == result


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (Add(), [(4,), (5,)], "expects inputs of the same shape"),
        (Multiply(), [(4,), (4, 4)], "expects inputs of the same shape"),
        (Concatenate(), [(2, 4), (3, 4)], "expects inputs that differ only in axis -1"),
        (Concatenate(), [(4,), (3, 4)], "expects inputs that differ only in axis -1"),
        (Concatenate(axis=1), [(4,), (3,)], "expects samples with an axis 1"),
    ],
)
def test_shapes_that_do_not_fit(layer, shapes, message):
    with pytest.raises(ShapeError) as caught:
        layer.output_shape(*shapes)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("layer", "given", "message"),
    [
        ("add", ((2, 3, 4), (2, 1, 4)), "network.layers[0] (add): expects inputs of the same shape; found "),
        (
            "multiply",
            ((2, 1, 4), (2, 3, 4)),
            "network.layers[0] (multiply): expects inputs of the same shape; found ",
        ),
        ("concatenate", ((2, 3, 4), (2, 1, 4)), "expects inputs that differ only in axis -1; found "),
    ],
)
def test_a_variable_axis_that_differs_is_no_axis_to_repeat(layer, given, message):
    inputs = {"a": ["variable", 4], "b": ["variable", 4]}
    network = modnet.build({"network": {"input": inputs, "layers": [{"type": layer, "inputs": ["a", "b"]}]}})
    with pytest.raises(ShapeError) as caught:
        network.predict({name: np.zeros(shape) for name, shape in zip(inputs, given, strict=True)})
    assert f"{message}{given[0]} and {given[1]}" in str(caught.value)


@pytest.mark.parametrize("steps", [3, 4, 9])
def test_a_residual_of_another_length_is_refused(steps):
    half = {"type": "residual", "layers": ["relu"], "shortcut": [HalfAsLong()]}
    network = modnet.build({"network": {"input": ["variable", 4], "layers": [half]}})
    with pytest.raises(ShapeError, match=r"^network.layers\[0\] \(add\): expects inputs of the same shape"):
        network.predict(np.zeros((2, steps, 4)))


class HalfAsLong(Layer, type="half_as_long"):
    def output_shape(self, *input_shapes):
        return (None, *input_shapes[0][1:])

    def forward(self, context, x):
        return x[:, ::3]
