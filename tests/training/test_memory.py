"""After its first steps a training allocates nothing that grows with the batch."""

import tracemalloc

import numpy as np
import pytest

import modnet
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.registry import Registry

BATCH, FEATURES = 32768, 12
SAMPLES = 6 * BATCH
RNG = np.random.default_rng(0)
NUMBERS = RNG.random((SAMPLES, 3))

A_BYTE_FOR_EACH = BATCH // 2
"""Of the samples that a batch has more than half of one: the bytes of the smallest array that could grow with it."""

LOSSES = {
    "mse": (None, NUMBERS),
    "mae": (None, NUMBERS),
    "huber": (None, NUMBERS),
    "cosine": (None, NUMBERS),
    "poisson": ("softplus", RNG.integers(0, 5, (SAMPLES, 3))),
    "hinge": ("tanh", 2 * RNG.integers(0, 2, (SAMPLES, 3)) - 1),
    "binary_cross_entropy": ("sigmoid", RNG.integers(0, 2, (SAMPLES, 3))),
    "cross_entropy": ("softmax", RNG.integers(0, 3, SAMPLES)),
    "kl_divergence": ("softmax", NUMBERS / NUMBERS.sum(axis=1, keepdims=True)),
}
"""Loss -> the network's last activation, and targets."""


def growth(x, y, loss, last, **options):
    """How many bytes a step on a batch allocates more than one on half a batch."""
    return allocated(BATCH, x, y, loss, last, **options) - allocated(BATCH // 2, x, y, loss, last, **options)


def allocated(batch, x, y, loss, last, **options):
    """The bytes that are allocated at most at a time from the third to the sixth step.

    There are always some: numpy converts, and goes through short rows, by way of buffers of one size.
    """
    layers = [{"type": "linear", "out_features": 8, "l1": 1e-4, "l2": 1e-4}, "relu"]
    layers += [{"type": "linear", "out_features": 3}, *([last] if last else [])]
    network = modnet.build({"network": {"input": [FEATURES], "layers": layers}})
    peaks = []

    class Watch(modnet.Callback):
        def modnet_step_ended(self, run):
            if run.step == 2:
                tracemalloc.start()
            if run.step == 6:
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()

    options |= {"loss": loss, "callbacks": [Watch()], "registry": Registry(list)}  # no kernels
    modnet.train(network, x, y, batch_size=batch, epochs=1, **options)
    return peaks[0]


@pytest.fixture(params=["float32", "float64", "uint8", "mapped float64"])
def x(request, tmp_path):
    made = RNG.integers(0, 255, (SAMPLES, FEATURES))
    if not request.param.startswith("mapped"):
        return made.astype(request.param)
    np.save(tmp_path / "x.npy", made.astype(np.float64))
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def test_every_built_in_loss_is_tested():
    assert set(LOSSES) == set(BUILTIN["modnet.losses"])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_larger_batch_allocates_no_more(x, loss):
    last, y = LOSSES[loss]
    assert growth(x, y, loss, last) < A_BYTE_FOR_EACH


def test_with_sample_weights():
    last, y = LOSSES["cross_entropy"]
    x = RNG.random((SAMPLES, FEATURES))
    assert growth(x, y, "cross_entropy", last, sample_weights=RNG.random(SAMPLES)) < A_BYTE_FOR_EACH


def test_with_label_smoothing_and_rows_of_probabilities():
    last, y = LOSSES["kl_divergence"]
    loss = {"type": "cross_entropy", "label_smoothing": 0.1}
    assert growth(RNG.random((SAMPLES, FEATURES)), y, loss, last) < A_BYTE_FOR_EACH


def test_without_shuffling_and_with_fortran_order():
    last, y = LOSSES["mse"]
    x = np.asfortranarray(RNG.random((SAMPLES, FEATURES)))
    assert growth(x, y, "mse", last, shuffle=False) < A_BYTE_FOR_EACH
    assert growth(x, y, "mse", last) < A_BYTE_FOR_EACH
