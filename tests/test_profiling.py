"""Where the time of a training step goes."""

import numpy as np

import modnet

SPEC = {
    "network": {
        "input": [20],
        "layers": [
            {"type": "linear", "out_features": 30, "activation": "relu"},
            "batch_norm",
            {"type": "linear", "out_features": 3},
        ],
    },
    "training": {"loss": "mse", "optimizer": "rmsprop"},
}


def test_every_node_and_the_optimizer_have_a_row():
    network = modnet.build(SPEC)
    before = network.parameters.flat.copy(), network.state.flat.copy()
    profile = network.profile(np.random.default_rng(0).standard_normal((16, 20)), repeats=3)
    assert [(row.name, row.type) for row in profile.rows] == [
        ("linear_1", "linear"),
        ("relu_1", "relu"),
        ("batch_norm_1", "batch_norm"),
        ("linear_2", "linear"),
        ("", "rmsprop"),
    ]
    assert all(row.forward > 0 and row.backward > 0 for row in profile.rows[:-1])
    assert profile.rows[-1].backward > 0
    assert profile.rows[0].bytes >= 16 * 30 * 4
    assert profile.peak > 0
    assert (network.parameters.flat == before[0]).all()
    assert (network.state.flat == before[1]).all()
    assert "a step of 16 samples: " in str(profile)
