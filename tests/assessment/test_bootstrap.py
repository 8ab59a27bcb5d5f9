"""The bootstrap intervals of figures: around the value, as wide as theory has them, and reproducible."""

import numpy as np
import pytest

import modnet
from modnet.assessment.bootstrap import bootstrap_intervals
from modnet.assessment.samples import Samples
from tests.assessment.explanation import networks


def test_an_interval_lies_around_the_figure_and_is_the_same_for_the_same_seed():
    network, x, y = networks.numbers(100)
    data = Samples.of(network, x, y).data
    found = bootstrap_intervals(network, data)
    figures = modnet.evaluate(network, x, y)
    assert list(found) == ["loss", "r2"]
    for name, (low, high) in found.items():
        assert low < figures[name] < high
    assert found == bootstrap_intervals(network, data)
    assert found != bootstrap_intervals(network, data, seed=1)


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    """The loss is a mean over rows, whose interval the normal distribution gives."""
    network, x, _ = networks.numbers(400)
    y = network.forward(x) + np.random.default_rng(0).standard_normal((400, 1))
    low, high = bootstrap_intervals(network, Samples.of(network, x, y).data)["loss"]
    losses = ((network.forward(x) - y) ** 2)[:, 0]
    error = 1.96 * losses.std() / np.sqrt(400)
    assert low == pytest.approx(losses.mean() - error, abs=0.2 * error)
    assert high == pytest.approx(losses.mean() + error, abs=0.2 * error)


def test_chosen_rows_and_weights():
    network, x, y = networks.numbers(60)
    chosen = modnet.Dataset({"input": x}, {"output": y}, rows=np.arange(0, 60, 2))
    alone = modnet.Dataset({"input": x[::2]}, {"output": y[::2]})
    assert bootstrap_intervals(network, chosen) == bootstrap_intervals(network, alone)
    weights = np.linspace(0, 1, 60)
    low, high = bootstrap_intervals(network, modnet.Dataset({"input": x}, {"output": y}, weights=weights))["loss"]
    assert low < modnet.evaluate(network, x, y, sample_weights=weights)["loss"] < high
