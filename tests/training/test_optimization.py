"""How an optimizer is given the parameters: in chunks, or whole where its kernel asks for that."""

import numpy as np
import pytest

import modnet
from modnet.kernels import Kernels
from modnet.optimizers import SGD
from modnet.training.optimization import CHUNK, Optimization


class Offer:
    """An entry point that is there without a distribution."""

    def __init__(self, name, maker):
        self.name = name
        self.load = lambda: maker


@pytest.mark.parametrize(("whole", "sizes"), [(False, [CHUNK, 4 * 20_000 - CHUNK, 4]), (True, [80_000, 4])])
def test_a_kernel_is_given_chunks_or_all_that_has_one_weight_decay(registry, whole, sizes):
    calls = []

    def maker(optimizer, dtype):
        def update(parameter, gradient, slots, scratch, step, learning_rate, weight_decay):
            calls.append((len(parameter), weight_decay))
            optimizer.update(parameter, gradient, slots, [np.empty_like(parameter)], step, learning_rate, weight_decay)

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


def test_weights_that_nothing_but_decay_pulls_at_never_become_subnormal():
    network = modnet.build({"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}})
    gradients = network.parameters.like()
    optimization = Optimization(network, SGD(weight_decay=0.5), gradients)
    for _ in range(400):
        gradients.flat.fill(0)
        optimization.step(0.5)
    weight = network.parameters["linear_1.weight"]
    assert not ((weight != 0) & (np.abs(weight) < np.finfo(np.float32).tiny)).any()
