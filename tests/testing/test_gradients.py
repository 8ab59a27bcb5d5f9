"""The gradient checker has to catch what it is there for: faults are planted and must be found."""

import numpy as np
import pytest

from modnet.initializers import Ones, Zeros
from modnet.kinds.activation import Activation
from modnet.kinds.layer import Layer, Parameter
from modnet.layers import Dropout, Embedding, Linear
from modnet.testing import directional_error, layer_context, layer_gradient_errors, layer_inputs


def test_a_right_gradient_passes():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4))
    assert directional_error(lambda x: np.sin(x).sum(), np.cos(x), x, rng) < 1e-8


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_an_error_of_a_twentieth_of_a_percent_is_found_at_any_scale(scale):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(20)
    error = directional_error(lambda x: scale * np.sin(x).sum(), 1.0005 * scale * np.cos(x), x, rng)
    assert error == pytest.approx(5e-4, rel=0.01)


def test_a_gradient_of_zero_passes_though_the_value_is_rounded():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(20)
    assert directional_error(lambda x: 3 + (x + 1e3).sum() - x.sum(), np.zeros(20), x, rng) < 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_does_not_pass(bad):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(3)
    assert directional_error(lambda x: x.sum(), np.array([1, 1, bad]), x, rng) == np.inf


class Scaling(Layer, type="scaling"):
    """y = weight * x + bias, feature by feature: correct."""

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def parameters(self, *input_shapes):
        return {"weight": Parameter(input_shapes[0], Ones()), "bias": Parameter(input_shapes[0], Zeros())}

    def forward(self, context, x):
        context.save(x)
        return x * context.params["weight"] + context.params["bias"]

    def backward(self, context, gradient):
        (x,) = context.saved
        context.grads["weight"][...] = (x * gradient).sum(axis=0)
        context.grads["bias"][...] = gradient.sum(axis=0)
        return gradient * context.params["weight"]


class ForgotTheBias(Scaling, type="forgot_the_bias"):
    def backward(self, context, gradient):
        context.grads["weight"][...] = (context.saved[0] * gradient).sum(axis=0)
        return gradient * context.params["weight"]


class SlightlyWrong(Scaling, type="slightly_wrong"):
    def backward(self, context, gradient):
        return 1.0005 * super().backward(context, gradient)


class WritesIntoItsInput(Scaling, type="writes_into_its_input"):
    def forward(self, context, x):
        y = super().forward(context, x.copy())
        x[...] = y
        return y


class AlwaysDouble(Scaling, type="always_double"):
    def forward(self, context, x):
        return super().forward(context, x).astype(np.float64)


class AnnouncesAnother(Scaling, type="announces_another"):
    def output_shape(self, *input_shapes):
        return (1, *input_shapes[0])


class WrongGradientShape(Scaling, type="wrong_gradient_shape"):
    def backward(self, context, gradient):
        return super().backward(context, gradient)[:, :1]


class Steep(Activation, type="steep"):
    """exp(x) with the derivative exp(x) + 0.0005."""

    def function(self, x, out):
        return np.exp(x, out=out)

    def derivative(self, x, y, out):
        return np.add(y, 0.0005, out=out)


def test_a_correct_layer_passes_with_every_input_and_parameter_named():
    errors = layer_gradient_errors(Scaling(), (5,))
    assert list(errors) == ["input", "weight", "bias"]
    assert max(errors.values()) < 1e-8


@pytest.mark.parametrize(
    ("layer", "part"), [(ForgotTheBias(), "bias"), (SlightlyWrong(), "input"), (Steep(), "input")], ids=str
)
def test_a_wrong_gradient_is_found_where_it_is(layer, part):
    errors = layer_gradient_errors(layer, (5,))
    assert [name for name, error in errors.items() if error > 1e-6] == [part]


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (WritesIntoItsInput(), "writes into an input"),
        (AlwaysDouble(), "turns float32 into float64"),
        (
            AnnouncesAnother(),
            r"output_shape of announces_another gives \(4, 1, 5\) with the batch axis, and forward gives \(4, 5\)",
        ),
        (WrongGradientShape(), r"gives a gradient of shape \(4, 1\) for an input of shape \(4, 5\)"),
    ],
    ids=str,
)
def test_other_faults_are_found(layer, fault):
    with pytest.raises(AssertionError, match=fault):
        layer_gradient_errors(layer, (5,))


def test_random_layers_are_a_fixed_function_while_they_are_checked():
    assert layer_gradient_errors(Dropout(rate=0.4), (50,))["input"] < 1e-6


def test_ids_have_no_gradient():
    assert list(layer_gradient_errors(Embedding(vocabulary_size=3, embedding_size=2), (4,))) == ["weight"]


def test_inputs_are_off_zero_and_off_each_other():
    (x,) = layer_inputs(Scaling(), (6, 6, 3), batch=8)
    assert x.shape == (8, 6, 6, 3)
    assert np.abs(x).min() > 0.1
    assert np.diff(np.sort(x.ravel())).min() > 1e-3
    assert np.abs(x).max() < 3.7


def test_a_variable_axis_gets_a_size():
    first, second = layer_inputs(Scaling(), (None, 2), (4,), batch=5)
    assert first.shape == (5, 3, 2)
    assert second.shape == (5, 4)


def test_a_context_to_run_a_layer_in():
    context = layer_context(Linear(out_features=2), (3,), dtype=np.float32)
    assert {name: array.shape for name, array in context.params.items()} == {"weight": (3, 2), "bias": (2,)}
    assert context.params["bias"].all(), "shifted, so that a zero is not special"
    assert np.isnan(context.grads["weight"]).all(), "a gradient that is never written is seen"
    assert Linear(out_features=2).forward(context, np.ones((5, 3), np.float32)).shape == (5, 2)
