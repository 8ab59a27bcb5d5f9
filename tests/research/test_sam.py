"""Sharpness-aware minimization as a callback: the gradient is that at the worst point nearby.

Foret et al. 2021, "Sharpness-aware minimization for efficiently improving generalization", arXiv:2010.01412.
"""

import numpy as np
import pytest

import modnet
from modnet import Callback, field
from tests.research.problem import assert_same, batches, data, network, train, twin


class SAM(Callback, type="sam"):
    """w' = w + rho * g / |g|; the step from w is made with the gradient at w' (equations 2 and 3 of the paper)."""

    rho: float = field(default=0.05, above=0.0)

    def modnet_reduce_gradients(self, run: modnet.Run, gradients: np.ndarray) -> None:
        weights = run.network.parameters.flat
        here = weights.copy()
        weights += self.rho * gradients / (np.linalg.norm(gradients) + 1e-12)
        run.recompute()
        weights[...] = here


@pytest.mark.parametrize("rho", [0.05, 0.5])
def test_is_the_two_steps_of_the_paper(rho):
    mine = network()
    torch, theirs = twin(mine)
    train(mine, [SAM(rho=rho)])
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.2)
    for _ in range(3):
        for x, y in batches(torch):
            gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(theirs(x), y), theirs.parameters())
            norm = torch.sqrt(sum((g**2).sum() for g in gradients)) + 1e-12
            moves = [rho * g / norm for g in gradients]
            with torch.no_grad():
                for parameter, move in zip(theirs.parameters(), moves, strict=True):
                    parameter.add_(move)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(theirs(x), y).backward()
            with torch.no_grad():
                for parameter, move in zip(theirs.parameters(), moves, strict=True):
                    parameter.sub_(move)
            optimizer.step()
    assert_same(mine, theirs)


def test_with_accumulated_gradients_it_is_that_of_the_larger_batch():
    large, small = network(), network()
    train(large, [SAM()], batch_size=24)
    train(small, [SAM()], batch_size=6, accumulate=4)
    np.testing.assert_allclose(small.parameters.flat, large.parameters.flat, rtol=1e-9)


def test_recompute_draws_the_same_noise_and_leaves_figures_and_state_alone():
    hidden, out = ({"type": "linear", "out_features": size} for size in (8, 3))
    spec = {"network": {"input": [5], "layers": [hidden, "batch_norm", "dropout", out, "softmax"]}}
    losses = []

    class Again(Callback):
        def modnet_reduce_gradients(self, run, gradients):
            before, noise = gradients.copy(), run.noise.bit_generator.state
            state = run.network.state.flat.copy()
            losses.append([run.recompute(), run.recompute()])
            np.testing.assert_array_equal(gradients, before)
            np.testing.assert_array_equal(run.network.state.flat, state)
            assert run.noise.bit_generator.state == noise

        def modnet_step_ended(self, run):
            losses[-1].append(run.loss)

    found = []
    for callbacks in ([Again()], []):
        made = modnet.build(spec, seed=1)
        history = modnet.train(made, *data(), loss="cross_entropy", metrics=["accuracy"], epochs=2, callbacks=callbacks)
        found.append((made.parameters.flat.tobytes(), made.state.flat.tobytes(), history.figures))
    assert found[0] == found[1]
    assert all(len(set(row)) == 1 for row in losses)


def test_there_is_nothing_to_recompute_outside_of_a_step():
    class Late(Callback):
        def modnet_epoch_ended(self, run):
            run.recompute()

    with pytest.raises(modnet.TrainingError, match="recompute\\(\\) is only possible in modnet_reduce_gradients"):
        train(network(), [Late()])
