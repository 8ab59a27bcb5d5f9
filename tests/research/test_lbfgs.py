"""L-BFGS on a full batch as a callback, against scipy: the same minimum.

Liu & Nocedal 1989, "On the limited memory BFGS method for large scale optimization".
"""

from collections import deque

import numpy as np
import pytest

import modnet
from modnet import Callback, field
from tests.research.problem import SAMPLES, data, network, train


class LBFGS(Callback, type="lbfgs"):
    """Replaces the gradient by minus the change that L-BFGS makes; for `sgd` with a learning rate of 1.

    The step length is halved until Armijo's condition holds.
    """

    memory: int = field(default=10, minimum=1)

    def join(self, run: modnet.Run) -> object:
        return _Search(self.memory)


class _Search:
    def __init__(self, memory: int) -> None:
        self.pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=memory)
        self.before: tuple[np.ndarray, np.ndarray] | None = None

    def modnet_reduce_gradients(self, run: modnet.Run, gradients: np.ndarray) -> None:
        weights, loss = run.network.parameters.flat, run.recompute()
        here, slope = weights.copy(), gradients.copy()
        if self.before is not None:
            change, rise = here - self.before[0], slope - self.before[1]
            if change @ rise > 1e-12:
                self.pairs.append((change, rise))
        self.before = here, slope
        direction = -self._product(slope)
        length = 1.0 if self.pairs else min(1.0, 1.0 / np.abs(slope).sum())
        for _ in range(40):
            weights[...] = here + length * direction
            if run.recompute() <= loss + 1e-4 * length * (slope @ direction):
                break
            length /= 2
        weights[...] = here
        gradients[...] = -length * direction

    def _product(self, slope: np.ndarray) -> np.ndarray:
        """The inverse Hessian times the gradient, by the two loops (algorithm 7.4 of Nocedal & Wright)."""
        q, steps = slope.copy(), []
        for change, rise in reversed(self.pairs):
            rho = 1 / (change @ rise)
            alpha = rho * (change @ q)
            q -= alpha * rise
            steps.append((alpha, rho, change, rise))
        if self.pairs:
            change, rise = self.pairs[-1]
            q *= (change @ rise) / (rise @ rise)
        for alpha, rho, change, rise in reversed(steps):
            q += (alpha - rho * (rise @ q)) * change
        return q


def test_finds_the_minimum_that_scipy_finds():
    optimize = pytest.importorskip("scipy.optimize", reason="scipy (extra `parity`) is not installed")
    x, y = data()

    def convex():
        layers = [{"type": "linear", "out_features": 3, "l2": 0.01}, "softmax"]
        return modnet.build({"network": {"input": [5], "dtype": "float64", "layers": layers}}, seed=1)

    def loss(flat):
        weights, bias = flat[:15].reshape(5, 3), flat[15:]
        logits = x @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -logs[np.arange(SAMPLES), y].mean() + 0.01 * (weights**2).sum()

    found = convex()
    history = modnet.train(
        found, x, y, loss="cross_entropy", optimizer={"type": "sgd", "learning_rate": 1.0}, batch_size=SAMPLES,
        epochs=40, callbacks=[LBFGS()],
    )  # fmt: skip
    expected = optimize.minimize(loss, np.zeros(18), method="L-BFGS-B", tol=1e-12)
    assert abs(history["loss"][-1] - expected.fun) < 1e-9
    np.testing.assert_allclose(found.parameters["linear_1.weight"].ravel(), expected.x[:15], atol=1e-4)


def test_comes_further_than_gradient_descent():
    ours, plain = network(), network()
    found = train(ours, [LBFGS()], batch_size=SAMPLES, epochs=60, optimizer={"type": "sgd", "learning_rate": 1.0})
    descent = train(plain, [], batch_size=SAMPLES, epochs=60, optimizer={"type": "sgd", "learning_rate": 1.0})
    assert found["loss"][-1] < 0.5 * descent["loss"][-1]
