"""Losses: values by hand and by torch, gradients by finite differences, joint forms by the two steps they replace."""

import numpy as np
import pytest

from modnet.errors import DataError, ShapeError, SpecError
from modnet.kinds.context import Context
from modnet.losses import (
    BinaryCrossEntropy,
    BinaryFocal,
    Cosine,
    CrossEntropy,
    Focal,
    Hinge,
    Huber,
    KLDivergence,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Quantile,
)

WEIGHTS = (0.5, 2.0, 1.0, 0.0)
RNG = np.random.default_rng(3)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _same_random_numbers_in_every_order():
    RNG.bit_generator.state = START


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(y, gradient):
    return y * (gradient - (gradient * y).sum(axis=-1, keepdims=True))


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def sigmoid_backward(y, gradient):
    return gradient * y * (1 - y)


def normal(*shape):
    return RNG.standard_normal(shape)


def labels(*shape):
    return RNG.integers(0, 4, shape)


def one_hot(target):
    return np.eye(4)[target]


def binary(*shape):
    return RNG.integers(0, 2, shape)


REGRESSION = [
    (MeanSquaredError(), normal(5, 3), normal(5, 3)),
    (MeanSquaredError(), normal(5), normal(5)),
    (MeanAbsoluteError(), normal(5, 2, 3), normal(5, 2, 3)),
    (Huber(), 2 * normal(7, 3), 2 * normal(7, 3)),
    (Huber(delta=0.3), normal(7, 3), normal(7, 3)),
    (Hinge(), normal(6, 3), 2 * binary(6, 3) - 1),
    (Hinge(), normal(6, 1), 2 * binary(6) - 1),
    (Poisson(), RNG.uniform(0.1, 4, (6, 3)), RNG.poisson(2, (6, 3))),
    (Cosine(), normal(6, 5), normal(6, 5)),
    (Quantile(), normal(6, 3), normal(6, 3)),
    (Quantile(quantiles=(0.2,)), normal(6, 1), normal(6)),
    (Quantile(quantiles=(0.1, 0.5, 0.9)), normal(6, 3), normal(6, 1)),
    (Quantile(quantiles=(0.1, 0.5, 0.9)), normal(6, 4, 3), normal(6, 4)),
    (Cosine(), normal(6, 3, 5), normal(6, 3, 5)),
]

OF_CLASSES = [
    (CrossEntropy(), normal(6, 4), labels(6)),
    (CrossEntropy(), normal(6, 4), one_hot(labels(6))),
    (CrossEntropy(), normal(6, 4), softmax(normal(6, 4))),
    (CrossEntropy(), normal(6, 3, 4), labels(6, 3)),
    (CrossEntropy(), normal(6, 3, 4), one_hot(labels(6, 3))),
    (CrossEntropy(), normal(6, 40), labels(6)),
    (CrossEntropy(label_smoothing=0.1), normal(6, 4), labels(6)),
    (CrossEntropy(label_smoothing=0.1), normal(6, 2, 3, 4), labels(6, 2, 3)),
    (CrossEntropy(class_weights=WEIGHTS), normal(6, 4), labels(6)),
    (CrossEntropy(class_weights=WEIGHTS), normal(6, 4), softmax(normal(6, 4))),
    (CrossEntropy(class_weights=WEIGHTS, label_smoothing=0.2), normal(6, 3, 4), labels(6, 3)),
    (Focal(), normal(6, 4), labels(6)),
    (Focal(gamma=0.5), normal(6, 3, 4), labels(6, 3)),
    (Focal(gamma=0.0), normal(6, 4), softmax(normal(6, 4))),
    (Focal(class_weights=WEIGHTS, label_smoothing=0.2), normal(6, 3, 4), labels(6, 3)),
    (KLDivergence(), normal(6, 4), softmax(normal(6, 4))),
    (KLDivergence(), normal(6, 3, 4), one_hot(labels(6, 3))),
]

OF_LABELS = [
    (BinaryCrossEntropy(), normal(6, 1), binary(6)),
    (BinaryCrossEntropy(), normal(6, 1), binary(6, 1)),
    (BinaryCrossEntropy(), normal(6, 3), RNG.uniform(0, 1, (6, 3))),
    (BinaryCrossEntropy(label_smoothing=0.1), normal(6, 2, 1), binary(6, 2)),
    (BinaryCrossEntropy(positive_weight=2.5), normal(6, 3), binary(6, 3)),
    (BinaryFocal(), normal(6, 1), binary(6)),
    (BinaryFocal(gamma=0.5, alpha=None), normal(6, 3), RNG.uniform(0, 1, (6, 3))),
    (BinaryFocal(gamma=0.0), normal(6, 2, 1), binary(6, 2)),
]

CASES = [
    *REGRESSION,
    # Halved, for probabilities that are not so small that finite differences of their logarithms are poor.
    *((loss, softmax(logits / 2), target) for loss, logits, target in OF_CLASSES),
    *((loss, sigmoid(logits), target) for loss, logits, target in OF_LABELS),
]

JOINT = [
    *((*case, softmax, softmax_backward) for case in OF_CLASSES),
    *((*case, sigmoid, sigmoid_backward) for case in OF_LABELS),
]


def name(value):
    if isinstance(value, np.ndarray):
        return "x".join(map(str, value.shape)) + ("" if value.dtype == float else "i")
    return None if callable(value) else repr(value)


def joint(loss, logits, target):
    return loss.joint(Context(logits.dtype), logits, target)


# Values and gradients


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "value"),
    [
        (MeanSquaredError(), [3, 1], [1, 1], 2),
        (MeanAbsoluteError(), [3, 1], [1, 0], 1.5),
        (Huber(delta=1), [3, 0.5], [0, 0], (2.5 + 0.125) / 2),
        (Hinge(), [0.25, -3], [1, -1], 0.375),
        (Poisson(), [2, 1], [0, 3], 1.5),
        (Cosine(), [0, 2], [3, 3], 1 - np.sqrt(0.5)),
        (Cosine(), [0, 0], [3, 3], 1),
        (CrossEntropy(), [0.25, 0.75], 0, np.log(4)),
        (CrossEntropy(), [0.25, 0.75], 0.0, np.log(4)),
        (CrossEntropy(), [[0.25, 0.75], [1, 0]], [0, 0], np.log(2)),
        (BinaryCrossEntropy(), [0.25], 1, np.log(4)),
        (BinaryCrossEntropy(), [0.25, 0.5], [1, 0], 1.5 * np.log(2)),
        (KLDivergence(), [0.25, 0.75], [1, 0], np.log(4)),
        (KLDivergence(), [0.25, 0.75], [0.25, 0.75], 0),
    ],
    ids=name,
)
def test_value_of_one_sample(loss, prediction, target, value):
    values = loss.values(np.array([prediction], float), np.array([target]))
    np.testing.assert_allclose(values, [value], atol=1e-7)


@pytest.mark.parametrize(("loss", "logits", "target", "activation", "backward"), JOINT, ids=name)
def test_joint_equals_the_activation_and_the_loss_one_after_the_other(loss, logits, target, activation, backward):
    prediction = activation(logits)
    values, gradient = joint(loss, logits, target)
    np.testing.assert_allclose(values, loss.values(prediction, target), rtol=1e-12, atol=1e-14)
    expected = backward(prediction, loss.gradient(prediction, target))
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("loss", "meeting"), [(MeanAbsoluteError(), [2.0]), (Hinge(), [1.0]), (Cosine(), [0.0, 1.0])])
def test_gradient_is_0_at_the_kink_or_minimum(loss, meeting):
    np.testing.assert_array_equal(loss.gradient(np.array([meeting]), np.array([meeting])), 0)


# Extreme predictions


@pytest.mark.parametrize("scale", [1e2, 1e4])
@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (CrossEntropy(), np.array([2, 1, 0])),
        (CrossEntropy(), np.eye(3)[[2, 1, 0]]),
        (KLDivergence(), np.eye(3)[[2, 1, 0]]),
    ],
    ids=name,
)
def test_softmax_joint_is_right_for_large_logits(loss, target, scale):
    logits = np.array([[1, 0, -1], [-1, 1, 0], [0, 0, 0]], np.float32) * np.float32(scale)
    values, gradient = joint(loss, logits, target)
    np.testing.assert_allclose(values, [2 * scale, 0, np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[1, 0, -1], [0, 0, 0], [-2 / 3, 1 / 3, 1 / 3]], rtol=1e-6, atol=1e-40)


@pytest.mark.parametrize("loss", [CrossEntropy(label_smoothing=0.3), CrossEntropy(class_weights=(1, 2, 3))], ids=repr)
def test_softmax_joint_is_finite_for_large_logits_with_smoothing_and_weights(loss):
    logits, target = 1e4 * normal(20, 3), RNG.integers(0, 3, 20)
    expected = joint(loss, logits, target)
    for result, right in zip(joint(loss, logits.astype(np.float32), target), expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-5, atol=1e-6)


def test_sigmoid_joint_is_finite_and_right_for_large_logits():
    logits = np.array([[1e4], [1e4], [-1e4], [-1e4], [0]], np.float32)
    values, gradient = joint(BinaryCrossEntropy(), logits, np.array([1, 0, 1, 0, 1]))
    np.testing.assert_allclose(values, [0, 1e4, 1e4, 0, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(gradient[:, 0], [0, 1, -1, 0, -0.5], rtol=1e-6)


def test_sigmoid_joint_keeps_small_values():
    values, gradient = joint(BinaryCrossEntropy(), np.array([[-40.0], [40.0]], np.float32), np.array([0, 1]))
    np.testing.assert_allclose(values, np.exp(-40), rtol=1e-5)
    np.testing.assert_allclose(gradient[0], np.exp(-40), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("loss", "prediction", "target", "value", "slope"),
    [
        (CrossEntropy(), [0, 1], 0, 30 * np.log(10), -1e30),
        (CrossEntropy(), [0, 1], 1, 0, 0),
        (KLDivergence(), [0, 1], [1, 0], 30 * np.log(10), -1e30),
        (BinaryCrossEntropy(), [0], 1, 30 * np.log(10), -1e30),
        (BinaryCrossEntropy(), [1], 0, 30 * np.log(10), 1e30),
        (BinaryCrossEntropy(), [1], 1, 0, -1),
    ],
    ids=name,
)
def test_probabilities_of_exactly_0_and_1_are_safe(loss, prediction, target, value, slope, dtype):
    prediction, target = np.array([prediction], dtype), np.array([target])
    np.testing.assert_allclose(loss.values(prediction, target), [value], rtol=1e-6)
    np.testing.assert_allclose(loss.gradient(prediction, target)[0, 0], slope, rtol=1e-6)


def test_nan_passes_through_for_training_to_report():
    prediction = np.full((2, 3), np.nan)
    for loss, target in [
        (CrossEntropy(), [0, 1]),
        (MeanSquaredError(), np.zeros((2, 3))),
        (Poisson(), np.ones((2, 3))),
    ]:
        assert np.isnan(loss.values(prediction, np.array(target))).all()


def test_joint_uses_the_same_buffer_at_every_step():
    context, logits, target = Context(np.float32), normal(4, 3).astype(np.float32), np.array([0, 1, 2, 0])
    _, first = CrossEntropy().joint(context, logits, target)
    context.begin()
    _, second = CrossEntropy().joint(context, logits, target)
    assert first is second


# Class weights


@pytest.mark.parametrize("rows", [False, True])
def test_class_weights_act_through_the_samples_weights(rows):
    loss = CrossEntropy(class_weights=WEIGHTS)
    target = np.array([0, 1, 3])
    prediction = softmax(normal(3, 4))
    target = one_hot(target) if rows else target
    np.testing.assert_allclose(loss.sample_weights(target), [0.5, 2.0, 0.0])
    unweighted = CrossEntropy().values(prediction, target)
    np.testing.assert_allclose(loss.values(prediction, target), unweighted * [0.5, 2.0, 0.0])
    assert loss.weighted


def test_class_weights_average_over_the_positions_of_a_sequence():
    loss = CrossEntropy(class_weights=WEIGHTS)
    prediction, target = softmax(normal(1, 3, 4)), np.array([[0, 1, 3]])
    surprise = -np.log(prediction[0, np.arange(3), target[0]])
    np.testing.assert_allclose(loss.sample_weights(target), [2.5 / 3])
    np.testing.assert_allclose(loss.values(prediction, target), (surprise @ [0.5, 2.0, 0.0]) / 3)


def test_no_class_weights_no_sample_weights():
    assert CrossEntropy().sample_weights(np.array([0, 1])) is None


def test_with_class_weights_integers_are_labels_and_floats_are_rows():
    loss = CrossEntropy(class_weights=WEIGHTS)
    with pytest.raises(DataError, match="labels as integers and rows as floats, found rows of dtype int64"):
        loss.values(softmax(normal(4, 4)), np.eye(4, dtype=np.int64))
    with pytest.raises(DataError, match="found labels of dtype float64; convert them with astype"):
        loss.values(softmax(normal(4, 4)), np.zeros(4))


@pytest.mark.parametrize("weights", [(), (0.0, 0.0), (1.0, -1.0)])
def test_impossible_class_weights_are_refused(weights):
    with pytest.raises(SpecError, match="class_weights"):
        CrossEntropy(class_weights=weights)


# Refusals


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "message"),
    [
        (
            MeanSquaredError(),
            (4, 3),
            (4, 2),
            "mse expects a target of shape (3,) for a prediction of shape (3,), found a target of shape (2,)",
        ),
        (
            MeanAbsoluteError(),
            (4, 1),
            (4,),
            "mae expects a target of shape (1,) for a prediction of shape (1,), found a target of shape (); "
            "give the target a last axis of 1: y[:, None]",
        ),
        (
            Huber(),
            (4, 3),
            (1, 3),
            "huber expects the same number of targets and predictions, "
            "found predictions of shape (4, 3) and targets of shape (1, 3)",
        ),
        (
            Cosine(),
            (4, 3),
            (4, 1),
            "cosine expects a target of shape (3,) for a prediction of shape (3,), found a target of shape (1,)",
        ),
        (
            CrossEntropy(),
            (4, 3),
            (4, 1),
            "cross_entropy expects a target of shape () or (3,) for a prediction of shape (3,), "
            "found a target of shape (1,); labels have no axis of their own: y[:, 0]",
        ),
        (
            CrossEntropy(),
            (4, 5, 3),
            (4,),
            "cross_entropy expects a target of shape (5,) or (5, 3) for a prediction of shape (5, 3), "
            "found a target of shape ()",
        ),
        (
            CrossEntropy(class_weights=(1, 2)),
            (4, 3),
            (4,),
            "cross_entropy has 2 class weights for a prediction of 3 classes; give one weight for each class",
        ),
        (
            KLDivergence(),
            (4,),
            (4,),
            "kl_divergence expects a prediction with at least one axis, such as (n,), found ()",
        ),
        (
            BinaryCrossEntropy(),
            (4, 2),
            (4,),
            "binary_cross_entropy expects a target of shape (2,) for a prediction of shape (2,), "
            "found a target of shape ()",
        ),
        (
            Hinge(),
            (4, 1),
            (4, 2),
            "hinge expects a target of shape (1,) or () for a prediction of shape (1,), found a target of shape (2,)",
        ),
    ],
    ids=name,
)
def test_shapes_that_do_not_fit_are_never_broadcast(loss, prediction, target, message):
    prediction, target = np.full(prediction, 0.5), np.zeros(target, int)
    for call in (loss.values, loss.gradient):
        with pytest.raises(ShapeError) as caught:
            call(prediction, target)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ([0, 3, 1, 4], "3 in sample 1 of the batch"),
        ([0, 1, -1, 1], "-1 in sample 2 of the batch"),
        ([0, 1, 1.5, 1], "1.5 in sample 2 of the batch"),
        ([np.nan, 1, 1, 1], "nan in sample 0 of the batch"),
        ([1e30, 1, 1, 1], "1e+30 in sample 0 of the batch"),
    ],
    ids=str,
)
def test_labels_that_are_no_class_are_refused(target, found):
    for call in (CrossEntropy().values, CrossEntropy().gradient, lambda *arrays: joint(CrossEntropy(), *arrays)):
        with pytest.raises(DataError) as caught:
            call(np.full((4, 3), 1 / 3), np.array(target))
        assert str(caught.value) == f"expected labels that are whole numbers from 0 to 2, for 3 classes, found {found}"


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.float32, bool])
def test_labels_come_in_any_dtype(dtype):
    target = np.array([0, 1, 1])
    logits = normal(3, 2)
    expected = joint(CrossEntropy(), logits, target)
    for result, right in zip(joint(CrossEntropy(), logits, target.astype(dtype)), expected, strict=True):
        np.testing.assert_array_equal(result, right)


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "message"),
    [
        (
            CrossEntropy(),
            [2.5, -1],
            0,
            "expects probabilities as prediction, found 2.5 .* end the network with softmax",
        ),
        (KLDivergence(), [1.5, -0.5], [1, 0], "expects probabilities as prediction, .* end the network with softmax"),
        (BinaryCrossEntropy(), [-3], 0, "found -3.0 in sample 0 of the batch; end the network with sigmoid"),
        (BinaryCrossEntropy(), [0.5], -1, "expects targets from 0 to 1, found -1.0 in sample 0"),
        (CrossEntropy(), [0.5, 0.5], [1, 1], "found a sum of 2.0 in sample 0 .* use binary_cross_entropy"),
        (CrossEntropy(), [0.5, 0.5], [2, -1], "rows of probabilities as target, found -1.0 in sample 0"),
        (KLDivergence(), [0.5, 0.5], [0, 0], "found a sum of 0.0 in sample 0"),
        (
            Hinge(),
            [0.5],
            0,
            "targets of -1 and \\+1, found 0.0 in sample 0 of the batch; write the two classes as -1 and 1",
        ),
        (Poisson(), [-0.5], [1], "expects rates >= 0 as prediction, found -0.5 .* end the network with softplus"),
        (Poisson(), [0.5], [-1], "expects counts >= 0 as target, found -1.0"),
    ],
    ids=name,
)
def test_values_that_have_no_meaning_are_refused(loss, prediction, target, message):
    for call in (loss.values, loss.gradient):
        with pytest.raises(DataError, match=message):
            call(np.array([prediction], float), np.array([target]))


def test_probabilities_may_be_out_of_range_by_rounding():
    assert CrossEntropy().values(np.array([[1 + 1e-7, -1e-7]], np.float32), np.array([0]))[0] == pytest.approx(
        0, abs=1e-6
    )


# Against torch, in float32


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch", reason="install the extra parity")
    torch.set_num_threads(1)
    return torch


def batch_loss(loss, values, gradient, target):
    """The loss of a batch and its gradient, as training computes them."""
    weights = loss.sample_weights(target)
    if loss.weighted and weights is not None:
        return values.sum() / weights.sum(), gradient / weights.sum()
    weights = np.ones(len(values)) if weights is None else weights
    weights = weights / weights.sum()
    return values @ weights, gradient * weights.reshape(-1, *[1] * (gradient.ndim - 1))


def assert_torch_agrees(torch, ours, function, x):
    x = torch.tensor(x, requires_grad=True)
    value = function(x)
    value.backward()
    assert ours[0] == pytest.approx(value.item(), rel=1e-5)
    np.testing.assert_allclose(ours[1], x.grad.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "function", "options"),
    [
        (MeanSquaredError(), "mse_loss", {}),
        (MeanAbsoluteError(), "l1_loss", {}),
        (Huber(delta=0.7), "huber_loss", {"delta": 0.7}),
        (Poisson(), "poisson_nll_loss", {"log_input": False}),
    ],
    ids=name,
)
def test_elementwise_losses_are_torchs(torch, loss, function, options):
    prediction = RNG.uniform(0, 3, (8, 5)).astype(np.float32)
    target = RNG.integers(0, 4, (8, 5)).astype(np.float32)
    ours = batch_loss(loss, loss.values(prediction, target), loss.gradient(prediction, target), target)
    theirs = getattr(torch.nn.functional, function)
    assert_torch_agrees(torch, ours, lambda x: theirs(x, torch.tensor(target), **options), prediction)


def test_cosine_is_torchs(torch):
    prediction, target = (normal(8, 3, 5).astype(np.float32) for _ in range(2))
    prediction[0, 0] = 0
    loss = Cosine()
    ours = batch_loss(loss, loss.values(prediction, target), loss.gradient(prediction, target), target)
    similarity = torch.nn.CosineSimilarity(dim=-1)
    assert_torch_agrees(torch, ours, lambda x: 1 - similarity(x, torch.tensor(target)).mean(), prediction)


def test_hinge_of_one_output_is_torchs_margin_loss(torch):
    scores, target = normal(9, 1).astype(np.float32), 2 * binary(9) - 1
    ours = batch_loss(Hinge(), Hinge().values(scores, target), Hinge().gradient(scores, target), target)
    theirs = torch.nn.functional.margin_ranking_loss
    # max(0, -y (a - b) + margin), with b = 0
    assert_torch_agrees(
        torch, ours, lambda x: theirs(x[:, 0], torch.zeros(9), torch.tensor(target), margin=1.0), scores
    )


@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 1.0, 0.25)], ids=["", "weights"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("positions", [(), (5,), (2, 3)], ids=str)
def test_cross_entropy_of_labels_is_torchs(torch, weights, smoothing, positions):
    logits, target = normal(9, *positions, 4).astype(np.float32), labels(9, *positions)
    loss = CrossEntropy(class_weights=weights, label_smoothing=smoothing)
    theirs = torch.nn.CrossEntropyLoss(
        weight=None if weights is None else torch.tensor(weights), label_smoothing=smoothing
    )

    def function(x):
        return theirs(x.movedim(-1, 1), torch.tensor(target))

    assert_torch_agrees(torch, batch_loss(loss, *joint(loss, logits, target), target), function, logits)
    rows = one_hot(target).astype(np.float32)
    assert_torch_agrees(torch, batch_loss(loss, *joint(loss, logits, rows), rows), function, logits)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("positions", [(), (5,)], ids=str)
def test_class_weights_of_0_are_torchs(torch, smoothing, positions):
    logits, target = normal(9, *positions, 4).astype(np.float32), labels(9, *positions)
    loss = CrossEntropy(class_weights=WEIGHTS, label_smoothing=smoothing)
    theirs = torch.nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS), label_smoothing=smoothing)
    assert (target == WEIGHTS.index(0.0)).any()
    ours = batch_loss(loss, *joint(loss, logits, target), target)
    assert_torch_agrees(torch, ours, lambda x: theirs(x.movedim(-1, 1), torch.tensor(target)), logits)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_probabilities_is_torchs(torch, smoothing):
    logits, target = normal(9, 4).astype(np.float32), softmax(normal(9, 4)).astype(np.float32)
    loss, theirs = CrossEntropy(label_smoothing=smoothing), torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    ours = batch_loss(loss, *joint(loss, logits, target), target)
    assert_torch_agrees(torch, ours, lambda x: theirs(x, torch.tensor(target)), logits)


def test_kl_divergence_is_torchs(torch):
    logits, target = normal(9, 4).astype(np.float32), softmax(normal(9, 4)).astype(np.float32)
    theirs = torch.nn.KLDivLoss(reduction="batchmean")
    ours = batch_loss(KLDivergence(), *joint(KLDivergence(), logits, target), target)
    assert_torch_agrees(torch, ours, lambda x: theirs(x.log_softmax(-1), torch.tensor(target)), logits)


@pytest.mark.parametrize("positive_weight", [1.0, 3.0])
def test_binary_cross_entropy_is_torchs(torch, positive_weight):
    logits, target = 5 * normal(9, 3).astype(np.float32), binary(9, 3).astype(np.float32)
    loss = BinaryCrossEntropy(positive_weight=positive_weight)
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.full((3,), positive_weight))
    ours = batch_loss(loss, *joint(loss, logits, target), target)
    assert_torch_agrees(torch, ours, lambda x: theirs(x, torch.tensor(target)), logits)


# Positions


@pytest.mark.parametrize(("loss", "prediction", "target"), CASES, ids=repr)
def test_a_position_could_as_well_be_a_sample_where_the_class_says_so(loss, prediction, target):
    if prediction.ndim < 3:
        return
    assert loss.positions
    alone = loss.values(prediction.reshape(-1, *prediction.shape[2:]), target.reshape(-1, *target.shape[2:]))
    np.testing.assert_allclose(loss.values(prediction, target), alone.reshape(prediction.shape[:2]).mean(axis=1))
