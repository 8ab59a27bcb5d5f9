"""Folding: the same predictions, to rounding, in fewer layers."""

import numpy as np
import pytest

import modnet
from modnet import DataError, Layer, Parameter
from modnet.engine.folding import fold
from modnet.initializers import Ones
from modnet.testing.examples import examples_of


def built(layers, input_=(6,), seed=0, **options):
    """A network with statistics and weights that are not those of the beginning."""
    network = modnet.build({"network": {"input": list(input_), "layers": layers, **options}}, seed=seed)
    rng = np.random.default_rng(seed)
    for flat in (network.parameters, network.state):
        for name, array in flat.items():
            if name.endswith(("samples", "mean_rest")):
                continue
            array += rng.uniform(0.2, 0.8, array.shape).astype(array.dtype)
    return network


def same(network, *shape, ids=0):
    """The folded network, having compared its predictions."""
    found = fold(network)
    for rows in (1, 3, 70):
        rng = np.random.default_rng(rows)
        x = rng.integers(0, ids, (rows, *shape)) if ids else rng.standard_normal((rows, *shape)).astype(np.float32)
        expected, other = network.forward(x), found.forward(x)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(other / scale, expected / scale, rtol=1e-5, atol=1e-5)
    return found


def types(network):
    return [node.layer.stands_for.type for node in network.graph.nodes]


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


def test_what_scales_goes_into_the_layer_before():
    network = built([linear(5, bias=False), "batch_norm", "relu", {"type": "dropout"}, linear(3), "batch_norm", "tanh"])
    found = same(network, 6)
    assert types(found) == ["linear", "relu", "linear", "tanh"]
    assert found.card.results["folding"] == {
        "folded": {
            "batch_norm_1": "into linear_1",
            "dropout_1": "it does nothing in prediction",
            "batch_norm_2": "into linear_2",
        },
        "left": {},
    }


def test_what_scales_the_input_goes_into_all_that_read_it():
    layers = [
        "standardize",
        {**linear(4), "name": "a"},
        {**linear(4), "name": "b", "inputs": ["standardize_1"]},
        {"type": "add", "inputs": ["a", "b"]},
    ]
    found = same(built(layers), 6)
    assert types(found) == ["linear", "linear", "add"]
    assert found.card.results["folding"]["folded"] == {"standardize_1": "into a and b"}


@pytest.mark.parametrize(
    ("layers", "left", "reason"),
    [
        (
            ["relu", "batch_norm", "relu", linear(2)],
            "batch_norm_1",
            "relu_1 (relu) cannot take it exactly; relu_2",
        ),
        (
            ["batch_norm", {"type": "softmax"}],
            "batch_norm_1",
            "it reads an input of the network; softmax_1",
        ),
        (
            ["relu", "batch_norm"],
            "batch_norm_1",
            "cannot take it exactly; it is an output of the network",
        ),
        (
            ["standardize", linear(6), {"type": "add", "inputs": ["linear_1", "standardize_1"]}],
            "standardize_1",
            "add_1 reads something else too",
        ),
        (
            [linear(6), "batch_norm", {**linear(6), "shares": "linear_1"}],
            "batch_norm_1",
            "shares its parameters",
        ),
        (
            ["batch_norm", linear(6), {"type": "batch_norm", "shares": "batch_norm_1"}, linear(2)],
            "batch_norm_1",
            "another node shares its parameters",
        ),
    ],
    ids=str,
)
def test_what_is_left_is_told_with_its_reason(layers, left, reason):
    found = same(built(layers), 6)
    assert reason in found.card.results["folding"]["left"][left]


def test_a_standardisation_that_clips_or_needs_digits_is_left():
    network = built([{"type": "standardize", "clip": True}, linear(2)])
    network.state["standardize_1.samples"][...] = 10
    assert "more than to scale and shift" in same(network, 6).card.results["folding"]["left"]["standardize_1"]
    far = built(["standardize", linear(2)])
    far.state["standardize_1.mean_rest"][0] = 0.25
    assert types(same(far, 6)) == ["standardize", "linear"]


def test_several_readers_of_a_maker():
    layers = [linear(6), "batch_norm", linear(3), {"type": "tanh", "inputs": ["linear_1"]}, linear(3)]
    layers.append({"type": "add", "inputs": ["linear_2", "linear_3"]})
    assert types(same(built(layers), 6)) == ["linear", "linear", "tanh", "linear", "add"]


def test_weights_that_are_shared_stay_so():
    layers = [linear(6), "relu", {**linear(6), "shares": "linear_1"}, "batch_norm", "relu", linear(2), "batch_norm"]
    found = same(built(layers), 6)
    assert types(found) == ["linear", "relu", "linear", "batch_norm", "relu", "linear"]
    assert found.graph.nodes[2].owner == 0


def test_composites_become_their_nodes():
    inner = [linear(6), "batch_norm", "relu", linear(6), "batch_norm"]
    layers = [
        {"type": "residual", "layers": inner},
        {"type": "repeat", "count": 2, "layers": [linear(6), "batch_norm"]},
    ]
    found = same(built(layers), 6)
    assert types(found) == ["linear", "relu", "linear", "add", "linear", "linear"]


@pytest.mark.parametrize("outputs", [["a"], ["a", "c"], ["b"]], ids=str)
def test_outputs_keep_their_names(outputs):
    layers = [
        {**linear(4, activation="relu"), "name": "a"},
        {"type": "batch_norm", "name": "b", "activation": "tanh"},
        {**linear(4), "name": "c"},
    ]
    layers = layers[: 3 if "c" in outputs else 2 if "b" in outputs else 1]
    network = built(layers, outputs=outputs)
    found = fold(network)
    x = np.random.default_rng(0).standard_normal((3, 6))
    assert list(found.outputs) == outputs
    one, other = network.forward(x), found.forward(x)
    for name in outputs:
        pair = (one, other) if len(outputs) == 1 else (one[name], other[name])
        np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-6)


def test_an_output_that_is_folded_away_gives_its_name_to_the_layer_before():
    layers = [linear(4), {"type": "batch_norm", "name": "result"}, {**linear(2), "name": "more"}]
    network = built(layers, outputs=["result", "more"])
    found = fold(network)
    assert list(found.outputs) == ["result", "more"]
    assert types(found) == ["linear", "linear"]
    x = np.ones((2, 6))
    for name, array in network.forward(x).items():
        np.testing.assert_allclose(found.forward(x)[name], array, rtol=1e-5)


@pytest.mark.parametrize("shared_first", [False, True])
def test_members_of_an_ensemble_are_folded_each_by_itself(shared_first):
    layers = [linear(5), "batch_norm", "relu", "dropout", linear(3), "softmax"]
    network = built((["standardize"] if shared_first else []) + layers, members=3)
    found = same(network, 6)
    assert found.parameters["linear_1.weight"].shape == (3, 6, 5)
    assert types(found)[:3] == ["linear", "relu", "linear"]


def test_a_layer_for_each_member_cannot_be_folded():
    network = built([{"type": "per_member", "layer": linear(3), "members": 2, "shared": True}, "batch_norm"])
    with pytest.raises(DataError, match="cannot be folded"):
        fold(network)


def test_float64():
    network = built([linear(5), "batch_norm", linear(2)], dtype="float64")
    x = np.random.default_rng(0).standard_normal((4, 6))
    np.testing.assert_allclose(fold(network).forward(x), network.forward(x), rtol=1e-12)


def test_weights_beyond_the_dtype_are_not_made():
    network = built([linear(5), "batch_norm"])
    network.parameters["batch_norm_1.scale"][...] = 1e38
    network.state["batch_norm_1.running_variance"][...] = 1e-4
    assert "beyond what float32 can hold" in fold(network).card.results["folding"]["left"]["batch_norm_1"]


class Halved(Layer, type="halved"):
    """A stranger's layer, y = x / 2 * factor."""

    def parameters(self, *input_shapes):
        return {"factor": Parameter(input_shapes[0], Ones())}

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return x * context.params["factor"] / 2

    def scale_and_shift(self, context):
        return context.params["factor"] / 2, 0.0


def test_a_strangers_layer_is_folded():
    assert types(same(built([linear(3), modnet.Node(layer=Halved()), "relu"]), 6)) == ["linear", "relu"]


def test_a_folded_network_is_saved_loaded_and_trained(tmp_path):
    network = built([linear(5), "batch_norm", "relu", linear(2)])
    modnet.save(network, tmp_path / "a.modnet")
    found = modnet.load(tmp_path / "a.modnet", fold=True)
    modnet.save(found, tmp_path / "b.modnet")
    again = modnet.load(tmp_path / "b.modnet")
    x = np.random.default_rng(0).standard_normal((8, 6))
    assert again.forward(x).tobytes() == found.forward(x).tobytes()
    assert again.card.results["folding"]["folded"] == {"batch_norm_1": "into linear_1"}
    assert len(modnet.train(again, x, np.ones((8, 2)), loss="mse", epochs=1)["loss"]) == 1
    with pytest.raises(ValueError, match="use only one of the two"):
        modnet.load(tmp_path / "a.modnet", fold=True, mmap=True)


def of_the_registry():
    registry = modnet.default_registry()
    for kind in (Layer, modnet.Activation):
        for name in registry.names(kind):
            for number, example in enumerate(examples_of(registry.find(kind, name))):
                yield pytest.param(example, id=f"{name} {number}")


@pytest.mark.parametrize("example", list(of_the_registry()))
def test_every_layer_between_others_that_are_folded(example):
    shapes = [["variable" if axis is None else axis for axis in shape] for shape in example.input_shapes]
    names = [f"x{number}" for number in range(len(shapes))]
    before = []
    if not example.component.integer_input and example.data is None and shapes[0][-1:] not in ([], ["variable"]):
        before = [{"type": "batch_norm", "name": "before", "inputs": ["x0"]}]
    node = modnet.Node(layer=example.component, name="it", inputs=("before" if before else "x0", *names[1:]))
    layers = [*before, node, {"type": "dropout", "rate": 0.5}, "batch_norm", "tanh"]
    try:
        network = modnet.build({"network": {"input": dict(zip(names, shapes, strict=True)), "layers": layers}}, seed=1)
    except modnet.SpecError:
        pytest.skip("no batch norm can follow it")
    rng = np.random.default_rng(0)
    for name, array in network.state.items():
        if name.startswith(("before", "batch_norm")):
            array += rng.uniform(0.2, 0.8, array.shape).astype(array.dtype)
    ids = example.component.integer_input
    data = {}
    for name, shape in network.inputs.items():
        sizes = (3, *(4 if axis is None else axis for axis in shape))
        data[name] = rng.integers(0, 2, sizes) if ids else rng.uniform(0.1, 0.9, sizes).astype(np.float32)
    if any(node.layer.stands_for is not node.layer for node in network.graph.nodes):
        with pytest.raises(DataError, match="cannot be folded"):
            fold(network)
        return
    found = fold(network)
    try:
        expected = network.forward(data)
    except modnet.errors.SampleError:
        pytest.skip("it is not defined for such numbers, as a logarithm")
    np.testing.assert_allclose(found.forward(data), expected, rtol=1e-5, atol=1e-5)
