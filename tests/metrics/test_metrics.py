"""Metrics: values by hand and by scikit-learn, and the same ones however an epoch is cut into batches."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modnet.errors import DataError, ShapeError, SpecError
from modnet.metrics import (
    AUC,
    F1,
    R2,
    Accuracy,
    AveragePrecision,
    BalancedAccuracy,
    CalibrationError,
    ConfusionMatrix,
    LogLoss,
    MatthewsCorrelation,
    MeanAbsoluteError,
    Precision,
    Recall,
    RootMeanSquaredError,
    TopKAccuracy,
)


def evaluate(metric, prediction, target, weights=None, cuts=()):
    """The metric over an epoch whose batches end at `cuts`."""
    accumulator = metric.start()
    batches = zip(
        np.split(prediction, cuts),
        np.split(target, cuts),
        [None] * (len(cuts) + 1) if weights is None else np.split(weights, cuts),
        strict=True,
    )
    for batch in batches:
        accumulator = metric.update(accumulator, *batch)
    return metric.result(accumulator)


def probabilities(rng, samples, classes):
    """Rows of probabilities, coarse enough that scores are often equal."""
    scores = rng.integers(1, 8, (samples, classes)).astype(float)
    return scores / scores.sum(axis=1, keepdims=True)


CLASSIFYING = [Accuracy(), ConfusionMatrix(), AUC(), AveragePrecision(), MatthewsCorrelation(), BalancedAccuracy()] + [
    metric(average=average) for metric in (Precision, Recall, F1) for average in ("auto", "macro", "micro")
]
OF_NUMBERS = [MeanAbsoluteError(), RootMeanSquaredError(), R2()]
OF_PROBABILITIES = [LogLoss(), CalibrationError(), CalibrationError(bins=4)]
OF_CLASSES = [*CLASSIFYING, *OF_PROBABILITIES, TopKAccuracy(k=2)]


# Values by hand


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Accuracy(), 0.75),
        (TopKAccuracy(k=1), 0.75),
        (TopKAccuracy(k=2), 1.0),
        (TopKAccuracy(), 1.0),
        (Precision(), (1 / 2 + 1 + 1) / 3),
        (Recall(), (1 + 1 / 2 + 1) / 3),
        (F1(), (2 / 3 + 2 / 3 + 1) / 3),
        (F1(average="micro"), 0.75),
        (AUC(), (1 + 3.5 / 4 + 1) / 3),
        (AveragePrecision(), (1 + (1 / 2 * 1 + 1 / 2 * 2 / 3) + 1) / 3),
        (BalancedAccuracy(), (1 + 1 / 2 + 1) / 3),
        (MatthewsCorrelation(), (3 * 4 - 5) / 10),
        (LogLoss(), -np.log([0.7, 0.3, 0.6, 0.5]).mean()),
        (CalibrationError(bins=1), 0.75 - (0.7 + 0.6 + 0.6 + 0.5) / 4),
        (ConfusionMatrix(), [[1, 0, 0], [1, 1, 0], [0, 0, 1]]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("rows", [False, True], ids=["labels", "rows"])
def test_three_classes(metric, value, rows):
    prediction = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
    target = np.array([0, 1, 1, 2])
    result = evaluate(metric, prediction, np.eye(3)[target] if rows else target)
    np.testing.assert_allclose(result, value, rtol=1e-12)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Accuracy(), 0.6),
        (Precision(), 0.5),
        (Recall(), 0.5),
        (F1(), 0.5),
        (Recall(average="macro"), (2 / 3 + 1 / 2) / 2),
        (AUC(), 4.5 / 6),
        (AveragePrecision(), 1 / 2 * 1 + 1 / 2 * 2 / 4),
        (BalancedAccuracy(), (2 / 3 + 1 / 2) / 2),
        (MatthewsCorrelation(), 1 / 6),
        (LogLoss(), -np.log([0.9, 0.5, 0.4, 0.5, 0.9]).mean()),
        (CalibrationError(bins=1), abs(0.6 - (0.9 + 0.5 + 0.6 + 0.5 + 0.9) / 5)),
        (ConfusionMatrix(), [[2, 1], [1, 1]]),
    ],
    ids=repr,
)
def test_two_classes_as_one_output_or_as_two(metric, value):
    one = np.array([[0.1], [0.5], [0.6], [0.5], [0.9]])
    target = np.array([0, 0, 0, 1, 1])
    two = np.hstack([1 - one, one])
    for prediction, labels in [(one, target), (one, target[:, None]), (two, target), (two, np.eye(2)[target])]:
        np.testing.assert_allclose(evaluate(metric, prediction, labels), value, rtol=1e-12)


@pytest.mark.parametrize(
    ("metric", "value"),
    [(MeanAbsoluteError(), 1.0), (RootMeanSquaredError(), math.sqrt(5 / 3)), (R2(), 1 - 5 / (14 / 3))],
    ids=repr,
)
def test_numbers(metric, value):
    prediction, target = np.array([[1.0], [3.0], [2.0]]), np.array([[1.0], [2.0], [4.0]])
    assert evaluate(metric, prediction, target) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("metric", OF_CLASSES, ids=repr)
def test_positions_of_a_sequence_count_with_the_weight_of_their_sample(metric):
    rng = np.random.default_rng(2)
    prediction, target = probabilities(rng, 24, 3).reshape(8, 3, 3), rng.integers(0, 3, (8, 3))
    weights = rng.uniform(0.1, 2, 8)
    flat = evaluate(metric, prediction.reshape(24, 3), target.reshape(24), np.repeat(weights, 3))
    np.testing.assert_allclose(evaluate(metric, prediction, target, weights), flat, rtol=1e-12)


@pytest.mark.parametrize("metric", [*OF_CLASSES, *OF_NUMBERS], ids=repr)
def test_an_epoch_without_samples_or_without_weights_is_nan(metric):
    prediction = np.full((3, 2), 0.5)
    target = prediction if metric in OF_NUMBERS else np.zeros(3, int)
    if metric == ConfusionMatrix():
        assert metric.result(metric.start()).shape == (0, 0)
        assert not evaluate(metric, prediction, target, np.zeros(3)).any()
    else:
        assert math.isnan(metric.result(metric.start()))
        assert math.isnan(evaluate(metric, prediction[:0], target[:0]))
        assert math.isnan(evaluate(metric, prediction, target, np.zeros(3)))


def test_confusion_matrix_counts_in_whole_numbers_unless_there_are_weights():
    prediction, target = np.array([[0.2], [0.7]]), np.array([0, 1])
    assert evaluate(ConfusionMatrix(), prediction, target).dtype == np.int64
    assert evaluate(ConfusionMatrix(), prediction, target, np.array([0.5, 1.0])).dtype == np.float64


def test_auc_does_not_keep_the_arrays_of_a_batch():
    metric, prediction, target = AUC(), np.array([[0.2], [0.7]]), np.array([0, 1])
    accumulator = metric.update(metric.start(), prediction, target, None)
    prediction[:] = 0
    target[:] = 0
    assert metric.result(accumulator) == 1


def test_scores_may_be_infinite():
    scores = np.array([[-np.inf, 0.0], [-np.inf, 0.0], [0.0, -np.inf]])
    assert evaluate(AUC(), scores, np.array([1, 1, 0])) == 1


def test_r2_of_far_and_nearly_constant_targets():
    target = 1e8 + np.random.default_rng(0).standard_normal((50, 1))
    assert evaluate(R2(), target + 0.1, target, cuts=[7, 30]) == pytest.approx(1 - 0.01 / target.var(), rel=1e-6)


@pytest.mark.parametrize(("error", "value"), [(0.0, 1.0), (0.1, 0.0)])
def test_r2_of_a_constant_target(error, value):
    target = np.full((7, 1), 0.1)
    assert evaluate(R2(), target + error, target, cuts=[3]) == value


# Any cut of an epoch


@st.composite
def epochs(draw):
    """A seed for the data, the number of samples, where batches end (some are empty), whether there are weights."""
    samples = draw(st.integers(1, 40))
    cuts = sorted(draw(st.lists(st.integers(0, samples), max_size=6)))
    return draw(st.integers(0, 2**32 - 1)), samples, cuts, draw(st.booleans())


@pytest.mark.parametrize("metric", [*OF_CLASSES, *OF_NUMBERS], ids=repr)
@settings(max_examples=25)
@given(epoch=epochs())
def test_any_cut_into_batches_gives_the_same(metric, epoch):
    seed, samples, cuts, weighted = epoch
    rng = np.random.default_rng(seed)
    prediction = probabilities(rng, samples, 3)
    target = rng.standard_normal((samples, 3)) if metric in OF_NUMBERS else rng.integers(0, 3, samples)
    weights = rng.integers(0, 4, samples) / 2 if weighted else None
    whole = evaluate(metric, prediction, target, weights)
    np.testing.assert_allclose(evaluate(metric, prediction, target, weights, cuts), whole, rtol=1e-9, atol=1e-12)


# Refusals


@pytest.mark.parametrize("shape", [(4, 1), (4, 2), (3,), (4, 3, 1)], ids=str)
def test_targets_of_another_shape_are_never_broadcast(shape):
    with pytest.raises(ShapeError) as caught:
        evaluate(Accuracy(), np.ones((4, 3)), np.ones(shape, int))
    assert str(caught.value) == (
        "accuracy expects predictions of shape (batch, ..., classes) and as targets labels (batch, ...) or "
        f"one-hot rows (batch, ..., classes), found predictions (4, 3) and targets {shape}"
    )


@pytest.mark.parametrize("shape", [(4,), (4, 3), (1, 1)], ids=str)
@pytest.mark.parametrize("metric", OF_NUMBERS, ids=repr)
def test_numbers_of_another_shape_are_never_broadcast(metric, shape):
    with pytest.raises(ShapeError, match=rf"{metric.type} expects .* found predictions \(4, 1\) and targets"):
        evaluate(metric, np.ones((4, 1)), np.ones(shape))


def test_labels_that_are_no_class_are_refused():
    with pytest.raises(DataError, match="whole numbers from 0 to 1, for 2 classes, found -1 in sample 1"):
        evaluate(Accuracy(), np.ones((2, 1)), np.array([1, -1]))
    with pytest.raises(DataError, match="found a sum of 2 in sample 1"):
        evaluate(Accuracy(), np.ones((2, 3)), np.array([[0, 0, 1], [1, 0, 1]]))


def test_binary_average_of_three_classes_is_refused():
    with pytest.raises(ShapeError, match='expects one output or two classes, found 3; use "macro" or "micro"'):
        evaluate(F1(average="binary"), np.ones((2, 3)), np.array([0, 1]))


def test_top_k_of_one_output_is_refused():
    with pytest.raises(ShapeError, match="expects a score for each class"):
        evaluate(TopKAccuracy(), np.ones((2, 1)), np.array([0, 1]))


def test_unknown_average_is_refused():
    with pytest.raises(SpecError, match='expected one of "auto", "binary", "macro", "micro", found "weighted"'):
        F1(average="weighted")


@pytest.mark.parametrize("metric", [Precision(), Recall(), F1()])
def test_classes_of_which_nothing_has_a_weight_are_not_there(metric):
    """As they are where their rows are a batch of their own, which no step is made with."""
    prediction, target = np.eye(4)[[0, 1, 1, 2, 3, 3]], np.array([0, 1, 0, 0, 2, 3])
    weights = np.array([1.0, 1.0, 0.5, 0.0, 0.0, 0.0])
    expected = evaluate(metric, prediction[:3], target[:3], weights[:3])
    assert evaluate(metric, prediction, target, weights) == pytest.approx(expected)


def test_a_score_of_nan_is_among_no_highest_ones():
    prediction = np.array([[math.nan, 0.5, 0.2], [0.5, math.nan, 0.2], [0.1, 0.5, 0.2]])
    assert evaluate(TopKAccuracy(k=1), prediction, np.array([0, 0, 1])) == pytest.approx(1 / 3)


# Against scikit-learn


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn.metrics", reason="install the extra parity")


def of_decisions(function, **options):
    def reference(sklearn, prediction, target, weights):
        one_output = prediction.shape[1] == 1
        predicted = prediction[:, 0] > 0.5 if one_output else prediction.argmax(axis=1)
        return getattr(sklearn, function)(target, predicted, sample_weight=weights, **options)

    return reference


def ratios(metric, function):
    return [
        (metric(), of_decisions(function, average="macro"), 4),
        (metric(), of_decisions(function), 2),
        (metric(average="binary"), of_decisions(function), 1),
        (metric(average="macro"), of_decisions(function, average="macro"), 1),
        (metric(average="micro"), of_decisions(function, average="micro"), 4),
    ]


def of_scores(sklearn, prediction, target, weights):
    scores = prediction[:, -1] if prediction.shape[1] <= 2 else prediction
    return sklearn.roc_auc_score(target, scores, sample_weight=weights, multi_class="ovr")


def average_precision(sklearn, prediction, target, weights):
    scores = prediction[:, -1] if prediction.shape[1] <= 2 else prediction
    return sklearn.average_precision_score(target, scores, sample_weight=weights)


def top_2(sklearn, prediction, target, weights):
    return sklearn.top_k_accuracy_score(target, prediction, k=2, labels=range(4), sample_weight=weights)


def log_loss(sklearn, prediction, target, weights):
    two = np.hstack([1 - prediction, prediction]) if prediction.shape[1] == 1 else prediction
    return sklearn.log_loss(target, two, sample_weight=weights, labels=range(two.shape[1]))


CLASSES_BY_SKLEARN = [
    *((MatthewsCorrelation(), of_decisions("matthews_corrcoef"), outputs) for outputs in (1, 2, 4)),
    *((BalancedAccuracy(), of_decisions("balanced_accuracy_score"), outputs) for outputs in (1, 2, 4)),
    *((LogLoss(), log_loss, outputs) for outputs in (1, 2, 4)),
    (Accuracy(), of_decisions("accuracy_score"), 4),
    (Accuracy(), of_decisions("accuracy_score"), 1),
    *ratios(Precision, "precision_score"),
    *ratios(Recall, "recall_score"),
    *ratios(F1, "f1_score"),
    (ConfusionMatrix(), of_decisions("confusion_matrix", labels=range(4)), 4),
    (ConfusionMatrix(), of_decisions("confusion_matrix", labels=range(2)), 1),
    (AUC(), of_scores, 4),
    (AUC(), of_scores, 2),
    (AUC(), of_scores, 1),
    *((AveragePrecision(), average_precision, outputs) for outputs in (1, 2, 4)),
    (TopKAccuracy(k=2), top_2, 4),
]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize(
    ("metric", "reference", "outputs"),
    CLASSES_BY_SKLEARN,
    ids=lambda value: "" if callable(value) else repr(value)[:9],
)
def test_classifying_metrics_are_scikit_learns(sklearn, metric, reference, outputs, weighted):
    rng = np.random.default_rng(outputs)
    for samples in (40, 100):
        prediction = probabilities(rng, samples, max(outputs, 2))[:, -outputs:]
        target = rng.permutation(np.arange(samples) % max(outputs, 2))
        weights = rng.integers(0, 4, samples) / 2 if weighted else None
        cuts = np.sort(rng.integers(0, samples, 4))
        result = evaluate(metric, prediction, target, weights, cuts)
        np.testing.assert_allclose(result, reference(sklearn, prediction, target, weights), rtol=1e-10)


@pytest.mark.parametrize(
    ("classes", "target", "predicted"),
    [
        (2, [0, 1, 1, 0], [0, 0, 0, 0]),
        (2, [0, 0, 0, 0], [1, 0, 1, 0]),
        (2, [0, 0, 0, 0], [0, 0, 0, 0]),
        (3, [0, 2, 2, 0], [0, 0, 1, 1]),
        (5, [0, 2, 2, 0], [0, 0, 1, 1]),
        (5, [1, 1, 1, 1], [1, 1, 1, 1]),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("metric", "function"),
    [(Precision, "precision_score"), (Recall, "recall_score"), (F1, "f1_score")],
    ids=["precision", "recall", "f1"],
)
def test_divisions_by_zero_are_scikit_learns(sklearn, metric, function, target, predicted, classes):
    average = "binary" if classes == 2 else "macro"
    with warnings.catch_warnings(action="ignore"):  # that a score is undefined: its warning's class is scikit-learn's
        expected = getattr(sklearn, function)(target, predicted, average=average)
    result = evaluate(metric(), np.eye(classes)[predicted], np.array(target), cuts=[2])
    assert result == pytest.approx(expected, rel=1e-12)


def test_auc_without_positives_or_negatives_is_scikit_learns(sklearn):
    scores = np.array([[0.2], [0.7]])
    with warnings.catch_warnings(action="ignore"):
        assert math.isnan(sklearn.roc_auc_score([1, 1], scores[:, 0]))
    assert math.isnan(evaluate(AUC(), scores, np.array([1, 1])))


@pytest.mark.parametrize("label", [0, 1])
def test_average_precision_without_positives_or_negatives_is_scikit_learns(sklearn, label):
    scores, labels = np.array([[0.2], [0.7]]), np.array([label, label])
    with warnings.catch_warnings(action="ignore"):
        expected = sklearn.average_precision_score(labels, scores[:, 0])
    assert evaluate(AveragePrecision(), scores, labels) == expected == label


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    ("metric", "function"),
    [
        (MeanAbsoluteError(), "mean_absolute_error"),
        (RootMeanSquaredError(), "root_mean_squared_error"),
        (R2(), "r2_score"),
    ],
    ids=repr,
)
def test_metrics_of_numbers_are_scikit_learns(sklearn, metric, function, outputs, weighted):
    rng = np.random.default_rng(outputs)
    target = 20 + 3 * rng.standard_normal((90, outputs))
    prediction = target + rng.standard_normal((90, outputs))
    target[:, -1] = 5.5  # one output is constant
    weights = rng.uniform(0, 2, 90) if weighted else None
    expected = getattr(sklearn, function)(target, prediction, sample_weight=weights)
    result = evaluate(metric, prediction, target, weights, np.sort(rng.integers(0, 90, 4)))
    assert result == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("metric", OF_CLASSES, ids=repr)
def test_several_labels_of_a_sample_are_refused_where_the_loss_is_not_for_them(metric):
    advice = "needs exactly one class in each row; if a sample can have several labels, use binary_cross_entropy"
    with pytest.raises(DataError, match=advice) as caught:
        evaluate(metric, np.full((2, 3), 0.5), np.array([[1.0, 0, 0], [1, 1, 0]]))
    assert "sample 1 of the batch" in str(caught.value)


@pytest.mark.parametrize("metric", [*OF_CLASSES, *OF_NUMBERS], ids=repr)
def test_a_position_could_as_well_be_a_sample_where_the_class_says_so(metric):
    rng = np.random.default_rng(0)
    numbers = metric in OF_NUMBERS
    prediction = rng.normal(size=(6, 5, 2)) if numbers else probabilities(rng, 30, 2).reshape(6, 5, 2)
    target = rng.normal(size=(6, 5, 2)) if numbers else rng.integers(0, 2, (6, 5))
    assert metric.positions
    weights = rng.uniform(0, 2, 6)
    alone = evaluate(metric, prediction.reshape(30, 2), target.reshape(30, *target.shape[2:]), np.repeat(weights, 5))
    np.testing.assert_allclose(evaluate(metric, prediction, target, weights), alone)
