"""Permutation importance: what is lost without a column, beside scikit-learn's."""

import numpy as np
import pytest

import modnet
from modnet.assessment.explanation.features import features_of
from modnet.assessment.explanation.importance import permutation_importance, permutations
from modnet.assessment.samples import Samples
from tests.assessment.explanation import networks


def measured(network, x, y=None, orders=None, figures=(), repeats=5):
    data = Samples.of(network, x, y).data
    orders = permutations(len(data), repeats, 0) if orders is None else orders
    return permutation_importance(network, data, features_of(network, data.inputs), orders, figures)


def orders_of_scikit_learn(rows, repeats, seed):
    """The orders that `permutation_importance(random_state=seed)` comes to: it shuffles what it has shuffled before."""
    own = np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)
    rng, order, shuffle, found = np.random.RandomState(own), np.arange(rows), np.arange(rows), []
    for _ in range(repeats):
        rng.shuffle(shuffle)
        order = order[shuffle]
        found.append(order)
    return np.stack(found)


def test_a_column_that_says_nothing_loses_nothing_and_one_that_does_loses_most():
    network, table = networks.classes()
    found = measured(network, table)
    assert found.columns == ("size", "colour", "noise")
    assert list(found.figures) == ["loss", "accuracy"]
    known = modnet.evaluate(network, table)
    assert found.figures == pytest.approx({name: known[name] for name in found.figures})
    assert [found.columns[place] for place in found.order()] == ["size", "colour", "noise"]
    assert found.mean("accuracy")[0] > 0.2
    assert abs(found.mean("accuracy")[2]) < 0.05
    assert found.losses["loss"].shape == (3, 5)


def test_the_data_are_as_before():
    network, table = networks.classes()
    data = Samples.of(network, table).data
    before = {name: array.copy() for name, array in data.inputs.items()}
    permutation_importance(network, data, features_of(network, data.inputs), permutations(120, 2, 0))
    assert all(np.array_equal(data.inputs[name], array) for name, array in before.items())


def test_a_permutation_importance_by_hand():
    network, x, y = networks.numbers(60)
    orders = permutations(60, 1, 3)
    found = measured(network, x, y, orders)
    shuffled = x.copy()
    shuffled[:, 2] = x[orders[0], 2]
    worse, base = (modnet.evaluate(network, given, y) for given in (shuffled, x))
    assert found.losses["loss"][2, 0] == pytest.approx(worse["loss"] - base["loss"])
    assert found.losses["r2"][2, 0] == pytest.approx(base["r2"] - worse["r2"])


def test_scikit_learns_importance_of_numbers():
    inspection = pytest.importorskip("sklearn.inspection", reason="scikit-learn (extra `parity`) is not installed")
    network, x, y = networks.numbers()

    class Estimator:
        def fit(self, x, y):
            return self

    def r2(_, x, y):
        return modnet.evaluate(network, x, y)["r2"]

    theirs = inspection.permutation_importance(Estimator(), x, y, scoring=r2, n_repeats=6, random_state=7)
    ours = measured(network, x, y, orders_of_scikit_learn(len(x), 6, 7), ["r2"])
    assert ours.losses["r2"] == pytest.approx(theirs.importances, abs=1e-9)
    assert ours.mean("r2") == pytest.approx(theirs.importances_mean, abs=1e-9)
    assert ours.deviation("r2") == pytest.approx(theirs.importances_std, abs=1e-9)


def test_scikit_learns_importance_of_the_columns_of_a_table():
    inspection = pytest.importorskip("sklearn.inspection", reason="scikit-learn (extra `parity`) is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas (extra `parity`) is not installed")
    network, table = networks.classes()
    frame = pandas.DataFrame(table)

    class Estimator:
        def fit(self, x, y):
            return self

    def accuracy(_, x, y):
        return float((network.predict(x)["kind"].to_numpy() == y.to_numpy()).mean())

    theirs = inspection.permutation_importance(
        Estimator(), frame.drop(columns="kind"), frame["kind"], scoring=accuracy, n_repeats=4, random_state=1
    )
    ours = measured(network, table, orders=orders_of_scikit_learn(len(frame), 4, 1), figures=["accuracy"])
    assert ours.losses["accuracy"] == pytest.approx(theirs.importances, abs=1e-6)


def test_any_metric_can_be_the_figure():
    network, table = networks.classes()
    found = measured(network, table, figures=["f1", "loss"])
    assert list(found.figures) == ["f1", "loss"]
    assert found.greater_is_better == {"f1": True, "loss": False}


def test_figures_that_cannot_get_worse_are_refused():
    network, table = networks.classes()
    with pytest.raises(modnet.DataError, match=r'"confusion_matrix" is not one number.*loss, accuracy'):
        measured(network, table, figures=["confusion_matrix"])
    with pytest.raises(modnet.SpecError, match='unknown metric "acuracy"; did you mean "accuracy"'):
        measured(network, table, figures=["acuracy"])


def test_weights_and_chosen_rows_count():
    network, x, y = networks.numbers(60)
    weights = np.where(np.arange(60) < 30, 1.0, 0.0)
    heavy = modnet.Dataset({"input": x}, {"output": y}, weights=weights)
    orders = np.concatenate([permutations(30, 2, 0), np.tile(np.arange(30, 60), (2, 1))], axis=1)
    alone = modnet.Dataset({"input": x}, {"output": y}, rows=np.arange(30))
    features = features_of(network, {"input": x})
    weighted = permutation_importance(network, heavy, features, orders)
    chosen = permutation_importance(network, alone, features, orders[:, :30])
    assert weighted.losses["loss"] == pytest.approx(chosen.losses["loss"])
    assert chosen.rows == 30
