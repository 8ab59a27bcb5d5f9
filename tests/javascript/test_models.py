"""Trained models predict in JavaScript what they predict in Python."""

import csv
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.model import container
from modnet.model.edit import edit

from .conftest import Refused, assert_same

EXAMPLES = Path(__file__).parents[2] / "examples"


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


@pytest.fixture
def same(reader, tmp_path):
    """same(network, x): saves the network and compares what both make of an array, or arrays by name."""

    def compare(network, x):
        path = tmp_path / "model.modnet"
        modnet.save(network, path)
        expected = network.forward(x)
        tolerance = 1e-5 if network.dtype == np.float32 else 1e-12
        found = reader.ask("forward", path=path, x=x)
        if not isinstance(expected, dict):
            expected, found = {"output": expected}, {"output": found}
        for name, array in expected.items():
            assert np.shape(found[name]) == array.shape
            assert_same(found[name], array.tolist(), tolerance)

    return compare


def trained(layers, x, y, loss="mse", **network):
    spec = {"network": {"layers": layers, **network}, "training": {"loss": loss, "epochs": 2, "batch_size": 16}}
    return modnet.train(spec, x, y).network


@pytest.fixture
def rng():
    return np.random.default_rng(4)


# Tables


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    """A model of the penguins of the examples, and their rows."""
    path = tmp_path_factory.mktemp("penguins") / "penguins.modnet"
    network = modnet.train(EXAMPLES / "penguins" / "penguins.toml", epochs=20).network
    modnet.save(network, path)
    with open(EXAMPLES / "penguins" / "penguins.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert any("NA" in row.values() or "" in row.values() for row in rows)
    return network, path, rows


def test_penguins(reader, penguins):
    network, path, rows = penguins
    report = []
    expected = network.predict(rows, report=report, faults="none")
    answer = reader.ask("predict", path=path, rows=rows, options={"report": [], "faults": "none"})
    assert_same(answer["found"], expected)
    assert [tuple(fault.values()) for fault in answer["report"]] == [tuple(fault) for fault in report]


def test_penguins_that_cannot_be(reader, penguins):
    network, path, rows = penguins
    name = next(
        column.name for columns in network.schema.inputs.values() for column in columns if column.kind == "number"
    )
    wrong = [{**row, name: value} for row, value in zip(rows, ["long", "1,5", "1e999", "Infinity"], strict=False)]
    with pytest.raises(modnet.DataError) as error:
        network.predict(wrong)
    with pytest.raises(Refused) as refused:
        reader.ask("predict", path=path, rows=wrong)
    assert [tuple(fault.values()) for fault in refused.value.problems] == [
        tuple(fault) for fault in error.value.problems
    ]
    assert str(error.value).endswith(str(refused.value))


def test_digits_of_the_example(reader):
    path = EXAMPLES / "inference" / "digits.modnet"
    with np.load(EXAMPLES / "digits" / "digits.npz") as data:
        x = data["x"][:200]
    assert_same(reader.ask("forward", path=path, x=x), modnet.load(path).forward(x).tolist())


# Networks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_residual_network_with_two_inputs_and_outputs(same, rng, dtype):
    layers = [
        {"type": "standardize", "inputs": ["a"]},
        linear(6, activation="gelu", name="left"),
        {"type": "residual", "layers": [linear(6, activation="relu"), "batch_norm", {"type": "dropout"}]},
        {
            "type": "residual",
            "layers": [linear(4), "layer_norm"],
            "shortcut": [linear(4, bias=False)],
            "name": "narrow",
        },
        linear(4, inputs=["b"], name="right"),
        {"type": "add", "inputs": ["narrow", "right"], "activation": "tanh"},
        {"type": "repeat", "count": 3, "layers": [linear(4), "silu"]},
        linear(2, name="number"),
        {"type": "linear", "out_features": 4, "shares": "right", "inputs": ["b"], "name": "again"},
        {"type": "concatenate", "inputs": ["again", "repeat_1"]},
        linear(3),
        {"type": "softmax", "name": "class"},
    ]
    spec = {
        "network": {"input": {"a": [5], "b": [3]}, "layers": layers, "outputs": ["number", "class"], "dtype": dtype},
        "training": {"loss": {"number": "mse", "class": "cross_entropy"}, "epochs": 2},
    }
    x = {"a": rng.standard_normal((40, 5)) * 3, "b": rng.standard_normal((40, 3))}
    y = {"number": rng.standard_normal((40, 2)), "class": rng.integers(0, 3, 40)}
    same(modnet.train(spec, x, y).network, x)


def test_means_that_are_far_away(same, rng):
    x = 1.7e9 + rng.standard_normal((50, 2)) * [1, 1e6]
    network = trained(["standardize", linear(4), "relu", linear(1), "unstandardize"], x, 5 + x[:, :1] * 0, input=[2])
    same(network, x)


def test_clipping_and_bins(same, rng):
    x = rng.standard_normal((60, 3))
    first = {"type": "standardize", "robust": True, "clip": True}
    network = trained([first, {"type": "piecewise_encoding", "bins": 5}, linear(1)], x, x[:, :1], input=[3])
    same(network, x * 4)


@pytest.mark.parametrize("members", [2, 3])
def test_ensembles(same, rng, members):
    x = rng.standard_normal((60, 4))
    layers = [
        *("standardize", linear(6, activation="prelu"), "batch_norm", "layer_norm"),
        {"type": "residual", "layers": [linear(6, activation="relu")]},
        *(linear(1), "unstandardize"),
    ]
    same(trained(layers, x, x[:, :1] * 100, input=[4], members=members), x)
    classes = [linear(5), "relu", linear(3), "softmax"]
    same(trained(classes, x, rng.integers(0, 3, 60), "cross_entropy", input=[4], members=members), x)


def test_an_ensemble_of_sequences(same, rng):
    pytest.importorskip("modnet_recurrent", reason="modnet-recurrent is not installed")
    ids = rng.integers(0, 7, (40, 6))
    layers = [
        {"type": "embedding", "vocabulary_size": 7, "embedding_size": 3, "padding": 0},
        *({"type": "gru", "hidden_size": 4}, {"type": "lstm", "hidden_size": 4, "return_sequences": False}, linear(2)),
    ]
    same(trained(layers, ids, rng.standard_normal((40, 2)), input=[6], members=2), ids)


def test_images(same, rng):
    pytest.importorskip("modnet_conv", reason="modnet-conv is not installed")
    x = rng.standard_normal((24, 14, 12, 3))
    layers = [
        {"type": "random_shift", "distance": 1},
        {"type": "conv2d", "out_channels": 6, "kernel_size": 5, "padding": "same", "stride": 2, "bias": False},
        *("batch_norm", "relu"),
        {"type": "max_pool2d", "pool_size": 3, "stride": 2, "padding": 1},
        {"type": "depthwise_conv2d", "kernel_size": 3, "padding": "same", "depth_multiplier": 2},
        {"type": "conv2d", "out_channels": 8, "kernel_size": 1, "groups": 2, "activation": "hard_swish"},
        {"type": "separable_conv2d", "out_channels": 8, "kernel_size": 3, "padding": [[1, 0], [2, 1]]},
        {"type": "upsample2d", "mode": "bilinear"},
        {"type": "average_pool2d", "padding": "same", "pool_size": 3},
        *("flatten", linear(4), "softmax"),
    ]
    same(trained(layers, x, rng.integers(0, 4, 24), "cross_entropy", input=[14, 12, 3]), x)


def masked(x):
    """Sequences of different lengths, with zeros behind their ends."""
    lengths = np.random.default_rng(0).integers(0, x.shape[1] + 1, len(x))
    return np.where((np.arange(x.shape[1]) < lengths[:, None])[..., None], x, 0)


SEQUENCES = {
    "lstm": [{"type": "lstm", "hidden_size": 5}, {"type": "lstm", "hidden_size": 4, "return_sequences": False}],
    "bidirectional": [{"type": "bidirectional", "layer": {"type": "gru", "hidden_size": 3}}, "global_average_pool"],
    "rnn": [{"type": "rnn", "hidden_size": 3, "train_initial_state": True, "reverse": True}, "global_max_pool"],
    "convolution": [
        {"type": "conv1d", "out_channels": 4, "kernel_size": 3, "padding": "same", "stride": 2},
        {"type": "max_pool1d", "padding": "same"},
        *("layer_norm", "global_average_pool"),
    ],
    "pooling": [{"type": "average_pool1d", "pool_size": 3, "stride": 2, "padding": 1}, "rms_norm", "global_max_pool"],
    "slices": [{"type": "slice", "axis": 0, "start": 1}, {"type": "reshape", "shape": [-1, 2]}, "global_average_pool"],
    "norm": [{"type": "slice", "axis": 0, "stop": 5}, {"type": "layer_norm", "axes": 2}, "global_average_pool"],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_of_different_lengths(same, rng, name):
    pytest.importorskip("modnet_recurrent", reason="modnet-recurrent is not installed")
    pytest.importorskip("modnet_conv", reason="modnet-conv is not installed")
    x = masked(rng.standard_normal((30, 9, 4)))
    network = trained(["masking", *SEQUENCES[name], linear(2)], x, rng.standard_normal((30, 2)), input=[9, 4])
    same(network, x)


def test_sequences_of_any_length(same, rng):
    pytest.importorskip("modnet_recurrent", reason="modnet-recurrent is not installed")
    ids = rng.integers(0, 9, (20, 7))
    layers = [
        {"type": "embedding", "vocabulary_size": 9, "padding": 0},
        {"type": "lstm", "hidden_size": 6, "return_sequences": False, "return_state": True, "name": "encoder"},
        {"type": "embedding", "vocabulary_size": 9, "inputs": ["input"]},
        {"type": "lstm", "hidden_size": 6, "inputs": ["embedding_2", "encoder"]},
        *(linear(9), "softmax"),
    ]
    network = trained(layers, ids, ids, "cross_entropy", input=["variable"])
    for length in (7, 1, 12):
        same(network, rng.integers(0, 9, (5, length)))


def test_half_the_size(reader, rng, tmp_path):
    x = rng.standard_normal((20, 3))
    modnet.save(trained([linear(8), "relu", linear(1)], x, x[:, :1], input=[3]), tmp_path / "whole.modnet")
    edit(tmp_path / "whole.modnet", tmp_path / "half.modnet", cast="float16")
    network = modnet.load(tmp_path / "half.modnet")
    assert_same(reader.ask("forward", path=tmp_path / "half.modnet", x=x), network.forward(x).tolist())


def test_arrays_of_several_chunks(reader, rng, tmp_path):
    network = modnet.build({"network": {"input": [1100], "layers": [linear(1100), linear(2)]}}, seed=1)
    modnet.save(network, tmp_path / "large.modnet")
    x = rng.standard_normal((2, 1100)).astype(np.float32)
    assert_same(reader.ask("forward", path=tmp_path / "large.modnet", x=x), network.forward(x).tolist())
    content = bytearray((tmp_path / "large.modnet").read_bytes())
    assert len(content) > container.CHUNK_LENGTH
    content[-300] ^= 1
    (tmp_path / "large.modnet").write_bytes(content)
    with pytest.raises(Refused, match="an array is damaged"):
        reader.ask("forward", path=tmp_path / "large.modnet", x=x)
