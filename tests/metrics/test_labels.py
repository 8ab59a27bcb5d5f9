"""Metrics of several labels, each of which is present or absent by itself: as scikit-learn's of rows of labels."""

import numpy as np
import pytest

import modnet
from modnet.errors import DataError, ShapeError, SpecError
from modnet.metrics import (
    AUC,
    F1,
    Accuracy,
    AveragePrecision,
    ConfusionMatrix,
    LogLoss,
    MatthewsCorrelation,
    Precision,
    Recall,
    TopKAccuracy,
)


def measured(metric, scores, labels, weights=None, cuts=()):
    metric = metric.of_labels()
    accumulator = metric.start()
    parts = [np.split(array, cuts) for array in (scores, labels)]
    for place, (prediction, target) in enumerate(zip(*parts, strict=True)):
        few = None if weights is None else np.split(weights, cuts)[place]
        accumulator = metric.update(accumulator, prediction, target, few)
    return metric.result(accumulator)


def by_sklearn(sklearn, scores, labels, weights):
    found, given = scores > 0.5, {"sample_weight": weights}
    each_found, each_score = ([*zip(labels.T, array.T, strict=True)] for array in (found, scores))
    macro = {**given, "average": "macro", "zero_division": 0}
    return [
        (Accuracy(), np.average((found == labels).mean(axis=1), weights=weights)),
        (F1(), sklearn.f1_score(labels, found, **macro)),
        (F1(average="macro"), sklearn.f1_score(labels, found, **macro)),
        (F1(average="micro"), sklearn.f1_score(labels, found, **{**macro, "average": "micro"})),
        (Precision(), sklearn.precision_score(labels, found, **macro)),
        (Precision(average="micro"), sklearn.precision_score(labels, found, **{**macro, "average": "micro"})),
        (Recall(), sklearn.recall_score(labels, found, **macro)),
        (AUC(), sklearn.roc_auc_score(labels, scores, average="macro", **given)),
        (AveragePrecision(), sklearn.average_precision_score(labels, scores, average="macro", **given)),
        (ConfusionMatrix(), sklearn.multilabel_confusion_matrix(labels, found, **given)),
        (MatthewsCorrelation(), np.mean([sklearn.matthews_corrcoef(y, p, **given) for y, p in each_found])),
        (LogLoss(), np.mean([sklearn.log_loss(y, p, labels=[0, 1], **given) for y, p in each_score])),
    ]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("seed", "labels"), [(0, 2), (1, 3), (2, 7)])
def test_they_are_those_of_scikit_learn_however_an_epoch_is_cut(seed, labels, weighted):
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, (40, labels))
    scores = np.clip(0.6 * target + rng.uniform(0, 0.6, target.shape).round(2), 0.01, 0.99)
    scores[:, 0] = np.minimum(scores[:, 0], 0.4)  # a label that is never predicted
    weights = rng.uniform(0.1, 2.0, 40) if weighted else None
    for metric, expected in by_sklearn(sklearn, scores, target, weights):
        for cuts in ((), (1, 17)):
            np.testing.assert_allclose(measured(metric, scores, target, weights, cuts), expected, err_msg=str(metric))


def test_without_samples_they_are_nan():
    assert np.isnan(F1().of_labels().result(F1().of_labels().start()))


def test_shapes_and_values_that_are_no_labels_are_refused():
    scores = np.full((4, 3), 0.5)
    for metric in (Accuracy(), F1()):
        with pytest.raises(ShapeError, match=r"expects a 0 or 1 for each label.*found predictions \(4, 3\)"):
            measured(metric, scores, np.zeros(4))
        with pytest.raises(DataError, match="whole numbers from 0 to 1"):
            measured(metric, scores, scores)


SPEC = {
    "network": {"input": [4], "layers": [{"type": "linear", "out_features": 3}, "sigmoid"]},
    "training": {"loss": "binary_cross_entropy", "metrics": ["accuracy", "f1", "auc", "confusion_matrix"], "epochs": 2},
}


def test_a_training_with_several_labels_has_them():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4))
    y = (x[:, :3] > 0).astype(float)  # rows of any number of ones, none too
    history = modnet.train(modnet.build(SPEC), x, y, validation=0.2)
    assert history["accuracy"].shape == (2,)
    assert history["confusion_matrix"].shape == (2, 3, 2, 2)
    figures = modnet.evaluate(history.network, x, y)
    right = (history.network.forward(x) > 0.5) == y
    assert figures["accuracy"] == pytest.approx(right.mean())


def test_the_names_of_metrics_and_their_order_are_the_same():
    training = {**SPEC["training"], "callbacks": [{"type": "early_stopping", "monitor": "validation_f1"}]}
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)), rng.integers(0, 2, (60, 3))
    assert modnet.train(modnet.build({**SPEC, "training": training}), x, y, validation=0.2).epochs


def test_a_metric_that_has_no_meaning_for_labels_is_refused():
    network = modnet.build({**SPEC, "training": {**SPEC["training"], "metrics": [TopKAccuracy(k=2)]}})
    with pytest.raises(SpecError, match=r"training\.metrics: top_k_accuracy is for classes that exclude each other"):
        modnet.train(network, np.zeros((4, 4)), np.zeros((4, 3)))
