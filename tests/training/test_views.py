"""Losses that training measures before the layers that are only in prediction, and `evaluate` behind them."""

import numpy as np
import pytest

import modnet
from modnet import Layer
from modnet.plugins.registry import default_registry

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 3))
Y = X @ np.array([[2.0], [-1.0], [0.5]]) * 7 + 1000


class Halve(Layer, type="halve"):
    """A correction after training."""

    only_in_prediction = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return x / 2

    def backward(self, context, gradient):
        return gradient / 2


@pytest.fixture(autouse=True)
def strangers(monkeypatch):
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    default_registry().register(Halve)


def members(count, out, *, shared=True):
    return {
        "type": "per_member",
        "members": count,
        "shared": shared,
        "layer": {"type": "linear", "out_features": out},
        "name": "members",
    }


def built(*layers, dtype="float64", seed=0):
    return modnet.build({"network": {"input": [3], "dtype": dtype, "layers": list(layers)}}, seed=seed)


def weights(network):
    return {name: array.copy() for name, array in network.parameters.items()}


def test_training_does_not_see_the_correction_and_evaluate_does():
    network, plain = built({"type": "linear", "out_features": 1}, "halve"), built({"type": "linear", "out_features": 1})
    for net in (network, plain):
        history = modnet.train(net, X, Y, loss="mse", epochs=3, metrics=["mean_absolute_error"], validation=0.25)
    np.testing.assert_array_equal(network.parameters.flat, plain.parameters.flat)
    found = modnet.evaluate(network, X, Y)["loss"]
    assert found == pytest.approx(np.mean((plain.forward(X) / 2 - Y) ** 2))
    assert "validation_mean_absolute_error" in history


def test_a_correction_behind_the_unit_is_measured_in_deviations():
    network = built({"type": "linear", "out_features": 1}, "unstandardize", "halve")
    plain = built({"type": "linear", "out_features": 1}, "unstandardize")
    for net in (network, plain):
        modnet.train(net, X, Y, loss="mse", epochs=3)
    np.testing.assert_array_equal(network.parameters.flat, plain.parameters.flat)
    expected = np.mean(((plain.forward(X) / 2 - Y) / Y.std()) ** 2)
    assert modnet.evaluate(network, X, Y)["loss"] == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("end", "loss", "y"),
    [
        (["softmax", "ensemble_mean"], "cross_entropy", RNG.integers(0, 2, 24)),
        (["sigmoid", "ensemble_mean"], "binary_cross_entropy", RNG.integers(0, 2, (24, 2)).astype(float)),
        (["ensemble_mean", "unstandardize"], "mse", np.c_[Y, -Y]),
        (["ensemble_mean"], "mse", np.c_[Y, -Y] / 1000),
        (["softmax", "ensemble_mean"], {"type": "cross_entropy", "class_weights": [1, 3]}, RNG.integers(0, 2, 24)),
        (["ensemble_mean", "halve"], "mse", np.c_[Y, -Y] / 1000),
    ],
)
def test_each_member_is_measured_by_itself(end, loss, y, weighted):
    """The slopes are those of the mean of the members' losses, and the loss that is reported is this mean."""
    own = RNG.uniform(0.5, 2, 24) if weighted else None
    network = built(members(2, 2), *end)
    start = weights(network)
    sgd = {"type": "sgd", "learning_rate": 0.1}
    how = {"loss": loss, "optimizer": sgd, "epochs": 1, "batch_size": 24, "shuffle": False, "sample_weights": own}
    history = modnet.train(network, X, y, **how)
    losses = []
    for member in range(2):
        alone = built({"type": "linear", "out_features": 2}, *(name for name in end if name != "ensemble_mean"))
        for name in ("weight", "bias"):
            alone.parameters[f"linear_1.{name}"] = start[f"members.linear_1.{name}"][member]
        half = {**how, "optimizer": {**sgd, "learning_rate": 0.05}}
        losses.append(modnet.train(alone, X, y, **half)["loss"][0])
        for name in ("weight", "bias"):
            found = network.parameters[f"members.linear_1.{name}"][member]
            np.testing.assert_allclose(found, alone.parameters[f"linear_1.{name}"], rtol=1e-10, atol=1e-12)
    assert history["loss"][0] == pytest.approx(np.mean(losses))


def test_evaluate_measures_the_mean_of_probabilities():
    network, y = built(members(3, 2), "softmax", "ensemble_mean"), RNG.integers(0, 2, 24)
    modnet.train(network, X, y, loss="cross_entropy", epochs=1, metrics=["log_loss"])
    probabilities = network.forward(X)
    expected = -np.mean(np.log(probabilities[np.arange(24), y]))
    figures = modnet.evaluate(network, X, y)
    assert figures["loss"] == pytest.approx(expected)
    assert figures["log_loss"] == pytest.approx(expected)


def test_weights_of_steps_reach_the_steps_of_each_member():
    x, y = RNG.standard_normal((6, 4, 3)), RNG.standard_normal((6, 4, 1))
    steps = RNG.integers(0, 2, (6, 4)).astype(float)
    steps[0, 0] = 1
    network = modnet.build(
        {"network": {"input": [4, 3], "dtype": "float64", "layers": [members(2, 1), "ensemble_mean"]}}, seed=0
    )
    start = weights(network)
    history = modnet.train(
        network, x, y, loss="mse", optimizer={"type": "sgd", "learning_rate": 0.1}, epochs=1, sample_weights=steps
    )
    losses, slopes = [], []
    for member in range(2):
        w, b = (start[f"members.linear_1.{name}"][member] for name in ("weight", "bias"))
        error = (x @ w + b - y) * steps[..., None]
        losses.append((error**2).sum() / steps.sum())
        slopes.append(2 * np.einsum("btf,bto->fo", x, error) / steps.sum())
    assert history["loss"][0] == pytest.approx(np.mean(losses))
    moved = start["members.linear_1.weight"] - network.parameters["members.linear_1.weight"]
    np.testing.assert_allclose(moved, 0.1 * np.stack(slopes) / 2, atol=1e-12)


def test_the_row_of_a_bad_target_is_that_of_the_sample():
    network = built(members(3, 2), "softmax", "ensemble_mean")
    y = RNG.integers(0, 2, 24)
    y[7] = 5
    with pytest.raises(modnet.DataError, match="row 7"):
        modnet.train(network, X, y, loss="cross_entropy", epochs=1)


def test_unfit_endings_are_seen_through_the_mean():
    network = built(members(3, 2), "relu", "ensemble_mean")
    with pytest.raises(modnet.SpecError, match="ends with relu"):
        modnet.train(network, X, RNG.integers(0, 2, 24), loss="cross_entropy", epochs=1)
