"""The search for a learning rate: which one it suggests, and that nothing remains of it."""

import numpy as np
import pytest

import modnet
from modnet.training.rate_search import RateSearch, find_rate
from tests.training.problem import SPEC, blobs


def quadratic(curvature):
    """A network whose loss is curvature * (w - 1)^2 / 2: gradient descent diverges from a rate of 2 / curvature on."""
    layers = [{"type": "linear", "out_features": 1, "bias": False, "weight_initializer": "zeros"}]
    network = modnet.build({"network": {"input": [1], "dtype": "float64", "layers": layers}})
    x = np.full((64, 1), np.sqrt(curvature / 2))
    return network, x, x.copy()


@pytest.mark.parametrize("curvature", [0.2, 2.0, 200.0])
def test_the_suggestion_follows_the_curvature(curvature):
    network, x, y = quadratic(curvature)
    found = find_rate(network, x, y, lowest=1e-6, highest=1e3, steps=300, loss="mse", optimizer="sgd")
    # The loss falls most steeply a little below the rate of the fastest descent, 1 / curvature.
    assert 0.01 < found.suggested * curvature < 2.0
    assert found.ended
    assert max(found.rates) * curvature < 30


@pytest.mark.parametrize("seed", range(8))
def test_the_noise_of_the_first_batches_is_not_taken_for_a_fall(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((400, 3))
    y = x @ [[1.0], [-2.0], [0.5]] + 2 * rng.standard_normal((400, 1))  # the loss of a batch varies much
    layers = [{"type": "linear", "out_features": 16, "activation": "relu"}, {"type": "linear", "out_features": 1}]
    network = modnet.build({"network": {"input": [3], "layers": layers}})
    assert find_rate(network, x, y, loss="mse", batch_size=16).suggested > 1e-4


def test_the_rates_rise_by_one_factor_and_the_loss_is_smoothed():
    found = find_rate(modnet.build(SPEC), *blobs(), lowest=1e-4, highest=1e-2, steps=20)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-4, 1e-2, 20), rtol=1e-6)
    mean, expected = 0.0, []
    for number, loss in enumerate(found.losses, 1):
        mean = 0.9 * mean + 0.1 * loss
        expected.append(mean / (1 - 0.9**number))
    np.testing.assert_allclose(found.smoothed, expected)
    assert len(str(found).splitlines()) == 1 + 20 + 2
    assert found.plain()["suggested"] == found.suggested


def test_the_network_is_as_before():
    network = modnet.build(
        {**SPEC, "network": {**SPEC["network"], "layers": ["standardize", *SPEC["network"]["layers"]]}}
    )
    before = network.parameters.flat.copy(), network.state.flat.copy(), network.card
    find_rate(network, *blobs(), steps=30)
    assert (network.parameters.flat == before[0]).all()
    assert (network.state.flat == before[1]).all()
    assert network.card is before[2]


def test_callbacks_and_schedule_of_the_spec_take_no_part(tmp_path):
    training = {**SPEC["training"], "schedule": "cosine", "accumulate": 3}
    training["callbacks"] = [{"type": "json_log", "path": str(tmp_path / "log")}, "progress"]
    found = find_rate(modnet.build({**SPEC, "training": training}), *blobs(), steps=40)
    assert len(found.rates) == 40 or found.ended
    assert not (tmp_path / "log").exists()


def test_where_the_loss_never_falls_nothing_is_suggested():
    found = RateSearch((1e-3, 1e-2, 1e-1), (1.0, 2.0, 3.0), (1.0, 2.0, 3.0), None)
    assert str(found).endswith("the loss does not fall at any of these rates")


def test_a_loss_that_is_not_finite_ends_the_search():
    network, x, y = quadratic(2.0)
    found = find_rate(network, x, y, lowest=1.0, highest=1e300, steps=10, loss="mse", optimizer="sgd")
    assert found.ended
    with pytest.raises(modnet.TrainingError, match="0 < lowest < highest and at least 10 steps"):
        find_rate(network, x, y, lowest=1.0, highest=0.1, loss="mse")


def test_a_temperature_stays_as_it_is():
    """Without a warning that there are no rows to fit it to, which pytest would take for an error."""
    layers = [{"type": "linear", "out_features": 2}, "softmax", "temperature"]
    network = modnet.build({"network": {"input": [3], "layers": layers}})
    network.state["temperature_1.temperature"][...] = 1.75
    x = np.random.default_rng(0).normal(size=(40, 3))
    find_rate(network, x, np.arange(40) % 2, steps=20, loss="cross_entropy")
    assert network.state["temperature_1.temperature"] == 1.75
