"""Temperature scaling: what it makes of probabilities, at their ends too."""

import numpy as np
import pytest

import modnet
from modnet.activations import Sigmoid, Softmax
from modnet.kinds.context import Context
from modnet.layers import Temperature

RNG = np.random.default_rng(0)


def scaled(p, temperature, dtype=np.float64, **options):
    context = Context(np.dtype(dtype), state={"temperature": np.array(temperature, dtype)})
    context.begin()
    return Temperature(**options).forward(context, np.asarray(p, dtype))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_probabilities_of_classes_become_those_of_divided_logits(temperature):
    z = RNG.normal(size=(9, 4)) * 5
    np.testing.assert_allclose(scaled(softmax(z), temperature), softmax(z / temperature), rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"independent": True}])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_so_do_single_probabilities(options, temperature):
    z = RNG.normal(size=(9, 1 if not options else 3)) * 5
    found = scaled(1 / (1 + np.exp(-z)), temperature, **options)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-z / temperature)), rtol=1e-10)


def test_the_network_that_ends_with_it_gives_the_same():
    spec = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 4}, "softmax", "temperature"]}}
    network = modnet.build(spec, dtype="float64")
    network.state["temperature_1.temperature"][...] = 2.5
    x = RNG.normal(size=(6, 3))
    z = x @ network.parameters["linear_1.weight"] + network.parameters["linear_1.bias"]
    np.testing.assert_allclose(network.forward(x), softmax(z / 2.5), rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 3.0, 100.0])
def test_certain_probabilities_stay_finite_and_in_order_in_float32(temperature):
    several = np.array([[0, 0, 1], [1e-45, 1e-38, 1], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        found = scaled(several, temperature, np.float32)
        alone = scaled([[0], [1e-38], [0.5], [1 - 6e-8], [1]], temperature, np.float32)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found[[0, 1, 2]].argmax(axis=1), [2, 2, 0])
    assert np.isfinite(alone).all()
    assert (np.diff(alone[:, 0]) >= 0).all()
    assert alone[2, 0] == 0.5
    assert (alone[0, 0] < 0.5 < alone[4, 0]) or temperature == 100.0


def test_gradients_at_the_ends_are_finite():
    for options in ({}, {"independent": True}):
        context = Context(np.dtype(np.float32), state={"temperature": np.array(2, np.float32)})
        context.begin()
        layer = Temperature(**options)
        layer.forward(context, np.array([[0, 1, 0], [1, 0, 0]], np.float32))
        assert np.isfinite(layer.backward(context, np.ones((2, 3), np.float32))).all()


def test_the_most_probable_class_stays():
    p = softmax(RNG.normal(size=(500, 5)) * 3)
    for temperature in (0.05, 0.7, 20.0):
        np.testing.assert_array_equal(scaled(p, temperature).argmax(axis=1), p.argmax(axis=1))


def test_torch_gives_the_same():
    torch = pytest.importorskip("torch")
    z = RNG.normal(size=(20, 3)) * 4
    several = torch.softmax(torch.tensor(z), dim=-1).numpy()
    found = scaled(several, 1.7)
    np.testing.assert_allclose(found, torch.softmax(torch.tensor(z) / 1.7, dim=-1).numpy(), rtol=1e-12)


def test_it_stands_behind_probabilities():
    context = Context(np.dtype(np.float64))
    context.begin()
    assert Softmax().output_range == Sigmoid().output_range == Temperature().output_range == (0.0, 1.0)
    assert Temperature.only_in_prediction
