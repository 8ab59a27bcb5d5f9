"""A network as plain values, for plugins that keep it in files of another kind, and back."""

import json

import numpy as np
import pytest

import modnet
from modnet.model.load import restored
from modnet.model.save import described

SPEC = {
    "network": {"input": [3], "layers": ["standardize", {"type": "linear", "out_features": 2}, "softmax"]},
    "training": {"loss": "cross_entropy", "metrics": ["confusion_matrix"], "epochs": 2},
}


def trained(**options):
    rng = np.random.default_rng(0)
    return modnet.train(SPEC, rng.standard_normal((20, 3)), rng.integers(0, 2, 20), **options).network


def again(network):
    """Through JSON, with the arrays copied."""
    values = json.loads(json.dumps(described(network, "a.file")))
    made = restored("a.file", values, 10_000, set(network.state))
    modnet.load_parameters(made, network)
    return made


def test_a_network_comes_back_with_its_card():
    network = trained()
    made = again(network)
    assert made.spec.network == network.spec.network
    assert made.card.training == network.card.training
    assert list(made.history["loss"]) == list(network.history["loss"])
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(made.forward(x), network.forward(x))


def test_a_long_history_is_whole():
    """One that a model file keeps in arrays of its own."""
    network = trained()
    figures = {"loss": np.linspace(1, 0, 30_000).tolist()}
    network.card = network.card.replace(history=figures)
    assert list(again(network).history["loss"]) == figures["loss"]


def test_optional_state_that_is_not_there():
    """As in a file of an older version."""
    network = trained()
    values = described(network, "a.file")
    made = restored("a.file", values, 10_000, [name for name in network.state if not name.endswith("mean_rest")])
    assert "standardize_1.mean_rest" in network.state
    assert "standardize_1.mean_rest" not in made.state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": {}}, "there is no network in it"),
        ({"needs": [{"distribution": "; rm -rf", "version": "1", "components": []}]}, "expected the distribution"),
        ({"metadata": {"a": object()}}, "is not a plain value"),
        ({"features": ["future"]}, "newer"),
    ],
)
def test_what_was_tampered_with(change, message):
    with pytest.raises(modnet.ModelFileError, match=message):
        restored("a.file", {**described(trained(), "a.file"), **change}, 10_000, ())


def test_a_network_that_could_not_be_read_again():
    network = trained()
    network.card = network.card.replace(metadata={"a": object()})
    with pytest.raises(modnet.ModelFileError, match=r"a.file: .*is not a plain value"):
        described(network, "a.file")
