"""The article's demo, to the digit: XOR by a network of 2-4-1 with full-batch gradient descent in float64."""

import numpy as np

import modnet

SPEC = {
    "network": {
        "input": [2],
        "dtype": "float64",
        "layers": [{"type": "linear", "out_features": 4}, "sigmoid", {"type": "linear", "out_features": 1}],
    },
    "training": {
        "loss": "mse",
        "optimizer": {"type": "sgd", "learning_rate": 0.2},
        "epochs": 1000,
        "batch_size": 4,
        "shuffle": False,
    },
}

# Loss before the update at steps 0, 100, ..., 900.
LOSSES = [
    0.410398252845401,
    0.24780977800582668,
    0.23667288265964448,
    0.21805768630365524,
    0.18267730086326472,
    0.12480078489004537,
    0.057913216855318236,
    0.015741271780447347,
    0.002742364616149158,
    0.0003775051451189853,
]
PREDICTIONS = [0.00355629, 0.99383877, 0.99332092, 0.0096723]


def test_xor_to_the_digit():
    network = modnet.build(SPEC)
    np.random.seed(1)
    network.parameters["linear_1.weight"] = np.random.randn(2, 4) * np.sqrt(1 / 2)
    network.parameters["linear_2.weight"] = np.random.randn(4, 1) * np.sqrt(1 / 4)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    history = modnet.train(network, x, [[0], [1], [1], [0]])
    np.testing.assert_allclose(history["loss"][::100], LOSSES, rtol=0, atol=1e-9)
    np.testing.assert_allclose(network.predict(x)[:, 0], PREDICTIONS, rtol=0, atol=5e-9)
