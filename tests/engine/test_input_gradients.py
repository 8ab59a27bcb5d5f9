"""The gradient of a prediction with respect to the inputs: true to the last digits that differences can tell."""

import numpy as np
import pytest

import modnet
from modnet.engine.input_gradients import InputGradients


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


NETWORKS = {
    "dense": (["standardize", linear(5, activation="tanh"), "softmax"], [4]),
    "kinks": (
        [linear(16, activation="relu"), linear(1)],
        [4],
    ),
    "norms": (["batch_norm", linear(6, activation="gelu"), "layer_norm"], [4]),
    "dropout": ([linear(8, activation="silu"), {"type": "dropout", "rate": 0.5}], [4]),
    "composite": ([{"type": "residual", "layers": [linear(4, activation="elu")]}], [4]),
    "shared": (
        [
            {"type": "linear", "out_features": 4, "activation": "sigmoid", "name": "a"},
            {"type": "linear", "out_features": 4, "shares": "a"},
        ],
        [4],
    ),
    "frozen": ([{"type": "linear", "out_features": 3, "trainable": False}, "tanh"], [4]),
    "no parameters": (["softplus", "softmax"], [4]),
    "image": (["flatten", linear(2, activation="tanh")], [3, 2, 1]),
}


def built(layers, shape, dtype="float64"):
    network = modnet.build({"network": {"input": shape, "dtype": dtype, "layers": layers}}, seed=1)
    rng = np.random.default_rng(0)
    network.prepare(lambda: [([rng.normal(2.0, 3.0, (50, *shape))], {})])
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_agree_with_finite_differences(name):
    layers, shape = NETWORKS[name]
    network = built(layers, shape)
    rng = np.random.default_rng(2)
    x = rng.normal(2.0, 3.0, (6, *shape))
    weights = rng.standard_normal(network.forward(x).shape)
    (found,) = InputGradients(network, "output").of([x], lambda output: weights.copy())
    direction = rng.standard_normal(x.shape)
    step = 1e-6
    ahead, behind = network.forward(x + step * direction), network.forward(x - step * direction)
    expected = ((ahead - behind) * weights).reshape(len(x), -1).sum(axis=1) / (2 * step)
    claimed = (found * direction).reshape(len(x), -1).sum(axis=1)
    assert claimed == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_the_slope_may_depend_on_the_output_and_batches_on_nothing_before():
    network = built(*NETWORKS["dense"])
    gradients = InputGradients(network, "output")
    x = np.random.default_rng(3).standard_normal((7, 4))
    (whole,) = gradients.of([x], lambda output: 2 * output)
    whole = whole.copy()
    for row in range(7):
        (one,) = gradients.of([x[row : row + 1]], lambda output: 2 * output)
        assert one[0] == pytest.approx(whole[row], rel=1e-12)


def test_nothing_in_the_network_changes():
    network = built(*NETWORKS["norms"])
    before = {name: array.copy() for name, array in (*network.parameters.items(), *network.state.items())}
    InputGradients(network, "output").of([np.ones((5, 4))], np.ones_like)
    for name, array in (*network.parameters.items(), *network.state.items()):
        assert np.array_equal(array, before[name]), name


TWO = {
    "network": {
        "input": {"numbers": [3], "ids": [2], "other": [2]},
        "dtype": "float64",
        "layers": [
            {"type": "embedding", "vocabulary_size": 5, "embedding_size": 2, "inputs": ["ids"]},
            {"type": "flatten", "name": "vectors"},
            {"type": "concatenate", "inputs": ["numbers", "vectors"]},
            {"type": "linear", "out_features": 2, "activation": "tanh", "name": "first"},
            {"type": "linear", "out_features": 1, "inputs": ["other"], "name": "second"},
        ],
        "outputs": ["first", "second"],
    }
}


def test_ids_have_no_gradient_nor_has_an_input_that_the_output_does_not_read():
    network = modnet.build(TWO, seed=0)
    arrays = [np.ones((4, 3)), np.ones((4, 2), int), np.ones((4, 2))]
    numbers, ids, other = InputGradients(network, "first").of(arrays, np.ones_like)
    assert numbers.shape == (4, 3)
    assert ids is None
    assert other is None
    numbers, ids, other = InputGradients(network, "second").of(arrays, np.ones_like)
    assert numbers is None
    assert other == pytest.approx(np.broadcast_to(network.parameters["second.weight"].T, (4, 2)))


def test_the_gradient_of_torch():
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    layers = [
        linear(16, activation="relu"),
        linear(3),
        "softmax",
    ]
    network = built(layers, [4])
    x = np.random.default_rng(5).standard_normal((20, 4))
    theirs = torch.tensor(x, requires_grad=True)
    arrays = {name: torch.tensor(array) for name, array in network.parameters.items()}
    hidden = torch.relu(theirs @ arrays["linear_1.weight"] + arrays["linear_1.bias"])
    torch.softmax(hidden @ arrays["linear_2.weight"] + arrays["linear_2.bias"], dim=1)[:, 1].sum().backward()

    def second(output):
        slope = np.zeros_like(output)
        slope[:, 1] = 1
        return slope

    (ours,) = InputGradients(network, "output").of([x], second)
    assert ours == pytest.approx(theirs.grad.numpy(), abs=1e-12)
