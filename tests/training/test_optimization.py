"""How an optimizer is given the parameters: in chunks, or whole where its kernel asks for that."""

from typing import ClassVar

import numpy as np
import pytest

import modnet
from modnet.arrays import norm
from modnet.optimizers import SGD
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.kernels import Kernels
from modnet.training.optimization import CHUNK, Optimization


class Offer:
    """An entry point that is there without a distribution."""

    def __init__(self, name, maker):
        self.name = name
        self.load = lambda: maker


@pytest.mark.parametrize(("whole", "sizes"), [(False, [CHUNK, 4 * 20_000 - CHUNK, 4]), (True, [80_000, 4])])
def test_a_kernel_is_given_chunks_or_all_that_has_one_weight_decay(registry, whole, sizes):
    calls: ClassVar[list] = []

    def maker(optimizer, dtype):
        def update(chunk, step):
            calls.append((len(chunk.parameter), step.weight_decay))
            chunk.scratch = [np.empty_like(chunk.parameter)]
            optimizer.update(chunk, step)

        update.whole = whole
        return update

    layers = [{"type": "linear", "out_features": 4}]
    network = modnet.build({"network": {"input": [20_000], "layers": layers}}, registry=registry)
    gradients = network.parameters.like()
    gradients.flat.fill(1)
    optimizer = SGD(momentum=0.9, weight_decay=0.1)
    expected = network.parameters.flat * (1 - 0.5 * 0.1) - 0.5
    optimization = Optimization(network, optimizer, gradients, Kernels([Offer("optimizer.sgd.update", maker)]))
    optimization.step(0.5)
    assert calls == [(size, 0.1) for size in sizes[:-1]] + [(sizes[-1], 0.0)]
    np.testing.assert_allclose(network.parameters["linear_1.weight"].ravel(), expected[:80_000], rtol=1e-6, atol=1e-6)


class Recorded(modnet.Optimizer):
    """Notes what it is given."""

    by_parameter = True
    slots = ("kept",)
    scratch = 2
    calls: ClassVar[list] = []

    def update(self, chunk, step):
        shapes = {array.shape for array in (chunk.parameter, chunk.gradient, *chunk.slots, *chunk.scratch)}
        self.calls.append((*shapes, step.number, step.weight_decay))
        chunk.parameter -= step.learning_rate


def test_an_optimizer_that_works_by_parameter_is_given_each_in_its_own_shape(registry):
    layers = [
        {"type": "linear", "out_features": 4, "name": "first"},
        {"type": "layer_norm", "trainable": False},
        {"type": "linear", "out_features": 4, "shares": "first"},
        {"type": "linear", "out_features": 2, "name": "last"},
    ]
    network = modnet.build({"network": {"input": [4], "layers": layers}}, registry=registry)
    before = network.parameters.copy()
    optimization = Optimization(network, Recorded(weight_decay=0.1), network.parameters.like())
    Recorded.calls.clear()
    optimization.step(0.5)
    assert Recorded.calls == [((4, 4), 1, 0.1), ((4, 2), 1, 0.1), ((4,), 1, 0.0), ((2,), 1, 0.0)]
    for key, array in network.parameters.items():
        assert np.array_equal(array, before[key] if "norm" in key else before[key] - np.float32(0.5)), key


def test_weights_that_nothing_but_decay_pulls_at_never_become_subnormal():
    network = modnet.build({"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}})
    gradients = network.parameters.like()
    optimization = Optimization(network, SGD(weight_decay=0.5), gradients)
    for _ in range(400):
        gradients.flat.fill(0)
        optimization.step(0.5)
    weight = network.parameters["linear_1.weight"]
    assert not ((weight != 0) & (np.abs(weight) < np.finfo(np.float32).tiny)).any()


@pytest.mark.parametrize("name", sorted(BUILTIN["modnet.optimizers"]))
def test_parameters_that_no_loss_reaches_are_left_alone(name, registry):
    layers = [
        {"type": "linear", "out_features": 8, "name": "trunk", "l2": 0.1},
        {"type": "linear", "out_features": 2, "name": "kind"},
        {"type": "linear", "out_features": 3, "inputs": ["trunk"], "name": "hidden", "l2": 0.1},
        {"type": "linear", "out_features": 1, "name": "size"},
    ]
    spec = {"network": {"input": [4], "layers": layers, "outputs": ["kind", "size"]}}
    network = modnet.build(spec, registry=registry)
    before = network.parameters.copy()
    optimizer = {"type": name, "learning_rate": 0.01, "weight_decay": 0.1, "decay_all": True}
    x = np.random.default_rng(0).normal(size=(64, 4))
    modnet.train(network, x, {"kind": x[:, :2]}, loss={"kind": "mse"}, optimizer=optimizer, epochs=2, registry=registry)
    for key, array in network.parameters.items():
        same = key.startswith(("hidden", "size"))
        assert np.array_equal(array, before[key]) is same, key


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e18, 1e19, 1e25, 1e38])
def test_a_gradient_of_any_size_is_clipped_to_the_norm(dtype, size):
    spec = {"network": {"input": [30], "layers": [{"type": "linear", "out_features": 3}], "dtype": dtype}}
    network = modnet.build(spec)
    gradients = network.parameters.like()
    direction = np.random.default_rng(0).normal(size=gradients.size)
    direction /= 3 * np.abs(direction).max()
    gradients.flat[:] = direction * size * 3
    optimization = Optimization(network, SGD(), gradients)
    exact = np.linalg.norm(direction) * 3 * size
    assert optimization.norms() == [pytest.approx(exact, rel=1e-5)]
    optimization.clip(1e-4 * size if size < 1 else 1.0, None)
    expected = direction / np.linalg.norm(direction) * (1e-4 * size if size < 1 else 1.0)
    np.testing.assert_allclose(gradients.flat, expected, rtol=1e-4)


def test_a_norm_that_is_infinite_or_nan_says_so():
    assert norm(np.array([1.0, np.inf], np.float32)) == np.inf
    assert np.isnan(norm(np.array([1.0, np.nan], np.float32)))
    assert norm(np.zeros((0, 3), np.float32)) == 0.0
