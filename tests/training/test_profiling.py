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


RNG = np.random.default_rng(0)


def test_every_part_of_a_step_has_a_row():
    network = modnet.build(SPEC)
    before = network.parameters.flat.copy(), network.state.flat.copy()
    x, y = RNG.standard_normal((100, 20)), RNG.standard_normal((100, 3))
    profile = modnet.profile(network, x, y, batch_size=16, repeats=9)
    assert [(row.name, row.type) for row in profile.rows] == [
        ("(batch)", ""),
        ("linear_1", "linear"),
        ("relu_1", "relu"),
        ("batch_norm_1", "batch_norm"),
        ("linear_2", "linear"),
        ("(loss)", "mse"),
        ("(optimizer)", "rmsprop"),
    ]
    batch, *nodes, loss, optimizer = profile.rows
    assert all(row.forward > 0 and row.backward > 0 for row in nodes)
    assert batch.forward > 0
    assert loss.forward > 0
    assert optimizer.backward > 0
    assert nodes[0].bytes >= 16 * 30 * 4
    assert profile.peak > 0
    assert (network.parameters.flat == before[0]).all()
    assert (network.state.flat == before[1]).all()
    assert "a step of 16 samples: " in str(profile)


def test_forward_and_backward_count_for_themselves():
    network = modnet.build(SPEC)
    *_, first, _, _, second, _, _ = modnet.profile(network, np.zeros((32, 20)), np.zeros((32, 3)), repeats=1).rows
    operations = 2 * 32 * 20 * 30
    # The first layer's gradient goes to its weights alone.
    assert (first.forward_operations, first.backward_operations) == (operations, operations)
    operations = 2 * 32 * 30 * 3
    assert (second.forward_operations, second.backward_operations) == (operations, 2 * operations)
    assert second.speed(backward=False) == operations / second.forward / 1e9
    assert second.speed() == 3 * operations / (second.forward + second.backward) / 1e9


def test_the_loss_is_measured_jointly_as_in_training():
    spec = {
        "network": {"input": [4], "layers": [{"type": "linear", "out_features": 3}, "softmax"]},
        "training": {"loss": "cross_entropy"},
    }
    rows = modnet.profile(modnet.build(spec), RNG.random((8, 4)), RNG.integers(0, 3, 8), repeats=1).rows
    assert [row.type for row in rows] == ["", "linear", "cross_entropy", "adam"]


def test_a_variable_axis_counts_as_long_as_it_is():
    network = modnet.build({"network": {"input": ["variable", 4], "layers": [{"type": "linear", "out_features": 3}]}})
    _, linear, _ = modnet.profile(network, np.zeros((2, 50, 4)), repeats=1).rows
    assert linear.forward_operations == 2 * 2 * 50 * 4 * 3


def test_without_targets_there_is_no_loss():
    rows = modnet.profile(modnet.build(SPEC), np.zeros((16, 20)), repeats=1).rows
    assert [row.name for row in rows if row.name.startswith("(")] == ["(batch)", "(optimizer)"]
