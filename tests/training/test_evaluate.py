"""modnet.evaluate: the figures, those of guessing, and those of each class, beside scikit-learn's."""

import pickle

import numpy as np
import pytest

import modnet
from modnet.training.measured import MOST_CLASSES, Figures

RNG = np.random.default_rng(0)
X = RNG.standard_normal((150, 4))
METRICS = ["accuracy", "balanced_accuracy", "log_loss", "auc", "precision", "confusion_matrix"]


def network(width, end, loss, metrics=()):
    layers = [{"type": "linear", "out_features": width}, *end]
    return modnet.build(
        {"network": {"input": [4], "layers": layers}, "training": {"loss": loss, "metrics": list(metrics)}}
    )


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("form", ["labels", "one-hot"])
def test_classes_are_compared_with_scikit_learns_dummy_and_report(classes, form):
    sklearn = pytest.importorskip("sklearn.metrics")
    dummy = pytest.importorskip("sklearn.dummy").DummyClassifier(strategy="prior")
    y = np.minimum(RNG.integers(0, classes + 2, 150), classes - 1)
    made = network(classes, ["softmax"], "cross_entropy", METRICS)
    found = modnet.evaluate(made, X, y if form == "labels" else np.eye(classes)[y])
    guessed = dummy.fit(X, y).predict_proba(X)
    majority = guessed.argmax(axis=1)
    assert found.base["accuracy"] == pytest.approx(sklearn.accuracy_score(y, majority))
    assert found.base["balanced_accuracy"] == pytest.approx(sklearn.balanced_accuracy_score(y, majority))
    assert found.base["log_loss"] == pytest.approx(sklearn.log_loss(y, guessed), rel=1e-5)
    assert found.base["loss"] == pytest.approx(sklearn.log_loss(y, guessed), rel=1e-5)
    assert found.base["auc"] == 0.5
    assert "confusion_matrix" not in found.base
    assert found.guesses == {"output": str(majority[0])}
    predicted = made.forward(X).argmax(axis=1)
    report = sklearn.classification_report(y, predicted, output_dict=True, zero_division=0)
    for label, known in found.classes["output"].items():
        expected = report[label]
        assert known["rows"] == expected["support"]
        for key, name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert known[key] == pytest.approx(expected[name])


def test_the_mean_of_both_classes_is_not_said_to_be_of_one():
    y = RNG.integers(0, 2, 150)
    for average in ("binary", "macro"):
        made = network(2, ["softmax"], "cross_entropy", [{"type": "f1", "average": average}])
        assert ("f1: of 1, the second" in str(modnet.evaluate(made, X, y))) == (average == "binary")


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_are_compared_with_their_mean(weighted):
    sklearn = pytest.importorskip("sklearn.metrics")
    y = RNG.standard_normal((150, 2)) * (1, 10) + 3
    weights = RNG.uniform(0, 2, 150) if weighted else None
    made = network(2, [], "mse", ["r2", "mean_absolute_error", "root_mean_squared_error"])
    found = modnet.evaluate(made, X, y, sample_weights=weights)
    mean = np.broadcast_to(np.average(y, axis=0, weights=weights), y.shape)
    for name, function in (("r2", "r2_score"), ("mean_absolute_error",) * 2, ("root_mean_squared_error",) * 2):
        expected = getattr(sklearn, function)(y, mean, sample_weight=weights)
        assert found.base[name] == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert found.base["loss"] == pytest.approx(sklearn.mean_squared_error(y, mean, sample_weight=weights), rel=1e-5)
    assert found.guesses == {"output": pytest.approx(mean[0].tolist(), rel=1e-5)}
    assert found.classes == {}
    assert "base rate: always " in str(found)


def test_a_single_probability_is_that_of_the_second_class():
    y = (RNG.uniform(size=(150, 1)) > 0.7).astype(float)
    made = network(1, ["sigmoid"], "binary_cross_entropy", ["accuracy"])
    found = modnet.evaluate(made, X, y)
    assert found.base["accuracy"] == pytest.approx(1 - y.mean())
    assert found.guesses == {"output": "0"}
    assert found.classes["output"]["1"]["rows"] == y.sum()


def test_labels_have_their_figures_each():
    sklearn = pytest.importorskip("sklearn.metrics")
    y = (RNG.uniform(size=(150, 3)) > (0.2, 0.5, 0.8)).astype(int)
    made = network(3, ["sigmoid"], "binary_cross_entropy", ["accuracy", "f1"])
    found = modnet.evaluate(made, X, y)
    report = sklearn.classification_report(y, made.forward(X) > 0.5, output_dict=True, zero_division=0)
    for label in ("0", "1", "2"):
        known, expected = found.classes["output"][label], report[label]
        assert (known["rows"], known["f1"]) == (expected["support"], pytest.approx(expected["f1-score"]))
    assert found.base["accuracy"] == pytest.approx(np.maximum(y.mean(axis=0), 1 - y.mean(axis=0)).mean())
    assert found.guesses["output"][0] == "0 present"
    assert "0 present, " in str(found)


def test_what_has_no_guess_and_no_classes_has_its_figures():
    soft = network(3, ["sigmoid"], "binary_cross_entropy")
    found = modnet.evaluate(soft, X, RNG.uniform(size=(150, 3)))
    assert (list(found), found.classes) == (["loss"], {})
    stream = modnet.evaluate(network(3, ["softmax"], "cross_entropy"), [(X, np.zeros(150, int))])
    assert (stream.base, stream.rows, stream.classes["output"]["0"]["rows"]) == ({}, None, 150)
    layers = [{"type": "linear", "out_features": 2}, "softmax"]
    steps = modnet.build({"network": {"input": [5, 4], "layers": layers}, "training": {"loss": "cross_entropy"}})
    found = modnet.evaluate(steps, RNG.standard_normal((9, 5, 4)), RNG.integers(0, 2, (9, 5)))
    assert (found.base, sum(one["rows"] for one in found.classes["output"].values())) == ({}, 45)
    hinge = modnet.evaluate(network(1, ["tanh"], "hinge"), X, RNG.choice([-1.0, 1.0], (150, 1)))
    assert list(hinge) == ["loss"]


def test_figures_are_a_dict_that_can_be_stored():
    made = network(3, ["softmax"], "cross_entropy", ["accuracy", "confusion_matrix"])
    found = modnet.evaluate(made, X, RNG.integers(0, 3, 150))
    assert isinstance(found, dict)
    again = pickle.loads(pickle.dumps(found))
    assert isinstance(again, Figures)
    assert str(again) == str(found)


def test_very_many_classes_are_counted_only():
    made = network(MOST_CLASSES + 1, ["softmax"], "cross_entropy")
    found = modnet.evaluate(made, X, RNG.integers(0, MOST_CLASSES + 1, 150))
    assert len(found.classes["output"]) == MOST_CLASSES + 1
    assert str(found).endswith(f"output: {MOST_CLASSES + 1} classes, too many to show each")


def test_a_metric_that_does_not_fit_says_why():
    with pytest.raises(modnet.SpecError, match='"f1" does not fit the model: it measures classes, but the model'):
        modnet.evaluate(network(1, [], "mse"), X, X[:, :1], metrics=["f1"])
    with pytest.raises(modnet.SpecError, match='unknown metric "acuracy"; did you mean "accuracy"'):
        modnet.evaluate(network(1, [], "mse"), X, X[:, :1], metrics=["acuracy"])
    with pytest.raises(modnet.SpecError, match="the network was not trained, and has no loss to measure"):
        modnet.evaluate(modnet.build({"network": {"input": [4], "layers": ["softmax"]}}), X, X, metrics=["f1"])


@pytest.mark.parametrize(
    ("metric", "loss", "y"), [("f1", "mse", X[:, :1]), ("r2", "cross_entropy", np.zeros(150, int))]
)
def test_a_training_says_it_too(metric, loss, y):
    made = network(*((1, []) if loss == "mse" else (2, ["softmax"])), loss, [metric])
    with pytest.raises(modnet.SpecError, match=rf'training\.metrics: "{metric}" does not fit the model: it measures'):
        modnet.train(made, X, y)
