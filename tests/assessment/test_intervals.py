"""modnet.intervals: a share of new rows is covered, whatever the network is worth."""

import math
from fractions import Fraction

import numpy as np
import pytest

import modnet
from modnet.assessment.intervals import rank_of, spread
from modnet.data.intervals import Interval
from modnet.errors import DataError

RNG = np.random.default_rng(3)
ROWS = 600
X = RNG.uniform(0, 4, ROWS)
NUMBER = 1000 + 100 * (np.sin(X) + RNG.normal(size=ROWS) * 0.1 * (1 + X))
KIND = np.array(["cat", "dog", "owl"])[np.digitize(X + RNG.normal(size=ROWS) * 0.7, [1.3, 2.7])]
TABLE = {"x": X, "number": NUMBER, "kind": KIND}
HIDDEN = {"type": "linear", "out_features": 16, "activation": "tanh"}


def some(first, last=ROWS):
    return {name: values[first:last] for name, values in TABLE.items()}


def trained(target, *ending, loss, dtype="float32"):
    spec = {
        "network": {"input": [1], "layers": ["standardize", HIDDEN, *ending], "dtype": dtype},
        "training": {"loss": loss, "epochs": 40, "optimizer": {"type": "adam", "learning_rate": 0.02}},
        "data": {"target": target, "inputs": ["x"]},
    }
    return modnet.train(spec, some(0, 200)).network


def linear(out):
    return {"type": "linear", "out_features": out}


@pytest.fixture(scope="module")
def regression():
    return trained("number", linear(1), "unstandardize", loss="mse")


@pytest.fixture(scope="module")
def quantiles():
    return trained("number", linear(3), "unstandardize", loss={"type": "quantile", "quantiles": [0.05, 0.5, 0.95]})


@pytest.fixture(scope="module")
def classifier():
    return trained("kind", linear(3), "softmax", loss="cross_entropy")


def sorted_place(values, coverage):
    """The k-th smallest, k = ceil((n + 1) c), by the book."""
    return np.sort(values)[math.ceil((len(values) + 1) * Fraction(str(coverage))) - 1]


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95])
def test_the_margin_is_a_quantile_of_the_distances(regression, coverage):
    found = modnet.intervals(regression, some(200), coverage=coverage)
    predicted = np.asarray(regression.predict(some(200))["number"], np.float64)
    assert found.found["number"] == Interval(
        coverage=coverage, rows=400, margin=sorted_place(abs(predicted - NUMBER[200:]), coverage)
    )
    answer = found.network.predict({"x": 1.0})
    assert list(answer) == ["number", "lower", "upper"]
    assert answer["upper"] - answer["number"] == pytest.approx(found.found["number"].margin, rel=1e-5)


def test_quantiles_are_moved_by_a_quantile_of_how_far_the_truth_is_beyond_them(quantiles):
    found = modnet.intervals(quantiles, some(200))
    held_out = quantiles.predict(some(200))
    low, high = (np.asarray(held_out[f"number_{q}"], np.float64) for q in (0.05, 0.95))
    scores = np.maximum(low - NUMBER[200:], NUMBER[200:] - high)
    assert found.found["number"].margin == sorted_place(scores, 0.9)
    near, far = (found.network.predict({"x": x}) for x in (0.2, 3.8))
    assert near["upper"] - near["lower"] < far["upper"] - far["lower"]


def test_the_threshold_is_a_quantile_of_the_probabilities_of_the_true_classes(classifier):
    found = modnet.intervals(classifier, some(200))
    held_out = classifier.predict(some(200))
    of_truth = np.array([held_out[f"P({kind})"][row] for row, kind in enumerate(KIND[200:])])
    expected = 1 - sorted_place(1 - of_truth.astype(np.float64), 0.9)
    assert found.found["kind"].threshold == pytest.approx(expected, abs=1e-12)
    answer = found.network.predict(some(200))
    for row, names in enumerate(answer["set"]):
        likely = {kind for kind in ("cat", "dog", "owl") if answer[f"P({kind})"][row] >= found.found["kind"].threshold}
        assert set(names) == likely | {answer["kind"][row]}


class Fitted:
    """A network as an estimator of scikit-learn that predicts one column."""

    fitted_ = True

    def __init__(self, network, column):
        self.network, self.column = network, column

    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.asarray(self.network.predict({"x": np.asarray(x)[:, 0]})[self.column], np.float64)


def test_mapie_has_the_same_intervals(regression):
    mapie = pytest.importorskip("mapie.regression")
    theirs = mapie.SplitConformalRegressor(Fitted(regression, "number"), confidence_level=0.9, prefit=True)
    theirs.conformalize(X[200:400, None], NUMBER[200:400])
    _, bounds = theirs.predict_interval(X[400:, None])
    ours = modnet.intervals(regression, some(200, 400)).network.predict(some(400))
    np.testing.assert_allclose(ours["lower"], bounds[:, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(ours["upper"], bounds[:, 1, 0], rtol=1e-6)


def test_mapie_has_the_same_intervals_of_quantiles(quantiles):
    mapie = pytest.importorskip("mapie.regression")
    models = [Fitted(quantiles, column) for column in ("number_0.05", "number_0.95", "number")]
    theirs = mapie.ConformalizedQuantileRegressor(models, confidence_level=0.9, prefit=True)
    theirs.conformalize(X[200:400, None], NUMBER[200:400])
    _, bounds = theirs.predict_interval(X[400:, None], symmetric_correction=True)
    ours = modnet.intervals(quantiles, some(200, 400)).network.predict(some(400))
    np.testing.assert_allclose(ours["lower"], bounds[:, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(ours["upper"], bounds[:, 1, 0], rtol=1e-6)


@pytest.mark.parametrize("which", ["regression", "quantiles", "classifier"])
def test_new_rows_are_covered_as_often_as_asked(which, request):
    """Over many draws of the rows to learn from and of new ones, from one source."""
    network, rng, coverage, count = request.getfixturevalue(which), np.random.default_rng(4), 0.9, 60
    rows = np.arange(200, ROWS)
    shares = []
    for _ in range(60):
        rng.shuffle(rows)
        parts = rows[:count], rows[count:]
        held_out, new = ({name: values[part] for name, values in TABLE.items()} for part in parts)
        certain = modnet.intervals(network, held_out, coverage=coverage).network
        shares.append(modnet.evaluate(certain, new).coverage["kind" if which == "classifier" else "number"]["covered"])
    # New rows are drawn from a finite table without the held-out ones; on average k / (n + 1) of them are covered.
    expected = rank_of(count, coverage) / (count + 1)
    deviation = spread(Interval(coverage=coverage, rows=count, margin=1.0))
    assert np.mean(shares) >= expected - 4 * deviation / math.sqrt(len(shares))
    if which != "classifier":  # where the most probable class is always in, more may be covered
        assert np.mean(shares) <= expected + 4 * deviation / math.sqrt(len(shares))


def test_the_rank_is_exact():
    assert [rank_of(9, 0.9), rank_of(10, 0.9), rank_of(99, 0.55), rank_of(99, 0.57), rank_of(19, 0.95)] == [
        9,
        10,
        55,
        57,
        19,
    ]


def test_the_spread_is_that_of_coverages():
    rng, interval = np.random.default_rng(5), Interval(coverage=0.9, rows=50, margin=1.0)
    # The coverage of uniform numbers by their k-th smallest is that number itself.
    covered = [np.sort(rng.uniform(size=50))[rank_of(50, 0.9) - 1] for _ in range(4000)]
    assert spread(interval) == pytest.approx(np.std(covered), rel=0.05)


def test_evaluate_shows_what_is_covered(regression, classifier):
    certain = modnet.intervals(regression, some(200, 400)).network
    figures = modnet.evaluate(certain, some(400))
    answer = certain.predict(some(400))
    lower, upper = np.asarray(answer["lower"]), np.asarray(answer["upper"])
    inside = (lower <= NUMBER[400:]) & (NUMBER[400:] <= upper)
    assert figures.coverage["number"]["asked"] == 0.9
    assert figures.coverage["number"]["covered"] == pytest.approx(inside.mean())
    assert figures.coverage["number"]["width"] == pytest.approx((upper - lower).mean(), rel=1e-5)
    assert "covered" not in figures
    assert "intervals of number" in str(figures)
    sets = modnet.intervals(classifier, some(200, 400)).network
    known = modnet.evaluate(sets, some(400)).coverage["kind"]
    assert known["size"] == pytest.approx(np.mean([len(names) for names in sets.predict(some(400))["set"]]))
    assert "classes" in str(modnet.evaluate(sets, some(400))).splitlines()[-1]
    assert modnet.evaluate(regression, some(400)).coverage == {}


def test_several_targets_and_outputs():
    spec = {
        "network": {
            "input": [1],
            "layers": [
                "standardize",
                {**HIDDEN, "name": "hidden"},
                {**linear(2), "inputs": ["hidden"]},
                {"type": "unstandardize", "name": "numbers"},
                {**linear(3), "inputs": ["hidden"], "activation": "softmax", "name": "kinds"},
            ],
            "outputs": ["numbers", "kinds"],
        },
        "training": {"loss": {"numbers": "mse", "kinds": "cross_entropy"}, "epochs": 5},
        "data": {"target": {"numbers": ["number", "half"], "kinds": "kind"}, "inputs": ["x"]},
    }
    table = {**TABLE, "half": NUMBER / 2}
    network = modnet.train(spec, {name: values[:200] for name, values in table.items()}).network
    held_out = {name: values[200:] for name, values in table.items()}
    found = modnet.intervals(network, held_out)
    assert list(found.found) == ["number", "half", "kind"]
    answer = found.network.predict({"x": 2.0})
    assert {"number_lower", "number_upper", "half_lower", "half_upper", "kind_set"} <= answer.keys()
    coverage = modnet.evaluate(found.network, held_out).coverage
    assert list(coverage) == ["number", "half", "kind"]
    assert all(known["covered"] >= 0.9 for known in coverage.values())


def test_they_are_stored_and_left_out_of_what_is_changed(regression, classifier, tmp_path):
    certain = modnet.intervals(regression, some(200)).network
    modnet.save(certain, tmp_path / "certain.modnet")
    loaded = modnet.load(tmp_path / "certain.modnet")
    assert loaded.predict({"x": 1.5}) == certain.predict({"x": 1.5})
    assert "lower" not in regression.predict({"x": 1.5})
    np.testing.assert_array_equal(loaded.forward(np.array([[1.5]])), regression.forward(np.array([[1.5]])))
    modnet.train(loaded, some(0, 200), epochs=1)
    assert "lower" not in loaded.predict({"x": 1.5})
    sets = modnet.intervals(classifier, some(200)).network
    assert "set" not in modnet.calibrate(sets, some(200)).network.predict({"x": 1.5})


def test_answers_in_the_forms_of_rows(classifier):
    certain = modnet.intervals(classifier, some(200)).network
    rows = [{"x": x} for x in (0.2, 1.3, 2.0)]
    sets = [answer["set"] for answer in certain.predict(rows)]
    assert all(isinstance(names, list) and names for names in sets)
    assert [answer["set"] for answer in certain.predict(rows * 10)][:3] == sets  # by a table
    assert certain.predict({"x": [0.2, 1.3, 2.0]})["set"] == sets
    assert certain.predict([*rows, {"x": "far"}], faults="none")[3] is None
    structured = certain.predict(np.array([(0.2,), (1.3,), (2.0,)], [("x", float)]))
    assert structured["set"].tolist() == sets


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_answers_in_frames(classifier, library):
    frames = pytest.importorskip(library)
    certain = modnet.intervals(classifier, some(200)).network
    answer = certain.predict(frames.DataFrame({"x": [0.2, 1.3]}))
    assert [list(names) for names in answer["set"]] == certain.predict({"x": [0.2, 1.3]})["set"]


def test_too_few_rows_for_the_coverage(regression):
    with pytest.raises(DataError, match=r"a coverage of 0.95 needs at least 19 rows .* found 18; give more rows"):
        modnet.intervals(regression, some(0, 18), coverage=0.95)
    assert modnet.intervals(regression, some(200, 219), coverage=0.95).found["number"].rows == 19


def test_what_has_no_intervals():
    network = modnet.build({"network": {"input": [1], "layers": [linear(1)]}, "training": {"loss": "mse"}})
    with pytest.raises(DataError, match="trained on arrays and knows no columns"):
        modnet.intervals(network, X[:, None], NUMBER[:, None])
    labels = {"x": X, "labels": ["a; b" if x > 2 else "a" if x > 1 else "b" for x in X]}
    spec = {
        "network": {"input": [1], "layers": [linear(2), "sigmoid"]},
        "training": {"loss": "binary_cross_entropy", "epochs": 1},
        "data": {"target": "labels", "columns": {"labels": {"kind": "labels"}}},
    }
    with pytest.raises(DataError, match="several labels for each row"):
        modnet.intervals(modnet.train(spec, labels).network, labels)


@pytest.mark.parametrize("coverage", [0, 1, 90, -0.5])
def test_impossible_coverages(regression, coverage):
    with pytest.raises(ValueError, match="coverage: expected a number between 0 and 1"):
        modnet.intervals(regression, some(200), coverage=coverage)


def test_a_table_of_quantiles_is_trained_and_measured(quantiles):
    (column,) = quantiles.schema.targets["output"]
    assert column.quantiles == (0.05, 0.5, 0.95)
    answer = quantiles.predict({"x": 1.0})
    assert list(answer) == ["number", "number_0.05", "number_0.95"]
    assert answer["number_0.05"] < answer["number"] < answer["number_0.95"]
    assert modnet.evaluate(quantiles, some(200))["loss"] < 0.3
