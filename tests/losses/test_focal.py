"""Focal losses: their papers' formulas in torch, what they are without a focus, and logits of any size."""

import numpy as np
import pytest

from modnet.kinds.context import Context
from modnet.losses import BinaryCrossEntropy, BinaryFocal, CrossEntropy, Focal

GAMMAS = [0.0, 0.5, 1.0, 2.0, 5.0]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="install the extra parity")


def data(seed=0):
    rng = np.random.default_rng(seed)
    return 3 * rng.standard_normal((12, 4)), rng.integers(0, 4, 12), rng.integers(0, 2, (12, 4))


def joint(loss, logits, target):
    values, gradient = loss.joint(Context(logits.dtype), logits, target)
    return values.copy(), gradient.copy()


def compare(ours, theirs, logits):
    """Values of samples, and their gradients, against a function of torch's."""
    theirs.sum().backward()
    np.testing.assert_allclose(ours[0], theirs.detach().numpy(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours[1], logits.grad.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_focal_is_the_formula_of_its_paper(torch, gamma):
    logits, labels, _ = data()
    x = torch.tensor(logits, requires_grad=True)
    p = x.softmax(-1)[range(12), torch.tensor(labels)]
    compare(joint(Focal(gamma=gamma), logits, labels), -((1 - p) ** gamma) * p.log(), x)


@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_binary_focal_is_the_formula_of_its_paper(torch, gamma, alpha):
    logits, _, target = data()
    x, t = torch.tensor(logits, requires_grad=True), torch.tensor(target).double()
    # As torchvision writes it.
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    p = x.sigmoid()
    focal = cross_entropy * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
    focal = focal if alpha is None else focal * (alpha * t + (1 - alpha) * (1 - t))
    compare(joint(BinaryFocal(gamma=gamma, alpha=alpha), logits, target), focal.mean(-1), x)


@pytest.mark.parametrize(
    ("focal", "plain"),
    [
        (Focal(gamma=0.0), CrossEntropy()),
        (Focal(gamma=0.0, label_smoothing=0.1), CrossEntropy(label_smoothing=0.1)),
        (Focal(gamma=0.0, class_weights=(1, 2, 3, 4)), CrossEntropy(class_weights=(1, 2, 3, 4))),
        (BinaryFocal(gamma=0.0, alpha=None), BinaryCrossEntropy()),
    ],
    ids=repr,
)
def test_without_a_focus_it_is_cross_entropy(focal, plain):
    logits, labels, several = data()
    target = several if isinstance(focal, BinaryFocal) else labels
    for found, expected in zip(joint(focal, logits, target), joint(plain, logits, target), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("size", [1.0, 30.0, 1e4])
def test_logits_of_any_size_give_finite_values_and_gradients(size, gamma, dtype):
    _, labels, several = data()
    logits = (size * np.random.default_rng(1).standard_normal((12, 4))).astype(dtype)
    for loss, target in ((Focal(gamma=gamma), labels), (BinaryFocal(gamma=gamma), several)):
        values, gradient = joint(loss, logits, target)
        assert np.isfinite(values).all()
        assert np.isfinite(gradient).all()
        assert (values >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_probabilities_of_exactly_0_and_1_are_safe(gamma, dtype):
    p = np.array([[0, 1], [1, 0]], dtype)
    for loss, right, wrong in (
        (Focal(gamma=gamma), np.array([1, 0]), np.array([0, 1])),
        (BinaryFocal(gamma=gamma), p.astype(int), 1 - p.astype(int)),
    ):
        np.testing.assert_allclose(loss.values(p, right), 0, atol=1e-6)
        assert np.isfinite(loss.gradient(p, right)).all()
        assert (loss.values(p, wrong) > 10).all()
        assert np.isfinite(loss.gradient(p, wrong)).all()
