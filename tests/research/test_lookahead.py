"""Lookahead as a callback: slow weights that follow the fast ones every k steps.

Zhang et al. 2019, "Lookahead optimizer: k steps forward, 1 step back", arXiv:1907.08610, algorithm 1.
"""

import numpy as np
import pytest

import modnet
from modnet import Callback, field
from modnet.testing import check_component
from modnet.training.checkpointing import Checkpoint
from tests.research.problem import assert_same, batches, network, train, twin


class Lookahead(Callback, type="lookahead"):
    """After every k steps: slow += alpha * (fast - slow), and the fast weights go on from there."""

    k: int = field(default=5, minimum=1)
    alpha: float = field(default=0.5, above=0.0, maximum=1.0)

    def join(self, run: modnet.Run) -> object:
        return _Slow(self, run)


class _Slow:
    def __init__(self, asked: Lookahead, run: modnet.Run) -> None:
        self.asked = asked
        self.run = run
        self.weights: np.ndarray | None = None

    def modnet_training_started(self, run: modnet.Run) -> None:
        if self.weights is None:
            self.weights = run.network.parameters.flat.copy()

    def modnet_step_ended(self, run: modnet.Run) -> None:
        assert self.weights is not None
        if run.step % self.asked.k == 0:
            self.weights += self.asked.alpha * (run.network.parameters.flat - self.weights)
            run.network.parameters.flat[...] = self.weights

    def state(self):
        return {} if self.weights is None else {"weights": self.weights}

    def restore(self, state):
        weights = state.get("weights")
        if not isinstance(weights, np.ndarray) or weights.shape != self.run.network.parameters.flat.shape:
            raise ValueError("the slow weights do not match")
        self.weights = weights


def test_is_the_algorithm_of_the_paper():
    mine = network()
    torch, theirs = twin(mine)
    train(mine, [Lookahead(k=5, alpha=0.4)], epochs=4)
    slow = [parameter.detach().clone() for parameter in theirs.parameters()]
    optimizer, step = torch.optim.SGD(theirs.parameters(), lr=0.2), 0
    for _ in range(4):
        for x, y in batches(torch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(theirs(x), y).backward()
            optimizer.step()
            step += 1
            if step % 5 == 0:
                with torch.no_grad():
                    for fast, kept in zip(theirs.parameters(), slow, strict=True):
                        kept.add_(fast - kept, alpha=0.4)
                        fast.copy_(kept)
    assert_same(mine, theirs)


def test_keeps_the_contract_of_a_callback():
    check_component(Lookahead(k=2))


@pytest.mark.parametrize("stop", [3, 5, 6])
def test_goes_on_from_a_checkpoint(stop, tmp_path):
    class Stops(Callback):
        def modnet_step_ended(self, run):
            if run.step == stop:
                run.stop("interrupted")

    whole, stopped = network(), network()
    train(whole, [Lookahead()])
    train(stopped, [Lookahead(), Stops(), Checkpoint(str(tmp_path))])
    train(stopped, [Lookahead(), Checkpoint(str(tmp_path))], resume=tmp_path)
    assert stopped.parameters.flat.tobytes() == whole.parameters.flat.tobytes()
