"""The quantile loss is scikit-learn's pinball loss, and quantiles are what it is least for."""

import numpy as np
import pytest

import modnet
from modnet.errors import ShapeError, SpecError
from modnet.losses import MeanAbsoluteError, Quantile

QUANTILES = (0.1, 0.5, 0.9)


@pytest.fixture(scope="module")
def pinball():
    return pytest.importorskip("sklearn.metrics", reason="install the extra parity").mean_pinball_loss


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape)


@pytest.mark.parametrize("quantile", QUANTILES)
def test_one_quantile_is_scikit_learns(pinball, quantile):
    prediction, target = normal(50, 3), 1.2 * normal(50, 3)[::-1]
    values = Quantile(quantiles=(quantile,)).values(prediction, target)
    for row in range(50):
        expected = pinball(target[row], prediction[row], alpha=quantile)
        assert values[row] == pytest.approx(expected, rel=1e-12)


def test_several_quantiles_are_the_mean_of_scikit_learns(pinball):
    prediction, target = normal(50, 3), normal(50)
    values = Quantile(quantiles=QUANTILES).values(prediction, target[:, None])
    expected = [pinball(target, prediction[:, n], alpha=quantile) for n, quantile in enumerate(QUANTILES)]
    assert values.mean() == pytest.approx(np.mean(expected), rel=1e-12)


def test_the_median_is_half_of_mae():
    prediction, target = normal(9, 2), normal(9, 2)[::-1]
    for name in ("values", "gradient"):
        found = getattr(Quantile(), name)(prediction, target)
        np.testing.assert_allclose(2 * found, getattr(MeanAbsoluteError(), name)(prediction, target), rtol=1e-12)


def test_the_derivative_at_the_target_is_0():
    assert (Quantile(quantiles=QUANTILES).gradient(np.ones((2, 3)), np.ones(2)) == 0).all()


def test_training_finds_the_quantiles():
    y = np.random.default_rng(0).exponential(size=(2000, 1))
    spec = {"network": {"input": [1], "layers": [{"type": "linear", "out_features": 3}]}}
    network = modnet.build(spec, seed=0)
    options = {"loss": {"type": "quantile", "quantiles": list(QUANTILES)}, "optimizer": "adam", "schedule": "cosine"}
    options["optimizer"] = {"type": "adam", "learning_rate": 0.1}
    modnet.train(network, np.zeros((2000, 1)), y, epochs=10, batch_size=50, seed=0, **options)
    found = network.parameters["linear_1.bias"]
    np.testing.assert_allclose(found, np.quantile(y, QUANTILES), atol=0.05)


def test_a_network_needs_an_output_for_each_quantile():
    with pytest.raises(ShapeError, match=r"quantile has 3 quantiles, found a prediction of shape \(2,\)") as caught:
        Quantile(quantiles=QUANTILES).values(normal(4, 2), normal(4))
    assert "end the network with 3 units" in str(caught.value)


@pytest.mark.parametrize("quantiles", [(), (0.0,), (1.0,), (0.5, 2.0)])
def test_impossible_quantiles_are_refused(quantiles):
    with pytest.raises(SpecError, match="quantiles"):
        Quantile(quantiles=quantiles)
