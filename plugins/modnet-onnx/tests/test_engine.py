"""onnxruntime as an engine: the interface and the checks of modnet, whatever computes."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner

import modnet
from modnet.cli.app import cli

SPEC = {
    "network": {
        "input": [4],
        "layers": [
            "standardize",
            {"type": "linear", "out_features": 8, "activation": "relu"},
            {"type": "linear", "out_features": 3},
            "softmax",
        ],
    }
}
IDS = {
    "network": {
        "input": ["variable"],
        "layers": [{"type": "embedding", "vocabulary_size": 5, "embedding_size": 2}, "global_average_pool"],
    }
}
X = np.random.default_rng(0).standard_normal((5000, 4))


@pytest.fixture
def pair(tmp_path):
    """A function of a spec: modnet's own network, and one that onnxruntime computes."""

    def made(spec):
        path = tmp_path / "m.modnet"
        modnet.save(modnet.build(spec), path)
        return modnet.load(path), modnet.load(path, engine="onnxruntime")

    return made


def test_the_same_predictions(pair):
    own, other = pair(SPEC)
    for x in (X, X[:1], X[:0], X[:7].astype(np.float32), X[:7].tolist()):
        np.testing.assert_allclose(other.predict(x), own.predict(x), atol=1e-6)
    out = np.empty((len(X), 3), np.float32)
    assert other.forward(X, batch_size=700, out=out) is out
    np.testing.assert_allclose(out, own.forward(X), atol=1e-6)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(other.predict, [X] * 8):
            np.testing.assert_array_equal(found, out)


@pytest.mark.parametrize("x", [np.ones((3, 5)), np.full((3, 4), np.nan), "text", np.full((3, 4), 1e300)])
def test_the_same_refusals(pair, x):
    messages = []
    for network in pair(SPEC):
        with pytest.raises(modnet.ModnetError) as caught:
            network.predict(x)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("ids", [[[1, 7]], [[-1, 2]], [[1.5, 2]]])
def test_the_same_refusals_of_ids(pair, ids):
    own, other = pair(IDS)
    messages = []
    for network in (own, other):
        with pytest.raises(modnet.DataError) as caught:
            network.predict(np.array(ids))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    np.testing.assert_allclose(other.predict(np.array([[1, 2, 4]])), own.predict(np.array([[1, 2, 4]])), atol=1e-6)


def test_the_parameters_cannot_change(pair):
    _, network = pair(SPEC)
    with pytest.raises(ValueError, match="read-only"):
        network.parameters["linear_1.weight"][0, 0] = 1
    with pytest.raises(modnet.TrainingError, match="load it without mmap=True or engine"):
        modnet.train(network, X, np.zeros(len(X), int), loss="cross_entropy", epochs=1)


def test_copies_compute_by_themselves(pair):
    own, network = pair(SPEC)
    for made in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(made.predict(X[:3]), own.predict(X[:3]))
    made = copy.deepcopy(network)
    made.parameters["linear_1.weight"][...] = 0
    assert np.ptp(made.predict(X[:3]), axis=0).max() == 0


def test_an_engine_that_is_not_there(tmp_path):
    modnet.save(modnet.build(SPEC), tmp_path / "m.modnet")
    with pytest.raises(
        modnet.NotInstalled, match=r"the engine \"onxruntime\"; .* pip install 'modnet-onnx\[runtime\]'"
    ):
        modnet.load(tmp_path / "m.modnet", engine="onxruntime")


def test_an_operator_that_is_not_there(tmp_path):
    spec = {"network": {**SPEC["network"], "layers": ["gelu"], "dtype": "float64"}}
    modnet.save(modnet.build(spec), tmp_path / "m.modnet")
    with pytest.raises(modnet.ModnetError, match=r"onnxruntime cannot run this network: .* float64"):
        modnet.load(tmp_path / "m.modnet", engine="onnxruntime")


def test_predict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    modnet.save(modnet.build(SPEC), "m.modnet")
    np.save("x.npy", X[:5])
    made = [
        CliRunner().invoke(cli, ["predict", "m.modnet", "x.npy", *engine]).output.splitlines()
        for engine in ([], ["--engine", "onnxruntime"])
    ]
    own, other = (np.array([line.split(",") for line in lines[1:]], float) for lines in made)
    assert made[0][0] == made[1][0]
    np.testing.assert_allclose(other, own, atol=1e-6)
