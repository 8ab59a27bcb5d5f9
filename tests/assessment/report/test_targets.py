"""Truth and predictions of held-out rows."""

import numpy as np
import pytest

import modnet
from modnet.assessment.report.targets import ClassTarget, NumberTarget, targets_of
from modnet.assessment.samples import Samples
from tests.assessment.explanation import networks


def test_classes():
    network, table = networks.classes()
    (target,) = targets_of(network, Samples.of(network, table))
    assert isinstance(target, ClassTarget)
    assert [target.classes[label] for label in target.truth] == list(table["kind"])
    figures = modnet.evaluate(network, table, metrics=["accuracy", "confusion_matrix", "calibration_error"])
    assert (target.predicted == target.truth).mean() == pytest.approx(figures["accuracy"])
    assert target.confusion().tolist() == figures["confusion_matrix"].tolist()


def test_the_calibration_error_is_that_of_the_metric():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), 500)
    truth = rng.integers(0, 3, 500)
    target = ClassTarget("kind", ("a", "b", "c"), truth, probabilities)
    metric = modnet.default_registry().entry(modnet.Metric, "calibration_error").load()(bins=10)
    known = metric.result(metric.update(metric.start(), probabilities, truth, None))
    assert target.calibration_error() == pytest.approx(known, abs=1e-9)
    assert sum(rows for _, _, rows in target.reliability()) == 500


def test_numbers():
    network, x, y = networks.numbers(50)
    (target,) = targets_of(network, Samples.of(network, x, y))
    assert isinstance(target, NumberTarget)
    assert target.badness() == pytest.approx(np.abs(y - network.forward(x))[:, 0])
    assert target.said(3)[0].startswith(f"{y[3, 0]:.3f}"[:5])
