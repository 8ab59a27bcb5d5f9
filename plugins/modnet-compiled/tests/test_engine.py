"""`engine="compiled"`: the interface and the checks of modnet, whatever computes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from click.testing import CliRunner

import modnet
from modnet.cli.app import cli

SPEC = {"network": {"input": [4], "layers": [{"type": "linear", "out_features": 3}, "softmax"]}}
X = np.random.default_rng(0).standard_normal((9, 4))


@pytest.fixture
def pair(tmp_path):
    """modnet's own network, and one that native code computes."""
    path = tmp_path / "m.modnet"
    modnet.save(modnet.build(SPEC), path)
    return modnet.load(path), modnet.load(path, engine="compiled")


@pytest.mark.parametrize("x", [np.ones((3, 5)), np.full((3, 4), np.nan), "text", np.full((3, 4), 1e300)])
def test_the_same_refusals(pair, x):
    messages = []
    for network in pair:
        with pytest.raises(modnet.ModnetError) as caught:
            network.predict(x)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_the_parameters_cannot_change(pair):
    with pytest.raises(ValueError, match="read-only"):
        pair[1].parameters["linear_1.weight"][0, 0] = 1


def test_copies_compute_by_themselves(pair):
    own, network = pair
    for made in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_allclose(made.predict(X), own.predict(X), atol=1e-6)


def test_out_and_batches(pair):
    own, network = pair
    x = np.random.default_rng(0).standard_normal((5000, 4))
    out = np.empty((5000, 3), np.float32)
    assert network.forward(x, batch_size=700, out=out) is out
    np.testing.assert_allclose(out, own.forward(x), atol=1e-6)


def test_predict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    modnet.save(modnet.build(SPEC), "m.modnet")
    np.save("x.npy", X)
    made = [
        CliRunner().invoke(cli, ["predict", "m.modnet", "x.npy", *engine]).output.splitlines()
        for engine in ([], ["--engine", "compiled"])
    ]
    own, other = (np.array([line.split(",") for line in lines[1:]], float) for lines in made)
    assert made[0][0] == made[1][0]
    np.testing.assert_allclose(other, own, atol=1e-6)


def test_what_cannot_be_compiled_is_said_on_one_line(tmp_path, monkeypatch):
    pytest.importorskip("modnet_conv")
    monkeypatch.chdir(tmp_path)
    spec = {"network": {"input": [4, 4, 2], "layers": [{"type": "upsample2d", "mode": "bilinear"}]}}
    modnet.save(modnet.build(spec), "m.modnet")
    np.save("x.npy", np.ones((1, 4, 4, 2)))
    made = CliRunner().invoke(cli, ["predict", "m.modnet", "x.npy", "--engine", "compiled"])
    assert made.exit_code
    assert 'network.layers[0] (upsample2d): mode = "bilinear" cannot be compiled' in made.output
    assert "Traceback" not in made.output
