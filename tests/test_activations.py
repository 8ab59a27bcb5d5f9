"""Every activation against finite differences, against torch, and at the ends of the number range."""

import math

import numpy as np
import pytest

import modnet
from modnet.activations import (
    ELU,
    GELU,
    SELU,
    HardSigmoid,
    HardSwish,
    Identity,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    blocks,
)
from modnet.activations.gated import normal_distribution
from modnet.errors import ShapeError
from modnet.plugins.builtin import BUILTIN
from modnet.testing import layer_context

ELEMENTWISE = [
    ELU(),
    ELU(alpha=0.3),
    GELU(),
    GELU(form="tanh"),
    SELU(),
    HardSigmoid(),
    HardSwish(),
    Identity(),
    LeakyReLU(),
    LeakyReLU(negative_slope=0.0),
    Mish(),
    ReLU(),
    Sigmoid(),
    SiLU(),
    Softplus(),
    Tanh(),
]
OTHERS = [Softmax(), LogSoftmax(), PReLU(), PReLU(shared=True)]

TORCH = {
    ELU(): "ELU()",
    ELU(alpha=0.3): "ELU(alpha=0.3)",
    GELU(): "GELU()",
    GELU(form="tanh"): "GELU(approximate='tanh')",
    SELU(): "SELU()",
    HardSigmoid(): "Hardsigmoid()",
    HardSwish(): "Hardswish()",
    Identity(): "Identity()",
    LeakyReLU(): "LeakyReLU(0.01)",
    Mish(): "Mish()",
    ReLU(): "ReLU()",
    Sigmoid(): "Sigmoid()",
    SiLU(): "SiLU()",
    Softplus(): "Softplus()",
    Tanh(): "Tanh()",
    Softmax(): "Softmax(dim=-1)",
    LogSoftmax(): "LogSoftmax(dim=-1)",
    PReLU(): "PReLU(8)",
    PReLU(shared=True): "PReLU()",
}


def test_every_activation_is_in_a_table_of_this_file():
    tested = {type(activation).__name__ for activation in ELEMENTWISE + OTHERS}
    assert tested == {value.partition(":")[2] for value in BUILTIN["modnet.activations"].values()}
    assert tested == {type(activation).__name__ for activation in TORCH}


@pytest.mark.parametrize("activation", TORCH, ids=repr)
def test_values_and_gradients_are_those_of_torch(activation):
    torch = pytest.importorskip("torch", reason="install the extra: parity")
    rng = np.random.default_rng(1)
    x = (3 * rng.standard_normal((16, 8))).astype(np.float32)
    weights = rng.standard_normal(x.shape).astype(np.float32)
    layer = eval(f"torch.nn.{TORCH[activation]}", {"torch": torch}).double()
    # In float64: torch's own gelu loses its digits below 0 in float32, and ours does not.
    input = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    expected = layer(input)
    expected.backward(torch.tensor(weights, dtype=torch.float64))
    context = layer_context(activation, (8,), dtype=np.float32)
    for name in context.params:
        context.params[name][...] = 0.25
    y = activation.forward(context, x)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(activation.backward(context, weights.copy()), input.grad, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(context.grads.values(), layer.parameters(), strict=True):
        np.testing.assert_allclose(ours.reshape(-1), theirs.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ELEMENTWISE + OTHERS, ids=repr)
def test_it_is_finite_from_minus_to_plus_ten_thousand(activation, dtype):
    x = np.concatenate([s * np.geomspace(1e-30, 1e4, 400) for s in (-1, 1)]).reshape(-1, 8).astype(dtype)
    x[0, 0] = 0
    context = layer_context(activation, (8,), dtype=dtype)
    y = activation.forward(context, x)
    gradient = activation.backward(context, np.ones_like(x))
    assert y.dtype == gradient.dtype == dtype
    assert np.isfinite(y).all()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("activation", [a for a in ELEMENTWISE + OTHERS if not isinstance(a, PReLU)], ids=repr)
def test_the_function_may_write_over_its_input(activation):
    x = np.random.default_rng(0).standard_normal((5, 7))
    expected = activation.function(x, np.empty_like(x))
    assert expected is not x
    assert activation.function(x, x) is x
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("activation", OTHERS, ids=repr)
def test_a_layer_may_write_over_its_input_where_the_context_says_so(activation):
    x = np.random.default_rng(0).standard_normal((5, 7))
    context = layer_context(activation, (7,), training=False)
    expected = activation.forward(context, x).copy()
    context.may_overwrite_input = True
    assert activation.forward(context, x) is x
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("activation", [a for a in ELEMENTWISE if not a.needs_input], ids=repr)
def test_the_derivative_follows_from_the_output_where_the_class_says_so(activation):
    x = np.linspace(-2, 2, 10)
    y = activation.function(x, np.empty_like(x))
    slope = activation.derivative(None, y, np.empty_like(x))
    np.testing.assert_array_equal(slope, activation.derivative(x, y, np.empty_like(x)))


@pytest.mark.parametrize("activation", [a for a in ELEMENTWISE if a.scratch_output], ids=repr)
def test_the_derivative_does_not_read_an_output_that_others_may_overwrite(activation):
    x = np.linspace(-2, 2, 10)
    y = activation.function(x, np.empty_like(x))
    slope = activation.derivative(x, np.full_like(y, np.nan), np.empty_like(x))
    np.testing.assert_array_equal(slope, activation.derivative(x, y, np.empty_like(x)))


@pytest.mark.parametrize("activation", [*ELEMENTWISE, Softmax(), LogSoftmax()], ids=repr)
def test_a_large_array_is_treated_in_blocks_with_the_same_result(activation, monkeypatch):
    x = np.random.default_rng(0).standard_normal((13, 5, 7))

    def both():
        y = activation.function(x, np.empty_like(x))
        return y, activation.derivative(x, y, np.empty_like(x)) if activation.elementwise else y

    whole = both()
    monkeypatch.setattr(blocks, "BLOCK", 40)
    for in_blocks, expected in zip(both(), whole, strict=True):
        np.testing.assert_array_equal(in_blocks, expected)


@pytest.mark.parametrize(("dtype", "reach", "tolerance"), [(np.float64, 6, 1e-14), (np.float32, 4, 1e-6)])
def test_the_normal_distribution_keeps_its_digits_in_the_lower_tail(dtype, reach, tolerance):
    x = np.linspace(-reach, reach, 20001).astype(dtype)
    expected = np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x.tolist()])
    cumulative = normal_distribution(x)
    assert cumulative.dtype == dtype
    np.testing.assert_allclose(cumulative, expected, rtol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-15), (np.float32, 2e-7)])
def test_the_normal_distribution_is_that_of_erf(dtype, tolerance):
    x = np.linspace(-45, 45, 50001).astype(dtype)
    expected = np.array([(1 + math.erf(value / math.sqrt(2))) / 2 for value in x.tolist()])
    np.testing.assert_allclose(normal_distribution(x), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_the_slope_of_gelu_is_found_from_its_value_everywhere(dtype, tolerance):
    near_zero = [0.0, -0.0, 1e-45, -1e-39, 1e-30, -9e-31, 1e-20, -1e-7]
    x = np.array([*near_zero, *np.linspace(-12, 12, 2001), 50, -50, 1e30, -1e30], dtype)
    with np.errstate(all="raise", under="ignore"):
        y = GELU().function(x, np.empty_like(x))
        found = GELU().derivative(x, y, np.empty_like(x))
    numbers = x.tolist()
    density = [math.exp(-min(value**2, 1e4) / 2) / math.sqrt(2 * math.pi) for value in numbers]
    expected = [math.erfc(-v / math.sqrt(2)) / 2 + v * d for v, d in zip(numbers, density, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_sigmoid_ranks_the_improbable():
    x = np.linspace(-80, -20, 100, dtype=np.float32)
    y = Sigmoid().function(x, np.empty_like(x))
    np.testing.assert_allclose(y, np.exp(x), rtol=1e-6)


def test_softmax_does_not_feel_a_shift():
    x = np.array([[1.0, 2.0, 3.0]])
    shifted = Softmax().function(x + 1000, np.empty_like(x))
    np.testing.assert_allclose(shifted, Softmax().function(x, np.empty_like(x)))
    assert shifted.sum() == pytest.approx(1)


def test_prelu_needs_to_know_how_many_features_there_are():
    with pytest.raises(ShapeError, match=r"^expects a last axis of fixed size"):
        PReLU().parameters((None,))
    assert PReLU(shared=True).parameters((None,))["alpha"].shape == ()


@pytest.mark.parametrize("activation", ELEMENTWISE + OTHERS, ids=repr)
def test_values_stay_in_the_range_that_the_class_promises(activation):
    if activation.keeps_numbers:
        return
    lowest, highest = activation.output_range
    x = np.concatenate((np.linspace(-20, 20, 20001), [-1e4, 1e4]))[:, None] * [[1.0, -1.0]]
    context = layer_context(activation, (2,), seed=0)
    y = activation.forward(context, x)
    assert lowest - 1e-12 <= y.min()
    assert y.max() <= highest + 1e-12
    reached = {-math.inf: y.min() < -100, math.inf: y.max() > 100}
    by_option = isinstance(activation, ELU | LeakyReLU)  # how low they reach is an option's to say
    assert by_option or reached.get(lowest, y.min() < lowest + 1e-3)
    assert reached.get(highest, y.max() > highest - 1e-3)


@pytest.mark.parametrize("activation", ELEMENTWISE + OTHERS, ids=repr)
def test_a_single_unit_is_a_constant_where_the_class_says_that_it_normalizes(activation):
    context = layer_context(activation, (1,), seed=0)
    constant = np.ptp(activation.forward(context, np.array([[-2.0], [0.5], [3.0]]))) == 0
    assert constant == activation.normalizes


@pytest.mark.parametrize("activation", [Softmax(), LogSoftmax()])
def test_padded_steps_take_no_part_in_a_softmax_over_steps(activation):
    rng = np.random.default_rng(0)
    lengths = np.array([5, 3, 1, 0])
    context = modnet.Context(np.float64)
    context.masks = (np.arange(5) < lengths[:, None],)
    x, gradient = rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    y = activation.forward(context, x.copy()).copy()
    slope = activation.backward(context, gradient.copy())
    probabilities = y if isinstance(activation, Softmax) else np.exp(y)
    for row, length in enumerate(lengths):
        assert not probabilities[row, length:].any() or not length
        assert not slope[row, length:].any()
        if length:
            alone = modnet.Context(np.float64)
            np.testing.assert_allclose(y[row, :length], activation.forward(alone, x[row : row + 1, :length])[0])
            expected = activation.backward(alone, gradient[row : row + 1, :length].copy())[0]
            np.testing.assert_allclose(slope[row, :length], expected, atol=1e-15)


def test_attention_over_padded_steps_is_the_same_with_more_padding():
    layers = [
        {"type": "embedding", "vocabulary_size": 6, "embedding_size": 3, "padding": 0},
        {"type": "linear", "out_features": 1},
        {"type": "reshape", "shape": [-1]},
        "softmax",
    ]
    found = []
    for steps in (4, 7):
        network = modnet.build({"network": {"input": [steps], "dtype": "float64", "layers": layers}})
        ids = np.zeros((2, steps), int)
        ids[0, :3], ids[1, :4] = [1, 2, 3], [5, 4, 3, 2]
        found.append(network.forward(ids))
    np.testing.assert_allclose(found[1][:, :4], found[0], rtol=1e-12)
    assert not found[1][:, 4:].any()
    np.testing.assert_allclose(found[1].sum(axis=1), 1)
