"""Whole trainings with the kernels and without them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.errors import Diverged
from modnet.optimizers import SGD

sys.path.insert(0, str(Path(__file__).parent))
from offered import COMPILED, NUMPY, POINTS

BLOCKS = {
    "plain": ["relu"],
    "norms": ["batch_norm", "gelu", "layer_norm", "silu", "rms_norm", "mish"],
    "noise": [{"type": "dropout", "rate": 0.2}, "leaky_relu", "softplus", "selu", "elu"],
    "saturating": ["sigmoid", "tanh"],
}


def fit(registry, block="plain", optimizer="adam", dtype="float32", inputs=20):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 300)
    x = (rng.standard_normal((300, inputs)) + y[:, None] * rng.standard_normal(inputs)).astype(dtype)
    hidden = {"type": "linear", "out_features": 24}
    spec = {
        "network": {
            "input": [inputs],
            "layers": [hidden, *BLOCKS[block], {"type": "linear", "out_features": 4}, "softmax"],
            "dtype": dtype,
        },
        "training": {"loss": "cross_entropy", "optimizer": optimizer, "epochs": 3, "batch_size": 32, "seed": 1},
    }
    network = modnet.build(spec, registry=registry)
    history = modnet.train(network, x, y, registry=registry)
    return network, history


def assert_same_training(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(found[1].figures["loss"], expected[1].figures["loss"], rtol=tolerance)
    np.testing.assert_allclose(found[0].parameters.flat, expected[0].parameters.flat, rtol=0, atol=tolerance)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_train_as_without_kernels(block, dtype):
    sgd = {"type": "sgd", "learning_rate": 0.01, "momentum": 0.9}
    runs = [fit(registry, block, sgd, dtype) for registry in (COMPILED, NUMPY)]
    assert_same_training(*runs, 1e-5 if dtype == "float32" else 1e-11)
    assert not COMPILED.kernels.broken


@pytest.mark.parametrize("name", sorted({p.name.split(".")[1] for p in POINTS if p.name.startswith("optimizer")}))
def test_optimizers_train_as_without_kernels(name):
    assert_same_training(*(fit(registry, "saturating", name, "float64") for registry in (COMPILED, NUMPY)), 1e-9)


def test_two_runs_give_the_same_bytes():
    first, second = (fit(COMPILED, "norms")[0].parameters.flat for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_more_parameters_than_a_chunk_has():
    """An update of a kernel is given all parameters at once."""
    runs = [fit(registry, optimizer={"type": "adamw"}, dtype="float64", inputs=2000) for registry in (COMPILED, NUMPY)]
    assert runs[0][0].parameters.flat.size > 32 * 1024
    assert_same_training(*runs, 1e-9)


def test_a_diverged_training_is_noticed():
    with np.errstate(all="ignore"), pytest.raises(Diverged):
        fit(COMPILED, optimizer=SGD(learning_rate=1e30))


def test_kernels_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("MODNET_KERNELS", "off")
    registry = modnet.Registry(lambda: POINTS)
    optimizer = SGD()
    assert registry.kernels.method(optimizer, "update", np.dtype("float32")) == optimizer.update


def test_a_compilation_is_announced(tmp_path):
    """In a process of its own, whose loops are in no cache."""
    code = """
import numpy as np
from modnet.waiting import listening

class Heard:
    def announced(self, text):
        print(text)
    def advanced(self, what, done, whole):
        raise AssertionError

from modnet_numba.activations import silu
with listening(Heard()):
    for dtype in (np.float32, np.float64):
        silu(np.ones(4, dtype), np.ones(4, dtype))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    told = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert told[0].startswith("compiling loops for this processor with numba")
    assert told[0].count("\n") == 1
    assert told[1] == ""  # they are found on disk
