"""After its first steps a training allocates nothing that grows with the batch."""

import tracemalloc

import numpy as np
import pytest

import modnet
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.registry import Registry
from tests.problems import of_component

BATCH, FEATURES = 32768, 12
SAMPLES = 6 * BATCH
RNG = np.random.default_rng(0)

A_BYTE_FOR_EACH = BATCH // 2
"""Of the samples that a batch has more than half of one: the bytes of the smallest array that could grow with it."""

LOSSES = {name: of_component(Registry(list).find(modnet.Loss, name), SAMPLES) for name in BUILTIN["modnet.losses"]}


def growth(x, problem, **options):
    """How many bytes a step on a batch allocates more than one on half a batch."""
    return allocated(BATCH, x, problem, **options) - allocated(BATCH // 2, x, problem, **options)


def allocated(batch, x, problem, **options):
    """The bytes that are allocated at most at a time from the third to the sixth step.

    There are always some: numpy converts, and goes through short rows, by way of buffers of one size.
    """
    layers = [{"type": "linear", "out_features": 8, "l1": 1e-4, "l2": 1e-4}, "relu"]
    network = modnet.build({"network": {"input": [FEATURES], "layers": [*layers, *problem.layers]}})
    peaks = []

    class Watch(modnet.Callback):
        def modnet_step_ended(self, run):
            if run.step == 2:
                tracemalloc.start()
            if run.step == 6:
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()

    options |= {"loss": problem.loss, "callbacks": [Watch()], "registry": Registry(list)}  # no kernels
    modnet.train(network, x, problem.target, batch_size=batch, epochs=1, **options)
    return peaks[0]


@pytest.fixture(params=["float32", "float64", "uint8", "mapped float64"])
def x(request, tmp_path):
    made = RNG.integers(0, 255, (SAMPLES, FEATURES))
    if not request.param.startswith("mapped"):
        return made.astype(request.param)
    np.save(tmp_path / "x.npy", made.astype(np.float64))
    return np.load(tmp_path / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("loss", LOSSES)
def test_a_larger_batch_allocates_no_more(x, loss):
    assert growth(x, LOSSES[loss]) < A_BYTE_FOR_EACH


def test_with_sample_weights():
    x = RNG.random((SAMPLES, FEATURES))
    assert growth(x, LOSSES["cross_entropy"], sample_weights=RNG.random(SAMPLES)) < A_BYTE_FOR_EACH


@pytest.mark.parametrize("target", ["cross_entropy", "kl_divergence"], ids=["labels", "rows"])
def test_with_label_smoothing(target):
    problem = LOSSES[target]._replace(loss={"type": "cross_entropy", "label_smoothing": 0.1})
    assert growth(RNG.random((SAMPLES, FEATURES)), problem) < A_BYTE_FOR_EACH


def test_without_shuffling_and_with_fortran_order():
    x = np.asfortranarray(RNG.random((SAMPLES, FEATURES)))
    assert growth(x, LOSSES["mse"], shuffle=False) < A_BYTE_FOR_EACH
    assert growth(x, LOSSES["mse"]) < A_BYTE_FOR_EACH
