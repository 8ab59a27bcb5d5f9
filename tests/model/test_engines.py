"""Predictions by an engine of a plugin: its arrays, modnet's checks, and modnet's own layers where it fails."""

from types import SimpleNamespace

import numpy as np
import pytest

import modnet
from modnet import hookimpl

SPEC = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "relu"]}}
X = np.random.default_rng(0).standard_normal((20, 3))


class Engine:
    """What a plugin offers as "wave": it gives what `answer` makes of the inputs."""

    def __init__(self, answer):
        self.answer, self.given = answer, []

    def run(self, inputs):
        self.given.append(inputs)
        return self.answer(inputs)


@pytest.fixture
def loaded(tmp_path):
    """A function of an answer: the network's own twin, the network that the engine computes, and the engine."""

    def load(answer, spec=SPEC):
        engine = Engine(answer)
        registry = modnet.Registry(entry_points=lambda: ())
        hook = hookimpl(lambda network, name: engine.run if name == "wave" else None)
        registry.hooks.join(SimpleNamespace(modnet_engine=hook), "wave")
        modnet.save(modnet.build(spec), tmp_path / "m.modnet")
        path = tmp_path / "m.modnet"
        return modnet.load(path), modnet.load(path, engine="wave", registry=registry), engine

    return load


def twos(inputs):
    return [np.full((len(inputs[0]), 2), 2, np.float32)]


def test_it_computes(loaded):
    _, network, engine = loaded(twos)
    assert (network.forward(X) == 2).all()
    assert (network.predict(X, batch_size=7) == 2).all()
    assert [len(x) for (x,) in engine.given] == [20, 7, 7, 6]
    assert {x.dtype for (x,) in engine.given} == {np.dtype(np.float32)}


def test_ids_and_numbers_have_the_dtypes_that_layers_take(loaded):
    spec = {
        "network": {
            "input": {"ids": [1], "numbers": [2]},
            "layers": [
                {"type": "embedding", "vocabulary_size": 4, "embedding_size": 2, "inputs": ["ids"]},
                "flatten",
                {"type": "add", "inputs": ["flatten_1", "numbers"]},
            ],
        }
    }
    _, network, engine = loaded(lambda inputs: [(inputs[1] + inputs[0]).astype(np.float32)], spec)
    network.forward({"ids": [[1.0], [3.0]], "numbers": [[1, 2], [3, 4]]})
    assert [array.dtype.name for array in engine.given[0]] == ["int64", "float32"]


def test_what_it_may_ask_for(tmp_path):
    seen = []

    class Curious:
        takes_any_number = takes_raw = True

        def __call__(self, inputs, raw):
            seen.append((inputs[0].dtype.name, raw[0].dtype.name, float(inputs[0][0, 0])))
            return twos(inputs)

    registry = modnet.Registry(entry_points=lambda: ())
    registry.hooks.join(SimpleNamespace(modnet_engine=hookimpl(lambda network, name: Curious())), "curious")
    modnet.save(modnet.build(SPEC), tmp_path / "m.modnet")
    network = modnet.load(tmp_path / "m.modnet", engine="curious", registry=registry)
    x = X.astype(np.float64)
    x[0, 0] = np.inf
    assert (network.forward(x) == 2).all()
    assert seen == [("float32", "float64", np.inf)]


def test_what_it_refuses_modnet_computes_or_explains(loaded):
    def fail(inputs):
        raise RuntimeError("no such thing")

    own, network, _ = loaded(fail)
    with pytest.raises(modnet.BrokenPlugin, match="the engine wave fails where modnet does not: no such thing"):
        network.forward(X)
    for bad in (X[:, :2], X[:, :1]):
        with pytest.raises(modnet.ShapeError) as expected:
            own.forward(bad)
        with pytest.raises(modnet.ShapeError) as caught:
            network.forward(bad)
        assert str(caught.value) == str(expected.value)


def test_numbers_that_are_not_finite_are_modnets_own(loaded):
    own, network, engine = loaded(twos)
    x = X.copy()
    x[2, 1] = np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(network.forward(x), own.forward(x))
    x[2, 1] = np.nan
    with pytest.raises(
        modnet.DataError, match='the prediction is nan in row 2: that row of input "input" contains nan'
    ):
        network.forward(x)
    assert engine.given == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda inputs: [np.zeros((len(inputs[0]), 3), np.float32)],
        lambda inputs: [np.zeros((len(inputs[0]), 2))],
        lambda inputs: [[1, 2]],
    ],
)
def test_wrong_answers_are_the_engines(loaded, answer):
    _, network, _ = loaded(answer)
    with pytest.raises(modnet.BrokenPlugin, match="the engine wave: "):
        network.forward(X)


def test_nan_is_no_prediction(loaded):
    _, network, _ = loaded(lambda inputs: [np.full((len(inputs[0]), 2), np.nan, np.float32)])
    with pytest.raises(modnet.DataError, match="the prediction is nan in row 0"):
        network.forward(X)


def test_an_engine_that_nobody_has(tmp_path):
    modnet.save(modnet.build(SPEC), tmp_path / "m.modnet")
    registry = modnet.Registry(entry_points=lambda: ())
    both = r"the engine \"wav\"; \"compiled\" comes with pip install .* and \"onnxruntime\" comes with pip install"
    with pytest.raises(modnet.NotInstalled, match=both):
        modnet.load(tmp_path / "m.modnet", engine="wav", registry=registry)
    with pytest.raises(
        modnet.NotInstalled, match=r"\"compiled\"; \"compiled\" comes with pip install 'modnet-compiled'$"
    ):
        modnet.load(tmp_path / "m.modnet", engine="compiled", registry=registry)
