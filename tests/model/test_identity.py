"""The id of a network is that of its file, as long as the two are the same."""

import copy
import pickle

import numpy as np
import pytest

import modnet
from modnet.errors import ChecksumMismatch, WrongId
from modnet.model.edit import edit
from modnet.model.reader import read_header

SPEC = {
    "network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "batch_norm", "softmax"]},
    "training": {"loss": "cross_entropy", "epochs": 1},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.modnet"


@pytest.fixture
def network(path):
    made = modnet.build(SPEC, seed=0)
    assert made.id is None
    modnet.save(made, path)
    return made


def test_it_is_that_of_the_file(network, path):
    assert network.id == modnet.load(path).id == modnet.load(path, mmap=True).id == read_header(path).id.hex()


def change_parameters(network):
    network.parameters["linear_1.weight"][0, 0] += 1


def change_state(network):
    network.state["batch_norm_1.running_mean"][...] = 1


def train(network):
    modnet.train(network, np.ones((8, 3)), np.zeros(8, int))


def new_card(network):
    network.card = network.card.replace(metadata={"a": 1})


def entry_of_the_card(network):
    network.card.metadata["a"] = {"b": [1]}


def unstorable_entry(network):
    network.card.results["a"] = object()


@pytest.mark.parametrize(
    "change", [change_parameters, change_state, train, new_card, entry_of_the_card, unstorable_entry]
)
@pytest.mark.parametrize("loaded", [False, True])
def test_none_after_a_change(change, loaded, network, path):
    network = modnet.load(path) if loaded else network
    before = network.id
    change(network)
    assert network.id is None
    if change is not unstorable_entry:
        modnet.save(network, path)
        assert network.id == read_header(path).id.hex() != before


def test_what_is_undone_is_no_change(network):
    before = network.id
    weight = network.parameters["linear_1.weight"]
    kept = weight.copy()
    weight += 1
    assert network.id is None
    weight[...] = kept
    assert network.id == before


def test_predicting_and_reading_change_nothing(network, path):
    loaded = modnet.load(path)
    loaded.forward(np.ones((2, 3)))
    assert loaded.card.training is not None
    assert loaded.id == network.id


def test_of_a_copy(network):
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert twin.id == network.id
        change_parameters(twin)
        assert (twin.id, network.id is None) == (None, False)


def test_numbers_in_fewer_bits(network, path):
    edit(path, path, cast="float16")
    loaded = modnet.load(path)
    assert loaded.id == read_header(path).id.hex()
    loaded.parameters.flat[0] += 1e-7
    assert loaded.id is None


def test_several_segments(network, path, monkeypatch):
    monkeypatch.setattr("modnet.model.container.SEGMENT_LIMIT", 20)
    modnet.save(network, path)
    assert len(read_header(path).segments) > 2
    assert network.id == modnet.load(path).id == read_header(path).id.hex()
    network.parameters.flat[-1] += 1
    assert network.id is None


# Loading a certain one


def test_the_right_one_is_loaded(network, path):
    for text in (network.id, network.id.upper(), network.id[:8]):
        for mmap in (False, True):
            assert modnet.load(path, id=text, mmap=mmap).id == network.id
    assert modnet.load(path.read_bytes(), id=network.id).id == network.id


def test_another_one_is_refused(network, path):
    other = "0" * 12
    with pytest.raises(WrongId, match=f"this is another model: its id is {network.id}, expected {other}") as caught:
        modnet.load(path, id=other)
    assert (caught.value.found, caught.value.expected) == (network.id, other)


@pytest.mark.parametrize("id", ["", "abc", "xyzxyzxyz", "0" * 65, 7, b"0" * 64])
def test_what_is_no_id(id, network, path):
    with pytest.raises(ValueError, match="id: expected 8 to 64 hexadecimal digits"):
        modnet.load(path, id=id)


def test_the_arrays_are_compared_with_it_where_the_file_is_mapped(network, path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    modnet.load(path, mmap=True)
    with pytest.raises(ChecksumMismatch):
        modnet.load(path, id=network.id, mmap=True)
    assert modnet.load(path, id=network.id, mmap=True, verify=False).id == network.id


def test_other_formats_have_none(network, tmp_path, monkeypatch):
    registry = modnet.Registry(list)
    registry.hooks.join(type("Plugin", (), {"modnet_import": modnet.hookimpl(lambda path: network)}), "wave")
    (tmp_path / "m.wave").write_bytes(b"wave")
    assert modnet.load(tmp_path / "m.wave", registry=registry) is network
    with pytest.raises(modnet.ModelFileError, match="only model files of modnet have an id"):
        modnet.load(tmp_path / "m.wave", id="0" * 64, registry=registry)
