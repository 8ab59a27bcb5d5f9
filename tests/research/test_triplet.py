"""The batch-hard triplet loss (Hermans, Beyer and Leibe 2017, arXiv:1703.07737): a coupled loss with labels."""

import numpy as np
import pytest

import modnet
from modnet import Loss
from modnet.testing import check_component


class BatchTriplet(Loss, type="batch_triplet"):
    """log(1 + exp(d(a, p) - d(a, n))): p is the farthest sample of a's own label, n the nearest of another one.

    Equation 5 of the paper with its soft margin; d is the distance, sqrt(|a - b|**2 + 1e-6). The mean over the anchors
    that have both. Shapes: (features,), and a label for each sample, any whole number.
    """

    couples = True
    takes_labels = True

    def target_shapes(self, prediction_shape):
        return ((),)

    def batch(self, context, prediction, target, weights):
        difference = prediction[:, None] - prediction
        distance = np.sqrt((difference**2).sum(axis=2) + prediction.dtype.type(1e-6))
        alike = target == target[:, None]
        friends = alike & ~np.eye(len(target), dtype=bool)
        shares = (friends.any(axis=1) & ~alike.all(axis=1)).astype(prediction.dtype)
        shares *= 1 if weights is None else weights.astype(prediction.dtype)
        if not shares.any():
            return 0.0, np.zeros_like(prediction)
        shares /= shares.sum()
        anchor = np.arange(len(target))
        farthest = np.where(friends, distance, -np.inf).argmax(axis=1)
        nearest = np.where(alike, np.inf, distance).argmin(axis=1)
        margin = distance[anchor, farthest] - distance[anchor, nearest]
        value = shares @ np.logaddexp(0, margin)
        slope = shares * np.exp(-np.logaddexp(0, -margin))  # the logistic function of the margin
        gradient = np.zeros_like(prediction)
        for other, sign in ((farthest, 1), (nearest, -1)):
            pull = difference[anchor, other] * (sign * slope / distance[anchor, other])[:, None]
            gradient += pull
            np.add.at(gradient, other, -pull)
        return value, gradient


def spec(**training):
    return {
        "network": {"input": [4], "layers": [{"type": "linear", "out_features": 2}]},
        "training": {
            "loss": BatchTriplet(),
            "optimizer": {"type": "adam", "learning_rate": 0.03},
            "epochs": 20,
            "batch_size": 32,
            **training,
        },
    }


def groups(rows=96, seed=0):
    """Three groups that differ in the first feature, among noise that is larger."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    x = rng.standard_normal((rows, 4)) * [0.3, 2, 2, 2]
    x[:, 0] += 2 * labels
    return x.astype(np.float32), labels


def test_it_keeps_the_contract():
    check_component(BatchTriplet(), (5,), ())


def test_it_is_the_formula_in_torch():
    torch = pytest.importorskip("torch", reason="PyTorch (extra `parity`) is not installed")
    x, labels = groups(20)
    tensor, names = torch.tensor(x, dtype=torch.float64, requires_grad=True), torch.tensor(labels)
    distance = ((tensor[:, None] - tensor) ** 2).sum(2).add(1e-6).sqrt()
    alike = names[:, None] == names
    farthest = distance.masked_fill(~alike | torch.eye(20, dtype=torch.bool), -torch.inf).amax(1)
    nearest = distance.masked_fill(alike, torch.inf).amin(1)
    mean = torch.nn.functional.softplus(farthest - nearest).mean()
    mean.backward()
    value, gradient = BatchTriplet().batch(modnet.Context(np.float64), x.astype(float), labels, None)
    np.testing.assert_allclose(value, mean.item(), rtol=1e-12)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_it_brings_together_what_belongs_together():
    x, labels = groups()
    network = modnet.build(spec())
    history = modnet.train(network, x, labels, validation=0.25)
    assert history["validation_loss"][-1] < 0.8 * history["validation_loss"][0]
    embedded = network.forward(x)
    distance = np.linalg.norm(embedded[:, None] - embedded, axis=2) + np.where(np.eye(96), np.inf, 0)
    assert (labels[distance.argmin(axis=1)] == labels).mean() > 0.9


def test_the_same_from_one_checkpoint_to_the_next(tmp_path):
    x, labels = groups()
    whole, stopped = modnet.build(spec()), modnet.build(spec())
    modnet.train(whole, x, labels, epochs=4)
    saves = [{"type": "checkpoint", "directory": str(tmp_path), "every_epochs": 2}]
    modnet.train(stopped, x, labels, epochs=2, callbacks=saves)
    resumed = modnet.build(spec())
    modnet.train(resumed, x, labels, epochs=4, resume=tmp_path)
    np.testing.assert_array_equal(resumed.parameters.flat, whole.parameters.flat)
