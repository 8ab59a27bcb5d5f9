"""Gradients of several batches make one step, as if they were one batch."""

import numpy as np
import pytest

import modnet
from modnet import Callback
from modnet.training.checkpointing import Checkpoint

SPEC = {
    "network": {
        "input": [4],
        "dtype": "float64",
        "layers": [
            {"type": "linear", "out_features": 6, "activation": "tanh", "l2": 1e-2},
            {"type": "linear", "out_features": 3},
            "softmax",
        ],
    },
    "training": {"loss": "cross_entropy", "epochs": 3, "seed": 1, "metrics": ["accuracy"]},
}


def data(samples=40):
    rng = np.random.default_rng(0)
    return rng.standard_normal((samples, 4)), rng.integers(0, 3, samples)


def train(**arguments):
    network = modnet.build(SPEC)
    history = modnet.train(network, *data(), **arguments)
    return network.parameters.flat, history


@pytest.mark.parametrize(("batch_size", "accumulate"), [(4, 4), (16, 1), (8, 2), (5, 8), (3, 40)])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_larger_batch(batch_size, accumulate, weighted):
    """Also where the last group of an epoch is smaller, as the last batch would be."""
    weights = np.random.default_rng(1).uniform(0, 2, 40) * (np.arange(40) % 5 > 0) if weighted else None
    arguments = {"shuffle": False, "sample_weights": weights, "optimizer": "adam", "schedule": "cosine"}
    large, expected = train(batch_size=min(batch_size * accumulate, 40), **arguments)
    found, history = train(batch_size=batch_size, accumulate=accumulate, **arguments)
    np.testing.assert_allclose(found, large, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(history["accuracy"], expected["accuracy"])
    # The penalty is a mean over batches, of which the last step may have fewer.
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)


def test_the_number_of_steps_and_their_events():
    steps = []

    class Counts(Callback):
        def modnet_step_ended(self, run):
            steps.append((run.step, run.batches_done))

    train(batch_size=6, accumulate=3, epochs=2, callbacks=[Counts()])  # 7 batches an epoch
    assert steps == [(1, 3), (2, 6), (3, 7), (4, 3), (5, 6), (6, 7)]


def test_a_run_that_is_stopped_completes_its_step_and_goes_on_to_the_same_bytes(tmp_path):
    whole, _ = train(batch_size=4, accumulate=3)

    class Stops(Callback):
        """Like Ctrl-C in the second batch of a step."""

        def modnet_batch(self, run, inputs, targets):
            if run.epoch == 2 and run.batches_done == 4:
                run.stop("interrupted")

    _, history = train(batch_size=4, accumulate=3, callbacks=[Checkpoint(str(tmp_path)), Stops()])
    assert history.stopped == "interrupted"
    assert [path.name for path in history.checkpoints][-1] == "step-0000000006.modnet"
    found, _ = train(batch_size=4, accumulate=3, callbacks=[Checkpoint(str(tmp_path))], resume=tmp_path)
    assert found.tobytes() == whole.tobytes()


def test_batches_in_which_nothing_has_a_weight_change_nothing():
    x, y = data()
    streams = [
        [(x[:8], y[:8]), (x[8:16], y[8:16])],
        [(x[:8], y[:8]), (x[:4], y[:4], np.zeros(4)), (x[8:16], y[8:16]), (x[:4], y[:4], np.zeros(4))],
    ]
    found = []
    for stream, accumulate in zip(streams, (2, 4), strict=True):
        network = modnet.build(SPEC)
        modnet.train(network, stream, accumulate=accumulate, epochs=2)
        found.append(network.parameters.flat)
    np.testing.assert_allclose(*found, rtol=1e-10)
