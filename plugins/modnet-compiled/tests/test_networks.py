"""Whole networks: what fits together, any number of rows, any numbers, several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cases import check, compiled
from hypothesis import given, settings
from hypothesis import strategies as st
from modnet_compiled.errors import CannotCompile

import modnet
from modnet.testing.networks import chain, prepared, stirred

for module in ("modnet_conv", "modnet_recurrent", "modnet_tabular"):
    pytest.importorskip(module)

RNG = np.random.default_rng(3)
ROWS = (0, 1, 2, 7, 64, 1000)
GOLDEN = Path(__file__).parents[3] / "tests" / "golden"

MLP = chain(
    [
        "standardize",
        {"type": "linear", "out_features": 40, "activation": "relu"},
        {"type": "linear", "out_features": 3},
        "softmax",
    ],
    [19],
)
CNN = chain(
    [
        {"type": "conv2d", "out_channels": 17, "kernel_size": 3, "padding": "same"},
        "batch_norm",
        "relu",
        "max_pool2d",
        {"type": "depthwise_conv2d", "kernel_size": 3, "padding": "same"},
        "batch_norm",
        {"type": "conv2d", "out_channels": 40, "kernel_size": [2, 3], "stride": 2, "activation": "silu"},
        "global_average_pool",
        {"type": "linear", "out_features": 10},
        "log_softmax",
    ],
    [13, 11, 3],
)
SEQUENCES = chain(
    [
        {"type": "bidirectional", "layer": {"type": "gru", "hidden_size": 9}},
        "layer_norm",
        {"type": "lstm", "hidden_size": 21, "return_sequences": False},
        {"type": "linear", "out_features": 2},
    ],
    ["variable", 5],
)


@pytest.mark.parametrize("rows", ROWS)
def test_rows(rows):
    check(MLP, RNG.standard_normal((rows, 19)))
    check(CNN, RNG.standard_normal((min(rows, 64), 13, 11, 3)))
    check(SEQUENCES, RNG.standard_normal((min(rows, 64), 6, 5)))


def test_a_row_does_not_depend_on_the_rows_beside_it():
    x = RNG.standard_normal((300, 19)).astype(np.float32)
    network = compiled(MLP)
    whole = network.forward(x)
    for rows in (1, 2, 3, 5, 6, 7, 13):
        np.testing.assert_array_equal(network.forward(x[:rows]), whole[:rows])


def test_time_of_any_length():
    network = compiled(SEQUENCES)
    for steps in (1, 2, 100, 0, 7, 1):
        x = RNG.standard_normal((3, steps, 5)).astype(np.float32)
        np.testing.assert_allclose(network.forward(x), SEQUENCES.forward(x), atol=1e-5)


PADDED = {
    "pooled": ["dropout", "layer_norm", {"type": "linear", "out_features": 6}, "global_average_pool"],
    "greatest": ["gelu", "global_max_pool"],
    "lstm": [{"type": "lstm", "hidden_size": 5}, {"type": "lstm", "hidden_size": 4, "return_sequences": False}],
    "gru": [{"type": "bidirectional", "layer": {"type": "gru", "hidden_size": 5, "return_sequences": False}}],
    "rnn": [{"type": "rnn", "hidden_size": 5, "reverse": True}, "batch_norm", "global_average_pool"],
    "flat": ["softmax"],
}


@pytest.mark.parametrize("name", PADDED)
def test_padded_sequences(name):
    ids = RNG.integers(1, 9, (6, 10))
    ids *= np.arange(10) < np.array([10, 9, 5, 1, 0, 3])[:, None]
    first = {"type": "embedding", "vocabulary_size": 9, "embedding_size": 6, "padding": 0}
    check(chain([first, *PADDED[name]], ["variable"]), ids)
    x = RNG.standard_normal((6, 10, 6)) * (ids > 0)[:, :, None]
    check(chain(["masking", *PADDED[name]], ["variable", 6]), x)


def test_two_masks():
    layers = [
        {"type": "masking", "name": "zeros", "inputs": ["x"]},
        {"type": "masking", "value": 1.0, "name": "ones", "inputs": ["z"]},
        {"type": "add", "inputs": ["zeros", "ones"]},
        {"type": "masking", "value": 3.0},
        {"type": "lstm", "hidden_size": 3},
        "global_average_pool",
    ]
    network = stirred(modnet.build({"network": {"input": {"x": [7, 2], "z": [7, 2]}, "layers": layers}}))
    data = {"x": RNG.integers(0, 2, (40, 7, 2)), "z": RNG.integers(1, 3, (40, 7, 2))}
    check(network, data)


def test_arrays_of_any_layout():
    network = compiled(MLP)
    x = RNG.standard_normal((19, 10)).astype(np.float32)
    expected = MLP.forward(x.T)
    raw = np.zeros(x.nbytes + 1, np.uint8)
    crooked = raw[1:].view(np.float32).reshape(10, 19)
    crooked[...] = x.T
    fixed = x.T.copy()
    fixed.flags.writeable = False
    for given_array in (x.T, crooked, fixed, x.T.astype(">f4"), x.T.astype(np.float64), x.T.tolist(), x.T[::-1][::-1]):
        np.testing.assert_allclose(network.forward(given_array), expected, atol=1e-6)


def test_threads():
    x = RNG.standard_normal((3000, 19)).astype(np.float32)
    network = compiled(MLP)
    expected = network.forward(x)
    parts = [slice(n, n + 1 + n % 90) for n in range(400)]
    with ThreadPoolExecutor(8) as pool:
        for part, found in zip(parts, pool.map(lambda part: network.forward(x[part]), parts), strict=True):
            np.testing.assert_array_equal(found, expected[part])


def test_nan_and_inf_go_the_same_way():
    network = chain([{"type": "linear", "out_features": 33, "activation": "relu"}, "tanh", "batch_norm"], [5])
    x = RNG.standard_normal((40, 5)).astype(np.float32)
    x[3, 2], x[17, 0], x[20, 1] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        own = network._predict(x, None, None, check=False)[0]
        other = compiled(network)._predict(x, None, None, check=False)[0]
    np.testing.assert_allclose(other, own, atol=1e-5)
    assert np.isnan(other[3]).all()


def test_digits_that_float32_does_not_have():
    """A mean many deviations from 0 is subtracted from the numbers as they were given."""
    x = 1.7e9 + RNG.standard_normal((200, 3))
    for layers in (
        ["standardize", {"type": "linear", "out_features": 2}],
        ["robust_scale"],
        ["dropout", "standardize"],
    ):
        network = prepared(chain(layers, [3]), {"input": x})
        check(network, x)
        check(network, x.astype(np.float32), 1e-4)


def test_numbers_of_one_dtype_after_those_of_another():
    x = 1.7e9 + RNG.standard_normal((200, 3))
    network = prepared(chain(["standardize", "robust_scale"], [3]), {"input": x})
    other = compiled(network)
    for dtype in (np.float32, np.float64, np.int64, np.float32):
        np.testing.assert_allclose(other.forward(x.astype(dtype)), network.forward(x.astype(dtype)), atol=1e-5)


def test_outputs_that_are_inputs_or_the_same():
    layers = [
        {"type": "identity", "name": "same"},
        {"type": "reshape", "shape": [2, 3], "name": "square"},
        {"type": "linear", "out_features": 2, "inputs": ["square"], "name": "a"},
        {"type": "relu", "inputs": ["a"], "name": "b"},
        {"type": "flatten", "inputs": ["a"], "name": "c"},
    ]
    spec = {"network": {"input": [6], "layers": layers, "outputs": ["same", "square", "a", "b", "c"]}}
    check(stirred(modnet.build(spec)), RNG.standard_normal((9, 6)))


def test_ids_and_tables():
    layers = [
        {"type": "category_embedding", "vocabulary_size": 7, "inputs": ["ids"], "name": "e"},
        {"type": "flatten", "name": "flat"},
        {"type": "realmlp", "out_features": 2, "hidden_features": [8, 8], "inputs": ["numbers"], "name": "m"},
        {"type": "concatenate", "inputs": ["flat", "m"]},
        {"type": "linear", "out_features": 2},
        "unstandardize",
        "clip_to_target",
    ]
    network = stirred(modnet.build({"network": {"input": {"numbers": [4], "ids": [2]}, "layers": layers}}))
    data = {"numbers": 50 + RNG.standard_normal((60, 4)), "ids": RNG.integers(0, 5, (60, 2))}
    check(prepared(network, data), data, 1e-4)
    data["ids"][3, 1] = 6  # never seen in training
    check(network, data, 1e-4)
    messages = []
    data["ids"][3, 1] = 7
    for either in (network, compiled(network)):
        with pytest.raises(modnet.DataError) as caught:
            either.forward(data)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "id 7" in messages[0]


WIDE = {"type": "linear", "out_features": 9, "activation": "prelu"}
ENSEMBLES = {
    "tabm": ([{"type": "tabm", "out_features": 3}, "softmax", "ensemble_mean"], {}),
    "mlp_ple": ([{"type": "mlp_ple", "out_features": 3}, "softmax"], {}),
    "members": (
        ["standardize", WIDE, "layer_norm", "tanh", "batch_norm", {"type": "linear", "out_features": 2}],
        {"members": 3},
    ),
}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_ensembles(name):
    layers, more = ENSEMBLES[name]
    network = chain(layers, [5], **more)
    data = {"input": RNG.standard_normal((400, 5))}
    check(prepared(network, data), data["input"], 1e-4)  # before softmax there are numbers of 100 and more


LINEAR = {"type": "linear", "out_features": 12}
LAYERS = st.sampled_from(
    [
        LINEAR,
        {"type": "linear", "out_features": 33},
        {"type": "linear", "out_features": 12, "bias": False},
        "relu",
        "gelu",
        "batch_norm",
        "layer_norm",
        "rms_norm",
        "softmax",
        "dropout",
        "leaky_relu",
        "selu",
        {
            "type": "residual",
            "layers": [{"type": "linear", "out_features": 12}, "relu", {"type": "linear", "out_features": 12}],
            "shortcut": [{"type": "linear", "out_features": 12}],
        },
        {"type": "residual", "layers": ["batch_norm", "tanh"]},
    ]
)


@st.composite
def graphs(draw):
    """Nodes that each read one or two of those before, with outputs anywhere."""
    nodes = []
    names = ["input"]
    for number in range(draw(st.integers(1, 9))):
        name = f"n{number}"
        if len(names) > 1 and draw(st.booleans()):
            read = draw(st.lists(st.sampled_from(names), min_size=2, max_size=3))
            nodes.append({"type": "concatenate", "inputs": read, "name": name})
        else:
            layer = draw(LAYERS)
            layer = {"type": layer} if isinstance(layer, str) else layer
            nodes.append({**layer, "inputs": [draw(st.sampled_from(names))], "name": name})
        names.append(name)
    # A sum of what has one shape: two readers of one value.
    nodes.append({"type": "add", "inputs": [names[-1], names[-1]], "name": "sum"})
    nodes.append({"type": "multiply", "inputs": ["sum", names[-1]], "name": "end"})
    read = {name for node in nodes for name in node["inputs"]}
    outputs = sorted({"end", *(set(names[1:]) - read), *draw(st.lists(st.sampled_from(names[1:]), max_size=3))})
    return {"network": {"input": [7], "layers": nodes, "outputs": outputs}}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(), st.sampled_from(ROWS[:-1]))
def test_random_graphs(spec, rows):
    network = stirred(modnet.build(spec))
    scale = 0.3 * np.random.default_rng(rows).standard_normal((rows, 7))
    check(network, scale, 1e-4)


@pytest.mark.parametrize("name", ["activations", "classifier", "composites", "ensemble", "float64", "image"])
def test_golden_models(name):
    path = GOLDEN / f"{name}.modnet"
    if not path.exists():
        pytest.skip("the golden models are in modnet's repository")
    network = modnet.load(path)
    rng = np.random.default_rng(0)
    data = {}
    for (key, shape), dtype in zip(network.inputs.items(), network.input_dtypes(), strict=True):
        size = (5, *(6 if axis is None else axis for axis in shape))
        data[key] = rng.standard_normal(size) if dtype.kind == "f" else rng.integers(0, 2, size)
    try:
        check(network, data, 1e-5)
    except CannotCompile as error:
        pytest.skip(str(error))
