"""The typed header: what is read is what was written, and every rule is checked once, with its place."""

import numpy as np
import pytest

import modnet
from modnet.engine.card import ModelCard
from modnet.errors import MalformedFile, NewerFormat
from modnet.model.container import Fault
from modnet.model.header import CARD_KEYS, RULES, Header, automatic_names
from modnet.model.reader import read_header

HIDDEN = {"type": "linear", "out_features": 4, "activation": "relu"}
SPEC = {"network": {"input": [3], "layers": [HIDDEN, {"type": "linear", "out_features": 2}, "softmax"]}}


@pytest.fixture
def values(tmp_path):
    """The header of a model file, as plain values."""
    network = modnet.build({**SPEC, "training": {"loss": "cross_entropy"}})
    network.card = network.card.replace(metadata={"author": "Ada"}, results={"curve": [[0, 1.5]]}, data={"x": "y"})
    modnet.save(network, tmp_path / "model.modnet")
    return read_header(tmp_path / "model.modnet").header


def test_what_is_parsed_is_what_is_written(values):
    header = Header.parse(values)
    assert header.plain() == values
    assert list(header.plain()) == [key for key in RULES if key != "training"]
    assert [(node.name, node.type) for node in header.stored_nodes()] == [
        ("linear_1", "linear"),
        ("relu_1", "relu"),
        ("linear_2", "linear"),
        ("softmax_1", "softmax"),
    ]
    assert header.spec.nodes == [["linear_1", "relu_1"], ["linear_2"], ["softmax_1"]]
    assert header.spec.training["loss"]["type"] == "cross_entropy"
    assert header.needs[0].distribution == "modnet-core"
    assert (header.metadata, header.results, header.data) == ({"author": "Ada"}, {"curve": [[0, 1.5]]}, {"x": "y"})


def test_every_key_of_the_card_is_a_key_of_the_header_and_an_attribute_of_the_card(values):
    header, card = Header.parse(values), ModelCard(modnet.build(SPEC).card.spec)
    for key in CARD_KEYS:
        assert key in RULES
        assert type(getattr(header, key)) is dict
        assert dict(getattr(card, key)) == {}


def test_a_header_without_keys_is_empty():
    header = Header.parse({})
    assert (header.features, header.made_by, header.needs, header.spec, header.schema) == ([], {}, (), None, None)
    assert (header.history, header.training, header.stored_nodes(), header.plain()) == ({}, None, [], {})
    with pytest.raises(Fault, match="there is no network in it"):
        header.require_spec()


def test_replace_gives_another_header_and_leaves_unknown_keys(values):
    header = Header.parse({**values, "quantization": 4})
    other = header.replace(metadata={"a": 1}, history=None)
    assert other.metadata == {"a": 1}
    assert "history" not in other.plain()
    assert other.unknown() == header.unknown() == {"quantization": 4}
    assert header.metadata == {"author": "Ada"}
    with pytest.raises(Fault, match="expected a map"):
        header.replace(metadata=[1])


def test_features_are_refused_where_the_network_is_asked_for():
    header = Header.parse({"features": ["sparse"]})
    with pytest.raises(NewerFormat, match=r"model: header\.features: needs a newer modnet-core: it uses sparse"):
        header.require_features("model")
    newer = Header.parse({"features": ["sparse"], "made_by": {"modnet-core": "99.0"}})
    with pytest.raises(
        NewerFormat, match=r"it uses sparse; modnet-core 99\.0 has written it:  pip install 'modnet-core>="
    ):
        newer.require_features("model")


def test_a_file_that_is_not_open_is_named():
    with pytest.raises(MalformedFile, match=r"model: header\.data\.x: expected text, found 1"):
        Header.of_file("model", {"data": {"x": 1}})


def test_names_that_a_file_from_before_does_not_have():
    assert automatic_names([{"type": "relu"}, {"type": "relu", "name": "relu_2"}, {"type": "relu"}]) == [
        ["relu_1"],
        ["relu_2"],
        ["relu_3"],
    ]
    tables = [{"type": "cell", "activation": "tanh"}, {"type": "tanh"}]
    assert automatic_names(tables) == [["cell_1", "tanh_1"], ["tanh_2"]]
    assert automatic_names(tables, with_activation=()) == [["cell_1"], ["tanh_1"]]


def test_results_with_arrays_are_stored_as_lists(tmp_path):
    network = modnet.build(SPEC)
    results = {"curve": np.array([[0.5, 1.0]]), "best": np.float64(0.25), "parts": {"a": (1, np.int64(2))}}
    network.card = network.card.replace(results=results)
    modnet.save(network, tmp_path / "model.modnet")
    loaded = modnet.load(tmp_path / "model.modnet").card.results
    assert loaded == {"curve": [[0.5, 1.0]], "best": 0.25, "parts": {"a": [1, 2]}}


def test_the_card_tells_whether_two_models_saw_the_same_data(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 3)), rng.integers(0, 2, 200)

    def fingerprint(x, y, **options):
        network = modnet.build({**SPEC, "training": {"loss": "cross_entropy", "epochs": 1}})
        modnet.train(network, x, y, **options)
        modnet.save(network, tmp_path / "model.modnet")
        return modnet.load(tmp_path / "model.modnet").card.data

    whole = fingerprint(x, y)
    assert list(whole) == ["training input", 'training target "output"']
    assert fingerprint(x.copy(), y.copy(), seed=3) == whole
    assert fingerprint(x + 1, y)["training input"] != whole["training input"]
    assert list(fingerprint(x, y, validation=0.5))[-1].startswith("validation ")
