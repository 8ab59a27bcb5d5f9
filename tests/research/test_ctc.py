"""Connectionist temporal classification (Graves et al. 2006, ICML): all alignments of a sequence with its labels."""

import numpy as np
import pytest

import modnet
from modnet import Example, Layer, Loss, ShapeError
from modnet.errors import SampleError
from modnet.testing import check_component, directional_error

BLANK = 0


class CTC(Loss, type="ctc"):
    """-log(the sum over all alignments of their probability): labels of a sequence whose places are unknown.

    An alignment has a class for each step; repeated classes become one, then blanks (class 0) are dropped, and what is
    left are the labels. The sum is that of the forward-backward recursion (equations 6 to 11) in logarithms, and the
    gradient equation 15. Shapes: logits (time, classes), which are normalised here; labels (most,), 1 to classes - 1,
    with 0 behind them. The steps that a mask leaves out do not count.
    """

    takes_labels = True

    def target_shapes(self, prediction_shape):
        if len(prediction_shape) != 2:
            raise ShapeError(f"expects (time, classes), found a prediction of shape {prediction_shape}")
        return ((None,),)

    def check_targets(self, prediction_shape, target):
        for row, labels in enumerate(target):
            count = np.count_nonzero(labels)
            if (labels < 0).any() or (labels >= prediction_shape[-1]).any() or labels[count:].any():
                raise SampleError(
                    f"expected labels from 1 to {prediction_shape[-1] - 1}, then zeros, found {labels}", row
                )

    def measure(self, context, prediction, target):
        self.check_targets(prediction.shape[1:], target)
        mask = context.masks[0]
        times = np.full(len(prediction), prediction.shape[1]) if mask is None else mask.sum(axis=1)
        log_p = prediction - prediction.max(axis=2, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=2, keepdims=True))
        values, gradient = np.zeros(len(prediction), prediction.dtype), np.zeros_like(prediction)
        for row, (time, labels) in enumerate(zip(times, target, strict=True)):
            values[row], expected = align(log_p[row, :time], labels[: np.count_nonzero(labels)], row)
            gradient[row, :time] = np.exp(log_p[row, :time]) - expected
        return values, gradient

    def values(self, prediction, target):
        return self.measure(modnet.Context(prediction.dtype), prediction, target)[0]

    def gradient(self, prediction, target):
        return self.measure(modnet.Context(prediction.dtype), prediction, target)[1]


def align(log_p, labels, row):
    """-log p(labels), and how often each class is expected at each step, given the labels."""
    states = np.full(2 * len(labels) + 1, BLANK)
    states[1::2] = labels
    # A state may be skipped where it is the blank between two different labels.
    skips = np.zeros(len(states), bool)
    skips[2:] = (states[2:] != BLANK) & (states[2:] != states[:-2])
    emitted = log_p[:, states]
    forward = recursion(emitted, skips)
    backwards = np.zeros(len(states), bool)
    backwards[2:] = skips[::-1][:-2]
    backward = recursion(emitted[::-1, ::-1], backwards)[::-1, ::-1]
    total = np.logaddexp.reduce(forward[-1, -2:])
    if total == -np.inf:
        raise SampleError(f"{len(labels)} labels do not fit into {len(log_p)} steps", row)
    # Both have emitted the class of the step itself.
    share = np.exp(forward + backward - emitted - total)
    expected = np.zeros_like(log_p)
    np.add.at(expected.T, states, share.T)
    return -total, expected


def recursion(emitted, skips):
    """The logarithm of the probability of all beginnings of alignments that end in a state at a step."""
    alpha = np.full_like(emitted, -np.inf)
    alpha[0, :2] = emitted[0, :2]
    for step in range(1, len(emitted)):
        before = alpha[step - 1]
        reached = before.copy()
        reached[1:] = np.logaddexp(reached[1:], before[:-1])
        reached[2:] = np.where(skips[2:], np.logaddexp(reached[2:], before[:-2]), reached[2:])
        alpha[step] = reached + emitted[step]
    return alpha


class Ends(Layer, type="ends"):
    """Says that a sequence ends where all its features are 0."""

    makes_mask = True

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        context.output_mask = x.any(axis=2)
        return x

    def backward(self, context, gradient):
        return gradient


def sequences(rows=48, seed=0):
    """One-hot sequences of classes, each for two steps and followed by a gap; the labels without their places."""
    rng = np.random.default_rng(seed)
    x, y = np.zeros((rows, 15, 4), np.float32), np.zeros((rows, 4), np.int64)
    for row in range(rows):
        count = rng.integers(1, 5)
        y[row, :count] = rng.integers(1, 4, count)
        for place, label in enumerate(y[row, :count]):
            x[row, 3 * place : 3 * place + 3, 0] = 1
            x[row, 3 * place : 3 * place + 2, label] = 1
    return x, y


def spec(layers=()):
    return {
        "network": {"input": [15, 4], "layers": [*layers, {"type": "linear", "out_features": 4}]},
        "training": {
            "loss": CTC(),
            "optimizer": {"type": "adam", "learning_rate": 0.1},
            "epochs": 15,
            "batch_size": 16,
        },
    }


def readings(rng, rows=40):
    """Logits, and labels that fit into them."""
    lengths = rng.integers(0, 4, rows)
    return rng.standard_normal((rows, 9, 5)), np.where(
        np.arange(3) < lengths[:, None], rng.integers(1, 5, (rows, 3)), 0
    )


def test_it_keeps_the_contract():
    check_component(Example(CTC(), ((9, 5), (3,)), data=readings))


def test_its_gradient_is_true():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 9, 5)), np.array([[1, 1, 2, 4], [3, 0, 0, 0]])
    gradient = CTC().gradient(logits, labels)
    assert directional_error(lambda moved: CTC().values(moved, labels).sum(), gradient, logits, rng) < 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_it_is_ctc_in_torch(seed):
    torch = pytest.importorskip("torch", reason="PyTorch (extra `parity`) is not installed")
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((6, 12, 5))
    lengths, times = rng.integers(0, 5, 6), rng.integers(9, 13, 6)
    labels = np.where(np.arange(4) < lengths[:, None], rng.integers(1, 5, (6, 4)), BLANK)
    context = modnet.Context(np.float64)
    context.masks = (np.arange(12) < times[:, None],)
    values, gradient = CTC().measure(context, logits, labels)
    tensor = torch.tensor(logits, requires_grad=True)
    each = torch.nn.functional.ctc_loss(
        tensor.log_softmax(2).transpose(0, 1),
        torch.tensor(labels),
        torch.tensor(times),
        torch.tensor(lengths),
        reduction="none",
    )
    each.sum().backward()
    np.testing.assert_allclose(values, each.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("layers", [[], ["ends"]], ids=["all steps", "masked"])
def test_it_learns_to_read(layers):
    registry = modnet.Registry()
    registry.register(Ends)
    x, y = sequences()
    network = modnet.build(spec(layers), registry=registry)
    history = modnet.train(network, x, y, validation=sequences(20, seed=1))
    assert history["validation_loss"][-1] < 0.1 * history["validation_loss"][0]
    best = network.forward(x).argmax(axis=2)
    for classes, labels in zip(best, y, strict=True):
        end = 3 * np.count_nonzero(labels)
        merged = classes[:end][np.append(True, classes[1:end] != classes[: end - 1])]
        assert merged[merged != BLANK].tolist() == labels[labels != BLANK].tolist()
    loss = modnet.evaluate(network, x, y, batch_size=7)["loss"]
    np.testing.assert_allclose(loss, modnet.evaluate(network, x, y)["loss"], rtol=1e-5)


def test_a_target_that_cannot_be_is_named_with_its_row():
    x, y = sequences()
    y[17] = [1, 0, 2, 0]
    with pytest.raises(modnet.DataError, match=r"expected labels from 1 to 3, then zeros, found \[1 0 2 0\] in row 17"):
        modnet.train(modnet.build(spec()), x, y)
