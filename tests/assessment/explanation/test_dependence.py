"""Partial dependence: the mean prediction if all rows had one value, beside scikit-learn's."""

import numpy as np
import pytest

from modnet.assessment.explanation.dependence import Grid, grid_of, partial_dependence
from modnet.assessment.explanation.features import features_of
from modnet.assessment.explanation.quantities import quantities_of
from modnet.assessment.samples import Samples
from tests.assessment.explanation import networks


def test_a_partial_dependence_by_hand():
    network, table = networks.classes()
    inputs = {"input": network.encode(table)}
    colour = features_of(network, inputs)[1]
    grid = grid_of(colour, inputs, None)
    assert sorted(grid.texts) == ["blue", "green", "red"]
    assert grid.rows.sum() == 120
    found = partial_dependence(network, inputs, colour, grid, quantities_of(network))
    assert found.quantities == ("P(cat)", "P(dog)")
    for point, name in enumerate(grid.texts):
        predicted = network.predict({**table, "colour": [name] * 120})["P(cat)"]
        assert found.mean[point, 0] == pytest.approx(np.mean(predicted), abs=1e-6)
        assert found.low[point, 0] == pytest.approx(np.quantile(predicted, 0.1), abs=1e-6)
        assert found.high[point, 0] == pytest.approx(np.quantile(predicted, 0.9), abs=1e-6)
    assert found.lines.shape[1:] == (3, 2)
    assert found.mean.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_scikit_learns_partial_dependence():
    inspection = pytest.importorskip("sklearn.inspection", reason="scikit-learn (extra `parity`) is not installed")
    base = pytest.importorskip("sklearn.base", reason="scikit-learn (extra `parity`) is not installed")
    network, x, y = networks.numbers()

    class Estimator(base.RegressorMixin, base.BaseEstimator):
        def fit(self, x, y):
            self.fitted_ = True
            return self

        def predict(self, x):
            return network.forward(x)[:, 0]

    theirs = inspection.partial_dependence(Estimator().fit(x, y), x, [2], kind="both", grid_resolution=12)
    points = theirs["grid_values"][0]
    feature = features_of(network, {"input": x})[2]
    grid = Grid(tuple(map(str, points)), points, {"input": points[:, None]})
    ours = partial_dependence(network, {"input": x}, feature, grid, quantities_of(network))
    assert ours.mean[:, 0] == pytest.approx(theirs["average"][0], abs=1e-10)
    each = theirs["individual"][0]
    assert ours.lines[:, :, 0] == pytest.approx(each[:: len(x) // 40][:40], abs=1e-10)


def test_grids_of_numbers_are_quantiles_within_the_edges():
    network, x, _ = networks.numbers()
    feature = features_of(network, {"input": x})[0]
    grid = grid_of(feature, {"input": x}, None)
    low, high = np.quantile(x[:, 0], [0.05, 0.95], method="nearest")
    assert len(grid.numbers) == 20
    assert (grid.numbers[0], grid.numbers[-1]) == (low, high)
    few = np.round(x)
    whole = grid_of(feature, {"input": few}, None)
    assert whole.numbers.tolist() == np.unique(few[:, 0]).tolist()
    assert whole.texts == tuple(f"{number:.0f}" for number in np.unique(few[:, 0]))


def test_grids_of_dates_and_ids():
    network, table = networks.ids()
    samples = Samples.of(network, table)
    day, _, shop = features_of(network, samples.data.inputs)
    grid = grid_of(day, samples.data.inputs, samples.table)
    assert grid.numbers.dtype.kind == "M"
    assert grid.texts[0].startswith("2024-01-")
    assert grid.encoded["numbers"].shape == (20, 3)
    assert grid_of(day, samples.data.inputs, None) is None
    shops = grid_of(shop, samples.data.inputs, samples.table)
    assert shops.texts == tuple(f"shop {number}" for number in range(6))
    assert shops.encoded["shop"][:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    found = partial_dependence(network, samples.data.inputs, shop, shops, quantities_of(network))
    assert found.mean[:, 0].argmax() == 2  # as the table was made
