"""Optimizers from papers, written as a plugin's author would write them: nothing but the public interface."""

import numpy as np
import pytest

import modnet
from modnet import Chunk, Optimizer, Step, field
from modnet.testing import check_component


class LARS(Optimizer, type="lars"):
    """Momentum whose step is as long, for each parameter, as a share of the parameter's norm.

    r = trust |theta| / (|g| + lambda |theta|), v = momentum v + r (g + lambda theta), theta -= eta v. r is 1 where
    one of the norms is 0.

    Source: You, Gitman and Ginsburg 2017, arXiv:1708.03888, algorithm 1, with the rate outside of the velocity.
    """

    by_parameter = True
    slots = ("velocity",)

    learning_rate: float = field(default=0.1, minimum=0.0)
    momentum: float = field(default=0.9, minimum=0.0, below=1.0)
    trust: float = field(default=0.02, above=0.0)

    def update(self, chunk, step):
        size, slope = np.linalg.norm(chunk.parameter), np.linalg.norm(chunk.gradient)
        length = float(slope + step.weight_decay * size)
        ratio = self.trust * float(size) / length if size and length else 1.0
        chunk.gradient += np.multiply(chunk.parameter, step.weight_decay, out=chunk.scratch[0])
        chunk.gradient *= ratio
        velocity = chunk.slots[0]
        velocity *= self.momentum
        velocity += chunk.gradient
        chunk.parameter -= np.multiply(velocity, step.learning_rate, out=chunk.scratch[0])


class Lookahead(Optimizer, type="lookahead"):
    """Another optimizer's steps, every few of which end on the way from where they began: k steps forward, 1 back.

    Every `period` steps: slow += share (fast - slow), and fast = slow.

    Source: Zhang et al. 2019, arXiv:1907.08610, algorithm 1.
    """

    optimizer: Optimizer
    period: int = field(default=5, minimum=1)
    share: float = field(default=0.5, above=0.0, maximum=1.0)

    @classmethod
    def examples(cls):
        inner = modnet.default_registry().find(Optimizer, "adam")
        return (modnet.Example(cls(optimizer=inner())),)

    @property
    def scratch(self):
        return self.optimizer.scratch

    @property
    def by_parameter(self):
        return self.optimizer.by_parameter

    @property
    def slots(self):
        return (*self.optimizer.slots, "slow")

    def update(self, chunk, step):
        *slots, slow = chunk.slots
        if step.number == 1:
            np.copyto(slow, chunk.parameter)
        self.optimizer.update(Chunk(chunk.parameter, chunk.gradient, slots, chunk.scratch), step)
        if step.number % self.period == 0:
            np.subtract(chunk.parameter, slow, out=chunk.gradient)
            chunk.gradient *= self.share
            slow += chunk.gradient
            np.copyto(chunk.parameter, slow)


def found(name, **options):
    return modnet.default_registry().find(Optimizer, name)(**options)


OPTIMIZERS = [
    LARS(weight_decay=0.01),
    Lookahead(optimizer=found("adam"), learning_rate=0.01),
    Lookahead(optimizer=found("sgd", momentum=0.9), learning_rate=0.05, period=3, share=0.8),
    Lookahead(optimizer=found("lamb"), learning_rate=0.05),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_it_keeps_the_contract(optimizer):
    check_component(optimizer)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_it_trains(optimizer):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((256, 4))
    y = x @ rng.standard_normal((4, 2)) + 1
    layers = [{"type": "linear", "out_features": 16, "activation": "tanh"}, {"type": "linear", "out_features": 2}]
    network = modnet.build({"network": {"input": [4], "layers": layers}}, seed=0)
    history = modnet.train(network, x, y, loss="mse", optimizer=optimizer, epochs=40, batch_size=32)
    losses = history.figures["loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_lookahead_is_the_algorithm_of_its_paper():
    inner = found("sgd")
    optimizer = Lookahead(optimizer=inner, period=4, share=0.3)
    theta = np.random.default_rng(1).standard_normal(6)
    fast, slow = theta.copy(), theta.copy()
    slots = [np.zeros(6)]
    for number in range(1, 21):
        gradient = np.random.default_rng([2, number]).standard_normal(6)
        optimizer.update(Chunk(theta, gradient.copy(), slots, [np.empty(6)]), Step(number, 0.1))
        fast = fast - 0.1 * gradient
        if number % 4 == 0:
            slow = slow + 0.3 * (fast - slow)
            fast = slow
    np.testing.assert_allclose(theta, fast, rtol=1e-12)
