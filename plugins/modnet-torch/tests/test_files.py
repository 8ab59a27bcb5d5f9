"""Files of weights and of whole networks: what is read, what is refused, and what the messages say."""

import json
import sys

import numpy as np
import pytest
import safetensors.numpy
from modnet_torch import load_state_dict, read_weights

import modnet
from modnet.errors import NotAModelFile
from modnet.kinds.layer import Layer
from modnet.testing.examples import examples_of

SPEC = {
    "network": {"input": [3], "layers": ["standardize", {"type": "linear", "out_features": 2}, "softmax"]},
    "training": {"loss": "cross_entropy", "epochs": 2},
}


def trained():
    rng = np.random.default_rng(0)
    return modnet.train(SPEC, rng.standard_normal((20, 3)) + 1e9, rng.integers(0, 2, 20)).network


def test_a_trained_network_comes_back_with_its_card(tmp_path):
    network = trained()
    network.card = network.card.replace(metadata={"author": "Ada"})
    modnet.save(network, tmp_path / "a.safetensors")
    again = modnet.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(again.parameters.flat, network.parameters.flat)
    np.testing.assert_array_equal(again.state.flat, network.state.flat)
    assert again.card.metadata == {"author": "Ada"}
    assert again.card.training == network.card.training
    assert list(again.history["loss"]) == list(network.history["loss"])
    modnet.save(again, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def layers():
    registry = modnet.default_registry()
    for entry in registry.entries(Layer):
        for number, example in enumerate(examples_of(entry.load())):
            if example.input_shapes and entry.origin.distribution != "modnet-signals":
                yield pytest.param(example, id=f"{entry.origin.type}-{number}")


@pytest.mark.parametrize("example", list(layers()))
def test_every_layer_comes_back(tmp_path, example):
    """Also those that torch does not have, and the members of an ensemble."""
    inputs = {
        f"x{number}": ["variable" if size is None else size for size in shape]
        for number, shape in enumerate(example.input_shapes)
    }
    node = modnet.Node(layer=example.component, inputs=tuple(inputs))
    learns = modnet.build({"network": {"input": inputs, "layers": [node]}}).parameters.flat.size
    for members in (1, 2) if learns else (1,):
        network = modnet.build({"network": {"input": inputs, "layers": [node], "members": members}})
        rng = np.random.default_rng(0)
        network.parameters.flat[...] = rng.standard_normal(network.parameters.flat.size)
        network.state.flat[...] = rng.standard_normal(network.state.flat.size)
        modnet.save(network, tmp_path / "a.safetensors")
        again = modnet.load(tmp_path / "a.safetensors")
        np.testing.assert_array_equal(again.parameters.flat, network.parameters.flat)
        np.testing.assert_array_equal(again.state.flat, network.state.flat)


def test_weights_alone_are_no_network(tmp_path):
    path = tmp_path / "weights.safetensors"
    safetensors.numpy.save_file({"fc.weight": np.ones((2, 3), np.float32)}, path)
    with pytest.raises(NotAModelFile, match=r"modnet import-weights weights\.safetensors SPEC -o MODEL\.modnet"):
        modnet.load(path)
    path = tmp_path / "weights.pt"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(NotAModelFile, match=r"weights and no network; modnet import-weights weights\.pt"):
        modnet.load(path)


def tampered(path, change):
    """A file whose description of the network was changed."""
    network = trained()
    modnet.save(network, path)
    weights = read_weights(path)
    described = change(json.loads(weights.metadata["modnet"]))
    metadata = {"modnet": described if isinstance(described, str) else json.dumps(described)}
    safetensors.numpy.save_file({name: np.array(array) for name, array in weights.arrays.items()}, path, metadata)


def without_network(described):
    return {**described, "spec": {}}


def wider(described):
    described["spec"]["network"]["layers"][1]["out_features"] = 4
    return described


def with_callbacks(described):
    described["spec"]["training"]["callbacks"] = [{"type": "json_log", "path": "/tmp/a"}]
    return described


def vast(described):
    described["spec"]["network"]["layers"] = ["softmax"] * 50_000
    described["spec"].pop("nodes")
    return described


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda described: "{", "not JSON"),
        (lambda described: "[1]", "not a JSON object"),
        (lambda described: "[" * 100_000, "not JSON"),
        (without_network, "no network in it"),
        (wider, "mismatched: linear_1.weight"),
        (with_callbacks, "callbacks"),
        (vast, "limit"),
    ],
)
def test_a_description_that_was_tampered_with(tmp_path, change, message):
    path = tmp_path / "a.safetensors"
    tampered(path, change)
    with pytest.raises(modnet.ModelFileError, match=message):
        modnet.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]", b"\x08\0\0\0\0\0\0\0{" + b" " * 7]
)
def test_a_damaged_file(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(modnet.ModelFileError, match="not a safetensors file, or a damaged one"):
        modnet.load(path)


def test_all_kinds_of_numbers(tmp_path):
    values = np.array([[1.5, -2.0, 0.25], [3.0, 0.0, 1e-2]], np.float32)
    network = modnet.build(
        {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2, "bias": False}]}}
    )
    for dtype in ("float16", "float32", "float64"):
        safetensors.numpy.save_file({"a.weight": values.astype(dtype)}, tmp_path / "a.safetensors")
        load_state_dict(network, tmp_path / "a.safetensors")
        np.testing.assert_array_equal(network.parameters["linear_1.weight"], values.astype(dtype).T.astype(np.float32))
    header = json.dumps({"a.weight": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}).encode()
    raw = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "b.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + raw)
    load_state_dict(network, tmp_path / "b.safetensors")
    np.testing.assert_allclose(network.parameters["linear_1.weight"], values.T, rtol=1e-2)


def test_a_file_of_torch_needs_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(modnet.MissingExtra, match=r"reading a.pt.* pip install 'modnet-torch\[torch\]'"):
        read_weights(tmp_path / "a.pt")


class Trap:
    def __reduce__(self):
        return (print, ("run",))


def test_a_pickle_with_more_than_weights_is_not_run(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    torch.save({"state_dict": {"weight": torch.ones(2)}, "other": Trap()}, path)
    with pytest.raises(modnet.ModelFileError, match="has more in it than weights"):
        read_weights(path)
    assert capsys.readouterr().out == ""
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(modnet.ModelFileError, match="not a file of torch, or a damaged one"):
        read_weights(path)


def test_the_weights_of_a_checkpoint_are_found(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = tmp_path / "a.ckpt"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, path)
    assert list(read_weights(path).arrays) == ["weight", "bias"]
    torch.save({"mine": model.state_dict(), "yours": model.state_dict()}, path)
    with pytest.raises(modnet.ModelFileError, match='2 state_dicts in it, "mine", "yours"'):
        read_weights(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(modnet.ModelFileError, match="expected a state_dict"):
        read_weights(path)


def test_a_state_dict_for_torch(tmp_path):
    torch = pytest.importorskip("torch")
    network = trained()
    modnet.save(network, tmp_path / "a.pt")
    weights = torch.load(tmp_path / "a.pt", weights_only=True)
    np.testing.assert_array_equal(weights["linear_1.weight"].numpy(), network.parameters["linear_1.weight"].T)
    again = modnet.build(SPEC)
    load_state_dict(again, tmp_path / "a.pt")
    np.testing.assert_array_equal(again.forward(np.ones((2, 3))), network.forward(np.ones((2, 3))))


def test_other_suffixes_are_left_to_others(tmp_path):
    with pytest.raises(modnet.ModelFileError, match=r"no installed plugin writes \.safetensor files; did you mean"):
        modnet.save(trained(), tmp_path / "a.safetensor")


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    modnet.save(trained(), tmp_path / "a.safetensors")
    with pytest.raises(modnet.ModelFileError, match="cannot be written: No such file"):
        modnet.save(trained(), tmp_path / "none" / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
