"""The unit of a target: a loss after `unstandardize` does not depend on it, metrics and predictions are in it."""

import numpy as np
import pytest

import modnet

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 4))
SHAPE = np.tanh(X @ RNG.standard_normal((4, 2)))
"""Two columns of unit size that a small network learns."""


def network_for(outputs=2, last=("unstandardize",), loss="mse", **training):
    layers = ["standardize", {"type": "linear", "out_features": 16, "activation": "relu"}]
    layers += [{"type": "linear", "out_features": outputs}, *last]
    spec = {"network": {"input": [4], "layers": layers}, "training": {"loss": loss, "epochs": 30, **training}}
    return modnet.build(spec)


def standardized(y):
    return (y - y.mean(axis=0)) / y.std(axis=0)


LOSSES = ["mse", "mae", "huber", {"type": "quantile", "quantiles": [0.3]}]


@pytest.mark.parametrize("loss", LOSSES, ids=["mse", "mae", "huber", "quantile"])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6, 1e20])
def test_training_does_not_depend_on_the_unit(loss, unit):
    y = (5 + SHAPE) * unit
    network, plain = network_for(loss=loss), network_for(last=(), loss=loss)
    found = modnet.train(network, X, y)
    expected = modnet.train(plain, X, standardized(y))
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-3)
    predicted = plain.predict(X) * y.std(axis=0) + y.mean(axis=0)
    np.testing.assert_allclose(network.predict(X), predicted, rtol=1e-3)


def test_a_large_column_does_not_drown_a_small_one():
    y = SHAPE * [1e6, 0.1] + [5e6, 3]
    network = network_for(epochs=80, optimizer={"type": "adam", "learning_rate": 1e-2})
    modnet.train(network, X, y)
    errors = network.predict(X) - y
    assert (1 - (errors**2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0) > 0.9).all()


def test_the_loss_is_in_deviations_everywhere_and_metrics_are_in_the_unit_of_the_target():
    y = 1000 + 300 * SHAPE
    network = network_for(metrics=["root_mean_squared_error", "r2"])
    history = modnet.train(network, X[:300], y[:300], validation=(X[300:], y[300:]))
    figures = modnet.evaluate(network, X[300:], y[300:])
    for name, value in figures.items():
        assert history[f"validation_{name}"][-1] == pytest.approx(value, rel=1e-5)
    errors = network.predict(X[300:]) - y[300:]
    assert figures["root_mean_squared_error"] == pytest.approx(np.sqrt(np.square(errors).mean(axis=0)).mean(), rel=1e-4)
    assert figures["loss"] == pytest.approx(np.square(errors / y[:300].std(axis=0)).mean(), rel=1e-4)


def test_weights_and_steps_of_sequences_count_as_elsewhere():
    y = 1000 + 300 * SHAPE
    weights = np.random.default_rng(1).random(400)
    found = modnet.train(network_for(), X, y, sample_weights=weights)
    expected = modnet.train(network_for(last=()), X, standardized(y), sample_weights=weights)
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-3)


def test_several_quantiles_of_a_large_target():
    loss = {"type": "quantile", "quantiles": [0.1, 0.5, 0.9]}
    y = 1e9 + 1e8 * np.random.default_rng(2).standard_normal((400, 1))
    network = network_for(3, loss=loss, epochs=60)
    modnet.train(network, X, y)
    np.testing.assert_allclose((y < network.predict(X)).mean(axis=0), [0.1, 0.5, 0.9], atol=0.12)


def test_another_loss_is_measured_in_the_unit_of_the_target():
    class Thousands(modnet.Loss, type="thousands"):
        def values(self, prediction, target):
            return np.square(prediction - target).mean(axis=1) / 1e6

        def gradient(self, prediction, target):
            return (prediction - target) / 1e6

    y = 1000 + 300 * SHAPE
    network = network_for(loss=Thousands())
    modnet.train(network, X, y, loss=Thousands())
    errors = network.predict(X) - y
    assert modnet.evaluate(network, X, y)["loss"] == pytest.approx(np.square(errors).mean() / 1e6, rel=1e-4)
