"""Metrics of probabilities and of rare classes, where they are at an end: torch's and scikit-learn's values."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest

from modnet.errors import DataError
from modnet.metrics import BalancedAccuracy, CalibrationError, LogLoss, MatthewsCorrelation


def evaluate(metric, prediction, target, weights=None):
    return metric.result(metric.update(metric.start(), prediction, target, weights))


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn.metrics", reason="install the extra parity")


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("classes", [2, 5])
def test_calibration_error_is_that_of_its_authors(classes, bins):
    """The loop of Guo's temperature_scaling.py, in torch."""
    torch = pytest.importorskip("torch", reason="install the extra parity")
    rng = np.random.default_rng(classes)
    logits = torch.tensor(2 * rng.standard_normal((400, classes)))
    labels = torch.tensor(rng.integers(0, classes, 400))
    probabilities = torch.softmax(logits, dim=1)
    confidences, predictions = probabilities.max(1)
    accuracies = predictions.eq(labels)
    expected = torch.zeros(1, dtype=torch.float64)
    edges = torch.linspace(0, 1, bins + 1)
    for lower, upper in pairwise(edges):
        inside = confidences.gt(lower.item()) * confidences.le(upper.item())
        share = inside.double().mean()
        if share.item() > 0:
            expected += (confidences[inside].mean() - accuracies[inside].double().mean()).abs() * share
    found = evaluate(CalibrationError(bins=bins), probabilities.numpy(), labels.numpy())
    assert found == pytest.approx(expected.item(), rel=1e-9)


def test_confidences_on_an_edge_belong_to_the_bin_below():
    half = np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
    assert evaluate(CalibrationError(bins=2), half, np.array([0, 1, 0, 0])) == 0
    assert evaluate(CalibrationError(bins=2), half, np.array([1, 1, 0, 0])) == pytest.approx(0.25)


def test_rows_that_are_shares_are_right_as_far_as_they_go():
    rows = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    assert evaluate(CalibrationError(), rows, rows) == pytest.approx(0, abs=1e-15)
    entropy = -(rows * np.log(rows)).sum() / 3
    assert evaluate(LogLoss(), rows, rows) == pytest.approx(entropy, rel=1e-12)


@pytest.mark.parametrize("metric", [LogLoss(), CalibrationError()], ids=repr)
def test_logits_are_no_probabilities(metric):
    with pytest.raises(
        DataError,
        match=f"{metric.type} expects probabilities as prediction, found 2.5 in sample 1 of the batch; end the",
    ):
        evaluate(metric, np.array([[0.1, 0.9], [-0.5, 2.5]])[:, 1:], np.array([0, 1]))


@pytest.mark.parametrize("outputs", [1, 2])
def test_log_loss_of_probabilities_of_0_and_1_is_scikit_learns(sklearn, outputs):
    two = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    for target in ([1, 0, 1], [0, 0, 1], [0, 1, 0]):
        expected = sklearn.log_loss(target, two, labels=[0, 1])
        assert evaluate(LogLoss(), two[:, -outputs:], np.array(target)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", [LogLoss(), CalibrationError()], ids=repr)
def test_a_probability_of_nan_is_seen(metric):
    assert math.isnan(evaluate(metric, np.array([[0.3, 0.7], [np.nan, np.nan]]), np.array([0, 1])))


@pytest.mark.parametrize(
    ("metric", "function"),
    [(MatthewsCorrelation(), "matthews_corrcoef"), (BalancedAccuracy(), "balanced_accuracy_score")],
    ids=["matthews_correlation", "balanced_accuracy"],
)
@pytest.mark.parametrize(
    ("target", "predicted"),
    [
        ([0, 1, 1, 0], [0, 0, 0, 0]),
        ([0, 0, 0, 0], [1, 0, 1, 0]),
        ([0, 0, 0, 0], [0, 0, 0, 0]),
        ([0, 2, 2, 0], [0, 0, 1, 1]),
        ([1, 1, 1, 1], [2, 2, 2, 2]),
        ([0, 1, 2, 2], [0, 1, 2, 2]),
    ],
    ids=str,
)
def test_classes_that_do_not_occur_are_scikit_learns(sklearn, metric, function, target, predicted):
    weights = np.array([0.1, 0.2, 0.3, 0.7])
    with warnings.catch_warnings(action="ignore"):
        expected = getattr(sklearn, function)(target, predicted, sample_weight=weights)
    found = evaluate(metric, np.eye(3)[predicted], np.array(target), weights)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)
