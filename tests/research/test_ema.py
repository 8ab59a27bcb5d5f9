"""The callback `ema` against torch: averaged weights, which validation and the network at the end have."""

import copy

import numpy as np
import pytest

import modnet
from modnet import Callback
from modnet.training.averaging import ExponentialAverage
from modnet.training.checkpointing import Checkpoint
from modnet.training.stopping import EarlyStopping
from tests.research.problem import assert_same, batches, data, network, train, twin


def test_are_the_weights_of_torch():
    mine = network()
    torch, theirs = twin(mine)
    train(mine, [ExponentialAverage(decay=0.8)])
    swa = torch.optim.swa_utils
    averaged = swa.AveragedModel(theirs, multi_avg_fn=swa.get_ema_multi_avg_fn(0.8))
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.2)
    for _ in range(3):
        for x, y in batches(torch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(theirs(x), y).backward()
            optimizer.step()
            averaged.update_parameters(theirs)
    assert_same(mine, averaged.module)


def test_validation_sees_them_and_the_training_does_not():
    kept = []

    class Keeps(Callback):
        def modnet_epoch_ended(self, run):
            kept.append((run.weights.copy(), run.network.parameters.flat.copy(), run.figures["validation_loss"]))

    averaged, plain = network(), network()
    history = train(averaged, [ExponentialAverage(decay=0.9), Keeps()], validation=data())
    other = train(plain, [])
    np.testing.assert_array_equal(history["loss"], other["loss"])
    assert (kept[-1][1] == plain.parameters.flat).all()
    for weights, own, loss in kept:
        assert (weights != own).any()
        measured = network()
        measured.parameters.flat[...] = weights
        np.testing.assert_allclose(modnet.evaluate(measured, *data(), loss="cross_entropy")["loss"], loss, rtol=1e-12)
    np.testing.assert_array_equal(averaged.parameters.flat, kept[-1][0])
    assert averaged.card.metrics["validation_loss"] == kept[-1][2]


@pytest.mark.parametrize("first", [True, False], ids=["ema first", "early stopping first"])
@pytest.mark.parametrize("patience", [1, 99])
def test_early_stopping_brings_the_best_averaged_weights_back(first, patience):
    kept = []

    class Keeps(Callback):
        def modnet_epoch_ended(self, run):
            kept.append(run.weights.copy())

    callbacks = [ExponentialAverage(decay=0.5), EarlyStopping(patience=patience)]
    made, (x, y) = network(), data()
    validation = x, (y + 1) % 3  # gets worse from the first epoch on
    history = train(made, [*(callbacks if first else callbacks[::-1]), Keeps()], validation=validation, epochs=5)
    best = history.best_epoch or history.epochs
    assert best < history.epochs
    np.testing.assert_array_equal(made.parameters.flat, kept[best - 1])


def test_goes_on_from_a_checkpoint_with_the_same_bytes(tmp_path):
    class Stops(Callback):
        def modnet_step_ended(self, run):
            if run.step == 6:
                run.stop("interrupted")

    callbacks = [ExponentialAverage(decay=0.9), EarlyStopping(patience=2)]
    whole, stopped = network(), network()
    train(whole, callbacks, validation=0.25)
    train(stopped, [*callbacks, Stops(), Checkpoint(str(tmp_path))], validation=0.25)
    again = copy.copy(network())
    train(again, [*callbacks, Checkpoint(str(tmp_path))], validation=0.25, resume=tmp_path)
    assert again.parameters.flat.tobytes() == whole.parameters.flat.tobytes()


def test_averaged_weights_of_another_network_are_refused():
    class Wrong(Callback):
        def modnet_training_started(self, run):
            member = run.joined["ema"]
            member.restore({})
            for average in (3, np.zeros(3), np.zeros(run.weights.shape, np.float32)):
                with pytest.raises(ValueError, match="the averaged weights do not match"):
                    member.restore({"average": average})

    train(network(), [ExponentialAverage(), Wrong()])
