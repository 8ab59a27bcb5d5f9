"""A small problem, in float64, and the same network in torch."""

import numpy as np
import pytest

import modnet

FEATURES, HIDDEN, CLASSES, SAMPLES, BATCH = 5, 7, 3, 48, 12


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((SAMPLES, FEATURES)), rng.integers(0, CLASSES, SAMPLES)


def network(**layer):
    layers = [
        {"type": "linear", "out_features": HIDDEN, "activation": "tanh"},
        {"type": "linear", "out_features": CLASSES, **layer},
        "softmax",
    ]
    return modnet.build({"network": {"input": [FEATURES], "dtype": "float64", "layers": layers}}, seed=3)


def train(network, callbacks, **arguments):
    given = {"loss": "cross_entropy", "optimizer": {"type": "sgd", "learning_rate": 0.2}, "batch_size": BATCH}
    given |= {"shuffle": False, "epochs": 3, "callbacks": callbacks} | arguments
    return modnet.train(network, *data(), **given)


def twin(network):
    """The network in torch, with the same weights."""
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    hidden, out = torch.nn.Linear(FEATURES, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
    made = torch.nn.Sequential(hidden, torch.nn.Tanh(), out).double()
    with torch.no_grad():
        for layer, name in ((hidden, "linear_1"), (out, "linear_2")):
            layer.weight.copy_(torch.tensor(network.parameters[f"{name}.weight"].T.copy()))
            layer.bias.copy_(torch.tensor(network.parameters[f"{name}.bias"]))
    return torch, made


def batches(torch):
    """The batches of an epoch, as tensors."""
    x, y = data()
    for start in range(0, SAMPLES, BATCH):
        yield torch.tensor(x[start : start + BATCH]), torch.tensor(y[start : start + BATCH])


def assert_same(network, made, rtol=1e-9):
    for layer, name in ((made[0], "linear_1"), (made[2], "linear_2")):
        np.testing.assert_allclose(network.parameters[f"{name}.weight"].T, layer.weight.detach().numpy(), rtol=rtol)
        np.testing.assert_allclose(network.parameters[f"{name}.bias"], layer.bias.detach().numpy(), rtol=rtol)
