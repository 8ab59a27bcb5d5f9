"""Optimizers that take whole parameters step as their papers and torch.optim do."""

import math

import numpy as np
import pytest

from modnet.kinds.optimizer import Chunk, Step
from modnet.optimizers import LAMB, Muon
from modnet.optimizers.matrices import orthogonalize

SHAPES = [(7, 5), (5, 7), (6, 6), (3, 2, 4, 5), (9,)]
MATRICES = [shape for shape in SHAPES if len(shape) == 2]


class Run:
    """One parameter, with an optimizer's arrays for it."""

    def __init__(self, optimizer, parameter):
        self.optimizer, self.parameter, self.number = optimizer, parameter.copy(), 0
        self.slots = [np.zeros_like(parameter) for _ in optimizer.slots]
        self.scratch = [np.full_like(parameter, np.nan) for _ in range(optimizer.scratch)]

    def update(self, gradient, rate=None):
        self.number += 1
        rate = self.optimizer.learning_rate if rate is None else rate
        step = Step(self.number, rate, self.optimizer.weight_decay)
        self.optimizer.update(Chunk(self.parameter, gradient.copy(), self.slots, self.scratch), step)


def numbers(shape, *seed, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def rate_at(step, optimizer):
    """A learning rate that changes, as under a schedule."""
    return optimizer.learning_rate * (1.0 if step % 3 else 0.5)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the parity extra is not installed")


@pytest.mark.parametrize("start", [1.0, 0.0])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_lamb_is_the_algorithm_of_its_paper(torch, shape, decay, start):
    optimizer = LAMB(learning_rate=0.01, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=decay)
    run = Run(optimizer, start * numbers(shape, 1))
    theta = torch.tensor(run.parameter)
    m, v = torch.zeros_like(theta), torch.zeros_like(theta)
    for t in range(1, 31):
        gradient, rate = numbers(shape, 2, t), rate_at(t, optimizer)
        run.update(gradient, rate)
        g = torch.tensor(gradient)
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g**2
        r = (m / (1 - 0.8**t)) / ((v / (1 - 0.95**t)).sqrt() + 1e-3) + decay * theta
        ratio = theta.norm() / r.norm() if theta.norm() > 0 and r.norm() > 0 else 1.0
        theta = theta - rate * ratio * r
    np.testing.assert_allclose(run.parameter, theta.numpy(), rtol=1e-9, atol=1e-12)


def newton_schulz(torch, x, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = x / max(float(x.norm()), 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", SHAPES[:-1], ids=str)
def test_muon_is_the_algorithm_of_its_source(torch, shape, nesterov):
    optimizer = Muon(momentum=0.9, nesterov=nesterov, weight_decay=0.2, newton_schulz=4)
    run = Run(optimizer, numbers(shape, 1))
    theta = torch.tensor(run.parameter).reshape(-1, shape[-1])
    momentum = torch.zeros_like(theta)
    for t in range(1, 31):
        gradient, rate = numbers(shape, 2, t), rate_at(t, optimizer)
        run.update(gradient, rate)
        g = torch.tensor(gradient).reshape(theta.shape)
        momentum = 0.9 * momentum + 0.1 * g
        change = newton_schulz(torch, 0.1 * g + 0.9 * momentum if nesterov else momentum, 4)
        rows, columns = theta.shape
        theta = theta * (1 - rate * 0.2) - rate * math.sqrt(max(1, columns / rows)) * change
    np.testing.assert_allclose(run.parameter.reshape(theta.shape), theta.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_muon_agrees_with_torch(torch, shape):
    """As far as bfloat16 goes, in which torch's iterations are: three digits."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch.optim.Muon is not there before torch 2.9")
    optimizer = Muon(weight_decay=0.1)
    run = Run(optimizer, numbers(shape, 1, dtype="float32"))
    start = run.parameter.copy()
    weight = torch.nn.Parameter(torch.tensor(run.parameter.T.copy()))  # torch has the outputs first
    reference = torch.optim.Muon([weight], lr=optimizer.learning_rate, weight_decay=0.1, momentum=0.95)
    for t in range(1, 21):
        gradient = numbers(shape, 2, t, dtype="float32")
        run.update(gradient)
        weight.grad = torch.tensor(gradient.T.copy())
        reference.step()
    expected = weight.detach().numpy().T
    assert np.abs(run.parameter - expected).max() < 0.02 * np.abs(expected - start).max()


def test_muon_trains_vectors_as_adamw_does(torch):
    optimizer = Muon(weight_decay=0.1, vector_learning_rate=0.01, epsilon=1e-8)
    run = Run(optimizer, numbers((9,), 1))
    theta = torch.nn.Parameter(torch.tensor(run.parameter))
    reference = torch.optim.AdamW([theta], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)
    for t in range(1, 31):
        gradient = numbers((9,), 2, t)
        run.update(gradient, rate_at(t, optimizer))
        theta.grad = torch.tensor(gradient)
        reference.param_groups[0]["lr"] = 0.01 * (1.0 if t % 3 else 0.5)
        reference.step()
    np.testing.assert_allclose(run.parameter, theta.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e25])
@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_singular_values_come_near_to_one(shape, scale, dtype):
    matrix = numbers(shape, 1, dtype=dtype) * np.dtype(dtype).type(scale)
    left, _, right = np.linalg.svd(matrix.astype("float64"), full_matrices=False)
    orthogonalize(matrix, [np.full_like(matrix, np.nan) for _ in range(3)], 5)
    found = np.linalg.svd(matrix.astype("float64"), compute_uv=False)
    assert found.min() > 0.6
    assert found.max() < 1.3
    assert np.abs(matrix - left @ right).max() < 0.3


@pytest.mark.parametrize(
    "optimizer", [LAMB(learning_rate=0.05), Muon(learning_rate=0.2, vector_learning_rate=0.1)], ids=repr
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_minimum_is_found(optimizer, shape):
    run = Run(optimizer.replace(weight_decay=0.0), np.ones(shape) + numbers(shape, 1))
    for step in range(500):
        run.update(run.parameter - 0.5, optimizer.learning_rate * 0.98**step)
    np.testing.assert_allclose(run.parameter, 0.5, atol=0.03)


@pytest.mark.parametrize("optimizer", [LAMB(), Muon()], ids=repr)
def test_moments_do_not_decay_into_subnormal_numbers(optimizer):
    for shape in SHAPES:
        run = Run(optimizer.replace(beta2=0.95), numbers(shape, 1, dtype="float32"))
        for t in range(2000):
            run.update(numbers(shape, t, dtype="float32") if t < 5 else np.zeros(shape, "float32"))
        assert all(not slot.any() for slot in run.slots)
        assert np.isfinite(run.parameter).all()
